//! Four agents, recorded: a turn of text, one with a question, one that is interrupted.

use std::path::Path;

use larkline_agent::acp::Acp;
use larkline_agent::{
    Answer, Ask, ChoiceKind, Event, Exit, Launch, Notice, Outcome, Prompt, Session, Usage,
};
use serde_json::{Value, json};

use crate::launches::{closes_at_the_end, done, launch, messages, outcome};

const AGENTS: [&str; 4] = ["claude", "codex", "opencode", "qwen"];
/// Turns in a recording: text, question, interrupt.
const TURNS: u64 = 3;
/// Requests before the first prompt of a recording.
const BEFORE: u64 = 2;

/// One line of a recording.
#[derive(Clone)]
struct Line {
    from_agent: bool,
    message: Value,
}

/// The recorded line of the turn with this number, as if it were the only one of its process.
fn recording(agent: &str, turn: u64) -> Vec<Line> {
    let path = format!("{}/fixtures/acp/{agent}.duplex.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(Path::new(&path)).unwrap();
    let mut lines: Vec<Line> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|line| Line { from_agent: line["dir"] == "stdout", message: line["line"].clone() })
        .collect();
    let begins = |lines: &[Line], turn: u64| {
        lines.iter().position(|line| !line.from_agent && line.message["id"] == turn + BEFORE)
    };
    let last = begins(&lines, turn + 1).unwrap_or(lines.len());
    lines.truncate(last);
    let (first, turn_at) = (begins(&lines, 1).unwrap(), begins(&lines, turn).unwrap());
    lines.drain(first..turn_at);
    // The prompt is the third request of its own process.
    for Line { from_agent, message } in &mut lines {
        let answer = *from_agent && message["method"].is_null();
        let prompt = message["method"] == "session/prompt";
        if message["id"] == turn + BEFORE && (answer || prompt) {
            message["id"] = json!(BEFORE + 1);
        }
    }
    lines
}

/// A recording as it is played to the machine.
struct Play {
    acp: Acp,
    events: Vec<Event>,
    written: Vec<Value>,
}

impl Play {
    fn new(launch: &Launch) -> Self {
        let mut play = Self { acp: Acp::new(launch), events: Vec::new(), written: Vec::new() };
        let prompt = Prompt {
            text: "chat text".to_owned(),
            closing: "Answer.".to_owned(),
            images: Vec::new(),
        };
        let step = play.acp.begin(&prompt);
        play.took(step);
        play
    }

    fn took(&mut self, step: larkline_agent::Step) {
        closes_at_the_end(&step);
        assert!(step.write.is_empty() || step.write.ends_with(b"\n"));
        for line in step.write.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.written.push(serde_json::from_slice(line).unwrap());
        }
        self.events.extend(step.events);
    }

    fn agent(&mut self, message: &Value) {
        let step = self.acp.line(message.to_string().as_bytes());
        self.took(step);
    }

    /// Does what the recorded client did, if it is not done by itself.
    fn client(&mut self, message: &Value) {
        let option = &message["result"]["outcome"]["optionId"];
        if message["method"] == "session/cancel" {
            let step = self.acp.interrupt();
            self.took(step);
        } else if option.is_string() {
            let ask = asks(&self.events).pop().unwrap();
            let choice = ask.choices.iter().find(|choice| *option == choice.id).unwrap();
            let step = self.acp.answer(&ask.id, &Answer::Choice(choice.kind));
            self.took(step);
        }
    }

    fn play(mut self, lines: &[Line]) -> Self {
        for line in lines {
            if line.from_agent {
                self.agent(&line.message);
            } else {
                self.client(&line.message);
            }
        }
        self
    }
}

fn asks(events: &[Event]) -> Vec<Ask> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Ask(ask) => Some(ask.clone()),
            _ => None,
        })
        .collect()
}

fn played(agent: &str, turn: u64) -> Play {
    Play::new(&launch()).play(&recording(agent, turn))
}

#[test]
fn every_recorded_turn_ends_once_and_as_it_did() {
    for agent in AGENTS {
        for turn in 1..=TURNS {
            let play = played(agent, turn);
            let expected = if turn == TURNS { Outcome::Cancelled } else { Outcome::Ok };
            assert_eq!(outcome(&play.events), expected, "{agent} {turn}");
            assert!(done(&play.events).text.is_empty());
        }
    }
}

#[test]
fn the_lines_written_are_those_that_the_agents_took() {
    for agent in AGENTS {
        for turn in 1..=TURNS {
            let mut recorded: Vec<Value> = recording(agent, turn)
                .into_iter()
                .filter(|line| !line.from_agent)
                .map(|line| line.message)
                .collect();
            let mut written = played(agent, turn).written;
            let blocks = written[2]["params"]["prompt"].take();
            recorded[2]["params"]["prompt"].take();
            written[0]["params"]["clientInfo"].take();
            recorded[0]["params"]["clientInfo"].take();
            assert_eq!(written, recorded, "{agent} {turn}");
            assert_eq!(
                blocks,
                json!([{"type": "text", "text": "chat text"}, {"type": "text", "text": "Answer."}])
            );
        }
    }
}

#[test]
fn all_text_is_in_messages_and_in_deltas() {
    let warning = "Model metadata for `fake-model` not found. Defaulting to fallback metadata; \
                   this can degrade performance and cause issues.";
    for agent in AGENTS {
        let play = played(agent, 1);
        let said = if agent == "codex" { warning } else { "" };
        assert_eq!(messages(&play.events), [format!("{said}Hello there friend")], "{agent}");
        for turn in 1..=TURNS {
            let events = played(agent, turn).events;
            let deltas: String = events
                .iter()
                .filter_map(|event| match event {
                    Event::Delta { text } => Some(text.as_str()),
                    _ => None,
                })
                .collect();
            assert_eq!(messages(&events).concat(), deltas, "{agent} {turn}");
        }
    }
}

#[test]
fn a_question_comes_between_what_was_said_before_and_after() {
    for agent in AGENTS {
        let events = played(agent, 2).events;
        let ask = asks(&events);
        assert_eq!(ask.len(), 1, "{agent}");
        assert_eq!(ask[0].choices[0].kind, ChoiceKind::AllowOnce, "{agent}");
        let kinds: Vec<&str> = events.iter().filter_map(kind).collect();
        let shown: &[&str] = match agent {
            "codex" => &["message", "ask", "start", "end", "message", "done"],
            // Qwen tells of its tool only by asking.
            "qwen" => &["ask", "start", "end", "message", "done"],
            _ => &["start", "ask", "end", "message", "done"],
        };
        assert_eq!(kinds, shown, "{agent}");
    }
}

fn kind(event: &Event) -> Option<&'static str> {
    match event {
        Event::Message { .. } => Some("message"),
        Event::Ask(_) => Some("ask"),
        Event::ToolStart { .. } => Some("start"),
        Event::ToolEnd { ok, .. } => Some(if *ok { "end" } else { "failed" }),
        Event::Done(_) => Some("done"),
        _ => None,
    }
}

#[test]
fn a_tool_is_told_of_by_what_it_does() {
    for (agent, tool, command) in [
        ("claude", "Bash", "mkdir -p /srv/ws/zz"),
        ("codex", "execute", "touch /srv/ws/appr"),
        ("opencode", "execute", "mkdir -p /srv/ws/zzo"),
        ("qwen", "run_shell_command", "mkdir -p /srv/ws/zzq (d)"),
    ] {
        let events = played(agent, 2).events;
        let started = events.iter().find_map(|event| match event {
            Event::ToolStart { name, about, .. } => Some((name.as_str(), about.as_str())),
            _ => None,
        });
        assert_eq!(started, Some((tool, command)), "{agent}");
    }
}

#[test]
fn a_question_shows_the_command_and_not_its_summary() {
    for (agent, command) in [
        ("claude", "mkdir -p /srv/ws/zz"),
        ("codex", "/bin/bash -lc 'touch /srv/ws/appr'\ncwd: /srv/ws"),
        ("opencode", "mkdir -p /srv/ws/zzo\ncwd: /srv/ws"),
        ("qwen", "mkdir -p /srv/ws/zzq\nis_background: false"),
    ] {
        let asked = asks(&played(agent, 2).events).pop().unwrap();
        match asked.kind {
            larkline_agent::AskKind::Permission { detail, .. } => assert_eq!(detail, command),
            other => panic!("{agent}: {other:?}"),
        }
    }
}

#[test]
fn use_is_that_of_the_turn() {
    for (agent, turn, expected) in [
        ("claude", 1, Some((120, 7, Some(0.000_775)))),
        ("claude", 2, Some((240, 14, Some(0.002_325)))),
        ("codex", 1, None),
        ("opencode", 1, Some((120, 7, None))),
        ("qwen", 1, Some((120, 7, None))),
        ("qwen", 2, Some((240, 14, None))),
    ] {
        let events = played(agent, turn).events;
        let last = events.iter().rev().find_map(|event| match event {
            Event::Usage(usage) => Some(*usage),
            _ => None,
        });
        let expected = expected.map(|(tokens_in, tokens_out, cost_usd)| Usage {
            tokens_in,
            tokens_out,
            cost_usd,
        });
        let rounded = last.map(|usage| Usage {
            cost_usd: usage.cost_usd.map(|cost| (cost * 1e6).round() / 1e6),
            ..usage
        });
        assert_eq!(rounded, expected, "{agent} {turn}");
    }
}

#[test]
fn the_session_is_told_before_anything_is_said() {
    for agent in AGENTS {
        let play = played(agent, 1);
        let session = play.written[2]["params"]["sessionId"].as_str().unwrap();
        let started = Event::Started { session: session.to_owned() };
        assert_eq!(play.events[0], started, "{agent}");
    }
}

#[test]
fn cut_off_anywhere_it_ends_once() {
    for agent in AGENTS {
        for turn in 1..=TURNS {
            let lines = recording(agent, turn);
            for cut in 0..=lines.len() {
                let mut play = Play::new(&launch()).play(&lines[..cut]);
                let over = play.events.iter().any(|event| matches!(event, Event::Done(_)));
                let exit = Exit { code: Some(1), signal: None };
                let step = play.acp.ended(exit, "killed");
                assert_eq!(step.events.is_empty(), over);
                play.took(step);
                let cancelled =
                    lines[..cut].iter().any(|l| l.message["method"] == "session/cancel");
                let end = done(&play.events);
                if !over {
                    let expected = if cancelled { Outcome::Cancelled } else { Outcome::Failed };
                    assert_eq!(end.outcome, expected, "{agent} {turn} {cut}");
                    assert!(end.detail.contains("code 1") && end.detail.contains("killed"));
                }
                // No question is left open: it was answered or taken back.
                let taken_back =
                    play.events.iter().filter(|event| matches!(event, Event::Withdrawn { .. }));
                let answered = play.written.iter().filter(|line| line["result"].is_object());
                assert_eq!(taken_back.count() + answered.count(), asks(&play.events).len());
                assert!(play.acp.line(b"{}").events.is_empty());
                assert_eq!(play.acp.interrupt(), larkline_agent::Step::default());
            }
        }
    }
}

#[test]
fn a_resumed_turn_says_nothing_of_its_history() {
    for agent in AGENTS {
        let mut lines = recording(agent, 1);
        let answer = lines.iter().position(|line| line.from_agent && line.message["id"] == 2);
        let session = lines[answer.unwrap()].message["result"]["sessionId"].take();
        let session = session.as_str().unwrap().to_owned();
        lines[answer.unwrap()].message["result"] = Value::Null;
        // The history: the updates of all turns before the answer to `session/load`.
        let history: Vec<Line> = (1..=TURNS)
            .flat_map(|turn| recording(agent, turn))
            .filter(|line| line.message["method"] == "session/update")
            .collect();
        lines.splice(answer.unwrap()..answer.unwrap(), history);
        let launch = Launch { session: Session::Resume(session.clone()), ..launch() };
        let play = Play::new(&launch).play(&lines);
        assert_eq!(play.written[1]["method"], "session/load");
        assert_eq!(play.written[1]["params"]["sessionId"], json!(session));
        assert_eq!(play.events[0], Event::Started { session });
        assert_eq!(messages(&play.events), messages(&played(agent, 1).events), "{agent}");
        assert_eq!(outcome(&play.events), Outcome::Ok);
        let notices =
            play.events.iter().filter(|e| matches!(e, Event::Notice(Notice::Other(_)))).count();
        assert_eq!(notices, 0);
    }
}
