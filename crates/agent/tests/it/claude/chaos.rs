//! Whatever comes, in any order: no panic, whole lines, and one end.

use larkline_agent::{Answer, ChoiceKind, Event, Launch, Permission};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::recorded::{all, recorded};
use super::{ID, code, done, launch, turn, written};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Act {
    Line(Vec<u8>),
    Answer(u8),
    Labels,
    Nobody,
    Interrupt,
    Ended(i32),
}

/// The words the wire is made of, so that lines get past the first look.
const WORDS: [&str; 40] = [
    "type",
    "subtype",
    "system",
    "init",
    "assistant",
    "user",
    "stream_event",
    "control_request",
    "control_cancel_request",
    "result",
    "success",
    "api_retry",
    "session_id",
    ID,
    "message",
    "content",
    "id",
    "text",
    "tool_use",
    "tool_result",
    "tool_use_id",
    "name",
    "input",
    "event",
    "message_start",
    "content_block_start",
    "content_block_delta",
    "delta",
    "text_delta",
    "request_id",
    "request",
    "can_use_tool",
    "tool_name",
    "AskUserQuestion",
    "ExitPlanMode",
    "questions",
    "options",
    "permission_suggestions",
    "is_error",
    "mcp_servers",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(&WORDS[..]).prop_map(str::to_owned), 1 => any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((word(), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A recorded line with some values changed: the nearest to what a new version may print.
fn changed() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<Value> = all()
        .iter()
        .flat_map(|run| &run.printed)
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let change = (any::<prop::sample::Index>(), value());
    (prop::sample::select(lines), prop::collection::vec(change, 0..3)).prop_map(
        |(mut line, changes)| {
            for (at, new) in changes {
                let mut paths = Vec::new();
                paths_of(&line, String::new(), &mut paths);
                let path = at.get(&paths);
                *line.pointer_mut(path).unwrap() = new;
            }
            line.to_string().into_bytes()
        },
    )
}

fn paths_of(value: &Value, path: String, paths: &mut Vec<String>) {
    let within = |key: &str| format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
    if let Some(fields) = value.as_object() {
        for (key, value) in fields {
            paths_of(value, within(key), paths);
        }
    } else if let Some(items) = value.as_array() {
        for (at, value) in items.iter().enumerate() {
            paths_of(value, within(&at.to_string()), paths);
        }
    }
    paths.push(path);
}

fn typed() -> impl Strategy<Value = Vec<u8>> {
    let kinds = ["system", "assistant", "user", "stream_event", "control_request", "result"];
    (prop::sample::select(kinds.to_vec()), prop::collection::vec((word(), value()), 0..6)).prop_map(
        |(kind, fields)| {
            let mut line = Value::Object(fields.into_iter().collect());
            line["type"] = json!(kind);
            line.to_string().into_bytes()
        },
    )
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        6 => changed().prop_map(Act::Line),
        3 => typed().prop_map(Act::Line),
        2 => prop::collection::vec(any::<u8>(), 0..200).prop_map(Act::Line),
        1 => "[{}\\[\\]\":,\\\\ud83e0-9 \n]{0,60}".prop_map(|text| Act::Line(text.into_bytes())),
        2 => any::<u8>().prop_map(Act::Answer),
        1 => Just(Act::Labels),
        1 => Just(Act::Nobody),
        1 => Just(Act::Interrupt),
        1 => any::<i32>().prop_map(Act::Ended),
    ];
    prop::collection::vec(act, 0..24)
}

fn permissions() -> impl Strategy<Value = Permission> {
    prop_oneof![Just(Permission::Ask), Just(Permission::Deny), Just(Permission::Allow)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_it_ends_once(acts in acts(), permission in permissions()) {
        let mut claude = turn(&Launch { permission, ..launch() });
        let mut events = Vec::new();
        let mut open: Vec<String> = Vec::new();
        for act in acts.into_iter().chain([Act::Ended(0)]) {
            let over = !done(&events).is_empty();
            let asked = open.last().cloned().unwrap_or_default();
            let step = match act {
                Act::Line(line) => claude.line(&line),
                Act::Answer(n) => claude.answer(&asked, &Answer::Choice(choice(n))),
                Act::Labels => {
                    let label = ("Which one?".to_owned(), vec!["B".to_owned()]);
                    claude.answer(&asked, &Answer::Labels(vec![label]))
                }
                Act::Nobody => claude.answer(&asked, &Answer::Nobody),
                Act::Interrupt => claude.interrupt(),
                Act::Ended(exit) => claude.ended(code(exit), "is already in use"),
            };
            written(&step);
            prop_assert!(!over || (step.events.is_empty() && step.write.is_empty()));
            for event in &step.events {
                match event {
                    Event::Ask(ask) => open.push(ask.id.clone()),
                    Event::ToolStart { about, .. } => prop_assert!(about.chars().count() <= 200),
                    Event::Done(done) => prop_assert!(done.detail.chars().count() <= 1_000),
                    Event::Started { .. } | Event::Delta { .. } | Event::Message { .. }
                    | Event::Thinking | Event::ToolEnd { .. } | Event::Withdrawn { .. }
                    | Event::Notice(_) | Event::Usage(_) => {}
                }
            }
            events.extend(step.events);
        }
        prop_assert_eq!(done(&events).len(), 1);
        prop_assert!(matches!(events.last(), Some(Event::Done(_))));
        let withdrawn = events.iter().filter(|event| matches!(event, Event::Withdrawn { .. })).count();
        prop_assert!(withdrawn <= open.len());
    }

    #[test]
    fn a_recording_with_flipped_bytes_ends_once(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let run = recorded("ask_user_question.duplex.jsonl");
        let mut bytes = run.printed.concat();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let mut claude = turn(&run.launch);
        let mut events: Vec<_> =
            bytes.split(|&b| b == b'\n').flat_map(|line| claude.line(line).events).collect();
        events.extend(claude.ended(run.exit, "").events);
        prop_assert_eq!(done(&events).len(), 1);
    }
}

fn choice(n: u8) -> ChoiceKind {
    match n % 4 {
        0 => ChoiceKind::AllowOnce,
        1 => ChoiceKind::AllowAlways,
        2 => ChoiceKind::DenyOnce,
        _ => ChoiceKind::DenyAlways,
    }
}
