//! Claude Code: recordings of the real program, and lines made for one behaviour each.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a failed step of a test is a failed test, in its helpers too"
)]

mod answering;
mod asking;
mod chaos;
mod ending;
mod launching;
mod recorded;
mod recordings;

use larkline_agent::claude::Claude;
use larkline_agent::{Done, Event, Exit, Launch, Notice, Permission, Prompt, Session, Step};
use serde_json::{Value, json};

/// A conversation's id.
const ID: &str = "11111111-2222-4333-8444-555555555501";

/// A launch with nothing set but what has to be.
fn launch() -> Launch {
    Launch {
        program: vec!["claude".to_owned()],
        extra: Vec::new(),
        cwd: "/srv/ws".into(),
        session: Session::New(ID.to_owned()),
        model: None,
        system: None,
        permission: Permission::Ask,
        allowed_tools: Vec::new(),
        denied_tools: Vec::new(),
        turns_max: None,
        budget_usd: None,
        mcp: None,
        add_dirs: Vec::new(),
        project_settings: false,
    }
}

/// A turn that has begun.
fn turn(launch: &Launch) -> Claude {
    let mut claude = Claude::new(launch);
    let step = claude.begin(&Prompt { text: "hello".to_owned(), ..Prompt::default() });
    assert!(!step.write.is_empty() && step.events.is_empty() && !step.close);
    claude
}

/// A turn whose program has said that it works on it.
fn running(launch: &Launch) -> Claude {
    let mut claude = turn(launch);
    say(&mut claude, &init(ID));
    claude
}

fn say(claude: &mut Claude, line: &Value) -> Step {
    claude.line(line.to_string().as_bytes())
}

/// All events of these lines.
fn events(claude: &mut Claude, lines: &[Value]) -> Vec<Event> {
    lines.iter().flat_map(|line| say(claude, line).events).collect()
}

/// What is written, as JSON; every line of it has to be whole.
fn written(step: &Step) -> Vec<Value> {
    let text = str::from_utf8(&step.write).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    assert!(!text.contains(['\r', '\u{2028}', '\u{2029}']), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The one thing that is written.
fn one_written(step: &Step) -> Value {
    let [line] = <[Value; 1]>::try_from(written(step)).unwrap();
    line
}

fn done(events: &[Event]) -> Vec<&Done> {
    let done = events.iter().filter_map(|event| match event {
        Event::Done(done) => Some(done),
        Event::Started { .. }
        | Event::Delta { .. }
        | Event::Message { .. }
        | Event::Thinking
        | Event::ToolStart { .. }
        | Event::ToolEnd { .. }
        | Event::Ask(_)
        | Event::Withdrawn { .. }
        | Event::Notice(_)
        | Event::Usage(_) => None,
    });
    done.collect()
}

fn one_done(events: &[Event]) -> &Done {
    let done = done(events);
    assert_eq!(done.len(), 1, "{events:?}");
    done[0]
}

/// The end that this last line leads to; the input is closed with it.
fn done_of(claude: &mut Claude, line: &Value) -> Done {
    let step = say(claude, line);
    assert!(step.close, "{line}");
    one_done(&step.events).clone()
}

fn other_notices(events: &[Event]) -> Vec<&str> {
    let notices = events.iter().filter_map(|event| {
        if let Event::Notice(Notice::Other(words)) = event { Some(words.as_str()) } else { None }
    });
    notices.collect()
}

/// What a chat would show in the end: finished pieces, and the deltas that none has replaced.
fn shown(events: &[Event]) -> String {
    let (mut finished, mut loose) = (String::new(), String::new());
    for event in events {
        if let Event::Message { text } = event {
            finished.push_str(text);
            loose.clear();
        } else if let Event::Delta { text } = event {
            loose.push_str(text);
        }
    }
    finished + &loose
}

fn code(code: i32) -> Exit {
    Exit { code: Some(code), signal: None }
}

fn init(session: &str) -> Value {
    json!({"type": "system", "subtype": "init", "session_id": session, "mcp_servers": []})
}

fn message_start(id: &str) -> Value {
    json!({"type": "stream_event", "parent_tool_use_id": null,
        "event": {"type": "message_start", "message": {"id": id}}})
}

fn delta(text: &str) -> Value {
    json!({"type": "stream_event", "parent_tool_use_id": null, "event": {
        "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}})
}

fn assistant(id: &str, content: &Value) -> Value {
    json!({"type": "assistant", "message": {"id": id, "role": "assistant", "content": content},
        "parent_tool_use_id": null, "session_id": ID})
}

fn text(id: &str, text: &str) -> Value {
    assistant(id, &json!([{"type": "text", "text": text}]))
}

fn result(fields: &Value) -> Value {
    let mut line = json!({"type": "result", "subtype": "success", "is_error": false,
        "result": "fine", "session_id": ID, "num_turns": 1});
    for (key, value) in fields.as_object().unwrap() {
        line[key] = value.clone();
    }
    line
}

fn leave(id: &str, tool: &str, input: &Value, suggestions: &Value) -> Value {
    json!({"type": "control_request", "request_id": id, "request": {"subtype": "can_use_tool",
        "tool_name": tool, "input": input, "permission_suggestions": suggestions}})
}
