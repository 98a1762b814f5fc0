//! Directives: what a chat text tells the agent to do.
//!
//! The table is in the module above. Unknown names are text; numbers that are none count as absent.

use std::time::Duration;

use serde_json::{Value, json};

use super::words;

/// Longest text, line or memory that a script may ask for: more than any bound that it tests.
const BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Pieces of an answer when nobody says.
const CHUNKS: usize = 2;

/// What the agent does in a turn.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// Before the answer, in order.
    pub(super) acts: Vec<Act>,
    /// A thought in front of the answer.
    pub(super) think: Option<String>,
    /// The answer.
    pub(super) answer: Answer,
    /// The answer when leave was denied; then the other acts are left out.
    pub(super) otherwise: Option<(String, Pace)>,
    /// How the answer arrives.
    pub(super) pace: Pace,
}

/// The answer.
#[derive(Debug, Default)]
pub(super) enum Answer {
    /// This text.
    Say(String),
    /// A text of so many characters.
    Long(usize),
    /// What was to be remembered.
    Recall,
    /// What the last tool said.
    #[default]
    Tool,
}

/// How the answer arrives.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    /// In so many pieces.
    pub(super) chunks: usize,
    /// With so much time between two.
    pub(super) delay: Duration,
    /// Silence before its first line.
    pub(super) hang: Silence,
    /// Silence after its first line.
    pub(super) stall: Silence,
}

impl Default for Pace {
    fn default() -> Self {
        let (delay, hang, stall) = (Duration::ZERO, Silence::None, Silence::None);
        Self { chunks: CHUNKS, delay, hang, stall }
    }
}

/// How long nothing comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Not at all.
    None,
    /// So long.
    For(Duration),
    /// Until somebody interrupts.
    Ever,
}

/// A use of a tool.
#[derive(Debug)]
pub(super) struct Tool {
    /// Its name.
    pub(super) name: String,
    /// What it is to do.
    pub(super) input: Value,
    /// Whether it needs leave.
    pub(super) asks: bool,
}

/// One thing that the agent does before it answers.
#[derive(Debug)]
pub(super) enum Act {
    Tell(String),
    Aside(String),
    Tool(Tool),
    Remember(String),
    Retry(u32),
    Garbage,
    HalfLine,
    BigLine(usize),
    BadUtf8,
    NoStart,
    Exit(u8),
    IgnoreTerm,
    Fork { held: bool },
    Hog(usize),
    Burn(Silence),
    End(End),
}

/// A bad end.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    /// An error of the model's service.
    Api(u16),
    Refusal,
    NotLoggedIn,
    TurnsMax,
    BudgetMax,
}

impl Script {
    /// What a text asks for: `text` is searched for directives, `message` answered without any.
    pub(super) fn of(text: &str, message: &str, turn: u32) -> Self {
        let mut script = Self::default();
        let mut directed = false;
        for directive in directives(text) {
            directed |= script.take(&directive);
        }
        if directed { script } else { words::unscripted(message, turn) }
    }

    /// Adds what one directive asks for; `false` for one that does not exist.
    fn take(&mut self, directive: &Directive<'_>) -> bool {
        let Directive { name, argument, input } = directive;
        let text = (*argument).to_owned();
        match *name {
            "say" => self.answer = Answer::Say(text),
            "long" => self.answer = Answer::Long(size(argument, 1)),
            "recall" => self.answer = Answer::Recall,
            "chunks" => self.pace.chunks = argument.parse().unwrap_or(CHUNKS).max(1),
            "delay" => self.pace.delay = seconds(argument).unwrap_or_default(),
            "hang" => self.pace.hang = silence(argument),
            "stall" => self.pace.stall = silence(argument),
            "think" => self.think = Some(text),
            _ => match act(name, argument, input.as_ref()) {
                Some(act) => self.acts.push(act),
                None => return false,
            },
        }
        true
    }
}

fn act(name: &str, argument: &str, input: Option<&Value>) -> Option<Act> {
    let text = argument.to_owned();
    Some(match name {
        "tell" => Act::Tell(text),
        "aside" => Act::Aside(text),
        "tool" => Act::Tool(Tool { name: text, input: input?.clone(), asks: true }),
        "write" => {
            let (name, content) =
                argument.split_once(char::is_whitespace).unwrap_or((argument, ""));
            let input = json!({"file_path": name, "content": content});
            Act::Tool(Tool { name: "Write".to_owned(), input, asks: false })
        }
        "question" => Act::Tool(question(argument)),
        "remember" => Act::Remember(text),
        "retry" => Act::Retry(argument.parse().unwrap_or(1)),
        "garbage" => Act::Garbage,
        "half" => Act::HalfLine,
        "bigline" => Act::BigLine(size(argument, 1)),
        "badutf8" => Act::BadUtf8,
        "nostart" => Act::NoStart,
        "exit" => Act::Exit(argument.parse().unwrap_or(1)),
        "ignoreterm" => Act::IgnoreTerm,
        "fork" => Act::Fork { held: argument == "held" },
        "hog" => Act::Hog(size(argument, 1024 * 1024)),
        "burn" => Act::Burn(silence(argument)),
        "error" => Act::End(End::Api(argument.parse().unwrap_or(500))),
        "refuse" => Act::End(End::Refusal),
        "notloggedin" => Act::End(End::NotLoggedIn),
        "maxturns" => Act::End(End::TurnsMax),
        "maxbudget" => Act::End(End::BudgetMax),
        _ => return None,
    })
}

fn question(text: &str) -> Tool {
    let text = if text.is_empty() { "Which one?" } else { text };
    let options = json!([
        {"label": "A", "description": "first"},
        {"label": "B", "description": "second"},
    ]);
    let question =
        json!({"question": text, "header": "Pick", "options": options, "multiSelect": false});
    let input = json!({ "questions": [question] });
    Tool { name: "AskUserQuestion".to_owned(), input, asks: true }
}

/// A number of units as a number of bytes or characters, within the bound.
fn size(argument: &str, unit: usize) -> usize {
    argument.parse::<usize>().unwrap_or(1).saturating_mul(unit).min(BYTES_MAX)
}

fn seconds(argument: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(argument.parse().ok()?).ok()
}

fn silence(argument: &str) -> Silence {
    seconds(argument).map_or(Silence::Ever, Silence::For)
}

/// `[[name argument]]`; of a tool the argument is its name, and the input is JSON of its own.
struct Directive<'a> {
    name: &'a str,
    argument: &'a str,
    input: Option<Value>,
}

/// All directives in a text, in order. The JSON of a tool may contain `]]`.
fn directives(text: &str) -> Vec<Directive<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("[[") {
        rest = after;
        if let Some((directive, end)) = tool(after) {
            found.push(directive);
            rest = after.get(end..).unwrap_or_default();
        } else if let Some((inside, end)) = after.split_once("]]") {
            let (name, argument) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
            found.push(Directive { name, argument: argument.trim(), input: None });
            rest = end;
        }
    }
    found
}

/// A tool with its input, and where that ends.
fn tool(text: &str) -> Option<(Directive<'_>, usize)> {
    let (name, input) = text.strip_prefix("tool ")?.trim_start().split_once(' ')?;
    let mut values = serde_json::Deserializer::from_str(input).into_iter::<Value>();
    let value = values.next()?.ok()?;
    let end = text.len() - input.len() + values.byte_offset();
    Some((Directive { name: "tool", argument: name, input: Some(value) }, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_found_in_order_and_json_may_hold_brackets() {
        let text = "x [[tool Bash {\"command\":\"[[ -e a ]] && echo\"}]] y [[say a [b] ]][[hang]]";
        let script = Script::of(text, text, 1);
        let [Act::Tool(tool)] = script.acts.as_slice() else { panic!("{script:?}") };
        assert_eq!((tool.name.as_str(), tool.asks), ("Bash", true));
        assert_eq!(tool.input["command"], "[[ -e a ]] && echo");
        assert!(matches!(&script.answer, Answer::Say(text) if text == "a [b]"));
        assert_eq!(script.pace.hang, Silence::Ever);
    }

    #[test]
    fn a_text_with_unknown_directives_alone_is_answered_as_text() {
        for text in ["[[link]]", "[[", "[[tool Bash not json]]"] {
            assert!(matches!(Script::of(text, text, 1).answer, Answer::Say(_)), "{text}");
        }
    }

    #[test]
    fn numbers_are_bounded_and_wrong_ones_absent() {
        let script = Script::of("[[delay -1]][[long 99999999999999]][[stall 1e300]]", "", 1);
        assert_eq!(script.pace.delay, Duration::ZERO);
        assert!(matches!(script.answer, Answer::Long(BYTES_MAX)));
        assert_eq!(script.pace.stall, Silence::Ever);
    }
}
