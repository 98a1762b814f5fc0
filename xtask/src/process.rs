//! Long commands: their lines are passed on as they come, and they end by a deadline.
//!
//! Short commands whose output is data are `workspace::output`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Lines in flight between a child and us; a child that writes faster waits.
const LINES_MAX: usize = 256;

/// Real time; the steps are timed by it and nothing else.
#[expect(clippy::disallowed_methods, reason = "a developer's tool measures real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// A child that is ended when it goes out of scope, so that no run leaves one behind.
pub(crate) struct Guard(pub(crate) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // Both fail when the child has already ended, which is what was wanted.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Runs `command`, prints its lines, shows each to `look`; `true` if it exited with 0.
///
/// Its stdin is closed.
pub(crate) fn stream(
    command: &mut Command,
    deadline: Duration,
    mut look: impl FnMut(&str),
) -> Result<bool> {
    let end = now() + deadline;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
    let mut child = Guard(child);
    let (sender, lines) = sync_channel(LINES_MAX);
    forward(child.0.stdout.take(), sender.clone());
    forward(child.0.stderr.take(), sender);
    loop {
        match lines.recv_timeout(end.saturating_duration_since(now())) {
            Ok(line) => {
                println!("{line}");
                look(&line);
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(child.0.wait()?.success()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("{command:?} was ended after {} s", deadline.as_secs())
            }
        }
    }
}

/// Sends the lines of one pipe until it closes or nobody listens.
fn forward(pipe: Option<impl Read + Send + 'static>, lines: SyncSender<String>) {
    let Some(pipe) = pipe else { return };
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                return;
            }
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
}
