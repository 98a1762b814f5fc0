//! Text, thought and tools as they come.

use larkline_agent::Event;
use serde_json::{Value, json};

use super::{
    ID, assistant, delta, events, init, launch, message_start, other_notices, result, running, say,
    shown, text, turn,
};

fn message(text: &str) -> Event {
    Event::Message { text: text.to_owned() }
}

fn piece(text: &str) -> Event {
    Event::Delta { text: text.to_owned() }
}

#[test]
fn pieces_are_replaced_by_the_finished_text() {
    let mut claude = running(&launch());
    let lines = [message_start("m1"), delta("Hel"), delta("lo"), text("m1", "Hello")];
    assert_eq!(events(&mut claude, &lines), [piece("Hel"), piece("lo"), message("Hello")]);
}

#[test]
fn pieces_of_a_broken_stream_are_taken_back_by_the_next_one() {
    let mut claude = running(&launch());
    let lines = [message_start("m1"), delta("Half of"), message_start("m2"), delta("All")];
    let events = events(&mut claude, &lines);
    assert_eq!(events, [piece("Half of"), message(""), piece("All")]);
    assert_eq!(shown(&events), "All");
}

#[test]
fn pieces_of_a_superseded_message_count_no_longer() {
    let mut claude = running(&launch());
    let lines = [message_start("m1"), delta("Half of"), text("m2", "All of it"), delta(" late")];
    assert_eq!(events(&mut claude, &lines), [piece("Half of"), message("All of it")]);
    // The next stream counts again.
    let lines = [message_start("m3"), delta("More")];
    assert_eq!(events(&mut claude, &lines), [piece("More")]);
}

#[test]
fn a_message_said_anew_without_text_takes_the_pieces_back() {
    let mut claude = running(&launch());
    let tool = json!([{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}]);
    let events = events(&mut claude, &[message_start("m1"), delta("Half"), assistant("m2", &tool)]);
    assert_eq!(events[1], message(""));
    assert_eq!(shown(&events), "");
}

#[test]
fn every_block_of_text_is_a_message() {
    let mut claude = running(&launch());
    let both = json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]);
    assert_eq!(events(&mut claude, &[assistant("m1", &both)]), [message("one"), message("two")]);
    assert_eq!(events(&mut claude, &[text("m2", "three")]), [message("three")]);
    assert_eq!(events(&mut claude, &[text("m3", " \n")]), [], "there is nothing in it");
    let lines = [message_start("m4"), delta("\n"), text("m4", "\n")];
    assert_eq!(events(&mut claude, &lines), [piece("\n"), message("\n")], "it replaces a piece");
}

#[test]
fn the_words_of_a_sub_agent_are_not_the_answer() {
    let mut claude = running(&launch());
    let mut lines = [
        message_start("m1"),
        delta("secret"),
        text("m1", "secret"),
        assistant("m1", &json!([{"type": "thinking", "thinking": "secret"}])),
        json!({"type": "stream_event", "event": {"type": "content_block_start",
            "content_block": {"type": "thinking"}}}),
    ];
    for line in &mut lines {
        line["parent_tool_use_id"] = json!("toolu_1");
    }
    assert_eq!(events(&mut claude, &lines), []);
}

#[test]
fn a_failure_that_it_reports_as_its_own_words_is_not_the_answer() {
    let mut claude = running(&launch());
    let mut line = text("m1", "API Error: 500");
    line["error"] = json!("server_error");
    line["message"]["model"] = json!("<synthetic>");
    assert_eq!(events(&mut claude, &[line]), []);
}

#[test]
fn it_thinks_once_until_it_does_something_else() {
    let mut claude = running(&launch());
    let thinks = |kind: &str| {
        json!({"type": "stream_event", "event": {"type": "content_block_start",
            "content_block": {"type": kind}}})
    };
    let thought = assistant("m1", &json!([{"type": "thinking", "thinking": "hm"}]));
    let lines = [
        message_start("m1"),
        thinks("thinking"),
        thinks("redacted_thinking"),
        thought.clone(),
        delta("So"),
        thought,
        thinks("text"),
    ];
    assert_eq!(events(&mut claude, &lines), [Event::Thinking, piece("So"), Event::Thinking]);
}

#[test]
fn a_conversation_is_told_once_and_only_with_an_id_that_can_be_an_argument() {
    let mut claude = turn(&launch());
    let started = |id: &str| Event::Started { session: id.to_owned() };
    assert_eq!(events(&mut claude, &[init(ID), init(ID)]), [started(ID)]);
    assert_eq!(events(&mut claude, &[init("other_1.x")]), [started("other_1.x")]);
    let long = "a".repeat(129);
    for id in ["", "--resume", "a b", "../x", "é", "a\n", long.as_str()] {
        assert_eq!(events(&mut claude, &[init(id)]), [], "{id}");
    }
    // Without its first line, the last one tells.
    let mut claude = turn(&launch());
    assert_eq!(events(&mut claude, &[result(&json!({}))])[0], started(ID));
}

#[test]
fn what_it_wants_known_is_a_notice() {
    let mut claude = turn(&launch());
    let mut line = init(ID);
    line["mcp_servers"] = json!([
        {"name": "gw", "status": "connected"}, {"name": "db\u{1b}", "status": "failed"},
        {"name": "wiki", "status": "needs-auth"}, 7,
    ]);
    let informed = json!({"type": "system", "subtype": "informational",
        "content": format!("switched\n{}", "x".repeat(400))});
    let events = events(&mut claude, &[line, informed]);
    let notices = other_notices(&events);
    assert_eq!(notices[..2], ["MCP server db: failed", "MCP server wiki: needs-auth"]);
    assert!(notices[2].starts_with("switched x"), "{notices:?}");
    assert_eq!(notices[2].chars().count(), 300);
}

fn about(tool: &str, input: &Value) -> String {
    let mut claude = running(&launch());
    let used = json!([{"type": "tool_use", "id": "t", "name": tool, "input": input}]);
    let mut events = say(&mut claude, &assistant("m", &used)).events;
    let Some(Event::ToolStart { id, name, about }) = events.pop() else { panic!("{events:?}") };
    assert_eq!((id.as_str(), name.as_str()), ("t", tool));
    about
}

#[test]
fn a_tool_is_about_one_line() {
    for (tool, input, expected) in [
        ("Bash", json!({"command": "ls -l\n  | wc", "description": "count"}), "ls -l | wc"),
        ("Read", json!({"file_path": "/srv/a b.txt", "limit": 5}), "/srv/a b.txt"),
        ("NotebookEdit", json!({"notebook_path": "/n.ipynb", "new_source": "x"}), "/n.ipynb"),
        ("Grep", json!({"pattern": "fn .*", "path": "/srv"}), "fn .*"),
        ("WebFetch", json!({"url": "https://a.example", "prompt": "p"}), "https://a.example"),
        ("WebSearch", json!({"query": "rust"}), "rust"),
        ("Task", json!({"description": "sub", "prompt": "long"}), "sub"),
        ("read_file", json!({"absolute_path": "/srv/x"}), "/srv/x"),
        ("TodoWrite", json!({"todos": [{"a": 1}]}), "{\"todos\":[{\"a\":1}]}"),
        ("mcp__gw__send", json!({"path": "/y", "to": "me"}), "{\"path\":\"/y\",\"to\":\"me\"}"),
        ("EnterPlanMode", json!({}), ""),
        ("Odd", json!(null), "null"),
        ("Bash", json!({"command": "echo \u{1b}[2J\u{202e}x\u{0}"}), "echo [2Jx"),
    ] {
        assert_eq!(about(tool, &input), expected, "{tool}");
    }
    let long = about("Bash", &json!({"command": "字".repeat(5_000_000)}));
    assert_eq!(long.chars().count(), 200);
    assert!(long.ends_with('…'));
    let spaces = about("Bash", &json!({"command": format!("ls{}; rm x", " ".repeat(900))}));
    assert_eq!(spaces, "ls…", "what is not looked at is not denied");
}

#[test]
fn a_tool_ends_well_or_not() {
    let mut claude = running(&launch());
    let ended = |content: Value| json!({"type": "user", "message": {"content": content}});
    let lines = [
        ended(json!([
            {"type": "tool_result", "tool_use_id": "a", "content": "x", "is_error": false},
            {"type": "tool_result", "tool_use_id": "b", "is_error": true},
            {"type": "text", "text": "[Request interrupted by user]"},
            {"type": "tool_result", "tool_use_id": "c"},
        ])),
        ended(json!("<local-command-stdout>hi</local-command-stdout>")),
    ];
    let end = |id: &str, ok| Event::ToolEnd { id: id.to_owned(), ok };
    assert_eq!(events(&mut claude, &lines), [end("a", true), end("b", false), end("c", true)]);
}
