//! One governor for all that goes out: a permit before every send.
//!
//! The platform allows an app 50 calls a second and 1 000 a minute, and one chat 5 messages a
//! second from all bots together. A [`Permit`] takes a place in each of these windows and
//! holds it until it is completed; see `larkline_proto::rate` for why completion counts.
//! What is not here: order (a chat has one row in flight, the store sees to that) and
//! fairness between chats (the store hands out the lane served longest ago).

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_proto::rate::{Nanos, Rate, Ready, Window, nanos};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Chats whose windows are kept before idle ones are swept.
const CHATS_SWEEP: usize = 1024;

/// The rates a governor enforces.
#[derive(Clone, Debug)]
pub struct Rates {
    /// Per app; all of them hold at once.
    pub app: Vec<Rate>,
    /// Per chat.
    pub chat: Rate,
}

/// Grants permits for one app.
#[derive(Debug)]
pub struct Governor {
    epoch: Instant,
    state: Mutex<State>,
    completed: Notify,
}

#[derive(Debug)]
struct State {
    rates: Rates,
    app: Vec<Window>,
    /// What operations take besides: less than the app's, so that replies always find a place.
    operations: Vec<Window>,
    chats: HashMap<String, Window>,
    granted: u64,
    throttled: u64,
    /// Who waits, and until when as far as is known; `None` is the end of a call in flight.
    waiting: BTreeMap<u64, Option<Nanos>>,
    waiters: u64,
}

/// What the governor is doing, for `status`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GovernorStatus {
    /// Permits granted since the start.
    pub granted: u64,
    /// Times the platform said that a limit was hit all the same.
    pub throttled: u64,
    /// Sends that wait for a permit now.
    pub waiting: usize,
    /// How long the last of them still waits at least, milliseconds.
    pub wait_ms: u64,
}

/// Leave to make one call.
#[derive(Debug)]
#[must_use = "dropping a permit gives its place back as if the call had never been made"]
pub struct Permit {
    governor: Arc<Governor>,
    place: Place,
    done: bool,
}

/// Whose windows a call takes a place in, besides the app's.
#[derive(Debug)]
enum Place {
    Chat(String),
    Operation,
}

/// The platform's word on a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// No limit was hit.
    Fine,
    /// This chat's limit; nothing to it for so long.
    Chat(Duration),
    /// The app's limit; nothing at all for so long.
    App(Duration),
}

impl Governor {
    /// A governor with empty windows.
    pub fn new(rates: Rates) -> Arc<Self> {
        let app = rates.app.iter().map(|r| Window::new(*r)).collect();
        let operations = rates.app.iter().map(|r| Window::new(r.four_fifths())).collect();
        Arc::new(Self {
            epoch: Instant::now(),
            state: Mutex::new(State {
                rates,
                app,
                operations,
                chats: HashMap::new(),
                granted: 0,
                throttled: 0,
                waiting: BTreeMap::new(),
                waiters: 0,
            }),
            completed: Notify::new(),
        })
    }

    /// Waits until a call to `chat` is within every limit, and takes its place.
    pub async fn acquire(self: &Arc<Self>, chat: &str) -> Permit {
        let waiting = Waiting::new(self);
        loop {
            // Registered before the look, so that a completion in between is not missed.
            let completed = self.completed.notified();
            match self.try_take(chat) {
                Ready::Now => {
                    return Permit {
                        governor: Arc::clone(self),
                        place: Place::Chat(chat.to_owned()),
                        done: false,
                    };
                }
                Ready::At(at) => {
                    waiting.until(Some(at));
                    let at = self.epoch + Duration::from_nanos(at);
                    tokio::select! {
                        () = tokio::time::sleep_until(at) => {}
                        () = completed => {}
                    }
                }
                Ready::OnCompletion => {
                    waiting.until(None);
                    completed.await;
                }
            }
        }
    }

    /// A place for a call that says nothing new to a chat, as a card that grows; nothing when the
    /// app's windows are so full that what is said for good would have to wait.
    pub fn try_operation(self: &Arc<Self>) -> Option<Permit> {
        let now = self.now();
        let mut state = self.lock();
        let state = &mut *state;
        let windows = state.app.iter_mut().chain(state.operations.iter_mut());
        if windows.map(|w| w.ready(now)).fold(Ready::Now, later) != Ready::Now {
            return None;
        }
        state.app.iter_mut().chain(state.operations.iter_mut()).for_each(|w| w.take(now));
        state.granted += 1;
        Some(Permit { governor: Arc::clone(self), place: Place::Operation, done: false })
    }

    /// How long a call to `chat` has to wait at least, as far as is known now.
    pub fn wait_for(&self, chat: &str) -> Duration {
        let now = self.now();
        let mut state = self.lock();
        let state = &mut *state;
        let chat = state.chats.get_mut(chat).map_or(Ready::Now, |w| w.ready(now));
        match state.app.iter_mut().map(|w| w.ready(now)).fold(chat, later) {
            Ready::At(at) => Duration::from_nanos(at.saturating_sub(now)),
            Ready::Now | Ready::OnCompletion => Duration::ZERO,
        }
    }

    /// What the governor is doing.
    pub fn status(&self) -> GovernorStatus {
        let now = self.now();
        let state = self.lock();
        let last = state.waiting.values().flatten().max();
        let wait = Duration::from_nanos(last.map_or(0, |at| at.saturating_sub(now)));
        GovernorStatus {
            granted: state.granted,
            throttled: state.throttled,
            waiting: state.waiting.len(),
            wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        }
    }

    fn try_take(&self, chat: &str) -> Ready {
        let now = self.now();
        let mut state = self.lock();
        let state = &mut *state;
        if state.chats.len() >= CHATS_SWEEP && !state.chats.contains_key(chat) {
            state.chats.retain(|_, window| !window.is_idle(now));
        }
        let chat_rate = state.rates.chat;
        let chat = state.chats.entry(chat.to_owned()).or_insert_with(|| Window::new(chat_rate));
        let latest = state.app.iter_mut().map(|w| w.ready(now)).fold(chat.ready(now), later);
        if latest == Ready::Now {
            chat.take(now);
            state.app.iter_mut().for_each(|w| w.take(now));
            state.granted += 1;
        }
        latest
    }

    fn finish(&self, place: &Place, made: bool, hint: Hint) {
        let now = self.now();
        let mut state = self.lock();
        let state = &mut *state;
        let end = |w: &mut Window| if made { w.complete(now) } else { w.cancel() };
        state.app.iter_mut().for_each(end);
        match place {
            Place::Operation => state.operations.iter_mut().for_each(end),
            Place::Chat(chat) => {
                if let Some(window) = state.chats.get_mut(chat) {
                    end(window);
                }
            }
        }
        match (hint, place) {
            (Hint::Fine, _) => {}
            (Hint::Chat(wait), Place::Chat(chat)) => {
                state.throttled += 1;
                if let Some(window) = state.chats.get_mut(chat) {
                    window.block(now.saturating_add(nanos(wait)));
                }
            }
            // The limit of one card or message: its painter slows down by itself.
            (Hint::Chat(_), Place::Operation) => state.throttled += 1,
            (Hint::App(wait), _) => {
                state.throttled += 1;
                state.app.iter_mut().for_each(|w| w.block(now.saturating_add(nanos(wait))));
            }
        }
        self.completed.notify_waiters();
    }

    fn now(&self) -> Nanos {
        nanos(self.epoch.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The call was made and is over.
    pub fn complete(mut self, hint: Hint) {
        self.done = true;
        self.governor.finish(&self.place, true, hint);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.done {
            self.governor.finish(&self.place, false, Hint::Fine);
        }
    }
}

/// Shows a waiter for as long as it lives, also when its future is dropped.
struct Waiting<'a> {
    governor: &'a Governor,
    id: u64,
}

impl<'a> Waiting<'a> {
    fn new(governor: &'a Governor) -> Self {
        let mut state = governor.lock();
        state.waiters += 1;
        let id = state.waiters;
        state.waiting.insert(id, None);
        drop(state);
        Self { governor, id }
    }

    fn until(&self, at: Option<Nanos>) {
        self.governor.lock().waiting.insert(self.id, at);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.governor.lock().waiting.remove(&self.id);
    }
}

/// The more restrictive of two answers.
fn later(a: Ready, b: Ready) -> Ready {
    match (a, b) {
        (Ready::Now, other) | (other, Ready::Now) => other,
        (Ready::At(x), Ready::At(y)) => Ready::At(x.max(y)),
        (Ready::OnCompletion, _) | (_, Ready::OnCompletion) => Ready::OnCompletion,
    }
}
