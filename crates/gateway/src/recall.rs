//! Messages that their writers take back: what waits is ended, what runs is told of.
//!
//! Not here: the answer to one, which goes out without its quotation (`outgoing`), and cards of ours
//! that are taken back (`cards`). A crash between the event and this leaves the task, which runs.

use larkline_proto::event::MESSAGE_RECALLED;
use larkline_proto::id::MessageId;
use larkline_store::inbox::NewEvent;

use crate::clock::now_ms;
use crate::shared::Shared;

/// Ends what waits of the messages that these events take back.
pub async fn heard(shared: &Shared, app: &str, events: &[NewEvent]) {
    let recalls = events.iter().filter(|event| event.kind == MESSAGE_RECALLED);
    let messages: Vec<MessageId> = recalls.filter_map(|event| event.message_id.clone()).collect();
    if messages.is_empty() {
        return;
    }
    match shared.store.recall(app.to_owned(), messages, now_ms()).await {
        Ok(recalled) => {
            for task in &recalled.running {
                tracing::warn!(
                    app,
                    task = task.0,
                    "a message was taken back while its handler works on it; its answer will not quote it"
                );
            }
            if !recalled.concluded.is_empty() {
                shared.settled(recalled.concluded).await;
                // Whoever waited behind them may be next.
                shared.dispatch.notify_waiters();
            }
        }
        Err(error) => shared.store_health.failed("recall", &error),
    }
}
