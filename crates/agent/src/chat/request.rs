//! The body of a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::history::{Role, Turn};
use crate::prompt::Image;

/// Fields of the body that only this module writes: the answer is read as they say.
const OURS: [&str; 3] = ["model", "messages", "stream"];

/// What a model is asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChatRequest {
    /// The model.
    pub model: String,
    /// What the operator tells it.
    pub system: Option<String>,
    /// The conversation; the last message is the one to answer.
    pub turns: Vec<Turn>,
    /// Whether it thinks before it answers, for those that can do both (`enable_thinking`).
    pub thinking: Option<bool>,
    /// How freely it chooses its words.
    pub temperature: Option<f64>,
    /// Tokens that it may write.
    pub max_tokens: Option<u32>,
    /// Further fields of the body, which replace those above and are left out when they are null.
    /// Model, messages and `stream` stay as they are.
    pub extra: Map<String, Value>,
}

/// The body to send.
pub fn request(request: &ChatRequest) -> Value {
    let mut body = Map::new();
    body.insert("model".to_owned(), json!(request.model));
    body.insert("messages".to_owned(), messages(request));
    body.insert("stream".to_owned(), json!(true));
    body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    let optional = [
        ("enable_thinking", request.thinking.map(Value::from)),
        ("temperature", request.temperature.map(Value::from)),
        ("max_tokens", request.max_tokens.map(Value::from)),
    ];
    for (name, value) in optional {
        body.extend(value.map(|value| (name.to_owned(), value)));
    }
    for (name, value) in &request.extra {
        if OURS.contains(&name.as_str()) {
            continue;
        }
        if value.is_null() {
            body.remove(name);
        } else {
            body.insert(name.clone(), value.clone());
        }
    }
    Value::Object(body)
}

fn messages(request: &ChatRequest) -> Value {
    let system = request.system.iter().map(|text| json!({"role": "system", "content": text}));
    let turns = request.turns.iter().map(|turn| {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        json!({"role": role, "content": content(turn)})
    });
    system.chain(turns).collect()
}

/// A plain text wherever there are no pictures: not every server reads parts.
fn content(turn: &Turn) -> Value {
    if turn.images.is_empty() {
        return json!(turn.text);
    }
    let text = (!turn.text.is_empty()).then(|| json!({"type": "text", "text": turn.text}));
    text.into_iter().chain(turn.images.iter().map(picture)).collect()
}

fn picture(image: &Image) -> Value {
    let url = format!("data:{};base64,{}", image.media_type, STANDARD.encode(&image.bytes));
    json!({"type": "image_url", "image_url": {"url": url}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_as_small_as_it_can_be() {
        let turn = Turn { role: Role::User, text: "hi".to_owned(), images: Vec::new() };
        let asked =
            ChatRequest { model: "qwen-plus".to_owned(), turns: vec![turn], ..Default::default() };
        assert_eq!(
            request(&asked),
            json!({"model": "qwen-plus", "stream": true, "stream_options": {"include_usage": true},
                "messages": [{"role": "user", "content": "hi"}]})
        );
    }

    #[test]
    fn all_that_can_be_said_is_said() {
        let image = Image { media_type: "image/png".to_owned(), bytes: vec![1, 2, 3] };
        let turn = |role, text: &str, images: &[Image]| Turn {
            role,
            text: text.to_owned(),
            images: images.to_vec(),
        };
        let asked = ChatRequest {
            model: "qwen-plus".to_owned(),
            system: Some("You are a bot.".to_owned()),
            turns: vec![
                turn(Role::User, "what is this?", std::slice::from_ref(&image)),
                turn(Role::Assistant, "a cat", &[]),
                turn(Role::User, "", &[image]),
            ],
            thinking: Some(false),
            temperature: Some(0.5),
            max_tokens: Some(100),
            extra: Map::new(),
        };
        let url = json!({"url": "data:image/png;base64,AQID"});
        assert_eq!(
            request(&asked),
            json!({
                "model": "qwen-plus", "stream": true, "stream_options": {"include_usage": true},
                "enable_thinking": false, "temperature": 0.5, "max_tokens": 100,
                "messages": [
                    {"role": "system", "content": "You are a bot."},
                    {"role": "user", "content": [
                        {"type": "text", "text": "what is this?"},
                        {"type": "image_url", "image_url": url},
                    ]},
                    {"role": "assistant", "content": "a cat"},
                    {"role": "user", "content": [{"type": "image_url", "image_url": url}]},
                ],
            })
        );
    }

    #[test]
    fn the_operator_has_the_last_word_but_for_what_is_read_here() {
        let extra = json!({"top_p": 0.9, "temperature": 1, "stream_options": null, "seed": null,
            "stream": false, "model": "x", "messages": []});
        let asked = ChatRequest {
            model: "m".to_owned(),
            temperature: Some(0.5),
            extra: extra.as_object().unwrap().clone(),
            ..Default::default()
        };
        let mut body = request(&asked);
        body["messages"].take();
        let expected = json!({"model": "m", "stream": true, "top_p": 0.9, "temperature": 1,
            "messages": null});
        assert_eq!(body, expected);
    }
}
