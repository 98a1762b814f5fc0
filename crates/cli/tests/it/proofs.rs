//! Whether a verified link hears: the platform's count, a chat's history, and what is done about
//! a proof that fails.

use larkline_client::link::{self, Answer, LinkConfig, LinkOptions};
use larkline_client::{ApiClient, Dialer, NetOptions, ProxyChoice, Secret};
use larkline_proto::content::Outgoing;
use larkline_proto::id::ChatId;
use larkline_sim::{AppSpec, DEMO_APP_ID, Fault, Limits, MessageRow, Press, Said, SimOptions};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::rig::{ECHO, Rig};

/// Silence is suspect after a second.
fn anxious() -> String {
    format!(
        "{ECHO}\n[link]\nsuspect_after = \"1s\"\nbackoff_quick = \"100ms\"\nbackoff_first = \"100ms\"\n"
    )
}

async fn proof(rig: &Rig, name: &str) -> Value {
    let status = rig.status().await.unwrap_or_default();
    let proofs = status["apps"][0]["proofs"].as_array().cloned().unwrap_or_default();
    proofs.into_iter().find(|p| p["name"] == name).unwrap_or_default()
}

async fn not_ready(rig: &Rig) -> String {
    rig.status().await.map(|s| s["not_ready"].to_string()).unwrap_or_default()
}

fn count_calls(rig: &Rig, path: &str) -> usize {
    rig.sim.platform().read(|l| l.calls.iter().filter(|c| c.path.ends_with(path)).count())
}

#[tokio::test]
async fn the_weakest_failing_proof_names_the_state_and_the_link_is_replaced() {
    let rig = Rig::start(&anxious()).await;
    rig.until("the count", async || proof(&rig, "count").await["standing"] == "holds").await;
    assert_eq!(proof(&rig, "pong").await["standing"], "holds");
    let before = rig.sim.platform().read(|l| l.connections.len());
    rig.fault(Fault::OnlineCount { count: 0 });
    rig.until("the failing proof", async || {
        not_ready(&rig).await.contains("the proof `count` fails")
    })
    .await;
    rig.logged("the link is verified and does not hear").await;
    rig.ledger("a new connection", |l| l.connections.len() > before).await;
    rig.fault(Fault::Clear);
    rig.ready().await;
    rig.until("the count", async || proof(&rig, "count").await["standing"] == "holds").await;
}

#[tokio::test]
async fn with_default_settings_the_platform_is_asked_once_after_the_start() {
    let rig = Rig::start(ECHO).await;
    rig.until("the count", async || proof(&rig, "count").await["standing"] == "holds").await;
    for n in 0..3 {
        rig.fault(Fault::Rst);
        rig.ledger("a reconnect", |l| l.connections.len() == n + 2).await;
        rig.ready().await;
    }
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    assert_eq!(count_calls(&rig, "/event/v1/connection"), 1, "routine losses are no suspicion");
    assert_eq!(proof(&rig, "history").await["standing"], "unknown", "on suspicion alone");
}

fn direct() -> Dialer {
    Dialer::new(&NetOptions { proxy: ProxyChoice::None, ..NetOptions::default() }).unwrap()
}

fn secret() -> Secret {
    Secret::new(AppSpec::default().app_secret)
}

/// Another instance of the app: it takes events, and acknowledges them.
async fn thief(rig: &Rig) -> (link::LinkHandle, mpsc::Receiver<String>, JoinSet<()>) {
    let (deliveries, mut received) = mpsc::channel(16);
    let options = LinkOptions {
        app_id: DEMO_APP_ID.into(),
        app_secret: secret(),
        domain: rig.sim.url().parse().unwrap(),
        dialer: direct(),
        config: LinkConfig::default(),
        seed: 1,
    };
    let (handle, driver) = link::start(options, deliveries).unwrap();
    let (stolen, loot) = mpsc::channel(16);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { drop(driver.await) });
    let answers = handle.clone();
    tasks.spawn(async move {
        while let Some(delivery) = received.recv().await {
            answers.answer(vec![(delivery.ack, Answer::ok())]);
            let payload = String::from_utf8_lossy(&delivery.payload).into_owned();
            if stolen.send(payload).await.is_err() {
                return;
            }
        }
    });
    let mut status = handle.status();
    status.wait_for(|s| s.is_verified()).await.unwrap();
    (handle, loot, tasks)
}

/// A message of the guest that the other instance took.
async fn stolen(rig: &Rig, loot: &mut mpsc::Receiver<String>) -> Said {
    loop {
        let said = rig.say(&rig.guest, "whose is it?");
        rig.ledger("the ack", |l| l.event(&said.event_id).is_some_and(|e| e.acks() > 0)).await;
        if loot.try_recv().is_ok() {
            return said;
        }
    }
}

#[tokio::test]
async fn messages_that_another_instance_took_are_found_in_the_history_and_answered() {
    let rig = Rig::start(&anxious()).await;
    let said = rig.say(&rig.guest, "the chat is known");
    rig.answered(&said).await;
    let (handle, mut loot, tasks) = thief(&rig).await;
    let taken = stolen(&rig, &mut loot).await;
    // While the other one is there, it may be at work on it.
    let taken_ms = i64::try_from(rig.sim.platform().now_ms()).unwrap();
    rig.until("a look that leaves it alone", async || {
        let proof = proof(&rig, "history").await;
        proof["standing"] == "unknown"
            && proof["at_ms"].as_i64().is_some_and(|at| at > taken_ms + 1500)
    })
    .await;
    assert!(rig.answers(&taken.message_id).is_empty());
    handle.close();
    rig.ledger("the thief's end", |l| l.open_connections() == 1).await;
    drop(tasks);
    rig.logged("never arrived; they were taken from its history").await;
    rig.answered(&taken).await;
    rig.ready().await;
}

#[tokio::test]
async fn a_link_that_pongs_and_hears_nothing_is_found_deaf_and_its_messages_are_answered() {
    let rig = Rig::start(&anxious()).await;
    let said = rig.say(&rig.guest, "the chat is known");
    rig.answered(&said).await;
    rig.fault(Fault::Deaf { stolen: false });
    let lost = rig.say(&rig.guest, "into deaf ears");
    // The proof holds again as soon as nothing more is missing, so the log is looked at.
    rig.logged("1 message(s) in").await;
    rig.logged("the link is verified and does not hear; it is replaced").await;
    assert_eq!(rig.answered(&lost).await, ["into deaf ears"], "from the history");
    rig.fault(Fault::Clear);
    let said = rig.say(&rig.guest, "heard again");
    rig.answered(&said).await;
    rig.ready().await;
}

/// A message of the guest that is written while the link is down, for longer than is routine.
async fn lose_a_message(rig: &Rig) -> Said {
    rig.fault(Fault::Offline);
    rig.fault(Fault::Rst);
    rig.ledger("the loss", |l| l.open_connections() == 0).await;
    let missed = rig.say(&rig.guest, "written into nothing");
    // The gateway's own clock says when it is long enough.
    rig.until("a loss worth looking back", async || {
        let status = rig.status().await.unwrap_or_default();
        let (now, lost) = (&status["at_ms"], &status["apps"][0]["link"]["lost_ms"]);
        now.as_i64().zip(lost.as_i64()).is_some_and(|(now, lost)| now - lost > 1500)
    })
    .await;
    rig.fault(Fault::Clear);
    missed
}

/// The history is closed for now.
fn no_history() -> Fault {
    let msg = "try again later".to_owned();
    Fault::Api {
        path: "/im/v1/messages".to_owned(),
        method: "GET".to_owned(),
        answer: larkline_sim::Answer::Code { status: 400, code: 230_001, msg, reset_s: None },
        times: u32::MAX,
    }
}

#[tokio::test]
async fn what_another_instance_has_answered_is_not_answered_again() {
    // The two together may say more than a chat takes in a second.
    let options = SimOptions { limits: Limits::unlimited(), ..SimOptions::default() };
    let mut rig = Rig::with(options, &anxious()).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "the chat is known");
    rig.answered(&said).await;
    rig.fault(no_history());
    let (handle, mut loot, tasks) = thief(&rig).await;
    let taken = stolen(&rig, &mut loot).await;
    let api =
        ApiClient::new(direct(), rig.sim.url().parse().unwrap(), DEMO_APP_ID.into(), secret());
    let theirs = Outgoing::text("answered elsewhere");
    api.reply(&taken.message_id, &theirs, false, "elsewhere").await.unwrap();
    handle.close();
    rig.ledger("the thief's end", |l| l.open_connections() == 1).await;
    drop(tasks);
    rig.fault(Fault::Clear);
    // Older by then than what may still be on its way.
    let later_ms = i64::try_from(rig.sim.platform().now_ms()).unwrap() + 1500;
    rig.until("a proof by the history", async || {
        let proof = proof(&rig, "history").await;
        assert_ne!(proof["standing"], "fails", "{proof}");
        proof["standing"] == "holds" && proof["at_ms"].as_i64().is_some_and(|at| at > later_ms)
    })
    .await;
    assert_eq!(rig.answers(&taken.message_id), ["answered elsewhere"]);
}

#[tokio::test]
async fn a_group_that_cannot_be_read_keeps_no_direct_chat_from_being_read_back() {
    let scopes = ["im:message", "im:message.p2p_msg:readonly", "im:message.group_at_msg:readonly"];
    let scopes = Some(scopes.map(str::to_owned).to_vec());
    let app = AppSpec { scopes, ..AppSpec::default() };
    let options = SimOptions { redelivery: Vec::new(), apps: vec![app], ..SimOptions::default() };
    let mut rig = Rig::with(options, &anxious()).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "the chat is known");
    rig.answered(&said).await;
    let said = rig.say_in_group(&rig.owner, "this one was active last", true);
    rig.answered(&said).await;
    let missed = lose_a_message(&rig).await;
    assert_eq!(rig.answered(&missed).await, ["written into nothing"]);
    rig.logged("cannot be read back").await;
}

#[tokio::test]
async fn what_was_written_while_the_link_was_down_is_read_back_and_answered() {
    let options = SimOptions { redelivery: Vec::new(), ..SimOptions::default() };
    let mut rig = Rig::with(options, &anxious()).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "the chat is known");
    rig.answered(&said).await;
    let missed = lose_a_message(&rig).await;
    assert_eq!(rig.answered(&missed).await, ["written into nothing"]);
    rig.logged("looked back into the chats").await;
    let never = rig.sim.platform().read(|l| l.event(&missed.event_id).unwrap().acks());
    assert_eq!(never, 0, "the platform did not deliver it");
}

/// A gateway whose route treats what was missed like this, its chat known. The platform delivers it
/// again when it is told to.
async fn repairing(how: &str) -> Rig {
    let redelivery = vec![std::time::Duration::from_hours(1)];
    let options = SimOptions { redelivery, ..SimOptions::default() };
    let config = anxious().replace("senders", &format!("repair = \"{how}\"\nsenders"));
    let mut rig = Rig::with(options, &config).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "the chat is known");
    rig.answered(&said).await;
    rig
}

#[tokio::test]
async fn a_route_that_does_not_repair_keeps_what_was_missed_and_the_proof_holds() {
    let rig = repairing("off").await;
    let missed = lose_a_message(&rig).await;
    rig.logged("looked back into the chats").await;
    rig.until("its verdict", async || rig.verdicts().await.get("filtered/repair_off") == Some(&1))
        .await;
    let log = rig.log();
    let line = log.lines().find(|l| l.contains("looked back into the chats")).unwrap();
    assert!(
        line.contains("found=1") && line.contains("repaired=0") && line.contains("kept=1"),
        "{line}"
    );
    let later_ms = i64::try_from(rig.sim.platform().now_ms()).unwrap() + 1500;
    rig.until("a proof by the history", async || {
        let proof = proof(&rig, "history").await;
        proof["standing"] == "holds" && proof["at_ms"].as_i64().is_some_and(|at| at > later_ms)
    })
    .await;
    assert!(rig.answers(&missed.message_id).is_empty());
    // What is delivered is none of this.
    rig.answered(&rig.say(&rig.guest, "heard")).await;
}

/// The card that asks a chat about what was missed there.
async fn question(rig: &Rig, chat: &ChatId) -> MessageRow {
    let asks = |l: &larkline_sim::Ledger| {
        l.in_chat(chat).find(|m| m.content.contains("\"repair\"")).cloned()
    };
    rig.ledger("the question", |l| asks(l).is_some()).await;
    rig.sim.platform().read(asks).unwrap()
}

/// Somebody presses its button.
async fn press(rig: &Rig, question: &MessageRow, missed: &Said) {
    let value = serde_json::json!({"larkline": {"repair": [missed.message_id]}});
    let (user, message) = (rig.guest.clone(), Some(question.message_id.clone()));
    let chat = missed.chat_id.clone();
    let press = Press { user, message, chat, value, ..Press::default() };
    rig.sim.platform().press(press).await.unwrap();
}

#[tokio::test]
async fn a_route_that_asks_has_a_button_in_the_chat_that_handles_what_was_missed_once() {
    let rig = repairing("ask").await;
    let missed = lose_a_message(&rig).await;
    let question = question(&rig, &missed.chat_id).await;
    assert!(question.content.contains("1 message(s) here did not reach the bot"), "{question:?}");
    assert!(rig.answers(&missed.message_id).is_empty());
    press(&rig, &question, &missed).await;
    assert_eq!(rig.answered(&missed).await, ["written into nothing"]);
    press(&rig, &question, &missed).await;
    rig.fault(Fault::RedeliverNow);
    rig.ledger("the platform's own delivery", |l| l.event(&missed.event_id).unwrap().done).await;
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts.get("filtered/repair_ask"), Some(&1), "{verdicts:?}");
    assert_eq!(rig.answers(&missed.message_id).len(), 1, "handled once");
}

/// What was read back and given to nobody is no reason to call the platform's own delivery a repetition.
#[tokio::test]
async fn what_no_handler_was_given_is_handled_when_the_platform_delivers_it_after_all() {
    for how in ["off", "ask"] {
        let rig = repairing(how).await;
        let missed = lose_a_message(&rig).await;
        let kept = format!("filtered/repair_{how}");
        rig.until("it is read back", async || rig.verdicts().await.get(&kept) == Some(&1)).await;
        assert!(rig.answers(&missed.message_id).is_empty());
        rig.fault(Fault::RedeliverNow);
        assert_eq!(rig.answered(&missed).await, ["written into nothing"]);
        if how == "ask" {
            let question = question(&rig, &missed.chat_id).await;
            press(&rig, &question, &missed).await;
            rig.until("nothing left to handle", async || {
                rig.verdicts().await.contains_key("filtered/duplicate")
            })
            .await;
        }
        assert_eq!(rig.answers(&missed.message_id).len(), 1, "handled once");
    }
}

#[tokio::test]
async fn status_says_how_many_were_read_back_and_what_silence_is_unusual() {
    let rig = repairing("on").await;
    let missed = lose_a_message(&rig).await;
    rig.answered(&missed).await;
    let status = rig.status().await.unwrap();
    assert_eq!(status["apps"][0]["repaired"], 1);
    assert_eq!(status["apps"][0]["unusual_silence_ms"], 1000);
    assert_eq!(status["apps"][0]["is_silence_learnt"], false, "too little history");
    let shown = crate::rig::text(&rig.cli(&["status"]).await.stdout);
    assert!(shown.contains("1 messages read back"), "{shown}");
    assert!(shown.contains("unusual beyond 1 s"), "{shown}");
    assert!(rig.metrics().await.contains("larkline_repaired_messages_total{app=\"main\"} 1"));
}

#[tokio::test]
async fn a_routine_reconnect_is_one_info_line() {
    let rig = Rig::start(ECHO).await;
    let before = rig.log().len();
    rig.fault(Fault::Close { code: 1001, reason: "routine".into() });
    rig.ledger("a new connection", |l| l.connections.len() == 2).await;
    rig.ready().await;
    rig.until("the line", async || rig.log()[before..].contains("connected and verified")).await;
    let log = rig.log();
    let lines: Vec<_> = log[before..].lines().filter(|l| l.contains("link")).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    assert!(lines[0].contains("INFO") && lines[0].contains("after=\"closed\""), "{lines:#?}");
}
