//! Keeps `docs/errors/strings.md` what the catalogue says, and the catalogue complete.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::catalogue::{Entry, all};
use super::search::by_code;

/// Set by `cargo xtask docs`: the page is written instead of compared.
const WRITE: &str = "LARKLINE_WRITE_DOCS";

const HEAD: &str = "# Known error strings

What `larkline explain TEXT` knows: codes of larkline, numbers of the platform, and words of other programs that people
search for. Paste a code, a log line or a whole message. Written from `crates/cli/src/explain/catalogue`
(`cargo xtask docs`).

`larkline explain 文本` 所知的全部：larkline 的代码、平台的错误码，以及其他程序的报错文字。

| code or text | meaning and remedy | 含义与处理 | page |
|---|---|---|---|
";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors")
}

fn row(entry: &Entry) -> String {
    let codes = entry.codes.iter().map(|code| format!("`{code}`"));
    let texts = entry.texts.iter().map(|text| format!("“{text}”"));
    let known: Vec<String> = codes.chain(texts).collect();
    let (page, anchor) = entry.page.split_once('#').unwrap_or((entry.page, ""));
    let shown = if anchor.is_empty() { page } else { anchor };
    format!(
        "| {} | {}. {} | {}。{} | [{shown}]({}) |\n",
        known.join(", "),
        entry.en.meaning,
        entry.en.remedy,
        entry.zh.meaning,
        entry.zh.remedy,
        entry.page
    )
}

#[test]
fn the_page_of_strings_is_what_the_catalogue_says() {
    let wanted = all().fold(HEAD.to_owned(), |page, entry| page + &row(entry));
    let path = folder().join("strings.md");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(there == wanted, "docs/errors/strings.md is not what the code says: cargo xtask docs");
}

/// The sections of a page as links name them, and those whose title is a code.
fn sections(page: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let text = std::fs::read_to_string(folder().join(page)).unwrap();
    let titles: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let code = |title: &&str| Some(title.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    let anchor = |title: &&str| title.replace('`', "").to_lowercase().replace(' ', "-");
    (titles.iter().map(anchor).collect(), titles.iter().filter_map(code).collect())
}

#[test]
fn every_entry_leads_to_a_section_and_every_section_has_an_entry() {
    for entry in all() {
        let (page, anchor) = entry.page.split_once('#').unwrap_or((entry.page, ""));
        let (anchors, _) = sections(page);
        assert!(anchor.is_empty() || anchors.contains(anchor), "{}", entry.page);
    }
    for page in ["api.md", "handlers.md", "link.md", "network.md", "process.md", "store.md"] {
        let known = |code: &String| by_code(code).is_some();
        let missing: Vec<String> =
            sections(page).1.into_iter().filter(|code| !known(code)).collect();
        assert!(missing.is_empty(), "{page}: {missing:?} are not in the catalogue");
    }
}

#[test]
fn every_number_of_the_pages_is_known() {
    for page in ["api.md", "link.md"] {
        let text = std::fs::read_to_string(folder().join(page)).unwrap();
        let rows = text.lines().filter(|line| line.starts_with("| "));
        let first = rows.filter_map(|row| row.split('|').nth(1));
        let numbers: Vec<&str> = first
            .flat_map(|cell| cell.split(|c: char| !c.is_ascii_digit()))
            .filter(|number| number.len() > 3)
            .collect();
        let missing: Vec<&&str> = numbers.iter().filter(|n| by_code(n).is_none()).collect();
        assert!(missing.is_empty(), "{page}: {missing:?}");
        assert!(numbers.len() > 3, "{page} is read wrongly");
    }
}

#[test]
fn entries_are_whole() {
    for entry in all() {
        assert!(!entry.codes.is_empty() || !entry.texts.is_empty(), "{entry:?}");
        for text in entry.texts {
            assert_eq!(*text, text.to_lowercase(), "texts are compared in small letters");
            assert!(text.chars().count() > 4, "{text}: too short to mean one thing");
        }
        for words in [&entry.zh, &entry.en] {
            assert!(!words.meaning.is_empty() && !words.remedy.is_empty(), "{entry:?}");
            assert!(!words.remedy.ends_with(['.', '。']), "{entry:?}");
        }
    }
}
