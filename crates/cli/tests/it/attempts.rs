//! How often a message is tried: what counts as an attempt, and what is said when there is no further one.

use rustix::process::Signal;

use crate::clock;
use crate::rig::{Rig, WORK, read};

fn starts(rig: &Rig) -> usize {
    read(&rig.path("starts")).lines().count()
}

#[tokio::test]
async fn a_message_that_ends_the_gateway_each_time_becomes_a_dead_letter() {
    let mut rig = Rig::new(WORK).await;
    rig.script("work", "cat > /dev/null; echo x >> starts; kill -9 $PPID; sleep 60");
    rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
    rig.run(&[]).await;
    let said = rig.say(&rig.guest, "poison");
    for crash in 1..=8 {
        assert_eq!(rig.exit().await.code(), None, "killed");
        assert_eq!(starts(&rig), crash);
        rig.run(&[]).await;
        // Four are tried again at once; then it waits for longer and longer, and others get through.
        if (5..8).contains(&crash) {
            let aside = || rig.log().matches("to be tried later").count();
            rig.until("a word on that", async || aside() == crash - 4).await;
            clock::set(&rig, 600_000 * i64::try_from(crash).unwrap());
            // The workers that start with a reload look at once.
            rig.signal(Signal::HUP);
        }
    }
    let answers = rig.answered(&said).await;
    assert!(answers[0].contains("interrupted"), "{answers:?}");
    let letter = &rig.json(&["dead"]).await[0];
    assert_eq!((letter["code"].as_str(), starts(&rig)), (Some("interrupted"), 8));
    assert!(letter["error"].as_str().unwrap().contains("died 8 times"), "{letter}");
    assert_eq!(rig.verdicts().await, [("failed/interrupted".to_owned(), 1)].into());
}

#[tokio::test]
async fn stops_are_not_held_against_a_message() {
    let config = format!(
        "{WORK}retry = {{ attempts = 2 }}\n[limits]\ndrain = \"100ms\"\nkill_grace = \"1s\"\n"
    );
    let mut rig = Rig::new(&config).await;
    rig.script(
        "work",
        "echo x >> starts; [ $(wc -l < starts) -gt 3 ] && { echo done; exit; }; exec sleep 60",
    );
    rig.run(&[]).await;
    let said = rig.say(&rig.guest, "a long one");
    for n in 1..=3 {
        rig.until("a start", async || starts(&rig) == n).await;
        assert!(rig.stop().await.success());
        rig.run(&[]).await;
    }
    assert_eq!(rig.answered(&said).await, ["done"]);
}

#[tokio::test]
async fn a_failure_before_fewer_attempts_were_allowed_is_told_as_what_it_was() {
    let mut rig = Rig::new(&format!("{WORK}retry = {{ attempts = 3, first = \"3s\" }}\n")).await;
    rig.script("work", "cat > /dev/null; echo x >> starts; exit 3");
    rig.run(&[]).await;
    let said = rig.say(&rig.guest, "hello");
    rig.logged("handler failed, to be tried again").await;
    rig.amend("attempts = 3", "attempts = 1");
    rig.signal(Signal::HUP);
    let answers = rig.answered(&said).await;
    assert!(answers[0].contains("exit"), "{answers:?}");
    assert_eq!((starts(&rig), &rig.json(&["dead"]).await[0]["code"]), (1, &"exit".into()));
}
