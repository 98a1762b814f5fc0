//! A table of the configuration, asked for its keys one by one.
//!
//! When the section goes out of scope, keys nobody asked for are unknown. So the code that
//! uses a key is its declaration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::decoder::{Decoder, Spot};
use super::key::Key;
use super::nearest::{did_you_mean, nearest};
use super::problem::{Class, Origin};
use super::tree::{Entry, Node, Table};
use crate::both::{Both, both};

/// A table being read.
pub(super) struct Section<'d> {
    pub(super) decoder: &'d Decoder,
    table: Option<&'d Table>,
    origin: Origin,
    path: String,
    pattern: String,
    asked: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// The whole configuration.
    pub(super) fn root(decoder: &'d Decoder, node: &'d Node) -> Self {
        Section {
            decoder,
            table: node.as_table(),
            origin: Origin::Default,
            path: String::new(),
            pattern: String::new(),
            asked: Vec::new(),
        }
    }

    /// One of its keys, with the reason for its being or its default, in the words of the
    /// reference page.
    pub(super) fn key<'s>(&'s mut self, name: &'static str, why: &'static str) -> Key<'s, 'd> {
        Key { section: self, name, why, bounds: None }
    }

    /// The table below `key`; an empty one when it is absent.
    pub(super) fn section(&mut self, key: &'static str) -> Self {
        self.asked.push(key);
        let below = self.join(key);
        let pattern = join(&self.pattern, key);
        match self.entry(key) {
            Some(entry) => self.below(&entry.node, below, pattern),
            None => Section {
                decoder: self.decoder,
                table: None,
                origin: self.origin.clone(),
                path: below,
                pattern,
                asked: Vec::new(),
            },
        }
    }

    /// The tables below `key`, each with the name it has there.
    pub(super) fn named(&mut self, key: &'static str) -> Vec<(String, Self)> {
        self.asked.push(key);
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let spot = Spot { decoder: self.decoder, node: &entry.node, path: key };
        let Some(table) = entry.node.as_table() else {
            let _: Option<()> = spot
                .wrong_type(&A_TABLE, both!(zh: "写成 [{key}.<name>]", en: "write [{key}.<name>]"));
            return Vec::new();
        };
        let pattern = format!("{}.<name>", join(&self.pattern, key));
        let sections = table.iter().map(|(name, entry)| {
            check_name(spot.with(&entry.node), name);
            let path = format!("{}.{name}", self.join(key));
            (name.clone(), self.below(&entry.node, path, pattern.clone()))
        });
        sections.collect()
    }

    /// The tables of the list below `key`, as `[[route]]` makes them.
    pub(super) fn listed(&mut self, key: &'static str) -> Vec<Self> {
        self.asked.push(key);
        let Some(entry) = self.entry(key) else {
            return Vec::new();
        };
        let Some(items) = entry.node.as_list() else {
            let spot = Spot { decoder: self.decoder, node: &entry.node, path: key };
            let _: Option<()> = spot.wrong_type(
                &Both::of("表的列表", "a list of tables"),
                both!(zh: "写成 [[{key}]]", en: "write [[{key}]]"),
            );
            return Vec::new();
        };
        let below = |(at, node)| {
            let path = format!("{}[{at}]", self.join(key));
            self.below(node, path, format!("{}[]", join(&self.pattern, key)))
        };
        items.iter().enumerate().map(below).collect()
    }

    /// True when the key is there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// True when the section itself is there.
    pub(super) fn is_present(&self) -> bool {
        self.table.is_some()
    }

    /// Narrows the pattern of the keys asked for from here on: `handler.<name>` becomes
    /// `handler.<command>`.
    pub(super) fn narrow(&mut self, pattern: String) {
        self.pattern = pattern;
    }

    /// Does not look for unknown keys here: what is known depends on a value that is wrong.
    pub(super) fn abandon(mut self) {
        self.table = None;
    }

    /// Notes a problem with a key that does not fit the rest, or with the section when the
    /// key is absent.
    pub(super) fn refuse(&self, key: &str, message: Both, hint: Both) {
        let (path, origin) = self.locate(key);
        self.decoder.problem(Class::Context, &path, message, hint, &origin);
    }

    /// Notes something unwise about a key, or about the section when the key is absent.
    pub(super) fn warn(&self, key: &str, message: Both, hint: Both) {
        let (path, origin) = self.locate(key);
        self.decoder.warning(&path, message, hint, &origin);
    }

    /// Lets a key pass as known.
    pub(super) fn ignore(&mut self, key: &'static str) {
        self.asked.push(key);
    }

    /// Checks that a key names one of the `known`.
    pub(super) fn check_reference(
        &self,
        key: &str,
        name: Option<&str>,
        known: &[String],
        what: &str,
    ) {
        let Some(name) = name.filter(|name| !known.iter().any(|k| k == name)) else {
            return;
        };
        let hint = match nearest(name, known.iter().map(String::as_str)) {
            Some(near) => did_you_mean(near),
            None if known.is_empty() => {
                both!(zh: "加入 [{what}.{name}]", en: "add [{what}.{name}]")
            }
            None => both!(
                zh: "加入 [{what}.{name}]，或改用：{known}",
                en: "add [{what}.{name}], or use one of {known}", known = known.join(", ")
            ),
        };
        let message = both!(zh: "没有名为 `{name}` 的 {what}", en: "there is no {what} `{name}`");
        self.refuse(key, message, hint);
    }

    /// Where state lives by default.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.decoder.surroundings.state_dir()
    }

    /// The proxy variables that are set.
    pub(super) fn proxy_variables(&self) -> BTreeMap<String, String> {
        self.decoder.surroundings.proxy_variables()
    }

    /// Path and origin of a key, or of the section when the key is absent.
    pub(super) fn locate(&self, key: &str) -> (String, Origin) {
        match self.entry(key) {
            Some(entry) => (self.join(key), entry.node.origin.clone()),
            None => (self.path.clone(), self.origin.clone()),
        }
    }

    fn below(&self, node: &'d Node, path: String, pattern: String) -> Self {
        if node.as_table().is_none() {
            let spot = Spot { decoder: self.decoder, node, path: &path };
            let _: Option<()> = spot.wrong_type(&A_TABLE, Both::NOTHING);
        }
        Section {
            decoder: self.decoder,
            table: node.as_table(),
            origin: node.origin.clone(),
            path,
            pattern,
            asked: Vec::new(),
        }
    }

    /// The value of a key.
    pub(super) fn node(&self, key: &str) -> Option<&'d Node> {
        Some(&self.entry(key)?.node)
    }

    /// The path of a key.
    pub(super) fn join(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The path of a key with names left open.
    pub(super) fn pattern(&self, key: &str) -> String {
        join(&self.pattern, key)
    }

    fn entry(&self, key: &str) -> Option<&'d Entry> {
        self.table?.get(key)
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        for (key, entry) in self.table.into_iter().flatten() {
            if self.asked.contains(&key.as_str()) {
                continue;
            }
            let section = match self.path.as_str() {
                "" => Both::of("顶层", "at the top level"),
                path => both!(zh: "`{path}` 中", en: "in `{path}`"),
            };
            let hint = match nearest(key, self.asked.iter().copied()) {
                Some(name) => did_you_mean(name),
                None => {
                    // A stranger's value may be anything, also a secret.
                    if entry.node.as_text().is_some() {
                        self.decoder.cover(&entry.node);
                    }
                    both!(
                        zh: "这里可用：{keys}", en: "known here: {keys}",
                        keys = self.asked.join(", ")
                    )
                }
            };
            let message = both!(zh: "{section}有未知的键 `{key}`", en: "unknown key `{key}` {section}"; section = section);
            self.decoder.problem(Class::Context, "", message, hint, &entry.key);
        }
    }
}

/// What a section has to be.
pub(super) const A_TABLE: Both = Both::of("表", "a table");

/// Names end up in logs, metrics and file names: letters, digits, `-` and `_`.
fn check_name(spot: Spot<'_>, name: &str) {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_LEN_MAX || !name.chars().all(plain) {
        let hint = both!(
            zh: "用字母、数字、- 和 _，最多 {NAME_LEN_MAX} 个",
            en: "use letters, digits, - and _, at most {NAME_LEN_MAX}"
        );
        let message = both!(zh: "`{name}` 不能用作名称", en: "`{name}` is not a usable name");
        let _: Option<()> = spot.refuse(message, hint);
    }
}

/// Longest name of an app, a route or a handler: it has to fit into a log line and a lane key.
pub(super) const NAME_LEN_MAX: usize = 40;

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
