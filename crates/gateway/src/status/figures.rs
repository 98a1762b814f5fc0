//! What a report has from the store.

use std::sync::Arc;

use larkline_store::Store;
use larkline_store::record::{Depths, LastHandled, Tally};
use tokio::sync::Mutex;

use crate::last_read::LastRead;

/// The newest figures.
#[derive(Debug, Default)]
pub struct Figures(Mutex<LastRead<Read>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Read {
    pub(super) tally: Vec<Tally>,
    pub(super) depths: Depths,
    pub(super) last_handled: Option<LastHandled>,
}

impl Figures {
    /// Those of now, else those read last and when, Unix ms.
    pub(super) async fn read(&self, store: &Arc<dyn Store>) -> (Read, Option<i64>) {
        let mut last = self.0.lock().await;
        last.read(|set| {
            let store = Arc::clone(store);
            set.spawn(async move {
                Ok(Read {
                    tally: store.tally().await?,
                    depths: store.depths().await?,
                    last_handled: store.last_handled().await?,
                })
            });
        })
        .await
    }
}
