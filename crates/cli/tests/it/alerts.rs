//! What is worth a person's attention: a crash loop, and too much memory or processor time.

use crate::rig::{ECHO, Rig, WORK};

#[tokio::test]
async fn many_starts_in_a_short_time_are_a_crash_loop_and_fewer_are_not() {
    let alerts = "[alerts]\nboots = 3\nboots_within = \"1h\"\n";
    let mut rig = Rig::new(&format!("{ECHO}{alerts}")).await;
    for _ in 0..2 {
        rig.run(&[]).await;
        rig.ready().await;
        rig.kill9().await;
    }
    assert!(!rig.log().contains("crash_loop"), "{}", rig.log());
    rig.run(&[]).await;
    rig.ready().await;
    assert!(rig.log().contains("crash_loop"), "{}", rig.log());
    let metrics = rig.metrics().await;
    assert!(metrics.contains("larkline_boots 3"), "{metrics}");
    assert!(metrics.contains("larkline_start_time_seconds 1"), "{metrics}");
}

#[tokio::test]
async fn a_child_that_takes_much_memory_raises_an_alert_that_ends_with_it() {
    let alerts = "[alerts]\nmemory = \"64M\"\ncpu = 10000\nafter = \"1s\"\n";
    let mut rig = Rig::new(&format!("{WORK}{alerts}")).await;
    // `tail` keeps a line without an end in memory.
    rig.script("work", "(head -c 96000000 /dev/zero; cat more) | tail -n 1 >/dev/null; echo done");
    let more = rig.path("more");
    rustix::fs::mkfifoat(rustix::fs::CWD, &more, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.owner, "take much");
    rig.logged("high_memory").await;
    assert!(rig.metrics().await.contains("larkline_alerts{alert=\"memory\"} 1"));
    // The end of its input is the end of it.
    tokio::task::spawn_blocking(move || std::fs::write(more, "")).await.unwrap().unwrap();
    assert_eq!(rig.answered(&said).await, ["done"]);
    rig.logged("no longer uses much").await;
}
