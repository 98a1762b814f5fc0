//! Disks that are full, files that cannot be written, files that are no store.

use std::{fs, path::Path, process::Command};

use larkline_store::{
    SqliteOptions, SqliteStore, Store, StoreError,
    inbox::{Accepted, Decision, InboxId, NewEvent, RouteDecision, Ruling},
    task::NewTask,
};

use crate::{event, fresh};

/// Accepts events of 8 kB, each finished at once, until the store refuses one; answers how many
/// it took.
async fn fill(store: &dyn Store) -> (i64, StoreError) {
    for n in 1..10_000 {
        let mut event = event(n);
        event.payload = vec![b'x'; 8_192];
        match store.accept(vec![event].into()).await {
            Ok(accepted) => match accepted[..] {
                [Accepted::New(inbox)] => {
                    let decision = Decision::Filtered { why: "no_route" };
                    store
                        .route(vec![RouteDecision {
                            inbox,
                            ruling: Ruling { at_ms: n, decision, notice: None },
                        }])
                        .await
                        .unwrap();
                }
                ref other => panic!("{other:?}"),
            },
            Err(error) => return (n - 1, error),
        }
    }
    panic!("ten thousand events of 8 kB fit");
}

#[tokio::test]
async fn a_full_store_refuses_keeps_what_it_has_and_heals_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { bytes_max: Some(1 << 20) };
    let store = SqliteStore::open(folder.path().join("line.db"), options).unwrap();
    let (kept, error) = fill(&store).await;
    assert!(matches!(error, StoreError::Full), "{error:?}");
    let again = store.accept(vec![event(20_000)].into()).await;
    assert!(again.is_ok() || matches!(again, Err(StoreError::Full)), "{again:?}");
    assert!(matches!(store.probe().await, Err(StoreError::Full)), "the probe sees it too");
    let tally = store.tally().await.unwrap();
    let filtered = tally.iter().find(|line| line.verdict == "filtered").unwrap();
    assert_eq!(filtered.count, kept.unsigned_abs());

    store.prune(i64::MAX).await.unwrap();
    store.probe().await.unwrap();
    store.accept(vec![event(30_000)].into()).await.unwrap();
}

/// Dead letters are never pruned, so that they can fill a store; whoever drops them makes room.
#[tokio::test]
async fn a_store_full_of_dead_letters_takes_writes_again_when_they_are_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { bytes_max: Some(1 << 20) };
    let store = SqliteStore::open(folder.path().join("line.db"), options).unwrap();
    let task = |n: i64| NewTask {
        route: "all".into(),
        handler: "echo".into(),
        lane: n.to_string(),
        due_ms: 0,
    };
    let letter = |n: i64| NewEvent {
        payload: vec![b'x'; 8_192],
        ruling: Some(Ruling { at_ms: n, decision: Decision::Queue(vec![task(n)]), notice: None }),
        ..event(n)
    };
    for n in 1.. {
        let is_full = store.accept(vec![letter(n)].into()).await.is_err();
        if store.give_up("echo".into(), n).await.is_err() || is_full {
            break;
        }
        assert!(n < 10_000, "they all fit");
    }
    // Even the room that is too small for an event is used up.
    let fact = |n: i32| store.put_fact(n.to_string(), "x".repeat(500));
    let mut facts = 0;
    while fact(facts).await.is_ok() {
        facts += 1;
    }
    store.prune(i64::MAX).await.unwrap();
    assert!(matches!(store.probe().await, Err(StoreError::Full)), "nothing was pruned");
    for letter in store.dead(10_000).await.unwrap() {
        assert!(store.drop_dead(letter.item, 1).await.unwrap());
    }
    store.prune(i64::MAX).await.unwrap();
    store.probe().await.unwrap();
}

/// A small file system of its own; `None` where this process may not mount one.
struct Disk(tempfile::TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let options = ["-t", "tmpfs", "-o", "size=2m", "tmpfs"];
        let mount = Command::new("mount").args(options).arg(folder.path()).output();
        mount.is_ok_and(|mount| mount.status.success()).then_some(Self(folder))
    }

    fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        let mount = Command::new("mount").args(["-o", &options]).arg(self.0.path()).status();
        assert!(mount.unwrap().success(), "{options}");
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, so that a failed test with open files leaves nothing mounted.
        drop(Command::new("umount").arg("-l").arg(self.0.path()).status());
    }
}

#[tokio::test]
async fn a_full_disk_is_survived_by_the_same_store() {
    let Some(disk) = Disk::mount() else {
        return eprintln!("skipped: this process may not mount a file system");
    };
    let path = disk.path().join("line.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    let first = store.accept(vec![event(1)].into()).await.unwrap();
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 1 << 20]).unwrap();
    let (kept, error) = fill_distinct(&store).await;
    assert!(matches!(error, StoreError::Full), "{error:?}");

    fs::remove_file(&filler).unwrap();
    store.probe().await.unwrap();
    store.accept(vec![event(20_000)].into()).await.unwrap();
    let all = store.unrouted("main".into(), 10_000).await.unwrap();
    assert_eq!(all.len(), kept + 2);
    assert_eq!(first, [Accepted::New(all[0].id)]);
}

/// Accepts events of 8 kB from number 2 on until the store refuses one.
async fn fill_distinct(store: &dyn Store) -> (usize, StoreError) {
    for n in 2..10_000 {
        let mut event = event(n);
        event.payload = vec![b'x'; 8_192];
        if let Err(error) = store.accept(vec![event].into()).await {
            return (usize::try_from(n).unwrap() - 2, error);
        }
    }
    panic!("ten thousand events of 8 kB fit on the disk");
}

#[tokio::test]
async fn a_read_only_disk_is_named_and_works_again_when_it_is_writable() {
    let Some(disk) = Disk::mount() else {
        return eprintln!("skipped: this process may not mount a file system");
    };
    let path = disk.path().join("line.db");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    store.accept(vec![event(1)].into()).await.unwrap();
    store.close().await.unwrap();
    disk.remount("ro");
    let refused = SqliteStore::open(&path, SqliteOptions::default());
    assert!(matches!(refused, Err(StoreError::ReadOnly)), "{refused:?}");
    disk.remount("rw");
    let store = SqliteStore::open(&path, SqliteOptions::default()).unwrap();
    assert_eq!(store.unrouted("main".into(), 10).await.unwrap().len(), 1);
}

#[test]
fn a_file_that_is_no_database_is_corrupt_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("line.db");
    let letter = b"Dear diary, ".repeat(1_000);
    fs::write(&path, &letter).unwrap();
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("restore a backup"), "it says what to do: {error}");
    assert_eq!(fs::read(&path).unwrap(), letter);
}

#[tokio::test]
async fn damage_inside_the_file_is_corrupt_and_no_panic() {
    let (store, folder) = fresh();
    store.accept((1..200).map(event).collect()).await.unwrap();
    store.close().await.unwrap();
    let path = folder.path().join("line.db");
    let mut bytes = fs::read(&path).unwrap();
    // All of it but the page that says how the file is built.
    bytes[8_192..].fill(0xEE);
    fs::write(&path, bytes).unwrap();
    let outcome = match SqliteStore::open(&path, SqliteOptions::default()) {
        Ok(store) => store.accept(vec![event(500)].into()).await.map(drop),
        Err(error) => Err(error),
    };
    assert!(matches!(outcome, Err(StoreError::Corrupt { .. })), "{outcome:?}");
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_unchanged() {
    let (store, folder) = fresh();
    store.close().await.unwrap();
    let path = folder.path().join("line.db");
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let error = SqliteStore::open(&path, SqliteOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 99, known: 1.. }), "{error:?}");
    let kept = rusqlite::Connection::open(&path).unwrap();
    let version: i64 = kept.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_missing_folder_is_said_with_its_operation() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/line.db");
    let error = SqliteStore::open(path, SqliteOptions::default()).unwrap_err();
    assert!(matches!(error, StoreError::Io { during: "open", .. }), "{error:?}");
}

#[test]
fn nobody_else_can_read_the_file() {
    use std::os::unix::fs::PermissionsExt;
    let (_store, folder) = fresh();
    for name in ["line.db", "line.db-wal"] {
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{name} has mode {mode:o}");
    }
}

#[tokio::test]
async fn numbers_survive_a_restart() {
    let (store, folder) = fresh();
    store.accept(vec![event(1), event(2)].into()).await.unwrap();
    store.close().await.unwrap();
    let again = SqliteStore::open(folder.path().join("line.db"), SqliteOptions::default()).unwrap();
    let accepted = again.accept(vec![event(1), event(3)].into()).await.unwrap();
    let of = InboxId(1);
    assert_eq!(accepted, [Accepted::Duplicate { of, times: 1 }, Accepted::New(InboxId(3))]);
}
