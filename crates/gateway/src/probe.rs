//! Probes: a nonce goes out into a chat, and something about it has to come back over the link.
//!
//! The platform sends a bot no event for its own messages. What can come back is an event about
//! the message: the bot's own reaction to it, where the app subscribes to reactions; somebody
//! else's; or a message that repeats the nonce. Whatever it is, it ends as `filtered/probe` and
//! reaches no handler. Probes live in memory: a restart forgets them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larkline_proto::content;
use larkline_proto::event::Event;
use larkline_proto::id::{ChatId, MessageId, OpenId};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Probes remembered; a person has one or two under way.
const PROBES_MAX: usize = 16;
/// How long one is remembered, so that a late answer still reaches no handler.
const REMEMBERED: Duration = Duration::from_hours(1);

/// The probes of one daemon.
#[derive(Debug, Default)]
pub struct Probes {
    open: Mutex<HashMap<String, Probe>>,
    returned: Notify,
}

#[derive(Debug)]
struct Probe {
    chat: ChatId,
    message: Option<MessageId>,
    begun: Instant,
    returned: Option<Returned>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    /// Its event type.
    pub kind: String,
    /// The platform's event id.
    pub event_id: String,
    /// When it arrived over the link, Unix ms.
    pub received_ms: i64,
    /// When the platform made it, by its clock, Unix ms.
    pub created_ms: i64,
}

impl Probes {
    /// Remembers a nonce; the oldest one goes when too many are remembered.
    pub fn begin(&self, nonce: &str, chat: ChatId, now: Instant) {
        let mut open = self.lock();
        open.retain(|_, probe| now.duration_since(probe.begun) < REMEMBERED);
        if open.len() >= PROBES_MAX
            && let Some(oldest) = open.iter().min_by_key(|(_, p)| p.begun).map(|(n, _)| n.clone())
        {
            open.remove(&oldest);
        }
        let probe = Probe { chat, message: None, begun: now, returned: None };
        open.insert(nonce.to_owned(), probe);
    }

    /// The message that carries the nonce was made.
    pub fn posted(&self, nonce: &str, message: MessageId) {
        if let Some(probe) = self.lock().get_mut(nonce) {
            probe.message = Some(message);
        }
    }

    /// Whether an event is about a probe; the one that came before any other ends it.
    pub fn recognise(&self, event: &Event, received_ms: i64) -> bool {
        let mut open = self.lock();
        if open.is_empty() {
            return false;
        }
        let about = |(nonce, probe): &(&String, &mut Probe)| probe.is_met_by(nonce, event);
        let Some((_, probe)) = open.iter_mut().find(about) else { return false };
        probe.returned.get_or_insert_with(|| Returned {
            kind: event.kind.clone(),
            event_id: event.id.to_string(),
            received_ms,
            created_ms: event.created_ms,
        });
        drop(open);
        self.returned.notify_waiters();
        true
    }

    /// Waits for a probe's return; `None` within `patience` without one, or without the probe.
    pub async fn wait(&self, nonce: &str, patience: Duration) -> Option<Returned> {
        let deadline = Instant::now() + patience;
        loop {
            // Registered before the look, so that a return in between is not missed.
            let woken = self.returned.notified();
            let returned = self.lock().get(nonce)?.returned.clone();
            if returned.is_some() || timeout_at(deadline, woken).await.is_err() {
                return returned;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Probe>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probe {
    fn is_met_by(&self, nonce: &str, event: &Event) -> bool {
        if let Some(message) = event.message() {
            let said = content::readable(message, &OpenId::default());
            return message.chat_id == self.chat && said.contains(nonce);
        }
        self.message.is_some() && event.message_id() == self.message.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str, event: &str) -> Event {
        let text = format!(
            r#"{{"schema":"2.0","header":{{"event_id":"e1","event_type":"{kind}"}},"event":{event}}}"#
        );
        Event::parse(text.as_bytes()).unwrap()
    }

    fn message(chat: &str, text: &str) -> Event {
        let content = serde_json::json!({ "text": text }).to_string();
        let body = serde_json::json!({"message": {"message_id": "om_2", "chat_id": chat,
            "chat_type": "group", "message_type": "text", "content": content}});
        event("im.message.receive_v1", &body.to_string())
    }

    #[tokio::test]
    async fn a_probe_is_met_by_its_nonce_in_its_chat_or_by_what_happens_to_its_message() {
        let probes = Probes::default();
        let reaction = || event("im.message.reaction.created_v1", r#"{"message_id":"om_1"}"#);
        assert!(!probes.recognise(&message("oc_1", "abc"), 1), "without a probe nothing is one");
        probes.begin("abc", "oc_1".into(), Instant::now());
        assert!(!probes.recognise(&message("oc_1", "hello"), 1));
        assert!(!probes.recognise(&message("oc_2", "abc"), 1), "another chat");
        assert!(!probes.recognise(&reaction(), 1), "nothing is posted yet");
        assert_eq!(probes.wait("abc", Duration::ZERO).await, None);
        probes.posted("abc", "om_1".into());
        assert!(probes.recognise(&reaction(), 7));
        assert!(probes.recognise(&message("oc_1", "it is abc"), 9), "still none of a handler's");
        assert_eq!(probes.wait("abc", Duration::ZERO).await.unwrap().received_ms, 7);
    }

    #[test]
    fn old_probes_and_too_many_are_forgotten() {
        let (probes, now) = (Probes::default(), Instant::now());
        for n in 0..=PROBES_MAX {
            let at = now + Duration::from_secs(n as u64);
            probes.begin(&format!("nonce{n:02}"), "oc_1".into(), at);
        }
        assert_eq!(probes.lock().len(), PROBES_MAX);
        assert!(!probes.lock().contains_key("nonce00"));
        probes.begin("new", "oc_1".into(), now + 2 * REMEMBERED);
        assert_eq!(probes.lock().len(), 1);
    }
}
