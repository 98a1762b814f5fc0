//! Questions with given answers: what people see of them, and how their choice goes back.

use serde_json::{Map, Value};

use crate::event::Question;

use super::gist;

/// The program asks four at most, with four answers each. What is beyond is counted and said.
const QUESTIONS_MAX: usize = 8;
const OPTIONS_MAX: usize = 16;
/// What fits on a card with room for the others.
const TEXT_CHARS_MAX: usize = 2_000;
const LABEL_CHARS_MAX: usize = 200;

/// The questions of one use of the tool.
#[derive(Debug)]
pub(super) struct Questions(Vec<Asked>);

/// A question as it is shown, and what its shortened or cleaned texts stand for.
#[derive(Debug)]
struct Asked {
    question: Question,
    /// The key of the answer.
    whole: String,
    /// The whole labels, in the order of the options.
    labels: Vec<String>,
}

impl Questions {
    /// Those of a tool's input that can be asked.
    pub(super) fn read(input: &Value) -> Self {
        let questions = input["questions"].as_array().map_or(&[][..], Vec::as_slice);
        let mut asked: Vec<Asked> = questions.iter().filter_map(asked).collect();
        let left = asked.len().saturating_sub(QUESTIONS_MAX);
        asked.truncate(QUESTIONS_MAX);
        if let Some(last) = asked.last_mut() {
            last.question.questions_left = left;
        }
        Self(asked)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What people see.
    pub(super) fn asked(&self) -> Vec<Question> {
        self.0.iter().map(|asked| asked.question.clone()).collect()
    }

    /// The tool's input with the answers in it; nothing if there is no answer to any question.
    pub(super) fn answered(
        &self,
        input: &Value,
        chosen: &[(String, Vec<String>)],
    ) -> Option<Value> {
        let answers: Map<String, Value> = chosen
            .iter()
            .filter_map(|(text, labels)| {
                let asked = self.0.iter().find(|asked| asked.question.text == *text)?;
                let labels: Vec<_> = labels.iter().map(|label| asked.whole_label(label)).collect();
                (!labels.is_empty())
                    .then(|| (asked.whole.clone(), Value::String(labels.join(", "))))
            })
            .collect();
        if answers.is_empty() {
            return None;
        }
        let mut input = input.clone();
        input["answers"] = Value::Object(answers);
        Some(input)
    }
}

impl Asked {
    /// A label as the agent wrote it; what is none of its labels is somebody's own answer.
    fn whole_label<'a>(&'a self, label: &'a str) -> &'a str {
        let at = self.question.options.iter().position(|(shown, _)| shown == label);
        at.and_then(|at| self.labels.get(at)).map_or(label, String::as_str)
    }
}

fn asked(question: &Value) -> Option<Asked> {
    let whole = question["question"].as_str().filter(|text| !text.trim().is_empty())?;
    let options = question["options"].as_array().map_or(&[][..], Vec::as_slice);
    let mut options: Vec<_> = options
        .iter()
        .filter_map(|option| Some((option["label"].as_str()?, &option["description"])))
        .collect();
    let options_left = options.len().saturating_sub(OPTIONS_MAX);
    options.truncate(OPTIONS_MAX);
    if options.is_empty() {
        return None;
    }
    let line = |value: &Value, max| gist::one_line(value.as_str().unwrap_or_default(), max);
    Some(Asked {
        question: Question {
            text: gist::clip(&gist::shown(whole), TEXT_CHARS_MAX),
            header: line(&question["header"], LABEL_CHARS_MAX),
            options: options
                .iter()
                .map(|(label, what)| {
                    (gist::one_line(label, LABEL_CHARS_MAX), line(what, TEXT_CHARS_MAX))
                })
                .collect(),
            many: question["multiSelect"] == true,
            options_left,
            questions_left: 0,
        },
        whole: whole.to_owned(),
        labels: options.iter().map(|(label, _)| (*label).to_owned()).collect(),
    })
}
