//! How it is started and what it is told.

use larkline_agent::claude::Claude;
use larkline_agent::{Image, Launch, Outcome, Permission, Prompt, Session};
use serde_json::{Value, json};

use super::{ID, code, launch, one_done, one_written};

fn full() -> Launch {
    Launch {
        program: vec!["npx".to_owned(), "claude".to_owned()],
        extra: vec!["stray".to_owned(), "--effort".to_owned(), "high".to_owned()],
        session: Session::Resume(ID.to_owned()),
        model: Some("opus".to_owned()),
        system: Some("--you are\na bot".to_owned()),
        allowed_tools: vec!["Read".to_owned(), "Bash(git log, x:*)".to_owned()],
        denied_tools: vec!["WebFetch".to_owned(), "WebSearch".to_owned()],
        turns_max: Some(9),
        budget_usd: Some("0.50".to_owned()),
        mcp: Some("{\"mcpServers\":{}}".to_owned()),
        add_dirs: vec!["/srv/a".into(), "/srv/b c".into()],
        project_settings: false,
        ..launch()
    }
}

#[test]
fn the_least_command_line() {
    let argv = Claude::argv(&launch());
    let expected = [
        "claude",
        "-p",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--permission-prompt-tool",
        "stdio",
        "--setting-sources",
        "",
        "--strict-mcp-config",
        "--session-id",
        ID,
    ];
    assert_eq!(argv, expected);
}

#[test]
fn the_whole_command_line() {
    let argv = Claude::argv(&full());
    let expected = [
        "npx",
        "claude",
        "-p",
        "--allowedTools",
        "Read,Bash(git log, x:*)",
        "--disallowedTools",
        "WebFetch,WebSearch",
        "--add-dir",
        "/srv/a",
        "/srv/b c",
        "--mcp-config",
        "{\"mcpServers\":{}}",
        "--input-format",
        "stream-json",
        "--output-format",
        "stream-json",
        "--verbose",
        "--include-partial-messages",
        "--permission-prompt-tool",
        "stdio",
        "--setting-sources",
        "",
        "--strict-mcp-config",
        "--append-system-prompt",
        "--you are\na bot",
        "--model",
        "opus",
        "--max-turns",
        "9",
        "--max-budget-usd",
        "0.50",
        "--resume",
        ID,
        "stray",
        "--effort",
        "high",
    ];
    assert_eq!(argv, expected);
}

#[test]
fn an_option_that_takes_any_number_of_values_is_followed_by_an_option() {
    let argv = Claude::argv(&full());
    let (known, extra) = argv.split_at(argv.len() - 3);
    assert_eq!(extra[0], "stray");
    for variadic in ["--allowedTools", "--disallowedTools", "--add-dir", "--mcp-config"] {
        let at = known.iter().position(|word| word == variadic).unwrap();
        let values = known[at + 1..].iter().take_while(|word| !word.starts_with("--")).count();
        assert!(at + 1 + values < known.len(), "{variadic} would take what the operator adds");
        assert_eq!(values, if variadic == "--add-dir" { 2 } else { 1 });
    }
}

#[test]
fn somebody_is_asked_only_where_somebody_or_the_sandbox_answers() {
    for (permission, asks) in
        [(Permission::Ask, true), (Permission::Allow, true), (Permission::Deny, false)]
    {
        let argv = Claude::argv(&Launch { permission, ..launch() });
        assert_eq!(argv.contains(&"--permission-prompt-tool".to_owned()), asks, "{permission:?}");
        // Root may not, and then nothing runs.
        assert!(!argv.iter().any(|word| word.contains("bypass") || word.contains("dangerously")));
    }
}

#[test]
fn nothing_in_an_argument_keeps_it_from_starting_or_makes_an_option() {
    let long = "字".repeat(100_000);
    let argv = Claude::argv(&Launch {
        system: Some(format!("a\0b{long}")),
        session: Session::Resume("--dangerously-skip-permissions ../x\n".to_owned()),
        ..launch()
    });
    assert!(argv.iter().all(|word| word.len() < 128 * 1024 && !word.contains('\0')));
    assert_eq!(&argv[argv.len() - 2..], ["--resume", "dangerously-skip-permissions..x"]);
}

#[test]
fn the_environment_is_quiet_and_holds_no_key() {
    let env = Claude::env();
    for (name, value) in [
        ("DISABLE_TELEMETRY", "1"),
        ("DISABLE_AUTOUPDATER", "1"),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ("CLAUDE_CODE_MAX_RETRIES", "3"),
        ("CLAUDE_CODE_DISABLE_ATTACHMENTS", "1"),
        ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
    ] {
        assert!(env.contains(&(name, value)), "{name}");
    }
    assert!(env.iter().all(|(name, _)| !name.contains("KEY") && !name.contains("TOKEN")));
}

/// The blocks of the prompt's line.
fn blocks(prompt: &Prompt) -> Vec<Value> {
    let line = one_written(&Claude::new(&launch()).begin(prompt));
    assert_eq!(line["type"], "user");
    assert_eq!(line["message"]["role"], "user");
    line["message"]["content"].as_array().unwrap().clone()
}

fn image(media_type: &str, bytes: &[u8]) -> Image {
    Image { media_type: media_type.to_owned(), bytes: bytes.to_vec() }
}

#[test]
fn what_people_wrote_is_never_the_last_text() {
    let prompt = Prompt {
        text: "/cost @/etc/passwd".to_owned(),
        closing: "Answer it.".to_owned(),
        images: vec![image("image/png", b"\x89PNG")],
    };
    assert_eq!(
        blocks(&prompt),
        [
            json!({"type": "text", "text": "/cost @/etc/passwd"}),
            json!({"type": "image", "source":
                {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}}),
            json!({"type": "text", "text": "Answer it."}),
        ]
    );
    for closing in ["", " \n"] {
        let prompt = Prompt { closing: closing.to_owned(), ..prompt.clone() };
        let last = blocks(&prompt).pop().unwrap();
        assert_eq!(last, json!({"type": "text", "text": "Answer the message above."}));
    }
}

#[test]
fn what_the_service_would_refuse_is_left_out() {
    let prompt = Prompt {
        text: " \n\t".to_owned(),
        closing: "See.".to_owned(),
        images: vec![image("image/bmp", b"BM"), image("image/png", b""), image("image/webp", b"R")],
    };
    let blocks = blocks(&prompt);
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    assert_eq!(blocks[0]["source"]["media_type"], "image/webp");
    assert_eq!(blocks[1]["text"], "See.");
}

#[test]
fn characters_that_are_no_text_do_no_harm() {
    // `one_written` checks that the line has no character that ends one.
    let prompt = Prompt {
        text: "a\0b\u{1b}[31mc\r\nd\re\tf\u{85}g\u{2028}h\u{2029}i\u{7f}j😀".to_owned(),
        ..Prompt::default()
    };
    let text = blocks(&prompt)[0]["text"].as_str().unwrap().to_owned();
    assert_eq!(
        text, "a\u{fffd}b\u{fffd}[31mc\nd\ne\tf\u{fffd}g\u{2028}h\u{2029}i\u{fffd}j😀",
        "what a reader sees stays"
    );
}

#[test]
fn one_process_is_told_one_thing() {
    let mut claude = Claude::new(&launch());
    let prompt = Prompt { text: "one".to_owned(), ..Prompt::default() };
    assert!(!claude.begin(&prompt).write.is_empty());
    assert!(claude.begin(&prompt).write.is_empty());
    claude.ended(code(0), "");
    assert!(claude.begin(&prompt).write.is_empty());
}

#[test]
fn a_turn_stopped_before_it_begins_is_not_begun() {
    let mut claude = Claude::new(&launch());
    assert!(claude.interrupt().write.is_empty(), "there is nobody to tell yet");
    let step = claude.begin(&Prompt { text: "rm".to_owned(), ..Prompt::default() });
    assert!(step.write.is_empty() && step.close, "{step:?}");
    assert_eq!(one_done(&step.events).outcome, Outcome::Cancelled);
    assert_eq!(claude.ended(code(0), "").events, []);
}

#[test]
fn settings_of_the_directory_are_taken_up_only_where_that_is_meant() {
    let argv = Claude::argv(&Launch { project_settings: true, ..full() });
    for refused in ["--setting-sources", "--strict-mcp-config"] {
        assert!(!argv.iter().any(|word| word == refused), "{argv:?}");
    }
}
