//! What is shown, read from the gateway: at most once in a moment, however many look.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use larkline_store::record::{DeadLetter, MessageQuery, Record};
use larkline_store::session::{Session, SessionQuery};
use larkline_store::{Store, StoreError};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::Instant;

use super::page::Part;
use crate::admin::Admin;
use crate::alert::AlertsView;
use crate::config::Config;
use crate::last_read::LastRead;
use crate::pulse::Run;
use crate::status::Status;
use crate::words::Lang;

/// So long a look serves everybody.
const FRESH: Duration = Duration::from_millis(900);
/// Feeds open at once: people who look, not programs.
pub(super) const FEEDS_MAX: usize = 16;
/// Messages read; those of people among them are shown.
const RECORDS_READ: usize = 60;
/// Dead letters shown; the rest are counted.
const DEAD_MAX: usize = 50;
/// Conversations shown.
const SESSIONS_MAX: usize = 12;

/// The state of everything at one moment.
pub(super) struct Look {
    pub(super) status: Status,
    pub(super) config: Arc<Config>,
    pub(super) lists: Lists,
    /// What fires, and who is told.
    pub(super) alerts: AlertsView,
    /// Since when the store does not answer: figures and lists are of then, Unix ms.
    pub(super) stale_ms: Option<i64>,
    /// The last day of each app.
    pub(super) days: Vec<Vec<Run>>,
    taken: Instant,
    /// The parts in each language, made when first asked for.
    parts: [OnceLock<Arc<Vec<Part>>>; 2],
}

/// What a look has from the store, beside the figures of every report.
#[derive(Clone, Default)]
pub(super) struct Lists {
    pub(super) records: Vec<Record>,
    pub(super) dead: Vec<DeadLetter>,
    pub(super) sessions: Vec<Session>,
    /// Tasks that wait, by handler.
    pub(super) waiting: Vec<(String, u64)>,
    /// Names of chats, where they were learned.
    pub(super) chats: BTreeMap<String, String>,
}

/// The newest look, and seats for those who watch.
pub(super) struct Looks {
    newest: Mutex<Newest>,
    pub(super) seats: Arc<Semaphore>,
}

#[derive(Default)]
struct Newest {
    look: Option<Arc<Look>>,
    lists: LastRead<Lists>,
}

impl Default for Looks {
    fn default() -> Self {
        Self { newest: Mutex::default(), seats: Arc::new(Semaphore::new(FEEDS_MAX)) }
    }
}

impl Looks {
    /// A look that is fresh.
    pub(super) async fn take(&self, admin: &Admin) -> Arc<Look> {
        let mut newest = self.newest.lock().await;
        if let Some(look) = newest.look.as_ref().filter(|look| look.taken.elapsed() < FRESH) {
            return Arc::clone(look);
        }
        let look = Arc::new(Look::take(admin, &mut newest.lists).await);
        newest.look = Some(Arc::clone(&look));
        look
    }

    /// The next look is a new one.
    pub(super) async fn forget(&self) {
        self.newest.lock().await.look = None;
    }
}

impl Look {
    async fn take(admin: &Admin, lists: &mut LastRead<Lists>) -> Self {
        let shared = &admin.shared;
        admin.apps.iter().for_each(|app| app.look_at_pulse(shared.started_ms));
        let status = Status::take(shared, &admin.apps).await;
        let (lists, lists_of_ms) = lists
            .read(|set| {
                let store = Arc::clone(&shared.store);
                set.spawn(async move { Lists::read(store.as_ref()).await });
            })
            .await;
        let config = shared.config.load_full();
        Self {
            alerts: shared.alerts.view(&config),
            days: admin.apps.iter().map(|app| app.pulse.runs(status.at_ms)).collect(),
            stale_ms: status.figures_of_ms.into_iter().chain(lists_of_ms).min(),
            status,
            config,
            lists,
            taken: Instant::now(),
            parts: Default::default(),
        }
    }

    /// The parts of the page as a feed sends them, made one time.
    pub(super) fn parts(&self, lang: Lang, make: impl FnOnce() -> Vec<Part>) -> Arc<Vec<Part>> {
        let place = &self.parts[lang.either(0, 1)];
        Arc::clone(place.get_or_init(|| Arc::new(make())))
    }
}

impl Lists {
    async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let query = MessageQuery { limit: RECORDS_READ, ..MessageQuery::default() };
        let sessions = SessionQuery { limit: SESSIONS_MAX, ..SessionQuery::default() };
        let chats = store.chats().await?.into_iter().filter(|chat| !chat.name.is_empty());
        Ok(Self {
            records: store.records(query).await?,
            dead: store.dead(DEAD_MAX).await?,
            sessions: store.sessions(sessions).await?,
            waiting: store.waiting_handlers().await?,
            chats: chats.map(|chat| (chat.chat_id, chat.name)).collect(),
        })
    }
}
