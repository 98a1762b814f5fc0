//! What must not leave the machine: taken out of logs and reports that somebody sends to others.
//!
//! Secrets go by their values, and what looks like one by its form. People and chats become marks, the
//! same one for the same person in all files, so that a story can still be followed. Of a log line
//! those fields stay that hold words of programs; what people wrote goes, and whatever may hold it.

use std::borrow::Cow;
use std::sync::LazyLock;

use larkline_client::Secret;
use regex::{Captures, Regex};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::scrub::scrub;

/// Stands where something was.
const REMOVED: &str = "<removed>";
/// A shorter value is looked for by its form alone: its letters occur everywhere.
const SECRET_BYTES_MIN: usize = 4;
/// Bytes of the digest that stand for a person.
const MARK_BYTES: usize = 4;

/// Fields and keys whose values people wrote, or whose values may repeat what they wrote: output of
/// their programs, names.
const OF_PEOPLE: &[&str] = &[
    "preview", "text", "said", "tail", "stderr", "stdout", "line", "lines", "markdown", "content",
    "title", "chat_name", "user_name", "notice", "prompt", "label",
];
/// Fields that hold sentences of programs.
const OF_PROGRAMS: &[&str] = &[
    "error", "why", "reason", "fault", "failure", "hint", "what", "meaning", "next", "during", "detail",
    "outcome", "cause", "message", "path", "file", "tls",
];

/// Fields that tell of a handler's work; a failure there may repeat what its program printed.
const OF_HANDLERS: &[&str] = &["handler", "inbox_id", "task", "job"];
/// Fields that hold such a failure.
const FAILURES: &[&str] = &["error", "detail", "why", "reason", "failure", "cause", "outcome"];

/// A person, a person of all apps, or a chat.
const ID: &str = r"\b(ou|on|oc)_[0-9A-Za-z_-]+";
/// A mail address.
const ADDRESS: &str = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+";
/// A token of the platform, or a key of a model's service.
const TOKEN: &str = r"\b(?:[tu]-[0-9A-Za-z._-]{12,}|sk-[0-9A-Za-z_-]{8,})";
/// A field of a line for people.
const FIELD: &str = r#"( |^)([a-z_.]+)=("(?:[^"\\]|\\.)*"|[^\s"]\S*)"#;

static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ID).ok());
static GONE: LazyLock<Vec<Regex>> =
    LazyLock::new(|| [ADDRESS, TOKEN].iter().filter_map(|p| Regex::new(p).ok()).collect());
static FIELDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(FIELD).ok());

/// Takes out what must not leave.
#[derive(Clone, Debug)]
pub struct Scrubber {
    secrets: Vec<Secret>,
    home: Option<String>,
}

impl Scrubber {
    /// Knows these secrets by value; paths below `home` lose it, as it names somebody.
    pub fn new(secrets: &[Secret], home: Option<String>) -> Self {
        let mut secrets: Vec<Secret> =
            secrets.iter().filter(|s| s.expose().len() >= SECRET_BYTES_MIN).cloned().collect();
        // One may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        Self { secrets, home: home.filter(|home| home.len() > 1) }
    }

    /// Any text, without secrets and people.
    pub fn text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in &self.secrets {
            clean = clean.replace(secret.expose(), REMOVED);
        }
        if let Some(home) = &self.home {
            clean = clean.replace(home.as_str(), "~");
        }
        clean = clean.lines().map(|line| scrub(line).into_owned()).collect::<Vec<_>>().join("\n");
        for pattern in GONE.iter() {
            clean = replaced(pattern, &clean, |_| REMOVED.to_owned());
        }
        match &*IDS {
            Some(ids) => replaced(ids, &clean, |found| mark(&found[1], &found[0])),
            None => clean,
        }
    }

    /// A line of the log, in either form, also without what people wrote.
    pub fn line(&self, line: &str) -> String {
        if let Ok(mut object) = serde_json::from_str::<Value>(line)
            && object.is_object()
        {
            self.fields(&mut object);
            return object.to_string();
        }
        let Some(fields) = &*FIELDS else { return REMOVED.to_owned() };
        let works = fields.captures_iter(line).any(|found| OF_HANDLERS.contains(&&found[2]));
        let line = replaced(fields, line, |found| {
            let (space, name, value) = (&found[1], &found[2], &found[3]);
            let kept = if stays(name, value.trim_matches('"'), works) { value } else { REMOVED };
            format!("{space}{name}={kept}")
        });
        self.text(&line)
    }

    /// Any JSON, without secrets, people and what they wrote.
    pub fn json(&self, value: &mut Value) {
        each(value, &|name, text| match OF_PEOPLE.contains(&name) {
            true => REMOVED.to_owned(),
            false => self.text(text),
        });
    }

    /// The fields of a line in JSON.
    fn fields(&self, line: &mut Value) {
        let works = OF_HANDLERS.iter().any(|name| line.get(name).is_some());
        each(line, &|name, text| match stays(name, text, works) {
            true => self.text(text),
            false => REMOVED.to_owned(),
        });
    }
}

/// Whether the value of a field may be seen: a sentence of a program, or one word, as ids and codes are.
/// A line about a handler's work keeps no sentence of its failure.
fn stays(name: &str, value: &str, works: bool) -> bool {
    let word = || value.chars().all(|c| c.is_ascii_graphic() && c != '"');
    let sentence = OF_PROGRAMS.contains(&name) && !(works && FAILURES.contains(&name));
    !OF_PEOPLE.contains(&name) && (sentence || word())
}

fn replaced(pattern: &Regex, text: &str, with: impl Fn(&Captures<'_>) -> String) -> String {
    match pattern.replace_all(text, |found: &Captures<'_>| with(found)) {
        Cow::Borrowed(_) => text.to_owned(),
        Cow::Owned(clean) => clean,
    }
}

/// The same for the same id; nobody gets the id back from it.
fn mark(kind: &str, id: &str) -> String {
    let digest = Sha256::digest(id.as_bytes());
    format!("{kind}#{}", hex::encode(&digest[..MARK_BYTES]))
}

/// Changes every text, told the name of its key; the texts of a list have the list's.
fn each(value: &mut Value, change: &impl Fn(&str, &str) -> String) {
    within("", value, change);
}

fn within(name: &str, value: &mut Value, change: &impl Fn(&str, &str) -> String) {
    match value {
        Value::String(text) => *text = change(name, text),
        Value::Array(list) => list.iter_mut().for_each(|item| within(name, item, change)),
        Value::Object(map) => map.iter_mut().for_each(|(name, item)| within(name, item, change)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber() -> Scrubber {
        Scrubber::new(&["hunter22".into(), "no".into()], Some("/home/ada".to_owned()))
    }

    #[test]
    fn secrets_people_and_the_home_go_and_one_person_has_one_mark() {
        let text = scrubber().text(
            "hunter22 of ou_abc, ou_abc and ou_abd at ada@example.com in /home/ada/x, t-1234567890abcdef no",
        );
        for gone in ["hunter22", "ou_a", "ada", "t-123"] {
            assert!(!text.contains(gone), "{gone} in {text}");
        }
        let marks: Vec<&str> =
            text.split(|c: char| c == ' ' || c == ',').filter(|w| w.starts_with("ou#")).collect();
        assert!(marks.len() == 3 && marks[0] == marks[1] && marks[1] != marks[2], "{text}");
        assert!(text.contains("~/x") && text.ends_with(" no"), "{text}");
    }

    #[test]
    fn of_a_line_stays_what_programs_say() {
        let line = r#"2026-01-02T03:04:05Z  INFO event received app="main" event_id="e1" bytes=12 preview="my \"diary\" here" error="connection refused" odd="words of a person" code=7"#;
        let clean = scrubber().line(line);
        for gone in ["diary", "here", "words of"] {
            assert!(!clean.contains(gone), "{gone} in {clean}");
        }
        for kept in ["event received", "main", "e1", "bytes=12", "connection refused", "code=7"] {
            assert!(clean.contains(kept), "{kept} not in {clean}");
        }
        let json = r#"{"level":"INFO","message":"event received","preview":"diary","odd":"two words","event_id":"e1"}"#;
        let clean = scrubber().line(json);
        assert!(!clean.contains("diary") && !clean.contains("two words"), "{clean}");
        assert!(clean.contains("event received") && clean.contains("e1"), "{clean}");
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(IDS.is_some() && FIELDS.is_some() && GONE.len() == 2);
    }

    #[test]
    fn json_keeps_its_shape() {
        let mut value = serde_json::json!({"a": [{"text": "diary", "chat_id": "oc_1"}], "n": 1});
        scrubber().json(&mut value);
        assert_eq!(value["a"][0]["text"], REMOVED);
        assert!(value["a"][0]["chat_id"].as_str().unwrap().starts_with("oc#"));
        assert_eq!(value["n"], 1);
    }
}
