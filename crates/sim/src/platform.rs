//! The handle to a running platform: one method for each thing a person or the platform does.
//!
//! Tests, the demo and the admin API act through it alike. Every change wakes those who wait
//! for the ledger, so nobody polls with sleeps.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use larkline_proto::id::{AppId, ChatId, EventId, MessageId, OpenId};
use serde_json::Value;
use tokio::sync::{Notify, oneshot, watch};

use crate::clock::Clock;
use crate::delivery::millis;
use crate::fault::Fault;
use crate::gateway::Gateway;
use crate::hook::NewHook;
use crate::ledger::Ledger;
use crate::options::SimOptions;
use crate::press::{Press, PressResult};
use crate::talk::{Said, Say};
use crate::world::World;

/// An order the platform cannot carry out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlatformError {
    /// No such user, chat, message, app or event here.
    #[error("there is no {what} {id:?} here; /_sim/world lists who is")]
    Unknown {
        /// The kind of thing.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// The condition did not come true in time.
    #[error("the ledger did not show what was waited for within {0:?}")]
    Deadline(Duration),
    /// The order makes no sense.
    #[error("{0}")]
    Refused(String),
}

impl PlatformError {
    pub(crate) fn unknown(what: &'static str, id: impl fmt::Display) -> Self {
        Self::Unknown { what, id: id.to_string() }
    }
}

/// The platform behind a [`crate::Sim`].
pub struct Platform {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
    timers: Notify,
    clock: Clock,
    gateway: OnceLock<Arc<dyn Gateway>>,
}

impl fmt::Debug for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Platform").finish_non_exhaustive()
    }
}

impl Platform {
    pub(crate) fn new(options: SimOptions, tls: bool) -> Self {
        Self {
            clock: Clock::new(options.speed),
            world: Mutex::new(World::new(options, tls)),
            changed: watch::Sender::new(0),
            timers: Notify::new(),
            gateway: OnceLock::new(),
        }
    }

    /// Milliseconds of the platform's own clock, which never jumps and may run fast.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// How long a time of the platform's own clock takes outside.
    pub fn real(&self, wait: Duration) -> Duration {
        self.clock.real(millis(wait))
    }

    /// Looks at the faults in force, without waking anyone.
    pub(crate) fn with_faults<T>(&self, look: impl FnOnce(&crate::armed::Faults) -> T) -> T {
        self.look(|world| look(&world.faults))
    }

    /// Runs one change on the world and tells whoever waits.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut World, u64) -> T) -> T {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now_ms = self.now_ms();
        let due = world.deliveries.next_due_ms();
        let out = change(&mut world, now_ms);
        let due_now = world.deliveries.next_due_ms();
        drop(world);
        if due != due_now {
            self.timers.notify_one();
        }
        self.changed.send_modify(|n| *n = n.wrapping_add(1));
        out
    }

    /// Looks at the world, or changes what only readers see, without waking anybody.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Tells of every change from now on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Tells this run of the simulator from an earlier one.
    pub(crate) fn started_ms(&self) -> u64 {
        self.clock.started_ms
    }

    /// Names the gateway that the page may ask for stories. A second one is not taken.
    pub fn set_gateway(&self, gateway: Arc<dyn Gateway>) {
        if self.gateway.set(gateway).is_err() {
            tracing::warn!(
                "this simulator has a gateway already; the page goes on asking that one"
            );
        }
    }

    pub(crate) fn gateway(&self) -> Option<&Arc<dyn Gateway>> {
        self.gateway.get()
    }

    /// Returns when a timer is due, or when the timers changed.
    pub(crate) async fn timer_due(&self) {
        let due =
            self.world.lock().unwrap_or_else(PoisonError::into_inner).deliveries.next_due_ms();
        let changed = self.timers.notified();
        match due {
            None => changed.await,
            Some(due) => {
                let wait = self.clock.real(due.saturating_sub(self.now_ms()));
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(wait) => {}
                }
            }
        }
    }

    /// Looks at the ledger without copying it.
    pub fn read<T>(&self, look: impl FnOnce(&Ledger) -> T) -> T {
        look(&self.world.lock().unwrap_or_else(PoisonError::into_inner).ledger)
    }

    /// A copy of the ledger.
    pub fn ledger(&self) -> Ledger {
        self.read(Ledger::clone)
    }

    /// Waits until the ledger satisfies a condition; it is looked at after every change.
    ///
    /// # Errors
    /// [`PlatformError::Deadline`] when it does not within `deadline`.
    pub async fn wait_for(
        &self,
        mut condition: impl FnMut(&Ledger) -> bool,
        deadline: Duration,
    ) -> Result<(), PlatformError> {
        let mut changes = self.changed.subscribe();
        let wait = async {
            // The sender lives in `self`, so `changed` does not fail.
            while !self.read(&mut condition) && changes.changed().await.is_ok() {}
        };
        tokio::time::timeout(deadline, wait).await.map_err(|_| PlatformError::Deadline(deadline))
    }

    /// Adds a person; the open id is the one of the app listed at the front.
    pub fn add_user(&self, name: &str) -> OpenId {
        self.with(|world, _| {
            let user = world.add_user(name);
            world.user(user).open_ids.first().cloned().unwrap_or_default()
        })
    }

    /// The open id under which an app knows a person (any of the person's open ids is taken).
    pub fn open_id_for(&self, user: &OpenId, app: &AppId) -> Option<OpenId> {
        self.with(|world, _| {
            let (user, _) = world.by_open_id(user)?;
            let app = world.app_ix(app.as_str())?;
            world.user(user).open_ids.get(app.0).cloned()
        })
    }

    /// The bot's open id of the app listed at the front.
    pub fn bot_open_id(&self) -> OpenId {
        self.with(|world, _| world.apps.first().map(|a| a.bot.clone()).unwrap_or_default())
    }

    /// Opens a group of these people and every app's bot. Unknown open ids are left out.
    pub fn add_group(&self, name: &str, members: &[OpenId]) -> ChatId {
        self.with(|world, _| {
            let members =
                members.iter().filter_map(|id| world.by_open_id(id)).map(|(u, _)| u).collect();
            world.add_group(name, members, false)
        })
    }

    /// Opens a topic group: every message that answers none begins a thread.
    pub fn add_topic_group(&self, name: &str, members: &[OpenId]) -> ChatId {
        self.with(|world, _| {
            let members =
                members.iter().filter_map(|id| world.by_open_id(id)).map(|(u, _)| u).collect();
            world.add_group(name, members, true)
        })
    }

    /// The direct chat between a person and the app the open id belongs to.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an open id nobody has.
    pub fn p2p(&self, user: &OpenId) -> Result<ChatId, PlatformError> {
        self.with(|world, _| {
            let (ix, app) =
                world.by_open_id(user).ok_or_else(|| PlatformError::unknown("user", user))?;
            Ok(world.p2p(ix, app))
        })
    }

    /// A person writes a message.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a person, chat or message that is not there.
    pub fn say(&self, say: Say) -> Result<Said, PlatformError> {
        self.with(|world, now| world.say(now, say))
    }

    /// Sends an event of any type.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an app that is not there.
    pub fn send_event(
        &self,
        app: &AppId,
        event_type: &str,
        event: &Value,
    ) -> Result<EventId, PlatformError> {
        self.with(|world, now| {
            let app =
                world.app_ix(app.as_str()).ok_or_else(|| PlatformError::unknown("app", app))?;
            Ok(world.send_event(now, app, event_type, event, None))
        })
    }

    /// A person presses a button, and waits for the answer as the platform lets them.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a person, chat or message that is not there.
    pub async fn press(&self, press: Press) -> Result<PressResult, PlatformError> {
        let started = self.now_ms();
        let (presser, answer) = oneshot::channel();
        let (event_id, subscribed) = self.with(|world, now| world.press(now, press, presser))?;
        let mut result = match subscribed {
            // Without an answer the platform was reset meanwhile.
            true => answer.await.unwrap_or_else(|_| PressResult::refused(event_id, 200_341)),
            false => return Ok(PressResult::refused(event_id, 200_340)),
        };
        result.elapsed_ms = self.now_ms().saturating_sub(started);
        Ok(result)
    }

    /// A person takes their message back: the apps in the chat hear of it.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a message that is not there.
    pub fn recall(&self, message: &MessageId) -> Result<Vec<EventId>, PlatformError> {
        self.with(|world, now| world.recall_by_user(now, message))
    }

    /// A person adds a reaction.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a person or message that is not there.
    pub fn react(
        &self,
        user: &OpenId,
        message: &MessageId,
        emoji: &str,
    ) -> Result<Vec<EventId>, PlatformError> {
        self.with(|world, now| world.react_by_user(now, user, message, emoji))
    }

    /// A person chooses an entry of the bot's menu.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a person that is not there.
    pub fn menu(&self, user: &OpenId, event_key: &str) -> Result<EventId, PlatformError> {
        self.with(|world, now| world.menu(now, user, event_key))
    }

    /// Takes an app's bot out of a group: it hears `bot.deleted`, and its sends get 230002.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an app or chat that is not there.
    pub fn remove_bot(&self, chat: &ChatId, app: &AppId) -> Result<EventId, PlatformError> {
        self.with(|world, now| world.change_bot(now, chat, app, false))
    }

    /// Takes an app's bot into a group: it hears `bot.added`.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an app or chat that is not there.
    pub fn add_bot(&self, chat: &ChatId, app: &AppId) -> Result<EventId, PlatformError> {
        self.with(|world, now| world.change_bot(now, chat, app, true))
    }

    /// Lets only people speak in a group (230018), or all again.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a chat that is not there.
    pub fn mute(&self, chat: &ChatId, muted: bool) -> Result<(), PlatformError> {
        self.with(|world, _| world.chat_mut(chat).map(|c| c.muted = muted))
    }

    /// Dissolves a group: the apps hear of it, and their sends get 232009.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a chat that is not there.
    pub fn dissolve(&self, chat: &ChatId) -> Result<Vec<EventId>, PlatformError> {
        self.with(|world, now| world.dissolve(now, chat))
    }

    /// Puts a person outside (or inside) the apps' availability range (230013).
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a person that is not there.
    pub fn set_available(&self, user: &OpenId, available: bool) -> Result<(), PlatformError> {
        self.with(|world, _| {
            let (ix, _) =
                world.by_open_id(user).ok_or_else(|| PlatformError::unknown("user", user))?;
            world.users[ix.0].available = available;
            Ok(())
        })
    }

    /// Adds a custom bot to a group: an address that takes messages. Returns its token.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for a chat that is not there.
    pub fn add_hook(&self, hook: NewHook) -> Result<String, PlatformError> {
        self.with(|world, _| world.add_hook(hook))
    }

    /// Injects a fault.
    ///
    /// # Errors
    /// [`PlatformError::Unknown`] for an event that is not there.
    pub fn fault(&self, fault: Fault) -> Result<(), PlatformError> {
        self.with(|world, now| world.inject(now, fault))
    }

    /// Everyone and every chat, as JSON.
    pub fn describe(&self) -> Value {
        self.with(|world, _| world.describe())
    }

    /// Empties the ledger, ends all faults and forgets what was to be redelivered; people,
    /// chats, tokens and connections stay.
    pub fn reset(&self) {
        self.with(|world, _| {
            world.ledger.clear();
            world.faults.clear();
            world.deliveries.clear();
            world.windows = crate::limit::Windows::default();
            world.sent_once = crate::once::SentOnce::default();
            world.card_tokens = crate::card::CardTokens::default();
        });
    }
}
