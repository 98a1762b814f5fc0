//! The agent: one turn after the other, and whatever is heard meanwhile.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::conversation::Conversation;
use super::flags::Flags;
use super::hearing::{Ears, Heard};
use super::prompt::Prompt;
use super::script::{Script, Silence};
use super::shell::Ran;
use super::voice::{Closing, Voice};
use crate::output;

/// User lines that wait for their turn; whoever writes more does not listen.
const WAITING_MAX: usize = 64;

/// The agent and its present turn.
pub(super) struct Agent {
    pub(super) flags: Flags,
    pub(super) folder: PathBuf,
    pub(super) conversation: Conversation,
    pub(super) voice: Voice,
    pub(super) ears: Ears,
    /// User lines that wait for their turn.
    pub(super) waiting: VecDeque<Value>,
    /// Nothing more will be said to us.
    pub(super) ended: bool,
    pub(super) turn: Turn,
    /// Memory that is held on request.
    pub(super) hoard: Vec<Vec<u8>>,
    /// Held, SIGTERM has no effect.
    pub(super) deaf: Option<tokio::signal::unix::Signal>,
}

/// What is open in a turn, for whoever has to close it.
pub(super) struct Turn {
    pub(super) began: Instant,
    /// Finished calls of the model.
    pub(super) calls: u32,
    pub(super) denials: Vec<Value>,
    /// The message that is being streamed, and the text so far.
    pub(super) partial: Option<(String, String)>,
    /// The tool that was called and has no result.
    pub(super) tool: Option<String>,
    /// The question that has no answer.
    pub(super) ask: Option<(String, Value)>,
    /// The command that runs.
    pub(super) command: Option<u32>,
    /// What the last tool said.
    pub(super) said: Option<String>,
    /// What the last command printed.
    pub(super) output: Option<String>,
    /// Leave was denied.
    pub(super) denied: bool,
}

/// Something that is waited for.
pub(super) enum Event {
    /// A user line; it waits for its turn.
    Line,
    Response(Value),
    Ran(Ran),
    Ended,
    TimeUp,
}

/// Why a turn goes no further.
pub(super) enum Cut {
    /// Somebody stopped it; with the request to be agreed to, if it came by one.
    Stopped(Option<Value>),
    /// It has told its end; the exit code if it was the last.
    Ended(u8),
    /// The process ends at once.
    Quit(u8),
}

impl Agent {
    /// An agent for this command line, in the present directory.
    ///
    /// # Errors
    /// The line for stderr.
    pub(super) fn new(flags: Flags) -> Result<Self, String> {
        // Conversations are found by the real path.
        let folder = std::env::current_dir().and_then(std::fs::canonicalize);
        let folder = folder.map_err(|error| format!("Error: no working directory: {error}"))?;
        let conversation = Conversation::open(&flags, &folder)?;
        let (id, model) = (conversation.id.clone(), flags.model.clone());
        let voice = Voice::new(id, model, folder.to_string_lossy().into_owned());
        Ok(Self {
            flags,
            folder,
            conversation,
            voice,
            ears: Ears::new(),
            waiting: VecDeque::new(),
            ended: false,
            turn: Turn::new(),
            hoard: Vec::new(),
            deaf: None,
        })
    }

    /// Plays turns until stdin ends; the exit code is that of the last one.
    pub(super) fn run(&mut self) -> u8 {
        let mut code = 0;
        if self.conversation.unknown {
            return self.unknown();
        }
        loop {
            let line = match self.next_line() {
                Ok(Some(line)) => line,
                Ok(None) => return code,
                Err(quit) => return quit,
            };
            code = match self.play(&line) {
                Ok(()) => 0,
                Err(Cut::Ended(code)) => code,
                Err(Cut::Stopped(request)) => self.stopped(request.as_ref()),
                Err(Cut::Quit(code)) => return code,
            };
        }
    }

    /// The next user line; `None` at the end of stdin.
    fn next_line(&mut self) -> Result<Option<Value>, u8> {
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            match self.listen(None) {
                // An interrupt while nothing runs is agreed to, and that is all.
                Err(Cut::Stopped(request)) => self.voice.agreed(&request.unwrap_or_default(), None),
                Err(Cut::Quit(code) | Cut::Ended(code)) => return Err(code),
                Ok(_) => {}
            }
        }
    }

    /// A conversation that was to be resumed is not there. Like the real agent, this one finds out
    /// when it hears something, and hears nothing after it.
    fn unknown(&mut self) -> u8 {
        self.ears.next(None);
        let error = format!("No conversation found with session ID: {}", self.conversation.id);
        output::note(&error);
        self.voice
            .result(Closing { errors: vec![error], ..Closing::failed("error_during_execution") });
        1
    }

    /// One turn, from the user's line to the result.
    fn play(&mut self, line: &Value) -> Result<(), Cut> {
        self.turn = Turn::new();
        let message = &line["message"];
        let prompt = Prompt::of(message, &self.folder);
        if let Some(command) = &prompt.command {
            self.voice.init(&self.flags.mode);
            return Err(self.local(command));
        }
        let script = Script::of(&prompt.text, &prompt.words, self.conversation.turns + 1);
        self.refuse_to_start(&script)?;
        self.conversation.begin(message);
        self.voice.init(&self.flags.mode);
        for act in &script.acts {
            if self.turn.denied && script.otherwise.is_some() {
                break;
            }
            self.act(act)?;
        }
        self.answer(&script, &prompt)
    }

    /// Waits, and passes over what comes.
    pub(super) fn silence(&mut self, silence: Silence) -> Result<(), Cut> {
        match silence {
            Silence::None => Ok(()),
            Silence::For(duration) => self.pause(duration),
            Silence::Ever => loop {
                self.listen(None)?;
            },
        }
    }

    /// Waits so long.
    pub(super) fn pause(&mut self, duration: Duration) -> Result<(), Cut> {
        if duration.is_zero() {
            return Ok(());
        }
        let until = Instant::now() + duration;
        while !matches!(self.listen(Some(until))?, Event::TimeUp) {}
        Ok(())
    }

    /// What comes next, until then. User lines wait for their turn, requests are answered.
    pub(super) fn listen(&mut self, until: Option<Instant>) -> Result<Event, Cut> {
        loop {
            match self.ears.next(until) {
                None => return Ok(Event::TimeUp),
                Some(Heard::User(line)) => {
                    self.waiting.push_back(line);
                    if self.waiting.len() > WAITING_MAX {
                        output::note("too many messages wait");
                        return Err(Cut::Quit(1));
                    }
                    return Ok(Event::Line);
                }
                Some(Heard::Control(line)) => {
                    if line["request"]["subtype"] == "interrupt" {
                        return Err(Cut::Stopped(Some(line["request_id"].clone())));
                    }
                    self.control(&line["request_id"], &line["request"]);
                }
                Some(Heard::Response(line)) => return Ok(Event::Response(line)),
                Some(Heard::Ran(ran)) => return Ok(Event::Ran(ran)),
                Some(Heard::End) => {
                    self.ended = true;
                    return Ok(Event::Ended);
                }
                Some(Heard::Broken) => {
                    output::note("Error parsing streaming input line");
                    return Err(Cut::Quit(1));
                }
            }
        }
    }

    /// Answers a request that does not touch the turn.
    fn control(&mut self, id: &Value, request: &Value) {
        match request["subtype"].as_str().unwrap_or_default() {
            "initialize" => {
                let account = json!({"tokenSource": "none", "apiKeySource": "none", "apiProvider": "scripted"});
                let with = json!({
                    "commands": [], "agents": [], "output_style": "default",
                    "available_output_styles": ["default"], "models": [],
                    "account": account, "pid": std::process::id(),
                });
                self.voice.agreed(id, Some(with));
            }
            "set_permission_mode" => {
                let mode = request["mode"].as_str().unwrap_or_default();
                if mode == "bypassPermissions" && self.flags.mode != mode {
                    return self
                        .voice
                        .refused(id, "Cannot set permission mode to bypassPermissions");
                }
                mode.clone_into(&mut self.flags.mode);
                self.voice.agreed(id, Some(json!({ "mode": mode })));
                self.voice.system("status", json!({"status": null, "permissionMode": mode}));
            }
            "set_model" => {
                request["model"].as_str().unwrap_or_default().clone_into(&mut self.voice.model);
                self.voice.replayed(&format!("Set model to {}", self.voice.model));
                self.voice.agreed(id, None);
            }
            "set_max_thinking_tokens" => self.voice.agreed(id, None),
            "mcp_status" => self.voice.agreed(id, Some(json!({"mcpServers": []}))),
            other => {
                self.voice.refused(id, &format!("Unsupported control request subtype: {other}"));
            }
        }
    }
}

impl Turn {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            calls: 0,
            denials: Vec::new(),
            partial: None,
            tool: None,
            ask: None,
            command: None,
            said: None,
            output: None,
            denied: false,
        }
    }
}
