//! Alerts from outside: what is wrong reaches those who are to know, by ways that do not need what
//! broke, one time, and so does its end.

mod answers;
mod handlers;
mod hang;
mod later;
mod links;
mod mail;
mod mail_server;
pub(crate) mod receivers;
mod rules;
mod start;

use std::time::Duration;

use larkline_gateway::handler::http::signature::{self, SigningKey};
use larkline_sim::{Answer, Fault};
use serde_json::Value;

use crate::alerting::receivers::Receiver;
use crate::rig::{ECHO, Rig, WORK, read, text};

/// Links that are redialled at once, and alerts that come and go within seconds.
const QUICK: &str = r#"
[link]
recovery_target = "1s"
backoff_quick = "100ms"
backoff_first = "100ms"
backoff_max = "200ms"

[alerts]
clear_after = "1s"
rule.disk_low = { enabled = false }
"#;

const SIGNING: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

/// A destination of this name that posts to a receiver.
fn hook(name: &str, to: &Receiver) -> String {
    format!("\n[destination.{name}]\nkind = \"http\"\nurl = \"{}\"\n", to.url())
}

/// A gateway with this configuration beside [`ECHO`] and [`QUICK`], its link verified.
async fn started(rest: &str) -> Rig {
    Rig::start(&format!("{ECHO}{QUICK}{rest}")).await
}

/// Quiet hours in UTC: three around now, whatever the hour is.
fn quiet_now() -> String {
    let hour = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    format!("quiet = \"{:02}:00-{:02}:00\"\n", (hour + 23) % 24, (hour + 2) % 24)
}

/// The platform cannot be reached, nor does the open link live.
fn cut(rig: &Rig) {
    rig.fault(Fault::Offline);
    rig.fault(Fault::Rst);
}

/// A gateway that is not started yet, whose wall clock the test sets by [`jump`].
async fn with_clock(rest: &str) -> Rig {
    let mut rig = Rig::new(rest).await;
    rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
    rig
}

/// The gateway's wall clock is so much ahead from here on.
fn jump(rig: &Rig, ahead: Duration) {
    // Renamed into its place: half of a number would be another moment.
    let (new, clock) = (rig.path("clock.new"), rig.path("clock"));
    std::fs::write(&new, ahead.as_millis().to_string()).unwrap();
    std::fs::rename(new, clock).unwrap();
}

/// Waits until three heartbeats, one a second, should have come and have not, by the gateway's own
/// clock.
async fn silent(rig: &Rig) {
    rig.until("silence", async || {
        let last = rig.json(&["alerts"]).await["heartbeat"]["last_success_ms"].as_i64().unwrap();
        rig.status().await.unwrap()["at_ms"].as_i64().unwrap() - last > 3_500
    })
    .await;
}

async fn told(rig: &Rig, to: &Receiver, kind: &str, rule: &str) -> Value {
    rig.until(&format!("{kind} {rule}"), async || to.count(kind, rule) > 0).await;
    to.first(kind, rule)
}

#[tokio::test]
async fn a_cut_link_is_told_by_service_and_program_and_so_is_its_return() {
    let service = Receiver::start().await;
    let way = format!(
        "{}secret = {{ env = \"HOOK_SECRET\" }}\n\n[destination.script]\nkind = \"command\"\nargv = [\"{{dir}}/tell\"]\n",
        hook("service", &service)
    );
    let mut rig = Rig::new(&format!("{ECHO}{QUICK}{way}")).await;
    rig.env.insert("HOOK_SECRET", SIGNING.to_owned());
    // It runs although nothing was written beside it: the disk may be what it is told about.
    let records = rig.path("state/children").display().to_string();
    let tell = "cat >>\"$HOME/told\"; env >>\"$HOME/environment\"; echo $(ls {records} | wc -l) >>\"$HOME/records\"";
    rig.script("tell", &tell.replace("{records}", &records));
    rig.run(&[]).await;
    rig.ready().await;
    cut(&rig);
    let raised = told(&rig, &service, "alert.raised", "link_down").await;
    assert_eq!(raised["data"]["subject"], "main");
    assert_eq!(raised["data"]["severity"], "critical");
    for part in [
        "what it means:",
        "next: larkline doctor",
        "docs/errors/alerts.md#link_down",
        "not verified",
    ] {
        assert!(raised["data"]["text"].as_str().unwrap().contains(part), "{raised}");
    }
    let got = service.got()[0].clone();
    let keys = [SigningKey::parse(&SIGNING.into()).unwrap()];
    let stamp = got.headers[signature::TIMESTAMP].to_str().unwrap().parse().unwrap();
    signature::verify(&got.headers, got.body.as_bytes(), &keys, stamp).unwrap();

    let status = rig.status().await.unwrap();
    let firing = status["alerts"].as_array().unwrap();
    assert!(firing.iter().any(|alert| alert["rule"] == "link_down"), "{status}");
    let page = rig.metrics().await;
    assert!(page.contains("larkline_alerts_firing{rule=\"link_down\"} 1"), "{page}");
    assert!(page.contains("larkline_link_heartbeat_timeouts{app=\"main\"} "), "{page}");
    assert!(page.contains("larkline_link_closes{app=\"main\"} "), "{page}");
    let shown = text(&rig.cli(&["alerts"]).await.stdout);
    assert!(shown.contains("[critical] link_down") && shown.contains("told: "), "{shown}");

    rig.until("the program", async || read(&rig.path("told")).contains("alert.raised")).await;
    rig.fault(Fault::Clear);
    let cleared = told(&rig, &service, "alert.cleared", "link_down").await;
    assert_eq!(cleared["data"]["since_ms"], raised["data"]["since_ms"]);
    rig.until("the program", async || read(&rig.path("told")).contains("alert.cleared")).await;
    assert_eq!(read(&rig.path("records")).lines().next(), Some("0"));
    assert_eq!(service.count("alert.raised", "link_down"), 1, "one time");
    let environment = read(&rig.path("environment"));
    assert!(environment.contains("PATH=") && !environment.contains("SECRET"), "{environment}");
    rig.until("no alert", async || rig.status().await.unwrap()["alerts"] == Value::Array(vec![]))
        .await;
    let shown = text(&rig.cli(&["alerts"]).await.stdout);
    assert!(shown.contains("no alert fires") && shown.contains("over lately"), "{shown}");
}

#[tokio::test]
async fn a_chat_hears_by_the_api_while_the_link_is_down() {
    let way = "\n[destination.chat]\nkind = \"app\"\napp = \"main\"\nchat = \"{group}\"\n";
    let mut rig = Rig::new(&format!("{ECHO}{QUICK}{way}")).await;
    rig.env.insert("LARKLINE__LANGUAGE", "zh".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    rig.fault(Fault::Endpoint { answer: Answer::Html { status: 502 }, times: 10_000 });
    rig.fault(Fault::Rst);
    let group = rig.group.clone();
    rig.until("the alert", async || {
        rig.said_in(&group).iter().any(|words| words.contains("告警（严重）link_down"))
    })
    .await;
    assert_eq!(rig.status().await.unwrap()["ready"], false, "the link is still down");
}

#[tokio::test]
async fn a_destination_that_fails_holds_up_no_other_is_told_to_it_and_is_told_later() {
    let good = Receiver::start().await;
    let gone = Receiver::start().await;
    let (address, dead) = (gone.address, hook("dead", &gone));
    drop(gone);
    let rig = started(&format!(
        "rule.destination_failed = {{ threshold = 1 }}\n{}{dead}",
        hook("good", &good)
    ))
    .await;
    cut(&rig);
    told(&rig, &good, "alert.raised", "link_down").await;
    let failed = told(&rig, &good, "alert.raised", "destination_failed").await;
    assert_eq!(failed["data"]["subject"], "dead");
    let shown = text(&rig.cli(&["alerts"]).await.stdout);
    let line = shown.lines().find(|l| l.starts_with("destination dead")).unwrap();
    assert!(line.contains("FAILED") && line.contains("waits"), "{shown}");
    let test = rig.cli(&["alerts", "test"]).await;
    let words = text(&test.stdout);
    assert_eq!(test.status.code(), Some(1), "{words}");
    assert!(words.contains("ok    good") && words.contains("FAIL  dead"), "{words}");
    assert!(rig.cli(&["alerts", "test", "good"]).await.status.success());
    let unknown = rig.cli(&["alerts", "test", "nobody"]).await;
    assert!(text(&unknown.stderr).contains("there is no destination `nobody`"), "{unknown:?}");

    let back = Receiver::at(address).await;
    told(&rig, &back, "alert.raised", "link_down").await;
    told(&rig, &good, "alert.cleared", "destination_failed").await;
    assert_eq!(back.count("alert.raised", "destination_failed"), 0, "nobody hears of himself");
}

#[tokio::test]
async fn an_outage_that_ends_before_it_could_be_told_is_told_when_it_can_be() {
    let service = Receiver::start().await;
    service.answers(503, "not now");
    let rig = started(&hook("service", &service)).await;
    cut(&rig);
    rig.logged("could not be told: the service answered 503").await;
    rig.logged("alert raised: app main: the link is not verified").await;
    rig.fault(Fault::Clear);
    rig.logged("alert over: app main: the link is not verified").await;
    service.answers(200, "");
    let over = told(&rig, &service, "alert.cleared", "link_down").await;
    assert!(over["data"]["ended_ms"].is_i64(), "{over}");
}

#[tokio::test]
async fn a_kill_between_raising_and_clearing_says_nothing_twice_and_clears_one_time() {
    let service = Receiver::start().await;
    let mut rig = started(&hook("service", &service)).await;
    cut(&rig);
    told(&rig, &service, "alert.raised", "link_down").await;
    rig.until("it is written down", async || {
        rig.json(&["alerts"]).await["firing"].as_array().is_some_and(|all| {
            all.iter().any(|alert| alert["rule"] == "link_down" && alert["told"][0] == "service")
        })
    })
    .await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.until("the alert", async || {
        rig.status().await.is_some_and(|s| s["alerts"].as_array().is_some_and(|a| !a.is_empty()))
    })
    .await;
    rig.fault(Fault::Clear);
    rig.ready().await;
    told(&rig, &service, "alert.cleared", "link_down").await;
    let nothing_is_left = async |rig: &Rig| {
        let view = rig.json(&["alerts"]).await;
        view["firing"] == Value::Array(vec![]) && view["destinations"][0]["waits"] == false
    };
    rig.until("its end is noted", async || nothing_is_left(&rig).await).await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.until("nothing is left to tell", async || nothing_is_left(&rig).await).await;
    assert_eq!(service.count("alert.raised", "link_down"), 1);
    assert_eq!(service.count("alert.cleared", "link_down"), 1);
}

#[tokio::test]
async fn a_stop_on_purpose_is_no_alert() {
    let service = Receiver::start().await;
    let config = format!("{WORK}{QUICK}{}", hook("service", &service));
    let mut rig = Rig::new(&config).await;
    rig.script("work", "touch began; until [ -e go ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.owner, "work");
    rig.until("the work", async || rig.path("began").exists()).await;
    rig.signal(rustix::process::Signal::TERM);
    rig.logged("waiting for running tasks").await;
    // Longer than `link_down` needs, by the gateway's own clock, with the link closed by us.
    rig.until("a link that is closed for long", async || {
        let status = rig.status().await.unwrap();
        let link = &status["apps"][0]["link"];
        let ago = status["at_ms"].as_i64().unwrap() - link["since_ms"].as_i64().unwrap();
        link["verified"] == false && ago > 3_000
    })
    .await;
    std::fs::write(rig.path("go"), "").unwrap();
    assert!(rig.exit().await.success());
    assert_eq!(rig.answers(&said.message_id), ["done"]);
    assert!(!rig.log().contains("alert raised"), "{}", rig.log());
}

#[tokio::test]
async fn quiet_hours_let_critical_alerts_through_and_hold_the_rest_until_they_end() {
    let service = Receiver::start().await;
    let quiet = quiet_now();
    let rules = "rule.reconnects_failing = { severity = \"warning\" }\n";
    let with = |quiet: &str| format!("{ECHO}{QUICK}{quiet}{rules}{}", hook("service", &service));
    let mut rig = Rig::new(&with(&quiet)).await;
    rig.env.insert("TZ", "UTC".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    rig.fault(Fault::Endpoint { answer: Answer::Html { status: 502 }, times: 100_000 });
    rig.fault(Fault::Rst);
    told(&rig, &service, "alert.raised", "link_down").await;
    rig.until("both fire", async || {
        rig.json(&["alerts"]).await["firing"].as_array().unwrap().len() == 2
    })
    .await;
    let shown = text(&rig.cli(&["alerts"]).await.stdout);
    assert!(shown.contains("waits for the end of quiet hours"), "{shown}");
    assert_eq!(service.count("alert.raised", "reconnects_failing"), 0);
    rig.configure(&with(""));
    assert!(rig.cli(&["reload"]).await.status.success());
    told(&rig, &service, "alert.raised", "reconnects_failing").await;
}

#[tokio::test]
async fn a_custom_bot_gets_a_signed_message_and_its_refusal_with_status_200_is_a_failure() {
    let bot = Receiver::start().await;
    bot.answers(200, r#"{"code":19024,"msg":"Key Words Not Found"}"#);
    let way = format!(
        "{}format = \"feishu-bot\"\nsecret = {{ env = \"BOT_SECRET\" }}\n",
        hook("bot", &bot)
    );
    let mut rig = Rig::new(&format!("{ECHO}{QUICK}{way}")).await;
    rig.env.insert("BOT_SECRET", "demo".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    let refused = rig.cli(&["alerts", "test"]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("the bot wants a keyword"), "{refused:?}");
    bot.answers(200, r#"{"code":0,"msg":"success","data":{}}"#);
    assert!(rig.cli(&["alerts", "test"]).await.status.success());
    let message = bot.got()[1].json();
    assert_eq!(message["msg_type"], "text");
    assert!(message["content"]["text"].as_str().unwrap().contains("larkline"), "{message}");
    assert!(message["sign"].is_string() && message["timestamp"].is_string(), "{message}");
    let shown = text(&rig.cli(&["config", "show"]).await.stdout);
    assert!(!shown.contains(&bot.address.to_string()), "the address is a secret: {shown}");
}

#[tokio::test]
async fn the_heartbeat_beats_while_all_is_well_and_its_failure_is_an_alert() {
    let (outside, service) = (Receiver::start().await, Receiver::start().await);
    let heart = format!(
        "rule.heartbeat_failed = {{ threshold = 1 }}\nheartbeat = {{ url = \"{}\", every = \"1s\" }}\n",
        outside.url()
    );
    let rig = started(&format!("{heart}{}", hook("service", &service))).await;
    rig.until("a heartbeat", async || outside.got().len() > 1).await;
    outside.answers(500, "");
    told(&rig, &service, "alert.raised", "heartbeat_failed").await;
    outside.answers(200, "");
    told(&rig, &service, "alert.cleared", "heartbeat_failed").await;
    cut(&rig);
    // A gateway that is not well is silent.
    silent(&rig).await;
    assert_eq!(rig.status().await.unwrap()["ready"], false);
    let beats = outside.got().len();
    rig.fault(Fault::Clear);
    rig.until("a heartbeat", async || outside.got().len() > beats).await;
}
