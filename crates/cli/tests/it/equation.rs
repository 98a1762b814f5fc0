//! received = replied + filtered(why) + failed(why) + waiting: in the store, in `/metrics` and in
//! `status` alike, at every quiet moment of a busy day with a `kill -9` in it; and `explain` of
//! each event tells the verdict it was counted under.

use std::collections::BTreeMap;
use std::time::Duration;

use larkline_proto::id::EventId;
use larkline_sim::{Answer, Fault, Malformed, Press};
use serde_json::Value;

use crate::delivery::reply_fault;
use crate::rig::{Rig, text};
use crate::verdicts::{metric, named_verdict};
use crate::waiting::running;

const BUSY: &str = r#"
[[route]]
name = "buttons"
events = ["card.action.trigger"]
senders = "everyone"
handler = "button"

[[route]]
name = "work"
senders = "everyone"
match = { keywords = ["fail", "hold"] }
handler = "work"

[[route]]
name = "rest"
senders = "everyone"
handler = "echo"

[handler.echo]
kind = "echo"

[handler.button]
kind = "command"
argv = ["true"]

[handler.work]
kind = "command"
argv = ["{dir}/work"]
cwd = "{dir}"
session = "sender"
retry = { attempts = 1 }
"#;

const WORK: &str = r#"case $(cat) in
*'"text":"hold"'*) until [ -e go ]; do sleep 0.05; done; echo held;;
*) exit 3;;
esac"#;

/// What each event is expected to end as.
type Expected = BTreeMap<EventId, &'static str>;

/// One wave of everything that people, bots and the platform do.
async fn wave(rig: &Rig, expected: &mut Expected) {
    let platform = rig.sim.platform();
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    expected.insert(said.event_id.clone(), "replied");
    for event in platform.react(&rig.guest, &said.message_id, "OK").unwrap() {
        expected.insert(event, "filtered/unsupported_type");
    }
    let chat = platform.p2p(&rig.guest).unwrap();
    expected.insert(rig.forge(&rig.guest, "app", &chat, Duration::ZERO), "filtered/from_bot");
    for (words, ends) in [("one", "replied"), ("please fail", "failed/exit"), ("two", "replied")] {
        expected.insert(rig.say(&rig.guest, words).event_id, ends);
    }
    let aside = rig.say_in_group(&rig.owner, "to nobody", false).event_id;
    expected.insert(aside, "filtered/not_mentioned");
    rig.fault(Fault::Duplicate { event_id: said.event_id, new_event_id: true });
}

/// Waits until so many wait, then returns the counts of all others, on which status, metrics
/// and store agree.
async fn agreed(rig: &Rig, waiting: u64) -> BTreeMap<String, u64> {
    let tally = async || -> BTreeMap<String, u64> {
        let status = rig.status().await.unwrap_or_default();
        let rows = status["tally"].as_array().cloned().unwrap_or_default();
        let of = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        let name = |row: &Value| named_verdict(&of(row, "verdict"), &of(row, "why"));
        rows.iter().map(|r| (name(r), r["count"].as_u64().unwrap())).filter(|r| r.1 > 0).collect()
    };
    let quiet = |counts: &BTreeMap<String, u64>| {
        !counts.is_empty() && counts.get("waiting").copied().unwrap_or(0) == waiting
    };
    rig.until("a quiet moment", async || quiet(&tally().await)).await;
    let counts = tally().await;
    let page = rig.metrics().await;
    let scraped: BTreeMap<_, _> = page.lines().filter_map(metric).filter(|(_, n)| *n > 0).collect();
    assert_eq!(scraped, counts, "metrics and status differ");
    let shown = text(&rig.cli(&["status"]).await.stdout);
    let total: u64 = counts.values().sum();
    let equation = format!("received  {total} = {} replied + ", counts["replied"]);
    assert!(
        shown.contains(&equation) && shown.contains(&format!(" + {waiting} waiting")),
        "{shown}"
    );
    let mut kept = BTreeMap::new();
    for record in rig.json(&["messages", "--limit", "1000"]).await.as_array().unwrap() {
        if record["direction"] == "in" {
            let of = |key: &str| record[key].as_str().unwrap();
            *kept.entry(named_verdict(of("outcome"), of("why"))).or_insert(0) += 1;
        }
    }
    let mut events = counts.clone();
    events.remove("filtered/duplicate");
    assert_eq!(kept, events, "the store's rows and its counts differ");
    counts
}

#[tokio::test]
async fn after_a_busy_day_with_a_kill_every_event_has_one_verdict_and_all_counts_agree() {
    let mut rig = Rig::new(BUSY).await;
    rig.script("work", WORK);
    rig.run(&[]).await;
    rig.ready().await;
    let platform = rig.sim.platform().clone();
    let mut expected = Expected::new();
    wave(&rig, &mut expected).await;
    let chat = platform.p2p(&rig.guest).unwrap();
    let press = Press { user: rig.guest.clone(), chat, ..Press::default() };
    platform.press(press).await.unwrap();
    rig.fault(Fault::Malformed { shape: Malformed::NotJson });
    rig.until("its verdict", async || rig.log().contains("event_unreadable")).await;
    agreed(&rig, 0).await;

    // A moment is quiet, too, when something waits.
    let held = rig.say(&rig.owner, "hold");
    expected.insert(held.event_id.clone(), "replied");
    running(&rig, 1).await;
    agreed(&rig, 1).await;

    wave(&rig, &mut expected).await;
    rig.kill9().await;
    std::fs::write(rig.path("go"), "").unwrap();
    rig.run(&[]).await;
    rig.ready().await;
    rig.ledger("acks", |l| l.events.iter().all(|e| e.done)).await;
    rig.verdicts().await;
    let refused = Answer::Code {
        status: 400,
        code: 230_002,
        msg: "The bot can not be outside the group.".to_owned(),
        reset_s: None,
    };
    rig.fault(reply_fault(refused, 1));
    expected.insert(rig.say(&rig.guest, "undeliverable").event_id, "failed/230002");
    rig.until("its end", async || {
        rig.verdicts().await.get("failed/230002").is_some_and(|n| *n == 1)
    })
    .await;
    let counts = agreed(&rig, 0).await;

    // What a handler did not finish before the kill is at most once, and says so.
    let mut explained: BTreeMap<String, u64> = BTreeMap::new();
    let mut again = 0;
    for event in platform.ledger().events.iter() {
        let story = crate::story::story(&rig, event.event_id.as_str()).await;
        let of = |key: &str| story[key].as_str().unwrap();
        if of("event_id") != event.event_id.as_str() {
            assert!(crate::story::steps(&story).contains(&"redelivered"), "{story}");
            again += 1;
            continue;
        }
        let verdict = named_verdict(of("verdict"), of("why"));
        let cut_off = verdict == "failed/interrupted";
        if let Some(wanted) = expected.get(&event.event_id).filter(|_| !cut_off) {
            assert_eq!(verdict, *wanted, "{story}");
        }
        let said: Vec<_> =
            story["steps"].as_array().unwrap().iter().filter(|s| s["step"] == "verdict").collect();
        assert_eq!(said.len(), 1, "{story}");
        assert!(said[0]["text"].as_str().unwrap().starts_with(of("verdict")), "{story}");
        *explained.entry(verdict).or_insert(0) += 1;
    }
    // The unreadable payload is no event of the platform's, redeliveries are none of their own.
    *explained.entry("failed/decode".to_owned()).or_insert(0) += 1;
    assert_eq!(again, 2, "messages that came again under new event ids");
    let mut events = counts;
    assert!(events.remove("filtered/duplicate").is_some_and(|n| n >= 2));
    assert_eq!(explained, events);
}
