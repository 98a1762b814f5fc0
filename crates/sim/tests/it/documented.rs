//! `docs/simulator.md` against the code: every call, fault, act, answer and condition is there.

use larkline_sim::{Answer, Fault, Malformed, Script};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const DOCUMENT: &str = include_str!("../../../../docs/simulator.md");

/// The names serde would have taken, as it lists them when it refuses one.
fn names(refusal: &str) -> Vec<String> {
    let list = refusal.split("expected one of ").nth(1).unwrap_or_else(|| panic!("{refusal}"));
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn variants<T: DeserializeOwned>(unknown: Value) -> Vec<String> {
    match serde_json::from_value::<T>(unknown) {
        Ok(_) => panic!("the name is not taken"),
        Err(error) => names(&error.to_string()),
    }
}

fn missing<'a>(names: impl IntoIterator<Item = &'a String>, part: &str) -> Vec<&'a String> {
    let has = |name: &str| {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        part.match_indices(name).any(|(at, _)| {
            let before = part[..at].chars().next_back();
            let after = part[at + name.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    };
    names.into_iter().filter(|name| !has(name)).collect()
}

/// The text below a heading.
fn section(heading: &str) -> &'static str {
    let start = DOCUMENT.find(&format!("\n## {heading}\n")).unwrap();
    let rest = &DOCUMENT[start + 4..];
    &rest[..rest.find("\n## ").unwrap_or(rest.len())]
}

#[test]
fn every_fault_answer_and_shape_is_described() {
    let faults = variants::<Fault>(json!({"kind": "?"}));
    assert!(faults.len() > 25, "{faults:?}");
    let all = [faults, variants::<Answer>(json!({"with": "?"})), variants::<Malformed>(json!("?"))];
    assert_eq!(missing(all.iter().flatten(), section("Faults")), Vec::<&String>::new());
}

#[test]
fn every_member_of_a_step_is_described() {
    let refused = |line: &str| {
        let setup = "{\"setup\": {\"users\": [\"lin\"]}}";
        names(&Script::parse(&format!("{setup}\n{line}")).unwrap_err().what)
    };
    let all = [
        refused("{\"say\": {\"?\": 1}}"),
        refused("{\"press\": {\"?\": 1}}"),
        refused("{\"expect\": {\"?\": 1}}"),
        names(&Script::parse("{\"setup\": {\"?\": 1}}").unwrap_err().what),
    ];
    assert_eq!(missing(all.iter().flatten(), section("Scripts")), Vec::<&String>::new());
}

#[tokio::test]
async fn every_act_and_every_call_is_described() {
    let sim = crate::client::start().await;
    let post = async |path: &str, body: Value| {
        let url = format!("{}/_sim/{path}", sim.url());
        let answer = crate::client::http().post(url).json(&body).send().await.unwrap();
        answer.text().await.unwrap()
    };
    let acts = names(&post("act", json!({"kind": "?"})).await);
    let admin = section("The admin API");
    assert_eq!(missing(&acts, admin), Vec::<&String>::new());
    // The calls, as the code matches them.
    let code = include_str!("../../src/admin.rs");
    let calls: Vec<_> = code
        .lines()
        .filter_map(|line| line.trim().strip_prefix("(&Method::"))
        .filter_map(|rest| rest.split_once(", \""))
        .map(|(method, rest)| format!("{method} /_sim/{}", rest.split('"').next().unwrap()))
        .collect();
    assert!(calls.len() > 10, "{calls:?}");
    let absent: Vec<_> =
        calls.iter().filter(|call| !admin.contains(&format!("`{call}`"))).collect();
    assert_eq!(absent, Vec::<&String>::new());
}
