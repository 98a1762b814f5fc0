//! What is wrong with a configuration, where, and how it is shown.
//!
//! Problems are collected, never returned at the first one: a person fixes a file in one go.
//! They print as rustc's do, with the line of the file; values from elsewhere name their
//! variable or flag. No value of a secret is ever part of a message.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde_json::{Value as Json, json};

use super::Config;
use crate::both::Both;
use crate::say_in;
use crate::words::Lang;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The configuration file.
    File(Place),
    /// An environment variable; `dotenv` when it came out of `.env`.
    Env {
        /// Its name.
        variable: String,
        /// True when it was read from `.env`.
        dotenv: bool,
    },
    /// The command line, for this run.
    Flag(String),
}

/// A place in the file: line and column count from 1, the column in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
    /// Bytes of the text that are meant.
    pub span: Range<usize>,
}

impl Place {
    /// The place of `span` in `text`.
    pub(super) fn new(text: &str, span: Range<usize>) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before[line_start..].chars().count() + 1;
        Self { line: before.matches('\n').count() + 1, column, span }
    }
}

impl Origin {
    /// What a value is marked with for people.
    pub(super) fn text(&self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::Zh, Self::Default) => "默认".to_owned(),
            (Lang::Zh, Self::File(place)) => format!("第 {} 行", place.line),
            (Lang::Zh, Self::Env { variable, dotenv: true }) => format!(".env 中的 {variable}"),
            (_, other) => other.to_string(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(place) => write!(f, "line {}", place.line),
            Self::Env { variable, dotenv: false } => f.write_str(variable),
            Self::Env { variable, dotenv: true } => write!(f, "{variable} in .env"),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One thing that is wrong, or, as a warning, unwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, as `app.main.app_id`; empty when the file as a whole is meant.
    pub path: String,
    /// What is wrong.
    pub message: Both,
    /// What to do.
    pub hint: Option<Both>,
    /// Where.
    pub origin: Origin,
    pub(super) class: Class,
}

/// A problem that does not stop the gateway.
pub type Warning = Problem;

/// What a problem still means when the file has syntax errors as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The file is no TOML there.
    Syntax,
    /// The value itself is wrong, whatever surrounds it.
    Value,
    /// Something is missing, unknown or does not fit the rest: perhaps a consequence of a
    /// syntax error, so not shown beside one.
    Context,
}

impl Problem {
    /// Line and column in the file, when it is about the file.
    pub fn place(&self) -> Option<(usize, usize)> {
        match &self.origin {
            Origin::File(place) => Some((place.line, place.column)),
            Origin::Default | Origin::Env { .. } | Origin::Flag(_) => None,
        }
    }

    /// Path and message as one sentence.
    pub fn title(&self, lang: Lang) -> String {
        let (path, message) = (&self.path, self.message.text(lang));
        match path.as_str() {
            "" => message.to_owned(),
            path => say_in!(lang, zh: "{path}：{message}", en: "{path}: {message}"),
        }
    }

    fn to_json(&self) -> Json {
        let (line, column) = self.place().unzip();
        json!({
            "key": self.path,
            "message": self.message.text(Lang::En),
            "hint": self.hint.as_ref().map(|hint| hint.text(Lang::En)),
            "origin": self.origin.to_string(),
            "line": line,
            "column": column,
        })
    }

    fn render(&self, weight: Weight, file: &SourceFile, renderer: &Renderer, lang: Lang) -> String {
        let title = weight.level(lang).primary_title(self.title(lang));
        let name = file.path.display().to_string();
        let group = match &self.origin {
            Origin::File(place) => title.element(
                Snippet::source(file.text.as_str())
                    .path(name)
                    .annotation(AnnotationKind::Primary.span(place.span.clone())),
            ),
            Origin::Env { .. } | Origin::Flag(_) => {
                title.element(annotate_snippets::Origin::path(self.origin.text(lang)))
            }
            Origin::Default if name.is_empty() => Group::with_title(title),
            Origin::Default => title.element(annotate_snippets::Origin::path(name)),
        };
        let group = match &self.hint {
            Some(hint) => group.element(named(Level::HELP, "建议", lang).message(hint.text(lang))),
            None => group,
        };
        renderer.render(&[group])
    }
}

/// Whether it stops the gateway.
#[derive(Clone, Copy)]
pub(super) enum Weight {
    Error,
    Warning,
}

impl Weight {
    fn level(self, lang: Lang) -> Level<'static> {
        match self {
            Self::Error => named(Level::ERROR, "错误", lang),
            Self::Warning => named(Level::WARNING, "警告", lang),
        }
    }
}

/// A level by its name in a language; rustc's own in English.
fn named(level: Level<'static>, zh: &'static str, lang: Lang) -> Level<'static> {
    match lang {
        Lang::Zh => level.with_name(zh),
        Lang::En => level,
    }
}

/// The file as it was read; an empty path when there is none.
#[derive(Clone, Debug, Default)]
pub(super) struct SourceFile {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

/// Everything that is wrong with a configuration; at least one problem.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
    /// The language of people's words: the file's where it can be read, else the locale's.
    pub language: Lang,
    pub(super) file: SourceFile,
    pub(super) rest: Box<Config>,
}

impl ConfigErrors {
    /// The problems, in the order of the file; those from elsewhere come last.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// What does not depend on the problems: apps, network and paths that are right, the defaults for
    /// the rest. A gateway must not run on it, a diagnosis can.
    pub fn rest(&self) -> &Config {
        &self.rest
    }

    /// The same, of a text that another name says more about than that of the file it was read from.
    #[must_use]
    pub fn named(mut self, name: impl Into<PathBuf>) -> Self {
        self.file.path = name.into();
        self
    }

    /// Problems and warnings for people, in colour when asked, with a count at the end.
    pub fn render(&self, color: bool, lang: Lang) -> String {
        let n = self.problems.len();
        let plural = if n == 1 { "" } else { "s" };
        let problems = render(&self.problems, Weight::Error, &self.file, color, lang);
        let warnings = render(&self.warnings, Weight::Warning, &self.file, color, lang);
        let sum = match lang {
            Lang::Zh => format!("配置中有 {n} 个问题；没有启动或更改任何东西"),
            Lang::En => {
                format!("{n} problem{plural} in the configuration; nothing was started or changed")
            }
        };
        format!("{problems}{warnings}{sum}\n")
    }

    /// Problems and warnings for programs: `{problems: […], warnings: […]}`, each with `key`,
    /// `message`, `hint`, `origin`, and `line` and `column` where it is about the file.
    pub fn to_json(&self) -> String {
        listing(&self.problems, &self.warnings)
    }
}

/// Problems and warnings as JSON.
pub(super) fn listing(problems: &[Problem], warnings: &[Warning]) -> String {
    let list = |problems: &[Problem]| problems.iter().map(Problem::to_json).collect::<Vec<_>>();
    format!("{:#}\n", json!({ "problems": list(problems), "warnings": list(warnings) }))
}

impl ConfigErrors {
    /// The report in both languages, without colour.
    pub fn text(&self) -> Both {
        Both::each(|lang| self.render(false, lang))
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false, Lang::En))
    }
}

impl std::error::Error for ConfigErrors {}

/// Renders problems one after the other, a blank line between.
pub(super) fn render(
    problems: &[Problem],
    weight: Weight,
    file: &SourceFile,
    color: bool,
    lang: Lang,
) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    problems.iter().map(|p| p.render(weight, file, &renderer, lang) + "\n\n").collect()
}

/// Puts problems into the order of the file and, beside syntax errors, keeps those that are
/// certain without them.
pub(super) fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    let broken: Vec<usize> = problems
        .iter()
        .filter(|p| p.class == Class::Syntax)
        .filter_map(|p| p.place().map(|(line, _)| line))
        .collect();
    if !broken.is_empty() {
        problems.retain(|p| match p.class {
            Class::Syntax => true,
            Class::Value => p.place().is_none_or(|(line, _)| !broken.contains(&line)),
            Class::Context => false,
        });
    }
    problems.sort_by_key(|p| p.place().unwrap_or((usize::MAX, 0)));
    problems
}
