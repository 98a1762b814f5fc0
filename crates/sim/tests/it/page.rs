//! The chat page from outside: its files, its feed, and who is kept out.

use larkline_sim::{Gateway, Say, Sim, Told};
use serde_json::{Value, json};

use crate::client::{PATIENCE, http, start};

/// One event of a feed.
#[derive(Debug)]
struct Event {
    id: Option<String>,
    kind: String,
    data: Value,
}

/// A reader of the feed.
struct Feed {
    response: reqwest::Response,
    text: String,
}

impl Feed {
    async fn open(sim: &Sim, last: Option<&str>) -> Self {
        let mut request = http().get(format!("{}/_sim/feed", sim.url()));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { response, text: String::new() }
    }

    /// The next event of a kind; others in between are let go.
    async fn next(&mut self, wanted: &str) -> Event {
        loop {
            let event = self.event().await;
            if event.kind == wanted {
                return event;
            }
        }
    }

    async fn event(&mut self) -> Event {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let mut lines = block.lines();
                    lines.find_map(|l| l.strip_prefix(name)).map(|v| v.trim().to_owned())
                };
                let event = Event {
                    id: field("id:"),
                    kind: field("event:").unwrap_or_default(),
                    data: field("data:").map_or(Value::Null, |d| serde_json::from_str(&d).unwrap()),
                };
                self.text = rest.to_owned();
                return event;
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await;
            self.text.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap().unwrap()));
        }
    }
}

fn say(sim: &Sim, user: &larkline_proto::id::OpenId, text: &str) -> larkline_sim::Said {
    let say = Say { user: user.clone(), text: text.to_owned(), ..Say::default() };
    sim.platform().say(say).unwrap()
}

#[tokio::test]
async fn a_reader_gets_everything_then_each_change() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let old = say(&sim, &user, "before");
    let mut feed = Feed::open(&sim, None).await;
    let everything = feed.next("everything").await;
    assert_eq!(everything.data["messages"][0]["id"], json!(old.message_id));
    assert_eq!(everything.data["people"]["users"][0]["name"], "Lin");
    let new = say(&sim, &user, "after");
    let told = feed.next("message").await;
    assert_eq!(told.data["id"], json!(new.message_id));
    assert_eq!(told.data["content"]["text"], "after");
    sim.platform().recall(&old.message_id).unwrap();
    let told = feed.next("message").await;
    assert_eq!((&told.data["id"], &told.data["recalled"]), (&json!(old.message_id), &json!(true)));
    sim.platform().add_user("Wei");
    assert_eq!(feed.next("people").await.data["users"][1]["name"], "Wei");
}

#[tokio::test]
async fn a_reader_that_comes_back_misses_nothing() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let mut feed = Feed::open(&sim, None).await;
    let last = feed.next("everything").await.id.unwrap();
    drop(feed);
    let missed = [say(&sim, &user, "one"), say(&sim, &user, "two")];
    let mut feed = Feed::open(&sim, Some(&last)).await;
    for said in missed {
        assert_eq!(feed.next("message").await.data["id"], json!(said.message_id));
    }
    // An id of an earlier run says nothing about this one.
    let mut stranger = Feed::open(&sim, Some("1-0")).await;
    let everything = stranger.next("everything").await;
    assert_eq!(everything.data["messages"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn files_come_with_a_strict_policy_and_are_not_sent_twice() {
    let sim = start().await;
    let page = http().get(sim.url()).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    let tag = page.headers()["etag"].clone();
    let again = http().get(sim.url()).header("if-none-match", tag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.bytes().await.unwrap().len(), 0);
}

#[tokio::test]
async fn another_site_can_neither_write_nor_read() {
    let sim = start().await;
    let users = format!("{}/_sim/users", sim.url());
    let foreign =
        |request: reqwest::RequestBuilder| request.header("origin", "https://evil.example");
    let refused = foreign(http().post(&users).json(&json!({"name": "x"}))).send().await.unwrap();
    assert_eq!(refused.status(), 403);
    let world = format!("{}/_sim/world", sim.url());
    let rebound = http().get(&world).header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
    let body: Value = http().get(&world).send().await.unwrap().json().await.unwrap();
    assert_eq!(body["users"], json!([]), "nothing was written");
}

#[tokio::test]
async fn uploads_are_shown_as_images_and_nothing_else_is_run() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    for (name, image, bytes) in [
        ("a.png", true, "iVBORw0KGgo="),
        ("a.html", true, "PGh0bWw+"),
        ("b.html", false, "PGh0bWw+"),
    ] {
        let attachment = json!({"name": name, "image": image, "bytes": bytes});
        let body = json!({"user": user, "attachment": attachment});
        let said = http().post(format!("{}/_sim/say", sim.url())).json(&body).send().await.unwrap();
        assert_eq!(said.status(), 200);
        let mut feed = Feed::open(&sim, None).await;
        let messages = feed.next("everything").await.data["messages"].clone();
        let content = &messages.as_array().unwrap().last().unwrap()["content"];
        let key = content.as_object().unwrap().values().find_map(Value::as_str).unwrap();
        let file = http().get(format!("{}/_sim/file?key={key}", sim.url())).send().await.unwrap();
        let kind = file.headers()["content-type"].to_str().unwrap();
        assert_eq!(kind, if name == "a.png" { "image/png" } else { "application/octet-stream" });
        assert_eq!(file.headers()["x-content-type-options"], "nosniff");
        assert!(file.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    }
}

/// A gateway that knows one story.
#[derive(Debug)]
struct Known;

impl Gateway for Known {
    fn status(&self) -> Told<'_> {
        Box::pin(async { Ok(json!({"link": {"state": "verified"}})) })
    }
    fn verdicts(&self) -> Told<'_> {
        Box::pin(async { Ok(json!([{"message_id": "om_1", "verdict": "replied"}])) })
    }
    fn story<'a>(&'a self, message_id: &'a str) -> Told<'a> {
        Box::pin(async move { Ok(json!({"steps": [message_id]})) })
    }
    fn kill(&self) -> Told<'_> {
        Box::pin(async { Err("it is gone already".to_owned()) })
    }
}

#[tokio::test]
async fn the_gateways_side_is_asked_where_there_is_one() {
    let sim = start().await;
    let user = sim.platform().add_user("Lin");
    let said = say(&sim, &user, "hello");
    let story = format!("{}/_sim/story?id={}", sim.url(), said.message_id);
    let kill = http().post(format!("{}/_sim/gateway/kill", sim.url()));
    let alone: Value = http().get(&story).send().await.unwrap().json().await.unwrap();
    assert_eq!(alone["gateway"], Value::Null);
    assert_eq!(alone["platform"][0]["event_id"], json!(said.event_id));
    assert!(alone["note"].as_str().unwrap().contains("no gateway"));
    sim.platform().set_gateway(std::sync::Arc::new(Known));
    let told: Value = http().get(&story).send().await.unwrap().json().await.unwrap();
    assert_eq!(told["gateway"]["steps"][0], json!(said.message_id));
    let mut feed = Feed::open(&sim, None).await;
    assert_eq!(feed.next("gateway").await.data["status"]["link"]["state"], "verified");
    assert_eq!(feed.next("verdicts").await.data[0]["verdict"], "replied");
    let refused = kill.send().await.unwrap();
    assert_eq!(refused.status(), 400);
}
