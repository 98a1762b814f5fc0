//! An ill disk, a torn journal, a clock that jumps, and what they may not cost.

use larkline_sim::Ledger;

use crate::disk::SmallDisk;
use crate::rig::{ECHO, Rig, WORK, read, text};

#[tokio::test]
async fn a_read_only_state_directory_is_named_at_the_start_and_costs_no_message() {
    let mut rig = Rig::start(ECHO).await;
    assert!(rig.stop().await.success());
    let before = std::fs::read(rig.path("state/larkline.db")).unwrap();
    std::fs::remove_dir_all(rig.path("state")).unwrap();
    let Some(disk) = SmallDisk::mount(rig.path("state")) else { return };
    std::fs::write(rig.path("state/larkline.db"), before).unwrap();
    disk.read_only(true);
    let said = rig.say(&rig.guest, "while nobody could write");
    let output = rig.cli(&["run"]).await;
    let words = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains(rig.path("state").to_str().unwrap()), "{words}");
    disk.read_only(false);
    rig.run(&[]).await;
    assert_eq!(rig.answered(&said).await, ["while nobody could write"]);
}

#[tokio::test]
async fn a_disk_that_is_full_when_a_run_ends_keeps_its_answer_and_runs_nothing_again() {
    let mut rig = Rig::new(&format!("{WORK}retry = {{ attempts = 1 }}\n")).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else { return };
    rig.script("work", "echo run >> runs; until [ -e go ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "hello");
    rig.until("the start of the work", async || !read(&rig.path("runs")).is_empty()).await;
    disk.fill();
    std::fs::write(rig.path("go"), "").unwrap();
    rig.logged("the store refuses writes: the disk is full").await;
    disk.free();
    assert_eq!(rig.answered(&said).await, ["done"]);
    assert_eq!(rig.verdicts().await, [("replied".to_owned(), 1)].into());
    assert_eq!(read(&rig.path("runs")), "run\n");
}

#[tokio::test]
async fn a_full_disk_and_a_kill_at_the_same_time_lose_nothing_that_was_acked() {
    let mut rig = Rig::new(ECHO).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else { return };
    rig.run(&[]).await;
    rig.ready().await;
    let said: Vec<_> = (0..20).map(|n| rig.say(&rig.guest, &format!("{n}"))).collect();
    let acked = |l: &Ledger| said.iter().filter(|s| l.event(&s.event_id).unwrap().done).count();
    rig.ledger("some acks", |l| acked(l) > 5).await;
    disk.fill();
    rig.kill9().await;
    let output = rig.cli(&["run"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("the disk is full"), "{}", text(&output.stderr));
    disk.free();
    rig.run(&[]).await;
    rig.ledger("every answer", |l| {
        acked(l) == said.len() && said.iter().all(|s| l.replies_to(&s.message_id).count() == 1)
    })
    .await;
    assert_eq!(rig.verdicts().await["replied"], 20);
}

#[tokio::test]
async fn a_journal_that_a_crash_cut_off_is_read_as_far_as_it_is_whole() {
    let mut rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.guest, "before");
    rig.answered(&said).await;
    rig.verdicts().await;
    rig.kill9().await;
    // What a torn last write leaves: the last transactions are as if never made.
    let wal = rig.path("state/larkline.db-wal");
    let bytes = std::fs::read(&wal).unwrap();
    std::fs::write(&wal, &bytes[..bytes.len() - 4000]).unwrap();
    rig.run(&[]).await;
    let after = rig.say(&rig.guest, "after");
    assert_eq!(rig.answered(&after).await, ["after"]);
    rig.verdicts().await;
    // The answer may have been sent again; its uuid makes it one.
    assert_eq!(rig.answers(&said.message_id), ["before"]);
}
