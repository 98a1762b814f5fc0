//! CardKit and the delayed update: what comes in by HTTP. The rules are in `card`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::Context;
use super::reply::{Refusal, Reply, Result};
use crate::card::{Action, CardError, Operation, Problem, check, is_v2};
use crate::world::World;

/// Largest `data` of create.
const DATA_CHARS_MAX: usize = 3_000_000;
/// Largest text streamed into an element.
const CONTENT_CHARS_MAX: usize = 100_000;
/// Largest card of a delayed update.
const UPDATE_BYTES_MAX: usize = 100 * 1024;

type Parsed<T> = std::result::Result<T, Refusal>;

impl From<CardError> for Refusal {
    fn from(error: CardError) -> Self {
        Self::new(error.code, error.msg)
    }
}

/// The bodies of all operations; which members are wanted depends on the endpoint.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    #[serde(rename = "type")]
    kind: String,
    data: String,
    card: Option<Card>,
    settings: Option<String>,
    actions: Option<String>,
    target_element_id: Option<String>,
    elements: Option<String>,
    element: Option<String>,
    partial_element: Option<String>,
    content: Option<String>,
    sequence: i64,
    uuid: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Card {
    #[serde(rename = "type")]
    kind: String,
    data: String,
}

/// One action of a batch; inside it JSON is JSON, not text.
#[derive(Deserialize)]
struct BatchAction {
    action: String,
    params: Value,
}

fn bad(what: impl Into<String>) -> Refusal {
    Refusal::new(10_002, what)
}

/// The JSON in a text member.
fn parsed(member: &str, text: Option<&str>) -> Parsed<Value> {
    let text =
        text.filter(|t| !t.is_empty()).ok_or_else(|| bad(format!("{member} is required")))?;
    serde_json::from_str(text).map_err(|e| bad(format!("{member} is no JSON: {e}")))
}

fn list(member: &str, value: Value) -> Parsed<Vec<Value>> {
    let Value::Array(items) = value else {
        return Err(bad(format!("{member} must be an array")));
    };
    Ok(items)
}

/// `POST /open-apis/cardkit/v1/cards`.
pub(super) fn create(cx: &mut Context<'_>) -> Result {
    let asked: Asked = cx.json()?;
    if asked.data.chars().count() > DATA_CHARS_MAX {
        return Err(bad("data is too long"));
    }
    match asked.kind.as_str() {
        "card_json" => {}
        "template" => return Err(Refusal::new(200_220, "the template is not found")),
        _ => return Err(bad("type must be card_json or template")),
    }
    let card = parsed("data", Some(&asked.data))?;
    let card_id = cx.world.create_card(cx.now_ms, cx.app, card)?;
    Ok(Reply::Data(json!({ "card_id": card_id })))
}

/// `POST /open-apis/cardkit/v1/cards/id_convert`.
pub(super) fn id_convert(cx: &mut Context<'_>) -> Result {
    #[derive(Deserialize)]
    struct Of {
        message_id: String,
    }
    let of: Of = cx.json()?;
    let id = of.message_id.as_str().into();
    let card_id = cx.world.card_of_message(cx.now_ms, cx.app, &id)?;
    Ok(Reply::Data(json!({ "card_id": card_id })))
}

/// `PUT /open-apis/cardkit/v1/cards/:card_id`.
pub(super) fn replace(cx: &mut Context<'_>) -> Result {
    operate(cx, |_, asked| {
        let card = asked.card.as_ref().filter(|c| c.kind == "card_json");
        let card = card.ok_or_else(|| bad("card with type card_json is required"))?;
        Ok(vec![Action::Replace(parsed("card.data", Some(&card.data))?)])
    })
}

/// `PATCH /open-apis/cardkit/v1/cards/:card_id/settings`.
pub(super) fn settings(cx: &mut Context<'_>) -> Result {
    operate(cx, |_, asked| {
        Ok(vec![Action::Settings(parsed("settings", asked.settings.as_deref())?)])
    })
}

/// `POST /open-apis/cardkit/v1/cards/:card_id/batch_update`: all actions, or none.
pub(super) fn batch(cx: &mut Context<'_>) -> Result {
    operate(cx, |_, asked| {
        let actions = list("actions", parsed("actions", asked.actions.as_deref())?)?;
        actions.into_iter().map(batch_action).collect()
    })
}

fn batch_action(action: Value) -> Parsed<Action> {
    let BatchAction { action, mut params } =
        serde_json::from_value(action).map_err(|e| bad(format!("an action: {e}")))?;
    let text = |params: &Value, name: &str| {
        params.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let id = text(&params, "element_id");
    match action.as_str() {
        "partial_update_setting" => Ok(Action::Settings(params["settings"].take())),
        "add_elements" => Ok(Action::Add {
            how: text(&params, "type"),
            target: Some(text(&params, "target_element_id")),
            elements: list("elements", params["elements"].take())?,
        }),
        "delete_elements" => {
            let ids = list("element_ids", params["element_ids"].take())?;
            Ok(Action::Delete(ids.iter().filter_map(Value::as_str).map(str::to_owned).collect()))
        }
        "partial_update_element" => Ok(Action::PatchElement(id, params["partial_element"].take())),
        "update_element" => Ok(Action::ReplaceElement(id, params["element"].take())),
        _ => Err(bad(format!("unknown action {action}"))),
    }
}

/// `POST /open-apis/cardkit/v1/cards/:card_id/elements`.
pub(super) fn add_elements(cx: &mut Context<'_>) -> Result {
    operate(cx, |_, asked| {
        let elements = list("elements", parsed("elements", asked.elements.as_deref())?)?;
        let target = asked.target_element_id.clone();
        Ok(vec![Action::Add { how: asked.kind.clone(), target, elements }])
    })
}

/// `PUT …/elements/:element_id`.
pub(super) fn replace_element(cx: &mut Context<'_>) -> Result {
    operate(cx, |id, asked| {
        Ok(vec![Action::ReplaceElement(id, parsed("element", asked.element.as_deref())?)])
    })
}

/// `PATCH …/elements/:element_id`.
pub(super) fn patch_element(cx: &mut Context<'_>) -> Result {
    operate(cx, |id, asked| {
        let partial = parsed("partial_element", asked.partial_element.as_deref())?;
        Ok(vec![Action::PatchElement(id, partial)])
    })
}

/// `DELETE …/elements/:element_id`, with a body.
pub(super) fn delete_element(cx: &mut Context<'_>) -> Result {
    operate(cx, |id, _| Ok(vec![Action::Delete(vec![id])]))
}

/// `PUT …/elements/:element_id/content`: the text in full.
pub(super) fn stream(cx: &mut Context<'_>) -> Result {
    operate(cx, |id, asked| {
        let text = asked.content.clone().unwrap_or_default();
        if text.is_empty() || text.chars().count() > CONTENT_CHARS_MAX {
            return Err(bad("content must have 1 to 100000 characters"));
        }
        Ok(vec![Action::Stream(id, text)])
    })
}

/// One operation: the actions come from the element of the path and the body.
fn operate(
    cx: &mut Context<'_>,
    actions: impl FnOnce(String, &Asked) -> Parsed<Vec<Action>>,
) -> Result {
    let asked: Asked = cx.json()?;
    let card_id = cx.param("card_id");
    let windows = [(1_000, cx.world.options.limits.per_entity_per_s)];
    let admitted = cx.world.windows.entity.admit(card_id.clone(), cx.now_ms, &windows);
    admitted.map_err(|wait_ms| Refusal {
        status: 429,
        reset_s: Some(cx.world.options.real_s(wait_ms).max(1)),
        ..Refusal::new(99_991_400, "request trigger frequency limit")
    })?;
    let actions = actions(cx.param("element_id"), &asked)?;
    let request = [cx.call.method.as_str().as_bytes(), cx.call.path.as_bytes(), &cx.call.body];
    let uuid = asked.uuid.filter(|u| !u.is_empty());
    let operation =
        Operation { sequence: asked.sequence, uuid, request: request.concat(), actions };
    cx.world.operate_card(cx.now_ms, cx.app, &card_id, operation)?;
    Ok(Reply::Data(json!({})))
}

/// `POST /open-apis/interactive/v1/card/update`: the delayed update by a callback's token.
pub(super) fn update_by_token(cx: &mut Context<'_>) -> Result {
    #[derive(Deserialize)]
    struct Update {
        #[serde(default)]
        token: String,
        #[serde(default)]
        card: Value,
    }
    let update: Update =
        serde_json::from_slice(&cx.call.body).map_err(|_| Refusal::new(100_030, "not JSON"))?;
    if update.token.is_empty() || !update.card.is_object() {
        return Err(bad("token and card are required, the card as an object"));
    }
    if update.card.get("open_ids").is_some() && is_v2(&update.card) {
        return Err(Refusal::new(200_320, "open_ids are for exclusive cards of schema 1.0"));
    }
    let content = update.card.to_string();
    if content.len() > UPDATE_BYTES_MAX {
        return Err(Refusal::new(100_000, "the card is too large"));
    }
    let message = cx.world.card_tokens.message(&update.token, cx.app, cx.now_ms)?;
    let known = cx.world.messages.get(&message).filter(|m| !m.recalled);
    let known = known.ok_or_else(|| Refusal::new(200_000, "the message is recalled"))?;
    let old: Value = serde_json::from_str(&known.sent).unwrap_or_default();
    if is_v2(&old) && !is_v2(&update.card) {
        return Err(Refusal::new(200_830, "a card of schema 2.0 cannot become one of 1.0"));
    }
    check_sent(cx.world, &update.card).map_err(|p| Refusal::new(11_311, p.msg))?;
    cx.world.card_tokens.used(&update.token);
    cx.world.card_follows(cx.now_ms, &message, &update.card);
    cx.world.show_in_message(cx.now_ms, &message, content, true);
    Ok(Reply::Raw(json!({"code": 0, "msg": "ok"})))
}

/// Checks a card that is sent as JSON.
pub(super) fn check_sent(world: &World, card: &Value) -> std::result::Result<(), Problem> {
    check(card, |key| world.files.contains_key(key))
}
