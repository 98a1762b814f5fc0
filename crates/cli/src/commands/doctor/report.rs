//! The lines of a diagnosis: one for each check, said as soon as it is known, and the verdict.

use std::time::Duration;

use anyhow::Result;
use larkline_gateway::log::unsteering;
use larkline_gateway::words::Lang;
use serde::Serialize;
use serde_json::{Value, json};

use crate::args::Format;
use crate::exit::{Class, ExitStatus};
use crate::explain;
use crate::lang::{either, lang};
use crate::output;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Pass,
    Warn,
    Fail,
    /// It could not be made, and the text says why.
    Skip,
}

/// One check.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Check {
    section: String,
    name: &'static str,
    outcome: Outcome,
    /// Where the fault lies; a warning with one decides the verdict when nothing failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<Class>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ms: Option<u64>,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

impl Check {
    fn new(name: &'static str, outcome: Outcome, detail: impl Into<String>) -> Self {
        Self {
            section: String::new(),
            name,
            outcome,
            class: None,
            ms: None,
            detail: detail.into(),
            next: None,
            notes: Vec::new(),
        }
    }

    pub(super) fn pass(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Pass, detail)
    }

    pub(super) fn warn(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Warn, detail)
    }

    pub(super) fn skip(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Outcome::Skip, detail)
    }

    pub(super) fn fail(name: &'static str, class: Class, detail: impl Into<String>) -> Self {
        Self { class: Some(class), ..Self::new(name, Outcome::Fail, detail) }
    }

    /// A failure in the words of an error, whose part after the last semicolon says what to do. Those
    /// of the system are English; in Chinese, what is known about the error stands beside it.
    pub(super) fn fail_as(name: &'static str, class: Class, error: &str) -> Self {
        let check = match parts(lang(), error) {
            Some((what, next)) => Self::fail(name, class, what).next(next),
            None => Self::fail(name, class, error),
        };
        let known = explain::find(error).into_iter().next();
        match known.filter(|_| lang() == Lang::Zh && !error.contains('；')) {
            Some(entry) => check.explained(entry.words(Lang::Zh)),
            None => check,
        }
    }

    /// The known meaning as the first note; the step that the error named may hold more than the known
    /// one, a page for instance, and stays as a note.
    fn explained(self, known: &explain::Words) -> Self {
        let notes = std::iter::once(known.meaning.to_owned()).chain(self.next).collect();
        Self { next: Some(known.remedy.to_owned()), notes, ..self }
    }

    /// A warning that decides the verdict when nothing failed.
    pub(super) fn of(self, class: Class) -> Self {
        Self { class: Some(class), ..self }
    }

    pub(super) fn took(self, time: Duration) -> Self {
        Self { ms: u64::try_from(time.as_millis()).ok(), ..self }
    }

    pub(super) fn took_ms(self, ms: Option<u64>) -> Self {
        Self { ms, ..self }
    }

    pub(super) fn next(self, next: impl Into<String>) -> Self {
        Self { next: Some(next.into()), ..self }
    }

    /// A next step where the error named none.
    pub(super) fn or_next(self, next: &str) -> Self {
        Self { next: self.next.or_else(|| Some(next.to_owned())), ..self }
    }

    pub(super) fn notes(self, notes: Vec<String>) -> Self {
        Self { notes: [self.notes, notes].concat(), ..self }
    }

    fn lines(&self) -> Vec<String> {
        let mark = match self.outcome {
            Outcome::Pass => either("通过", "pass"),
            Outcome::Warn => either("警告", "WARN"),
            Outcome::Fail => either("失败", "FAIL"),
            Outcome::Skip => either("跳过", "skip"),
        };
        let ms = self.ms.map(|ms| format!("{ms} ms")).unwrap_or_default();
        let mut lines = vec![format!("  {mark}  {:<14}{ms:>9}  {}", self.name, self.detail)];
        let indent = " ".repeat(33);
        lines.extend(self.notes.iter().map(|note| format!("{indent}{note}")));
        lines.extend(
            self.next
                .iter()
                .map(|next| say!(zh: "{indent}下一步：{next}", en: "{indent}next: {next}")),
        );
        lines
    }
}

/// What is wrong, and what to do about it. The semicolon is the language's own first: that of the
/// other one may be in words that are quoted.
fn parts(lang: Lang, error: &str) -> Option<(&str, &str)> {
    let (own, other) = lang.either(("；", "; "), ("; ", "；"));
    error.rsplit_once(own).or_else(|| error.rsplit_once(other))
}

/// A diagnosis under way.
pub(super) struct Report {
    format: Format,
    section: String,
    checks: Vec<Check>,
}

impl Report {
    pub(super) fn new(format: Format) -> Self {
        Self { format, section: String::new(), checks: Vec::new() }
    }

    /// What the checks after this are about.
    pub(super) fn section(&mut self, title: impl Into<String>) {
        self.section = title.into();
        if self.format == Format::Human {
            output::data(&self.section);
        }
    }

    pub(super) fn add(&mut self, check: Check) {
        let check = Check { section: self.section.clone(), ..check };
        if self.format == Format::Human {
            output::data(&unsteering(&check.lines().join("\n")));
        }
        self.checks.push(check);
    }

    /// The check that decides: the failure closest to this machine, since those further out
    /// follow from it; without a failure, a warning that names another's doing.
    fn deciding(&self) -> Option<&Check> {
        let with = |outcome| self.checks.iter().find(|c| c.outcome == outcome && c.class.is_some());
        with(Outcome::Fail).or_else(|| with(Outcome::Warn))
    }

    /// The verdict in words, `word` being the stable one.
    fn sentence(&self, deciding: Option<&Check>, word: &'static str) -> String {
        let shown = deciding
            .and_then(|check| check.class)
            .map_or_else(|| either("健康", word), Class::shown);
        if let Some(Check { name, detail, next, .. }) = deciding {
            let next = next.as_ref().map(|next| say!(zh: "；{next}", en: "; {next}"));
            let next = next.unwrap_or_default();
            let at =
                if *name == word { String::new() } else { say!(zh: "{name}：", en: "{name}: ") };
            return say!(zh: "{shown}：{at}{detail}{next}", en: "{shown}: {at}{detail}{next}");
        }
        match self.checks.iter().filter(|c| c.outcome == Outcome::Warn).count() {
            0 => shown.to_owned(),
            1 => say!(zh: "{shown}，上面有一条警告", en: "{shown}, with one warning above"),
            n => say!(zh: "{shown}，上面有 {n} 条警告", en: "{shown}, with {n} warnings above"),
        }
    }

    /// All that was found, and its end.
    pub(super) fn verdict(&self) -> Verdict {
        let deciding = self.deciding();
        let class = deciding.and_then(|check| check.class);
        let exit = class.map_or(ExitStatus::Ok, ExitStatus::Found);
        let word = class.map_or("healthy", Class::word);
        let sentence = self.sentence(deciding, word);
        let json = json!({
            "verdict": word,
            "exit_code": u8::from(exit),
            "sentence": sentence,
            "checks": self.checks,
        });
        let last = say!(zh: "结论：{sentence}", en: "verdict: {sentence}");
        let mut page = String::new();
        let mut section = "";
        for check in &self.checks {
            if section != check.section {
                section = &check.section;
                page += &format!("{section}\n");
            }
            page += &(check.lines().join("\n") + "\n");
        }
        page += &last;
        Verdict { exit, json, page, last }
    }

    /// Says the verdict, whose checks were said as they came.
    pub(super) fn finish(self) -> Result<Verdict> {
        let verdict = self.verdict();
        match self.format {
            Format::Human => output::data(&unsteering(&verdict.last)),
            Format::Json => output::data(&serde_json::to_string_pretty(&verdict.json)?),
        }
        Ok(verdict)
    }
}

/// The end of a diagnosis.
pub(super) struct Verdict {
    pub(super) exit: ExitStatus,
    /// Everything, for programs.
    pub(super) json: Value,
    /// Everything, as it was said.
    pub(super) page: String,
    last: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_message_of_the_other_language_is_not_cut() {
        let english = "closed with code 1: 应用未启用；请联系管理员; the link keeps trying";
        let parted =
            Some(("closed with code 1: 应用未启用；请联系管理员", "the link keeps trying"));
        assert_eq!(parts(Lang::En, english), parted);
        let chinese = "关闭，编号 1: no such app; ask the owner；会一直重试";
        assert_eq!(
            parts(Lang::Zh, chinese),
            Some(("关闭，编号 1: no such app; ask the owner", "会一直重试"))
        );
        // What the system says is English in both.
        assert_eq!(parts(Lang::Zh, "no space; free some"), Some(("no space", "free some")));
        assert_eq!(parts(Lang::En, "no space"), None);
    }
}
