//! Signs of life: a process that runs and hears nothing says so wherever it is asked.

use larkline_sim::{Answer, Fault};

use crate::rig::{ECHO, Rig, text};

const BUSY: &str = "[link]\nprobe_interval = \"7s\"\npong_timeout = \"9s\"\n";

/// Seconds that a gauge of the one app shows.
fn gauge(page: &str, name: &str) -> i64 {
    let line = page.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_gateway_without_a_link_lives_is_not_ready_and_tells_why_until_it_has_one() {
    let mut rig = Rig::new(&format!("{ECHO}{BUSY}")).await;
    let busy = Answer::Code { status: 200, code: 1, msg: "busy".to_owned(), reset_s: None };
    rig.fault(Fault::Endpoint { answer: busy, times: 1000 });
    rig.run(&[]).await;
    rig.logged("event=\"reconnecting\"").await;

    assert!(rig.get("/live").await.starts_with("HTTP/1.1 200"));
    for path in ["/ready", "/readyz"] {
        let answer = rig.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("busy"), "{answer}");
    }
    let check = rig.cli(&["status", "--check"]).await;
    assert_eq!(check.status.code(), Some(1));
    let said = text(&check.stderr);
    assert!(said.contains("not ready") && said.contains("busy"), "{said}");
    let status = text(&rig.cli(&["status"]).await.stdout);
    for part in ["NOT READY", "none: no connection is open", "frame never, pong never, event never"]
    {
        assert!(status.contains(part), "{part:?} is missing in\n{status}");
    }
    assert_eq!(gauge(&rig.metrics().await, "larkline_link_verified"), 0);

    rig.fault(Fault::Clear);
    rig.ready().await;
    assert!(rig.get("/readyz").await.starts_with("HTTP/1.1 200"));
    assert_eq!(rig.cli(&["status", "--check"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn a_link_shows_its_ends_its_heartbeat_and_the_ages_of_frame_pong_and_event() {
    let rig = Rig::start(&format!("{ECHO}{BUSY}")).await;
    let page = rig.metrics().await;
    assert_eq!(gauge(&page, "larkline_link_last_event_age_seconds"), -1);
    rig.answered(&rig.say(&rig.guest, "hello")).await;
    let page = rig.metrics().await;
    for kind in ["frame", "pong", "event"] {
        let age = gauge(&page, &format!("larkline_link_last_{kind}_age_seconds"));
        assert!((0..60).contains(&age), "{kind} {age}");
    }
    let status = text(&rig.cli(&["status"]).await.stdout);
    let link = &rig.status().await.unwrap()["apps"][0]["link"];
    let ends = ["local_addr", "peer_addr"].map(|end| link[end].as_str().unwrap());
    let socket = format!("{} → {} ESTABLISHED", ends[0], ends[1]);
    let heartbeat = "answered within 9 s; probe after 7 s of silence";
    for part in [socket.as_str(), heartbeat] {
        assert!(status.contains(part), "{part:?} is missing in\n{status}");
    }
    assert_eq!(ends[1], rig.sim.address().to_string());
    assert!(!status.contains("never"), "{status}");
}
