//! Makes `docs/larkline.schema.json`, by which editors complete and check a `larkline.toml`, from
//! what the decoder asks for.

use serde_json::{Map, Value as Json, json};

use super::Setting;

/// The schema of all keys.
pub(super) fn schema(keys: &[Setting]) -> Json {
    let mut root = object();
    for key in keys {
        let path: Vec<&str> = key.pattern.split('.').collect();
        insert(&mut root, &path, leaf(key));
    }
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("larkline.toml");
    root
}

fn object() -> Json {
    json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// Puts a key's schema where its path leads, through named tables and lists of tables.
fn insert(node: &mut Json, path: &[&str], leaf: Json) {
    let Some((segment, rest)) = path.split_first() else {
        return;
    };
    let (below, list) = match segment.strip_suffix("[]") {
        Some(name) => (&mut node["properties"][name], true),
        None if segment.starts_with('<') => (&mut node["additionalProperties"], false),
        None => (&mut node["properties"][segment], false),
    };
    if rest.is_empty() {
        match below["description"].as_str() {
            // Two kinds of handler have a key of this name.
            Some(before) if before != leaf["description"] => {
                let both = format!("{before} | {}", leaf["description"].as_str().unwrap());
                below["description"] = json!(both);
            }
            _ => *below = leaf,
        }
        return;
    }
    if !below.is_object() {
        *below = if list { json!({ "type": "array", "items": object() }) } else { object() };
    }
    insert(if list { &mut below["items"] } else { below }, rest, leaf);
}

/// The schema of one key's values.
fn leaf(key: &Setting) -> Json {
    let mut schema = match key.pattern.as_str() {
        // With `shell = true` it is one line.
        "handler.<command>.argv" => any_of([strings(), json!({ "type": "string" })]),
        _ => of_kind(key.kind),
    };
    if let (Some((least, most)), "integer") = (&key.bounds, key.kind) {
        schema["minimum"] = least.clone();
        schema["maximum"] = most.clone();
    }
    schema["description"] = json!(key.why);
    if !key.value.is_null() && key.origin == super::Origin::Default {
        schema["default"] = key.value.clone();
    }
    schema
}

fn of_kind(kind: &str) -> Json {
    match kind {
        "string"
        | "path"
        | "regex"
        | "condition"
        | "address"
        | "URL"
        | "level or directives"
        | "chat id"
        | "mail address"
        | "part of a day"
        | "feishu, lark or a URL"
        | "system, none or a URL" => json!({ "type": "string" }),
        "emoji name" => json!({ "type": "string", "pattern": "^[0-9A-Za-z_]*$" }),
        "app id" => json!({ "type": "string", "pattern": "^cli_[0-9a-f]{16}$" }),
        "true or false" => json!({ "type": "boolean" }),
        "integer" => json!({ "type": "integer" }),
        "duration" => json!({ "type": "string", "pattern": "^([0-9]+ *(ms|s|m|h|d) *)+$" }),
        "size" => any_of([
            json!({ "type": "integer", "minimum": 0 }),
            json!({ "type": "string", "pattern": "^[0-9]+ *([KMGTkmgt](iB|B)?)?$" }),
        ]),
        "secret" => secret(),
        "secret, or list of two" => {
            any_of([secret(), json!({ "type": "array", "items": secret(), "maxItems": 2 })])
        }
        "table of secrets" => json!({ "type": "object", "additionalProperties": secret() }),
        "everyone, owners or list of open ids" => {
            any_of([json!({ "enum": ["everyone", "owners"] }), strings()])
        }
        list if list.starts_with("list of ") => strings(),
        words => choice(words),
    }
}

/// `a, b or c`.
fn choice(words: &str) -> Json {
    let words: Vec<&str> = words.split(", ").flat_map(|part| part.split(" or ")).collect();
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    assert!(words.iter().all(plain), "give the kind {words:?} a schema");
    json!({ "enum": words })
}

fn strings() -> Json {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn secret() -> Json {
    let from = |source: &str| {
        let properties = Map::from_iter([(source.to_owned(), json!({ "type": "string" }))]);
        json!({ "type": "object", "properties": properties, "required": [source], "additionalProperties": false })
    };
    any_of([from("env"), from("file"), json!({ "type": "string" })])
}

fn any_of<const N: usize>(schemas: [Json; N]) -> Json {
    json!({ "anyOf": Vec::from(schemas) })
}

/// The schema at the path of a key in a file, through names and lists.
pub(super) fn at<'s>(schema: &'s Json, path: &[&str]) -> Option<&'s Json> {
    let Some((segment, rest)) = path.split_first() else {
        return Some(schema);
    };
    let properties = schema.get("properties")?;
    let below = properties
        .get(segment)
        .or_else(|| schema.get("additionalProperties").filter(|below| below.is_object()))?;
    at(below.get("items").filter(|_| !rest.is_empty()).unwrap_or(below), rest)
}
