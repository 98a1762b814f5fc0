//! A wall clock that is set back while the gateway runs.

use crate::dead::{SECRETS, free_port, http, post, promised, service};
use crate::rig::{Rig, WORK, read};

const HOUR_MS: i64 = 3_600_000;

/// Sets the gateway's wall clock to so many milliseconds from the true time.
pub(crate) fn set(rig: &Rig, off_ms: i64) {
    // Renamed into place: the gateway may read at any moment.
    std::fs::write(rig.path("clock.new"), off_ms.to_string()).unwrap();
    std::fs::rename(rig.path("clock.new"), rig.path("clock")).unwrap();
}

async fn run(rig: &mut Rig, off_ms: i64) {
    set(rig, off_ms);
    rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
    rig.run(&[]).await;
    rig.ready().await;
}

/// How often the gateway has found its clock set back.
fn found(rig: &Rig) -> usize {
    rig.log().matches("the clock was set back").count()
}

/// Between a jump and its discovery other workers extend what is in hand by the clock as it is
/// then. Three jumps, because a discovery may be too quick for that.
#[tokio::test]
async fn a_clock_set_back_lets_no_task_run_beside_itself() {
    let mut rig = Rig::new(&format!("{WORK}retry = {{ attempts = 1 }}\n")).await;
    rig.script(
        "work",
        "if grep -q deploy; then echo begin >> deploys; until [ -e go ]; do sleep 0.05; done; fi; echo done",
    );
    run(&mut rig, 0).await;
    let deploy = rig.say(&rig.owner, "deploy");
    rig.until("its begin", async || rig.path("deploys").exists()).await;
    for jumps in 1..=3 {
        set(&rig, -HOUR_MS * i64::try_from(jumps).unwrap());
        while found(&rig) < jumps {
            let other = rig.say(&rig.guest, "other");
            assert_eq!(rig.answered(&other).await, ["done"]);
        }
    }
    let after = rig.say(&rig.guest, "after");
    assert_eq!(rig.answered(&after).await, ["done"]);
    assert_eq!(read(&rig.path("deploys")), "begin\n");
    assert!(rig.answers(&deploy.message_id).is_empty(), "it runs");
    std::fs::write(rig.path("go"), "").unwrap();
    assert_eq!(rig.answered(&deploy).await, ["done"]);
    let verdicts = rig.verdicts().await;
    assert!(verdicts.keys().all(|verdict| verdict == "replied"), "{verdicts:?}");
}

/// A machine starts with a clock that is ahead, and its time comes from the network: what is promised
/// before and after that is waited for over every later start.
#[tokio::test]
async fn a_clock_that_was_corrected_costs_no_promise_at_later_starts() {
    let port = free_port();
    let mut rig = Rig::new(&http(port, free_port(), "reply_within = \"30m\"")).await;
    let (seen, _server) = service(port, 202, "").await;
    run(&mut rig, 5 * HOUR_MS).await;
    let before = promised(&rig, &seen).await;
    set(&rig, 0);
    rig.until("its discovery", async || found(&rig) == 1).await;
    let after = promised(&rig, &seen).await;
    for _ in 0..2 {
        rig.stop().await;
        rig.run(&[]).await;
        rig.ready().await;
    }
    for (said, url, id) in [before, after] {
        assert_eq!(post(&url, &id, SECRETS[0], r#"{"text":"later"}"#).await, 200);
        assert_eq!(rig.answered(&said).await, ["later"]);
    }
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 2)].into());
}
