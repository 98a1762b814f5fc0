//! The meter of the month: what went out is counted, kept, and said against a quota.

use larkline_sim::{Ledger, SimOptions};
use serde_json::Value;

use crate::rig::{ECHO, Rig};

const MONTH_MS: i64 = 31 * 24 * 3_600_000;

/// What the platform saw of its API, without the long connection's own requests.
fn calls(ledger: &Ledger) -> usize {
    ledger.calls.iter().filter(|call| call.path.starts_with("/open-apis/")).count()
}

async fn month(rig: &Rig) -> Value {
    rig.status().await.map(|status| status["apps"][0]["month"].clone()).unwrap_or_default()
}

/// Waits until the meter shows what the platform saw.
async fn agrees(rig: &Rig) -> u64 {
    rig.until("the meter agrees with the platform", async || {
        let seen = u64::try_from(rig.sim.platform().read(calls)).unwrap();
        month(rig).await["used"].as_u64() == Some(seen)
    })
    .await;
    month(rig).await["used"].as_u64().unwrap()
}

/// A rig whose app has a quota.
async fn rig(calls: u32) -> Rig {
    let rig = Rig::with(SimOptions::default(), ECHO).await;
    rig.amend("[app.main]\n", &format!("[app.main]\nquota = {calls}\n"));
    rig
}

#[tokio::test]
async fn every_call_the_platform_sees_is_counted_by_endpoint_and_kept_over_stops_and_kills() {
    let mut rig = rig(0).await;
    rig.run(&[]).await;
    rig.ready().await;
    for words in ["one", "two", "three"] {
        rig.answered(&rig.say(&rig.guest, words)).await;
    }
    let used = agrees(&rig).await;
    let shown = month(&rig).await;
    assert_eq!(shown["calls"]["reply"], 3, "{shown}");
    assert_eq!(shown["calls"]["token"], 1, "{shown}");
    assert!(shown["quota"].is_null(), "{shown}");
    assert!(shown["projected"].as_u64() >= Some(used), "{shown}");
    rig.stop().await;
    rig.run(&[]).await;
    rig.ready().await;
    agrees(&rig).await;
    // A kill loses what was counted in the last seconds, and nothing that was kept.
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.until("what was kept at the stop", async || {
        month(&rig).await["calls"]["reply"].as_u64() == Some(3)
    })
    .await;
    rig.answered(&rig.say(&rig.guest, "four")).await;
    rig.until("the next one", async || month(&rig).await["calls"]["reply"] == 4).await;
    let file = rig.path("state/larkline.db");
    let kept = || -> i64 {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let books = rusqlite::Connection::open_with_flags(&file, flags).unwrap();
        let query = "SELECT COUNT(*) FROM fact WHERE value LIKE '%\"reply\":4%'";
        books.query_row(query, [], |row| row.get(0)).unwrap()
    };
    rig.until("what is kept without a stop", async || kept() == 1).await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.until("what was kept before it", async || month(&rig).await["calls"]["reply"] == 4).await;
    let page = rig.metrics().await;
    assert!(page.contains("larkline_month_calls{app=\"main\",endpoint=\"reply\"} 4"), "{page}");
    assert!(page.contains("larkline_month_quota_calls{app=\"main\"} -1"), "{page}");
}

#[tokio::test]
async fn the_steps_of_the_quota_are_said_once_a_month_and_the_next_month_begins_anew() {
    let mut rig = rig(14).await;
    let clock = rig.path("clock");
    rig.env.insert("LARKLINE_CLOCK", clock.display().to_string());
    rig.run(&[]).await;
    rig.ready().await;
    let said = |log: &str, code: &str| log.lines().filter(|line| line.contains(code)).count();
    for n in 0..14 {
        rig.answered(&rig.say(&rig.guest, &format!("message {n}"))).await;
    }
    rig.logged("quota_used_up").await;
    let log = rig.log();
    let over = log.lines().find(|line| line.contains("quota_used_up")).unwrap();
    assert!(over.contains("ERROR") && over.contains("app.main.quota"), "{over}");
    let raised = async || rig.json(&["alerts"]).await.to_string().contains("quota_running_out");
    rig.until("the alert", raised).await;
    let (used_up, name) = (said(&log, "quota_used_up"), month(&rig).await["month"].clone());
    assert_eq!(used_up, 1);
    rig.stop().await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.answered(&rig.say(&rig.guest, "said already")).await;
    assert!(rig.stop().await.success());
    assert_eq!(said(&rig.log(), "quota_used_up"), 1, "once a month");
    std::fs::write(&clock, MONTH_MS.to_string()).unwrap();
    rig.run(&[]).await;
    rig.ready().await;
    let next = month(&rig).await;
    assert_ne!(next["month"], name);
    assert!(next["used"].as_u64() < Some(14) && next["calls"]["reply"].is_null(), "{next}");
}
