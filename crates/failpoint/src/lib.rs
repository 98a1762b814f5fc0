//! Named places where a test lets the process die, and a wall clock that a test can set.
//!
//! Builds without the feature `armed` contain neither: [`failpoint!`] is no code at all and
//! [`wall_ms`] returns what it is given. The tests of the binary turn the feature on, as a
//! dev-dependency; `cargo xtask test` looks into the binary that is built without them.

#[cfg(feature = "armed")]
mod armed;

#[cfg(feature = "armed")]
pub use armed::{reached, wall_ms};

/// A place, and what has happened when the process dies there.
pub struct Point {
    /// Its name, as `failpoint!` and `LARKLINE_FAILPOINT` spell it.
    pub name: &'static str,
    /// What is done, and what is not.
    pub at: &'static str,
}

/// Every place, in the order of a message's path. `cargo xtask tidy` compares this with the code.
pub const POINTS: &[Point] = &[
    point("migration_begun", "the schema is written and not committed"),
    point("migrated", "the schema is committed, nothing else is"),
    point("booted", "this run is on record, no worker has started"),
    point("query_begins", "a question to the store is about to be answered"),
    point("event_taken", "an event is off the socket and not in the journal"),
    point("commit_begins", "a transaction is written and not committed"),
    point("committed", "a transaction is on disk and nobody has been told"),
    point("accepted", "an event is in the journal and not acked"),
    point("ack_queued", "the ack is made and not with the socket"),
    point("ack_flushed", "a ping or an ack is with the kernel"),
    point("ack_marked", "the ack is noted, nothing is decided"),
    point("decided", "the router has decided and not committed it"),
    point("routed", "the tasks are committed and nobody works on them"),
    point("tasks_claimed", "tasks are leased, their handlers have not started"),
    point("handler_begins", "a handler is about to start"),
    point("child_started", "a program runs and has not got its input"),
    point("agent_started", "an agent runs and has not got its prompt"),
    point("agent_heard", "an agent's own id is on disk, its turn goes on"),
    point("service_answered", "a service has answered, the answer is not read"),
    point("handler_done", "a handler has answered, the answer is not on disk"),
    point("callback_answered", "the presser's answer is made, the task is not settled"),
    point("task_settled", "the answer is in the outbox, nobody sends it"),
    point("rows_claimed", "outgoing messages are leased and not sent"),
    point("permit_taken", "a message may go out now and has not"),
    point("call_answered", "the platform has the message, we have not noted it"),
    point("reaction_added", "a message is acknowledged by a reaction, we have not noted it"),
    point("row_settled", "the message is noted as delivered"),
    point("late_answer_read", "a later answer was received and is not on disk"),
    point("late_answer_stored", "a later answer is on disk, its sender does not know"),
    point("awaiting_expired", "a promised answer that never came is a dead letter"),
    point("pruned", "some old events are gone, others not yet"),
    point("reloading", "new handlers have started under the old configuration"),
    point("stop_begins", "a stop was asked for"),
    point("intake_stopped", "the link is closed, handlers run"),
    point("work_stopped", "no handler runs, replies wait"),
    point("outbox_empty", "everything is said, nothing is closed"),
    point("leases_released", "leases are given back, the end is not on record"),
    point("checkpointed", "the database is written back and not closed"),
    point("takeover_asked", "another instance was asked to leave"),
];

const fn point(name: &'static str, at: &'static str) -> Point {
    Point { name, at }
}

/// A place at which a test may let the process die, as by `kill -9`: nothing is unwound,
/// flushed or said goodbye to.
#[cfg(feature = "armed")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::reached($name)
    };
}

/// A place at which a test may let the process die; no code in this build.
#[cfg(not(feature = "armed"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

/// The wall clock as it is; a test build may be told another time.
#[cfg(not(feature = "armed"))]
#[inline]
pub const fn wall_ms(now_ms: i64) -> i64 {
    now_ms
}
