//! A log file that is put aside by size and by age, and all of whose files together stay
//! below a cap.
//!
//! `larkline.log` is the one being written; those put aside are `larkline.log.<time>`, with
//! the time (UTC) at which they were. Time is an argument.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use jiff::Timestamp;

use crate::config::LogSettings;

/// Names tried for one moment before giving up: two rotations in one millisecond are a
/// misconfiguration, a hundred are an error.
const NAMES_MAX: u32 = 100;

/// When a file is put aside, and how much is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotation {
    /// Largest file, in bytes; one longer line still gets a file of its own.
    pub(super) size: u64,
    /// Oldest file.
    pub(super) age: Duration,
    /// All files together, in bytes, the one being written counted at its largest.
    pub(super) total: u64,
}

impl From<&LogSettings> for Rotation {
    fn from(settings: &LogSettings) -> Self {
        Self {
            size: settings.rotate_size.0,
            age: settings.rotate_age,
            total: settings.keep_total.0,
        }
    }
}

/// The file being written.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
    since_ms: i64,
}

impl RotatingFile {
    /// Opens or makes the file, readable by its owner alone: lines hold parts of messages.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn open(path: &Path, rotation: Rotation, now_ms: i64) -> io::Result<Self> {
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
        let meta = file.metadata()?;
        let born = meta.created().or_else(|_| meta.modified()).ok();
        let born_ms = born
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| i64::try_from(since.as_millis()).ok());
        let since_ms = if meta.len() == 0 { now_ms } else { born_ms.unwrap_or(now_ms) };
        Ok(Self { path: path.to_owned(), rotation, file, size: meta.len(), since_ms })
    }

    /// The file's path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line, to a new file when this one is full or old.
    ///
    /// # Errors
    /// What the file system says; the next line tries again.
    pub(super) fn write_line(&mut self, line: &str, now_ms: i64) -> io::Result<()> {
        let length = line.len() as u64;
        let full = self.size + length > self.rotation.size;
        let age_ms = now_ms.saturating_sub(self.since_ms);
        let old = i64::try_from(self.rotation.age.as_millis()).is_ok_and(|limit| age_ms >= limit);
        if self.size > 0 && (full || old) {
            self.rotate(now_ms)?;
        }
        self.file.write_all(line.as_bytes())?;
        self.size += length;
        Ok(())
    }

    fn rotate(&mut self, now_ms: i64) -> io::Result<()> {
        fs::rename(&self.path, self.free_name(now_ms)?)?;
        *self = Self::open(&self.path, self.rotation, now_ms)?;
        self.prune()
    }

    /// `<path>.20261120T140105.123Z`, with a number behind it when that is taken.
    fn free_name(&self, now_ms: i64) -> io::Result<PathBuf> {
        let time = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let time = time.strftime("%Y%m%dT%H%M%S.%3fZ").to_string();
        (0..NAMES_MAX)
            .map(|n| if n == 0 { time.clone() } else { format!("{time}-{n:02}") })
            .map(|suffix| sibling(&self.path, &suffix))
            .find(|path| !path.exists())
            .ok_or_else(|| io::Error::other("no free name for the full log file"))
    }

    /// Removes the oldest files until the rest and a full current one fit the cap.
    fn prune(&self) -> io::Result<()> {
        let mut aside = self.put_aside()?;
        // The newest file first: the time in the name sorts.
        aside.sort_by(|(a, _), (b, _)| b.cmp(a));
        let mut total = self.rotation.size;
        for (path, bytes) in aside {
            total = total.saturating_add(bytes);
            if total > self.rotation.total {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// The files put aside, with their sizes. A file of another name is none of ours.
    fn put_aside(&self) -> io::Result<Vec<(PathBuf, u64)>> {
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let mut found = Vec::new();
        for entry in fs::read_dir(dir.unwrap_or_else(|| Path::new(".")))? {
            let entry = entry?;
            if is_aside(&self.path, &entry.file_name()) {
                found.push((entry.path(), entry.metadata()?.len()));
            }
        }
        Ok(found)
    }
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(suffix);
    PathBuf::from(name)
}

/// True for `<name of path>.<time as free_name writes it>`.
fn is_aside(path: &Path, name: &OsStr) -> bool {
    let (Some(base), Some(name)) = (path.file_name().and_then(OsStr::to_str), name.to_str()) else {
        return false;
    };
    let Some(suffix) = name.strip_prefix(base).and_then(|rest| rest.strip_prefix('.')) else {
        return false;
    };
    let (time, number) = suffix.split_once('-').unwrap_or((suffix, "0"));
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "00000000T000000.000Z" && number.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: i64 = 3_600_000;
    const NOON_MS: i64 = 1_795_176_000_000;

    struct Dir(tempfile::TempDir);

    impl Dir {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn open(&self, size: u64, total: u64, now_ms: i64) -> RotatingFile {
            let rotation = Rotation { size, age: Duration::from_hours(1), total };
            RotatingFile::open(&self.0.path().join("l.log"), rotation, now_ms).unwrap()
        }

        /// Names and contents, sorted: the current file before those put aside.
        fn files(&self) -> Vec<(String, String)> {
            let mut files: Vec<(String, String)> = fs::read_dir(self.0.path())
                .unwrap()
                .map(|entry| entry.unwrap())
                .map(|e| {
                    (e.file_name().into_string().unwrap(), fs::read_to_string(e.path()).unwrap())
                })
                .collect();
            files.sort();
            files
        }

        fn contents(&self) -> Vec<String> {
            self.files().into_iter().map(|(_, content)| content).collect()
        }
    }

    #[test]
    fn a_full_file_is_put_aside_and_no_line_is_split() {
        let dir = Dir::new();
        let mut file = dir.open(10, 1000, NOON_MS);
        for (n, line) in ["aaaa\n", "bbbb\n", "cccc\n"].into_iter().enumerate() {
            file.write_line(line, NOON_MS + i64::try_from(n).unwrap()).unwrap();
        }
        assert_eq!(dir.contents(), ["cccc\n", "aaaa\nbbbb\n"]);
        assert_eq!(dir.files()[1].0, "l.log.20261120T120000.002Z");
    }

    #[test]
    fn an_old_file_is_put_aside_even_when_small() {
        let dir = Dir::new();
        let mut file = dir.open(1000, 9000, NOON_MS);
        file.write_line("old\n", NOON_MS).unwrap();
        file.write_line("same hour\n", NOON_MS + HOUR_MS - 1).unwrap();
        file.write_line("new\n", NOON_MS + HOUR_MS).unwrap();
        assert_eq!(dir.contents(), ["new\n", "old\nsame hour\n"]);
    }

    #[test]
    fn all_files_together_stay_below_the_cap_and_the_newest_remain() {
        let dir = Dir::new();
        let mut file = dir.open(10, 35, NOON_MS);
        fs::write(dir.0.path().join("l.log.old"), "not ours, stays").unwrap();
        for n in 0..20 {
            file.write_line(&format!("line {n:03}\n"), NOON_MS + n).unwrap();
        }
        let ours: Vec<String> = dir
            .files()
            .into_iter()
            .filter(|(name, _)| name != "l.log.old")
            .map(|(_, c)| c)
            .collect();
        assert_eq!(ours, ["line 019\n", "line 017\n", "line 018\n"]);
        assert_eq!(dir.files().len(), 4);
    }

    #[test]
    fn two_rotations_in_one_moment_keep_both_files() {
        let dir = Dir::new();
        let mut file = dir.open(4, 1000, NOON_MS);
        for line in ["aaa\n", "bbb\n", "ccc\n"] {
            file.write_line(line, NOON_MS).unwrap();
        }
        assert_eq!(dir.contents(), ["ccc\n", "aaa\n", "bbb\n"]);
    }

    #[test]
    fn a_restart_goes_on_with_the_file() {
        let dir = Dir::new();
        let now_ms = crate::clock::now_ms();
        dir.open(12, 1000, now_ms).write_line("before\n", now_ms).unwrap();
        let mut file = dir.open(12, 1000, now_ms);
        file.write_line("now\n", now_ms).unwrap();
        assert_eq!(dir.contents(), ["before\nnow\n"]);
        file.write_line("then\n", now_ms).unwrap();
        assert_eq!(dir.contents(), ["then\n", "before\nnow\n"]);
    }
}
