//! A service manager hears when the gateway is up, reloads, stops, and whether it still turns. The manager
//! is a socket of the test's.

use std::os::unix::net::UnixDatagram;
use std::sync::{Arc, Mutex};

use larkline_sim::{Answer, Fault};
use rustix::process::Signal;

use crate::rig::{ECHO, Rig, WORK, text};

/// Twenty and more signs of life would come in it, if they came.
const SILENCE_MS: i64 = 2000;
/// The manager's patience: a sign of life each 50 ms.
const PATIENCE_US: &str = "200000";

/// What the manager was told, a line each.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Heard {
    fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn count(&self, start: &str) -> usize {
        self.lines().iter().filter(|line| line.starts_with(start)).count()
    }

    fn place(&self, line: &str) -> Option<usize> {
        self.lines().iter().position(|heard| heard.starts_with(line))
    }
}

/// A rig whose gateway has a manager.
async fn managed(rest: &str) -> (Rig, Heard) {
    let mut rig = Rig::new(rest).await;
    let path = rig.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    rig.env.insert("NOTIFY_SOCKET", path.display().to_string());
    rig.env.insert("WATCHDOG_USEC", PATIENCE_US.to_owned());
    let heard = Heard::default();
    let lines = heard.clone();
    // It ends with the process of the test.
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length) = socket.recv(&mut bytes) {
            let told = text(&bytes[..length]);
            lines.0.lock().unwrap().extend(told.lines().map(str::to_owned));
        }
    });
    (rig, heard)
}

#[tokio::test]
async fn a_manager_hears_of_the_start_the_links_a_reload_and_the_stop() {
    let (mut rig, heard) = managed(ECHO).await;
    rig.run(&[]).await;
    rig.until("READY", async || heard.place("READY=1").is_some()).await;
    rig.until("STATUS", async || heard.place("STATUS=link of main verified").is_some()).await;
    rig.until("signs of life", async || heard.count("WATCHDOG=1") > 3).await;

    // As the unit does it: without a look at the configuration, whose secrets it may not read.
    let socket = rig.path("state/larkline.sock").display().to_string();
    let mut reload = rig.command();
    reload.env("LARKLINE_CONFIG", "/no/such/file").args(["reload", "--socket", &socket]);
    assert!(reload.output().await.unwrap().status.success());
    rig.until("the reload's end", async || heard.count("READY=1") == 2).await;
    let lines = heard.lines();
    let reload = heard.place("RELOADING=1").unwrap();
    let usec: u64 = lines[reload + 1].strip_prefix("MONOTONIC_USEC=").unwrap().parse().unwrap();
    assert!(usec > 0);
    assert_eq!(lines[reload + 2], "READY=1");

    assert_eq!(rig.stop().await.code(), Some(0));
    rig.until("STOPPING", async || heard.place("STOPPING=1").is_some()).await;
    let stop = heard.place("STOPPING=1").unwrap();
    // 30 s of drain, 5 s of grace, and what is around them.
    assert_eq!(heard.lines()[stop + 1], "EXTEND_TIMEOUT_USEC=65000000");
    assert_eq!(heard.lines()[stop + 2], "STATUS=stopping: signal SIGTERM");
}

#[tokio::test]
async fn ready_needs_no_link_unless_it_is_waited_for() {
    let busy = || Answer::Code { status: 200, code: 1, msg: "busy".to_owned(), reset_s: None };
    for (args, early) in [(&[][..], true), (&["--wait"], false)] {
        let (mut rig, heard) = managed(ECHO).await;
        rig.fault(Fault::Endpoint { answer: busy(), times: 1000 });
        rig.run(args).await;
        rig.until("no link", async || heard.place("STATUS=link of main backoff").is_some()).await;
        assert_eq!(heard.place("READY=1").is_some(), early, "{:?}", heard.lines());
        rig.fault(Fault::Clear);
        rig.until("READY", async || heard.place("READY=1").is_some()).await;
        rig.ready().await;
    }
}

/// No sign of life after this moment, although the process is there.
async fn silent(rig: &mut Rig, heard: &Heard) {
    let before = heard.count("WATCHDOG=1");
    assert!(before > 0, "{:?}", heard.lines());
    // By the gateway's own clock, which shows that the rest of it turns.
    let now_ms = async || rig.status().await.and_then(|status| status["at_ms"].as_i64());
    let began_ms = now_ms().await.unwrap();
    rig.until("silence", async || now_ms().await.is_some_and(|at| at - began_ms > SILENCE_MS))
        .await;
    assert_eq!(heard.count("WATCHDOG=1"), before, "{}", rig.log());
    rig.kill9().await;
}

#[tokio::test]
async fn a_line_thread_that_is_stuck_gives_no_sign_of_life() {
    let (mut rig, heard) = managed(ECHO).await;
    rig.env.insert("LARKLINE_STALL", "event_taken:1".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    rig.until("signs of life", async || heard.count("WATCHDOG=1") > 3).await;
    rig.say(&rig.owner, "hello");
    rig.logged("line_stuck").await;
    // The rest turns, and says what it says.
    assert!(rig.get("/live").await.starts_with("HTTP/1.1 200"));
    silent(&mut rig, &heard).await;
}

#[tokio::test]
async fn a_main_loop_that_is_stuck_gives_no_sign_of_life() {
    let (mut rig, heard) = managed(ECHO).await;
    rig.env.insert("LARKLINE_STALL", "reloading:1".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    rig.until("signs of life", async || heard.count("WATCHDOG=1") > 3).await;
    rig.signal(Signal::HUP);
    rig.until("the reload's begin", async || heard.place("RELOADING=1").is_some()).await;
    // The line goes on: an event is answered.
    rig.answered(&rig.say(&rig.owner, "hello")).await;
    silent(&mut rig, &heard).await;
}

#[tokio::test]
async fn a_terminal_that_hangs_up_does_not_end_a_run_in_the_foreground() {
    let rig = Rig::new(ECHO).await;
    let mut foreground = rig.command();
    foreground.arg("run").stderr(std::process::Stdio::piped()).kill_on_drop(true);
    let mut foreground = foreground.spawn().unwrap();
    rig.ready().await;
    // Nobody reads any more, and the hangup is said.
    drop(foreground.stderr.take());
    let pid = rustix::process::Pid::from_raw(foreground.id().unwrap().cast_signed()).unwrap();
    rustix::process::kill_process(pid, Signal::HUP).unwrap();
    assert_eq!(rig.answered(&rig.say(&rig.owner, "still there?")).await, ["still there?"]);
    rustix::process::kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(foreground.wait().await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn programs_do_not_find_the_managers_socket() {
    let (mut rig, _heard) = managed(WORK).await;
    rig.script("work", "env");
    rig.run(&[]).await;
    let [environment] = &rig.answered(&rig.say(&rig.owner, "hello")).await[..] else {
        panic!("one answer")
    };
    assert!(environment.contains("PATH="), "{environment}");
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC"] {
        assert!(!environment.contains(name), "{environment}");
    }
}
