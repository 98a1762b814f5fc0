//! How a turn ends, whatever the lines call it.

use larkline_agent::claude::Claude;
use larkline_agent::{Event, Exit, Launch, Outcome, Session};
use serde_json::{Value, json};

use super::{
    ID, assistant, code, delta, done_of, init, launch, message_start, one_done, one_written,
    result, running, say, text, turn,
};

fn failed(fields: &Value) -> Value {
    let mut fields = fields.clone();
    fields["is_error"] = json!(true);
    result(&fields)
}

fn resumed() -> Launch {
    Launch { session: Session::Resume(ID.to_owned()), ..launch() }
}

#[test]
fn an_answer_is_ok() {
    let done = done_of(&mut running(&launch()), &result(&json!({"permission_denials": [{}]})));
    assert_eq!((done.outcome, done.text.as_str(), done.detail.as_str()), (Outcome::Ok, "fine", ""));
}

#[test]
fn a_failure_is_told_from_its_result() {
    for (fields, outcome) in [
        (json!({"subtype": "error_max_turns"}), Outcome::Limit),
        (json!({"subtype": "error_max_budget_usd", "errors": ["Reached"]}), Outcome::Limit),
        (json!({"api_error_status": 413}), Outcome::Limit),
        (json!({"api_error_status": 400, "result": "Prompt is too long"}), Outcome::Limit),
        (json!({"api_error_status": 401}), Outcome::Auth),
        (json!({"api_error_status": 403}), Outcome::Auth),
        (json!({"api_error_status": 429}), Outcome::Overloaded),
        (json!({"api_error_status": 503}), Outcome::Overloaded),
        (json!({"api_error_status": 529}), Outcome::Overloaded),
        (json!({"stop_reason": "refusal"}), Outcome::Refused),
        (json!({"api_error_status": 400}), Outcome::Failed),
        (json!({"api_error_status": 404}), Outcome::Failed),
        (json!({"api_error_status": 500}), Outcome::Failed),
        (json!({"subtype": "error_during_execution"}), Outcome::Failed),
        (json!({"subtype": "of next year"}), Outcome::Failed),
        // Nobody of us stopped it.
        (json!({"terminal_reason": "aborted_streaming"}), Outcome::Failed),
        (json!({"terminal_reason": "aborted_tools"}), Outcome::Failed),
    ] {
        let done = done_of(&mut running(&launch()), &failed(&fields));
        assert_eq!(done.outcome, outcome, "{fields}");
        assert!(done.text.is_empty() && !done.detail.is_empty(), "{fields}: {done:?}");
        assert!(!done.unknown_session && !done.session_exists);
    }
}

#[test]
fn success_is_not_believed_where_the_rest_says_otherwise() {
    for fields in [
        json!({"subtype": "error_max_turns", "is_error": false}),
        json!({"terminal_reason": "aborted_streaming"}),
        json!({"is_error": true}),
    ] {
        let done = done_of(&mut running(&launch()), &result(&fields));
        assert!(done.outcome != Outcome::Ok && done.text.is_empty(), "{fields}: {done:?}");
    }
}

/// The line by which it reports a failure as if it were the model's words.
fn reported(cause: &str) -> Value {
    let mut line = text("s", "made up words");
    line["error"] = json!(cause);
    line
}

#[test]
fn a_failure_without_a_status_is_told_from_the_line_before() {
    for (cause, outcome) in [
        ("authentication_failed", Outcome::Auth),
        ("rate_limit", Outcome::Overloaded),
        ("overloaded", Outcome::Overloaded),
        ("max_output_tokens", Outcome::Limit),
        ("server_error", Outcome::Failed),
        ("unknown", Outcome::Failed),
    ] {
        let mut claude = running(&launch());
        say(&mut claude, &reported(cause));
        let done = done_of(&mut claude, &failed(&json!({"result": ""})));
        assert_eq!((done.outcome, done.detail.as_str()), (outcome, "made up words"), "{cause}");
        // It may die before it says so.
        let mut claude = running(&launch());
        say(&mut claude, &reported(cause));
        let done = one_done(&claude.ended(code(1), "").events).clone();
        assert_eq!(done.outcome, outcome, "{cause}");
        assert!(done.detail.contains("made up words"), "{done:?}");
    }
}

fn retry(status: &Value) -> Value {
    json!({"type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 3,
        "retry_delay_ms": 500.5, "error_status": status, "error": "unknown"})
}

#[test]
fn a_failure_without_any_word_is_told_from_its_last_retry() {
    let mut claude = running(&launch());
    say(&mut claude, &retry(&json!(529)));
    assert_eq!(done_of(&mut claude, &failed(&json!({}))).outcome, Outcome::Overloaded);
    let mut claude = running(&launch());
    say(&mut claude, &retry(&json!(529)));
    assert_eq!(ends(&mut claude, code(1), "").outcome, Outcome::Overloaded, "it may die of it");
    for after in [message_start("m"), text("m", "words")] {
        let mut claude = running(&launch());
        say(&mut claude, &retry(&json!(529)));
        say(&mut claude, &reported("rate_limit"));
        say(&mut claude, &after);
        let done = done_of(&mut claude, &failed(&json!({})));
        assert_eq!(done.outcome, Outcome::Failed, "that was over: {after}");
    }
}

#[test]
fn a_refusal_that_is_only_noted_is_one() {
    let noted = json!({"type": "system", "subtype": "model_refusal_no_fallback", "content": ""});
    let mut claude = running(&launch());
    say(&mut claude, &noted);
    assert_eq!(done_of(&mut claude, &failed(&json!({}))).outcome, Outcome::Refused);
    let mut claude = running(&launch());
    say(&mut claude, &noted);
    assert_eq!(ends(&mut claude, code(1), "").outcome, Outcome::Refused);
    let mut claude = running(&launch());
    say(&mut claude, &noted);
    assert_eq!(done_of(&mut claude, &result(&json!({}))).outcome, Outcome::Ok, "it went on");
}

#[test]
fn a_retry_is_read_leniently() {
    let notice = |status: Value, error: &str, wait: Value| {
        let mut claude = running(&launch());
        let mut line = retry(&status);
        line["error"] = json!(error);
        line["retry_delay_ms"] = wait;
        let mut events = say(&mut claude, &line).events;
        let Some(Event::Notice(larkline_agent::Notice::Retrying { why, wait_ms, .. })) =
            events.pop()
        else {
            panic!("{events:?}")
        };
        (why, wait_ms)
    };
    let word = |word: &str| word.to_owned();
    assert_eq!(notice(json!(null), "unknown", json!(7.9)), (word("network"), 7));
    assert_eq!(notice(json!(401), "", json!(null)), (word("auth"), 0));
    assert_eq!(notice(json!(502), "x", json!(-1)), (word("server"), 0));
    assert_eq!(notice(json!(418), "tea\npot", json!(1e300)), (word("tea pot"), 0));
}

#[test]
fn only_a_stop_of_ours_cancels() {
    for line in [
        failed(&json!({"subtype": "error_during_execution", "terminal_reason": "aborted_tools"})),
        failed(&json!({"subtype": "error_during_execution"})),
        failed(&json!({"api_error_status": 500})),
        result(&json!({"terminal_reason": "aborted_streaming", "result": ""})),
    ] {
        let mut claude = running(&launch());
        assert!(!claude.interrupt().write.is_empty());
        assert_eq!(done_of(&mut claude, &line).outcome, Outcome::Cancelled, "{line}");
        assert_ne!(done_of(&mut running(&launch()), &line).outcome, Outcome::Cancelled, "{line}");
    }
    let aborted = failed(&json!({"terminal_reason": "aborted_tools", "result": "[why]"}));
    let done = done_of(&mut running(&launch()), &aborted);
    assert_eq!(done.detail, "interrupted from outside: [why]");
    // The answer was faster.
    let mut claude = running(&launch());
    claude.interrupt();
    assert_eq!(done_of(&mut claude, &result(&json!({}))).outcome, Outcome::Ok);
}

#[test]
fn a_stop_before_it_works_is_said_again_when_it_does() {
    let mut claude = turn(&launch());
    let first = one_written(&claude.interrupt());
    let again = one_written(&say(&mut claude, &init(ID)));
    assert_eq!(again["request"], json!({"subtype": "interrupt"}));
    assert_ne!(first["request_id"], again["request_id"]);
    assert!(say(&mut claude, &init(ID)).write.is_empty());
    // Without any result it was cancelled, too.
    assert_eq!(one_done(&claude.ended(code(0), "").events).outcome, Outcome::Cancelled);
}

fn ends(claude: &mut Claude, exit: Exit, complaints: &str) -> larkline_agent::Done {
    let step = claude.ended(exit, complaints);
    assert!(step.write.is_empty());
    one_done(&step.events).clone()
}

#[test]
fn a_death_without_a_result_says_how_it_died() {
    let signal = |signal| Exit { code: None, signal: Some(signal) };
    for (exit, complaints, detail) in [
        (code(0), "", "exited with code 0 without a result"),
        (code(1), "bad flag\n", "exited with code 1 without a result: bad flag"),
        (code(143), "", "exited with code 143 (signal 15) before its result"),
        (signal(9), " ", "ended by signal 9 before its result"),
        (Exit::default(), "\u{1b}[31mx", "ended without a result: \u{fffd}[31mx"),
    ] {
        let mut claude = running(&launch());
        say(&mut claude, &message_start("m"));
        say(&mut claude, &delta("half"));
        let done = ends(&mut claude, exit, complaints);
        assert_eq!((done.outcome, done.detail.as_str()), (Outcome::Failed, detail));
    }
    let long = format!("{}the end", "字".repeat(5_000));
    let done = ends(&mut running(&launch()), code(1), &long);
    assert!(done.detail.chars().count() <= 1_000 && done.detail.ends_with("the end"));
}

#[test]
fn what_it_says_about_sessions_is_believed_only_before_it_works() {
    let unknown = format!("No conversation found with session ID: {ID}");
    let exists = format!("Error: Session ID {ID} is already in use.");
    assert!(ends(&mut turn(&resumed()), code(1), &unknown).unknown_session);
    assert!(ends(&mut turn(&launch()), code(1), &exists).session_exists);
    // Not what was asked for, or somebody else's words.
    for (mut claude, complaints) in [
        (turn(&launch()), &unknown),
        (turn(&resumed()), &exists),
        (running(&resumed()), &unknown),
        (running(&launch()), &exists),
    ] {
        let done = ends(&mut claude, code(1), complaints);
        assert!(!done.unknown_session && !done.session_exists, "{done:?}");
    }
    let line = failed(&json!({"subtype": "error_during_execution", "errors": [unknown],
        "result": null, "num_turns": 0}));
    let done = done_of(&mut turn(&resumed()), &line);
    assert!(done.unknown_session && done.outcome == Outcome::Failed, "{done:?}");
    assert!(!done_of(&mut running(&resumed()), &line).unknown_session);
    // A fresh conversation would be begun for somebody who wants nothing any more.
    let mut claude = turn(&resumed());
    claude.interrupt();
    let done = done_of(&mut claude, &line);
    assert!(!done.unknown_session && done.outcome == Outcome::Cancelled, "{done:?}");
}

#[test]
fn nothing_comes_after_the_end() {
    let mut claude = running(&launch());
    done_of(&mut claude, &result(&json!({})));
    for line in [
        init("another"),
        text("m", "of a background task"),
        assistant("m", &json!([{"type": "tool_use", "id": "t", "name": "Bash", "input": {}}])),
        json!({"type": "control_request", "request_id": "q", "request": {"subtype": "can_use_tool",
            "tool_name": "Bash", "input": {}}}),
        result(&json!({"total_cost_usd": 9, "result": "second"})),
    ] {
        assert_eq!(say(&mut claude, &line), larkline_agent::Step::default(), "{line}");
    }
    assert_eq!(claude.interrupt(), larkline_agent::Step::default());
    assert_eq!(claude.ended(code(1), "x"), larkline_agent::Step::default());
}

#[test]
fn words_for_the_operator_are_bounded_wherever_they_come_from() {
    let long = "字".repeat(5_000);
    for fields in [
        json!({"errors": [long]}),
        json!({"result": long}),
        json!({"result": null, "error": {"message": long}}),
        json!({"result": null, "error": long}),
        json!({"result": null, "subtype": format!("error {long}")}),
    ] {
        let done = done_of(&mut running(&launch()), &failed(&fields));
        let chars = done.detail.chars().count();
        assert!(
            (900..=1_000).contains(&chars),
            "{chars}: {:?}",
            fields.as_object().unwrap().keys()
        );
    }
}
