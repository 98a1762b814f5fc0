//! `codex exec --json`, recorded, and the cases that no recording holds.

use larkline_agent::codex::Codex;
use larkline_agent::{
    Answer, Event, Exit, Launch, Notice, Outcome, Permission, Prompt, Session, Step, Usage,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::launches::{done, launch, messages, outcome, resumed};

/// A recorded run.
struct Case {
    file: String,
    launch: Launch,
    lines: Vec<String>,
    exit: Exit,
    stderr: String,
}

fn folder() -> String {
    format!("{}/fixtures/codex", env!("CARGO_MANIFEST_DIR"))
}

fn cases() -> Vec<Case> {
    let index = std::fs::read_to_string(format!("{}/index.json", folder())).unwrap();
    let index: Value = serde_json::from_str(&index).unwrap();
    let cases = index["cases"].as_array().unwrap().iter();
    // The app server speaks another protocol.
    let cases = cases.filter(|case| case["args"][0] == "exec").map(|case| {
        let file = case["file"].as_str().unwrap().to_owned();
        let text = std::fs::read_to_string(format!("{}/{file}", folder())).unwrap();
        let args: Vec<&str> =
            case["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        let thread = args.iter().position(|arg| *arg == "resume").map(|at| args[at + 1]);
        let exit = i32::try_from(case["exit"].as_i64().unwrap()).unwrap();
        Case {
            file,
            launch: thread.map_or_else(launch, resumed),
            lines: text.lines().map(str::to_owned).collect(),
            exit: Exit { code: (exit >= 0).then_some(exit), signal: (exit < 0).then_some(-exit) },
            stderr: case["stderr"].as_str().unwrap().to_owned(),
        }
    });
    cases.collect()
}

fn case(file: &str) -> Case {
    cases().into_iter().find(|case| case.file == file).unwrap()
}

fn begun(launch: &Launch) -> Codex {
    let mut codex = Codex::new(launch);
    let step = codex.begin(&Prompt { text: "hi".to_owned(), ..Prompt::default() });
    assert!(step.close && step.events.is_empty());
    codex
}

/// The events of the lines and of the end, and whether the end came from the lines.
fn played(case: &Case, lines: usize) -> (Vec<Event>, bool) {
    let mut codex = begun(&case.launch);
    let mut events: Vec<Event> = Vec::new();
    for line in &case.lines[..lines] {
        let step = codex.line(line.as_bytes());
        assert!(step.write.is_empty());
        events.extend(step.events);
    }
    let over = events.iter().any(|event| matches!(event, Event::Done(_)));
    let step = codex.ended(case.exit, &case.stderr);
    assert_eq!(step.events.is_empty(), over, "{}", case.file);
    events.extend(step.events);
    (events, over)
}

fn events(file: &str) -> Vec<Event> {
    let case = case(file);
    played(&case, case.lines.len()).0
}

#[test]
fn every_recording_ends_once_and_as_it_did() {
    let cases = cases();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let (events, _) = played(&case, case.lines.len());
        let expected = match case.file.as_str() {
            "missing_key.jsonl" | "api_error_401.jsonl" => Outcome::Auth,
            "response_failed.jsonl" => Outcome::Overloaded,
            "resume_unknown_name.jsonl" => Outcome::Failed,
            _ if case.exit.code == Some(0) => Outcome::Ok,
            _ => Outcome::Failed,
        };
        assert_eq!(outcome(&events), expected, "{}", case.file);
        let unknown = case.file.starts_with("resume_unknown");
        assert_eq!(done(&events).unknown_session, unknown, "{}", case.file);
    }
}

#[test]
fn cut_off_anywhere_it_ends_once() {
    for case in cases() {
        for cut in 0..case.lines.len() {
            let (events, over) = played(&case, cut);
            let end = done(&events);
            assert!(over || end.outcome != Outcome::Ok, "{} {cut}", case.file);
        }
    }
}

#[test]
fn an_interrupted_turn_is_cancelled_whatever_it_says() {
    for file in ["sigint.jsonl", "sigterm.jsonl", "api_error_400.jsonl"] {
        let case = case(file);
        let mut codex = begun(&case.launch);
        assert_eq!(codex.interrupt(), Step::default());
        let mut events: Vec<Event> =
            case.lines.iter().flat_map(|line| codex.line(line.as_bytes()).events).collect();
        events.extend(codex.ended(case.exit, &case.stderr).events);
        assert_eq!(outcome(&events), Outcome::Cancelled, "{file}");
    }
    let mut codex = Codex::new(&launch());
    let step = codex.interrupt();
    assert_eq!(outcome(&step.events), Outcome::Cancelled);
    assert_eq!(codex.begin(&Prompt::default()), Step::default());
}

#[test]
fn messages_come_whole_and_thoughts_are_no_text() {
    let events = events("reasoning.jsonl");
    assert_eq!(messages(&events), ["Hello there"]);
    assert_eq!(events.iter().filter(|event| **event == Event::Thinking).count(), 1);
}

#[test]
fn thoughts_are_told_once_until_something_else_comes() {
    let mut codex = begun(&launch());
    let mut told = Vec::new();
    for kind in ["reasoning", "reasoning", "agent_message", "reasoning"] {
        let item = json!({"id": "a", "type": kind, "text": "x"});
        let line = json!({"type": "item.completed", "item": item}).to_string();
        told.extend(codex.line(line.as_bytes()).events);
    }
    let message = Event::Message { text: "x".to_owned() };
    assert_eq!(told, [Event::Thinking, message, Event::Thinking]);
}

#[test]
fn tools_are_told_of_with_what_they_do() {
    for (file, tool, about, expected) in [
        ("command.jsonl", "command_execution", "echo hi-from-exec", true),
        ("command_failed.jsonl", "command_execution", "ls /nonexistent; exit 3", false),
        ("file_change.jsonl", "file_change", "/srv/ws/new.txt", true),
    ] {
        let events = events(file);
        let start = Event::ToolStart {
            id: "item_0".to_owned(),
            name: tool.to_owned(),
            about: about.to_owned(),
        };
        assert_eq!(events[1], start, "{file}");
        assert_eq!(events[2], Event::ToolEnd { id: "item_0".to_owned(), ok: expected });
    }
}

#[test]
fn tools_that_only_end_and_tools_of_servers_are_told_of_too() {
    let mut codex = begun(&launch());
    let mut says = |kind: &str, item: Value| {
        codex.line(json!({"type": kind, "item": item}).to_string().as_bytes()).events
    };
    let start = |id: &str, name: &str, about: &str| Event::ToolStart {
        id: id.to_owned(),
        name: name.to_owned(),
        about: about.to_owned(),
    };
    let end = |id: &str, ok| Event::ToolEnd { id: id.to_owned(), ok };
    assert_eq!(
        says("item.completed", json!({"id": "a", "type": "web_search", "query": "rust"})),
        [start("a", "web_search", "rust"), end("a", true)]
    );
    let call = |status: &str| {
        json!({"id": "b", "type": "mcp_tool_call", "server": "gw", "tool": "send",
            "status": status})
    };
    assert_eq!(says("item.started", call("in_progress")), [start("b", "send", "gw")]);
    assert_eq!(says("item.updated", call("in_progress")), []);
    assert_eq!(says("item.completed", call("failed")), [end("b", false)]);
    assert_eq!(says("item.completed", json!({"id": "c", "type": "brand_new"})), []);
}

#[test]
fn retries_and_warnings_are_notices() {
    for (file, of, why) in [
        ("api_error_401.jsonl", 5, "auth"),
        ("api_retry_429.jsonl", 5, "rate_limit"),
        ("response_failed.jsonl", 1, "rate_limit"),
        ("stream_cut.jsonl", 5, "network"),
    ] {
        let first = events(file).into_iter().find_map(|event| match event {
            Event::Notice(notice) => Some(notice),
            _ => None,
        });
        let why = why.to_owned();
        assert_eq!(first, Some(Notice::Retrying { attempt: 1, of, wait_ms: 0, why }), "{file}");
    }
    let warning = events("unknown_model_warning.jsonl").into_iter().find_map(|event| match event {
        Event::Notice(Notice::Other(words)) => Some(words),
        _ => None,
    });
    assert!(warning.unwrap().starts_with("Model metadata for `fake-model` not found."));
}

#[test]
fn a_bad_end_says_why() {
    assert_eq!(done(&events("api_error_400.jsonl")).detail, "bad request (fake)");
    let busy = events("resume_busy.jsonl");
    assert!(done(&busy).detail.contains("already has an active writer"));
    let untrusted = events("not_trusted.jsonl");
    let detail = "it ended with code 1 before the turn did: \
                  Not inside a trusted directory and --skip-git-repo-check was not specified.";
    assert_eq!(done(&untrusted).detail, detail);
    assert!(done(&events("sigterm.jsonl")).detail.starts_with("signal 15 ended it"));
}

#[test]
fn a_thread_that_was_not_asked_for_is_never_told() {
    let events = events("resume_unknown_name.jsonl");
    assert_eq!(events.len(), 1, "{events:#?}");
    assert!(done(&events).detail.contains("01a1f884-79fe-7a32-9892-62dbdb44475e"));
    let thread = "01a1f884-71b6-78d3-8bc9-f584b957511b";
    let resumed = self::events("resume.jsonl");
    assert_eq!(resumed[0], Event::Started { session: thread.to_owned() });
}

#[test]
fn use_is_that_of_the_turn_and_the_total_is_kept() {
    let usage = |tokens_in, tokens_out| Usage { tokens_in, tokens_out, cost_usd: None };
    let told = |codex: &mut Codex, file: &str| {
        let lines = case(file).lines;
        let events = lines.iter().flat_map(|line| codex.line(line.as_bytes()).events);
        let mut told: Vec<Usage> = Vec::new();
        for event in events {
            if let Event::Usage(usage) = event {
                told.push(usage);
            }
        }
        told
    };
    let mut first = begun(&launch());
    assert_eq!(first.thread_total(), None);
    assert_eq!(told(&mut first, "text.jsonl"), [usage(120, 7)]);
    let before = first.thread_total().unwrap();
    let case = case("resume.jsonl");
    let mut second = begun(&case.launch).used_before(before);
    assert_eq!(told(&mut second, "resume.jsonl"), [usage(120, 7)]);
    assert_eq!(second.thread_total(), Some(usage(240, 14)));
    let mut unsure = begun(&case.launch);
    assert_eq!(told(&mut unsure, "resume.jsonl"), []);
    assert_eq!(unsure.thread_total(), Some(usage(240, 14)));
    let mut counted_anew = begun(&case.launch).used_before(usage(1_000, 1_000));
    assert_eq!(told(&mut counted_anew, "resume.jsonl"), [usage(0, 0)]);
}

#[test]
fn the_command_line_holds_no_text_of_a_chat() {
    let launch = Launch {
        program: vec!["nice".to_owned(), "codex".to_owned()],
        extra: vec!["-c".to_owned(), "x=1".to_owned()],
        model: Some("gpt-5.5".to_owned()),
        add_dirs: vec!["/srv/more".into()],
        ..launch()
    };
    assert_eq!(
        Codex::argv(&launch).join(" "),
        "nice codex exec --json --skip-git-repo-check -C /srv/ws -m gpt-5.5 -s workspace-write \
         -c shell_environment_policy.inherit=core -c analytics.enabled=false --add-dir /srv/more \
         -c x=1 -"
    );
    for (permission, sandbox) in
        [(Permission::Deny, "-s read-only"), (Permission::Allow, "-s danger-full-access")]
    {
        let session = Session::Resume("t1".to_owned());
        let argv = Codex::argv(&Launch { permission, session, ..launch.clone() }).join(" ");
        assert!(argv.contains(sandbox) && argv.ends_with("-c x=1 resume t1 -"), "{argv}");
        assert!(!argv.contains("--add-dir"), "{argv}");
    }
}

#[test]
fn the_prompt_is_text_and_ends_with_the_gateways_words() {
    let prompt = Prompt {
        text: "--yolo \u{1b}[2J\0hi\r\n".to_owned(),
        closing: "Answer.".to_owned(),
        images: Vec::new(),
    };
    for (launch, expected) in [
        (launch(), "You are a bot.\n\n--yolo [2Jhi\n\n\nAnswer.\n"),
        (resumed("t1"), "--yolo [2Jhi\n\n\nAnswer.\n"),
    ] {
        let launch = Launch { system: Some("You are a bot.".to_owned()), ..launch };
        let mut codex = Codex::new(&launch);
        let step = codex.begin(&prompt);
        assert_eq!(String::from_utf8(step.write).unwrap(), expected);
        assert!(step.close);
        assert_eq!(codex.begin(&prompt), Step::default());
        assert_eq!(codex.answer("x", &Answer::Nobody), Step::default());
    }
}

proptest! {
    #[test]
    fn lines_of_any_shape_end_once(
        lines in prop::collection::vec(any::<Vec<u8>>(), 0..6),
        picked in prop::collection::vec((0_usize..19, 0_usize..8, any::<u8>()), 0..12),
        resume: bool,
    ) {
        let cases = cases();
        let launch = if resume { resumed("t1") } else { launch() };
        let mut codex = begun(&launch);
        let mut events: Vec<Event> = Vec::new();
        for line in &lines {
            events.extend(codex.line(line).events);
        }
        for (case, line, cut) in picked {
            let Some(line) = cases[case].lines.get(line) else { continue };
            events.extend(codex.line(&line.as_bytes()[..usize::from(cut).min(line.len())]).events);
            events.extend(codex.line(line.as_bytes()).events);
        }
        events.extend(codex.ended(Exit::default(), "").events);
        done(&events);
    }
}
