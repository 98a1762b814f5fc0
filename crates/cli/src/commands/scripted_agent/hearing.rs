//! What comes in: lines on stdin, read by a thread of their own, and commands that have ended.
//!
//! Both arrive in one queue, so that whoever waits for anything also hears an interrupt.

use std::io::{BufRead as _, BufReader, Read as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;
use tokio::time::Instant;

use super::shell::Ran;

/// Things heard that nobody has looked at yet; a writer that is faster waits.
const HEARD_MAX: usize = 64;
/// Longest line: some pictures in base64. A longer one is no line of this wire.
const LINE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One thing that came in.
#[derive(Debug)]
pub(super) enum Heard {
    /// A line of the user.
    User(Value),
    /// A request of the other side.
    Control(Value),
    /// An answer to a request of ours.
    Response(Value),
    /// A line that is not of this wire: the real agent ends.
    Broken,
    /// There is nothing more to come.
    End,
    /// A command has ended.
    Ran(Ran),
}

/// The queue.
pub(super) struct Ears {
    heard: Receiver<Heard>,
    /// For those who wait for a command in our place.
    pub(super) tell: SyncSender<Heard>,
}

impl Ears {
    /// Begins to read stdin.
    pub(super) fn new() -> Self {
        let (tell, heard) = sync_channel(HEARD_MAX);
        let reader = tell.clone();
        std::thread::spawn(move || read(&reader));
        Self { heard, tell }
    }

    /// What came next; `None` when the time is up before anything did.
    pub(super) fn next(&self, until: Option<Instant>) -> Option<Heard> {
        let Some(until) = until else { return self.heard.recv().ok() };
        self.heard.recv_timeout(until.saturating_duration_since(Instant::now())).ok()
    }
}

/// Passes the lines of stdin on; ends with them, or with the process.
fn read(tell: &SyncSender<Heard>) {
    let mut stdin = BufReader::new(std::io::stdin());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = stdin.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let heard = match read {
            Ok(0) | Err(_) => Heard::End,
            Ok(_) => match meaning(&line) {
                Some(heard) => heard,
                None => continue,
            },
        };
        let last = matches!(heard, Heard::End | Heard::Broken);
        if tell.send(heard).is_err() || last {
            return;
        }
    }
}

/// What a line is; empty ones and unknown types are nothing.
fn meaning(line: &[u8]) -> Option<Heard> {
    if line.trim_ascii().is_empty() {
        return None;
    }
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return Some(Heard::Broken) };
    match value["type"].as_str().unwrap_or_default() {
        "user" => Some(Heard::User(value)),
        "control_request" => Some(Heard::Control(value)),
        "control_response" => Some(Heard::Response(value)),
        _ => None,
    }
}
