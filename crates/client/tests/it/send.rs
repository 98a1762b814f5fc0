//! Every future can move between threads: the daemon's tasks need it.

use std::time::Duration;

use larkline_client::{ApiClient, Container, Dialer, FileType, Listing};
use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_proto::id::{ChatId, MessageId};
use url::Url;

fn sendable<T: Send>(_future: T) {}

/// Compiles, or does not; never runs.
#[expect(dead_code, reason = "the compiler is the judge")]
fn every_future_is_send(client: &ApiClient, dialer: &Dialer, url: &Url) {
    let (message, chat) = (MessageId::new("om_1"), ChatId::new("oc_1"));
    let text = Outgoing::text("x");
    sendable(dialer.connect(url, Duration::ZERO));
    sendable(client.verify());
    sendable(client.send(&ReceiveId::Chat(chat.clone()), &text, "u"));
    sendable(client.reply(&message, &text, false, "u"));
    sendable(client.edit(&message, &text));
    sendable(client.patch_card(&message, "{}"));
    sendable(client.recall(&message));
    sendable(client.get(&message));
    sendable(client.list(&Listing::of(Container::Chat(chat.clone()))));
    sendable(client.add_reaction(&message, "OK"));
    sendable(client.remove_reaction(&message, "r"));
    sendable(client.bot_info());
    sendable(client.connection_count());
    sendable(client.chat(&chat));
    sendable(client.chats(None));
    sendable(client.upload_image("a", bytes::Bytes::new()));
    sendable(client.upload_file(FileType::Stream, "a", bytes::Bytes::new()));
    sendable(client.download_file(&message, "f", 1));
}
