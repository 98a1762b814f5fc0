//! Every event has its line before any filter and its verdict after, and all counts agree.

use std::collections::BTreeMap;
use std::time::Duration;

use larkline_proto::id::EventId;
use larkline_sim::{Fault, Malformed};
use serde_json::Value;

use crate::rig::{Rig, text};

/// One route that is left by every reason there is.
const STRICT: &str = r#"
[[route]]
name = "strict"
chats = ["{group}", "{denied}", "{owner_chat}", "{guest_chat}"]
deny_chats = ["{denied}"]
senders = ["{owner}"]
stale_after = "1h"
stale = "skip"
handler = "echo"

[governor]
user_per_minute = 2

[log]
format = "json"
"#;

const OLD: Duration = Duration::from_secs(2 * 3600);

/// Reason by reason a conversation that has it; returns what has to be counted.
async fn converse(rig: &Rig) -> BTreeMap<String, u64> {
    let platform = rig.sim.platform();
    let everyone = [rig.owner.clone(), rig.guest.clone()];
    let owner_chat = platform.p2p(&rig.owner).unwrap();
    let elsewhere = platform.add_group("elsewhere", &everyone);

    let said = rig.say(&rig.owner, "one");
    rig.answered(&said).await;
    rig.answered(&rig.say(&rig.owner, "two")).await;
    rig.say(&rig.owner, "three");
    rig.say_in_group(&rig.owner, "to nobody", false);
    rig.say(&rig.guest, "stranger");
    let mut denied = larkline_sim::Say { user: rig.owner.clone(), ..Default::default() };
    denied.mention_bot = true;
    for (chat, words) in [(named(rig, "denied"), "denied"), (elsewhere, "elsewhere")] {
        rig.write(larkline_sim::Say { chat, text: words.to_owned(), ..denied.clone() });
    }
    platform.react(&rig.owner, &said.message_id, "OK").unwrap();
    rig.forge(&platform.bot_open_id(), "app", &owner_chat, Duration::ZERO);
    rig.forge(&rig.owner, "user", &owner_chat, OLD);
    rig.fault(Fault::Duplicate { event_id: said.event_id, new_event_id: false });
    rig.fault(Fault::Malformed { shape: Malformed::NotJson });

    let once = [
        "filtered/chat_not_allowed",
        "filtered/duplicate",
        "filtered/no_route",
        "filtered/not_mentioned",
        "filtered/rate_limited",
        "filtered/self",
        "filtered/sender_not_allowed",
        "filtered/stale",
        "filtered/unsupported_type",
        "failed/decode",
    ];
    let counts = once.iter().map(|reason| ((*reason).to_owned(), 1));
    counts.chain([("replied".to_owned(), 2)]).collect()
}

/// A group of this name, made at the start of [`strict`].
fn named(rig: &Rig, name: &str) -> larkline_proto::id::ChatId {
    let world = rig.sim.platform().describe();
    let chats = world["chats"].as_array().unwrap();
    let chat = chats.iter().find(|c| c["name"] == name).unwrap();
    chat["chat_id"].as_str().unwrap().into()
}

async fn strict() -> Rig {
    let mut rig = Rig::new("").await;
    let platform = rig.sim.platform();
    let denied = platform.add_group("denied", &[rig.owner.clone(), rig.guest.clone()]);
    let owner_chat = platform.p2p(&rig.owner).unwrap();
    let guest_chat = platform.p2p(&rig.guest).unwrap();
    let config = STRICT
        .replace("{denied}", denied.as_str())
        .replace("{owner_chat}", owner_chat.as_str())
        .replace("{guest_chat}", guest_chat.as_str());
    rig.configure(&config);
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

/// `verdict` or `verdict/why` of a metric line with its count.
pub(crate) fn metric(line: &str) -> Option<(String, u64)> {
    let (labels, count) = line.strip_prefix("larkline_events{")?.split_once("} ")?;
    let label = |name: &str| {
        let (_, rest) = labels.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    };
    Some((named_verdict(&label("verdict")?, &label("why")?), count.parse().ok()?))
}

pub(crate) fn named_verdict(verdict: &str, why: &str) -> String {
    if why.is_empty() { verdict.to_owned() } else { format!("{verdict}/{why}") }
}

#[tokio::test]
async fn each_reason_is_a_verdict_and_status_metrics_and_store_count_alike() {
    let mut rig = strict().await;
    let mut expected = converse(&rig).await;
    let total: u64 = expected.values().sum();
    rig.until("every verdict", async || rig.verdicts().await.values().sum::<u64>() == total).await;
    assert_eq!(rig.verdicts().await, expected, "{}", rig.log());

    let page = rig.metrics().await;
    let counted: BTreeMap<_, _> = page.lines().filter_map(metric).filter(|(_, n)| *n > 0).collect();
    assert_eq!(counted, expected, "{page}");

    let status = text(&rig.cli(&["status"]).await.stdout);
    let equation = format!("received  {total} = 2 replied + 9 filtered (");
    assert!(status.contains(&equation), "{status}");
    assert!(status.contains(") + 1 failed (decode 1) + 0 waiting"), "{status}");

    assert!(rig.stop().await.success());
    let mut kept = BTreeMap::new();
    for record in rig.json(&["messages", "--limit", "100"]).await.as_array().unwrap() {
        if record["direction"] == "in" {
            let of = |key: &str| record[key].as_str().unwrap();
            *kept.entry(named_verdict(of("outcome"), of("why"))).or_insert(0) += 1;
        }
    }
    // A second delivery is counted, and is no event of its own.
    expected.remove("filtered/duplicate");
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn each_event_has_one_line_before_any_filter_and_one_with_its_verdict_after() {
    let rig = strict().await;
    let total: u64 = converse(&rig).await.values().sum();
    rig.until("every verdict", async || rig.verdicts().await.values().sum::<u64>() == total).await;
    // The log is written beside the work, a moment later.
    let verdicts = |log: &str| log.matches(r#""message":"verdict""#).count() as u64;
    rig.until("every verdict's line", async || verdicts(&rig.log()) == total).await;
    let lines: Vec<Value> =
        rig.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let is = |line: &Value, message: &str| line["message"] == message;
    let received: Vec<usize> =
        (0..lines.len()).filter(|n| is(&lines[*n], "event received")).collect();
    assert_eq!(received.len() as u64, total, "one line a delivery");
    for at in received {
        let line = &lines[at];
        for field in ["event_id", "kind", "message_id", "chat_id", "bytes", "redelivery"] {
            assert!(!line[field].is_null(), "{field} is missing in {line}");
        }
        assert_eq!(line["level"], "INFO");
        let about = |l: &Value| {
            let redelivery = l["why"] == "duplicate";
            l["event_id"] == line["event_id"] && line["redelivery"] == redelivery
        };
        let ends: Vec<usize> =
            (0..lines.len()).filter(|n| is(&lines[*n], "verdict") && about(&lines[*n])).collect();
        assert_eq!(ends.len(), 1, "verdicts of {line}");
        assert!(ends[0] > at, "the verdict comes after {line}");
        assert_eq!(lines[ends[0]]["level"], "INFO");
    }
}

#[tokio::test]
async fn what_is_no_event_is_kept_acknowledged_and_failed() {
    let rig = Rig::start(crate::rig::ECHO).await;
    for (n, shape) in [Malformed::NotJson, Malformed::NotUtf8].into_iter().enumerate() {
        let acks = |l: &larkline_sim::Ledger| l.connections.iter().map(|c| c.acks).sum::<u64>();
        let before = rig.sim.platform().read(acks);
        rig.fault(Fault::Malformed { shape });
        rig.ledger("the ack", |l| acks(l) > before).await;
        let failed = u64::try_from(n).unwrap() + 1;
        rig.until("the verdict", async || {
            rig.verdicts().await.get("failed/decode") == Some(&failed)
        })
        .await;
    }
    assert_eq!(rig.json(&["messages"]).await.as_array().unwrap().len(), 2, "both are kept");
    assert!(rig.log().contains("event_unreadable"));
}

#[tokio::test]
async fn reactions_recalls_members_and_unknown_events_are_journaled_before_their_ack() {
    let mut rig = Rig::start(crate::rig::ECHO).await;
    let app = larkline_sim::AppSpec::default().app_id;
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    let platform = rig.sim.platform();
    let mut events: Vec<EventId> = platform.react(&rig.guest, &said.message_id, "OK").unwrap();
    events.extend(platform.recall(&said.message_id).unwrap());
    events.push(platform.remove_bot(&rig.group, &app).unwrap());
    events.push(platform.menu(&rig.guest, "help").unwrap());
    let novel = serde_json::json!({"shape": ["nobody", "knows"]});
    events.push(platform.send_event(&app, "moon.phase.changed_v9", &novel).unwrap());
    rig.ledger("their acks", |l| events.iter().all(|id| l.event(id).is_some_and(|e| e.done))).await;
    // What is acknowledged is on disk, whatever comes next.
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["filtered/unsupported_type"], 5, "{verdicts:?}");
    let records = rig.json(&["messages"]).await;
    for id in &events {
        let record = records.as_array().unwrap().iter().find(|r| r["event_id"] == id.as_str());
        let record = record.unwrap_or_else(|| panic!("{id} is not in the journal"));
        let row = rig.sim.platform().read(|l| l.event(id).cloned()).unwrap();
        assert_eq!(record["kind"], row.kind.as_str(), "kept verbatim");
    }
}
