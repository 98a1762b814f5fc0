//! What `docs/handlers.md` shows is what handlers get and may give.

use std::collections::BTreeSet;

use larkline_gateway::handler::Answer;
use serde_json::Value;

use crate::handler_turn::turn;

/// The blocks of JSON in the page, in order: the request, then an answer.
fn examples() -> Vec<Value> {
    let page = include_str!("../../../../docs/handlers.md");
    let blocks = page.split("```json\n").skip(1);
    blocks.map(|block| serde_json::from_str(block.split("```").next().unwrap()).unwrap()).collect()
}

fn keys(value: &Value) -> BTreeSet<&String> {
    value.as_object().unwrap().keys().collect()
}

#[test]
fn the_request_in_the_page_has_the_fields_of_a_turn() {
    let shown = &examples()[0];
    let given = turn("hi").to_json();
    assert_eq!(keys(shown), keys(&given));
    assert_eq!(keys(&shown["message"]), keys(&given["message"]));
    assert_eq!(shown["version"], given["version"]);
}

#[test]
fn the_answer_in_the_page_is_one() {
    let answer = Answer::from_json(examples()[1].to_string().as_bytes()).unwrap();
    assert_eq!(answer.messages.len(), 3);
}
