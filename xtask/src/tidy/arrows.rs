//! Crates use each other as the table in ARCHITECTURE.md says, and no crate is absent from it.
//!
//! Dependencies on other people's crates are `deps`'s business.

use std::collections::BTreeMap;

use serde_json::Value;

/// What one row of the table allows.
struct Row {
    ships: Vec<String>,
    tests: Vec<String>,
}

/// Compares the table with `cargo metadata --no-deps`.
pub(super) fn check(architecture: &str, metadata: &Value) -> Vec<String> {
    let table = table(architecture);
    let mut problems = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let user = folder(package["manifest_path"].as_str().unwrap_or_default());
        let Some(row) = table.get(user) else {
            problems.push(format!("ARCHITECTURE.md: crate `{user}` has no row in the table"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            // Only dependencies of this workspace have a path.
            let Some(path) = dependency["path"].as_str() else { continue };
            let used = folder(path);
            let test = dependency["kind"] == "dev";
            let allowed = |list: &[String]| list.iter().any(|name| name == used || name == "all");
            if !(allowed(&row.ships) || test && allowed(&row.tests)) {
                problems.push(format!(
                    "crates/{user}/Cargo.toml: the arrow {user} → {used} is not in \
                     ARCHITECTURE.md's table; draw it there with its reason, or turn it round"
                ));
            }
        }
    }
    problems
}

/// Rows of the form ``| `crate` | what | `may`, `use` | `in tests` |``.
fn table(architecture: &str) -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in architecture.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if let [name, _, ships, tests] = cells.as_slice()
            && let Some(name) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`'))
        {
            rows.insert(name.to_owned(), Row { ships: names(ships), tests: names(tests) });
        }
    }
    rows
}

/// The crates of one cell; a dash is none.
fn names(cell: &str) -> Vec<String> {
    cell.split(',').map(|name| name.trim().trim_matches('`').to_owned()).collect()
}

/// The name by which the table knows a crate: its folder.
fn folder(path: &str) -> &str {
    path.trim_end_matches("/Cargo.toml").rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
| crate | what | may use | in tests also |
|---|---|---|---|
| `proto` | rules | – | – |
| `gateway` | product | `proto`, `store` | `sim` |
| `cli` | binary | all | – |";

    fn problems(user: &str, used: &str, kind: Option<&str>) -> Vec<String> {
        let metadata = serde_json::json!({"packages": [{
            "manifest_path": format!("/x/crates/{user}/Cargo.toml"),
            "dependencies": [
                {"name": "serde", "kind": null},
                {"name": format!("larkline-{used}"), "kind": kind, "path": format!("/x/crates/{used}")},
            ],
        }]});
        check(TABLE, &metadata)
    }

    #[test]
    fn arrows_of_the_table_pass() {
        assert!(problems("gateway", "store", None).is_empty());
        assert!(problems("gateway", "sim", Some("dev")).is_empty());
        assert!(problems("cli", "gateway", None).is_empty());
    }

    #[test]
    fn other_arrows_and_unknown_crates_are_refused() {
        assert!(problems("proto", "store", None)[0].contains("proto → store"));
        assert!(problems("gateway", "sim", None)[0].contains("gateway → sim"));
        assert!(problems("proto", "sim", Some("dev"))[0].contains("proto → sim"));
        assert!(problems("new", "proto", None)[0].contains("no row"));
    }
}
