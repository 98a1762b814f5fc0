//! Tasks that get no attempt, or no further one.

use larkline_proto::content::Outgoing;
use larkline_proto::event::Event;
use larkline_proto::id::OpenId;
use larkline_store::job::JOB;
use larkline_store::task::{Before, ClaimedTask, TaskSettlement};

use super::Dispatch;
use crate::clock::now_ms;
use crate::config::OURS;
use crate::handler::{HandlerError, Turn};
use crate::live::Live;
use crate::outgoing::Saying;
use crate::router::{self, Context, Why};
use crate::words;

/// Attempts in whose midst the process died, after which a task is given up: it may be what ends it.
/// Fewer than a service manager allows starts.
const CUT_OFFS_MAX: u32 = 5;

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
            Before::CutOff | Before::Nothing => HandlerError::interrupted(task.cut_offs),
        })
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
