//! What goes out stays within the platform's limits: the simulator counts every call, and a
//! refusal it had to make is in its ledger.

use larkline_proto::id::ChatId;
use larkline_sim::{Answer, Fault, Ledger, Limits, SimOptions};

use crate::rig::{ECHO, Rig, text};

/// Codes by which the platform says that a limit was overrun.
const OVERRUN: [i64; 2] = [230_020, 99_991_400];

fn refusals(ledger: &Ledger) -> usize {
    ledger.calls.iter().filter(|c| c.code.is_some_and(|code| OVERRUN.contains(&code))).count()
}

/// Texts in a chat, in order of arrival.
fn texts(ledger: &Ledger, chat: &ChatId) -> Vec<String> {
    ledger.in_chat(chat).map(|m| m.text.clone().unwrap_or_default()).collect()
}

/// The most messages of a chat that arrived within any second.
fn most_in_a_second(ledger: &Ledger, chat: &ChatId) -> usize {
    let at: Vec<u64> = ledger.in_chat(chat).map(|m| m.at_ms).collect();
    at.iter()
        .map(|start| at.iter().filter(|t| (*start..start + 1000).contains(t)).count())
        .max()
        .unwrap_or(0)
}

fn numbered(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{word} {n}")).collect()
}

/// A rig on a platform that allows a chat `per_s` messages a second.
async fn rig(per_s: u32, settings: &str) -> Rig {
    let limits = Limits { per_chat_per_s: per_s, ..Limits::default() };
    let mut rig =
        Rig::with(SimOptions { limits, ..SimOptions::default() }, &format!("{ECHO}{settings}"))
            .await;
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// Says so many words at once where the platform allows `per_s`: all are answered, in order,
/// and it refuses nothing.
async fn burst(per_s: u32, settings: &str, count: usize) {
    let rig = rig(per_s, settings).await;
    let words = numbered("m", count);
    let chat = rig.sim.platform().p2p(&rig.guest).unwrap();
    for word in &words {
        rig.say(&rig.guest, word);
    }
    rig.ledger("every answer", |l| l.in_chat(&chat).count() >= words.len()).await;
    let ledger = rig.sim.platform().ledger();
    assert_eq!(texts(&ledger, &chat), words);
    assert_eq!(refusals(&ledger), 0);
    assert!(most_in_a_second(&ledger, &chat) <= per_s as usize);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), count as u64)].into());
}

#[tokio::test]
async fn the_defaults_keep_a_burst_within_the_platforms_five_a_second() {
    burst(5, "", 18).await;
}

#[tokio::test]
async fn two_hundred_sends_at_once_arrive_in_order_without_one_refusal() {
    burst(40, "[governor]\nchat_per_second = 40\n", 200).await;
}

#[tokio::test]
async fn replies_and_sends_share_one_limiter() {
    let rig = rig(5, "").await;
    let (replies, sends) = (numbered("reply", 10), numbered("send", 6));
    for word in &replies {
        rig.say_in_group(&rig.guest, word, true);
    }
    for word in &sends {
        let output = rig.cli(&["send", "--to", rig.group.as_str(), word]).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
    let all = replies.len() + sends.len();
    rig.ledger("all", |l| l.in_chat(&rig.group).count() >= all).await;
    let ledger = rig.sim.platform().ledger();
    let arrived = texts(&ledger, &rig.group);
    let of =
        |word: &str| arrived.iter().filter(|t| t.starts_with(word)).cloned().collect::<Vec<_>>();
    assert_eq!((of("reply"), of("send")), (replies, sends));
    assert_eq!(refusals(&ledger), 0);
    assert!(most_in_a_second(&ledger, &rig.group) <= 5);
}

#[tokio::test]
async fn a_busy_chat_does_not_hold_up_another() {
    let rig = rig(5, "").await;
    let busy = rig.say(&rig.guest, "busy").chat_id;
    for word in numbered("busy", 40) {
        rig.say(&rig.guest, &word);
    }
    rig.ledger("the busy chat's beginning", |l| l.in_chat(&busy).count() >= 3).await;
    let before = rig.sim.platform().read(|l| l.in_chat(&busy).count());
    let quiet = rig.say(&rig.owner, "quiet");
    rig.answered(&quiet).await;
    let ledger = rig.sim.platform().ledger();
    let position = |id| ledger.messages.iter().position(|m| m.reply_to.as_ref() == Some(id));
    let answer = position(&quiet.message_id).unwrap();
    let between =
        ledger.messages.iter().take(answer).filter(|m| m.chat_id == busy).count() - before;
    // Five a second: fifteen are three seconds. In a common queue all of them would come before.
    assert!(between <= 15, "{between} messages of the busy chat came before the quiet one's");
}

#[tokio::test]
async fn points_window_and_block_hold_for_a_chat() {
    let rig = rig(5, "[governor.chat]\npoints = 3\nwindow = \"1s\"\nblock = \"3s\"\n").await;
    let chat = rig.sim.platform().p2p(&rig.guest).unwrap();
    for word in numbered("m", 5) {
        rig.say(&rig.guest, &word);
    }
    rig.ledger("every answer", |l| l.in_chat(&chat).count() >= 5).await;
    let at: Vec<u64> = rig.sim.platform().read(|l| l.in_chat(&chat).map(|m| m.at_ms).collect());
    // The block begins with the third permit, which is taken after the earlier two arrived.
    assert!(at[3] - at[1] >= 2_990, "{at:?}");
}

#[tokio::test]
async fn a_platforms_limit_is_waited_out_and_the_same_uuid_sent_again() {
    let rig = rig(5, "").await;
    for (status, code, reset_s) in [(429, 99_991_400, 2), (400, 230_020, 1), (429, 11_232, 1)] {
        let answer = Answer::Code { status, code, msg: "limit".to_owned(), reset_s: Some(reset_s) };
        rig.fault(Fault::Api {
            path: "/reply".to_owned(),
            method: String::new(),
            answer,
            times: 1,
        });
        let said = rig.say(&rig.guest, &format!("code {code}"));
        assert_eq!(rig.answered(&said).await, [format!("code {code}")]);
        let ledger = rig.sim.platform().ledger();
        let calls: Vec<_> =
            ledger.calls.iter().filter(|c| c.path.contains(said.message_id.as_str())).collect();
        assert_eq!(calls.iter().map(|c| c.code).collect::<Vec<_>>(), [Some(code), Some(0)]);
        let waited = calls[1].at_ms - calls[0].at_ms;
        assert!(waited >= reset_s * 1000 - 10, "{code}: {waited} ms");
        // The key comes from the event and not from the attempt.
        let uuid = ledger.replies_to(&said.message_id).next().unwrap().uuid.clone();
        let key = format!("main/{}/echo/a0", said.event_id);
        assert_eq!(uuid, Some(larkline_gateway::outgoing::stable_uuid(&key)));
    }
    let status = rig.status().await.unwrap();
    assert_eq!(status["apps"][0]["governor"]["throttled"], 3);
    assert!(rig.log().contains("wait_ms="), "a waiting message says for how long");
}

#[tokio::test]
async fn a_send_that_waits_shows_the_remaining_milliseconds() {
    let rig = rig(5, "[governor.chat]\npoints = 1\nwindow = \"30s\"\n").await;
    let said = rig.say(&rig.guest, "one");
    rig.answered(&said).await;
    rig.say(&rig.guest, "two");
    rig.until("a waiting send", async || {
        let status = rig.status().await.unwrap_or_default();
        let governor = &status["apps"][0]["governor"];
        let wait = governor["wait_ms"].as_u64().unwrap_or(0);
        governor["waiting"] == 1 && (1..=30_000).contains(&wait)
    })
    .await;
}

#[tokio::test]
async fn chats_that_wait_long_leave_their_slots_to_others() {
    let rig = rig(5, "[governor]\nchat = { points = 1, window = \"1h\" }\n").await;
    // More chats than may be in flight at once, each with a second message that has an hour to wait.
    for n in 0..20 {
        let person = rig.sim.platform().add_user(&format!("person {n}"));
        let one = rig.say(&person, "one");
        rig.answered(&one).await;
        rig.say(&person, "two");
    }
    let said = rig.say(&rig.owner, "and I?");
    assert_eq!(rig.answered(&said).await, ["and I?"]);
}
