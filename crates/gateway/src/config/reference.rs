//! Makes the tables of `docs/configuration.md` from what the decoder asks for, and holds
//! `larkline.sample.toml` against it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;

use super::change::is_used_at_start;
use super::problem::Origin;
use super::{Config, Setting, Sources, schema};
use crate::words::Lang;

/// Every section and every kind of handler, with nothing but the required keys.
const MINIMAL: &str = r#"
[app.main]
app_id = "cli_a1b2c3d4e5f60718"
app_secret = { env = "FEISHU_APP_SECRET" }

[[route]]
handler = "echo"

[handler.echo]
kind = "echo"

[handler.command]
kind = "command"
argv = ["true"]

[handler.http]
kind = "http"
url = "https://example.com"
secret = { env = "HOOK_SECRET" }

[handler.agent]
kind = "agent"
agent = "claude"

[alerts.rule.link_down]

[smtp.office]
host = "smtp.example.com"
from = "bot@example.com"

[destination.smtp]
kind = "smtp"
smtp = "office"
to = ["ops@example.com"]

[destination.http]
kind = "http"
url = { env = "HOOK_URL" }

[destination.command]
kind = "command"
argv = ["true"]

[destination.app]
kind = "app"
app = "main"
chat = "oc_a0553eda9014c201e6969b478895c230"

[handler.llm]
kind = "llm"
provider = "qwen"
model = "qwen-plus"
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(file: PathBuf) -> Config {
    let env = [
        // Not absolute, so that defaults below the home directory print as people write them.
        ("HOME", "~"),
        ("FEISHU_APP_SECRET", "s3cr3t"),
        ("HOOK_URL", "https://example.com/hook"),
        ("HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let sources = Sources { file: Some(file), env, ..Sources::default() };
    Config::load(&sources).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Opens a table of keys; the path of the section follows, then [`OPENING_END`].
const OPENING: &str = "<!-- keys of ";
const OPENING_END: &str = " -->";
/// Stands for the path of keys that are in no section.
const NO_SECTION: &str = "no section";
const CLOSING: &str = "<!-- end of keys -->";
/// Set by `cargo xtask docs`: then the page is written instead of compared.
const WRITE: &str = "LARKLINE_WRITE_DOCS";

/// Every key there is, in the order in which the code asks for it, without repetitions.
fn known_keys() -> Vec<Setting> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("larkline.toml");
    std::fs::write(&file, MINIMAL).unwrap();
    let mut seen = BTreeSet::new();
    let mut settings = load(file).settings;
    settings.retain(|setting| seen.insert(setting.pattern.clone()));
    settings
}

/// The row of one key.
fn row(setting: &Setting) -> String {
    let plain = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let kind = match &setting.bounds {
        Some((least, most)) => format!("{}, {} to {}", setting.kind, plain(least), plain(most)),
        None => setting.kind.to_owned(),
    };
    let default = match (&setting.origin, setting.value.is_null()) {
        (Origin::Default, true) => "–".to_owned(),
        (Origin::Default, false) => format!("`{}`", setting.value),
        _ => "required".to_owned(),
    };
    let reload = if is_used_at_start(&setting.path) { "restart" } else { "reload" };
    let why = setting.why.replace('|', "\\|");
    format!("| `{}` | {kind} | {default} | {reload} | {why} |\n", setting.pattern)
}

/// The page with its tables as the code has them, and the keys that no table holds.
fn rendered(page: &str, keys: &[Setting]) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut left: BTreeSet<&str> = keys.iter().map(|key| key.pattern.as_str()).collect();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once(OPENING) {
        let (section, after) = after.split_once(OPENING_END).expect("a comment that ends");
        let (_, after) = after.split_once(CLOSING).expect("a table that ends");
        text.push_str(&format!("{before}{OPENING}{section}{OPENING_END}\n"));
        text.push_str("| key | type | default | change by | why |\n|---|---|---|---|---|\n");
        let prefix = format!("{section}.");
        let is_of = |key: &&Setting| match section {
            NO_SECTION => !key.pattern.contains('.'),
            _ => key.pattern.starts_with(&prefix),
        };
        for key in keys.iter().filter(is_of) {
            left.remove(key.pattern.as_str());
            text.push_str(&row(key));
        }
        text.push_str(CLOSING);
        rest = after;
    }
    text.push_str(rest);
    (text, left.into_iter().map(str::to_owned).collect())
}

#[test]
fn the_reference_page_lists_every_key_with_its_type_and_default() {
    let path = repository().join("docs/configuration.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (wanted, left) = rendered(&page, &known_keys());
    assert!(left.is_empty(), "no table of the page holds {left:?}: add `{OPENING}…{OPENING_END}`");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(path, wanted).unwrap();
        return;
    }
    assert!(page == wanted, "docs/configuration.md is not what the code says: cargo xtask docs");
}

/// The Markdown below `folder`.
fn pages(folder: PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

#[test]
fn keys_that_documents_name_exist() {
    let keys = known_keys();
    let known: BTreeSet<&str> = keys.iter().map(|key| key.pattern.as_str()).collect();
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let names: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next_back()).collect();
    let plain = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let mut wrong = Vec::new();
    let mut seen = 0;
    let root = repository();
    let readmes = ["README.md", "README.zh-CN.md", "CHANGELOG.md"].map(|name| root.join(name));
    for page in pages(root.join("docs")).into_iter().chain(readmes) {
        let text = std::fs::read_to_string(&page).unwrap();
        for code in text.split('`') {
            let key = code.split(" = ").next().unwrap_or_default();
            let Some((section, name)) = key.split_once('.') else {
                continue;
            };
            // Files have such names too: what has neither a section nor a key's name is none.
            let is_key = sections.contains(section) || names.contains(name);
            let is_file = name == "rs" || name == "md" || name == "toml";
            let is_word = !section.is_empty() && plain(section) && plain(name);
            // Below these stand names of the reader's own.
            let is_named = ["app", "route", "handler", "smtp", "destination"].contains(&section);
            if is_word && is_key && !is_file && !is_named {
                seen += 1;
                if !known.contains(key) {
                    wrong.push(format!("{}: `{key}`", page.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "no such keys: {wrong:#?}");
    assert!(seen > 20, "{seen} keys found: the documents are read wrongly");
}

#[test]
fn the_schema_for_editors_is_what_the_code_says_and_covers_the_sample() {
    let made = schema::schema(&known_keys());
    let path = repository().join("docs/larkline.schema.json");
    let wanted = format!("{made:#}\n");
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let there = std::fs::read_to_string(path).unwrap();
    assert!(
        there == wanted,
        "docs/larkline.schema.json is not what the code says: cargo xtask docs"
    );
    for setting in load(repository().join("larkline.sample.toml")).settings {
        let path = setting.path.replace(|c: char| c == '[' || c == ']' || c.is_ascii_digit(), "");
        let path: Vec<&str> = path.split('.').collect();
        assert!(schema::at(&made, &path).is_some(), "no schema for {}", setting.path);
    }
}

#[test]
fn every_key_says_why() {
    for key in known_keys() {
        assert!(key.why.len() > 5 && !key.why.ends_with('.'), "{}: {:?}", key.pattern, key.why);
    }
}

#[test]
fn the_sample_is_a_configuration_without_problems() {
    let config = load(repository().join("larkline.sample.toml"));
    assert_eq!(config.apps.len(), 1);
    let kinds: BTreeSet<&str> = config.handlers.values().map(super::Handler::kind).collect();
    assert_eq!(kinds.len(), 3, "the sample shows every kind of handler");
    assert_eq!(config.render_warnings(false, Lang::En), "");
}
