//! A disk that fills up under a running gateway, and has room again.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

use crate::rig::{ECHO, Rig};

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
        mounted.is_ok_and(|s| s.success()).then(|| Self(at))
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
    let Some(disk) = SmallDisk::mount(rig.path("state")) else {
        println!("not run: mounting a file system is not allowed here");
        return;
    };
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
