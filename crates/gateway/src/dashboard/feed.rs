//! `GET /dashboard/feed`: the parts of the page that have changed, as server-sent events.
//!
//! A feed begins with every part, so a page that comes back misses nothing. Each event is the
//! present state of what changed; a reader that is slow is told once, in the newest state. Without news
//! there is an event without parts, so that silence means that nobody is there.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use super::page::{self, LangQuery};
use super::{Dashboard, guard};
use crate::clock::now_ms;
use crate::words::Lang;

/// How often is looked whether something changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Looks without news after which there is an event all the same: a page waits four times as long
/// before it says that nobody answers, and a reader that has gone is noticed by writing to it.
const QUIET_LOOKS_MAX: u32 = 5;

pub(super) async fn open(
    State(dashboard): State<Dashboard>,
    Query(query): Query<LangQuery>,
    headers: HeaderMap,
) -> Response {
    let lang = query.lang(&dashboard.admin.shared.config.load());
    let Ok(seat) = dashboard.looks.seats.clone().try_acquire_owned() else {
        let text = "as many pages as may follow are open; this one is up to date when reloaded";
        return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")], text).into_response();
    };
    let told = BTreeMap::new();
    let feed = Feed { dashboard, headers, lang, told, opened: false, _seat: seat };
    let events = stream::unfold(feed, |mut feed| async move {
        let cancel = feed.dashboard.cancel.clone();
        let event = cancel.run_until_cancelled_owned(feed.next()).await??;
        Some((Ok::<_, Infallible>(event), feed))
    });
    Sse::new(events).into_response()
}

/// One reader.
struct Feed {
    dashboard: Dashboard,
    /// What it has shown to be let in.
    headers: HeaderMap,
    lang: Lang,
    /// What it has of each part.
    told: BTreeMap<&'static str, u64>,
    opened: bool,
    _seat: OwnedSemaphorePermit,
}

impl Feed {
    /// The next event; waits until there is one. None for a reader who may no longer: the token is
    /// another one, or the session is over.
    async fn next(&mut self) -> Option<Event> {
        for _ in 0..QUIET_LOOKS_MAX {
            if std::mem::replace(&mut self.opened, true) {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            if !guard::may(&self.dashboard, &self.headers) {
                return None;
            }
            if let Some(event) = self.news().await {
                return Some(event);
            }
        }
        let alive = json!({ "now": now_ms(), "parts": {} });
        Some(Event::default().data(alive.to_string()))
    }

    async fn news(&mut self) -> Option<Event> {
        let look = self.dashboard.looks.take(&self.dashboard.admin).await;
        let parts = page::parts(&self.dashboard, &look, self.lang);
        let news: serde_json::Map<_, _> = parts
            .iter()
            .filter(|part| {
                let now = hash(&part.html);
                self.told.insert(part.name, now) != Some(now)
            })
            .map(|part| (part.name.to_owned(), json!(part.html)))
            .collect();
        if news.is_empty() {
            return None;
        }
        let told = json!({ "now": look.status.at_ms, "tone": look.tone(), "parts": news });
        Some(Event::default().data(told.to_string()))
    }
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
