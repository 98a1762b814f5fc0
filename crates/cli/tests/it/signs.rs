//! Signs of life: a process that runs and hears nothing says so wherever it is asked.

use larkline_sim::{Answer, Fault};

use crate::rig::{ECHO, LARKLINE, PATIENCE, Rig, figure, read, text};

const BUSY: &str = "[link]\nprobe_interval = \"7s\"\npong_timeout = \"9s\"\n";

#[tokio::test]
async fn a_gateway_without_a_link_lives_is_not_ready_and_tells_why_until_it_has_one() {
    let mut rig = Rig::new(&format!("{ECHO}{BUSY}")).await;
    let busy = Answer::Code { status: 200, code: 1, msg: "busy".to_owned(), reset_s: None };
    rig.fault(Fault::Endpoint { answer: busy, times: 1000 });
    rig.run(&[]).await;
    rig.logged("event=\"reconnecting\"").await;

    for path in ["/live", "/healthz"] {
        assert!(rig.get(path).await.starts_with("HTTP/1.1 200"), "{path}");
    }
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
    assert_eq!(figure(&rig.metrics().await, "larkline_link_verified"), Some(0.0));

    rig.fault(Fault::Clear);
    rig.ready().await;
    assert!(rig.get("/readyz").await.starts_with("HTTP/1.1 200"));
    assert_eq!(rig.cli(&["status", "--check"]).await.status.code(), Some(0));
}

#[tokio::test]
async fn watch_draws_again_over_a_restart_in_place_on_a_terminal_and_line_by_line_elsewhere() {
    let mut rig = Rig::start(ECHO).await;
    let mut plain = rig.command();
    let seen = rig.path("seen");
    plain.args(["status", "--watch", "--every", "100ms"]).kill_on_drop(true);
    let mut plain = plain.stdout(std::fs::File::create(&seen).unwrap()).spawn().unwrap();
    let reports = || read(&seen).split("\n---\n").filter(|r| r.starts_with("ready\n")).count();
    rig.until("reports", async || reports() > 2).await;
    rig.stop().await;
    rig.until("its absence", async || read(&seen).contains("no gateway listens on")).await;
    rig.run(&[]).await;
    let before = reports();
    rig.until("more reports", async || reports() > before).await;
    assert!(!read(&seen).contains('\x1b'));
    let pid = rustix::process::Pid::from_raw(plain.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let end = tokio::time::timeout(PATIENCE, plain.wait()).await.unwrap().unwrap();
    assert_eq!(end.code(), Some(0), "Ctrl-C is its end");

    // A terminal, by util-linux.
    let binary = LARKLINE;
    let on_terminal = format!("timeout -s INT 3 {binary} status --watch --every 100ms");
    let mut script = tokio::process::Command::new("script");
    script.args(["-qec", &on_terminal, "/dev/null"]).stdin(std::process::Stdio::null());
    script.envs(rig.command().as_std().get_envs().filter_map(|(k, v)| Some((k, v?))));
    let drawn = text(&script.output().await.unwrap().stdout);
    let places = drawn.matches("\x1b[H").count();
    assert!(places > 2 && drawn.matches("\x1b[J").count() == places, "{drawn:?}");
    assert!(drawn.contains("\x1b[Hready\x1b[K\r\n"), "{drawn:?}");
}

#[tokio::test]
async fn ctrl_c_ends_the_watch_while_the_gateway_hangs() {
    let rig = Rig::start(ECHO).await;
    let seen = rig.path("seen");
    let mut watch = rig.command();
    watch.args(["status", "--watch", "--every", "100ms"]).kill_on_drop(true);
    let mut watch = watch.stdout(std::fs::File::create(&seen).unwrap()).spawn().unwrap();
    rig.until("a report", async || read(&seen).contains("ready\n")).await;
    rig.signal(rustix::process::Signal::STOP);
    // A call that was answered before is shown, and the next one hangs.
    let (mut shown, mut quiet_looks) = (0, 0);
    rig.until("silence", async || {
        let before = std::mem::replace(&mut shown, read(&seen).len());
        quiet_looks = if before == shown { quiet_looks + 1 } else { 0 };
        quiet_looks > 20
    })
    .await;
    let pid = rustix::process::Pid::from_raw(watch.id().unwrap().cast_signed()).unwrap();
    let pressed = tokio::time::Instant::now();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let end = tokio::time::timeout(PATIENCE, watch.wait()).await.unwrap().unwrap();
    let took = pressed.elapsed();
    rig.signal(rustix::process::Signal::CONT);
    assert_eq!(end.code(), Some(0));
    // A call that is given up takes 15 s.
    assert!(took < std::time::Duration::from_secs(8), "{took:?}");
}

#[tokio::test]
async fn own_use_and_the_machine_are_in_status_and_metrics() {
    let rig = Rig::start(ECHO).await;
    let report = rig.status().await.unwrap();
    let rss = report["own"]["rss_bytes"].as_u64().unwrap();
    assert!((1 << 20..1 << 30).contains(&rss), "{rss}");
    assert!(report["host"]["memory_bytes"].as_u64().unwrap() > rss);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    assert!(load.starts_with(|c: char| c.is_ascii_digit()) && report["host"]["load"].is_array());
    let said = text(&rig.cli(&["status"]).await.stdout);
    for part in [
        "\nuses      ",
        " MiB resident, ",
        " s of processor time, ",
        "\nhost      load ",
        " processors, ",
        " MiB of memory available",
    ] {
        assert!(said.contains(part), "{part:?} is missing in\n{said}");
    }
    let open = said.lines().find_map(|line| line.strip_prefix("open      ")).unwrap();
    assert!(open.starts_with(|c: char| c.is_ascii_digit()), "{open}");
    let page = rig.metrics().await;
    let value = |name: &str| figure(&page, name).unwrap();
    assert!(value("larkline_resident_bytes") > f64::from(1 << 20));
    assert!(value("larkline_cpu_seconds") > 0.0);
    assert!(value("larkline_host_load") >= 0.0);
    assert!(value("larkline_host_memory_available_bytes") > 0.0);
    assert!(value("larkline_open_descriptors") > 0.0);
}

#[tokio::test]
async fn a_link_shows_its_ends_its_heartbeat_and_the_ages_of_frame_pong_and_event() {
    let rig = Rig::start(&format!("{ECHO}{BUSY}")).await;
    let page = rig.metrics().await;
    assert_eq!(figure(&page, "larkline_link_last_event_age_seconds"), Some(-1.0));
    rig.answered(&rig.say(&rig.guest, "hello")).await;
    let page = rig.metrics().await;
    for kind in ["frame", "pong", "event"] {
        let age = figure(&page, &format!("larkline_link_last_{kind}_age_seconds")).unwrap();
        assert!((0.0..60.0).contains(&age), "{kind} {age}");
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
