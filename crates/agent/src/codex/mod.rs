//! `codex exec --json`: one turn in one process, the prompt on its input, lines on its output.
//!
//! `exec` asks nobody, takes nothing after its prompt and tells no text before it is whole. What of
//! a [`Launch`] it has no word for has no effect here: lists of tools, limits of turns and budget,
//! and MCP servers belong into `config.toml`. It takes pictures as files only (`-i`), so those of a
//! [`Prompt`] are left out: whoever starts it names their paths in the text.

mod items;

use serde_json::Value;

use crate::event::{Done, Event, Notice, Outcome, Step, Usage};
use crate::line;
use crate::plain::{DETAIL_MAX, NOTICE_MAX, cut, plain};
use crate::prompt::Prompt;
use crate::wire::{Answer, Exit, Launch, Permission, Session};
use crate::words;
use items::Items;

/// What `exec` writes to its standard error in every turn.
const ALWAYS_SAID: &str = "Reading additional input from stdin...";
/// The longest id of a thread, bytes: it is kept.
const ID_MAX: usize = 256;

/// One turn of Codex.
///
/// A turn that is over by its [`Done`] may be one that still runs: a thread that is not known is
/// replaced by a new one without a word, so the process has to be ended, not waited for.
pub struct Codex {
    /// The thread that was asked for.
    resume: Option<String>,
    system: Option<String>,
    stage: Stage,
    interrupted: bool,
    items: Items,
    /// What the thread had used before this turn, as far as it is known.
    before: Option<Usage>,
    total: Option<Usage>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Running,
    Over,
}

impl Codex {
    /// Program and arguments; the prompt is read from the input.
    ///
    /// Nobody can be asked, so [`Permission`] chooses the sandbox: `Deny` only reads, `Ask` writes
    /// below `cwd` and is otherwise refused, `Allow` has none.
    pub fn argv(launch: &Launch) -> Vec<String> {
        let mut argv = launch.program.clone();
        let mut add = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
        add(&["exec", "--json", "--skip-git-repo-check", "-C", &launch.cwd.to_string_lossy()]);
        if let Some(model) = &launch.model {
            add(&["-m", model]);
        }
        let sandbox = match launch.permission {
            Permission::Deny => "read-only",
            Permission::Ask => "workspace-write",
            Permission::Allow => "danger-full-access",
        };
        add(&["-s", sandbox]);
        // Its commands would see the keys in its environment, and without a network it would wait
        // five seconds at the end to tell its maker about the turn.
        add(&["-c", "shell_environment_policy.inherit=core", "-c", "analytics.enabled=false"]);
        // They may be written to, which the other sandboxes refuse or allow everywhere.
        for dir in launch.add_dirs.iter().filter(|_| launch.permission == Permission::Ask) {
            add(&["--add-dir", &dir.to_string_lossy()]);
        }
        argv.extend(launch.extra.iter().cloned());
        if let Session::Resume(thread) = &launch.session {
            argv.extend(["resume".to_owned(), thread.clone()]);
        }
        argv.push("-".to_owned());
        argv
    }

    /// A turn that has not begun.
    pub fn new(launch: &Launch) -> Self {
        let (resume, system, before) = match &launch.session {
            Session::New(_) => (None, launch.system.clone(), Some(Usage::default())),
            Session::Resume(thread) => (Some(thread.clone()), None, None),
        };
        Self {
            resume,
            system,
            stage: Stage::Idle,
            interrupted: false,
            items: Items::default(),
            before,
            total: None,
        }
    }

    /// Says what a resumed thread had used before: its [`thread_total`](Self::thread_total) after
    /// the last turn. Codex tells only that total, so without it a resumed turn has no
    /// [`Event::Usage`], which is a turn's.
    #[must_use]
    pub fn used_before(self, total: Usage) -> Self {
        Self { before: Some(total), ..self }
    }

    /// What the thread has used over all its turns, once this one is over; to be kept with the
    /// conversation.
    pub fn thread_total(&self) -> Option<Usage> {
        self.total
    }

    /// Begins the turn: the prompt is written and the input closed, as Codex reads it to its end.
    pub fn begin(&mut self, prompt: &Prompt) -> Step {
        if self.stage != Stage::Idle {
            return Step::default();
        }
        self.stage = Stage::Running;
        let mut parts: Vec<String> = self.system.take().into_iter().collect();
        parts.extend([plain(&prompt.text), prompt.closing.clone()]);
        parts.retain(|part| !part.trim().is_empty());
        let write = format!("{}\n", parts.join("\n\n")).into_bytes();
        Step { write, close: true, ..Step::default() }
    }

    /// Takes one line that Codex printed.
    pub fn line(&mut self, line: &[u8]) -> Step {
        if self.stage != Stage::Running {
            return Step::default();
        }
        let Some(line) = line::read::<Value>(line) else { return Step::default() };
        let events = match line["type"].as_str().unwrap_or_default() {
            "thread.started" => return self.started(&line["thread_id"]),
            "item.started" | "item.updated" => self.items.take(&line["item"], false),
            "item.completed" => self.items.take(&line["item"], true),
            "error" => vec![Event::Notice(notice(&line["message"]))],
            "turn.completed" => return self.completed(&line["usage"]),
            "turn.failed" => return self.failed(&line["error"]["message"]),
            _ => Vec::new(),
        };
        Step { events, ..Step::default() }
    }

    /// Codex asks nothing, so there is nothing to answer.
    pub fn answer(&mut self, _ask: &str, _answer: &Answer) -> Step {
        Step::default()
    }

    /// Notes that the turn is interrupted. Nothing can be written: a signal does it (`SIGINT`), and
    /// [`ended`](Self::ended) says the end.
    pub fn interrupt(&mut self) -> Step {
        self.interrupted = true;
        if self.stage == Stage::Idle {
            return self.finished(Vec::new(), Done::new(Outcome::Cancelled, ""));
        }
        Step::default()
    }

    /// Makes up the end if the process died without one. `complaints` is what it wrote to its
    /// standard error.
    pub fn ended(&mut self, exit: Exit, complaints: &str) -> Step {
        if self.stage == Stage::Over {
            return Step::default();
        }
        let complaints: Vec<&str> =
            complaints.lines().filter(|line| line.trim() != ALWAYS_SAID).collect();
        let complaints = complaints.join("\n");
        let mut done = words::death(exit, &complaints);
        if self.interrupted {
            done.outcome = Outcome::Cancelled;
        } else if self.resume.is_some() && complaints.contains("no rollout found") {
            done = Done { outcome: Outcome::Failed, unknown_session: true, ..done };
        }
        self.finished(Vec::new(), done)
    }

    fn started(&mut self, thread: &Value) -> Step {
        let thread = thread.as_str().unwrap_or_default();
        if thread.is_empty() || thread.len() > ID_MAX {
            return Step::default();
        }
        if self.resume.as_deref().is_some_and(|asked| asked != thread) {
            let detail = format!("it knows no such thread and began another one: {thread}");
            let done = Done { unknown_session: true, ..Done::new(Outcome::Failed, detail) };
            return self.finished(Vec::new(), done);
        }
        Step::event(Event::Started { session: thread.to_owned() })
    }

    fn completed(&mut self, usage: &Value) -> Step {
        let count = |name: &str| usage[name].as_u64();
        let mut events = Vec::new();
        if let (Some(tokens_in), Some(tokens_out)) = (count("input_tokens"), count("output_tokens"))
        {
            self.total = Some(Usage { tokens_in, tokens_out, cost_usd: None });
            events.extend(self.before.map(|before| {
                Event::Usage(Usage {
                    tokens_in: tokens_in.saturating_sub(before.tokens_in),
                    tokens_out: tokens_out.saturating_sub(before.tokens_out),
                    cost_usd: None,
                })
            }));
        }
        self.finished(events, Done::new(Outcome::Ok, ""))
    }

    fn failed(&mut self, message: &Value) -> Step {
        let message = message.as_str().unwrap_or_default();
        let outcome = if self.interrupted {
            Outcome::Cancelled
        } else {
            words::outcome(message).unwrap_or(Outcome::Failed)
        };
        self.finished(Vec::new(), Done::new(outcome, cut(&unpacked(message), DETAIL_MAX)))
    }

    fn finished(&mut self, mut events: Vec<Event>, done: Done) -> Step {
        self.stage = Stage::Over;
        events.push(Event::Done(done));
        Step { events, close: true, ..Step::default() }
    }
}

/// The message inside the body of an answer of the service, which Codex hands on as it came.
fn unpacked(message: &str) -> String {
    let body: Option<Value> = line::read(message.as_bytes());
    body.as_ref().and_then(|body| body["error"]["message"].as_str()).unwrap_or(message).to_owned()
}

/// A line of type `error`, which is never the end: `Reconnecting... 1/5 (why)`, or other words.
fn notice(message: &Value) -> Notice {
    let message = message.as_str().unwrap_or_default();
    retrying(message).unwrap_or_else(|| Notice::Other(cut(&unpacked(message), NOTICE_MAX)))
}

fn retrying(message: &str) -> Option<Notice> {
    let (count, why) = message.strip_prefix("Reconnecting...")?.trim_start().split_once(' ')?;
    let (attempt, of) = count.split_once('/')?;
    let why = why.trim().trim_start_matches('(').trim_end_matches(')');
    Some(Notice::Retrying {
        attempt: attempt.parse().ok()?,
        of: of.parse().ok()?,
        wait_ms: 0,
        why: words::why(why).map_or_else(|| cut(why, NOTICE_MAX), str::to_owned),
    })
}
