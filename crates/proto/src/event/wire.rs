//! The platform's own shapes; every field may be absent or `null`.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::event;

/// A time, written as text or as a number.
pub(super) struct Time(pub(super) String);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct MessageEvent {
    pub(super) sender: Option<Sender>,
    pub(super) message: Option<Message>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Sender {
    pub(super) sender_id: Option<Ids>,
    pub(super) sender_type: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Ids {
    pub(super) open_id: Option<String>,
    pub(super) union_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub(super) message_id: Option<String>,
    pub(super) root_id: Option<String>,
    pub(super) parent_id: Option<String>,
    pub(super) thread_id: Option<String>,
    pub(super) create_time: Option<Time>,
    pub(super) chat_id: Option<String>,
    pub(super) chat_type: Option<String>,
    pub(super) message_type: Option<String>,
    pub(super) content: Option<String>,
    pub(super) mentions: Option<Vec<Mention>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Mention {
    key: Option<String>,
    id: Option<Ids>,
    name: Option<String>,
}

impl From<Mention> for event::Mention {
    fn from(m: Mention) -> Self {
        Self {
            key: m.key.unwrap_or_default(),
            open_id: m.id.and_then(|i| i.open_id).unwrap_or_default().into(),
            name: m.name.unwrap_or_default(),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CardEvent<'a> {
    pub(super) operator: Option<Ids>,
    pub(super) token: Option<String>,
    #[serde(borrow)]
    pub(super) action: Option<&'a RawValue>,
    pub(super) context: Option<CardContext>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct CardContext {
    pub(super) open_message_id: Option<String>,
    pub(super) open_chat_id: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct OtherEvent {
    pub(super) message_id: Option<String>,
    pub(super) chat_id: Option<String>,
    pub(super) operator_id: Option<Ids>,
    pub(super) operator: Option<Operator>,
    pub(super) user_id: Option<Ids>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Operator {
    pub(super) operator_id: Option<Ids>,
}
