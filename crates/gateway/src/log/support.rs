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
    "preview",
    "text",
    "said",
    "tail",
    "stderr",
    "stdout",
    "line",
    "lines",
    "markdown",
    "content",
    "title",
    "chat_name",
    "user_name",
    "notice",
    "prompt",
    "label",
];
/// Fields that hold sentences of programs.
const OF_PROGRAMS: &[&str] = &[
    "error", "why", "why_not", "reason", "fault", "failure", "hint", "what", "meaning", "next",
    "during", "detail", "outcome", "cause", "message", "path", "file", "tls", "mode", "place",
    "route", "warning",
];
/// Fields that tell of a handler's work, in whose failures may stand what its program printed.
const OF_HANDLERS: &[&str] = &["handler", "inbox_id", "task", "job", "session"];
/// What a line about a handler's work keeps: ids, codes, numbers, each one word.
const OF_WORK: &[&str] = &[
    "app",
    "handler",
    "event_id",
    "message_id",
    "chat_id",
    "inbox_id",
    "outbox_id",
    "task",
    "job",
    "session",
    "attempt",
    "code",
    "wait_ms",
    "elapsed_ms",
    "pid",
    "kind",
    "verdict",
    "level",
    "target",
    "timestamp",
];

/// A person, a person of all apps, or a chat.
const ID: &str = r"\b(ou|on|oc)_[0-9A-Za-z_-]+";
/// A mail address.
const ADDRESS: &str = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+";
/// A token of the platform, or a key of a model's service.
const TOKEN: &str = r"\b(?:[tu]-[0-9A-Za-z._-]{12,}|sk-[0-9A-Za-z_-]{8,})";
/// How a line for people begins; what does not is the rest of a longer text.
const TIME: &str = r"^\d{4}-\d\d-\d\dT";
/// The place in the program that a line is from, and its sentence up to the words that vary.
const SENTENCE: &str = r"^.*? [a-z_]+(?:::[a-z_]+)*: [^:]*";
/// The beginning of a field.
const FIELD: &str = r"(^|[ {])([a-z_][a-z0-9_.]*)=";

static IDS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(ID).ok());
static GONE: LazyLock<Vec<Regex>> =
    LazyLock::new(|| [ADDRESS, TOKEN].iter().filter_map(|p| Regex::new(p).ok()).collect());
static LINE: LazyLock<Option<[Regex; 3]>> = LazyLock::new(|| {
    Some([Regex::new(TIME).ok()?, Regex::new(SENTENCE).ok()?, Regex::new(FIELD).ok()?])
});

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

    /// A line of the log, in either form, also without what people wrote; `None` for one that goes on
    /// from the line before.
    pub fn line(&self, line: &str) -> Option<String> {
        if let Ok(mut object) = serde_json::from_str::<Value>(line)
            && object.is_object()
        {
            self.fields(&mut object);
            return Some(object.to_string());
        }
        let [time, sentence, field] = LINE.as_ref()?;
        if !time.is_match(line) {
            return None;
        }
        let fields = Field::all(field, line);
        let works = fields.iter().any(|field| OF_HANDLERS.contains(&field.name));
        let clean = match works {
            true => work(sentence.find(line)?.as_str(), &fields),
            false => ordinary(line, &fields),
        };
        Some(self.text(&clean))
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
        each(line, &|name, text| match (works, name) {
            (true, "message") => self.text(text.split(':').next().unwrap_or_default()),
            (true, _) if OF_WORK.contains(&name) && is_word(text) => self.text(text),
            (false, _) if stays(name, text) => self.text(text),
            _ => REMOVED.to_owned(),
        });
    }
}

/// A field of a line for people.
struct Field<'l> {
    name: &'l str,
    /// Where the value is, with its quotes.
    span: std::ops::Range<usize>,
    value: &'l str,
}

impl<'l> Field<'l> {
    fn all(pattern: &Regex, line: &'l str) -> Vec<Self> {
        let begins: Vec<_> =
            pattern.captures_iter(line).filter_map(|f| Some((f.get(0)?, f.get(2)?))).collect();
        let mut fields: Vec<Self> = Vec::new();
        for (nth, (whole, name)) in begins.iter().enumerate() {
            // What looks like a field inside of a quoted value is none.
            if fields.last().is_some_and(|before| whole.start() < before.span.end) {
                continue;
            }
            let from = whole.end();
            let next = begins.get(nth + 1).map_or(line.len(), |(next, _)| next.start());
            let rest = &line[from..];
            let length = match rest.starts_with('"') {
                true => quoted(rest),
                false if whole.as_str().starts_with('{') => {
                    rest.find(['}', ' ']).unwrap_or(rest.len())
                }
                false => next - from,
            };
            let span = from..from + length;
            fields.push(Self {
                name: name.as_str(),
                value: line[span.clone()].trim_matches('"'),
                span,
            });
        }
        fields
    }
}

/// The length of a value with its quotes.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !escaped => return at + 1,
            b'\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// A line about a handler's work: what it is about, and its ids.
fn work(sentence: &str, fields: &[Field<'_>]) -> String {
    let kept = fields.iter().filter(|f| OF_WORK.contains(&f.name) && is_word(f.value));
    let kept: String = kept.map(|field| format!(" {}={}", field.name, field.value)).collect();
    let sentence = sentence.find('=').map_or(sentence, |at| {
        // Without any colon the sentence ends where its fields begin.
        sentence[..at].rsplit_once(' ').map_or("", |(before, _)| before)
    });
    format!("{}{kept}", sentence.trim_end())
}

/// Any other line. Where a value without quotes has to go, so does what comes after it: nobody can tell
/// where it ends.
fn ordinary(line: &str, fields: &[Field<'_>]) -> String {
    let mut clean = String::new();
    let mut from = 0;
    for Field { name, span, value } in fields {
        clean += &line[from..span.start];
        from = span.end;
        if stays(name, value) {
            clean += &line[span.clone()];
            continue;
        }
        clean += REMOVED;
        let quoted = line[span.clone()].starts_with('"');
        if !quoted && !is_word(value) {
            return clean;
        }
    }
    clean + &line[from..]
}

/// Whether the value of a field may be seen: a sentence of a program, or one word, as ids and codes are.
fn stays(name: &str, value: &str) -> bool {
    !OF_PEOPLE.contains(&name) && (OF_PROGRAMS.contains(&name) || is_word(value))
}

fn is_word(value: &str) -> bool {
    value.chars().all(|c| c.is_ascii_graphic() && c != '"')
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
        let marks: Vec<&str> = text.split([' ', ',']).filter(|w| w.starts_with("ou#")).collect();
        assert!(marks.len() == 3 && marks[0] == marks[1] && marks[1] != marks[2], "{text}");
        assert!(text.contains("~/x") && text.ends_with(" no"), "{text}");
    }

    fn line(line: &str) -> String {
        scrubber().line(line).unwrap()
    }

    #[test]
    fn of_a_line_stays_what_programs_say() {
        let clean = line(
            r#"2026-01-02T03:04:05Z  INFO link{app_id=cli_1}: larkline_gateway::intake: event received app="main" event_id="e1" bytes=12 preview="my \"diary\" a=b here" error=connection refused code=7"#,
        );
        for gone in ["diary", "here", "a=b"] {
            assert!(!clean.contains(gone), "{gone} in {clean}");
        }
        for kept in
            ["cli_1", "event received", "main", "e1", "bytes=12", "connection refused", "code=7"]
        {
            assert!(clean.contains(kept), "{kept} not in {clean}");
        }
        let clean = line(
            "2026-01-02T03:04:05Z  INFO larkline_gateway::a: odd n=1 odd=words of a person b=2",
        );
        assert!(
            clean.contains("n=1") && !clean.contains("words") && !clean.contains("person"),
            "{clean}"
        );
    }

    #[test]
    fn of_a_handlers_failure_stays_its_code() {
        let clean = line(
            r#"2026-01-02T03:04:05Z  WARN larkline_gateway::dispatch: handler failed: exit code 3; its last words: my x=diary handler="work" attempt=1 code="exit""#,
        );
        assert!(!clean.contains("diary") && !clean.contains("last words"), "{clean}");
        assert!(
            clean.ends_with("dispatch: handler failed handler=work attempt=1 code=exit"),
            "{clean}"
        );
        let clean = line(
            r#"2026-01-02T03:04:05Z  INFO larkline_gateway::lane: handler starts handler="work" pid=1"#,
        );
        assert!(clean.ends_with("lane: handler starts handler=work pid=1"), "{clean}");
        assert_eq!(scrubber().line("and the rest of what it printed"), None);
    }

    #[test]
    fn a_line_in_json_is_treated_the_same() {
        let plain = line(
            r#"{"level":"INFO","message":"event received: ok","preview":"diary","odd":"two words","event_id":"e1"}"#,
        );
        assert!(!plain.contains("diary") && !plain.contains("two words"), "{plain}");
        assert!(plain.contains("event received: ok") && plain.contains("e1"), "{plain}");
        let work = line(
            r#"{"level":"WARN","message":"handler failed: diary","handler":"work","error":"diary"}"#,
        );
        assert!(work.contains("handler failed") && !work.contains("diary"), "{work}");
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(IDS.is_some() && LINE.is_some() && GONE.len() == 2);
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
