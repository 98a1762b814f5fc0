//! A disk that fills up under a running gateway, and has room again.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::rig::{ECHO, Rig, not_run};

/// A small file system of its own, unmounted at the end.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not allowed: then there is nothing to test with.
    pub(crate) fn mount(at: PathBuf) -> Option<Self> {
        Self::of_size(at, "4M")
    }

    /// The same with more room.
    pub(crate) fn of_size(at: PathBuf, size: &str) -> Option<Self> {
        std::fs::create_dir(&at).unwrap();
        let options = format!("size={size},mode=700");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&at).status();
        if !mounted.is_ok_and(|s| s.success()) {
            not_run("mounting a file system is not allowed here");
            return None;
        }
        Some(Self(at))
    }

    /// Leaves no room.
    pub(crate) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[0; 4096]).is_ok() {}
    }

    /// Makes room again.
    pub(crate) fn free(&self) {
        // There may be room already.
        drop(std::fs::remove_file(self.0.join("ballast")));
    }

    /// Refuses every write from now on, or takes them again. Nobody may have a file of it open
    /// for writing.
    pub(crate) fn read_only(&self, on: bool) {
        let options = if on { "remount,ro" } else { "remount,rw" };
        let mounted = Command::new("mount").args(["-o", options]).arg(&self.0).status();
        assert!(mounted.unwrap().success());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, because the gateway may still hold files there.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[tokio::test]
async fn a_full_disk_stops_the_acks_is_said_and_heals_without_a_restart() {
    let mut rig = Rig::new(ECHO).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else { return };
    rig.run(&[]).await;
    rig.ready().await;
    let before = rig.say(&rig.guest, "before");
    rig.answered(&before).await;
    disk.fill();
    let during = rig.say(&rig.guest, "during");
    rig.logged("the store refuses writes: the disk is full").await;
    let status = rig.status().await.unwrap();
    assert_eq!((&status["ready"], &status["store_writable"]), (&false.into(), &false.into()));
    let acked = rig.sim.platform().read(|l| l.event(&during.event_id).unwrap().done);
    assert!(!acked, "what cannot be kept is not acked");
    disk.free();
    rig.logged("the store takes writes again").await;
    assert_eq!(rig.answered(&during).await, ["during"]);
    rig.ready().await;
    assert_eq!(rig.verdicts().await["replied"], 2);
}

#[tokio::test]
async fn a_store_that_is_full_by_its_own_limit_prunes_while_it_is_ill_and_heals() {
    let mut rig = Rig::new(ECHO).await;
    let (clock, state) = (rig.path("clock"), rig.path("state"));
    std::fs::write(&clock, "0").unwrap();
    rig.env.insert("LARKLINE_CLOCK", clock.display().to_string());
    rig.env.insert("LARKLINE__STORE__SIZE_MAX", "1MiB".to_owned());
    rig.env.insert("LARKLINE__STORE__RETENTION", "1d".to_owned());
    rig.run(&[]).await;
    rig.ready().await;
    let full = "the store refuses writes";
    let long = "long ".repeat(4_000);
    let mut said = 0;
    while !rig.log().contains(full) {
        rig.say(&rig.guest, &long);
        said += 1;
        assert!(said < 500, "the store is not full after {said} messages");
        rig.until("its ack, or the store is full", async || {
            let acked = rig.sim.platform().read(|l| l.events.iter().filter(|e| e.done).count());
            acked >= said || rig.log().contains(full)
        })
        .await;
    }
    let size = std::fs::metadata(state.join("larkline.db")).unwrap().len();
    assert!(size <= 1 << 20, "{size}");
    // What is finished grows old; the platform redelivers what was not taken.
    std::fs::write(&clock, (2 * 24 * 3_600_000_i64).to_string()).unwrap();
    rig.logged("the store takes writes again").await;
    rig.ledger("every ack", |l| l.events.iter().all(|e| e.done)).await;
    let last = rig.say(&rig.guest, "room again");
    assert_eq!(rig.answered(&last).await, ["room again"]);
}

#[tokio::test]
async fn a_start_on_a_full_disk_says_what_to_do_and_promises_nothing_of_a_process_that_is_gone() {
    let mut rig = Rig::new(ECHO).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else { return };
    rig.run(&[]).await;
    rig.ready().await;
    rig.kill9().await;
    disk.fill();
    rig.run(&[]).await;
    assert!(!rig.exit().await.success());
    let log = rig.log();
    assert!(log.contains("the disk is full; free space on it"), "{log}");
    assert!(!log.contains("by itself"), "{log}");
}
