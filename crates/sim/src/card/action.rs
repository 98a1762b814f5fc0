//! One change of a card: what each operation of CardKit does to the JSON.

use serde_json::Value;

use super::{CardError, tree};

/// A change, as the endpoints and the actions of a batch name it.
#[derive(Debug)]
pub(crate) enum Action {
    /// The whole card.
    Replace(Value),
    /// Members of `config` and `card_link`.
    Settings(Value),
    /// New elements at a place.
    Add { how: String, target: Option<String>, elements: Vec<Value> },
    /// Another element in the place of one.
    ReplaceElement(String, Value),
    /// Members of an element.
    PatchElement(String, Value),
    /// Without these elements.
    Delete(Vec<String>),
    /// The text of an element, in full.
    Stream(String, String),
}

impl Action {
    /// Carries the change out.
    pub(super) fn apply(self, card: &mut Value) -> Result<(), CardError> {
        match self {
            Self::Replace(new) => {
                *card = new;
                Ok(())
            }
            Self::Settings(settings) => merge_settings(card, &settings),
            Self::Add { how, target, elements } => add(card, &how, target.as_deref(), elements),
            Self::ReplaceElement(id, element) => {
                if element.get("tag").is_none() {
                    return Err(CardError::new(300_121, "the element has no tag"));
                }
                *find(card, &id, 300_313)? = element;
                Ok(())
            }
            Self::PatchElement(id, partial) => {
                let element = find(card, &id, 300_313)?;
                let (Some(members), Value::Object(partial)) = (element.as_object_mut(), partial)
                else {
                    return Err(CardError::new(300_313, "the partial element is no object"));
                };
                if partial.get("tag").is_some_and(|tag| members.get("tag") != Some(tag)) {
                    return Err(CardError::new(300_312, "the tag of an element cannot change"));
                }
                members.extend(partial);
                Ok(())
            }
            Self::Delete(ids) => {
                for id in ids {
                    let gone = || CardError::new(300_314, format!("no element {id} to delete"));
                    let (list, at) = tree::place(card, &id).ok_or_else(gone)?;
                    list.remove(at);
                }
                Ok(())
            }
            Self::Stream(id, text) => {
                let element = find(card, &id, 300_313)?;
                let tag = element.get("tag").and_then(Value::as_str);
                if !matches!(tag, Some("markdown" | "plain_text")) {
                    return Err(CardError::new(300_310, "only text elements can be streamed"));
                }
                element["content"] = Value::String(text);
                Ok(())
            }
        }
    }
}

fn find<'a>(card: &'a mut Value, id: &str, code: i64) -> Result<&'a mut Value, CardError> {
    tree::find(card, id).ok_or_else(|| CardError::new(code, format!("there is no element {id}")))
}

/// Documented with `config` around it; an official plugin sends the members bare.
fn merge_settings(card: &mut Value, settings: &Value) -> Result<(), CardError> {
    let bad = || CardError::new(300_122, "settings must hold config or card_link");
    let members = settings.as_object().ok_or_else(bad)?;
    let wrapped = members.keys().any(|k| k == "config" || k == "card_link");
    if let Some(link) = members.get("card_link") {
        card["card_link"] = link.clone();
    }
    let config = match (wrapped, members.get("config")) {
        (true, None) => return Ok(()),
        (true, Some(config)) => config.as_object().ok_or_else(bad)?,
        (false, _) => members,
    };
    if !card.get("config").is_some_and(Value::is_object) {
        card["config"] = Value::Object(serde_json::Map::new());
    }
    if let Some(old) = card["config"].as_object_mut() {
        old.extend(config.clone());
    }
    Ok(())
}

fn add(
    card: &mut Value,
    how: &str,
    target: Option<&str>,
    elements: Vec<Value>,
) -> Result<(), CardError> {
    let failed = |what: &str| CardError::new(300_315, format!("cannot add elements: {what}"));
    let target = target.filter(|t| !t.is_empty());
    let (list, at) = match (how, target) {
        ("append", None) => {
            let list = card.pointer_mut("/body/elements").and_then(Value::as_array_mut);
            let list = list.ok_or_else(|| failed("the card has no body"))?;
            let end = list.len();
            (list, end)
        }
        ("append", Some(id)) => {
            let element = tree::find(card, id).ok_or_else(|| failed("no such target"))?;
            let list = tree::children(element).ok_or_else(|| failed("not a container"))?;
            let end = list.len();
            (list, end)
        }
        ("insert_before" | "insert_after", Some(id)) => {
            let (list, at) = tree::place(card, id).ok_or_else(|| failed("no such target"))?;
            (list, at + usize::from(how == "insert_after"))
        }
        ("insert_before" | "insert_after", None) => {
            return Err(CardError::new(10_002, "target_element_id is required"));
        }
        _ => {
            let known = "type must be insert_before, insert_after or append";
            return Err(CardError::new(10_002, known));
        }
    };
    list.splice(at..at, elements);
    Ok(())
}
