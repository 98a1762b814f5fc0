//! `when = "…"`: a condition over the facts of an event.
//!
//! The language is that of templates (minijinja): comparisons, `and`, `or`, `not`, `in`,
//! tests and filters. Compiled once at load; every evaluation has a fuel limit, so that no
//! expression can hold up the router.

use std::fmt;

use minijinja::{Environment, UndefinedBehavior, value::Serde};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::decoder::Spot;
use super::field::Field;
use super::nearest::nearest;
use crate::both::{Both, both};
use crate::words::Lang;

/// Steps one evaluation may take. Expressions have no loops, so this only ends absurdly long
/// ones; a condition people write needs some dozens.
const FUEL: u64 = 500;

/// Longest condition; a longer rule belongs into a handler.
const LENGTH_MAX: usize = 2_000;

/// What a condition can ask about; the fields' names are the variables' names.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Facts<'a> {
    /// Name of the app in the configuration.
    pub app: &'a str,
    /// Type of the event, as `im.message.receive_v1`.
    pub event_type: &'a str,
    /// The chat, empty when there is none.
    pub chat_id: &'a str,
    /// `p2p` or `group`, empty when there is no chat.
    pub chat_type: &'a str,
    /// The topic inside the chat, empty when there is none.
    pub thread_id: &'a str,
    /// Who wrote or acted, empty when nobody did.
    pub sender_id: &'a str,
    /// `user`, `app`, …
    pub sender_type: &'a str,
    /// `text`, `post`, `image`, …; empty for other events.
    pub message_type: &'a str,
    /// What the person wrote.
    pub text: &'a str,
    /// True when the message mentions the bot.
    pub mentioned: bool,
}

/// The names of [`Facts`], for "did you mean" and the reference page.
pub(super) const FACTS: [&str; 10] = [
    "app",
    "event_type",
    "chat_id",
    "chat_type",
    "thread_id",
    "sender_id",
    "sender_type",
    "message_type",
    "text",
    "mentioned",
];

/// A condition that compiles and asks only about known facts.
#[derive(Clone, PartialEq, Eq)]
pub struct Condition {
    source: String,
}

/// A condition is wrong, or could not be evaluated for an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.text(Lang::En))]
pub struct ConditionError(Both);

impl ConditionError {
    /// What is wrong, in both languages.
    pub(super) fn text(&self) -> &Both {
        &self.0
    }
}

impl Condition {
    /// Checks a condition.
    ///
    /// # Errors
    /// [`ConditionError`] when it does not compile, is too long, or names an unknown fact.
    pub fn new(source: impl Into<String>) -> Result<Self, ConditionError> {
        let source = source.into();
        if source.len() > LENGTH_MAX {
            return Err(ConditionError(
                both!(zh: "超过 {LENGTH_MAX} 字节", en: "longer than {LENGTH_MAX} bytes"),
            ));
        }
        let environment = environment();
        let expression = environment.compile_expression(&source).map_err(compile_error)?;
        let mut names: Vec<String> = expression.undeclared_variables(false).into_iter().collect();
        names.retain(|name| !FACTS.contains(&name.as_str()) && !is_function(&environment, name));
        names.sort();
        match names.first() {
            Some(name) => Err(ConditionError(unknown_fact(name))),
            None => Ok(Self { source }),
        }
    }

    /// The condition as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether the facts meet it; the truth of anything but a boolean is minijinja's.
    ///
    /// # Errors
    /// [`ConditionError`] when the evaluation fails or takes too long.
    pub fn holds(&self, facts: &Facts<'_>) -> Result<bool, ConditionError> {
        let environment = environment();
        let expression = environment.compile_expression(&self.source).map_err(compile_error)?;
        let value = expression.eval(Serde(facts)).map_err(compile_error)?;
        Ok(value.is_true())
    }
}

impl Field for Condition {
    const KIND: &'static str = "condition";
    const HINT: Both = Both::of(
        "如 \"chat_type == 'group' and 'deploy' in text\"",
        "as \"chat_type == 'group' and 'deploy' in text\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("条件", "a condition"), Self::HINT)?;
        match Self::new(text) {
            Ok(condition) => Some(condition),
            Err(error) => {
                let message = both!(
                    zh: "条件无法编译：{why}", en: "the condition does not compile: {why}";
                    why = error.text()
                );
                spot.refuse(message, Self::HINT)
            }
        }
    }

    fn shown(&self) -> Json {
        json!(self.source())
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.source).finish()
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment
}

fn is_function(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
}

fn compile_error(error: minijinja::Error) -> ConditionError {
    let detail = error.detail().map_or_else(String::new, |detail| format!(": {detail}"));
    ConditionError(Both::same(format_args!("{}{detail}", error.kind())))
}

fn unknown_fact(name: &str) -> Both {
    match nearest(name, FACTS) {
        Some(known) => both!(
            zh: "未知的名称 `{name}`；是不是想写 `{known}`？",
            en: "unknown name `{name}`; did you mean `{known}`?"
        ),
        None => both!(
            zh: "未知的名称 `{name}`；可用的有 {known}",
            en: "unknown name `{name}`; known are {known}", known = FACTS.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(source: &str) -> Result<bool, ConditionError> {
        let facts =
            Facts { text: "deploy now", chat_type: "group", mentioned: true, ..Facts::default() };
        Condition::new(source)?.holds(&facts)
    }

    #[test]
    fn a_condition_asks_about_facts() {
        assert_eq!(holds("mentioned and chat_type == 'group'"), Ok(true));
        assert_eq!(holds("'deploy' in text and not mentioned"), Ok(false));
        assert_eq!(holds("text is startingwith 'deploy'"), Ok(true));
    }

    #[test]
    fn a_condition_that_does_not_compile_or_names_nothing_is_refused() {
        assert!(holds("mentioned and").is_err());
        let error = holds("chat_typ == 'group'").unwrap_err().to_string();
        assert_eq!(error, "unknown name `chat_typ`; did you mean `chat_type`?");
    }

    #[test]
    fn a_condition_that_takes_too_long_is_cut_off() {
        let endless = format!("{} != ''", ["text"; 390].join("~"));
        assert!(holds(&endless).unwrap_err().to_string().contains("fuel"));
        let longer = format!("{} != ''", ["text"; 400].join("~"));
        assert!(holds(&longer).unwrap_err().to_string().contains("longer than"));
    }

    #[test]
    fn the_known_names_are_the_fields_of_the_facts() {
        let json = serde_json::to_value(Facts::default()).unwrap();
        let mut fields: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut names = FACTS.to_vec();
        fields.sort_unstable();
        names.sort_unstable();
        assert_eq!(fields, names);
    }
}
