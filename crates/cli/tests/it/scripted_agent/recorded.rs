//! The agent's lines beside the recordings of the agent it plays.

use serde_json::{Value, json};

use super::shape::{recording, shapes};
use super::{ASKED, Agent, PARTIAL, Place};

/// A tool that needs leave.
const TOOL: &str = "[[tool Bash {\"command\":\"true\",\"description\":\"x\"}]]";

/// Fails with the first line that differs.
fn assert_recorded(name: &str, printed: &[Value]) {
    let (ours, theirs) = (shapes(printed), shapes(&recording(name)));
    for (at, (our, their)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(our, their, "{name}: line {at}");
    }
    assert_eq!(ours.len(), theirs.len(), "{name}: {printed:#?}");
}

/// One message, nobody who answers; compares, and gives the exit code.
async fn one(name: &str, arguments: &[&str], text: &str) -> Option<i32> {
    let place = Place::new();
    let mut agent = place.start(&[arguments]);
    agent.say(text).await;
    let (code, stderr) = agent.end().await;
    assert_eq!(stderr, "", "{name}");
    assert_recorded(name, &agent.printed());
    code
}

#[tokio::test]
async fn good_turns_print_what_was_recorded() {
    let bash: &[&str] = &["--allowedTools", "Bash(echo *)"];
    let echo = "[[tool Bash {\"command\":\"echo hi\",\"description\":\"x\"}]]";
    let thought = "[[think pondering]][[chunks 3]][[say Hello there friend]]";
    assert_eq!(one("text", &[], "[[say echo: hello]]").await, Some(0));
    assert_eq!(one("partial", &PARTIAL, thought).await, Some(0));
    assert_eq!(one("tool_allowed", bash, echo).await, Some(0));
    assert_eq!(one("tool_denied", &[], TOOL).await, Some(0));
    assert_eq!(one("api_retry_529", &[], "[[retry 2]][[say ok after]]").await, Some(0));
}

#[tokio::test]
async fn bad_turns_print_what_was_recorded_and_exit_with_1() {
    let bash: &[&str] = &["--allowedTools", "Bash", "--max-turns", "1"];
    for status in ["400", "401", "429", "500", "529"] {
        let name = format!("api_error_{status}");
        assert_eq!(one(&name, &[], &format!("[[error {status}]]")).await, Some(1));
    }
    assert_eq!(one("refusal", &[], "[[refuse]]").await, Some(1));
    assert_eq!(one("not_logged_in", &[], "[[notloggedin]]").await, Some(1));
    let spoken = "[[tool Bash {\"command\":\"echo 1\"}]][[maxturns]]";
    assert_eq!(one("max_turns", bash, spoken).await, Some(1));
}

/// Begins a turn with a tool that needs leave; the question.
async fn asked(place: &Place) -> (Agent, Value) {
    let mut agent = place.start(&[&ASKED]);
    agent.say(TOOL).await;
    let question = agent.until("control_request").await;
    (agent, question)
}

/// Ends a turn in which something was asked; compares, and gives the exit code.
async fn ended(name: &str, mut agent: Agent) -> Option<i32> {
    agent.until("result").await;
    let code = agent.end().await.0;
    assert_recorded(name, &agent.printed());
    code
}

#[tokio::test]
async fn leave_is_asked_for_granted_denied_and_taken_back_as_recorded() {
    let place = Place::new();
    let (mut agent, question) = asked(&place).await;
    agent.allow(&question).await;
    assert_eq!(ended("permission_allow.duplex", agent).await, Some(0));

    let (mut agent, question) = asked(&place).await;
    agent.respond(&question, json!({"behavior": "deny", "message": "no"})).await;
    assert_eq!(ended("permission_deny.duplex", agent).await, Some(0));

    let (mut agent, question) = asked(&place).await;
    let stop = json!({"behavior": "deny", "message": "stop", "interrupt": true});
    agent.respond(&question, stop).await;
    assert_eq!(ended("permission_deny_interrupt.duplex", agent).await, Some(1));

    let (mut agent, _) = asked(&place).await;
    agent.interrupt().await;
    assert_eq!(ended("permission_interrupted.duplex", agent).await, Some(1));
}

#[tokio::test]
async fn a_question_is_asked_and_its_answer_reaches_the_model_as_recorded() {
    let place = Place::new();
    let mut agent = place.start(&[&ASKED]);
    agent.say("[[question Which one?]]").await;
    let question = agent.until("control_request").await;
    let mut input = question["request"]["input"].clone();
    input["answers"] = json!({"Which one?": "B"});
    agent.respond(&question, json!({"behavior": "allow", "updatedInput": input})).await;
    assert!(agent.answer().await.contains("\"Which one?\"=\"B\""));
    agent.end().await;
    assert_recorded("ask_user_question.duplex", &agent.printed());
}

#[tokio::test]
async fn an_interrupted_stream_prints_what_was_recorded_and_the_process_lives_on() {
    let place = Place::new();
    let mut agent = place.start(&[&PARTIAL]);
    agent.say("[[chunks 400]][[delay 0.02]][[long 400]]").await;
    while agent.until("stream_event").await["event"]["type"] != "content_block_delta" {}
    agent.interrupt().await;
    agent.until("result").await;
    agent.say("[[say alive]]").await;
    assert_eq!(agent.answer().await, "alive");
    assert_eq!(agent.end().await.0, Some(0));
    assert_recorded("interrupt.duplex", &agent.printed());
}

#[tokio::test]
async fn control_requests_are_answered_as_recorded() {
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.control("r1", &json!({"subtype": "initialize"})).await;
    for text in ["[[say one]]", "[[say two]]"] {
        agent.say(text).await;
        agent.until("result").await;
    }
    agent.end().await;
    assert_recorded("multi_turn.duplex", &agent.printed());

    let mut agent = place.start(&[]);
    for request in [
        json!({"subtype": "set_permission_mode", "mode": "acceptEdits"}),
        json!({"subtype": "set_model", "model": "other"}),
        json!({"subtype": "nonsense"}),
        json!({"subtype": "mcp_status"}),
        json!({"subtype": "set_permission_mode", "mode": "bypassPermissions"}),
    ] {
        agent.control("m", &request).await;
    }
    agent.end().await;
    assert_recorded("control_misc.duplex", &agent.printed());
}

#[tokio::test]
async fn conversations_are_new_in_use_resumed_and_unknown_as_recorded() {
    let id = "11111111-2222-4333-8444-555555555501";
    let (new, resume) = (["--session-id", id], ["--resume", id]);
    let place = Place::new();
    let mut agent = place.start(&[&resume]);
    agent.say("x").await;
    let (code, stderr) = agent.end().await;
    assert_eq!(code, Some(1));
    assert_eq!(stderr, format!("No conversation found with session ID: {id}\n"));
    assert_recorded("resume_unknown", &agent.printed());

    for (name, arguments, text) in
        [("session_new", &new, "[[say first]]"), ("session_resume", &resume, "[[say second]]")]
    {
        let mut agent = place.start(&[arguments]);
        agent.say(text).await;
        assert_eq!(agent.end().await.0, Some(0));
        assert_recorded(name, &agent.printed());
        assert!(agent.printed().iter().all(|line| line["session_id"] == id));
    }

    let mut agent = place.start(&[&new]);
    let (code, stderr) = agent.end().await;
    assert_eq!(stderr, format!("Error: Session ID {id} is already in use.\n"));
    assert_eq!((code, agent.lines.len()), (Some(1), 0));
}
