//! `cargo xtask deps`: what may be in the tree of dependencies, checked without network.
//!
//! `deny.toml` says the same to `cargo deny`, which adds the advisories but needs a database.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::{self, Workspace};

/// Licences whose terms we accept.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Crates that may not be anywhere in the tree.
const BANNED: [(&str, &[&str]); 6] = [
    (
        "a second TLS stack or crypto provider; two providers in one tree make rustls panic",
        &["openssl", "openssl-sys", "native-tls", "aws-lc-rs", "aws-lc-sys"],
    ),
    ("a second time crate; ours is jiff", &["chrono", "chrono-tz"]),
    (
        "a second way to a database; ours is the `Store` trait",
        &["sqlx", "diesel", "sea-orm", "libsql", "turso", "redb", "fjall", "apalis"],
    ),
    ("a second HTTP client; ours is reqwest", &["ureq", "isahc", "curl", "surf", "attohttpc"]),
    (
        "a second WebSocket; ours keeps the headers of a refused handshake",
        &["fastwebsockets", "yawc", "sockudo-ws", "tokio-websockets"],
    ),
    (
        "heavier than what replaces it",
        &["figment", "config", "confique", "miette", "comrak", "moka", "dashmap", "governor"],
    ),
];

/// Crates that we do not name ourselves, although others bring them.
const NOT_OURS: [(&str, &[&str]); 1] = [(
    "the standard library or rustix has it",
    &["lazy_static", "once_cell", "async-trait", "num_cpus", "atty", "hostname", "fs2", "time"],
)];

/// Crates that may compile C.
const C_CODE: [&str; 2] = ["libsqlite3-sys", "ring"];
/// Build dependencies that compile or look for C.
const C_TOOLS: [&str; 5] = ["cc", "cmake", "bindgen", "pkg-config", "vcpkg"];

/// Crates of which a second version would double the stack: types stop matching, code grows.
const SINGLE: [&str; 13] = [
    "axum",
    "bytes",
    "http",
    "hyper",
    "prost",
    "reqwest",
    "ring",
    "rusqlite",
    "rustls",
    "serde",
    "tokio",
    "tokio-tungstenite",
    "tower-http",
];

/// Checks the tree that `Cargo.lock` fixes for this platform.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let rustc = workspace::output(Command::new("rustc").arg("-vV"))?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("`rustc -vV` names no host")?;
    let metadata = workspace.metadata(&["--filter-platform", host])?;
    Ok(problems(&metadata))
}

/// Every rule, over the whole answer of `cargo metadata`.
fn problems(metadata: &Value) -> Vec<String> {
    let shipped = shipped(metadata);
    let mut problems = Vec::new();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in list(&metadata["packages"]) {
        let name = text(&package["name"]);
        let ours = package["source"].is_null();
        for (reason, _) in BANNED.iter().filter(|(_, names)| names.contains(&name)) {
            problems.push(format!("{name} is banned: {reason}"));
        }
        if ours {
            problems.extend(direct(package));
        }
        let licence = text(&package["license"]);
        if !allowed(licence) {
            problems.push(format!("{name}: licence `{licence}` is not on the list"));
        }
        if shipped.contains(text(&package["id"])) {
            versions.entry(name).or_default().insert(text(&package["version"]));
            if compiles_c(package) && !C_CODE.contains(&name) {
                problems
                    .push(format!("{name} compiles or links C; allowed: {}", C_CODE.join(", ")));
            }
        }
    }
    for (name, versions) in versions {
        if versions.len() > 1 && SINGLE.contains(&name) {
            let versions: Vec<&str> = versions.into_iter().collect();
            problems.push(format!("{name} is there more than once: {}", versions.join(", ")));
        }
    }
    problems
}

/// Ids of the packages that reach the binary: everything but what tests alone use.
fn shipped(metadata: &Value) -> BTreeSet<&str> {
    let mut nodes = BTreeMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        nodes.insert(text(&node["id"]), node);
    }
    let mut seen = BTreeSet::new();
    let mut open: Vec<&str> = list(&metadata["workspace_members"]).iter().map(text).collect();
    while let Some(id) = open.pop() {
        if !seen.insert(id) {
            continue;
        }
        for dependency in nodes.get(id).into_iter().flat_map(|node| list(&node["deps"])) {
            if list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"] != "dev") {
                open.push(text(&dependency["pkg"]));
            }
        }
    }
    seen
}

/// Crates that a member names although it should not.
fn direct(package: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    for dependency in list(&package["dependencies"]) {
        let name = text(&dependency["name"]);
        for (reason, _) in NOT_OURS.iter().filter(|(_, names)| names.contains(&name)) {
            problems.push(format!("{} names {name}: {reason}", text(&package["name"])));
        }
    }
    problems
}

/// Whether an SPDX expression can be met with licences of the list. `/` is an old spelling of OR.
fn allowed(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], "").replace('/', " OR ");
    let part = |part: &str| part.split(" OR ").any(|licence| LICENCES.contains(&licence.trim()));
    expression.split(" AND ").all(part)
}

fn compiles_c(package: &Value) -> bool {
    let builds = list(&package["dependencies"]).iter().any(|dependency| {
        dependency["kind"] == "build" && C_TOOLS.contains(&text(&dependency["name"]))
    });
    builds || !package["links"].is_null()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A tree of one member, which uses `crates` in what it ships.
    fn tree(crates: &[Value]) -> Value {
        let mut packages = vec![json!({
            "id": "ours", "name": "ours", "version": "1", "license": "MIT", "source": null,
            "links": null, "dependencies": [],
        })];
        let mut deps = Vec::new();
        for extra in crates {
            let mut package = json!({"version": "1", "license": "MIT", "source": "registry",
                "links": null, "dependencies": []});
            for (key, value) in extra.as_object().unwrap() {
                package[key] = value.clone();
            }
            package["id"] = json!(format!("{}@{}", package["name"], package["version"]));
            deps.push(json!({"pkg": package["id"], "dep_kinds": [{"kind": null}]}));
            packages.push(package);
        }
        json!({"packages": packages, "workspace_members": ["ours"],
            "resolve": {"nodes": [{"id": "ours", "deps": deps}]}})
    }

    fn found(crates: &[Value]) -> String {
        problems(&tree(crates)).join("\n")
    }

    #[test]
    fn an_ordinary_tree_passes() {
        assert_eq!(
            found(&[json!({"name": "tokio"}), json!({"name": "ring", "links": "ring"})]),
            ""
        );
    }

    #[test]
    fn banned_crates_are_refused_with_the_reason() {
        assert!(found(&[json!({"name": "native-tls"})]).contains("second TLS"));
        assert!(found(&[json!({"name": "chrono"})]).contains("second time"));
    }

    #[test]
    fn members_do_not_name_what_the_standard_library_has() {
        let mut tree = tree(&[json!({"name": "once_cell"})]);
        assert!(problems(&tree).is_empty());
        tree["packages"][0]["dependencies"] = json!([{"name": "once_cell", "kind": null}]);
        assert!(problems(&tree)[0].contains("ours names once_cell"));
    }

    #[test]
    fn licences_are_read_as_expressions() {
        for good in ["MIT/Apache-2.0", "(MIT OR GPL-3.0) AND Unicode-3.0", "Apache-2.0 OR BSL-1.0"]
        {
            assert!(allowed(good), "{good}");
        }
        for bad in ["", "GPL-3.0-only", "MIT AND MPL-2.0"] {
            assert!(!allowed(bad), "{bad}");
        }
        assert!(found(&[json!({"name": "x", "license": null})]).contains("licence"));
    }

    #[test]
    fn c_code_is_seen_by_links_and_by_build_tools() {
        assert!(found(&[json!({"name": "z-sys", "links": "z"})]).contains("z-sys compiles"));
        let cmake = json!([{"name": "cmake", "kind": "build"}]);
        assert!(found(&[json!({"name": "y", "dependencies": cmake})]).contains("y compiles"));
    }

    #[test]
    fn two_versions_of_a_major_crate_are_refused_unless_tests_alone_bring_one() {
        let two = [json!({"name": "hyper", "version": "0.14"}), json!({"name": "hyper"})];
        assert!(found(&two).contains("more than once: 0.14, 1"));
        let mut tree = tree(&two);
        tree["resolve"]["nodes"][0]["deps"][0]["dep_kinds"][0]["kind"] = json!("dev");
        assert!(problems(&tree).is_empty());
    }
    #[test]
    fn deny_toml_says_the_same() {
        let deny = include_str!("../../deny.toml");
        let banned = BANNED.iter().flat_map(|(_, names)| names.iter());
        for name in banned {
            assert!(deny.contains(&format!("{{ crate = \"{name}\" }}")), "{name}");
        }
        for licence in LICENCES {
            assert!(deny.contains(&format!("    \"{licence}\",")), "{licence}");
        }
        let wrappers = C_CODE.map(|name| format!("\"{name}\"")).join(", ");
        assert!(deny.contains(&format!("wrappers = [{wrappers}]")), "{wrappers}");
    }
}
