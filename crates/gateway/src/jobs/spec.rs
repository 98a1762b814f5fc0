//! What a job is to run, and whether that makes sense.

use std::path::PathBuf;
use std::time::Duration;

use crate::both::Both;
use crate::words::Lang;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Bytes of all words together; more belongs into a file.
const ARGV_BYTES_MAX: usize = 64 * 1024;
/// Characters of a name.
const NAME_CHARS_MAX: usize = 80;
/// Attempts in all.
const ATTEMPTS_MAX: u32 = 20;
/// The longest run.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_hours(24 * 30);
/// The least memory that a program starts with.
const MEMORY_MIN: u64 = 4 << 20;

/// What a job is to run. What is absent is as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// Program and arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Where; the gateway's own directory by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<PathBuf>,
    /// What people call it; the command line by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Attempts in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// Longest run of one attempt, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// Most memory of it and all that it starts, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

/// A job as an operator asks for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobRequest {
    /// Name of the app; the only one when absent.
    #[serde(default)]
    pub app: Option<String>,
    /// The chat that it answers; none when absent.
    #[serde(default)]
    pub chat: Option<String>,
    /// What is to be run.
    pub job: JobSpec,
}

/// What is to be run makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// There is no program.
    #[error("there is no program; write it after `--`")]
    NoProgram,
    /// There are too many words, or one that no program can be given.
    #[error("the command line is larger than 64 KiB, or holds a NUL; put it into a file")]
    Words,
    /// The directory is not absolute, or is none.
    #[error("{0:?} is no directory here; give another with --cwd")]
    Directory(PathBuf),
    /// The name is too long.
    #[error("the name is longer than 80 characters, or holds a line end; give a shorter one")]
    Name,
    /// A number is out of bounds.
    #[error("{}", .0.en)]
    Bounds(Both),
}

impl SpecError {
    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        match (lang, self) {
            (_, Self::Bounds(text)) => text.text(lang).to_owned(),
            (Lang::En, error) => error.to_string(),
            (Lang::Zh, Self::NoProgram) => "没有程序；请写在 `--` 之后".to_owned(),
            (Lang::Zh, Self::Words) => "命令行超过 64 KiB，或含有 NUL；请把它写进文件".to_owned(),
            (Lang::Zh, Self::Directory(path)) => {
                format!("{path:?} 不是这里的目录；请用 --cwd 指定其他目录")
            }
            (Lang::Zh, Self::Name) => "名称超过 80 个字符，或含有换行；请用短一些的名称".to_owned(),
        }
    }
}

impl JobSpec {
    /// Reads the payload of a job's event.
    pub fn of(payload: &[u8]) -> Option<Self> {
        let event: Value = serde_json::from_slice(payload).ok()?;
        Self::deserialize(event.get("event")?.get("job")?).ok()
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`SpecError`] as its variants say.
    pub fn check(&self) -> Result<(), SpecError> {
        if self.argv.first().is_none_or(String::is_empty) {
            return Err(SpecError::NoProgram);
        }
        let bytes: usize = self.argv.iter().map(|word| word.len() + 1).sum();
        if bytes > ARGV_BYTES_MAX || self.argv.iter().any(|word| word.contains('\0')) {
            return Err(SpecError::Words);
        }
        if let Some(cwd) = self.cwd.as_ref().filter(|cwd| !cwd.is_absolute() || !cwd.is_dir()) {
            return Err(SpecError::Directory(cwd.clone()));
        }
        let is_name = |name: &String| {
            name.chars().count() <= NAME_CHARS_MAX && !name.contains(char::is_control)
        };
        if !self.name.as_ref().is_none_or(is_name) {
            return Err(SpecError::Name);
        }
        if self.attempts.is_some_and(|attempts| !(1..=ATTEMPTS_MAX).contains(&attempts)) {
            return Err(SpecError::Bounds(Both::of(
                "任务可以尝试 1 到 20 次",
                "a job has 1 to 20 attempts",
            )));
        }
        if self.timeout_s.is_some_and(|s| !(1..=TIMEOUT_MAX.as_secs()).contains(&s)) {
            return Err(SpecError::Bounds(Both::of(
                "任务可以运行 1 秒到 30 天",
                "a job may run from a second to 30 days",
            )));
        }
        if self.memory.is_some_and(|bytes| bytes < MEMORY_MIN) {
            return Err(SpecError::Bounds(Both::of(
                "内存少于 4 MB 的程序无法启动",
                "no program starts with less than 4 MB of memory",
            )));
        }
        Ok(())
    }

    /// What people call it, on one line.
    pub fn label(&self) -> String {
        let text = self.name.clone().unwrap_or_else(|| self.argv.join(" "));
        let plain = |c: char| if c.is_control() || c == '`' { ' ' } else { c };
        let label: String = text.chars().map(plain).take(NAME_CHARS_MAX).collect();
        if text.chars().count() > NAME_CHARS_MAX { label + "…" } else { label }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(argv: &[&str]) -> JobSpec {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        JobSpec { argv, ..JobSpec::default() }
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_do() {
        let good = || spec(&["make", "test"]);
        assert_eq!(good().check(), Ok(()));
        for (wrong, why) in [
            (spec(&[]), "no program"),
            (spec(&["", "x"]), "no program"),
            (spec(&["a\0b"]), "NUL"),
            (spec(&[&"x".repeat(ARGV_BYTES_MAX)]), "64 KiB"),
            (JobSpec { cwd: Some("here".into()), ..good() }, "--cwd"),
            (JobSpec { cwd: Some("/no/such".into()), ..good() }, "--cwd"),
            (JobSpec { name: Some("a\nb".into()), ..good() }, "shorter"),
            (JobSpec { attempts: Some(0), ..good() }, "1 to 20"),
            (JobSpec { timeout_s: Some(0), ..good() }, "30 days"),
            (JobSpec { memory: Some(5), ..good() }, "4 MB"),
        ] {
            let error = wrong.check().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_job_is_called_by_its_name_or_its_command_line() {
        assert_eq!(spec(&["make", "test"]).label(), "make test");
        let named = JobSpec { name: Some("nightly".into()), ..spec(&["make"]) };
        assert_eq!(named.label(), "nightly");
        assert_eq!(spec(&["echo", "`a`\nb"]).label(), "echo  a  b");
        assert_eq!(spec(&[&"x".repeat(500)]).label().chars().count(), NAME_CHARS_MAX + 1);
    }

    #[test]
    fn garbage_is_no_job() {
        for payload in ["", "[]", "{\"event\":{}}", "{\"event\":{\"job\":7}}"] {
            assert_eq!(JobSpec::of(payload.as_bytes()), None, "{payload}");
        }
    }
}
