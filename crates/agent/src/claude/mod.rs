//! The wire of Claude Code: `stream-json` lines both ways, one process for each turn.
//!
//! Order of calls: [`Claude::argv`] and [`Claude::env`] start the process, [`Claude::begin`] gives
//! the first lines to write, [`Claude::line`] takes each line it prints, [`Claude::ended`] its end.
//! [`Claude::answer`] and [`Claude::interrupt`] may come at any time. Its input has to stay open
//! until a [`Step`] says [`Step::close`]: the program does not flush what it printed otherwise.
//!
//! Qwen Code prints the same lines, so they are read leniently; its command line is another one.
//! What a process is allowed to do besides its arguments, and how it is ended, is not here.

mod answer;
mod asks;
mod control;
mod gist;
mod launch;
mod outcome;
mod questions;
mod read;
mod seen;
mod user;

use serde_json::Value;

use crate::event::{Done, Event, Outcome, Step};
use crate::prompt::Prompt;
use crate::wire::{Answer, Exit, Launch, Permission};

use answer::Text;
use asks::{Asks, Verdict};
use seen::Seen;

/// One turn of Claude Code.
#[derive(Debug)]
pub struct Claude {
    permission: Permission,
    /// The prompt is out.
    prompted: bool,
    /// The turn's [`Done`] is out.
    over: bool,
    /// The conversation's id that was told last.
    session: Option<String>,
    text: Text,
    asks: Asks,
    seen: Seen,
    /// The last thing said was that it thinks; it is not said again for every token.
    thinking: bool,
    /// How often an interruption was written; it makes the ids of those requests.
    interrupts: u32,
}

impl Claude {
    /// The whole command line. Nothing a person in a chat wrote is in it.
    pub fn argv(launch: &Launch) -> Vec<String> {
        launch::argv(launch)
    }

    /// The variables that every process gets, whatever is configured; keys are not among them.
    pub fn env() -> Vec<(&'static str, &'static str)> {
        launch::ENV.to_vec()
    }

    /// A turn of a process that is started with this.
    pub fn new(launch: &Launch) -> Self {
        Self {
            permission: launch.permission,
            prompted: false,
            over: false,
            session: None,
            text: Text::default(),
            asks: Asks::default(),
            seen: Seen::new(&launch.session),
            thinking: false,
            interrupts: 0,
        }
    }

    /// Begins the turn. A second call does nothing: one process does one turn.
    pub fn begin(&mut self, prompt: &Prompt) -> Step {
        if self.prompted || self.over {
            return Step::default();
        }
        if self.seen.interrupted {
            let mut step = Step { close: true, ..Step::default() };
            self.finish(Done::new(Outcome::Cancelled, "stopped before it began"), &mut step);
            return step;
        }
        self.prompted = true;
        Step { write: user::line(prompt), ..Step::default() }
    }

    /// Takes one line of its output, with or without its line feed.
    pub fn line(&mut self, line: &[u8]) -> Step {
        let mut step = Step::default();
        if self.over {
            // A background task that ends later begins a turn of its own; nobody waits for it.
            return step;
        }
        let Some(line) = read::object(line) else { return step };
        match line["type"].as_str().unwrap_or_default() {
            "system" => self.system(&line, &mut step),
            "stream_event" => self.stream(&line, &mut step),
            "assistant" => self.assistant(&line, &mut step),
            "user" => self.user(&line, &mut step),
            "control_request" => self.requested(&line, &mut step),
            "control_cancel_request" => self.withdrawn(&line, &mut step),
            "result" => self.result(&line, &mut step),
            _ => {}
        }
        step
    }

    /// Gives somebody's word on a question. One that is not open, or no longer, is not answered.
    pub fn answer(&mut self, ask: &str, answer: &Answer) -> Step {
        // The agent denies what is open by itself when it is interrupted; a late "yes" must not
        // overtake that.
        if self.over || self.seen.interrupted {
            return Step::default();
        }
        let write = self.asks.answer(ask, answer).unwrap_or_default();
        Step { write, ..Step::default() }
    }

    /// Asks it to stop; its [`Done`] still comes, from [`Self::line`] or [`Self::ended`].
    pub fn interrupt(&mut self) -> Step {
        if self.over {
            return Step::default();
        }
        self.seen.interrupted = true;
        if !self.prompted {
            return Step::default();
        }
        Step { write: self.interruption(), ..Step::default() }
    }

    /// Takes the end of the process and what it wrote to its standard error.
    pub fn ended(&mut self, exit: Exit, complaints: &str) -> Step {
        let mut step = Step::default();
        if !self.over {
            self.finish(outcome::of_end(exit, complaints, &self.seen), &mut step);
        }
        step
    }

    fn system(&mut self, line: &Value, step: &mut Step) {
        match line["subtype"].as_str().unwrap_or_default() {
            "init" => {
                if self.prompted && self.seen.interrupted && !self.seen.begun {
                    // One that finds it idle is accepted and has no effect; whether the first did
                    // is not known, and a second one does no harm.
                    step.write.extend(self.interruption());
                }
                self.seen.begun = true;
                self.started(line, step);
                step.events.extend(seen::servers(line).map(Event::Notice));
            }
            "api_retry" => {
                self.seen.retried(line);
                step.events.push(Event::Notice(seen::retrying(line)));
            }
            "informational" => step.events.extend(seen::informed(line).map(Event::Notice)),
            "model_refusal_no_fallback" => self.seen.refused = true,
            _ => {}
        }
    }

    fn started(&mut self, line: &Value, step: &mut Step) {
        let Some(session) = line["session_id"].as_str() else { return };
        // It is kept and comes back as an argument: no id of another shape is believed.
        if launch::is_plain_id(session) && self.session.as_deref() != Some(session) {
            self.session = Some(session.to_owned());
            step.events.push(Event::Started { session: session.to_owned() });
        }
    }

    fn stream(&mut self, line: &Value, step: &mut Step) {
        if read::of_sub_agent(line) {
            return;
        }
        let event = &line["event"];
        match event["type"].as_str().unwrap_or_default() {
            "message_start" => {
                self.seen.progressed();
                step.events.extend(self.text.begin(event["message"]["id"].as_str()));
            }
            "content_block_start" if read::is_thinking(&event["content_block"]) => self.think(step),
            "content_block_delta" if event["delta"]["type"] == "text_delta" => {
                let text = event["delta"]["text"].as_str().unwrap_or_default();
                if let Some(delta) = self.text.delta(text) {
                    self.thinking = false;
                    step.events.push(delta);
                }
            }
            _ => {}
        }
    }

    fn assistant(&mut self, line: &Value, step: &mut Step) {
        let ours = !read::of_sub_agent(line);
        if ours && self.seen.trouble(line) {
            return;
        }
        let message = &line["message"];
        if ours {
            self.seen.progressed();
            step.events.extend(self.text.supersede(message));
        }
        for block in message["content"].as_array().map_or(&[][..], Vec::as_slice) {
            match block["type"].as_str().unwrap_or_default() {
                "text" if ours => {
                    let text = block["text"].as_str().unwrap_or_default();
                    if let Some(message) = self.text.finish(text) {
                        self.thinking = false;
                        step.events.push(message);
                    }
                }
                "tool_use" => {
                    self.thinking = false;
                    self.asks.tool_used(block);
                    step.events.push(gist::tool_start(block));
                }
                _ if ours && read::is_thinking(block) => self.think(step),
                _ => {}
            }
        }
    }

    fn think(&mut self, step: &mut Step) {
        if !self.thinking {
            self.thinking = true;
            step.events.push(Event::Thinking);
        }
    }

    fn user(&mut self, line: &Value, step: &mut Step) {
        let blocks = line["message"]["content"].as_array().map_or(&[][..], Vec::as_slice);
        for block in blocks.iter().filter(|block| block["type"] == "tool_result") {
            self.thinking = false;
            step.events.push(gist::tool_end(block));
        }
    }

    fn requested(&mut self, line: &Value, step: &mut Step) {
        let verdict = if self.seen.interrupted {
            asks::stopped(line)
        } else {
            self.asks.take(line, self.permission)
        };
        match verdict {
            Verdict::Ask(ask) => step.events.push(Event::Ask(ask)),
            Verdict::Write(write) => step.write.extend(write),
            Verdict::Ignore => {}
        }
    }

    fn withdrawn(&mut self, line: &Value, step: &mut Step) {
        let withdrawn = line["request_id"].as_str().and_then(|id| self.asks.withdraw(id));
        step.events.extend(withdrawn.map(|ask| Event::Withdrawn { ask }));
    }

    fn result(&mut self, line: &Value, step: &mut Step) {
        let done = outcome::of_result(line, &self.seen);
        if done.outcome == Outcome::Ok {
            self.started(line, step);
        }
        if let Some(usage) = seen::usage(line) {
            step.events.push(Event::Usage(usage));
        }
        step.close = true;
        self.finish(done, step);
    }

    fn finish(&mut self, done: Done, step: &mut Step) {
        self.over = true;
        step.events.extend(self.asks.close().map(|ask| Event::Withdrawn { ask }));
        step.events.push(Event::Done(done));
    }

    fn interruption(&mut self) -> Vec<u8> {
        self.interrupts = self.interrupts.saturating_add(1);
        control::interrupt(self.interrupts)
    }
}
