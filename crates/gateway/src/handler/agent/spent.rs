//! What a thread of Codex has used over all its turns.
//!
//! It tells only that total, so what one turn used is the difference to the total before, which has
//! to outlive the process. A turn that was cut off told nothing: the next one counts it in.

use std::sync::Arc;

use larkline_agent::Usage;
use larkline_store::session::{SessionFact, SessionId};
use larkline_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

/// The total of the thread that a conversation has now.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Total {
    thread: String,
    tokens_in: u64,
    tokens_out: u64,
}

/// What of the thread's use was counted before.
///
/// # Errors
/// [`StoreError`].
pub(super) async fn before(
    store: &Arc<dyn Store>,
    session: SessionId,
    thread: &str,
) -> Result<Usage, StoreError> {
    let fact = store.fact(name(session)).await?;
    let total: Option<Total> = fact.and_then(|fact| serde_json::from_str(&fact).ok());
    // Of a thread that never told its total nothing was counted.
    Ok(total.filter(|total| total.thread == thread).map_or_else(Usage::default, |total| {
        let Total { tokens_in, tokens_out, .. } = total;
        Usage { tokens_in, tokens_out, cost_usd: None }
    }))
}

/// Keeps what it has used now.
///
/// # Errors
/// [`StoreError`]; the next turn counts this one in.
pub(super) async fn keep(
    store: &Arc<dyn Store>,
    session: SessionId,
    thread: &str,
    total: Usage,
) -> Result<(), StoreError> {
    let Usage { tokens_in, tokens_out, .. } = total;
    let total = Total { thread: thread.to_owned(), tokens_in, tokens_out };
    let fact = serde_json::to_string(&total).unwrap_or_default();
    store.put_fact(name(session), fact).await
}

fn name(session: SessionId) -> String {
    SessionFact::Thread.of(session)
}

#[cfg(test)]
mod tests {
    use larkline_store::{SqliteOptions, SqliteStore};

    use super::*;

    #[tokio::test]
    async fn a_total_is_that_of_its_thread() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path().join("s.db"), SqliteOptions::default());
        let store: Arc<dyn Store> = Arc::new(store.unwrap());
        let session = SessionId(7);
        let none = Usage::default();
        assert_eq!(before(&store, session, "a").await.unwrap(), none);
        let total = Usage { tokens_in: 240, tokens_out: 14, cost_usd: None };
        keep(&store, session, "a", total).await.unwrap();
        assert_eq!(before(&store, session, "a").await.unwrap(), total);
        assert_eq!(before(&store, session, "b").await.unwrap(), none, "another thread");
        assert_eq!(before(&store, SessionId(8), "a").await.unwrap(), none);
    }
}
