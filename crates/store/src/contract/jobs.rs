//! Jobs: how they are listed, and what is withdrawn before it begins.

use super::{
    accepted, claim, claim_one, claim_row, decide, delivered, done, event, message, new_task,
    queued, verdicts,
};
use crate::{
    Store,
    inbox::{Decision, InboxId, NewEvent},
    job::{JOB, JobQuery, JobRecord},
    task::{TaskId, TaskSettlement},
};

async fn job(store: &dyn Store, n: i64, chat: &str) -> InboxId {
    let event = NewEvent { kind: JOB.into(), chat_id: Some(chat.into()), ..event(n) };
    accepted(store, event).await
}

async fn list(store: &dyn Store, query: JobQuery) -> Vec<JobRecord> {
    store.jobs(JobQuery { limit: query.limit.max(1), ..query }).await.unwrap()
}

/// A list of jobs has nothing else in it, and says of each where it stands.
pub async fn jobs_are_listed_newest_first_as_they_stand(store: &dyn Store) {
    queued(store, 1, "a").await;
    let (one, two) = (job(store, 2, "oc_1").await, job(store, 3, "oc_2").await);
    decide(store, one, Decision::Queue(vec![new_task("jobs", "j1", 0)])).await;
    let all = || JobQuery { limit: 10, ..JobQuery::default() };
    let jobs = list(store, all()).await;
    assert_eq!(jobs.iter().map(|job| job.item.id).collect::<Vec<_>>(), [two, one]);
    assert!(jobs[0].task.is_none(), "nobody decided about it");
    assert_eq!((jobs[0].chat_id.as_str(), jobs[0].verdict.as_str()), ("oc_2", "waiting"));
    assert_eq!(jobs[1].item.payload, b"payload 2");
    let task = jobs[1].task.clone().unwrap();
    assert!(!task.is_running);
    assert_eq!((task.facts.state.as_str(), task.facts.attempts), ("queued", 0));
    let (handler, owner) = ("jobs".into(), "boot-1".into());
    let claim = crate::task::TaskClaim {
        handler,
        without: Vec::new(),
        limit: 1,
        now_ms: 10,
        until_ms: 20,
        owner,
        once: true,
    };
    let held = store.claim_tasks(claim).await.unwrap().remove(0);
    let one_chat = || JobQuery { chat: Some("oc_1".into()), ..all() };
    let running = list(store, one_chat()).await.remove(0).task.unwrap();
    assert!(running.is_running);
    assert_eq!((running.facts.attempts, running.facts.claimed_ms), (1, Some(10)));
    let (code, error) = ("exit".into(), "exit code 1".into());
    let retry = TaskSettlement::Retry { at_ms: 11, due_ms: 50, code, error };
    store.settle_task(held.lease, retry).await.unwrap();
    let waits = list(store, one_chat()).await.remove(0).task.unwrap();
    assert_eq!((waits.is_running, waits.due_ms, waits.facts.attempts), (false, 50, 1));
    assert_eq!(list(store, JobQuery { id: Some(two), ..all() }).await[0].item.id, two);
    assert!(list(store, JobQuery { app: Some("other".into()), ..all() }).await.is_empty());
    let no_job = JobQuery { id: Some(InboxId(1)), ..all() };
    assert!(list(store, no_job).await.is_empty(), "an event of the platform is no job");
    assert_eq!(list(store, JobQuery::default()).await.len(), 1);
    let chats = store.chats().await.unwrap();
    let seen: Vec<_> = chats.iter().map(|chat| (chat.chat_id.as_str(), chat.events)).collect();
    assert_eq!(seen, [("oc_1", 1)], "a job is no sign of life of its chat");
}

/// What nobody works on can be ended in its place, with words for its chat; its lane goes on.
pub async fn a_waiting_task_can_be_withdrawn(store: &dyn Store) {
    queued(store, 1, "a").await;
    let next = queued(store, 2, "a").await;
    let held = claim_one(store, 10).await;
    let withdraw =
        async |task: TaskId| store.withdraw(task, vec![message("t:0", "oc_1")], 11).await.unwrap();
    assert!(!withdraw(held.lease.task).await, "somebody works on it");
    store.settle_task(held.lease, TaskSettlement::Release).await.unwrap();
    assert!(withdraw(held.lease.task).await);
    assert!(!withdraw(held.lease.task).await, "it is over");
    let row = claim_row(store, 12).await;
    assert_eq!(row.inbox, Some(held.item.id), "what is said about it belongs to its event");
    store.settle_outbox(row.lease, delivered("om_9", 13)).await.unwrap();
    let second = claim_one(store, 12).await;
    assert_eq!(second.item.id, next);
    store.settle_task(second.lease, done(Vec::new(), 14)).await.unwrap();
    assert!(claim(store, 10, 15).await.is_empty());
    assert_eq!(verdicts(store).await, [("replied".to_owned(), 2)].into());
    let history = store.history(held.item.id).await.unwrap().unwrap();
    assert!(history.log.iter().any(|entry| entry.what == "withdrawn"), "{:?}", history.log);
}
