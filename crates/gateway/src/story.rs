//! The story of one event: every step from its arrival to its outcome, in order, with times.
//!
//! [`Story::of`] is pure: the store's facts in, sentences out. The words in [`Step::step`] are
//! stable, for programs; the sentences may change. Order is by the wall clock and, within a
//! millisecond, by cause; a clock that was set back shows as such.

mod chinese;
mod step;

pub use step::Step;

use larkline_store::job::JOB;
use larkline_store::record::{History, LogEntry, OutboxFacts, Record, TaskFacts};
use larkline_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::reason;
use crate::words::Lang;

/// One event from arrival to outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The platform's event id.
    pub event_id: String,
    /// The message it is about; empty when it is about none.
    pub message_id: String,
    /// The chat; empty when unknown.
    pub chat_id: String,
    /// Who caused it; empty when unknown.
    pub sender: String,
    /// Name of the app.
    pub app: String,
    /// Event type.
    pub kind: String,
    /// First words; empty when previews are off.
    pub preview: String,
    /// `waiting`, `replied`, `filtered` or `failed`.
    pub verdict: String,
    /// The reason; empty where none is needed.
    pub why: String,
    /// What happened, in order.
    pub steps: Vec<Step>,
    /// Other events that what was asked for may mean, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Record>,
}

/// The story of what `key` means: an event id, a message id (also of an answer), or words. Of
/// several events it is the newest one's; the rest are its `others`.
///
/// # Errors
/// When the store cannot be read.
pub async fn find(store: &dyn Store, key: &str) -> Result<Option<Story>, StoreError> {
    let mut found = store.find(key.to_owned()).await?.into_iter();
    let Some(newest) = found.next() else { return Ok(None) };
    let history = store.history(larkline_store::inbox::InboxId(newest.row)).await?;
    // Pruned in between is as good as not found.
    Ok(history.map(|history| Story { others: found.collect(), ..Story::of(&history) }))
}

impl Story {
    /// A step of it as people read it.
    pub fn sentence(&self, step: &Step, lang: Lang) -> String {
        match lang {
            Lang::Zh => chinese::sentence(self, step),
            Lang::En => step.text.clone(),
        }
    }

    /// Tells a history.
    pub fn of(history: &History) -> Self {
        let record = &history.record;
        let mut steps = arrival(history);
        steps.extend(history.log.iter().flat_map(|entry| logged(history, entry)));
        steps.extend(history.tasks.iter().flat_map(|task| handling(history, task)));
        steps.extend(history.outbox.iter().flat_map(sending));
        steps.extend(verdict(history));
        steps.sort_by_key(|step| (step.at_ms, step.place()));
        Self {
            event_id: record.event_id.clone(),
            message_id: record.message_id.clone(),
            chat_id: record.chat_id.clone(),
            sender: record.sender.clone(),
            app: record.app.clone(),
            kind: record.kind.clone(),
            preview: record.preview.clone(),
            verdict: record.outcome.clone(),
            why: record.why.clone(),
            steps,
            others: Vec::new(),
        }
    }
}

fn arrival(history: &History) -> Vec<Step> {
    let Record { at_ms, app, kind, boot_id, .. } = &history.record;
    let text = format!("{kind} arrived for app {app}, run {boot_id}");
    let received = Step::new(*at_ms, "received", text);
    let mut steps = vec![Step { detail: boot_id.clone(), ..received }];
    match history.journaled_ms {
        Some(at_ms) => steps.push(Step::new(at_ms, "journaled", "on disk, which nothing undoes")),
        None if kind == JOB => {}
        None => {
            let text = "on disk; when, and whether its ack left, is not known: the ack waits for \
                        its handler, or the process ended before that was noted";
            steps.push(Step::new(*at_ms, "journaled", text));
        }
    }
    if let Some(acked_ms) = history.acked_ms {
        let text =
            format!("acknowledged to the platform, {} ms after it arrived", acked_ms - at_ms);
        steps.push(Step::new(acked_ms, "acked", text));
    }
    steps
}

/// What a log entry says; the begin of an attempt is a step of its own.
fn logged(history: &History, entry: &LogEntry) -> Vec<Step> {
    let task = entry.task.and_then(|id| history.tasks.iter().find(|task| task.id == id));
    let handler = task.map(|task| task.handler.clone()).unwrap_or_default();
    let item = match (entry.task, entry.outbox) {
        (Some(task), _) => format!("t{}", task.0),
        (None, Some(row)) => format!("o{}", row.0),
        (None, None) => String::new(),
    };
    let is_send = entry.outbox.is_some();
    let ended = Step {
        text: sentence(entry, &item, &handler),
        detail: entry.detail.clone(),
        item: item.clone(),
        handler: handler.clone(),
        attempt: entry.attempt,
        took_ms: entry.from_ms.map(|from_ms| entry.at_ms - from_ms),
        code: entry.code.clone(),
        log_id: entry.log_id.clone(),
        ..Step::new(entry.at_ms, &entry.what, "")
    };
    // A look is no attempt to send.
    let began = entry
        .from_ms
        .filter(|_| entry.what != "looked")
        .map(|at_ms| begin(at_ms, is_send, &item, &handler, entry.attempt));
    began.into_iter().chain([ended]).collect()
}

fn begin(at_ms: i64, is_send: bool, item: &str, handler: &str, attempt: u32) -> Step {
    let (step, text) = if is_send {
        ("send", format!("{item}: attempt {attempt} to send begins"))
    } else {
        ("attempt", format!("{handler}: attempt {attempt} begins"))
    };
    let (item, handler) = (item.to_owned(), handler.to_owned());
    Step { item, handler, attempt, ..Step::new(at_ms, step, text) }
}

fn sentence(entry: &LogEntry, item: &str, handler: &str) -> String {
    let LogEntry { attempt, code, detail, .. } = entry;
    match entry.what.as_str() {
        "redelivered" => format!(
            "delivered again, time {attempt}: recognised by its ids, acknowledged, not handled again"
        ),
        "attempt_failed" => {
            format!("{handler}: attempt {attempt} failed, {code}: {detail}; to be tried again")
        }
        "attempt_cut_off" => {
            format!("{handler}: attempt {attempt} was cut off, its process ended or stood still")
        }
        "promised" => format!("{handler} promised a later answer"),
        "send_failed" => {
            format!(
                "{item}: attempt {attempt} failed, {code}: {detail}{}",
                with(&entry.log_id, detail)
            )
        }
        "send_cut_off" => format!(
            "{item}: attempt {attempt} was cut off, its process ended or stood still; whether \
             the platform has the message is not known"
        ),
        "looked" => {
            format!("{item}: the platform forgot its uuid by now, looked in the chat: {detail}")
        }
        "dead" => given_up(item, *attempt, code, detail, &entry.log_id),
        "retried" => format!("{item} is due again, by hand"),
        "dropped" => format!("{item} was closed by hand"),
        "merged" => format!("{item} is {detail}, which answers both"),
        "recalled" => "its writer took the message back".to_owned(),
        "unreadable" => format!("kept as it came, but it cannot be read: {detail}"),
        // Written by an earlier version, which wrote sentences.
        _ => detail.clone(),
    }
}

fn given_up(item: &str, attempts: u32, code: &str, error: &str, log_id: &str) -> String {
    format!(
        "{item} was given up after attempt {attempts}, {code}: {error}{}; see `larkline dead`",
        with(log_id, error)
    )
}

/// The log id, unless the words before it hold it already.
fn with(log_id: &str, said: &str) -> String {
    if log_id.is_empty() || said.contains(log_id) {
        String::new()
    } else {
        format!(" (log id {log_id})")
    }
}

fn handling(history: &History, task: &TaskFacts) -> Vec<Step> {
    let TaskFacts { route, handler, attempts, .. } = task;
    let item = format!("t{}", task.id.0);
    let mut steps = Vec::new();
    if let Some(at_ms) = history.routed_ms {
        let text = format!("route {route} gives it to {handler} as {item}");
        steps.push(Step {
            item: item.clone(),
            route: route.clone(),
            handler: handler.clone(),
            ..Step::new(at_ms, "routed", text)
        });
    }
    steps.extend(task.claimed_ms.map(|at_ms| begin(at_ms, false, &item, handler, *attempts)));
    // A merged task ends with the verdict of another event, one that was withdrawn because somebody
    // wanted that: both are steps of their own.
    let ended_ms = task.ended_ms.filter(|_| !matches!(task.state.as_str(), "merged" | "withdrawn"));
    let Some(at_ms) = ended_ms else { return steps };
    let took_ms = task.claimed_ms.map(|from_ms| at_ms - from_ms);
    let (step, text) = match task.state.as_str() {
        "dead" | "dropped" => ("dead", given_up(&item, *attempts, &task.code, &task.error, "")),
        "awaiting" => ("promised", format!("{handler} promised a later answer")),
        _ if task.until_ms.is_some() => ("handled", format!("{handler} gave its later answer")),
        _ => ("handled", format!("{handler} is done")),
    };
    steps.push(Step {
        item,
        handler: handler.clone(),
        attempt: *attempts,
        took_ms,
        code: task.code.clone(),
        detail: task.error.clone(),
        ..Step::new(at_ms, step, text)
    });
    steps
}

fn sending(row: &OutboxFacts) -> Vec<Step> {
    let item = format!("o{}", row.id.0);
    let words = if row.preview.is_empty() { String::new() } else { format!(": {}", row.preview) };
    let text = format!("{item} for {} is in the outbox{words}", row.lane);
    let queued = Step::new(row.created_ms, "queued", text);
    let mut steps = vec![Step { item: item.clone(), detail: row.preview.clone(), ..queued }];
    steps.extend(row.claimed_ms.map(|at_ms| begin(at_ms, true, &item, "", row.attempts)));
    let Some(at_ms) = row.ended_ms else { return steps };
    let (step, text) = match row.state.as_str() {
        "delivered" => ("delivered", delivered(&item, &row.message_id, &row.log_id)),
        _ => ("dead", given_up(&item, row.attempts, &row.code, &row.error, &row.log_id)),
    };
    steps.push(Step {
        item,
        attempt: row.attempts,
        took_ms: row.claimed_ms.map(|from_ms| at_ms - from_ms),
        code: row.code.clone(),
        log_id: row.log_id.clone(),
        message_id: row.message_id.clone(),
        detail: row.error.clone(),
        ..Step::new(at_ms, step, text)
    });
    steps
}

/// What became of a row; a change of a card that is gone, or a word that was true of an earlier run only,
/// is settled without a call.
fn delivered(item: &str, message_id: &str, log_id: &str) -> String {
    match (message_id, log_id) {
        ("", "") => format!("{item} was not needed any more, nothing was sent"),
        ("", _) => format!("{item} is done{}", with(log_id, "")),
        _ => format!("{item} is message {message_id}{}", with(log_id, "")),
    }
}

fn verdict(history: &History) -> Option<Step> {
    let Record { outcome, why, .. } = &history.record;
    let text = match (why.as_str(), reason::sentence(Lang::En, why)) {
        ("", _) => outcome.clone(),
        (why, None) => format!("{outcome}, {why}"),
        (why, Some(reason)) => format!("{outcome}, {why}: {reason}"),
    };
    // What the router decided is in force with the commit, and the last thing to be said.
    let committed_ms = history.acked_ms.max(history.journaled_ms);
    let at_ms = history.verdict_ms?.max(committed_ms.unwrap_or_default());
    let step = Step::new(at_ms, "verdict", text);
    Some(Step { code: why.clone(), ..step })
}

#[cfg(test)]
mod tests {
    use larkline_store::task::TaskId;

    use super::*;

    #[test]
    fn what_was_settled_without_a_call_is_no_message() {
        assert_eq!(delivered("o3", "", ""), "o3 was not needed any more, nothing was sent");
        assert_eq!(delivered("o3", "om_1", ""), "o3 is message om_1");
        assert!(!delivered("o3", "", "log").contains("message"));
    }

    /// A message that was answered with another one says which, and not that it was handled itself.
    #[test]
    fn a_merged_message_names_the_task_that_answers_it() {
        let task = TaskFacts {
            id: TaskId(8),
            route: "coding".into(),
            handler: "claude".into(),
            state: "merged".into(),
            attempts: 0,
            claimed_ms: None,
            ended_ms: Some(40),
            until_ms: None,
            code: String::new(),
            error: String::new(),
        };
        let merged = LogEntry {
            at_ms: 30,
            what: "merged".into(),
            task: Some(task.id),
            detail: "merged into task 7".into(),
            ..LogEntry::default()
        };
        let word = String::new;
        let record = Record {
            direction: "in".into(),
            at_ms: 10,
            app: "main".into(),
            row: 2,
            event_id: "ev_2".into(),
            message_id: word(),
            chat_id: word(),
            sender: word(),
            kind: word(),
            preview: word(),
            outcome: "replied".into(),
            why: word(),
            boot_id: word(),
        };
        let history = History {
            record,
            repeats: 0,
            journaled_ms: Some(11),
            acked_ms: Some(12),
            routed_ms: Some(20),
            verdict_ms: Some(40),
            tasks: vec![task],
            outbox: Vec::new(),
            log: vec![merged],
        };
        let story = Story::of(&history);
        let steps: Vec<_> = story.steps.iter().map(|step| step.step.as_str()).collect();
        assert_eq!(steps, ["received", "journaled", "acked", "routed", "merged", "verdict"]);
        assert_eq!(story.steps[4].text, "t8 is merged into task 7, which answers both");
    }
}
