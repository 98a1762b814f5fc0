//! Durability: what the gateway promised to keep, and where each thing stands.
//!
//! One trait, [`Store`], whose laws are functions in [`contract`] and run against every
//! backend. Callers pass wall-clock milliseconds; the store reads no clock. Nothing here
//! knows the platform or a handler: bodies are bytes.
//!
//! ```text
//! accept ──> inbox row (received) ──route──> filtered(why) | failed(why)
//!                                    └─────> task rows ──claim──settle──> outbox rows ──claim──settle
//! ```
//!
//! An event's verdict is `waiting` until all its tasks and outbox rows are terminal; then
//! `failed` if any of them died, else `replied`. What the router ended stays as it said, also
//! while a notice about it is on its way; one that was merged into another follows that one's.
//! [`Tally`] counts deliveries so that
//! `received = replied + filtered + failed + waiting` at every quiet moment.

pub mod contract;
pub mod error;
pub mod inbox;
pub mod job;
pub mod outbox;
pub mod record;
pub mod session;
mod sqlite;
pub mod task;

use std::{pin::Pin, sync::Arc};

pub use error::StoreError;
use inbox::{Accepted, AckTimes, Concluded, InboxId, InboxItem, NewEvent, Recalled, RouteDecision};
use job::{JobQuery, JobRecord};
use larkline_proto::id::{EventId, MessageId};
use outbox::{
    ClaimedOutbox, MadeFor, NewOutbox, OutboxClaim, OutboxId, OutboxLease, OutboxSettlement,
    OutboxState,
};
use record::{
    BootRecord, ChatRecord, DeadItem, DeadLetter, Depths, EndOfBoot, History, LastHandled,
    MessageQuery, NewBoot, Pruned, Record, SetBack, Tally, WaitingEvent,
};
use session::{
    NewSession, Session, SessionId, SessionMove, SessionPatch, SessionQuery, SessionStep, Utterance,
};
pub use sqlite::{SCHEMA, SqliteOptions, SqliteStore};
use task::{
    AwaitingTask, ClaimedTask, LateReply, TaskClaim, TaskId, TaskLease, TaskSettlement, WaitingTask,
};

/// The version of SQLite inside this binary.
pub fn sqlite_version() -> &'static str {
    rusqlite::version()
}

/// A store operation in flight.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// The gateway's memory. Every write that returned `Ok` survives `kill -9` and power loss,
/// except where a method says otherwise.
pub trait Store: Send + Sync + 'static {
    /// Records that a process started, closes records of boots that never ended, gives back
    /// every lease they held, and suspends the sessions they left in a turn. Returns what is known
    /// of the previous boot.
    fn begin_boot(&self, boot: NewBoot) -> StoreFuture<'_, BootRecord>;

    /// How many runs have started since then, Unix ms.
    fn boots_since(&self, since_ms: i64) -> StoreFuture<'_, u64>;

    /// Records an orderly end.
    fn end_boot(&self, end: EndOfBoot) -> StoreFuture<'_, ()>;

    /// Commits events before their acks; one result per event, in order. An event any of whose
    /// keys was seen within the retention (also earlier in the same batch) is a duplicate: it
    /// makes no row, is counted, and is added to the original's story; what was ruled about it
    /// ([`NewEvent::ruling`](inbox::NewEvent::ruling)) is dropped.
    fn accept(&self, events: Arc<[NewEvent]>) -> StoreFuture<'_, Vec<Accepted>>;

    /// Notes when acks left, with the next write. May be lost in a crash: an event without it
    /// was perhaps acked.
    fn mark_acked(&self, acks: Vec<AckTimes>) -> StoreFuture<'_, ()>;

    /// The oldest events of one app that have no routing decision yet, at most `limit`.
    fn unrouted(&self, app: String, limit: usize) -> StoreFuture<'_, Vec<InboxItem>>;

    /// The event with this id of the platform's; `None` when it is unknown, or pruned.
    fn item_of_event(&self, app: String, event: EventId) -> StoreFuture<'_, Option<InboxItem>>;

    /// Stores routing decisions. A second decision for the same event is ignored, so routing
    /// again after a crash does no harm.
    fn route(&self, decisions: Vec<RouteDecision>) -> StoreFuture<'_, ()>;

    /// Claims due heads of free lanes for one handler: at most one task a lane, oldest lanes
    /// first. Within a lane tasks run in order of their events.
    fn claim_tasks(&self, claim: TaskClaim) -> StoreFuture<'_, Vec<ClaimedTask>>;

    /// Moves a lease's end. [`StoreError::Fenced`] when somebody else holds it by now.
    fn extend_task(&self, lease: TaskLease, until_ms: i64) -> StoreFuture<'_, ()>;

    /// Ends an attempt: one transaction settles the task, frees the lane and inserts the
    /// replies. [`StoreError::Fenced`] when the lease is no longer ours; nothing is written.
    /// Returns the event's verdict when this decided it, and those of events that follow it.
    fn settle_task(
        &self,
        lease: TaskLease,
        settlement: TaskSettlement,
    ) -> StoreFuture<'_, Vec<Concluded>>;

    /// The queued tasks of one lane behind `after` that nobody has claimed, in their order, at
    /// most `limit`.
    fn tasks_behind(
        &self,
        handler: String,
        lane: String,
        after: TaskId,
        limit: usize,
    ) -> StoreFuture<'_, Vec<WaitingTask>>;

    /// Lets the task in hand answer for others too, as if their events were one: each of the
    /// `followers` that waits in its lane behind it leaves the lane and never runs. Answers which
    /// that were; others are left as they are. [`StoreError::Fenced`] when the lease is no longer
    /// ours; nothing is written.
    ///
    /// Their events follow the event of the task in hand: they wait while it waits, and have its
    /// verdict and reason in the transaction that decides it, also after a retry by hand. They have
    /// no replies and no dead letters of their own. A later run of the task answers for them too,
    /// see [`Store::merged_into`].
    fn merge_tasks(
        &self,
        lease: TaskLease,
        followers: Vec<TaskId>,
        at_ms: i64,
    ) -> StoreFuture<'_, Vec<TaskId>>;

    /// The tasks that were merged into a handler's task for an event, in their order: what whoever
    /// answers that event again has to answer beside it.
    fn merged_into(&self, event: InboxId, handler: String) -> StoreFuture<'_, Vec<WaitingTask>>;

    /// A task that waits for a late reply, with its event; `None` when it does not wait.
    fn awaiting(&self, task: TaskId) -> StoreFuture<'_, Option<AwaitingTask>>;

    /// Adds replies to a task that waits for them (`TaskSettlement::Await`), and completes it.
    fn late_reply(
        &self,
        task: TaskId,
        replies: Vec<NewOutbox>,
        now_ms: i64,
    ) -> StoreFuture<'_, LateReply>;

    /// Kills awaiting tasks whose time is over (`code` `no_reply`) and returns their events. What
    /// `notice` makes of an event is committed with it: whoever was promised an answer is told.
    /// A bounded number a call: ask again until none is left.
    fn expire_awaiting(
        &self,
        now_ms: i64,
        notice: fn(&InboxItem, i64) -> Option<NewOutbox>,
    ) -> StoreFuture<'_, Vec<InboxItem>>;

    /// Kills the tasks that wait for a handler (`code` `handler_removed`), except one that is being
    /// worked on: they become dead letters, which can be retried when the handler is back. How many.
    fn give_up(&self, handler: String, now_ms: i64) -> StoreFuture<'_, u64>;

    /// Ends a task that waits, and that nobody works on, as if its handler had answered so; `false`
    /// when it does not wait (any more).
    fn withdraw(&self, task: TaskId, replies: Vec<NewOutbox>, at_ms: i64) -> StoreFuture<'_, bool>;

    /// Jobs ([`job::JOB`]) with their tasks, newest first; at most a thousand.
    fn jobs(&self, query: JobQuery) -> StoreFuture<'_, Vec<JobRecord>>;

    /// Inserts outgoing messages that answer no task (`send`, notices). A repeated key
    /// (`NewOutbox::key`) inserts nothing and returns the existing id.
    fn enqueue(&self, rows: Vec<NewOutbox>) -> StoreFuture<'_, Vec<OutboxId>>;

    /// Gives a row that waits, and was not tried under its `uuid` yet, something newer to do.
    /// `false` when it is no such row: what it was to do is done, or under way.
    fn replace_queued(&self, key: String, body: Vec<u8>, preview: String) -> StoreFuture<'_, bool>;

    /// Claims due heads of free outbox lanes of one app, highest priority first, then the lane
    /// served longest ago, so that one busy chat cannot starve the others. A lane that was empty
    /// counts as served when it got work. Within a lane rows of higher priority go first, but not
    /// before one that was claimed already.
    fn claim_outbox(&self, claim: OutboxClaim) -> StoreFuture<'_, Vec<ClaimedOutbox>>;

    /// Moves a lease's end, as [`Store::extend_task`].
    fn extend_outbox(&self, lease: OutboxLease, until_ms: i64) -> StoreFuture<'_, ()>;

    /// Ends a send attempt, fenced as [`Store::settle_task`]. A dead row does not block its lane.
    fn settle_outbox(
        &self,
        lease: OutboxLease,
        settlement: OutboxSettlement,
    ) -> StoreFuture<'_, Vec<Concluded>>;

    /// The row with this key, and what became of it.
    fn outbox_by_key(&self, key: String) -> StoreFuture<'_, Option<OutboxState>>;

    /// The rows made for an event, in order of their numbers; the first thousand.
    fn made_for(&self, event: InboxId) -> StoreFuture<'_, Vec<MadeFor>>;

    /// Those of the platform's message ids that rows of the outbox are known to have become.
    fn delivered_among(&self, ids: Vec<String>) -> StoreFuture<'_, Vec<String>>;

    /// The wall clock was set back: everything that is due later and every promise comes nearer by it,
    /// and what was tried lies as far back as before. Without this a retry would wait until the
    /// clock is where it was. No lease ends sooner by it, and none lasts longer than one that is
    /// made now: whether the holder extended it by the one clock or the other does not matter. What
    /// was stamped by the clock as it is now stays, and the next start does not do all this again.
    fn clock_set_back(&self, back: SetBack) -> StoreFuture<'_, ()>;

    /// Gives back the leases of one owner at once, at an orderly stop.
    fn release_leases(&self, owner: String) -> StoreFuture<'_, u64>;

    /// Earliest moment after `after_ms` at which a task or an outbox row becomes claimable: a
    /// start, a retry, or the end of a lease. What could be claimed by `after_ms` already is
    /// not in it, so that work nobody has a hand free for does not hide what comes due.
    /// Awaiting tasks are not in it either: their time ends by period.
    fn next_due(&self, after_ms: i64) -> StoreFuture<'_, Option<i64>>;

    /// Counts since the store was made, by app and verdict.
    fn tally(&self) -> StoreFuture<'_, Vec<Tally>>;

    /// The events whose tasks one handler would be given next, in that order, at most `limit`:
    /// one of each lane that is free.
    fn next_in_line(&self, handler: String, limit: usize) -> StoreFuture<'_, Vec<InboxItem>>;

    /// Handlers for which tasks wait, with their number: names that the configuration no
    /// longer knows stand out.
    fn waiting_handlers(&self) -> StoreFuture<'_, Vec<(String, u64)>>;

    /// Apps for which something waits: events without a decision, tasks and outgoing messages together.
    fn waiting_apps(&self) -> StoreFuture<'_, Vec<(String, u64)>>;

    /// How many outgoing messages of these apps can leave by `until_ms`: not those of a lane whose head
    /// is due later.
    fn leaving(&self, apps: Vec<String>, until_ms: i64) -> StoreFuture<'_, u64>;

    /// How much waits now, and how old the oldest is.
    fn depths(&self) -> StoreFuture<'_, Depths>;

    /// The oldest events without a verdict, at most `limit`.
    fn oldest_waiting(&self, limit: usize) -> StoreFuture<'_, Vec<WaitingEvent>>;

    /// The last verdict that a handler brought about, among the newest few hundred events.
    fn last_handled(&self) -> StoreFuture<'_, Option<LastHandled>>;

    /// When the newest events of an app arrived, oldest first, jobs left out: those among the newest
    /// `limit` events of all apps.
    fn arrivals(&self, app: String, limit: usize) -> StoreFuture<'_, Vec<i64>>;

    /// Messages were taken back by whoever wrote them. Their tasks that nobody works on are ended,
    /// and with that their events are `filtered`, as `recalled`; so are events that nothing was
    /// decided about. What is worked on goes on, and is noted.
    fn recall(
        &self,
        app: String,
        messages: Vec<MessageId>,
        at_ms: i64,
    ) -> StoreFuture<'_, Recalled>;

    /// What came in and went out, newest first; at most a thousand. A search by text, or by a
    /// verdict that most events have, looks at the newest twenty thousand rows.
    fn records(&self, query: MessageQuery) -> StoreFuture<'_, Vec<Record>>;

    /// Chats seen, most recently active first.
    fn chats(&self) -> StoreFuture<'_, Vec<ChatRecord>>;

    /// Remembers a chat's name.
    fn name_chat(&self, app: String, chat: String, name: String) -> StoreFuture<'_, ()>;

    /// All that is known of one event, newer than any `mark_acked` before it.
    fn history(&self, id: InboxId) -> StoreFuture<'_, Option<History>>;

    /// Whether an event has its verdict; so has one that is not known.
    fn is_over(&self, id: InboxId) -> StoreFuture<'_, bool>;

    /// The events that a text may mean, newest first: the one with this event id or message id
    /// (also of a message that answered it), else, at most a score, those whose first words or
    /// whose answers' first words contain it. A search by words looks at the newest twenty
    /// thousand rows.
    fn find(&self, text: String) -> StoreFuture<'_, Vec<Record>>;

    /// Dead tasks and outbox rows, newest first.
    fn dead(&self, limit: usize) -> StoreFuture<'_, Vec<DeadLetter>>;

    /// Makes a dead item due again with fresh attempts; its event is `waiting` again. `false`
    /// when there is no such dead item. An outbox row keeps its `uuid` and the time of its
    /// first attempt, so that its sender knows what the platform may have forgotten.
    fn retry_dead(&self, item: DeadItem, now_ms: i64) -> StoreFuture<'_, bool>;

    /// Closes a dead item for good; it leaves the list, its event stays `failed`.
    fn drop_dead(&self, item: DeadItem, now_ms: i64) -> StoreFuture<'_, bool>;

    /// The current session of a key.
    fn session(&self, key: String) -> StoreFuture<'_, Option<Session>>;

    /// The session with this number, current or not.
    fn session_by_id(&self, id: SessionId) -> StoreFuture<'_, Option<Session>>;

    /// Sessions, most recently used first; at most a thousand. Narrowed by handler or text alone,
    /// it looks at the twenty thousand used last.
    fn sessions(&self, query: SessionQuery) -> StoreFuture<'_, Vec<Session>>;

    /// What became of a session, in order; of a very long one the last thousand steps.
    fn session_steps(&self, id: SessionId) -> StoreFuture<'_, Vec<SessionStep>>;

    /// Begins a session, unless its key has a current one, which is returned as it is.
    fn begin_session(&self, session: NewSession) -> StoreFuture<'_, Session>;

    /// Moves a session to another state, with all that changes beside it, in one transaction.
    /// [`StoreError::SessionStep`] when it does not go there from where it stands
    /// ([`SessionState::may_become`](session::SessionState::may_become)), [`StoreError::NoSession`]
    /// when there is none; nothing is written. When a completed one is chosen again, the current
    /// one of its key is completed with it, or refused for it.
    fn step_session(&self, id: SessionId, step: SessionMove) -> StoreFuture<'_, Session>;

    /// Changes what is known of a session, not its state. [`StoreError::NoSession`] when there is
    /// none.
    fn patch_session(
        &self,
        id: SessionId,
        patch: SessionPatch,
        at_ms: i64,
    ) -> StoreFuture<'_, Session>;

    /// Completes the current sessions with one handler that were used last before `before_ms`, and
    /// answers how many; never one that is in a turn.
    fn end_sessions_idle(
        &self,
        handler: String,
        before_ms: i64,
        at_ms: i64,
    ) -> StoreFuture<'_, u64>;

    /// Names of handlers with whom a session is current, not in a turn, and was used last before
    /// `before_ms`, configured or not; at most a thousand.
    fn idle_handlers(&self, before_ms: i64) -> StoreFuture<'_, Vec<String>>;

    /// Adds to the end of a conversation, of which the last thousand utterances are kept. What a
    /// task says replaces all that it said there before, so that a second run doubles nothing.
    /// [`StoreError::NoSession`] when there is none.
    fn say_in_session(&self, id: SessionId, said: Vec<Utterance>) -> StoreFuture<'_, ()>;

    /// The last utterances of a conversation, at most `limit`, newest last.
    fn utterances(&self, id: SessionId, limit: usize) -> StoreFuture<'_, Vec<Utterance>>;

    /// A fact that was put under this name, such as when something ran last.
    fn fact(&self, name: String) -> StoreFuture<'_, Option<String>>;

    /// Puts a fact in place of what stood under its name. It stays for ever, unless it is a
    /// session's ([`SessionFact`](session::SessionFact)), which is pruned with that.
    fn put_fact(&self, name: String, value: String) -> StoreFuture<'_, ()>;

    /// Deletes finished events, their rows and dedupe keys older than `before_ms`, in bounded
    /// bites; never anything unfinished. Dead letters are finished. The tally keeps its counts.
    /// Sessions that are over, or never had a turn, go when they were used last before it.
    fn prune(&self, before_ms: i64) -> StoreFuture<'_, Pruned>;

    /// Answers when what was queued before it is written, and writes nothing: one whose disk hangs is
    /// silent.
    fn turn(&self) -> StoreFuture<'_, ()>;

    /// Proves that a write reaches the disk now: the recovery probe after a failure.
    fn probe(&self) -> StoreFuture<'_, ()>;

    /// Writes everything back and closes. Later calls answer [`StoreError::Closed`].
    fn close(&self) -> StoreFuture<'_, ()>;
}
