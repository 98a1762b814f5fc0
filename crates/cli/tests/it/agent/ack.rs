//! Whoever writes sees soon that he was heard: a card, or a reaction where no card comes at once.

use larkline_proto::id::MessageId;
use larkline_sim::{Answer, Fault, Ledger, ReactionRow, Said};

use super::{answered, growing, rows, start, start_watched};
use crate::rig::Rig;

const ALLOWED: &str = "permission = \"allow\"\n";
/// No acknowledgement may take longer; the bench says what it takes, and this only that it is no
/// matter of a period of any worker. By the simulator's clock.
const LATE_MS: u64 = 4_000;

/// Has the agent work until the file `release` is there.
fn work(rig: &Rig) -> String {
    let dir = rig.dir.path().display();
    let command =
        format!("echo >> {dir}/runs; until [ -e {dir}/release ]; do sleep 0.05; done; echo done");
    format!("[[tool Bash {{\"command\":\"{command}\"}}]]")
}

async fn begun(rig: &Rig, times: usize) {
    let runs = async || crate::rig::read(&rig.path("runs")).lines().count() >= times;
    rig.until("the work", runs).await;
}

fn release(rig: &Rig) {
    std::fs::write(rig.path("release"), "").unwrap();
}

fn reactions(rig: &Rig, said: &Said) -> Vec<ReactionRow> {
    let of = |l: &Ledger| {
        l.reactions.iter().filter(|row| row.message_id == said.message_id).cloned().collect()
    };
    rig.sim.platform().read(of)
}

/// Waits until a message has the reaction; when that was after its event, by the platform's clock.
async fn reacted(rig: &Rig, said: &Said) -> u64 {
    rig.until("a reaction", async || !reactions(rig, said).is_empty()).await;
    let [row] = &reactions(rig, said)[..] else { panic!("more than one") };
    assert_eq!((row.emoji.as_str(), row.removed_ms), ("Typing", None));
    let event = rig.sim.platform().read(|l| l.event(&said.event_id).cloned().unwrap());
    row.at_ms.saturating_sub(event.at_ms)
}

/// Waits until the only reaction to a message is taken away; not before its answer was there.
async fn taken_away(rig: &Rig, said: &Said, answer: &MessageId) {
    let is_gone = async || reactions(rig, said).iter().all(|row| row.removed_ms.is_some());
    rig.until("the end of the reaction", is_gone).await;
    let [reaction] = &reactions(rig, said)[..] else { panic!("{:?}", reactions(rig, said)) };
    let rows = rows(rig, answer);
    let said_ms = rows.iter().map(|row| row.edits.last().map_or(row.at_ms, |edit| edit.at_ms));
    assert!(reaction.removed_ms >= said_ms.max(), "{reaction:?} before {rows:?}");
}

/// So many messages were answered, and nothing failed; what the platform tells of the bot's own
/// reactions is filtered.
async fn replied(rig: &Rig, messages: u64) {
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["replied"], messages, "{verdicts:?}");
    assert!(verdicts.keys().all(|verdict| !verdict.starts_with("failed")), "{verdicts:?}");
}

fn refuse(path: &str, status: u16, code: i64) -> Fault {
    let answer = Answer::Code { status, code, msg: "ErrCode: 0".to_owned(), reset_s: None };
    Fault::Api { path: path.to_owned(), method: String::new(), answer, times: u32::MAX }
}

#[tokio::test]
async fn a_reaction_stands_for_a_turn_without_a_card_until_its_answer_is_there() {
    let rig = start(&format!("{ALLOWED}stream = false\n")).await;
    let said = rig.say(&rig.owner, &work(&rig));
    let late_ms = reacted(&rig, &said).await;
    assert!(late_ms < LATE_MS, "{late_ms} ms after the event");
    assert!(rows(&rig, &said.message_id).is_empty());
    begun(&rig, 1).await;
    release(&rig);
    assert_eq!(answered(&rig, &said, "tool said").await.len(), 1);
    taken_away(&rig, &said, &said.message_id).await;
    replied(&rig, 1).await;
    assert!(rig.sim.platform().read(|l| l.violations.is_empty()));
}

#[tokio::test]
async fn a_card_comes_as_soon_and_needs_no_reaction_beside_it() {
    let rig = start_watched("until [ -e {dir}/release ]; do sleep 0.05; done", "").await;
    let said = rig.say(&rig.owner, "[[say hello]]");
    let row = growing(&rig, &said, "Working on it").await;
    let event = rig.sim.platform().read(|l| l.event(&said.event_id).cloned().unwrap());
    let late_ms = row.at_ms.saturating_sub(event.at_ms);
    assert!(late_ms < LATE_MS, "{late_ms} ms after the event");
    // Its row is behind it by now: nothing of an acknowledgement waits any more.
    rig.until("an empty outbox", async || {
        rig.status().await.is_some_and(|status| status["depths"]["outbox"] == 0)
    })
    .await;
    release(&rig);
    answered(&rig, &said, "hello").await;
    assert!(reactions(&rig, &said).is_empty());
}

#[tokio::test]
async fn a_message_behind_a_running_turn_or_without_a_place_is_acknowledged_while_it_waits() {
    for busy in ["queue", "merge"] {
        let keys = format!("{ALLOWED}concurrency = 1\nbusy = \"{busy}\"\n");
        let rig = start(&keys).await;
        let first = rig.say(&rig.owner, &work(&rig));
        begun(&rig, 1).await;
        let behind = [rig.say(&rig.owner, "[[say one]]"), rig.say(&rig.owner, "[[say two]]")];
        let elsewhere = rig.say(&rig.guest, "[[say elsewhere]]");
        for said in behind.iter().chain([&elsewhere]) {
            let late_ms = reacted(&rig, said).await;
            assert!(late_ms < LATE_MS, "{late_ms} ms after the event");
            assert!(rows(&rig, &said.message_id).is_empty());
        }
        release(&rig);
        answered(&rig, &first, "tool said").await;
        answered(&rig, &elsewhere, "elsewhere").await;
        for said in &behind {
            let answer = if busy == "merge" { &behind[0] } else { said };
            answered(&rig, answer, "").await;
            taken_away(&rig, said, &answer.message_id).await;
        }
        taken_away(&rig, &elsewhere, &elsewhere.message_id).await;
        assert!(reactions(&rig, &first).is_empty(), "it had a card");
        replied(&rig, 4).await;
    }
}

#[tokio::test]
async fn a_missing_scope_is_one_warning_and_harms_no_turn() {
    let rig = start("stream = false\n").await;
    rig.fault(refuse("/reactions", 400, 99_991_672));
    for n in 0..3 {
        let said = rig.say(&rig.owner, &format!("[[delay 0.5]][[say number {n}]]"));
        answered(&rig, &said, &format!("number {n}")).await;
    }
    rig.logged("cannot be acknowledged").await;
    assert_eq!(rig.log().matches("cannot be acknowledged").count(), 1, "{}", rig.log());
    let asked = |l: &Ledger| l.calls.iter().filter(|c| c.path.ends_with("/reactions")).count();
    assert_eq!(rig.sim.platform().read(asked), 1, "not asked for with every message");
    assert_eq!(rig.json(&["dead"]).await.as_array().unwrap().len(), 0);
    replied(&rig, 3).await;
}

#[tokio::test]
async fn a_reaction_that_fails_is_given_up_soon_and_is_no_dead_letter() {
    let rig = start(&format!("{ALLOWED}stream = false\n")).await;
    rig.fault(refuse("/reactions", 500, 5000));
    let said = rig.say(&rig.owner, &work(&rig));
    rig.until("an empty outbox", async || {
        let tried = |l: &Ledger| l.calls.iter().filter(|c| c.path.ends_with("/reactions")).count();
        rig.sim.platform().read(tried) > 0
            && rig.status().await.is_some_and(|status| status["depths"]["outbox"] == 0)
    })
    .await;
    let tried = |l: &Ledger| l.calls.iter().filter(|c| c.path.ends_with("/reactions")).count();
    assert_eq!(rig.sim.platform().read(tried), 3);
    release(&rig);
    answered(&rig, &said, "tool said").await;
    assert_eq!(rig.json(&["dead"]).await.as_array().unwrap().len(), 0);
    replied(&rig, 1).await;
}

#[tokio::test]
async fn after_a_kill_the_reaction_is_neither_doubled_nor_forgotten() {
    // The first dies with the reaction noted, the second between the platform's answer and that.
    for point in [None, Some("reaction_added:1")] {
        let mut rig = start(&format!("{ALLOWED}stream = false\n")).await;
        if let Some(point) = point {
            assert!(rig.stop().await.success());
            rig.env.insert("LARKLINE_FAILPOINT", point.to_owned());
            rig.run(&[]).await;
        }
        let said = rig.say(&rig.owner, &work(&rig));
        if point.is_some() {
            assert!(!rig.exit().await.success(), "the point was not reached");
            rig.env.remove("LARKLINE_FAILPOINT");
        } else {
            reacted(&rig, &said).await;
            begun(&rig, 1).await;
            rig.kill9().await;
        }
        assert_eq!(reactions(&rig, &said).len(), 1);
        rig.run(&[]).await;
        rig.ready().await;
        release(&rig);
        answered(&rig, &said, "tool said").await;
        taken_away(&rig, &said, &said.message_id).await;
        replied(&rig, 1).await;
    }
}

#[tokio::test]
async fn none_is_none_and_another_emoji_is_that_one() {
    let rig = start(&format!("{ALLOWED}stream = false\nreaction = \"none\"\n")).await;
    let said = rig.say(&rig.owner, "[[delay 0.5]][[say quiet]]");
    answered(&rig, &said, "quiet").await;
    assert!(reactions(&rig, &said).is_empty());
    let rig = Rig::start(
        r#"
[[route]]
name = "all"
senders = "everyone"
mention = "never"
handler = "slow"

[handler.slow]
kind = "command"
argv = ["sh", "-c", "sleep 1; echo done"]
reaction = "OnIt"
"#,
    )
    .await;
    let said = rig.say(&rig.owner, "go");
    rig.until("a reaction", async || !reactions(&rig, &said).is_empty()).await;
    assert_eq!(reactions(&rig, &said)[0].emoji, "OnIt");
    rig.answered(&said).await;
    taken_away(&rig, &said, &said.message_id).await;
}
