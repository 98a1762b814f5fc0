//! Payloads as they come: complete, poor, odd, and none at all.

use larkline_proto::content::{self, Outgoing};
use larkline_proto::event::{Body, ChatType, Event, EventError};
use larkline_proto::id::OpenId;
use proptest::prelude::*;
use serde_json::{Value, json};

fn message(content: &Value, mentions: &Value) -> Vec<u8> {
    let event = json!({
        "schema": "2.0",
        "header": { "event_id": "e1", "event_type": "im.message.receive_v1", "create_time": "1608725989000", "app_id": "cli_1", "tenant_key": "t" },
        "event": {
            "sender": { "sender_id": { "open_id": "ou_1", "union_id": "on_1" }, "sender_type": "user" },
            "message": {
                "message_id": "om_1", "root_id": "", "parent_id": null, "create_time": 1_609_073_151_345_u64,
                "chat_id": "oc_1", "chat_type": "group", "message_type": "text",
                "content": content.to_string(), "mentions": mentions,
            },
        },
    });
    serde_json::to_vec(&event).unwrap()
}

fn text_of(content: &Value, mentions: &Value, bot: &str) -> String {
    let event = Event::parse(&message(content, mentions)).unwrap();
    content::readable(event.message().unwrap(), &OpenId::from(bot))
}

#[test]
fn a_message_is_read_with_absent_null_and_empty_fields_alike() {
    let event = Event::parse(&message(&json!({ "text": "hi" }), &Value::Null)).unwrap();
    let m = event.message().unwrap();
    assert_eq!(
        (m.id.as_str(), m.chat_id.as_str(), m.sender.open_id.as_str()),
        ("om_1", "oc_1", "ou_1")
    );
    assert_eq!(
        (m.root_id.as_ref(), m.parent_id.as_ref(), m.thread_id.as_ref()),
        (None, None, None)
    );
    assert_eq!((event.created_ms, m.created_ms), (1_608_725_989_000, 1_609_073_151_345));
    assert_eq!(m.chat_type, ChatType::Group);
    assert_eq!(event.received_message().unwrap().as_str(), "om_1");
}

#[test]
fn times_are_told_by_magnitude() {
    for (written, ms) in [
        ("1603977298000000", 1_603_977_298_000),
        ("1502199207.7171419", 1_502_199_207_000),
        ("1669364458", 1_669_364_458_000),
    ] {
        let event = json!({ "header": { "event_type": "x", "create_time": written }, "event": {} });
        assert_eq!(Event::parse(event.to_string().as_bytes()).unwrap().created_ms, ms);
    }
}

#[test]
fn an_old_envelope_and_an_unknown_kind_are_kept() {
    let old =
        json!({ "uuid": "u1", "type": "event_callback", "event": { "type": "p2p_chat_create" } });
    let event = Event::parse(old.to_string().as_bytes()).unwrap();
    assert_eq!((event.id.as_str(), event.kind.as_str()), ("u1", "p2p_chat_create"));
    let new = json!({ "header": { "event_id": "e", "event_type": "im.never.heard_of_v9" }, "event": { "message_id": 7 } });
    let event = Event::parse(new.to_string().as_bytes()).unwrap();
    assert!(matches!(event.body, Body::Other { .. }));
    assert!(event.received_message().is_none(), "it is about a message, it is not that message");
}

#[test]
fn what_is_no_event_is_refused_with_a_reason() {
    assert!(matches!(Event::parse(b"\xff\xfe"), Err(EventError::Json(_))));
    assert!(matches!(Event::parse(b"{}"), Err(EventError::NoType)));
}

#[test]
fn the_bots_own_mention_goes_and_other_names_become_readable() {
    let mentions = json!([
        { "key": "@_user_1", "id": { "open_id": "ou_bot" }, "name": "Bot" },
        { "key": "@_user_10", "id": { "open_id": "ou_2" }, "name": "Colleague" },
    ]);
    let said = json!({ "text": "@_user_1 ask @_user_10 and @_all, not a@_b" });
    assert_eq!(text_of(&said, &mentions, "ou_bot"), "ask @Colleague and @all, not a@_b");
}

#[test]
fn a_post_reads_as_its_paragraphs() {
    let post = json!({ "title": "T", "content": [[{ "tag": "text", "text": "see " }, { "tag": "a", "text": "x", "href": "https://e.example" }], [{ "tag": "img", "image_key": "i" }]] });
    let event = message(&post, &Value::Null);
    let event = String::from_utf8(event)
        .unwrap()
        .replace("\"text\",\"mentions\"", "\"post\",\"mentions\"")
        .replace("\"message_type\":\"text\"", "\"message_type\":\"post\"");
    let event = Event::parse(event.as_bytes()).unwrap();
    assert_eq!(
        content::readable(event.message().unwrap(), &OpenId::default()),
        "T\nsee [x](https://e.example)\n[image]"
    );
}

#[test]
fn a_long_text_is_cut_at_paragraphs_and_nothing_is_lost() {
    let paragraph = "字".repeat(3000);
    let long = [paragraph.as_str(); 8].join("\n\n");
    let parts = Outgoing::text(&long).split();
    let texts: Vec<String> = parts
        .iter()
        .map(|p| {
            serde_json::from_str::<Value>(&p.content).unwrap()["text"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(parts.len() > 1 && parts.iter().all(|p| p.content.len() <= content::RICH_BYTES_MAX));
    assert_eq!(texts.join("\n\n"), long);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        drop(Event::parse(&bytes));
    }

    #[test]
    fn a_cut_text_keeps_every_character_but_newlines(text in "[a字🙂\n]{0,200}", max in 1_usize..40) {
        let parts = content::split_text(&text, max);
        let strip = |s: &str| s.replace('\n', "");
        prop_assert_eq!(strip(&parts.concat()), strip(&text));
        prop_assert!(parts.iter().all(|p| p.len() <= max || p.chars().count() == 1));
    }
}
