//! Many callers at once, and somebody else on the file.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use larkline_store::{Store, record::Tally};
use tokio::task::JoinSet;

use crate::{event, fresh, message};

const WRITERS: i64 = 100;
const EVENTS: i64 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writers_and_a_stranger_meet_no_lock() {
    let (store, folder) = fresh();
    let store = Arc::new(store);
    let path = folder.path().join("line.db");
    let over = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&over);
    // A backup, or a person with a shell: takes the write lock again and again.
    let stranger = thread::spawn(move || {
        let conn = rusqlite::Connection::open(path).unwrap();
        conn.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        while !ends.load(Ordering::Relaxed) {
            conn.execute_batch("BEGIN IMMEDIATE; COMMIT;").unwrap();
        }
    });
    let mut crowd = JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&store);
        crowd.spawn(async move {
            for n in 0..EVENTS {
                store.accept(vec![event(writer * EVENTS + n)].into()).await.unwrap();
                store.enqueue(vec![message(&format!("{writer}:{n}"), "a")]).await.unwrap();
                store.depths().await.unwrap();
            }
        });
    }
    while let Some(ended) = crowd.join_next().await {
        ended.unwrap();
    }
    over.store(true, Ordering::Relaxed);
    stranger.join().unwrap();
    let all = (WRITERS * EVENTS).unsigned_abs();
    let waiting =
        Tally { app: "main".into(), verdict: "waiting".into(), why: String::new(), count: all };
    assert_eq!(store.tally().await.unwrap(), [waiting]);
    assert_eq!(store.depths().await.unwrap().outbox, all);
}
