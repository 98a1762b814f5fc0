//! What still fires is told again after a while, and what became worse is told sooner.

use std::time::Duration;

use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, cut, hook, jump, told, with_clock};
use crate::rig::{ECHO, Rig, WORK};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// Work that is given up at its first failure.
async fn failing(service: &Receiver) -> Rig {
    // As much as the dead letters, so that what was due before it is told before it.
    let rule = "rule.link_down = { severity = \"warning\" }\n";
    let work = format!("{WORK}retry = {{ attempts = 1 }}\n");
    let config = format!("{work}{QUICK}{rule}{}", hook("service", service));
    let mut rig = with_clock(&config).await;
    rig.script("work", "exit 3");
    rig.run(&[]).await;
    rig.ready().await;
    rig
}

async fn fails(rig: &Rig, words: &str) {
    rig.answered(&rig.say(&rig.guest, words)).await;
}

#[tokio::test]
async fn what_still_fires_is_told_again_after_its_time_and_not_before() {
    let service = Receiver::start().await;
    let rig = failing(&service).await;
    fails(&rig, "one").await;
    let raised = told(&rig, &service, "alert.raised", "dead_letters").await;
    jump(&rig, 11 * HOUR);
    cut(&rig);
    // What was due before this is told before this.
    told(&rig, &service, "alert.raised", "link_down").await;
    assert_eq!(service.count("alert.reminder", "dead_letters"), 0);
    jump(&rig, 13 * HOUR);
    let reminder = told(&rig, &service, "alert.reminder", "dead_letters").await;
    assert_eq!(reminder["data"]["since_ms"], raised["data"]["since_ms"]);
    let words = reminder["data"]["text"].as_str().unwrap();
    assert!(words.contains("still an alert (warning) dead_letters"), "{words}");
    assert!(words.contains("\nsince ") && words.contains("next: larkline dead"), "{words}");
    for letter in rig.json(&["dead"]).await.as_array().unwrap() {
        let id = format!("t{}", letter["item"]["task"]);
        assert!(rig.cli(&["dead", "drop", &id]).await.status.success(), "{letter}");
    }
    told(&rig, &service, "alert.cleared", "dead_letters").await;
    assert_eq!(service.count("alert.reminder", "dead_letters"), 1, "one time");
}

#[tokio::test]
async fn what_became_worse_is_told_again_within_minutes_and_not_at_once() {
    let service = Receiver::start().await;
    let rig = failing(&service).await;
    fails(&rig, "one").await;
    told(&rig, &service, "alert.raised", "dead_letters").await;
    fails(&rig, "two").await;
    rig.until("two of them", async || {
        rig.json(&["alerts"]).await["firing"].to_string().contains("2 dead letters")
    })
    .await;
    cut(&rig);
    told(&rig, &service, "alert.raised", "link_down").await;
    assert_eq!(service.count("alert.reminder", "dead_letters"), 0);
    jump(&rig, 11 * MINUTE);
    let worse = told(&rig, &service, "alert.reminder", "dead_letters").await;
    assert!(worse["data"]["title"].as_str().unwrap().contains("2 dead letters"), "{worse}");
}

/// How far ahead a clock has to be so that an hour from now is the same month: a month is the quota's.
fn within_a_month() -> Duration {
    let day = |ahead_s: i64| {
        let moment = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(ahead_s);
        moment.to_zoned(jiff::tz::TimeZone::UTC).day()
    };
    // Whatever the zone is, it is not the first of a month two days after the last day of one.
    if day(2 * 24 * 3600) < day(-24 * 3600) { 72 * HOUR } else { Duration::ZERO }
}

#[tokio::test]
async fn a_quota_that_runs_out_is_told_again_at_its_next_step() {
    let (service, start) = (Receiver::start().await, within_a_month());
    let config = format!("{ECHO}{QUICK}{}", hook("service", &service));
    let mut rig = with_clock(&config).await;
    rig.env.insert("LARKLINE__APP__MAIN__QUOTA", "60".to_owned());
    jump(&rig, start);
    rig.run(&[]).await;
    rig.ready().await;
    use_up(&rig, 30).await;
    let first = told(&rig, &service, "alert.raised", "quota_running_out").await;
    assert!(first["data"]["text"].as_str().unwrap().contains("50 % of 60"), "{first}");
    jump(&rig, start + 11 * MINUTE);
    use_up(&rig, 48).await;
    let worse = told(&rig, &service, "alert.reminder", "quota_running_out").await;
    assert!(worse["data"]["text"].as_str().unwrap().contains("80 % of 60"), "{worse}");
}

/// Talks until the month has so many calls, and hardly more: whoever talks on would pass the next step
/// before this one is told.
async fn use_up(rig: &Rig, calls: u64) {
    rig.until("so many calls", async || {
        rig.answered(&rig.say(&rig.owner, "hello")).await;
        let status = rig.status().await.unwrap();
        status["apps"][0]["month"]["used"].as_u64().unwrap() >= calls
    })
    .await;
}
