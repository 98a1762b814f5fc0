//! A pressed button: one callback, three seconds, no retry, and what the person then sees.
//!
//! Reference: open API, 5.6. With no client connected the reference names no number; 200342
//! (connection failed) is what is shown here.

use larkline_proto::id::{ChatId, EventId, MessageId, OpenId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use crate::card::is_v2;
use crate::platform::PlatformError;
use crate::world::{Sender, TENANT, World};

/// A person presses a button of a card.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Press {
    /// Who.
    pub user: OpenId,
    /// The message with the card.
    pub message: Option<MessageId>,
    /// Its chat; needed when no message is given.
    pub chat: ChatId,
    /// The button's value.
    pub value: Value,
    /// Further members of `action`, for example `form_value`.
    pub action: Option<Value>,
}

/// What the person sees.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PressResult {
    /// The callback's event id.
    pub event_id: EventId,
    /// 0, or the error the client app shows: 200340, 200341, 200342, 200671, 200672,
    /// 200673, 200830.
    pub code: i64,
    /// The answer, as sent.
    pub body: Option<Value>,
    /// Its toast.
    pub toast: Option<Value>,
    /// Its card; the message shows it from now on, unless it streams.
    pub card: Option<Value>,
    /// Milliseconds until the person saw it.
    pub elapsed_ms: u64,
}

/// A callback that waits for its answer.
pub(crate) struct Callback {
    /// Its update token.
    pub(crate) token: String,
    /// The message with the card.
    pub(crate) message: Option<MessageId>,
    /// Whoever pressed.
    pub(crate) presser: oneshot::Sender<PressResult>,
}

/// What became of a callback's single attempt.
#[derive(Debug)]
pub(crate) enum CallbackEnd {
    Acked { code: i64, data: Option<Value>, malformed: bool },
    NoConnection,
    TimedOut,
}

impl PressResult {
    pub(crate) fn refused(event_id: EventId, code: i64) -> Self {
        Self { event_id, code, ..Self::default() }
    }

    pub(crate) fn of(event_id: EventId, end: CallbackEnd) -> Self {
        match end {
            CallbackEnd::NoConnection => Self::refused(event_id, 200_342),
            CallbackEnd::TimedOut => Self::refused(event_id, 200_341),
            CallbackEnd::Acked { code, .. } if code != 200 => Self::refused(event_id, 200_671),
            CallbackEnd::Acked { malformed: true, .. } => Self::refused(event_id, 200_672),
            CallbackEnd::Acked { data, .. } => {
                Self::answered(event_id, data.unwrap_or_else(|| json!({})))
            }
        }
    }

    fn answered(event_id: EventId, body: Value) -> Self {
        if !body.is_object() {
            return Self::refused(event_id, 200_672);
        }
        let card = body.get("card").filter(|c| !c.is_null()).cloned();
        let well_formed = card.as_ref().is_none_or(|c| {
            let kind = c.get("type").and_then(Value::as_str);
            matches!(kind, Some("raw" | "template")) && c.get("data").is_some_and(Value::is_object)
        });
        if !well_formed {
            return Self { body: Some(body), ..Self::refused(event_id, 200_673) };
        }
        let toast = body.get("toast").filter(|t| !t.is_null()).cloned();
        Self { event_id, toast, card, body: Some(body), ..Self::default() }
    }
}

impl World {
    /// Sends the callback, unless the app has none subscribed; says whether it was sent.
    pub(crate) fn press(
        &mut self,
        now_ms: u64,
        press: Press,
        presser: oneshot::Sender<PressResult>,
    ) -> Result<(EventId, bool), PlatformError> {
        let (user, mut app) = self
            .by_open_id(&press.user)
            .ok_or_else(|| PlatformError::unknown("user", &press.user))?;
        let mut chat = press.chat;
        if let Some(id) = &press.message {
            let message =
                self.messages.get(id).ok_or_else(|| PlatformError::unknown("message", id))?;
            chat = message.chat.clone();
            if let Sender::App(sender) = message.sender {
                app = sender;
            }
        }
        if !self.chats.contains_key(&chat) {
            return Err(PlatformError::unknown("chat", &chat));
        }
        if !self.app(app).spec.callbacks {
            return Ok((EventId::default(), false));
        }
        let mut operator = self.user_ids(user, app);
        operator["tenant_key"] = json!(TENANT);
        let mut action = json!({"value": press.value, "tag": "button"});
        if let (Some(action), Some(Value::Object(more))) = (action.as_object_mut(), press.action) {
            action.extend(more);
        }
        let token = format!("c-{}", self.hex(40));
        self.card_tokens.give(&token, app, press.message.clone(), now_ms);
        let event = json!({
            "operator": operator,
            "token": token,
            "action": action,
            "host": "im_message",
            "context": {"open_message_id": press.message, "open_chat_id": chat},
        });
        let callback = Callback { token, message: press.message, presser };
        Ok((self.send_event(now_ms, app, "card.action.trigger", &event, Some(callback)), true))
    }

    /// Gives the presser the answer, or what stands in for it.
    pub(crate) fn end_callback(
        &mut self,
        now_ms: u64,
        event: &EventId,
        callback: Callback,
        end: CallbackEnd,
    ) {
        self.card_tokens.answered(&callback.token);
        let mut result = PressResult::of(event.clone(), end);
        if let (Some(message), Some(card)) = (&callback.message, result.card.clone()) {
            let card = card.get("data").unwrap_or(&card);
            result.code = self.card_from_callback(now_ms, message, card);
        }
        // The person may have gone; then nobody waits for the answer.
        drop(callback.presser.send(result));
    }

    /// Shows the card of a callback's answer in its message, unless that one streams.
    fn card_from_callback(&mut self, now_ms: u64, message: &MessageId, card: &Value) -> i64 {
        let Some(known) = self.messages.get(message) else { return 0 };
        let old: Value = serde_json::from_str(&known.sent).unwrap_or_default();
        if is_v2(&old) && card.get("template_id").is_none() && !is_v2(card) {
            return 200_830;
        }
        if !self.streams(message) {
            self.card_follows(now_ms, message, card);
            self.show_in_message(now_ms, message, card.to_string(), true);
        }
        0
    }
}
