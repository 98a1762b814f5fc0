//! What a decoding run has seen: every problem, every warning, every key that was asked for.
//!
//! The keys, types, defaults and origins are what `config show` prints and what the reference
//! page is tested against, so neither can lie.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;

use larkline_client::Secret;
use serde_json::Value as Json;

use super::mask;
use super::problem::{Class, Origin, Problem, Warning};
use super::secret::open_mode;
use super::sources::Surroundings;
use super::tree::Node;
use crate::both::{Both, both};

/// One key that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    /// As `governor.chat_per_second`.
    pub(super) path: String,
    /// The path with names left open, as `app.<name>.app_id`.
    pub(super) pattern: String,
    /// The type, in words.
    pub(super) kind: &'static str,
    /// The least and the greatest value, where there are such.
    pub(super) bounds: Option<(Json, Json)>,
    /// Why it is there, or why its default is what it is.
    pub(super) why: &'static str,
    /// The effective value, secrets masked; `null` when not set.
    pub(super) value: Json,
    /// Where it came from.
    pub(super) origin: Origin,
}

/// What a decoding run has seen.
#[derive(Debug)]
pub(super) struct Decoder {
    pub(super) surroundings: Surroundings,
    pub(super) problems: RefCell<Vec<Problem>>,
    pub(super) warnings: RefCell<Vec<Warning>>,
    pub(super) settings: RefCell<Vec<Setting>>,
    /// Bytes of the file that hold a secret, to be masked when a line is shown.
    pub(super) secret_spans: RefCell<Vec<Range<usize>>>,
    /// Files that hold secrets, as the configuration names them.
    pub(super) secret_files: RefCell<BTreeSet<PathBuf>>,
    /// The secrets themselves.
    pub(super) secrets: RefCell<Vec<Secret>>,
    /// The file's mode, when others than its owner can use it.
    file_mode: Option<u32>,
}

/// One value on its way to a type.
#[derive(Clone, Copy)]
pub(super) struct Spot<'d> {
    pub(super) decoder: &'d Decoder,
    pub(super) node: &'d Node,
    pub(super) path: &'d str,
}

impl Decoder {
    pub(super) fn new(surroundings: Surroundings, file_mode: Option<u32>) -> Self {
        // What nothing reads as a secret must not leave the machine either.
        let secrets = RefCell::new(surroundings.suspects.clone());
        Self {
            surroundings,
            file_mode,
            secret_spans: RefCell::default(),
            secret_files: RefCell::default(),
            secrets,
            problems: RefCell::default(),
            warnings: RefCell::default(),
            settings: RefCell::default(),
        }
    }

    /// Keeps a value that is a secret, or may be one, out of the lines that are shown and of what leaves
    /// the machine.
    pub(super) fn cover(&self, node: &Node) {
        if let Origin::File(place) = &node.origin {
            self.secret_spans.borrow_mut().push(place.span.clone());
        }
        if let Some(text) = node.as_text() {
            self.secrets.borrow_mut().push(Secret::new(text));
        }
    }

    /// Warns of a secret whose text stands in a file that others than its owner can use.
    pub(super) fn open_secret(&self, spot: Spot<'_>, origin: &Origin) {
        let (mode, remedy) = match origin {
            Origin::File(_) => (
                self.file_mode,
                Both::of(
                    "对该文件执行 chmod 600，或改写为 { env = \"NAME\" }",
                    "chmod 600 the file, or write { env = \"NAME\" } instead",
                ),
            ),
            Origin::Env { dotenv: true, .. } => {
                let file = self.surroundings.dotenv.display();
                (open_mode(&self.surroundings.dotenv), Both::same(format!("chmod 600 {file}")))
            }
            Origin::Default | Origin::Env { .. } | Origin::Flag(_) => return,
        };
        if let Some(mode) = mode {
            let message = both!(
                zh: "密钥写在其他用户可读的文件里（权限 {mode:04o}）",
                en: "a secret in a file that others can read (mode {mode:04o})"
            );
            self.warning(spot.path, message, remedy, origin);
        }
    }

    /// Notes a problem with the whole.
    pub(super) fn refuse(&self, message: Both, hint: Both) {
        self.problem(Class::Context, "", message, hint, &Origin::Default);
    }

    /// Notes something unwise about the whole.
    pub(super) fn warn(&self, message: Both, hint: Both) {
        self.warning("", message, hint, &Origin::Default);
    }

    pub(super) fn problem(
        &self,
        class: Class,
        path: &str,
        message: Both,
        hint: Both,
        origin: &Origin,
    ) {
        self.problems.borrow_mut().push(note(class, path, message, hint, origin));
    }

    pub(super) fn warning(&self, path: &str, message: Both, hint: Both, origin: &Origin) {
        self.warnings.borrow_mut().push(note(Class::Context, path, message, hint, origin));
    }
}

fn note(class: Class, path: &str, message: Both, hint: Both, origin: &Origin) -> Problem {
    let hint = Some(hint).filter(|hint| !hint.is_empty());
    Problem { path: path.to_owned(), message, hint, origin: origin.clone(), class }
}

impl<'d> Spot<'d> {
    /// Notes that the value is wrong; `None`, so that a reader can end with it.
    pub(super) fn refuse<T>(&self, message: Both, hint: Both) -> Option<T> {
        let [message, hint] = match self.node.as_text() {
            Some(written) => [message, hint].map(|text| mask::without_suspects(text, written)),
            None => [message, hint],
        };
        self.decoder.problem(Class::Value, self.path, message, hint, &self.node.origin);
        None
    }

    /// Notes that the value has the wrong type.
    pub(super) fn wrong_type<T>(&self, wanted: &Both, hint: Both) -> Option<T> {
        let found = self.node.value.type_name();
        let message = both!(zh: "应为{wanted}，实际是{found}", en: "expected {wanted}, found {found}"; wanted = wanted, found = found);
        self.refuse(message, hint)
    }

    /// Notes something unwise about the value.
    pub(super) fn warn(&self, message: Both, hint: Both) {
        self.decoder.warning(self.path, message, hint, &self.node.origin);
    }

    /// The same key, another value: an entry of a list.
    pub(super) fn with(&self, node: &'d Node) -> Self {
        Self { node, ..*self }
    }

    /// The value as text, or a problem.
    pub(super) fn text(&self, wanted: &Both, hint: Both) -> Option<&'d str> {
        match self.node.as_text() {
            Some(text) => Some(text),
            None => self.wrong_type(wanted, hint),
        }
    }
}
