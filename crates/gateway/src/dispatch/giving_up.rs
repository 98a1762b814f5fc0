//! Tasks that get no attempt, or no further one.

use std::time::Duration;

use larkline_proto::content::Outgoing;
use larkline_proto::event::Event;
use larkline_proto::id::OpenId;
use larkline_store::job::JOB;
use larkline_store::task::{Before, ClaimedTask, TaskSettlement};

use super::Dispatch;
use crate::clock::{ms, now_ms};
use crate::config::{OURS, RetrySettings};
use crate::handler::{HandlerError, Turn};
use crate::live::Live;
use crate::outgoing::Saying;
use crate::router::{self, Context, Why};
use crate::words;

/// Attempts in whose midst the process died, after which a task is given up: it may be what ends it.
/// A service manager allows more starts.
const CUT_OFFS_MAX: u32 = 8;
/// So many are tried again at once: a kill is no reason to wait.
const CUT_OFFS_AT_ONCE: u32 = 4;
/// The waits after that: 5 s to 20 s, so that what died with it, and is not the cause, gets through.
const ASIDE: RetrySettings = RetrySettings {
    attempts: CUT_OFFS_MAX,
    first: Duration::from_secs(5),
    max: Duration::from_secs(300),
    factor: 2,
};

/// Attempts before this one that failed by themselves.
pub(super) fn failures(task: &ClaimedTask) -> u32 {
    (task.attempt - 1).saturating_sub(task.stops + task.cut_offs)
}

impl Dispatch {
    /// A reload may have taken away the leave that its sender or chat had when it came.
    pub(super) fn admitted(&self, task: &ClaimedTask, turn: &Turn) -> Result<(), Why> {
        let config = self.shared.config.load();
        let app = config.apps.iter().find(|app| app.name == task.item.app);
        let Some(app) = app.filter(|_| !OURS.contains(&self.name.as_str())) else { return Ok(()) };
        let (bot, received_ms) = (&OpenId::default(), task.item.received_ms);
        let ctx = Context { config: &config, app, bot, received_ms };
        router::admits(&self.name, &turn.event, ctx)
    }

    /// The task dies without a word to its chat, as a new message of it would be filtered.
    pub(super) fn turned_away(&self, task: &ClaimedTask, why: Why) -> TaskSettlement {
        tracing::warn!(handler = self.name, event_id = %task.item.event_id, why = why.word(),
            "not handled: the configuration does not allow it any more; see `larkline dead`");
        let error = "the configuration of now does not let it reach its handler".to_owned();
        let (at_ms, code) = (now_ms(), why.word().to_owned());
        TaskSettlement::Dead { at_ms, code, error, notices: Vec::new() }
    }

    /// Why there is no further attempt, where that is not said by the end of the one before: a crash
    /// asks nobody, and a reload may allow fewer.
    pub(super) fn used_up(&self, task: &ClaimedTask, turn: &Turn) -> Option<HandlerError> {
        let attempts = self.retry(turn).attempts;
        let once = attempts == 1 && task.attempt > 1;
        let over = once || task.cut_offs >= CUT_OFFS_MAX || failures(task) >= attempts;
        over.then(|| match &task.before {
            Before::Failed { code, error } => HandlerError::earlier(code, error),
            Before::CutOff | Before::Nothing if once => HandlerError::interrupted(),
            Before::CutOff | Before::Nothing => HandlerError::deadly(task.cut_offs),
        })
    }

    /// A task in whose midst the process died again and again waits, each time once.
    pub(super) fn steps_aside(&self, task: &ClaimedTask) -> Option<TaskSettlement> {
        let nth = task.cut_offs.saturating_sub(CUT_OFFS_AT_ONCE);
        if nth == 0 || task.before != Before::CutOff {
            return None;
        }
        let wait = ASIDE.backoff(nth, fastrand::u64(..));
        tracing::warn!(handler = self.name, event_id = %task.item.event_id, cut_offs = task.cut_offs,
            wait_ms = wait.as_millis(), "the gateway died while this was handled, again; to be tried later");
        Some(TaskSettlement::Postpone { due_ms: now_ms() + ms(wait) })
    }

    /// The task dies, and its chat is told.
    pub(super) fn given_up(
        &self,
        task: &ClaimedTask,
        turn: Option<&Turn>,
        error: &HandlerError,
    ) -> TaskSettlement {
        tracing::error!(handler = self.name, event_id = %task.item.event_id, attempt = task.attempt,
            code = error.code, "handler failed for good: {error}; see `larkline dead`");
        let lang = self.shared.config.load().language;
        let told = turn.filter(|turn| turn.event.message().is_some() || is_heard_of(&turn.event));
        let notices = match told {
            // A task that was retried by hand and died again says so again.
            Some(turn) => {
                let (growing, footer) = (turn.live.as_ref().and_then(Live::growing), String::new());
                let saying = match (self.handler.farewell(lang, turn, error), growing) {
                    (Some(markdown), _) => {
                        Saying::Answer { markdown, ending: String::new(), footer }
                    }
                    (None, growing) => {
                        let notice = match error.code {
                            "spawn" if turn.live.is_some() => words::not_started(lang, &self.name),
                            code => words::failed(lang, &self.name, code, task.attempt),
                        };
                        match growing {
                            Some(_) => {
                                Saying::Answer { markdown: String::new(), ending: notice, footer }
                            }
                            None => Outgoing::text(&notice).into(),
                        }
                    }
                };
                self.rows(task, told, &format!("n{}/", now_ms()), vec![saying])
            }
            None => Vec::new(),
        };
        TaskSettlement::Dead {
            at_ms: now_ms(),
            code: error.code.to_owned(),
            error: error.detail.clone(),
            notices,
        }
    }
}

/// A job whose chat waits for its end.
fn is_heard_of(event: &Event) -> bool {
    event.kind == JOB && event.chat_id().is_some()
}
