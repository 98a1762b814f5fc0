//! Cases of ACP that no recording holds: text, ends, errors, sessions.

use larkline_agent::acp::Acp;
use larkline_agent::{Event, Exit, Image, Launch, Notice, Outcome, Prompt};
use serde_json::{Value, json};

use crate::acp_agent::Agent;
use crate::launches::{done, launch, messages, outcome, resumed};

#[test]
fn every_reason_to_stop_has_its_outcome() {
    for (reason, expected) in [
        ("end_turn", Outcome::Ok),
        ("max_tokens", Outcome::Limit),
        ("max_turn_requests", Outcome::Limit),
        ("refusal", Outcome::Refused),
        ("cancelled", Outcome::Cancelled),
        ("moonshine", Outcome::Failed),
    ] {
        let mut agent = Agent::prompted(&launch());
        agent.text("so far");
        agent.stops(reason);
        assert_eq!(outcome(&agent.events), expected, "{reason}");
        assert_eq!(messages(&agent.events), ["so far"], "{reason}");
        assert_eq!(done(&agent.events).detail.contains(reason), expected != Outcome::Ok);
    }
}

#[test]
fn a_tool_finishes_the_text_before_it() {
    let mut agent = Agent::prompted(&launch());
    agent.text("I look. ");
    agent.updates(json!({"sessionUpdate": "tool_call", "toolCallId": "t", "title": "ls",
        "kind": "execute", "status": "in_progress"}));
    agent.updates(json!({"sessionUpdate": "tool_call_update", "toolCallId": "t",
        "status": "failed"}));
    agent.updates(json!({"sessionUpdate": "tool_call_update", "toolCallId": "t",
        "title": "late"}));
    agent.text("Nothing");
    agent.text(" there.");
    agent.stops("end_turn");
    let delta = |text: &str| Event::Delta { text: text.to_owned() };
    let message = |text: &str| Event::Message { text: text.to_owned() };
    assert_eq!(
        agent.events[1..agent.events.len() - 1],
        [
            delta("I look. "),
            message("I look. "),
            Event::ToolStart {
                id: "t".to_owned(),
                name: "execute".to_owned(),
                about: "ls".to_owned()
            },
            Event::ToolEnd { id: "t".to_owned(), ok: false },
            delta("Nothing"),
            delta(" there."),
            message("Nothing there."),
        ]
    );
}

#[test]
fn messages_of_different_ids_are_different() {
    let mut agent = Agent::prompted(&launch());
    for (id, text) in [("m1", "a"), ("m1", "b"), ("m2", "c")] {
        let content = json!({"type": "text", "text": text});
        agent.updates(json!({"sessionUpdate": "agent_message_chunk", "messageId": id,
            "content": content}));
    }
    agent.stops("end_turn");
    assert_eq!(messages(&agent.events), ["ab", "c"]);
}

#[test]
fn what_is_no_answer_is_not_in_the_answer() {
    let mut agent = Agent::prompted(&launch());
    let content = json!({"type": "text", "text": "hidden"});
    let (mine, theirs) = (json!("s1"), json!("s2"));
    for (session, update) in [
        (&mine, json!({"sessionUpdate": "agent_thought_chunk", "content": content})),
        (&mine, json!({"sessionUpdate": "agent_thought_chunk", "content": content})),
        (&mine, json!({"sessionUpdate": "user_message_chunk", "content": content})),
        (&mine, json!({"sessionUpdate": "brand_new", "content": content})),
        (&mine, json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "image"}})),
        (&theirs, json!({"sessionUpdate": "agent_message_chunk", "content": content})),
        (
            &mine,
            json!({"sessionUpdate": "agent_message_chunk", "content": content,
            "_meta": {"claudeCode": {"parentToolUseId": "t"}}}),
        ),
    ] {
        let params = json!({"sessionId": session, "update": update});
        agent.says(json!({"method": "session/update", "params": params}));
    }
    agent.updates(json!({"sessionUpdate": "plan", "entries": [
        {"content": "read", "status": "completed"},
        {"content": "write\nit", "status": "in_progress"}]}));
    agent.stops("end_turn");
    let step = Event::Notice(Notice::Other("write it".to_owned()));
    assert_eq!(agent.events[1..3], [Event::Thinking, step]);
    assert_eq!(agent.events.len(), 4);
}

#[test]
fn errors_have_their_outcomes_and_their_words() {
    for (error, expected, words) in [
        (json!({"code": -32000, "message": "Authentication required"}), Outcome::Auth, "required"),
        (
            json!({"code": -32603, "message": "Internal error: API Error: 529 Overloaded"}),
            Outcome::Overloaded,
            "529",
        ),
        (
            json!({"code": -32603, "message": "Internal error",
            "data": {"message": "exceeded retry limit, last status: 429"}}),
            Outcome::Overloaded,
            "last status: 429",
        ),
        (
            json!({"code": -32603, "message": "Internal error",
            "data": {"details": "Incorrect API key provided."}}),
            Outcome::Auth,
            "Incorrect",
        ),
        (
            json!({"code": -32603, "message": "Internal error", "data": "not found"}),
            Outcome::Failed,
            "not found",
        ),
        (json!("what"), Outcome::Failed, ""),
    ] {
        let mut agent = Agent::prompted(&launch());
        agent.says(json!({"id": 3, "error": error}));
        assert_eq!(outcome(&agent.events), expected, "{error}");
        assert!(done(&agent.events).detail.contains(words), "{error}");
        assert!(!done(&agent.events).unknown_session, "{error}");
    }
}

#[test]
fn a_session_that_cannot_be_loaded_is_unknown() {
    let able = json!({"protocolVersion": 1, "agentCapabilities": {"loadSession": true}});
    for (error, unknown) in [
        (json!({"code": -32002, "message": "Resource not found"}), true),
        (
            json!({"code": -32603, "message": "Internal error",
            "data": {"details": "Session not found: s1"}}),
            true,
        ),
        (json!({"code": -32603, "message": "No conversation found with session ID: s1"}), true),
        (json!({"code": -32603, "message": "disk full"}), false),
        (json!({"code": -32000, "message": "log in, session not found"}), false),
    ] {
        let mut agent = Agent::begun(&resumed("s1"), &Prompt::default());
        agent.says(json!({"id": 1, "result": able}));
        agent.says(json!({"id": 2, "error": error}));
        assert_eq!(done(&agent.events).unknown_session, unknown, "{error}");
        assert_ne!(outcome(&agent.events), Outcome::Ok);
    }
    let mut agent = Agent::begun(&resumed("s1"), &Prompt::default());
    agent.says(json!({"id": 1, "result": {"protocolVersion": 1, "agentCapabilities": {}}}));
    assert!(done(&agent.events).unknown_session);
    assert_eq!(agent.written.len(), 1, "no session was asked for");
}

#[test]
fn another_version_and_a_session_without_an_id_are_failures() {
    let mut agent = Agent::begun(&launch(), &Prompt::default());
    agent.says(json!({"id": 1, "result": {"protocolVersion": 2}}));
    assert_eq!(outcome(&agent.events), Outcome::Failed);
    let mut agent = Agent::begun(&launch(), &Prompt::default());
    agent.says(json!({"id": 1, "result": {}}));
    agent.says(json!({"id": 2, "result": {}}));
    assert_eq!(outcome(&agent.events), Outcome::Failed);
}

#[test]
fn a_dead_process_is_judged_by_its_complaints() {
    let mut agent = Agent::begun(&launch(), &Prompt::default());
    let step = agent.acp.ended(Exit { code: Some(1), signal: None }, "Error: Not logged in\n");
    agent.took(step);
    assert_eq!(outcome(&agent.events), Outcome::Auth);
}

#[test]
fn the_prompt_says_who_the_bot_is_once_and_chat_text_stays_text() {
    let image = Image { media_type: "image/png".to_owned(), bytes: vec![0; 3] };
    let prompt = Prompt {
        text: "@/etc/passwd".to_owned(),
        closing: "Answer.".to_owned(),
        images: vec![image],
    };
    for (launch, last) in [(launch(), "You are a bot.\n\nAnswer."), (resumed("s1"), "Answer.")] {
        let launch = Launch { system: Some("You are a bot.".to_owned()), ..launch };
        for images in [true, false] {
            let mut agent = Agent::begun(&launch, &prompt);
            let able = json!({"loadSession": true, "promptCapabilities": {"image": images}});
            agent.says(json!({"id": 1, "result": {"agentCapabilities": able}}));
            agent.says(json!({"id": 2, "result": {"sessionId": "s1"}}));
            let blocks = agent.written[2]["params"]["prompt"].as_array().unwrap();
            assert_eq!(blocks[0]["text"], "@\u{200b}/etc/passwd");
            assert_eq!(blocks.last().unwrap()["text"], last);
            assert_eq!(blocks.len(), if images { 3 } else { 2 });
            let noticed = agent.events.iter().any(|event| matches!(event, Event::Notice(_)));
            assert_eq!(noticed, !images);
        }
    }
}

#[test]
fn a_session_is_opened_with_what_the_agent_can_use() {
    let mcp = json!({"mcpServers": {"gw": {"command": "/bin/gw"},
        "far": {"type": "http", "url": "http://127.0.0.1:1"}}});
    let launch =
        Launch { mcp: Some(mcp.to_string()), add_dirs: vec!["/srv/more".into()], ..launch() };
    for (able, servers, dirs) in [
        (json!({}), 1, Value::Null),
        (
            json!({"mcpCapabilities": {"http": true},
            "sessionCapabilities": {"additionalDirectories": {}}}),
            2,
            json!(["/srv/more"]),
        ),
    ] {
        let mut agent = Agent::begun(&launch, &Prompt::default());
        agent.says(json!({"id": 1, "result": {"agentCapabilities": able}}));
        let params = &agent.written[1]["params"];
        assert_eq!(params["cwd"], "/srv/ws");
        assert_eq!(params["mcpServers"].as_array().unwrap().len(), servers);
        assert_eq!(params["additionalDirectories"], dirs);
        assert_eq!(agent.events.is_empty(), servers == 2);
    }
}

#[test]
fn the_command_line_is_the_operators() {
    let launch = Launch {
        program: vec!["qwen".to_owned(), "--acp".to_owned()],
        extra: vec!["--yolo".to_owned()],
        ..launch()
    };
    assert_eq!(Acp::argv(&launch), ["qwen", "--acp", "--yolo"]);
}

#[test]
fn text_without_end_is_finished_in_pieces() {
    let mut agent = Agent::prompted(&launch());
    let piece = "x".repeat(1 << 20);
    for _ in 0..9 {
        agent.text(&piece);
    }
    let pieces = messages(&agent.events);
    assert_eq!(pieces.len(), 1);
    assert!(pieces[0].len() <= 6 << 20);
}
