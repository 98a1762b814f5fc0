//! Holds `docs/configuration.md` and `larkline.sample.toml` against the decoder: what it asks
//! for is what there is.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::problem::Origin;
use super::{Config, Sources};

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
"#;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn load(file: PathBuf) -> Config {
    let env = [
        // Not absolute, so that defaults below the home directory print as people write them.
        ("HOME", "~"),
        ("FEISHU_APP_SECRET", "s3cr3t"),
        ("HOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let sources = Sources { file: Some(file), env, ..Sources::default() };
    Config::load(&sources).unwrap_or_else(|errors| panic!("{errors}"))
}

/// The rows `| key | type | default |` that the reference page must have.
fn known_keys() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("larkline.toml");
    std::fs::write(&file, MINIMAL).unwrap();
    let row = |setting: &super::Setting| {
        let default = match (&setting.origin, setting.value.is_null()) {
            (Origin::Default, true) => "–".to_owned(),
            (Origin::Default, false) => format!("`{}`", setting.value),
            _ => "required".to_owned(),
        };
        format!("| `{}` | {} | {default} |", setting.pattern, setting.kind)
    };
    load(file).settings.iter().map(row).collect()
}

#[test]
fn the_reference_page_lists_every_key_with_its_type_and_default() {
    let page = std::fs::read_to_string(repository().join("docs/configuration.md")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').collect();
        let [_, key, kind, default, reason, _] = cells[..] else {
            return None;
        };
        assert!(!reason.trim().is_empty(), "no reason: {line}");
        key.contains('`').then(|| format!("|{key}|{kind}|{default}|"))
    };
    let listed: BTreeSet<String> = page.lines().filter_map(row).collect();
    let known = known_keys();
    let missing: Vec<&String> = known.difference(&listed).collect();
    let extra: Vec<&String> = listed.difference(&known).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing: {missing:#?}\nextra: {extra:#?}");
}

#[test]
fn the_sample_is_a_configuration_without_problems() {
    let config = load(repository().join("larkline.sample.toml"));
    assert_eq!(config.apps.len(), 1);
    let kinds: BTreeSet<&str> = config.handlers.values().map(super::Handler::kind).collect();
    assert_eq!(kinds.len(), 3, "the sample shows every kind of handler");
    assert_eq!(config.render_warnings(false), "");
}
