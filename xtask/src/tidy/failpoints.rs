//! Fail points: every place in the list is in the code, once, and every one in the code is in the
//! list, because the crash matrix goes by the list.

use std::collections::BTreeSet;

use super::text;
use crate::workspace::Source;

/// Where they are listed.
const LISTED: &str = "crates/failpoint/src/lib.rs";

/// Compares the list with the crates that have places.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let Some(list) = text(sources, LISTED) else { return Vec::new() };
    let listed: BTreeSet<&str> = names(list, "    point(\"").collect();
    let mut placed = BTreeSet::new();
    let mut problems = Vec::new();
    let code = |source: &&Source| {
        let path = source.path.as_str();
        path.starts_with("crates/") && path.contains("/src/") && path != LISTED
    };
    for source in sources.iter().filter(code) {
        for name in names(&source.text, "failpoint!(\"") {
            if !placed.insert(name) {
                problems.push(format!("{}: a second place has the name `{name}`", source.path));
            }
            if !listed.contains(name) {
                problems.push(format!("{}: `{name}` is not in {LISTED}", source.path));
            }
        }
    }
    let gone = listed.difference(&placed);
    problems.extend(gone.map(|name| format!("{LISTED}: no place has the name `{name}`")));
    problems
}

/// The literals that follow `before`.
fn names<'a>(text: &'a str, before: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    #[test]
    fn list_and_places_belong_together() {
        let list =
            "const POINTS: = &[\n    point(\"taken\", \"x\"),\n    point(\"kept\", \"y\"),\n];";
        let check = |code: &str| {
            check(&tree(&[(LISTED, list), ("crates/store/src/a.rs", code)])).join("\n")
        };
        let both = "failpoint!(\"taken\");\nfailpoint!(\"kept\");";
        assert_eq!(check(both), "");
        assert!(check("failpoint!(\"taken\");").contains("no place has the name `kept`"));
        assert!(check(&format!("{both}failpoint!(\"new\");")).contains("`new` is not in"));
        assert!(check(&format!("{both}{both}")).contains("a second place has the name `kept`"));
    }
}
