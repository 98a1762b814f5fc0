//! `docs/errors/`: every code that an operator can meet has its section, every section its code.
//!
//! A section is a heading that is the code in backticks, in any page of that folder. What it says is
//! for the reviewer: meaning, likely causes, what to do.

use std::collections::BTreeSet;

use crate::workspace::Source;

const FOLDER: &str = "docs/errors/";

/// Compares sections and codes, as soon as there is a page.
pub(super) fn check(sources: &[Source]) -> Vec<String> {
    let pages = || sources.iter().filter(|source| source.path.starts_with(FOLDER));
    if pages().next().is_none() {
        return Vec::new();
    }
    let rust = || sources.iter().filter(|source| source.path.starts_with("crates/"));
    let documented: BTreeSet<&str> = pages().flat_map(|page| headings(&page.text)).collect();
    let mut problems = Vec::new();
    for source in rust().filter(|source| source.path.contains("/src/")) {
        for code in codes(&source.text).filter(|code| !documented.contains(code)) {
            problems.push(format!("{}: `{code}` has no section in {FOLDER}", source.path));
        }
    }
    for page in pages() {
        for code in headings(&page.text) {
            let literal = format!("\"{code}\"");
            if !rust().any(|source| source.text.contains(&literal)) {
                problems.push(format!("{}: nothing gives the code `{code}`", page.path));
            }
        }
    }
    problems
}

/// The codes that have a section.
fn headings(page: &str) -> impl Iterator<Item = &str> {
    page.lines().filter_map(|line| {
        let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
        title.strip_prefix('`')?.strip_suffix('`')
    })
}

/// The literals that functions named `code` return.
fn codes(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter_map(move |line| {
        if line
            .trim_start()
            .trim_start_matches("pub ")
            .starts_with("fn code(&self) -> &'static str")
        {
            inside = true;
        } else if line == "    }" || line == "}" {
            inside = false;
        }
        let (_, rest) = line.split_once("=> \"")?;
        inside.then(|| rest.split('"').next())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    const CODE: &str = "impl E {\n    pub fn code(&self) -> &'static str {\n        match self {\n\
        \x20           Self::A => \"tcp_failed\",\n        }\n    }\n    fn word() { x => \"y\" }\n}\n";

    fn problems(page: &str) -> String {
        check(&tree(&[("crates/x/src/error.rs", CODE), ("docs/errors/link.md", page)])).join("\n")
    }

    #[test]
    fn codes_and_sections_belong_together() {
        assert_eq!(problems("# Link\n\n## `tcp_failed`\n"), "");
        assert!(problems("# Link\n").contains("`tcp_failed` has no section"));
        assert!(problems("## `tcp_failed`\n## `gone`\n").contains("nothing gives the code `gone`"));
    }

    #[test]
    fn without_pages_nothing_is_asked() {
        assert!(check(&tree(&[("crates/x/src/error.rs", CODE)])).is_empty());
    }
}
