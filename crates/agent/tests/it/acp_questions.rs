//! Requests of an agent, and interrupts: who is answered what.

use larkline_agent::acp::Acp;
use larkline_agent::{Answer, ChoiceKind, Event, Exit, Launch, Outcome, Permission, Prompt, Step};
use serde_json::{Value, json};

use crate::acp_agent::Agent;
use crate::launches::{done, launch, messages, outcome};

const ALL: [&str; 4] = ["allow_always", "allow_once", "reject_always", "reject_once"];

fn chosen(id: Value, option: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": id,
        "result": {"outcome": {"outcome": "selected", "optionId": option}}})
}

fn nothing_chosen(id: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": {"outcome": {"outcome": "cancelled"}}})
}

#[test]
fn ids_are_echoed_as_they_came_and_unknown_requests_are_refused() {
    for (id, written) in
        [("0", "0"), ("\"0\"", "\"0\""), ("1.50", "1.50"), ("\"\\u4f60\"", "\"\\u4f60\"")]
    {
        let mut agent = Agent::prompted(&launch());
        let line = format!("{{\"id\": {id}, \"method\": \"fs/read_text_file\", \"params\": {{}}}}");
        let step = agent.acp.line(line.as_bytes());
        let text = String::from_utf8(step.write).unwrap();
        assert!(text.contains(&format!("\"id\":{written},")), "{text}");
        assert!(text.contains("\"code\":-32601"), "{text}");
        assert!(step.events.is_empty());
    }
}

#[test]
fn a_number_and_its_text_are_two_questions() {
    let mut agent = Agent::prompted(&launch());
    agent.asks(json!(0), &ALL);
    agent.asks(json!("0"), &ALL);
    agent.asks(json!(0), &ALL);
    assert_eq!(agent.written.pop().unwrap()["error"]["code"], -32600);
    agent.answers("\"0\"", &Answer::Choice(ChoiceKind::AllowOnce));
    agent.answers("\"0\"", &Answer::Choice(ChoiceKind::AllowOnce));
    agent.answers("0", &Answer::Nobody);
    agent.answers("unheard-of", &Answer::Nobody);
    assert_eq!(agent.written, [chosen(json!("0"), "allow_once"), chosen(json!(0), "reject_once")]);
}

#[test]
fn the_operator_may_answer_for_all() {
    for (permission, kinds, written) in [
        (Permission::Deny, &ALL[..], chosen(json!(7), "reject_once")),
        (Permission::Deny, &ALL[..2], nothing_chosen(json!(7))),
        (Permission::Allow, &ALL[..], chosen(json!(7), "allow_once")),
    ] {
        let mut agent = Agent::prompted(&Launch { permission, ..launch() });
        agent.text("before");
        agent.asks(json!(7), kinds);
        assert_eq!(agent.written, [written]);
        assert!(!agent.events.iter().any(|event| matches!(event, Event::Ask(_))));
    }
}

#[test]
fn questions_beyond_bounds_are_denied() {
    let mut agent = Agent::prompted(&launch());
    for id in 0..17 {
        agent.asks(json!(id), &ALL);
    }
    assert_eq!(agent.written, [chosen(json!(16), "reject_once")]);
    agent.asks(json!("x".repeat(1_000)), &ALL);
    assert_eq!(agent.written.pop().unwrap()["error"]["code"], -32600);
}

#[test]
fn a_question_can_be_taken_back_by_the_agent() {
    let mut agent = Agent::prompted(&launch());
    agent.asks(json!("q"), &ALL);
    agent.says(json!({"method": "$/cancel_request", "params": {"requestId": "q"}}));
    assert_eq!(agent.events.last(), Some(&Event::Withdrawn { ask: "\"q\"".to_owned() }));
    assert_eq!(agent.written[0]["error"]["code"], -32800);
    agent.answers("\"q\"", &Answer::Nobody);
    assert_eq!(agent.written.len(), 1);
}

#[test]
fn an_interrupt_takes_questions_back_and_refuses_new_ones() {
    let mut agent = Agent::prompted(&launch());
    agent.asks(json!(0), &ALL);
    let step = agent.acp.interrupt();
    agent.took(step);
    assert_eq!(agent.written[0]["method"], "session/cancel");
    assert_eq!(agent.written[1], nothing_chosen(json!(0)));
    assert_eq!(agent.events.last(), Some(&Event::Withdrawn { ask: "0".to_owned() }));
    agent.asks(json!(1), &ALL);
    assert_eq!(agent.written[2], nothing_chosen(json!(1)));
    assert_eq!(agent.acp.interrupt(), Step::default());
    agent.says(json!({"id": 3, "error": {"code": -32603, "message": "aborted"}}));
    assert_eq!(outcome(&agent.events), Outcome::Cancelled);
}

#[test]
fn an_interrupt_before_the_prompt_was_sent_is_the_end() {
    let prompt = Prompt::default();
    let able = json!({"id": 1, "result": {"protocolVersion": 1}});
    for lines in [&[][..], std::slice::from_ref(&able)] {
        let mut agent = Agent::begun(&launch(), &prompt);
        lines.iter().for_each(|line| agent.says(line.clone()));
        agent.written.clear();
        let step = agent.acp.interrupt();
        agent.took(step);
        assert_eq!(outcome(&agent.events), Outcome::Cancelled);
        agent.says(json!({"id": 2, "result": {"sessionId": "s1"}}));
        assert!(agent.written.is_empty());
    }
    let mut acp = Acp::new(&launch());
    assert_eq!(outcome(&acp.interrupt().events), Outcome::Cancelled);
    assert_eq!(acp.begin(&prompt), Step::default());
}

#[test]
fn an_answer_that_came_before_the_interrupt_counts() {
    let mut agent = Agent::prompted(&launch());
    agent.text("done");
    let step = agent.acp.interrupt();
    agent.took(step);
    agent.stops("end_turn");
    assert_eq!(outcome(&agent.events), Outcome::Ok);
}

#[test]
fn open_questions_are_taken_back_at_the_end() {
    let mut agent = Agent::prompted(&launch());
    agent.text("hm");
    agent.asks(json!(0), &ALL);
    let step = agent.acp.ended(Exit { code: None, signal: Some(9) }, "");
    agent.took(step);
    assert!(agent.events.contains(&Event::Withdrawn { ask: "0".to_owned() }));
    assert!(done(&agent.events).detail.contains("signal 9"));
    assert_eq!(messages(&agent.events), ["hm"]);
}

#[test]
fn half_a_character_does_not_hide_a_question() {
    let mut agent = Agent::prompted(&launch());
    let line = r#"{"id":5,"method":"session/request_permission","params":{"toolCall":{"toolCallId":"t","title":"cut \ud83d"},"options":[{"optionId":"a","kind":"allow_once"}]}}"#;
    let step = agent.acp.line(line.as_bytes());
    assert!(matches!(step.events[..], [Event::Ask(_)]));
}
