//! The Agent Client Protocol, version 1: any agent that speaks it on its input and output.
//!
//! One process is one turn: `initialize`, then `session/new` or `session/load`, then
//! `session/prompt`, whose answer ends it. What of a [`Launch`] the protocol has no word for has no
//! effect here: the model, lists of tools, limits of turns and budget belong into the agent's own
//! arguments and configuration. No file system and no terminal is lent to the agent.

mod blocks;
mod permission;
mod rpc;
mod said;
mod servers;

use std::path::Path;

use serde_json::{Value, json};

use crate::event::{Done, Event, Notice, Outcome, Step};
use crate::plain::{NOTICE_MAX, cut};
use crate::prompt::Prompt;
use crate::wire::{Answer, Exit, Launch, Permission, Session};
use crate::words;
use permission::{Asked, cancelled};
use rpc::{Fault, Id, Incoming};
use said::Said;

/// The version that is spoken here.
const VERSION: u64 = 1;
/// The agent wants credentials.
const AUTH_REQUIRED: i64 = -32000;
/// There is nothing of that name.
const NOT_FOUND: i64 = -32002;
/// What agents say when they cannot find the session to load, besides their numbers.
const UNKNOWN_SESSION: [&str; 5] =
    ["not found", "no such", "does not exist", "no conversation", "no rollout"];
/// Requests for leave that wait at once; further ones are denied. A chat answers one at a time.
const ASKS_MAX: usize = 16;
/// The longest id of a request or a session, bytes: both are kept and shown.
const ID_MAX: usize = 256;
/// Our requests, by their ids.
const INITIALIZE: u64 = 1;
const OPEN: u64 = 2;
const PROMPT: u64 = 3;

/// One turn of an agent that speaks ACP.
pub struct Acp {
    launch: Launch,
    /// Kept until the session stands.
    prompt: Prompt,
    stage: Stage,
    session: String,
    images: bool,
    interrupted: bool,
    asks: Vec<Asked>,
    said: Said,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The prompt.
    Idle,
    /// The answer to `initialize`.
    Initializing,
    /// The answer to `session/new` or `session/load`.
    Opening,
    /// The answer to `session/prompt`.
    Prompting,
    /// Nothing.
    Over,
}

impl Acp {
    /// Program and arguments: the operator's own, as ACP needs none.
    pub fn argv(launch: &Launch) -> Vec<String> {
        launch.program.iter().chain(&launch.extra).cloned().collect()
    }

    /// A turn that has not begun.
    pub fn new(launch: &Launch) -> Self {
        Self {
            launch: launch.clone(),
            prompt: Prompt::default(),
            stage: Stage::Idle,
            session: String::new(),
            images: false,
            interrupted: false,
            asks: Vec::new(),
            said: Said::default(),
        }
    }

    /// Begins the turn. The prompt is sent when the session stands.
    pub fn begin(&mut self, prompt: &Prompt) -> Step {
        if self.stage != Stage::Idle {
            return Step::default();
        }
        self.stage = Stage::Initializing;
        self.prompt = prompt.clone();
        let params = json!({
            "protocolVersion": VERSION,
            "clientCapabilities": {
                "fs": {"readTextFile": false, "writeTextFile": false},
                "terminal": false,
            },
            "clientInfo": {"name": "larkline", "version": env!("CARGO_PKG_VERSION")},
        });
        written(rpc::request(INITIALIZE, "initialize", &params))
    }

    /// Takes one line that the agent printed.
    pub fn line(&mut self, line: &[u8]) -> Step {
        if matches!(self.stage, Stage::Idle | Stage::Over) {
            return Step::default();
        }
        match rpc::read(line) {
            Some(Incoming::Request { id, method, params }) => self.request(id, &method, &params),
            Some(Incoming::Notification { method, params }) => self.notification(&method, &params),
            Some(Incoming::Answer { id, result }) => self.answered(&id, result),
            None => Step::default(),
        }
    }

    /// Answers a question. One that is not open any more is left alone.
    pub fn answer(&mut self, ask: &str, answer: &Answer) -> Step {
        self.taken(ask)
            .map(|asked| written(rpc::answer(&asked.id, &asked.result(answer))))
            .unwrap_or_default()
    }

    /// Interrupts the turn. Before the prompt was sent nothing runs, so that is the end; after it
    /// the agent itself says that it has stopped.
    pub fn interrupt(&mut self) -> Step {
        let running = self.stage == Stage::Prompting;
        if self.stage == Stage::Over || std::mem::replace(&mut self.interrupted, true) {
            return Step::default();
        }
        if !running {
            return self.finished(Done::new(Outcome::Cancelled, ""));
        }
        let mut step =
            written(rpc::notification("session/cancel", &json!({"sessionId": self.session})));
        for asked in std::mem::take(&mut self.asks) {
            step.write.extend(rpc::answer(&asked.id, &cancelled()));
            step.events.push(withdrawn(&asked));
        }
        step
    }

    /// Makes up the end if the process died without one. `complaints` is what it wrote to its
    /// standard error.
    pub fn ended(&mut self, exit: Exit, complaints: &str) -> Step {
        if self.stage == Stage::Over {
            return Step::default();
        }
        let done = words::death(exit, complaints);
        let outcome = if self.interrupted { Outcome::Cancelled } else { done.outcome };
        self.finished(Done { outcome, ..done })
    }

    fn request(&mut self, id: Id, method: &str, params: &Value) -> Step {
        if id.get().len() > ID_MAX || self.asks.iter().any(|asked| asked.id.get() == id.get()) {
            return written(rpc::refusal(
                &id,
                rpc::INVALID_REQUEST,
                "the id is too long, or in use",
            ));
        }
        if method == "session/request_permission" {
            return self.permission(id, params);
        }
        written(rpc::refusal(&id, rpc::METHOD_NOT_FOUND, "method not found"))
    }

    fn permission(&mut self, id: Id, params: &Value) -> Step {
        let asked = Asked::new(id, params);
        if self.stage != Stage::Prompting || self.interrupted {
            return written(rpc::answer(&asked.id, &cancelled()));
        }
        let tool_call = self.said.asked(&params["toolCall"]);
        let events = self.said.message();
        let result = match self.launch.permission {
            Permission::Ask if self.asks.len() < ASKS_MAX => {
                let ask = asked.ask(&tool_call);
                self.asks.push(asked);
                return Step {
                    events: [events, vec![Event::Ask(ask)]].concat(),
                    ..Step::default()
                };
            }
            Permission::Ask | Permission::Deny => asked.result(&Answer::Nobody),
            Permission::Allow => asked.allowed(),
        };
        Step { events, ..written(rpc::answer(&asked.id, &result)) }
    }

    fn notification(&mut self, method: &str, params: &Value) -> Step {
        match method {
            // Before the session stands updates repeat its history.
            "session/update" if self.stage == Stage::Prompting => {
                let other = params["sessionId"].as_str().is_some_and(|id| id != self.session);
                let events = if other { Vec::new() } else { self.said.update(&params["update"]) };
                Step { events, ..Step::default() }
            }
            "$/cancel_request" => self
                .taken(&params["requestId"].to_string())
                .map(|asked| Step {
                    events: vec![withdrawn(&asked)],
                    ..written(rpc::refusal(&asked.id, rpc::REQUEST_CANCELLED, "cancelled"))
                })
                .unwrap_or_default(),
            _ => Step::default(),
        }
    }

    fn answered(&mut self, id: &Id, result: Result<Value, Fault>) -> Step {
        let expected = match self.stage {
            Stage::Initializing => INITIALIZE,
            Stage::Opening => OPEN,
            Stage::Prompting => PROMPT,
            Stage::Idle | Stage::Over => return Step::default(),
        };
        if id.get() != expected.to_string() {
            return Step::default();
        }
        let result = match result {
            Ok(result) => result,
            Err(fault) => return self.failed(&fault),
        };
        match self.stage {
            Stage::Initializing => self.open(&result),
            Stage::Opening => self.opened(&result),
            Stage::Prompting => self.stopped(&result),
            Stage::Idle | Stage::Over => Step::default(),
        }
    }

    /// The agent is there: a session is asked for.
    fn open(&mut self, agent: &Value) -> Step {
        let version = &agent["protocolVersion"];
        if version.as_u64().is_some_and(|version| version != VERSION) {
            let detail = format!("it speaks version {version} of ACP, not {VERSION}");
            return self.finished(Done::new(Outcome::Failed, detail));
        }
        let capabilities = &agent["agentCapabilities"];
        self.images = capabilities["promptCapabilities"]["image"] == true;
        let config = self.launch.mcp.as_deref().unwrap_or_default();
        let (servers, left_out) = servers::servers(config, &capabilities["mcpCapabilities"]);
        let mut params = json!({"cwd": shown(&self.launch.cwd), "mcpServers": servers});
        let more = &capabilities["sessionCapabilities"]["additionalDirectories"];
        if more.is_object() && !self.launch.add_dirs.is_empty() {
            let dirs: Vec<String> = self.launch.add_dirs.iter().map(|dir| shown(dir)).collect();
            params["additionalDirectories"] = json!(dirs);
        }
        let method = match &self.launch.session {
            Session::New(_) => "session/new",
            Session::Resume(session) if capabilities["loadSession"] == true => {
                self.session.clone_from(session);
                params["sessionId"] = json!(session);
                "session/load"
            }
            Session::Resume(_) => {
                let detail = "it cannot load a session";
                return self.finished(unknown_session(detail));
            }
        };
        self.stage = Stage::Opening;
        let mut step = written(rpc::request(OPEN, method, &params));
        if !left_out.is_empty() {
            step.events.push(notice(&format!("MCP servers left out: {}", left_out.join(", "))));
        }
        step
    }

    /// The session stands: the prompt is sent.
    fn opened(&mut self, result: &Value) -> Step {
        let mut preface = None;
        if matches!(self.launch.session, Session::New(_)) {
            preface = self.launch.system.as_deref();
            result["sessionId"].as_str().unwrap_or_default().clone_into(&mut self.session);
        }
        if self.session.is_empty() || self.session.len() > ID_MAX {
            return self.finished(Done::new(Outcome::Failed, "it gave no id of the session"));
        }
        let (blocks, left_out) = blocks::blocks(&self.prompt, preface, self.images);
        self.prompt = Prompt::default();
        self.stage = Stage::Prompting;
        let params = json!({"sessionId": self.session, "prompt": blocks});
        let mut step = written(rpc::request(PROMPT, "session/prompt", &params));
        step.events.push(Event::Started { session: self.session.clone() });
        if left_out > 0 {
            step.events.push(notice(&format!("it takes no pictures: {left_out} left out")));
        }
        step
    }

    /// The turn is over.
    fn stopped(&mut self, result: &Value) -> Step {
        self.said.usage_of_turn(&result["usage"]);
        let reason = result["stopReason"].as_str().unwrap_or("without a reason");
        let outcome = match reason {
            "end_turn" => return self.finished(Done::new(Outcome::Ok, "")),
            "max_tokens" | "max_turn_requests" => Outcome::Limit,
            "refusal" => Outcome::Refused,
            "cancelled" => Outcome::Cancelled,
            _ => Outcome::Failed,
        };
        let detail = format!("it stopped: {}", cut(reason, NOTICE_MAX));
        self.finished(Done::new(outcome, detail))
    }

    fn failed(&mut self, fault: &Fault) -> Step {
        let words = fault.words.to_lowercase();
        let loading = self.stage == Stage::Opening && !self.session.is_empty();
        let unknown =
            fault.code == NOT_FOUND || UNKNOWN_SESSION.iter().any(|no| words.contains(no));
        let done = if self.interrupted {
            Done::new(Outcome::Cancelled, &*fault.words)
        } else if fault.code == AUTH_REQUIRED {
            Done::new(Outcome::Auth, &*fault.words)
        } else if loading && unknown {
            unknown_session(&fault.words)
        } else {
            let outcome = words::outcome(&words).unwrap_or(Outcome::Failed);
            Done::new(outcome, &*fault.words)
        };
        self.finished(done)
    }

    /// Ends the turn: what was said becomes a message, and open questions are taken back.
    fn finished(&mut self, done: Done) -> Step {
        self.stage = Stage::Over;
        self.prompt = Prompt::default();
        let mut events = self.said.message();
        events.extend(std::mem::take(&mut self.asks).iter().map(withdrawn));
        events.extend(self.said.usage());
        events.push(Event::Done(done));
        Step { events, close: true, ..Step::default() }
    }

    fn taken(&mut self, ask: &str) -> Option<Asked> {
        let at = self.asks.iter().position(|asked| asked.id.get() == ask)?;
        Some(self.asks.remove(at))
    }
}

fn written(write: Vec<u8>) -> Step {
    Step { write, ..Step::default() }
}

fn withdrawn(asked: &Asked) -> Event {
    Event::Withdrawn { ask: asked.id.get().to_owned() }
}

fn notice(words: &str) -> Event {
    Event::Notice(Notice::Other(cut(words, NOTICE_MAX)))
}

fn unknown_session(detail: &str) -> Done {
    Done { unknown_session: true, ..Done::new(Outcome::Failed, detail) }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
