//! Scripts against a client that is as small as the protocol allows.

use larkline_sim::{Report, Script, Sim, SimOptions};
use reqwest::Method;
use serde_json::json;

use crate::client::{Api, Socket, payload};

/// Runs a script; the client answers every text once per event it gets.
async fn run(text: &str) -> Report {
    let script = Script::parse(text).unwrap();
    let sim = Sim::start(script.setup.options(SimOptions::default())).await.unwrap();
    let api = Api::new(&sim).await;
    let mut socket = Socket::connect(&sim).await;
    let bot = async {
        loop {
            let frame = socket.frame().await;
            let event = payload(&frame)["event"].clone();
            socket.ack(&frame, &json!({"code": 200})).await;
            let Some(id) = event["message"]["message_id"].as_str() else { continue };
            let body = json!({"msg_type": "text", "content": event["message"]["content"]});
            let path = format!("/open-apis/im/v1/messages/{id}/reply");
            api.call(Method::POST, &path, &body).await;
        }
    };
    tokio::select! {
        report = script.run(sim.platform()) => report,
        () = bot => unreachable!("the bot goes on for ever"),
    }
}

const SETUP: &str = r#"{"setup": {"seed": 3, "speed": 10, "users": ["lin"]}}"#;

#[tokio::test]
async fn a_script_whose_expectations_hold_ends_well_and_counts() {
    let report = run(&format!(
        "{SETUP}\n\
         {{\"expect\": {{\"connected\": 1}}}}\n\
         {{\"at\": 1000, \"say\": {{\"user\": \"lin\", \"text\": \"no {{n}}\", \"times\": 2, \"every_ms\": 100}}, \"as\": \"m\"}}\n\
         {{\"expect\": {{\"answered\": \"m\", \"acked\": \"m\", \"text\": \"no \"}}}}\n\
         {{\"act\": {{\"kind\": \"react\", \"user\": \"lin\", \"message\": \"m\", \"emoji\": \"OK\"}}}}\n\
         {{\"wait\": 100}}\n"
    ))
    .await;
    assert_eq!((report.ok, report.steps, &report.why), (true, 5, &None));
    assert!(report.elapsed_ms >= 1_200, "{report:?}");
    assert_eq!((&report.ledger["messages"], &report.ledger["events"]), (&json!(2), &json!(3)));
}

#[tokio::test]
async fn a_bot_that_answers_twice_is_found_at_its_line() {
    let report = run(&format!(
        "{SETUP}\n\
         {{\"say\": {{\"user\": \"lin\", \"text\": \"once\"}}, \"as\": \"m\"}}\n\
         {{\"expect\": {{\"answered\": \"m\"}}}}\n\
         # the same event again\n\
         {{\"fault\": {{\"kind\": \"duplicate\", \"message\": \"m\"}}}}\n\
         {{\"expect\": {{\"delivered\": \"m\", \"at_least\": 2}}}}\n\
         {{\"expect\": {{\"answered\": \"m\", \"times\": 2}}}}\n\
         {{\"expect\": {{\"no_doubles\": true}}}}\n"
    ))
    .await;
    assert_eq!((report.ok, report.line), (false, Some(8)));
    assert!(report.why.unwrap().contains("two times"));
}

#[tokio::test]
async fn an_expectation_that_never_holds_says_what_is_missing() {
    let report =
        run(&format!("{SETUP}\n{{\"expect\": {{\"connected\": 2, \"within_s\": 1}}}}\n")).await;
    assert_eq!(report.line, Some(2));
    assert!(report.why.unwrap().contains("1 connections of 2"));
}

#[tokio::test]
async fn what_should_be_unheard_is_found_when_it_was_heard() {
    let said = "{\"say\": {\"user\": \"lin\", \"text\": \"psst\"}, \"as\": \"m\"}";
    let unheard = "{\"expect\": {\"unheard\": \"m\"}}";
    let deaf = "{\"fault\": {\"kind\": \"deaf\"}}";
    let report = run(&format!("{SETUP}\n{deaf}\n{said}\n{unheard}\n")).await;
    assert!(report.ok, "{:?}", report.why);
    let report = run(&format!("{SETUP}\n{said}\n{unheard}\n")).await;
    assert_eq!((report.ok, report.line), (false, Some(3)));
}
