//! What the page shows, and what can be done from it.

use reqwest::{Method, Response, StatusCode};

use super::site::Site;

/// Feeds that may be open at once.
const FEEDS_MAX: usize = 16;

#[tokio::test]
async fn the_page_says_whether_it_is_well_without_a_script_in_both_languages() {
    let site = Site::start("").await;
    let said = site.rig.say(&site.rig.owner, "is the printer free?");
    site.rig.answered(&said).await;
    site.rig.say_in_group(&site.rig.owner, "only talking", false);
    site.rig.verdicts().await;
    // A look serves everybody for a moment.
    site.rig
        .until("the filtered message", async || site.page("/").await.contains("only talking"))
        .await;
    let page = site.page("/").await;
    for shown in ["<span>Well</span>", "verified", "is the printer free?", "not_mentioned"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    let equation = "<b>2</b> received = <b>1</b> replied + <b>1</b> filtered + <b>0</b> failed";
    assert!(page.contains(equation), "{page}");
    for age in ["Last frame", "Last pong", "Last event"] {
        let (_, rest) = page.split_once(age).unwrap();
        let (age, _) = rest.split_once("</dd>").unwrap();
        assert!(age.contains(" ago</time>") && age.contains("data-at=\"1"), "{age}");
    }
    for (proof, standing) in [("pong", "holds"), ("count", "holds"), ("history", "unknown")] {
        let (before, _) = page.split_once(&format!("<code>{proof}</code>")).unwrap();
        let (_, row) = before.rsplit_once("<li class=\"").unwrap();
        assert!(row.starts_with(&format!("proof proof-{standing}")), "{proof}: {row}");
    }
    let chinese = site.page("/?lang=zh").await;
    for shown in ["lang=\"zh-CN\"", "运行良好", "已验证", "上一个事件", "消息去向"]
    {
        assert!(chinese.contains(shown), "{shown} in {chinese}");
    }
    let whose = format!("与 {} 的单聊", site.rig.owner);
    site.rig.until("the chat's name", async || site.page("/?lang=zh").await.contains(&whose)).await;
    let story = site.page(&format!("/dashboard/story?key={}", said.message_id)).await;
    for step in ["received", "on disk", "acknowledged", "routed", "delivered", "verdict"] {
        assert!(story.contains(&format!("<b>{step}</b>")), "{step} in {story}");
    }
    let chinese = site.page(&format!("/dashboard/story?lang=zh&key={}", said.message_id)).await;
    let sentences: Vec<&str> = chinese.split("class=\"step-text\">").skip(1).collect();
    assert!(sentences.len() > 5, "{chinese}");
    for sentence in sentences {
        let (sentence, _) = sentence.split_once('<').unwrap();
        assert!(has_chinese(sentence), "{sentence}");
    }
    assert_eq!(
        site.get("/dashboard/story?key=nothing-like-it").await.status(),
        StatusCode::NOT_FOUND
    );
    let messages: serde_json::Value = site.get("/api/messages?limit=9").await.json().await.unwrap();
    assert_eq!(messages[0]["preview"], "only talking");
    let status = site.get("/api/status").await.text().await.unwrap();
    assert!(status.contains("\"proofs\":[{") && !status.contains("_zh"), "{status}");
}

fn has_chinese(text: &str) -> bool {
    text.contains(|c: char| ('一'..='龥').contains(&c))
}

#[tokio::test]
async fn a_lost_link_is_the_verdict_an_alert_and_stays_in_the_strip() {
    let site = Site::start("").await;
    site.rig.fault(larkline_sim::Fault::Offline);
    site.rig.fault(larkline_sim::Fault::Rst);
    site.rig
        .until("the verdict", async || site.page("/").await.contains("<span>Not well</span>"))
        .await;
    let alert = async || site.page("/").await.contains("<code>link_down</code>");
    site.rig.until("the alert", alert).await;
    // What became of the last connection is told in the language of the page.
    let chinese = async || {
        let page = site.page("/?lang=zh").await;
        let after = |mark| {
            let (_, rest) = page.split_once(mark).unwrap_or_default();
            rest.split_once("</p>").unwrap_or_default().0
        };
        // Which one it is depends on where the reset met the link.
        let panel = after("<p class=\"fault\">上一次故障：");
        let (state, fault) = after("<p class=\"verdict-sentence\">应用 main：连接")
            .split_once('：')
            .unwrap_or_default();
        has_chinese(panel) && has_chinese(state) && has_chinese(fault)
    };
    site.rig.until("the fault in Chinese", chinese).await;
    let shown = site.page("/").await;
    assert!(shown.contains("<p class=\"fault\">Last fault: "), "{shown}");
    site.rig.fault(larkline_sim::Fault::Clear);
    site.rig.until("well", async || site.page("/").await.contains("<span>Well</span>")).await;
    let page = site.page("/").await;
    assert!(page.contains("bar bar-down") && page.contains("down 1×"), "{page}");
}

#[tokio::test]
async fn a_dead_letter_is_retried_and_dropped_from_the_page() {
    let site = Site::start("").await;
    let (first, second) = (site.dead().await, site.dead().await);
    assert_eq!(site.letters().await, 2);
    site.rig.until("both", async || site.page("/").await.contains("2 dead letters wait")).await;
    let mark = Site::mark(&site.page("/").await);
    let deed = async |item: &str, deed: &str| {
        let post = site.request(Method::POST, &format!("/dashboard/dead/{item}/{deed}"));
        post.form(&[("mark", &mark)]).send().await.unwrap()
    };
    std::fs::write(site.rig.path("mended"), "").unwrap();
    let letters = site.rig.json(&["dead"]).await;
    let retried =
        letters.as_array().unwrap().iter().find(|l| format!("t{}", l["item"]["task"]) == first);
    let message = retried.unwrap()["message_id"].as_str().unwrap().to_owned();
    let answer = deed(&first, "retry").await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(site.page(place.trim_end_matches("#dead")).await.contains("It is due again."));
    let mended = |l: &larkline_sim::Ledger| {
        l.replies_to(&message.as_str().into()).any(|m| m.text.as_deref() == Some("mended"))
    };
    site.rig.ledger("the answer of the retry", mended).await;
    assert_eq!(deed(&second, "drop").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.letters().await, 0);
    let gone = deed(&second, "drop").await;
    assert!(gone.headers()["location"].to_str().unwrap().contains("said=gone"));
    assert!(site.page("/").await.contains("<span>Well</span>"), "looked at anew after a deed");
}

#[tokio::test]
async fn what_people_write_is_text_on_every_page() {
    let site = Site::start("").await;
    let words = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> {{ 7 * 7 }} fail";
    let said = site.rig.say(&site.rig.owner, words);
    site.rig.answered(&said).await;
    let key = format!("/dashboard/story?key={}", said.message_id);
    let odd = "/dashboard/story?key=%3Cimg%20src%3Dx%3E&lang=%22%3E%3Cscript%3E";
    site.rig.until("the letter", async || site.page("/").await.contains("1 dead letter")).await;
    let feed = first_event(site.get("/dashboard/feed").await).await;
    let odd = site.get(odd).await.text().await.unwrap();
    for page in [site.page("/").await, site.page(&key).await, feed, odd] {
        for raw in ["<script>", "<img src=x", "onerror=alert(1)>"] {
            assert!(!page.contains(raw), "{raw} in {page}");
        }
        assert!(!page.contains(" 49 "), "words are no template");
    }
    assert!(site.page("/").await.contains("&lt;script&gt;alert(1)"));
}

/// Reads a feed up to the end of its first event.
async fn first_event(mut response: Response) -> String {
    let mut text = String::new();
    while !text.contains("\n\n") {
        text.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
    }
    text
}

#[tokio::test]
async fn the_feed_tells_what_changed_and_its_readers_are_bounded() {
    let mut site = Site::start("").await;
    let mut response = site.get("/dashboard/feed").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut heard = String::new();
    let mut said = false;
    while !heard.contains("said while somebody looks") {
        heard.push_str(&String::from_utf8_lossy(&response.chunk().await.unwrap().unwrap()));
        if !std::mem::replace(&mut said, true) {
            site.rig.say(&site.rig.owner, "said while somebody looks");
        }
    }
    let mut others = Vec::new();
    for _ in 1..FEEDS_MAX {
        others.push(site.get("/dashboard/feed").await);
    }
    assert!(others.iter().all(|feed| feed.status() == StatusCode::OK));
    let refused = site.get("/dashboard/feed").await;
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    drop(others);
    let again = async || site.get("/dashboard/feed").await.status() == StatusCode::OK;
    site.rig.until("a seat of a reader that has gone", again).await;
    // A feed that is open does not hold up the stop: its end is an end of the stream.
    site.rig.signal(rustix::process::Signal::TERM);
    while response.chunk().await.is_ok_and(|chunk| chunk.is_some()) {}
    assert!(site.rig.exit().await.success());
    assert!(!site.rig.log().contains("did not stop"), "{}", site.rig.log());
}

#[tokio::test]
async fn lists_for_programs_need_no_limit_and_refuse_as_everything_else_does() {
    let site = Site::start("").await;
    site.rig.answered(&site.rig.say(&site.rig.owner, "hello")).await;
    for (path, rows) in [("/api/messages", 2), ("/api/messages?limit=1", 1), ("/api/sessions", 0)] {
        let list: serde_json::Value = site.get(path).await.json().await.unwrap();
        assert_eq!(list.as_array().unwrap().len(), rows, "{path}: {list}");
    }
    for path in ["/api/messages?limit=many", "/api/sessions?state=odd", "/api/story"] {
        let answer = site.get(path).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
        let refusal: serde_json::Value = answer.json().await.unwrap();
        for (name, part) in [("error", "the query cannot be read"), ("error_zh", "无法读取查询")]
        {
            assert!(refusal[name].as_str().unwrap().contains(part), "{path}: {refusal}");
        }
    }
}

#[tokio::test]
async fn the_dashboard_can_be_off() {
    let site = Site::start("dashboard = false").await;
    for path in ["/", "/dashboard/style.css", "/dashboard/feed", "/api/status"] {
        assert_eq!(site.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(site.get("/ready").await.status(), StatusCode::OK);
}
