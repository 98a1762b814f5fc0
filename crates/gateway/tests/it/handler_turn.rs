//! A turn for handlers under test, made from a payload as the platform sends it.

use larkline_gateway::handler::Turn;
use larkline_proto::event::Event;
use larkline_store::inbox::InboxId;
use larkline_store::task::{TaskId, TaskLease};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// A message with this text.
pub(crate) fn turn(text: &str) -> Turn {
    let payload = json!({
        "schema": "2.0",
        "header": {
            "event_id": "ev-1",
            "event_type": "im.message.receive_v1",
            "create_time": "1763633000123",
            "app_id": "cli_a1b2c3d4e5f60718",
        },
        "event": {
            "sender": { "sender_id": { "open_id": "ou_sender" }, "sender_type": "user" },
            "message": {
                "message_id": "om_1",
                "chat_id": "oc_1",
                "chat_type": "p2p",
                "message_type": "text",
                "create_time": "1763633000123",
                "content": json!({ "text": text }).to_string(),
            },
        },
    });
    let payload = payload.to_string().into_bytes();
    Turn {
        app: "main".to_owned(),
        route: "all".to_owned(),
        handler: "script".to_owned(),
        session: "oc_1".to_owned(),
        task: TaskId(7),
        attempt: 1,
        event: Event::parse(&payload).unwrap(),
        payload,
        text: text.to_owned(),
        mentioned: false,
        reply_url: None,
        cancel: CancellationToken::new(),
        lease: TaskLease { task: TaskId(7), epoch: 1 },
        live: None,
        access: None,
        inbox: InboxId(1),
    }
}
