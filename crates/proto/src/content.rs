//! Message bodies both ways: what people wrote as plain text, what we send as content.
//!
//! Received content is JSON text whose shape depends on the message type (reference 2.10);
//! content to send is another JSON text (2.9). An unknown type becomes a stub, never an error.

use serde_json::{Value, json};

use crate::event::{Mention, Message};
use crate::id::OpenId;
use crate::markdown;

/// Largest text content the platform takes, in bytes of the serialised JSON.
pub const TEXT_BYTES_MAX: usize = 150 * 1024;
/// Largest post or card content the platform takes, in bytes of the serialised JSON.
pub const RICH_BYTES_MAX: usize = 30 * 1024;

/// Content ready for `msg_type` and `content` of a send.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Outgoing {
    /// `text`, `post`, `interactive`, `image`, `file`.
    pub msg_type: String,
    /// The serialised JSON.
    pub content: String,
}

impl Outgoing {
    /// Plain text. `<at …>` tags in it work, as the platform defines.
    pub fn text(text: &str) -> Self {
        Self { msg_type: "text".to_owned(), content: json!({ "text": text }).to_string() }
    }

    /// A post with one Markdown node.
    pub fn markdown(text: &str) -> Self {
        let post =
            json!({ "zh_cn": { "title": "", "content": [[{ "tag": "md", "text": text }]] } });
        Self { msg_type: "post".to_owned(), content: post.to_string() }
    }

    /// A card, schema 1.0 or 2.0.
    pub fn card(card: &Value) -> Self {
        Self { msg_type: "interactive".to_owned(), content: card.to_string() }
    }

    /// An uploaded image.
    pub fn image(image_key: &str) -> Self {
        Self {
            msg_type: "image".to_owned(),
            content: json!({ "image_key": image_key }).to_string(),
        }
    }

    /// An uploaded file.
    pub fn file(file_key: &str) -> Self {
        Self { msg_type: "file".to_owned(), content: json!({ "file_key": file_key }).to_string() }
    }

    /// The message in parts that the platform takes: a long text is cut at paragraphs, else at
    /// lines, else between characters; anything else stays whole.
    pub fn split(self) -> Vec<Self> {
        match self.plain_text() {
            Some(text) if self.content.len() > RICH_BYTES_MAX => {
                split_text(&text, RICH_BYTES_MAX / 2).into_iter().map(Self::text).collect()
            }
            Some(_) | None => vec![self],
        }
    }

    /// The same in the next plainer form: a card becomes a post, a post a text. `None` for a text,
    /// and for what has no words.
    pub fn simpler(&self) -> Option<Self> {
        let value: Value = serde_json::from_str(&self.content).ok()?;
        let words = match self.msg_type.as_str() {
            "interactive" => markdown::text_of_card(&value)?,
            "post" => markdown::text_of_post(&value)?,
            _ => return None,
        };
        let parts = markdown::parts(&words);
        match (&parts[..], self.msg_type.as_str()) {
            ([], _) => None,
            ([part], "interactive") => Some(part.post()),
            ([part], _) => Some(part.text()),
            // More than one post holds: as one text, which holds five times as much.
            (parts, _) => {
                let texts: Vec<String> =
                    parts.iter().filter_map(|part| part.text().plain_text()).collect();
                Some(Self::text(&texts.join("\n\n")))
            }
        }
    }

    /// The words of a text; `None` for every other kind.
    pub fn words(&self) -> Option<String> {
        self.plain_text()
    }

    fn plain_text(&self) -> Option<String> {
        if self.msg_type != "text" {
            return None;
        }
        let value: Value = serde_json::from_str(&self.content).ok()?;
        value.get("text").and_then(Value::as_str).map(str::to_owned)
    }

    /// First words, for lists: the text of texts, the type of anything else.
    pub fn preview(&self) -> String {
        self.plain_text().map_or_else(|| format!("[{}]", self.msg_type), |t| preview(&t))
    }
}

/// The first words of a text on one line, at most 80 characters.
pub fn preview(text: &str) -> String {
    let mut out: String =
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(80).collect();
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}

/// Cuts a text into parts of at most `bytes_max` bytes (at least one character), after the last
/// paragraph, else line, else character that fits.
pub fn split_text(text: &str, bytes_max: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while rest.len() > bytes_max {
        let fits = rest.floor_char_boundary(bytes_max);
        let window = &rest[..fits];
        let cut = window.rfind("\n\n").or_else(|| window.rfind('\n')).filter(|at| *at > 0);
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let (part, after) = rest.split_at(cut.unwrap_or(fits).max(first));
        parts.push(part);
        rest = after.trim_start_matches('\n');
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// What the person wrote, mentions replaced by readable names and the bot's own mention left
/// out. A type without text becomes a stub such as `[image]`.
pub fn readable(message: &Message, bot: &OpenId) -> String {
    let raw = words_of(&message.message_type, &message.content);
    name_mentions(&raw, &message.mentions, bot).trim().to_owned()
}

/// What a received content says, mentions as their keys. A type without text becomes a stub.
pub fn words_of(message_type: &str, content: &str) -> String {
    let value: Value = serde_json::from_str(content).unwrap_or(Value::Null);
    match message_type {
        "text" => value.get("text").and_then(Value::as_str).unwrap_or_default().to_owned(),
        "post" => post_text(&value),
        "file" | "media" | "folder" => {
            let name = value.get("file_name").and_then(Value::as_str).unwrap_or_default();
            format!("[{message_type}: {name}]")
        }
        // Of a card of ours the platform hands out the words.
        "interactive" => {
            markdown::text_of_card(&value).unwrap_or_else(|| "[interactive]".to_owned())
        }
        other => format!("[{other}]"),
    }
}

/// Replaces each `@_user_n` by `@name`; `@_user_10` is one key, not `@_user_1` and a `0`.
fn name_mentions(text: &str, mentions: &[Mention], bot: &OpenId) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("@_") {
        out.push_str(&rest[..at]);
        let key_end = rest[at + 2..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(rest.len(), |n| at + 2 + n);
        let key = &rest[at..key_end];
        rest = &rest[key_end..];
        match mentions.iter().find(|m| m.key == key) {
            Some(m) if !bot.is_empty() && &m.open_id == bot => {
                rest = rest.strip_prefix(' ').unwrap_or(rest);
            }
            Some(m) => {
                out.push('@');
                out.push_str(&m.name);
            }
            None if key == "@_all" => out.push_str("@all"),
            None => out.push_str(key),
        }
    }
    out.push_str(rest);
    out
}

/// The text of a received post: title, then a line for each paragraph.
fn post_text(post: &Value) -> String {
    // A received post has no locale wrapper; one that was sent has.
    let post = match post.get("content") {
        Some(_) => post,
        None => post.as_object().and_then(|locales| locales.values().next()).unwrap_or(post),
    };
    let title = post.get("title").and_then(Value::as_str).filter(|t| !t.is_empty());
    let paragraphs = post.get("content").and_then(Value::as_array).into_iter().flatten();
    let lines = paragraphs.map(|p| p.as_array().into_iter().flatten().map(node_text).collect());
    title.map(str::to_owned).into_iter().chain(lines).collect::<Vec<String>>().join("\n")
}

fn node_text(node: &Value) -> String {
    let field = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default();
    match field("tag") {
        "a" => format!("[{}]({})", field("text"), field("href")),
        "at" => field("user_id").to_owned(),
        "img" => "[image]".to_owned(),
        "media" => "[media]".to_owned(),
        "emotion" => format!(":{}:", field("emoji_type")),
        "hr" => "---".to_owned(),
        _ => field("text").to_owned(),
    }
}
