//! The echo handler.

use larkline_gateway::handler::{Echo, Handler};
use larkline_proto::content::Outgoing;
use larkline_proto::event::Event;

use crate::handler_turn::turn;

#[tokio::test]
async fn echo_answers_with_what_was_written_after_its_prefix() {
    let handler = Handler::Echo(Echo { prefix: "heard: ".to_owned() });
    let answer = handler.handle(&turn("你好")).await.unwrap();
    assert_eq!(answer.messages, [Outgoing::text("heard: 你好")]);
}

#[tokio::test]
async fn echo_has_no_answer_to_an_event_without_text() {
    let payload = br#"{"header":{"event_type":"im.chat.updated_v1"},"event":{}}"#;
    let event = Event::parse(payload).unwrap();
    let turn = larkline_gateway::handler::Turn { event, ..turn("") };
    let answer = Handler::Echo(Echo::default()).handle(&turn).await.unwrap();
    assert_eq!(answer.messages, []);
}
