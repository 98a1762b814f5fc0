//! `docs/requirements.md`: every requirement that is called done says how, and names a test
//! that exists.
//!
//! Whether the test proves the requirement is for the reviewer; that it ran is for the runner.

use std::collections::BTreeSet;

use super::links::anchors;
use super::text;
use crate::workspace::Source;

const PATH: &str = "docs/requirements.md";
/// A page that names tests by their function alone.
const PROTOCOL: &str = "docs/protocol.md";
/// Names with fewer are settings.
const UNDERSCORES_MIN: usize = 3;
/// The columns of its table.
const HEADER: [&str; 3] = ["id", "how it is met", "test"];
/// Fewer words are a label, and no sentence that says how.
const WORDS_MIN: usize = 3;

/// Between these lines a script lists the laws that it runs, one a line.
const LAWS_BEGIN: &str = "export const LAWS = [";
const LAWS_END: &str = "];";

/// Checks every row of the table.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let Some(document) = text(sources, PATH) else {
        return vec![format!("{PATH} is missing")];
    };
    let mut seen = BTreeSet::new();
    let mut problems = Vec::new();
    let mut headed = false;
    for (at, line) in document.lines().enumerate().filter(|(_, line)| line.starts_with('|')) {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        if cells.first().is_some_and(|id| id.starts_with("---")) {
            continue;
        }
        let mut say = |what: String| problems.push(format!("{PATH}:{}: {what}", at + 1));
        if !std::mem::replace(&mut headed, true) {
            if cells != HEADER {
                say(format!("the table begins with `| {} |`", HEADER.join(" | ")));
            }
            continue;
        }
        let [id, how, tests] = cells.as_slice() else {
            say(format!("a row has three cells: {}", HEADER.join(", ")));
            continue;
        };
        if !is_id(id) {
            say(format!("`{id}` is no id like W-01 or C3"));
        }
        if !seen.insert(*id) {
            say(format!("{id} has a row already; put all its tests into one"));
        }
        if how.split_whitespace().count() < WORDS_MIN {
            say(format!("{id}: `{how}` does not say how it is met; write a short sentence"));
        }
        let references: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if references.is_empty() {
            say(format!("{id} names no test; write `path/to/file.rs#test_name`"));
        }
        for reference in references {
            if let Err(what) = exists(sources, reference) {
                say(format!("{id}: {what}"));
            }
        }
    }
    problems.extend(named(sources));
    problems
}

/// The tests that the page on the protocol names by their function exist.
fn named(sources: &[Source]) -> Vec<String> {
    let page = text(sources, PROTOCOL).unwrap_or_default();
    let words = page.split('`').skip(1).step_by(2);
    let is_test = |word: &&str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        word.matches('_').count() >= UNDERSCORES_MIN && word.chars().all(plain)
    };
    let exists = |word: &&str| {
        let declared = format!("fn {word}(");
        sources.iter().any(|s| s.path.ends_with(".rs") && s.text.contains(&declared))
    };
    let missing = words.filter(is_test).filter(|word| !exists(word));
    missing.map(|word| format!("{PROTOCOL}: there is no test `{word}`")).collect()
}

/// One or two capital letters, perhaps a dash, digits.
fn is_id(id: &str) -> bool {
    let digits = id.trim_start_matches(|c: char| c.is_ascii_uppercase());
    let letters = id.len() - digits.len();
    let digits = digits.strip_prefix('-').unwrap_or(digits);
    (1..=2).contains(&letters) && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
}

/// `path#name`: a function of that name in code, a heading of that anchor in a document. A law of a
/// page runs only where its file lists it.
fn exists(sources: &[Source], reference: &str) -> Result<(), String> {
    let (path, name) = reference
        .split_once('#')
        .ok_or_else(|| format!("`{reference}` is not `path/to/file.rs#test_name`"))?;
    let text = text(sources, path).ok_or_else(|| format!("{path} does not exist"))?;
    let declared = |line: &str| match path.rsplit('.').next() {
        Some("rs") => line.contains(&format!("fn {name}(")),
        Some("py") => line.starts_with(&format!("def {name}(")),
        Some("js") => line.starts_with(&format!("async function {name}(stage) {{")),
        Some("sh") => line.starts_with(&format!("{name}() {{ # law")),
        _ => false,
    };
    let found = match path.ends_with(".md") {
        true => anchors(text).contains(name),
        false => text.lines().any(declared),
    };
    found.then_some(()).ok_or_else(|| format!("{path} has no `{name}`"))?;
    match path.ends_with(".js") && !is_listed(text, name) {
        true => Err(format!("{path} does not list `{name}` in its `LAWS`, so it never runs")),
        false => Ok(()),
    }
}

/// Whether a script has a function in its list of laws.
fn is_listed(text: &str, name: &str) -> bool {
    let list = text.lines().skip_while(|line| *line != LAWS_BEGIN).skip(1);
    let mut laws = list.take_while(|line| *line != LAWS_END);
    laws.any(|line| line.trim().trim_end_matches(',') == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    fn problems(row: &str) -> String {
        problems_under("| id | how it is met | test |", row)
    }

    fn problems_under(header: &str, row: &str) -> String {
        let table = format!("{header}\n|---|---|---|\n{row}\n");
        check(&tree(&[
            (PATH, &table),
            ("crates/x/tests/it/link.rs", "#[test]\nfn stays_up() {}\nasync fn closes() {}"),
            ("tests/sdk/laws.py", "def reconnects(bot):\n    def inner():"),
            ("tests/kernel/laws.sh", "holds() { # law\nhelps() {\n"),
            (
                "tests/page/laws.js",
                "async function grows(stage) {\nasync function judge(law) {\n\
                 async function left_out(stage) {\nexport const LAWS = [\n  grows,\n  judge,\n];\n\
                 left_out,\n",
            ),
            ("docs/run.md", "## Stop, and start!\n"),
        ]))
        .join("\n")
    }

    #[test]
    fn rows_whose_tests_exist_pass() {
        assert_eq!(problems("| W-01 | it is met so | `crates/x/tests/it/link.rs#stays_up` |"), "");
        assert_eq!(
            problems(
                "| C3 | by a test and words | `crates/x/tests/it/link.rs#closes`, \
                 `tests/sdk/laws.py#reconnects`, `tests/kernel/laws.sh#holds`, `tests/page/laws.js#grows`, `docs/run.md#stop-and-start` |"
            ),
            ""
        );
    }

    #[test]
    fn rows_without_an_existing_test_are_refused() {
        assert!(problems("| W-01 | it is met so | soon |").contains("names no test"));
        assert!(problems("| W-01 | it is met so | `stays_up` |").contains("is not `path"));
        assert!(
            problems("| W-01 | it is met so | `crates/x/gone.rs#a` |").contains("does not exist")
        );
        assert!(
            problems("| W-01 | it is met so | `crates/x/tests/it/link.rs#stays` |")
                .contains("has no")
        );
        assert!(problems("| W-01 | it is met so | `tests/sdk/laws.py#inner` |").contains("has no"));
        assert!(
            problems("| W-01 | it is met so | `tests/kernel/laws.sh#helps` |").contains("has no")
        );
        assert!(
            problems("| W-01 | it is met so | `tests/page/laws.js#judge` |").contains("has no")
        );
        assert!(
            problems("| W-01 | it is met so | `tests/page/laws.js#left_out` |").contains("LAWS")
        );
        assert!(problems("| W-01 | it is met so | `docs/run.md#pause` |").contains("has no"));
    }

    #[test]
    fn malformed_rows_are_refused() {
        let good = "`crates/x/tests/it/link.rs#closes`";
        assert!(problems(&format!("| W- | it is met so | {good} |")).contains("is no id"));
        for how in ["", "unit, proc"] {
            let row = format!("| W-01 | {how} | {good} |");
            assert!(problems(&row).contains("does not say how"), "{how:?}");
        }
        assert!(problems(&format!("| W-01 | {good} |")).contains("three cells"));
        let row = format!("| W-01 | it is met so | {good} |");
        assert!(problems(&format!("{row}\n{row}")).contains("a row already"));
    }

    #[test]
    fn the_table_has_its_header() {
        let row = "| W-01 | it is met so | `crates/x/tests/it/link.rs#closes` |";
        for header in ["| id | how | test |", "| id | how it is met |", row] {
            assert!(problems_under(header, row).contains("the table begins with"), "{header}");
        }
    }

    #[test]
    fn tests_that_the_protocol_page_names_exist() {
        let code = ("crates/x/tests/it/a.rs", "fn a_link_stays_up() {}");
        let problems = |page: &str| named(&tree(&[code, (PROTOCOL, page)])).join("\n");
        assert_eq!(problems("`a_link_stays_up`, `probe_timeout`, `LinkHandle`"), "");
        assert!(problems("`a_link_stays_down`").contains("no test `a_link_stays_down`"));
    }

    #[test]
    fn the_document_must_exist() {
        assert_eq!(check(&[]), ["docs/requirements.md is missing"]);
    }
}
