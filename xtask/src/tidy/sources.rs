//! Rules for source files and manifests: purity of `proto`, size, names, skipped tests, lints.
//!
//! They look at lines, not at syntax: a rule that a line cannot show belongs to clippy.

use crate::workspace::Source;

/// Longer files hide their shape; a longer one states its reason in a waiver line.
const LINES_MAX: usize = 400;
/// Opens the waiver; the reason follows.
const WAIVER: &str = "// tidy: long file: ";
/// File and folder names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] =
    ["utils", "util", "common", "helpers", "helper", "misc", "manager", "managers"];
/// What the pure core must not name, and why.
const IMPURE: [(&str, &str); 7] = [
    ("tokio", "the core has no runtime"),
    ("Instant::now", "time is an argument"),
    ("SystemTime::now", "time is an argument"),
    ("std::net", "the core has no sockets"),
    ("std::fs", "the core has no files"),
    ("std::env", "settings are arguments"),
    ("Rng::new()", "randomness is an argument"),
];

/// Applies the rules to every file.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let mut problems = Vec::new();
    for source in sources {
        let path = source.path.as_str();
        if path.ends_with(".rs") || path.ends_with(".py") || path.ends_with(".js") {
            problems.extend(size(source));
            problems.extend(name(path));
        }
        if path.ends_with(".rs") {
            problems.extend(skipped(source));
        }
        if path.starts_with("crates/proto/src/") {
            problems.extend(impure(source));
        }
        if is_member(path) && !inherits_lints(&source.text) {
            problems.push(format!("{path}: add `[lints]` with `workspace = true`"));
        }
    }
    problems
}

fn size(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    let waived =
        source.text.lines().any(|line| line.starts_with(WAIVER) && line.len() > WAIVER.len());
    (lines > LINES_MAX && !waived).then(|| {
        format!(
            "{}: {lines} lines, at most {LINES_MAX}; split it, or write `{WAIVER}reason`",
            source.path
        )
    })
}

fn name(path: &str) -> Option<String> {
    let empty = path.split('/').find(|part| {
        let stem = part.rsplit_once('.').map_or(*part, |(stem, _)| stem);
        EMPTY_NAMES.contains(&stem)
    })?;
    Some(format!("{path}: `{empty}` says nothing; name it after what it holds"))
}

fn skipped(source: &Source) -> Option<String> {
    let at = source.text.lines().position(|line| line.trim_start().starts_with("#[ignore"))?;
    Some(format!("{}:{}: a skipped test proves nothing; run it or delete it", source.path, at + 1))
}

fn impure(source: &Source) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, line) in source.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        for (word, why) in IMPURE {
            if code.contains(word) {
                problems.push(format!("{}:{}: `{word}` in proto: {why}", source.path, at + 1));
            }
        }
    }
    problems
}

/// Whether a manifest is that of a member; fuzz targets are a workspace of their own.
fn is_member(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    matches!(parts.as_slice(), ["crates", _, "Cargo.toml"] | ["xtask", "Cargo.toml"])
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest.lines().map(str::trim);
    lines.any(|line| line == "[lints]") && lines.next() == Some("workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    fn problem(path: &str, text: &str) -> String {
        check(&tree(&[(path, text)])).join("\n")
    }

    #[test]
    fn long_files_need_a_reason() {
        let long = "x\n".repeat(LINES_MAX + 1);
        assert!(problem("a/b.rs", &long).contains("401 lines"));
        assert!(problem("a/b.rs", &format!("{WAIVER}\n{long}")).contains("402 lines"));
        assert_eq!(problem("a/b.rs", &format!("{WAIVER}one table\n{long}")), "");
        assert_eq!(problem("a/b.rs", &"x\n".repeat(LINES_MAX)), "");
    }

    #[test]
    fn empty_names_are_refused_for_files_and_folders() {
        assert!(problem("crates/x/src/utils.rs", "").contains("says nothing"));
        assert!(problem("crates/x/tests/common/mod.rs", "").contains("says nothing"));
        assert_eq!(problem("crates/x/src/backoff.rs", ""), "");
    }

    #[test]
    fn skipped_tests_are_refused() {
        assert!(problem("a.rs", "#[test]\n    #[ignore]\nfn x() {}").contains("a.rs:2"));
        assert!(problem("a.rs", "#[ignore = \"slow\"]").contains("a.rs:1"));
    }

    #[test]
    fn proto_is_pure_and_others_need_not_be() {
        for (word, _) in IMPURE {
            let line = format!("let x = {word};");
            assert!(problem("crates/proto/src/link.rs", &line).contains(word), "{word}");
            assert_eq!(problem("crates/client/src/driver.rs", &line), "");
        }
        assert_eq!(problem("crates/proto/src/link.rs", "//! no tokio, no std::net"), "");
    }

    #[test]
    fn every_crate_inherits_the_lints() {
        assert!(problem("crates/x/Cargo.toml", "[package]\n").contains("[lints]"));
        assert!(problem("crates/x/Cargo.toml", "[lints]\n[lints.rust]\n").contains("[lints]"));
        assert_eq!(problem("crates/x/Cargo.toml", "[lints]\nworkspace = true\n"), "");
        assert_eq!(problem("crates/x/fuzz/Cargo.toml", "[package]\n"), "");
    }
}
