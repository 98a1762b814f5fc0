//! What an agent's lines mean, whichever agent it is.

/// What one line led to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Step {
    /// What it means, in order.
    pub events: Vec<Event>,
    /// What to write to the agent now: whole lines, each with its line feed; empty for nothing.
    pub write: Vec<u8>,
    /// The agent has nothing more to hear: its input is to be closed once `write` is written.
    pub close: bool,
}

/// One thing an agent said or did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Its own id of the conversation, to be kept at once: with it the conversation is resumed.
    Started {
        /// The id.
        session: String,
    },
    /// A piece of the answer; it may later be superseded by a [`Event::Message`].
    Delta {
        /// The piece.
        text: String,
    },
    /// A finished piece of the answer: it replaces the deltas since the last one.
    Message {
        /// The text. Empty: the deltas since the last one are taken back, and no piece is added.
        text: String,
    },
    /// It thinks.
    Thinking,
    /// A tool begins.
    ToolStart {
        /// The agent's id of this use.
        id: String,
        /// The tool.
        name: String,
        /// What it is about, on one line of at most 200 characters: a command, a path.
        about: String,
    },
    /// A tool has ended.
    ToolEnd {
        /// The agent's id of this use.
        id: String,
        /// Whether it did what it was to do.
        ok: bool,
    },
    /// It waits for somebody's word.
    Ask(Ask),
    /// A question was taken back: an answer would come too late.
    Withdrawn {
        /// The id of the [`Ask`].
        ask: String,
    },
    /// A word about the work, for a status line; never a part of the answer.
    Notice(Notice),
    /// What the turn has used so far. Totals of this turn, not differences.
    Usage(Usage),
    /// The turn is over. One for each turn, and nothing after it.
    Done(Done),
}

/// A word about the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The model's service refused, and the agent tries again by itself.
    Retrying {
        /// Which try comes, the first retry being 1.
        attempt: u32,
        /// How many there may be; 0 when the agent does not say.
        of: u32,
        /// How long it waits, milliseconds; 0 when it does not say.
        wait_ms: u64,
        /// Why: `overloaded`, `rate_limit`, `auth`, `server`, `network` or the agent's own words.
        why: String,
    },
    /// Anything else, in the agent's own words, at most 300 characters.
    Other(String),
}

/// A question that the agent waits with.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// The agent's id of it.
    pub id: String,
    /// What is asked.
    pub kind: AskKind,
    /// What may be answered, in the order to show. For [`AskKind::Questions`] it is empty: the
    /// choices are with the questions.
    pub choices: Vec<Choice>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum AskKind {
    /// Leave to use a tool.
    Permission {
        /// The tool.
        tool: String,
        /// What it would do, to be shown: a command line, a path, a diff; at most 4 000 characters.
        detail: String,
        /// Whether `detail` is all of it: nothing was cut off, and no character was hidden. Only
        /// then do equal details mean the same use.
        whole: bool,
    },
    /// Leave to go on with a plan.
    Plan {
        /// The plan, Markdown, at most 20 000 characters.
        plan: String,
    },
    /// Questions with given answers.
    Questions(Vec<Question>),
}

/// A question with given answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The question.
    pub text: String,
    /// A few words that stand for it.
    pub header: String,
    /// The answers: label and what it means.
    pub options: Vec<(String, String)>,
    /// Whether more than one may be chosen.
    pub many: bool,
    /// Further answers, which are left out here.
    pub options_left: usize,
    /// Further questions after it, which are not asked.
    pub questions_left: usize,
}

/// What may be answered to an [`Ask`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The agent's id of it.
    pub id: String,
    /// What it means.
    pub kind: ChoiceKind,
}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChoiceKind {
    /// This time.
    AllowOnce,
    /// From now on, in this conversation.
    AllowAlways,
    /// Not this time; the turn goes on without it.
    DenyOnce,
    /// Never in this conversation.
    DenyAlways,
}

/// What a turn has used.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Tokens read, cached ones included.
    pub tokens_in: u64,
    /// Tokens written.
    pub tokens_out: u64,
    /// US dollars, when the agent says.
    pub cost_usd: Option<f64>,
}

/// How a turn ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    /// How.
    pub outcome: Outcome,
    /// The answer; empty when everything was said by [`Event::Message`] or there is none.
    pub text: String,
    /// What the agent said about a bad end, for the operator; at most 1 000 characters.
    pub detail: String,
    /// The agent does not know the conversation that was to be resumed: a fresh one may be begun.
    pub unknown_session: bool,
    /// The id that was asked for belongs to a conversation that exists: resume it.
    pub session_exists: bool,
}

/// How a turn ended, decided from all that the agent said; its own "success" is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With an answer.
    Ok,
    /// The model or its service would not answer this.
    Refused,
    /// At a limit of turns, budget, length or context.
    Limit,
    /// The credentials are missing, wrong or lack a right.
    Auth,
    /// The service was overloaded or limited the rate, also after retries.
    Overloaded,
    /// It was interrupted, by us.
    Cancelled,
    /// Anything else.
    Failed,
}

impl Outcome {
    /// The word in metrics, logs and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Limit => "limit",
            Self::Auth => "auth",
            Self::Overloaded => "overloaded",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
        }
    }
}

impl Done {
    /// An end with this outcome and these words for the operator.
    pub fn new(outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            outcome,
            text: String::new(),
            detail: detail.into(),
            unknown_session: false,
            session_exists: false,
        }
    }
}

impl Step {
    /// One event, nothing to write.
    pub fn event(event: Event) -> Self {
        Self { events: vec![event], ..Self::default() }
    }
}
