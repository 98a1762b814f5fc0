//! Answers, as the platform writes them.
//!
//! They read tolerantly: unknown fields pass, optional ones may be omitted, `null` or empty.
//! Message content stays the serialised text the platform sent.

use serde::{Deserialize, Deserializer};

use crate::id::{ChatId, MessageId, OpenId, ThreadId};

/// Answer of a token call; top-level fields, no `data`.
#[derive(Deserialize)]
pub struct TokenReply {
    /// The token.
    pub tenant_access_token: String,
    /// Seconds it still lives.
    pub expire: u64,
}

/// The usual wrapper of an answer.
#[derive(Debug, Deserialize)]
pub struct DataBody<T> {
    /// The payload.
    pub data: T,
}

/// A message as the server API shows it (the event's form differs).
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RestMessage {
    /// Its id.
    pub message_id: MessageId,
    /// The message that started the reply tree.
    #[serde(deserialize_with = "filled")]
    pub root_id: Option<MessageId>,
    /// The message it replies to.
    #[serde(deserialize_with = "filled")]
    pub parent_id: Option<MessageId>,
    /// The thread it belongs to.
    #[serde(deserialize_with = "filled")]
    pub thread_id: Option<ThreadId>,
    /// `text`, `post`, `interactive`, …
    #[serde(deserialize_with = "nullable")]
    pub msg_type: String,
    /// When it was made, Unix ms; 0 when unknown.
    #[serde(rename = "create_time", deserialize_with = "millis")]
    pub create_ms: i64,
    /// When it last changed, Unix ms; 0 when unknown.
    #[serde(rename = "update_time", deserialize_with = "millis")]
    pub update_ms: i64,
    /// Recalled or deleted.
    #[serde(deserialize_with = "nullable")]
    pub deleted: bool,
    /// Edited at least once.
    #[serde(deserialize_with = "nullable")]
    pub updated: bool,
    /// Its chat.
    #[serde(deserialize_with = "nullable")]
    pub chat_id: ChatId,
    /// Who sent it.
    #[serde(deserialize_with = "nullable")]
    pub sender: RestSender,
    /// The serialised content, in received form.
    #[serde(rename = "body", deserialize_with = "content")]
    pub content: String,
    /// Who is mentioned.
    #[serde(deserialize_with = "nullable")]
    pub mentions: Vec<RestMention>,
}

/// Who sent a message.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RestSender {
    /// Open id of a user, app id of an app.
    #[serde(deserialize_with = "nullable")]
    pub id: String,
    /// `user`, `app`, `anonymous`, `unknown`.
    #[serde(deserialize_with = "nullable")]
    pub sender_type: String,
}

/// A mention; here the id is text, in events an object.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RestMention {
    /// `@_user_1`, as it stands in the text.
    #[serde(deserialize_with = "nullable")]
    pub key: String,
    /// Who.
    #[serde(deserialize_with = "nullable")]
    pub id: String,
    /// Their name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}

/// The items of a *get*: one, or a forward's container and its descendants.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct MessageItems {
    /// The messages.
    #[serde(deserialize_with = "nullable")]
    pub items: Vec<RestMessage>,
}

/// One page of a list.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound = "T: Deserialize<'de>")]
pub struct Page<T> {
    /// What it holds.
    #[serde(default = "Vec::new", deserialize_with = "nullable")]
    pub items: Vec<T>,
    /// More follow.
    #[serde(default, deserialize_with = "nullable")]
    pub has_more: bool,
    /// Where they begin.
    #[serde(default, deserialize_with = "filled_text")]
    pub page_token: Option<String>,
}

/// A reaction that was added.
#[derive(Clone, Debug, Deserialize)]
pub struct CreatedReaction {
    /// Its id, needed to remove it.
    pub reaction_id: String,
}

/// The bot's identity.
#[derive(Clone, Debug)]
pub struct BotInfo {
    /// What `mentions[].id.open_id` holds when the bot is mentioned.
    pub open_id: OpenId,
    /// Its name; empty when the platform gave none.
    pub name: String,
    /// 2 is enabled; 0 not installed, 1 disabled, 3 and 4 to be enabled, 5 and 6 expired.
    pub activate_status: i64,
}

/// Answer of a bot info call: `bot` at the top, or inside `data`.
#[derive(Debug, Deserialize)]
pub struct BotBody {
    bot: Option<Bot>,
    data: Option<BotData>,
}

#[derive(Debug, Deserialize)]
struct BotData {
    bot: Option<Bot>,
}

#[derive(Debug, Deserialize)]
struct Bot {
    open_id: OpenId,
    app_name: Option<String>,
    name: Option<String>,
    activate_status: Option<i64>,
}

impl BotBody {
    /// The bot, wherever it was and by whichever name.
    pub fn into_bot(self) -> Option<BotInfo> {
        let bot = self.bot.or_else(|| self.data.and_then(|data| data.bot))?;
        Some(BotInfo {
            open_id: bot.open_id,
            name: bot.app_name.or(bot.name).unwrap_or_default(),
            activate_status: bot.activate_status.unwrap_or_default(),
        })
    }
}

/// How many long connections the platform sees for the app.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct ConnectionCount {
    /// 1 when only we are connected.
    pub online_instance_cnt: u32,
}

/// A chat. Not a member: only name and status are filled.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Chat {
    /// Its name; empty for direct chats.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// `group`, `topic`, `p2p`.
    #[serde(deserialize_with = "nullable")]
    pub chat_mode: String,
    /// `all_members`, `only_owner`, `moderator_list`.
    #[serde(deserialize_with = "nullable")]
    pub moderation_permission: String,
    /// `normal`, `dissolved`, `dissolved_save`.
    #[serde(deserialize_with = "nullable")]
    pub chat_status: String,
    /// Its owner; empty when a bot owns it.
    #[serde(deserialize_with = "nullable")]
    pub owner_id: OpenId,
    /// Other tenants are in it.
    #[serde(deserialize_with = "nullable")]
    pub external: bool,
}

/// Whether the caller is in a chat.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub struct Membership {
    /// It is.
    pub is_in_chat: bool,
}

/// A chat of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ListedChat {
    /// Its id.
    pub chat_id: ChatId,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// Other tenants are in it.
    #[serde(deserialize_with = "nullable")]
    pub external: bool,
    /// `normal`, `dissolved`, `dissolved_save`.
    #[serde(deserialize_with = "nullable")]
    pub chat_status: String,
}

/// Key of an uploaded image.
#[derive(Clone, Debug, Deserialize)]
pub struct ImageKey {
    /// `img_…`
    pub image_key: String,
}

/// The entity behind a card message.
#[derive(Clone, Debug, Deserialize)]
pub struct CardIdBody {
    /// The card.
    pub card_id: String,
}

/// Key of an uploaded file.
#[derive(Clone, Debug, Deserialize)]
pub struct FileKey {
    /// `file_…`
    pub file_key: String,
}

/// `null` reads as the default.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// `null` and `""` read as absent.
fn filled<'de, D: Deserializer<'de>, T: From<String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(filled_text(deserializer)?.map(T::from))
}

fn filled_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

/// Times are decimal text in ms; ten digits or fewer are seconds (the edit's example).
fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?.unwrap_or_default();
    let number: i64 = text.parse().unwrap_or_default();
    Ok(if text.len() <= 10 { number * 1000 } else { number })
}

fn content<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Default, Deserialize)]
    struct Body {
        content: Option<String>,
    }
    Ok(Option::<Body>::deserialize(deserializer)?.and_then(|b| b.content).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_null_and_empty_fields_read_alike() {
        let forms = [
            r#"{"message_id":"om_1"}"#,
            r#"{"message_id":"om_1","root_id":null,"chat_id":null,"mentions":null,"body":null,
                "sender":null,"create_time":null,"deleted":null}"#,
            r#"{"message_id":"om_1","root_id":"","chat_id":"","mentions":[],"create_time":""}"#,
        ];
        for form in forms {
            let message: RestMessage = serde_json::from_str(form).unwrap();
            assert_eq!(message.root_id, None, "{form}");
            assert!(message.chat_id.is_empty() && message.content.is_empty());
            assert_eq!(message.create_ms, 0);
        }
    }

    #[test]
    fn a_time_of_ten_digits_is_seconds() {
        let of = |time: &str| {
            let text = format!(r#"{{"create_time":"{time}"}}"#);
            serde_json::from_str::<RestMessage>(&text).unwrap().create_ms
        };
        assert_eq!(of("1615380573"), 1_615_380_573_000);
        assert_eq!(of("1615380573411"), 1_615_380_573_411);
    }

    #[test]
    fn the_bot_is_found_at_the_top_and_inside_data() {
        for body in [
            r#"{"code":0,"bot":{"open_id":"ou_1","app_name":"B","activate_status":2}}"#,
            r#"{"code":0,"data":{"bot":{"open_id":"ou_1","name":"B","activate_status":2}}}"#,
        ] {
            let bot = serde_json::from_str::<BotBody>(body).unwrap().into_bot().unwrap();
            assert_eq!((bot.open_id.as_str(), bot.name.as_str()), ("ou_1", "B"));
        }
    }
}
