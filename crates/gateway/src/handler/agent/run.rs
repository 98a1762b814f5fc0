//! One process of an agent, from its start to its end: lines in, lines out, questions, stops.
//!
//! The loop never waits for the platform or a person, so that the agent's output is always read:
//! what is seen in the chat is `live`'s, questions are waited for beside it. What an end means for
//! the chat is decided in `ending`.

use std::collections::HashMap;
use std::future::{Future, pending};
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use larkline_agent::{
    Answer, Ask, Done, Event, Exit, Launch, Outcome, Prompt, Session, Step, Usage,
};
use larkline_store::session::SessionId;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::heard::Heard;
use super::leaves::Leaves;
use super::question::Asking;
use super::wire::Wire;
use super::{Agent, spent};
use crate::grants::Access;
use crate::handler::children::{End, Heard as Said, Job, Talk};
use crate::handler::conversation::Conversation;
use crate::handler::turn::Turn;
use crate::live::Live;
use crate::turns::{Running, Stop};

/// An agent that was asked to end its turn has so long to say that it did.
const INTERRUPT_PATIENCE: Duration = Duration::from_secs(10);
/// Largest prompt: what waits to be read by the agent is bounded, and one line goes as a whole.
const PROMPT_BYTES_MAX: usize = 15 << 20;
/// Questions that one turn may have open; an agent asks one or two.
const ASKS_MAX: usize = 16;

type Asked = Pin<Box<dyn Future<Output = (String, Answer)> + Send>>;

/// What a process left.
pub(super) struct Ran {
    /// What it said.
    pub(super) heard: Heard,
    /// How its turn ended.
    pub(super) done: Done,
    /// It told that end itself; else it is concluded from how its process ended.
    pub(super) said_so: bool,
    /// How its process ended.
    pub(super) end: End,
    /// Who or what ended the turn before it was through.
    pub(super) stop: Option<Stop>,
    /// The service stops.
    pub(super) cut_off: bool,
}

/// A running process with all that belongs to its turn.
struct Process<'a> {
    turn: &'a Turn,
    live: &'a Live,
    conversation: &'a mut Conversation,
    wire: Wire,
    talk: Talk,
    heard: Heard,
    /// Whether the chat sees it at work.
    shown: bool,
    done: Option<Done>,
    asking: Asking,
    /// What was answered for good before.
    leaves: Leaves,
    asked: FuturesUnordered<Asked>,
    open: HashMap<String, CancellationToken>,
    /// Questions that its tools have asked beside its wire.
    beside: Option<watch::Receiver<usize>>,
    stop: Option<Stop>,
    /// The agent has heard the prompt.
    heard_it: bool,
    /// By when an agent that was asked to end its turn has to have done so.
    stop_by: Option<Instant>,
}

impl Agent {
    /// Runs one process to its end.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) async fn run(
        &self,
        turn: &Turn,
        conversation: &mut Conversation,
        running: &mut Running,
        launch: &Launch,
        prompt: &Prompt,
    ) -> io::Result<Ran> {
        let Some(live) = &turn.live else {
            return Err(io::Error::other("there is no chat"));
        };
        let (store, session) = (&live.shared().store, conversation.session().id);
        let job = Job {
            argv: Wire::argv(self.settings.agent, launch),
            cwd: Some(launch.cwd.clone()),
            env: self.env(turn, conversation.session()),
            input: Vec::new(),
            handler: turn.handler.clone(),
            task: turn.task,
            limits: self.limits.clone(),
        };
        let mut heard = Heard::new(live.lang());
        if conversation.was_cut_off_in(turn.task) {
            heard.resumes();
        }
        let mut process = Process {
            turn,
            live,
            conversation,
            wire: Wire::new(self.settings.agent, launch, spent(live, session, launch).await),
            talk: self.children.talk(job).await?,
            heard,
            shown: self.settings.stream,
            done: None,
            asking: Asking {
                live: live.clone(),
                people: turn.people(&self.settings.approvers),
                patience: self.settings.ask_timeout,
            },
            leaves: Leaves::of(store, session),
            asked: FuturesUnordered::new(),
            open: HashMap::new(),
            beside: turn.access.as_ref().map(Access::waiting),
            stop: None,
            heard_it: false,
            stop_by: None,
        };
        larkline_failpoint::failpoint!("agent_started");
        let begin = process.wire.begin(prompt);
        process.begin(begin).await;
        let (end, cut_off) = process.talk(self, running).await;
        Ok(process.finish(end, cut_off).await)
    }
}

impl Process<'_> {
    /// Talks until the turn or the process is over.
    async fn talk(&mut self, agent: &Agent, running: &mut Running) -> (Option<End>, bool) {
        loop {
            if self.done.is_some() {
                return (None, false);
            }
            // What the agent has not heard yet would be lost.
            let newer = agent.newer_message(self.turn, self.heard_it);
            tokio::select! {
                said = self.talk.next() => match said {
                    Said::Line(line) => {
                        let step = self.wire.line(&line);
                        self.take(step).await;
                    }
                    Said::LineTooLong { bytes } => {
                        tracing::warn!(handler = self.turn.handler, task = self.turn.task.0, bytes,
                            "a line of the agent was too long and is left out");
                    }
                    Said::Ended(end) => return (Some(end), false),
                },
                Some((ask, answer)) = self.asked.next(), if !self.asked.is_empty() => {
                    self.closed(&ask);
                    let step = self.wire.answer(&ask, &answer);
                    self.take(step).await;
                }
                () = changed(&mut self.beside) => self.hold_idle(),
                stop = running.stopped(), if self.stop.is_none() => self.interrupt(stop).await,
                () = newer, if self.stop.is_none() => self.interrupt(Stop::Steered).await,
                () = until(self.stop_by) => return (None, false),
                () = self.turn.cancel.cancelled() => return (None, true),
            }
        }
    }

    /// Asks the agent to end its turn; the process is ended if it does not listen.
    async fn interrupt(&mut self, why: Stop) {
        self.stop = Some(why);
        self.stop_by = Some(Instant::now() + INTERRUPT_PATIENCE);
        self.open.drain().for_each(|(_, withdrawn)| withdrawn.cancel());
        self.heard.asks = false;
        let step = self.wire.interrupt();
        if step.write.is_empty() && step.events.is_empty() {
            self.talk.interrupt();
        }
        self.take(step).await;
    }

    async fn take(&mut self, step: Step) {
        self.tell(&step.write);
        if step.close {
            self.talk.close();
        }
        for event in step.events {
            self.happened(event).await;
        }
        if self.shown {
            self.live.show(&self.heard.tail(), &self.heard.status());
        }
    }

    /// Tells it what it is to do. A turn whose prompt does not fit is over: nothing would come.
    async fn begin(&mut self, step: Step) {
        if step.write.len() > PROMPT_BYTES_MAX {
            let why = format!("the prompt has {} bytes, too many to be told", step.write.len());
            self.done = Some(Done::new(Outcome::Limit, why));
            return;
        }
        self.take(step).await;
    }

    fn tell(&mut self, lines: &[u8]) {
        if !lines.is_empty() && !self.talk.write(lines) {
            tracing::warn!(
                handler = self.turn.handler,
                task = self.turn.task.0,
                "the agent does not read what it is told"
            );
        }
    }

    async fn happened(&mut self, event: Event) {
        self.heard.take(&event);
        match event {
            // On disk before anything else happens: with it the conversation is resumed.
            Event::Started { session } => {
                if let Err(error) = self.conversation.heard(self.turn.task, &session).await {
                    self.live.shared().store_health.failed("patch_session", &error);
                }
                self.heard_it = true;
                larkline_failpoint::failpoint!("agent_heard");
            }
            Event::Ask(ask) => self.ask(ask),
            Event::Withdrawn { ask } => self.closed(&ask),
            Event::Done(done) => self.done = Some(done),
            Event::Delta { .. }
            | Event::Message { .. }
            | Event::Thinking
            | Event::ToolStart { .. }
            | Event::ToolEnd { .. }
            | Event::Notice(_)
            | Event::Usage(_) => {}
        }
    }

    fn ask(&mut self, ask: Ask) {
        if self.asked.len() >= ASKS_MAX || self.stop.is_some() {
            let step = self.wire.answer(&ask.id, &Answer::Nobody);
            self.tell(&step.write);
            return;
        }
        let withdrawn = CancellationToken::new();
        self.open.insert(ask.id.clone(), withdrawn.clone());
        self.hold_idle();
        let asking = self.asking.clone();
        self.asked.push(Box::pin(asking.ask(ask, self.leaves.clone(), withdrawn)));
    }

    /// A question is over: answered, or taken back.
    fn closed(&mut self, ask: &str) {
        if let Some(withdrawn) = self.open.remove(ask) {
            withdrawn.cancel();
        }
        self.hold_idle();
    }

    /// A person thinks longer than a silent tool.
    fn hold_idle(&mut self) {
        let beside = self.beside.as_ref().is_some_and(|waiting| *waiting.borrow() > 0);
        self.heard.asks = !self.open.is_empty();
        self.talk.hold_idle(beside || self.heard.asks);
    }

    /// Ends the process, and reads what it still says.
    async fn finish(mut self, end: Option<End>, cut_off: bool) -> Ran {
        self.open.drain().for_each(|(_, withdrawn)| withdrawn.cancel());
        // Their cards say that they are over.
        while self.asked.next().await.is_some() {}
        let mut end = end;
        if let Some(done) = self.done.clone() {
            // One that works in another conversation than it was to is not waited for.
            let patience =
                if done.unknown_session { Duration::ZERO } else { self.wire.exit_patience() };
            end = end.or(self.goes(patience).await);
        }
        let Self { mut wire, talk, mut heard, mut done, stop, live, conversation, .. } = self;
        let over = talk.end(Duration::ZERO).await;
        for line in &over.lines {
            last(wire.line(line), &mut heard, &mut done);
        }
        let end = end.unwrap_or(over.end);
        let end = if over.memory_killed { End::Memory } else { end };
        let exit = match end {
            End::Exited(status) => Exit { code: status.code(), signal: status.signal() },
            End::Wall
            | End::Idle
            | End::TooMuch
            | End::Cancelled
            | End::Memory
            | End::Processes => Exit::default(),
        };
        let said_so = done.is_some();
        let complaints = String::from_utf8_lossy(&over.complaints);
        last(wire.ended(exit, &complaints), &mut heard, &mut done);
        if let Some(total) = wire.spent() {
            keep(live, conversation.session(), total).await;
        }
        let done = done.unwrap_or_else(|| Done::new(Outcome::Failed, "it ended without a word"));
        Ran { heard, done, said_so, end, stop, cut_off }
    }
}

impl Process<'_> {
    /// Lets the process go by itself for so long; a stop of the service does not wait for that.
    async fn goes(&mut self, patience: Duration) -> Option<End> {
        self.talk.close();
        let deadline = Instant::now() + patience;
        loop {
            tokio::select! {
                said = self.talk.next() => match said {
                    Said::Line(line) => {
                        let step = self.wire.line(&line);
                        last(step, &mut self.heard, &mut self.done);
                    }
                    Said::LineTooLong { .. } => {}
                    Said::Ended(end) => return Some(end),
                },
                () = sleep_until(deadline) => return None,
                () = self.turn.cancel.cancelled() => return None,
            }
        }
    }
}

/// Takes note of what is read when nobody waits for it any more.
fn last(step: Step, heard: &mut Heard, done: &mut Option<Done>) {
    for event in step.events {
        heard.take(&event);
        if let (Event::Done(said), None) = (event, &done) {
            *done = Some(said);
        }
    }
}

/// What the thread to be resumed had used before; nothing when the store does not say.
async fn spent(live: &Live, session: SessionId, launch: &Launch) -> Option<Usage> {
    let Session::Resume(thread) = &launch.session else { return Some(Usage::default()) };
    let before = spent::before(&live.shared().store, session, thread).await;
    before.inspect_err(|error| live.shared().store_health.failed("fact", error)).ok()
}

async fn keep(live: &Live, session: &larkline_store::session::Session, total: Usage) {
    let Some(thread) = &session.agent_session else { return };
    let shared = live.shared();
    if let Err(error) = spent::keep(&shared.store, session.id, thread, total).await {
        shared.store_health.failed("put_fact", &error);
    }
}

/// Resolves when the number of questions beside the wire has changed.
async fn changed(waiting: &mut Option<watch::Receiver<usize>>) {
    let heard = match waiting {
        Some(receiver) => receiver.changed().await.is_ok(),
        None => false,
    };
    if !heard {
        // Its task is over, or asks nobody.
        pending::<()>().await;
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
