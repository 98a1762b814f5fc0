//! A message body as sent, checked, and turned into the form in which it is read back.
//!
//! Reference: open API, 2.9 and 2.10. Mentions become `@_user_n`; Markdown nodes become text;
//! cards come back degraded.

use larkline_proto::content::{RICH_BYTES_MAX, TEXT_BYTES_MAX};
use larkline_proto::id::OpenId;
use serde_json::{Value, json};

use super::cardkit::check_sent;
use super::reply::Refusal;
use crate::world::{AppIx, Mentioned, World};

/// A checked message body.
#[derive(Debug)]
pub(super) struct Body {
    /// As it is read back.
    pub(super) received: String,
    /// Who is behind `@_user_1`, `@_user_2`, …
    pub(super) mentions: Vec<Mentioned>,
    /// Its readable words.
    pub(super) text: Option<String>,
}

/// Checks a body of one type and reads it.
pub(super) fn read(
    world: &World,
    app: AppIx,
    msg_type: &str,
    content: &str,
) -> Result<Body, Refusal> {
    if content.is_empty() {
        return Err(Refusal::invalid("content cannot be empty"));
    }
    let most = if msg_type == "text" { TEXT_BYTES_MAX } else { RICH_BYTES_MAX };
    if content.len() > most {
        return Err(Refusal::new(230_025, "The length of the message content reaches its limit."));
    }
    let value: Value = serde_json::from_str(content)
        .map_err(|_| Refusal::invalid("content is not a string in json format"))?;
    let mut mentions = Mentions { world, app, found: Vec::new() };
    let (received, text) = match msg_type {
        "text" => {
            let text = member(&value, "text")?;
            let text = mentions.replace(text);
            (json!({ "text": text }), Some(text))
        }
        "post" => post(&mut mentions, &value)?,
        "interactive" => card(world, &value)?,
        "image" => (json!({"image_key": member(&value, "image_key")?}), None),
        "file" | "audio" | "media" | "sticker" => {
            let key = member(&value, "file_key")?;
            let name = world.files.get(key).map(|f| f.name.as_str());
            (json!({"file_key": key, "file_name": name}), None)
        }
        "share_chat" => (json!({"chat_id": member(&value, "chat_id")?}), None),
        "share_user" => (json!({"user_id": member(&value, "user_id")?}), None),
        "system" => (value, None),
        _ => return Err(Refusal::invalid("invalid msg_type")),
    };
    Ok(Body { received: received.to_string(), mentions: mentions.found, text })
}

fn member<'a>(value: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    value
        .get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Refusal::invalid("invalid message content. validate content fail"))
}

/// Replaces people by placeholders, in order of appearance.
struct Mentions<'a> {
    world: &'a World,
    app: AppIx,
    found: Vec<Mentioned>,
}

impl Mentions<'_> {
    /// Replaces every well-formed `<at user_id="…">…</at>`; others are sent literally.
    fn replace(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("<at user_id=\"") {
            out.push_str(&rest[..at]);
            let tag = &rest[at..];
            let Some((id, after)) = at_tag(tag) else {
                out.push_str(&tag[..1]);
                rest = &tag[1..];
                continue;
            };
            out.push_str(&self.placeholder(id));
            rest = after;
        }
        out.push_str(rest);
        out
    }

    fn placeholder(&mut self, id: &str) -> String {
        if id == "all" {
            return "@_all".to_owned();
        }
        let Some(who) = self.who(id) else { return format!("@{id}") };
        let known = self.found.iter().position(|m| *m == who);
        let n = known.unwrap_or_else(|| {
            self.found.push(who);
            self.found.len() - 1
        });
        format!("@_user_{}", n + 1)
    }

    fn who(&self, id: &str) -> Option<Mentioned> {
        let id = OpenId::new(id);
        let bot =
            self.world.apps.iter().position(|a| a.bot == id).map(|n| Mentioned::Bot(AppIx(n)));
        let user = self.world.by_open_id(&id).filter(|(_, app)| *app == self.app);
        bot.or_else(|| user.map(|(user, _)| Mentioned::User(user)))
    }
}

/// The id of a mention and what comes behind it.
fn at_tag(tag: &str) -> Option<(&str, &str)> {
    let id = tag.strip_prefix("<at user_id=\"")?;
    let (id, rest) = id.split_once('"')?;
    let rest = rest.strip_prefix('>')?;
    let (_, rest) = rest.split_once("</at>")?;
    Some((id, rest))
}

fn post(mentions: &mut Mentions<'_>, post: &Value) -> Result<(Value, Option<String>), Refusal> {
    let invalid = || Refusal::invalid("invalid message content. validate content fail");
    let locales = post.as_object().ok_or_else(invalid)?;
    let locale = ["zh_cn", "en_us"]
        .into_iter()
        .find_map(|l| locales.get(l))
        .or_else(|| locales.values().next());
    let locale = locale.ok_or_else(invalid)?;
    let paragraphs = locale.get("content").and_then(Value::as_array).ok_or_else(invalid)?;
    let mut lines = Vec::new();
    let mut received = Vec::new();
    for paragraph in paragraphs {
        let nodes = paragraph.as_array().ok_or_else(invalid)?;
        let nodes: Vec<Value> = nodes.iter().map(|node| received_node(mentions, node)).collect();
        lines.push(nodes.iter().map(node_text).collect::<String>());
        received.push(Value::Array(nodes));
    }
    let title = locale.get("title").and_then(Value::as_str).unwrap_or_default();
    if !title.is_empty() {
        lines.insert(0, title.to_owned());
    }
    Ok((json!({"title": title, "content": received}), Some(lines.join("\n"))))
}

fn received_node(mentions: &mut Mentions<'_>, node: &Value) -> Value {
    let field = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default();
    match field("tag") {
        "at" => {
            let key = mentions.placeholder(field("user_id"));
            json!({"tag": "at", "user_id": key, "user_name": field("user_name"), "style": []})
        }
        "md" => json!({"tag": "text", "text": mentions.replace(field("text")), "style": []}),
        _ => node.clone(),
    }
}

fn node_text(node: &Value) -> &str {
    let field = |name: &str| node.get(name).and_then(Value::as_str).unwrap_or_default();
    if field("tag") == "at" { field("user_id") } else { field("text") }
}

/// 230099 with its sub-code.
pub(super) fn bad_card(sub_code: i64, msg: &str) -> Refusal {
    let ext = format!("ErrCode: {sub_code}; ErrMsg: {msg}");
    Refusal::new(230_099, format!("Failed to create card content, ext={ext}"))
}

/// A card degrades to its words. A template or a card entity has none to show.
fn card(world: &World, card: &Value) -> Result<(Value, Option<String>), Refusal> {
    if !card.is_object() {
        return Err(bad_card(200_621, "parse card json err"));
    }
    check_sent(world, card).map_err(|p| bad_card(p.sub_code, &p.msg))?;
    let mut words = Vec::new();
    // `config` has a summary, which is for the list of chats.
    for (_, shown) in card.as_object().into_iter().flatten().filter(|(k, _)| *k != "config") {
        gather(shown, &mut words);
    }
    let title = card.pointer("/header/title/content").and_then(Value::as_str).unwrap_or_default();
    let elements: Vec<_> = words.iter().map(|w| json!([{"tag": "text", "text": w}])).collect();
    let text = (!words.is_empty()).then(|| words.join("\n"));
    Ok((json!({"title": title, "elements": elements}), text))
}

fn gather(value: &Value, words: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(text) if key == "content" => words.push(text.clone()),
                    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
                    Value::Array(_) | Value::Object(_) => gather(member, words),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, words)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SimOptions;

    #[test]
    fn mentions_become_placeholders_and_broken_tags_stay() {
        let mut world = World::new(SimOptions::default(), false);
        let user = world.add_user("Tom");
        let id = world.user(user).open_ids[0].clone();
        let text =
            format!("<at user_id=\"{id}\">Tom</at> hi <at user_id=\"all\"></at> <at user_id=\"x");
        let content = json!({ "text": text }).to_string();
        let body = read(&world, AppIx(0), "text", &content).unwrap();
        assert_eq!(body.text.as_deref(), Some("@_user_1 hi @_all <at user_id=\"x"));
        assert_eq!(body.mentions, [Mentioned::User(user)]);
    }

    #[test]
    fn a_post_loses_its_locale_and_its_markdown_node() {
        let world = World::new(SimOptions::default(), false);
        let content =
            r#"{"zh_cn":{"title":"T","content":[[{"tag":"md","text":"**a**"}],[{"tag":"hr"}]]}}"#;
        let body = read(&world, AppIx(0), "post", content).unwrap();
        let received: Value = serde_json::from_str(&body.received).unwrap();
        assert_eq!(received["content"][0][0], json!({"tag": "text", "text": "**a**", "style": []}));
        assert_eq!(body.text.as_deref(), Some("T\n**a**\n"));
    }
}
