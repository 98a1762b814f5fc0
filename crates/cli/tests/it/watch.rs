//! What is said about a link by whoever watches it from outside its own state machine.

use larkline_sim::{Answer, Fault};

use crate::rig::{ECHO, Rig, figure, text};

/// A link that dials again at once, and says so at the second failure.
const QUICK: &str = r#"
[link]
alarm_after = 2
backoff_quick = "100ms"
backoff_first = "100ms"
backoff_max = "200ms"
"#;

#[tokio::test]
async fn a_link_that_fails_again_and_again_is_an_error_once_and_its_return_is_said() {
    let rig = Rig::start(&format!("{ECHO}{QUICK}")).await;
    rig.fault(Fault::Endpoint { answer: Answer::Html { status: 502 }, times: 1000 });
    rig.fault(Fault::Rst);
    rig.logged("ERROR larkline_gateway::link_watch: the link fails again and again").await;
    rig.until("more attempts", async || rig.log().matches("event=\"reconnecting\"").count() > 5)
        .await;
    rig.fault(Fault::Clear);
    rig.logged("the link is back").await;
    assert_eq!(rig.log().matches("the link fails again and again").count(), 1, "said once");
    rig.ready().await;
}

#[tokio::test]
async fn the_alarm_says_whether_plain_https_works_and_what_may_be_the_cause() {
    let mut rig = Rig::start(&format!("{ECHO}{QUICK}")).await;
    let alarm = |log: &str| {
        let said = log.lines().rfind(|line| line.contains("fails again and again"));
        said.unwrap_or_default().to_owned()
    };
    rig.fault(Fault::RefuseHandshake {
        status: 400,
        handshake_status: None,
        autherrcode: None,
        msg: None,
        times: 1000,
    });
    rig.fault(Fault::Rst);
    rig.until("the alarm", async || !alarm(&rig.log()).is_empty()).await;
    let said = alarm(&rig.log());
    assert!(said.contains("plain HTTPS to 127.0.0.1 answers with status 200"), "{said}");
    assert!(said.contains("a proxy, a VPN or a firewall that lets no WebSocket through"), "{said}");
    // Nothing listens at the platform's address: HTTPS fails as well.
    rig.kill9().await;
    rig.amend(&rig.sim.url(), "http://127.0.0.1:9");
    rig.run(&[]).await;
    rig.until("the other alarm", async || alarm(&rig.log()).contains("fails: ")).await;
    let said = alarm(&rig.log());
    for cause in ["VPN", "hotspot or public network", "home router", "firewall"] {
        assert!(said.contains(cause), "{cause}: {said}");
    }
}

#[tokio::test]
async fn another_instance_of_the_app_is_noticed_by_the_platforms_count() {
    let rig = Rig::start(ECHO).await;
    rig.until("the count", async || {
        rig.sim
            .platform()
            .read(|l| l.calls.iter().any(|c| c.path.ends_with("/event/v1/connection")))
    })
    .await;
    assert!(!rig.log().contains("another instance takes part"), "there is none yet");
    let second = rig
        .command()
        .arg("run")
        .env("LARKLINE_LOCK_DIR", rig.path("elsewhere"))
        .env("LARKLINE__STORE__PATH", rig.path("other-state"))
        .stderr(std::fs::File::create(rig.path("second.log")).unwrap())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    rig.until("the warning", async || {
        text(&std::fs::read(rig.path("second.log")).unwrap())
            .contains("another instance takes part")
    })
    .await;
    drop(second);
}

#[tokio::test]
async fn the_last_line_of_every_event_is_its_verdict() {
    let rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    let verdict = format!("event_id={}", said.event_id);
    rig.until("the verdict", async || {
        rig.log().lines().any(|l| l.contains(&verdict) && l.contains("verdict=\"replied\""))
    })
    .await;
}

#[tokio::test]
async fn every_wait_before_a_reconnect_is_measured_within_its_bounds() {
    let quick =
        "[link]\nbackoff_quick = \"100ms\"\nbackoff_first = \"100ms\"\nbackoff_max = \"400ms\"\n";
    let rig = Rig::start(&format!("{ECHO}{quick}")).await;
    rig.fault(Fault::Endpoint { answer: Answer::Html { status: 502 }, times: 5 });
    rig.fault(Fault::Rst);
    rig.until("six waits", async || rig.log().matches("event=\"reconnecting\"").count() >= 6).await;
    rig.ready().await;
    let page = rig.metrics().await;
    let value = |name: &str| figure(&page, name).unwrap();
    let measured = value("larkline_link_reconnect_wait_seconds_count");
    assert!(measured >= 3.0, "{page}");
    assert_eq!(
        value("larkline_link_reconnect_wait_seconds_bucket{le=\"0.5\"}"),
        measured,
        "{page}"
    );
}
