//! Processes that take a while: their lines are passed on as they come, and they end by a deadline.
//!
//! Short commands whose output is data are `workspace::output`.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::line;

/// Lines in flight between a child and us; a child that writes faster waits.
const LINES_MAX: usize = 256;

/// Real time; the steps are timed by it and nothing else.
#[expect(clippy::disallowed_methods, reason = "a developer's tool measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A child that is ended when this goes out of scope, so that no run leaves one behind.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail when the child has already ended, which is what was wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// A process that serves until this is dropped. Its stdin is open as long as we live, so that one
/// which watches it ends even if we are killed.
pub(crate) struct Server {
    /// The line by which it said that it is ready.
    pub(crate) said: String,
    _child: Guard,
}

impl Server {
    /// Starts `command` and waits for its opening line on stdout; later lines are read and dropped.
    pub(crate) fn start(command: &mut Command, deadline: Duration) -> Result<Self> {
        let (child, lines) = spawn(command.stdin(Stdio::piped()))?;
        let said = lines.recv_timeout(deadline).with_context(|| {
            format!("`{}` said nothing within {} s", line(command), deadline.as_secs())
        })?;
        Ok(Self { said, _child: child })
    }
}

/// A process that writes its output to a file until this is dropped. Its stdin is as a [`Server`]'s.
pub(crate) struct Logged {
    log: PathBuf,
    child: Guard,
}

impl Logged {
    /// Starts `command` with both outputs in the new file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log)?;
        command.stdin(Stdio::piped()).stdout(file.try_clone()?).stderr(file);
        let child = command.spawn().with_context(|| format!("cannot start `{}`", line(command)))?;
        Ok(Self { log: log.to_owned(), child: Guard(child) })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// What it has written so far.
    pub(crate) fn log(&self) -> Result<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }
}

/// Runs `command` to its end, shows each line to `look`; `true` if it exited with 0.
pub(crate) fn stream(
    command: &mut Command,
    deadline: Duration,
    mut look: impl FnMut(&str),
) -> Result<bool> {
    let end = now() + deadline;
    let (mut child, lines) = spawn(command.stdin(Stdio::null()).stderr(Stdio::piped()))?;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(now())) {
            Ok(text) => look(&text),
            Err(RecvTimeoutError::Disconnected) => return Ok(child.0.wait()?.success()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("`{}` was ended after {} s", line(command), deadline.as_secs())
            }
        }
    }
}

/// Starts `command`; its lines arrive until its pipes close.
fn spawn(command: &mut Command) -> Result<(Guard, Receiver<String>)> {
    command.stdout(Stdio::piped());
    let child = command.spawn().with_context(|| format!("cannot start `{}`", line(command)))?;
    let mut child = Guard(child);
    let (sender, lines) = sync_channel(LINES_MAX);
    forward(child.0.stdout.take(), sender.clone());
    forward(child.0.stderr.take(), sender);
    Ok((child, lines))
}

/// Sends the lines of one pipe until it closes; reads on when nobody listens any more, because a
/// full pipe would stop the writer.
fn forward(pipe: Option<impl Read + Send + 'static>, lines: SyncSender<String>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            drop(lines.send(String::from_utf8_lossy(&line).into_owned()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended_at_its_deadline() {
        let mut command = Command::new("sleep");
        let error = stream(command.arg("600"), Duration::from_millis(50), |_| {}).unwrap_err();
        assert!(error.to_string().contains("was ended"), "{error}");
    }

    #[test]
    fn both_pipes_are_seen_and_the_exit_code_counts() {
        let mut seen = Vec::new();
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let passed =
            stream(&mut command, Duration::from_secs(30), |line| seen.push(line.to_owned()));
        assert!(!passed.unwrap());
        seen.sort();
        assert_eq!(seen, ["err", "out"]);
    }

    #[test]
    fn a_server_is_known_by_its_opening_line_and_one_that_dies_by_an_error() {
        let mut lasting = Command::new("sh");
        lasting.args(["-c", "echo ready; exec sleep 600"]);
        assert_eq!(Server::start(&mut lasting, Duration::from_secs(30)).unwrap().said, "ready");
        assert!(Server::start(&mut Command::new("true"), Duration::from_secs(30)).is_err());
    }
}
