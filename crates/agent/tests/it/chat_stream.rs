//! Streamed answers: recorded ones, and what servers do besides.

use larkline_agent::Usage;
use larkline_agent::chat::{ChatError, ChatEvent, ErrorClass, Finish, Stream};
use proptest::prelude::*;
use serde_json::{Value, json};

const RECORDED: [&str; 5] =
    ["text.sse", "reasoning.sse", "tool_calls.sse", "midstream_error.sse", "responses_text.sse"];

fn recording(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/fixtures/openai/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn fed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<ChatEvent> {
    let mut stream = Stream::default();
    let mut events: Vec<ChatEvent> =
        pieces.into_iter().flat_map(|piece| stream.feed(piece)).collect();
    events.extend(stream.end());
    ends_once(&events);
    assert_eq!(stream.feed(b"data: [DONE]\n\n"), []);
    assert_eq!(stream.end(), []);
    events
}

fn whole(bytes: impl AsRef<[u8]>) -> Vec<ChatEvent> {
    fed([bytes.as_ref()])
}

fn ends_once(events: &[ChatEvent]) {
    let end = |event: &&ChatEvent| matches!(event, ChatEvent::Done { .. } | ChatEvent::Failed(_));
    assert_eq!(events.iter().filter(end).count(), 1, "{events:#?}");
    assert!(events.last().is_some_and(|event| end(&event)), "{events:#?}");
}

fn delta(text: &str) -> ChatEvent {
    ChatEvent::Delta { text: text.to_owned() }
}

fn reasoning(text: &str) -> ChatEvent {
    ChatEvent::Reasoning { text: text.to_owned() }
}

fn done(finish: Finish) -> ChatEvent {
    ChatEvent::Done { finish }
}

fn usage() -> ChatEvent {
    ChatEvent::Usage(Usage { tokens_in: 120, tokens_out: 7, cost_usd: None })
}

fn failure(events: &[ChatEvent]) -> &ChatError {
    match events.last() {
        Some(ChatEvent::Failed(error)) => error,
        last => panic!("no failure: {last:?}"),
    }
}

/// One event of a stream with this delta and this reason to stop.
fn piece(delta: Value, finish: Value) -> String {
    format!("data: {}\n\n", json!({"choices": [{"delta": delta, "finish_reason": finish}]}))
}

fn text(text: &str) -> String {
    piece(json!({"content": text}), Value::Null)
}

#[test]
fn recorded_answers_are_read() {
    assert_eq!(
        whole(recording("text.sse")),
        [delta("你好"), delta("世界"), usage(), done(Finish::Stop)]
    );
    assert_eq!(
        whole(recording("reasoning.sse")),
        [reasoning("想一"), reasoning("想"), delta("好"), usage(), done(Finish::Stop)]
    );
    assert_eq!(whole(recording("tool_calls.sse")), [usage(), done(Finish::ToolCalls)]);
    let broken = whole(recording("midstream_error.sse"));
    assert_eq!(broken[0], delta("0123456789"));
    assert_eq!(
        failure(&broken),
        &ChatError {
            class: ErrorClass::Retryable,
            status: 200,
            code: "internal_error".to_owned(),
            message: "An internal error has occured (fake)".to_owned(),
        }
    );
    // Another protocol: nothing of it is a piece of an answer.
    let other = whole(recording("responses_text.sse"));
    assert_eq!(other.len(), 1);
    failure(&other);
}

#[test]
fn cuts_anywhere_change_nothing() {
    for name in RECORDED {
        let bytes = recording(name);
        let expected = whole(&bytes);
        for size in [1, 2, 3, 7, 64] {
            assert_eq!(fed(bytes.chunks(size)), expected, "{name} {size}");
        }
    }
}

#[test]
fn an_answer_without_its_end_is_cut_off() {
    let bytes = recording("text.sse");
    let whole_text = String::from_utf8(bytes.clone()).unwrap();
    let finished = whole_text.find("\"stop\"").unwrap();
    let finished = finished + whole_text[finished..].find('\n').unwrap();
    for cut in 0..bytes.len() {
        let events = whole(&bytes[..cut]);
        if cut < finished {
            assert_eq!(failure(&events).class, ErrorClass::Retryable, "{cut}");
        } else {
            assert_eq!(events.last(), Some(&done(Finish::Stop)), "{cut}");
        }
    }
}

#[test]
fn line_ends_comments_and_names_of_events_do_not_matter() {
    let expected = whole(recording("text.sse"));
    let plain = String::from_utf8(recording("text.sse")).unwrap();
    for other in [
        plain.replace('\n', "\r\n"),
        plain.replace("data: ", "data:"),
        plain.replace("data: ", ": ping\n\nevent: message\nid: 1\nretry: 5\ndata: "),
        plain.replace("\n\n", "\n"),
        plain.replace("data: [DONE]\n\n", ""),
        plain.replace("data: [DONE]\n\n", "data: [DONE]"),
        plain.replace("{\"id\"", "{\ndata: \"id\""),
        plain.replace("data: [DONE]", "data: nonsense\n\ndata: [DONE]"),
        format!("\u{feff}{plain}"),
    ] {
        assert_eq!(whole(&other), expected, "{other}");
        assert_eq!(fed(other.as_bytes().chunks(1)), expected, "{other}");
    }
}

#[test]
fn every_reason_to_stop_is_told() {
    for (reason, finish) in [
        ("stop", Finish::Stop),
        ("eos", Finish::Stop),
        ("length", Finish::Length),
        ("tool_calls", Finish::ToolCalls),
        ("function_call", Finish::ToolCalls),
        ("content_filter", Finish::ContentFilter),
        ("sensitive", Finish::ContentFilter),
    ] {
        let events = whole(text("a") + &piece(json!({}), json!(reason)));
        assert_eq!(events, [delta("a"), done(finish)], "{reason}");
    }
    let events = whole(text("a") + &piece(json!({}), json!("network_error")) + &text("b"));
    assert_eq!(failure(&events).class, ErrorClass::Retryable);
    assert_eq!(events.len(), 2);
    let events = whole(piece(json!({}), json!("insufficient_system_resource")));
    assert_eq!(failure(&events).class, ErrorClass::Overloaded { after: None });
}

#[test]
fn text_that_the_server_says_is_all_is_an_answer() {
    let events = whole(text("a") + "data: [DONE]\n\n");
    assert_eq!(events, [delta("a"), done(Finish::Stop)]);
    assert_eq!(failure(&whole("data: [DONE]\n\n")).class, ErrorClass::Retryable);
    // What comes after it is not even looked at.
    assert_eq!(failure(&whole("data: [DONE]\nwhat?\n")).class, ErrorClass::Retryable);
}

#[test]
fn use_is_told_when_it_changes() {
    let used = |written: u64| {
        let usage = json!({"prompt_tokens": 1, "completion_tokens": written});
        format!("data: {}\n\n", json!({"choices": [], "usage": usage}))
    };
    let events = whole(used(1) + &used(1) + &used(2) + &piece(json!({}), json!("stop")));
    let told = |tokens_out| ChatEvent::Usage(Usage { tokens_in: 1, tokens_out, cost_usd: None });
    assert_eq!(events, [told(1), told(2), done(Finish::Stop)]);
}

#[test]
fn errors_inside_a_stream_have_their_classes() {
    for (error, class) in [
        (json!({"error": {"code": "data_inspection_failed", "message": "m"}}), ErrorClass::Refused),
        (json!({"error": {"code": "invalid_api_key", "message": "m"}}), ErrorClass::Auth),
        (json!({"error": {"code": 403, "message": "m"}}), ErrorClass::Auth),
        (json!({"error": {"code": 502, "message": "m"}}), ErrorClass::Retryable),
        (json!({"error": {"code": "model_not_found", "message": "m"}}), ErrorClass::NotFound),
        (
            json!({"error": {"type": "rate_limit_error", "message": "m"}}),
            ErrorClass::Overloaded { after: None },
        ),
        (json!({"error": {"code": "InvalidParameter", "message": "m"}}), ErrorClass::Final),
        (
            json!({"code": "Throttling.RateQuota", "message": "m", "request_id": "r"}),
            ErrorClass::Overloaded { after: None },
        ),
        (json!({"error": "m"}), ErrorClass::Retryable),
        (json!({"error": {"code": "x", "message": "m"}, "choices": []}), ErrorClass::Retryable),
    ] {
        let events = whole(text("a") + &format!("data: {error}\n\n") + &text("b"));
        assert_eq!(failure(&events).class, class, "{error}");
        assert_eq!(failure(&events).message, "m", "{error}");
        assert_eq!(events.len(), 2, "{error}");
    }
}

#[test]
fn what_comes_in_the_place_of_a_stream_is_told() {
    let events = whole(json!({"error": {"code": "invalid_api_key", "message": "m"}}).to_string());
    assert_eq!(failure(&events).class, ErrorClass::Auth);
    let events = whole("<html>\n<body>log in</body>\n");
    assert_eq!(failure(&events).class, ErrorClass::Final);
    assert_eq!(failure(&events).message, "<html> <body>log in</body>");
    let events = whole("what?\n".repeat(10_000));
    assert!(failure(&events).message.starts_with("what? what?"));
}

#[test]
fn lines_without_end_are_given_up() {
    let mut stream = Stream::default();
    let piece = vec![b'x'; 1 << 16];
    let mut events = stream.feed(text("a").as_bytes());
    events.extend(stream.feed(b"data: "));
    for _ in 0..100 {
        events.extend(stream.feed(&piece));
    }
    events.extend(stream.end());
    ends_once(&events);
    assert_eq!(events[0], delta("a"));
    assert_eq!(failure(&events).code, "too_long");
    // In many lines, too, and at once.
    let many = text("a") + &"data: {\n".repeat(1 << 20);
    assert_eq!(failure(&whole(&many)).code, "too_long");
    assert_eq!(fed(many.as_bytes().chunks(999)), whole(&many));
}

/// A stream that may be right, with something in it that may be wrong.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        any::<Vec<u8>>(),
        any::<String>().prop_map(|said| text(&said).into_bytes()),
        prop::sample::select(&RECORDED[..]).prop_map(recording),
        prop::sample::select(
            &["\r\n", "\n", "data", "data:", "data: [DONE]\n", ":", "data: {\n", "data: }\n\n"][..]
        )
        .prop_map(|line| line.as_bytes().to_vec()),
    ];
    prop::collection::vec(line, 0..6).prop_map(|lines| lines.concat())
}

proptest! {
    #[test]
    fn any_bytes_end_once_and_however_they_are_cut(
        bytes in stream(),
        sizes in prop::collection::vec(1_usize..40, 1..20),
    ) {
        let mut pieces: Vec<&[u8]> = Vec::new();
        let mut rest = bytes.as_slice();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at(rest.len().min(*size));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(fed(pieces), whole(&bytes));
    }

    #[test]
    fn errors_of_any_bytes_are_read(status: u16, after: String, body: Vec<u8>) {
        let error = larkline_agent::chat::error(status, Some(&after), &body);
        prop_assert!(error.message.chars().count() <= 300);
    }
}
