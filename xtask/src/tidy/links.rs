//! Links and pictures of the documents: what they point to inside the checkout exists, headings too.
//!
//! Addresses elsewhere are not asked for: a check that needs a network fails for other reasons.

use std::collections::{BTreeMap, BTreeSet};

use super::text;
use crate::workspace::Source;

/// The list of pages.
const INDEX: &str = "docs/README.md";

/// Checks every link of every document against the files of the checkout.
pub(super) fn check(sources: &[Source], files: &BTreeSet<String>) -> Vec<String> {
    let mut problems = unlisted(sources);
    for page in sources.iter().filter(|source| source.path.ends_with(".md")) {
        for (at, target) in targets(&page.text) {
            if let Err(what) = resolve(sources, files, &page.path, &target) {
                problems.push(format!("{}:{at}: `{target}`: {what}", page.path));
            }
        }
    }
    problems
}

/// The pages that the list of pages leaves out. Error pages have a list of their own, and Chinese
/// pages are reached from the English ones.
fn unlisted(sources: &[Source]) -> Vec<String> {
    let Some(index) = text(sources, INDEX) else {
        return Vec::new();
    };
    let listed: Vec<String> = targets(index).into_iter().map(|(_, target)| target).collect();
    let pages = sources.iter().filter_map(|source| {
        let page = source.path.strip_prefix("docs/")?;
        let counts = page.ends_with(".md") && !page.contains('/') && !page.contains(".zh-CN.");
        (counts && source.path != INDEX).then_some(page)
    });
    let missing = pages.filter(|page| !listed.iter().any(|target| target == page));
    missing.map(|page| format!("{INDEX}: add a row that links {page}")).collect()
}

/// Whether a target inside the checkout is there.
fn resolve(
    sources: &[Source],
    files: &BTreeSet<String>,
    page: &str,
    target: &str,
) -> Result<(), String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return Ok(());
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() { page.to_owned() } else { joined(page, path)? };
    let folder = format!("{}/", path.trim_end_matches('/'));
    let is_folder = files.range(folder.clone()..).next().is_some_and(|f| f.starts_with(&folder));
    if !files.contains(&path) && !is_folder {
        return Err(format!("there is no {path}"));
    }
    match (heading, text(sources, &path)) {
        ("", _) => Ok(()),
        (_, Some(text)) if anchors(text).contains(heading) => Ok(()),
        (_, Some(_) | None) => Err(format!("{path} has no such heading")),
    }
}

/// A path relative to the page's folder, as a path of the checkout.
fn joined(page: &str, path: &str) -> Result<String, String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop().ok_or("it leaves the checkout")?),
            _ => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// What a page points to, with the line.
fn targets(page: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in prose(page) {
        let line = without_code(line);
        let definition = line.starts_with('[').then(|| line.split_once("]: ")).flatten();
        let mut links: Vec<&str> = after(&line, "](", ')').collect();
        links.extend(definition.map(|(_, target)| target));
        for attribute in ["src=\"", "srcset=\"", "href=\""] {
            links.extend(after(&line, attribute, '"'));
        }
        for link in links {
            // A title may follow the address.
            let address = link.split_whitespace().next().unwrap_or_default();
            found.push((at, address.to_owned()));
        }
    }
    found
}

/// The anchors of a page's headings, as forges make them: a repeated one is numbered.
pub(super) fn anchors(page: &str) -> BTreeSet<String> {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    let headings = prose(page).filter(|(_, line)| line.starts_with('#'));
    let numbered = headings.map(|(_, line)| {
        let anchor = anchor(line);
        let before = count.entry(anchor.clone()).or_default();
        *before += 1;
        if *before == 1 { anchor } else { format!("{anchor}-{}", *before - 1) }
    });
    numbered.collect()
}

fn anchor(heading: &str) -> String {
    let title = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The lines outside of fenced code, counted from 1.
fn prose(page: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    page.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((at + 1, line))
    })
}

/// A line without its `code`.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

/// Every piece between `open` and `close`.
fn after<'a>(line: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    line.split(open).skip(1).filter_map(move |rest| Some(rest.split_once(close)?.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tree;

    fn problems(line: &str) -> String {
        let sources = tree(&[
            ("docs/page.md", line),
            (
                "docs/other.md",
                "# Stop, and start!\n## 五分钟\n## again\n## again\n```\n# no\n```\n",
            ),
        ]);
        let files = ["docs/page.md", "docs/other.md", "docs/images/a.png", "LICENSE"];
        check(&sources, &files.map(str::to_owned).into()).join("\n")
    }

    #[test]
    fn what_is_there_may_be_linked() {
        for good in [
            "[a](other.md) ![b](images/a.png \"title\") [c](../LICENSE) [d](images)",
            "[a](other.md#stop-and-start), [b](other.md#五分钟), [c](other.md#again-1)",
            "<source srcset=\"images/a.png\"> <a href=\"https://example.com/x#y\">",
            "`[code](nowhere.md)` [web](https://example.com/nowhere.md)",
            "```\n[fenced](nowhere.md)\n```",
        ] {
            assert_eq!(problems(good), "", "{good}");
        }
    }

    #[test]
    fn every_page_is_in_the_list_of_pages() {
        let pages = |index: &str| {
            let sources = tree(&[(INDEX, index), ("docs/a.md", ""), ("docs/a.zh-CN.md", "")]);
            unlisted(&sources).join("\n")
        };
        assert_eq!(pages("[a](a.md)"), "");
        assert_eq!(pages("nothing"), "docs/README.md: add a row that links a.md");
    }

    #[test]
    fn what_is_not_there_is_named_with_its_line() {
        assert_eq!(
            problems("\n[a](gone.md)"),
            "docs/page.md:2: `gone.md`: there is no docs/gone.md"
        );
        for bad in [
            "![a](images/b.png)",
            "<img src=\"images/b.png\">",
            "[a]: gone.md",
            "[a](other.md#no)",
            "[a](other.md#again-2)",
            "[a](#nothing)",
            "[a](../../x)",
            "`code` [a](gone.md) `code`",
        ] {
            assert!(problems(bad).starts_with("docs/page.md:1"), "{bad}");
        }
    }
}
