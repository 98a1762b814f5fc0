//! The three pipes of a child: its input, its answer, its complaints.
//!
//! All three move in one step, so that a child that never reads cannot block one that writes.
//! Memory is bounded: the answer by its limit, the complaints by their last bytes. When to
//! stop is not decided here.

use std::future::pending;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};
use tokio::time::Instant;

/// How much of stderr is kept: enough for a stack trace, little enough for a log.
pub(super) const STDERR_BYTES_MAX: usize = 16 * 1024;

/// One read; a pipe holds as much by default.
const READ_BYTES: usize = 64 * 1024;

/// The pipes of one child.
pub(super) struct Streams {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    input: Vec<u8>,
    written: usize,
    output_max: usize,
    scratch: [Box<[u8]>; 2],
    /// What the child wrote to stdout, at most `output_max` bytes.
    pub(super) output: Vec<u8>,
    /// The end of what the child wrote to stderr.
    pub(super) complaints: Vec<u8>,
    /// It wrote more to stdout than it may; the rest was thrown away.
    pub(super) too_much: bool,
    /// When it last wrote anything.
    pub(super) last_output: Instant,
}

enum Moved {
    Written(usize),
    Output(usize),
    Complaint(usize),
}

impl Streams {
    /// Takes the pipes from a child that was just started.
    pub(super) fn new(child: &mut Child, input: Vec<u8>, output_max: usize) -> Self {
        let buffer = || vec![0; READ_BYTES].into_boxed_slice();
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            input,
            written: 0,
            output_max,
            scratch: [buffer(), buffer()],
            output: Vec::new(),
            complaints: Vec::new(),
            too_much: false,
            last_output: Instant::now(),
        }
    }

    /// True while the child, or a process it left its pipes to, may write.
    pub(super) fn readable(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// True while anything can move.
    pub(super) fn open(&self) -> bool {
        self.readable() || self.stdin.is_some()
    }

    /// Moves some bytes of one pipe. Safe to cancel.
    pub(super) async fn step(&mut self) {
        let [out, err] = &mut self.scratch;
        let moved = tokio::select! {
            n = write(&mut self.stdin, &self.input[self.written..]) => Moved::Written(n),
            n = read(&mut self.stdout, out) => Moved::Output(n),
            n = read(&mut self.stderr, err) => Moved::Complaint(n),
        };
        match moved {
            Moved::Written(n) => {
                self.written += n;
                if n == 0 || self.written == self.input.len() {
                    // Closing it is the end of input for the child.
                    self.stdin = None;
                }
            }
            Moved::Output(0) => self.stdout = None,
            Moved::Complaint(0) => self.stderr = None,
            Moved::Output(n) => self.keep_output(n),
            Moved::Complaint(n) => self.keep_complaint(n),
        }
    }

    /// Reads to the end of both outputs.
    pub(super) async fn drain(&mut self) {
        self.stdin = None;
        while self.readable() {
            self.step().await;
        }
    }

    fn keep_output(&mut self, read: usize) {
        self.last_output = Instant::now();
        let room = self.output_max - self.output.len();
        self.too_much |= read > room;
        self.output.extend_from_slice(&self.scratch[0][..read.min(room)]);
    }

    fn keep_complaint(&mut self, read: usize) {
        self.last_output = Instant::now();
        keep_end(&mut self.complaints, &self.scratch[1][..read], STDERR_BYTES_MAX);
    }
}

/// Appends, and forgets the oldest bytes beyond `max`.
fn keep_end(kept: &mut Vec<u8>, read: &[u8], max: usize) {
    kept.extend_from_slice(read);
    kept.drain(..kept.len().saturating_sub(max));
}

/// Some of the bytes; 0 when the child closed its input. Never ends on a closed pipe.
async fn write(pipe: &mut Option<ChildStdin>, bytes: &[u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.write(bytes).await.unwrap_or(0),
        None => pending().await,
    }
}

/// Some bytes; 0 at the end. Never ends on a closed pipe.
async fn read(pipe: &mut Option<impl AsyncRead + Unpin>, into: &mut [u8]) -> usize {
    match pipe {
        Some(pipe) => pipe.read(into).await.unwrap_or(0),
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_and_no_more() {
        let mut kept = Vec::new();
        for read in ["ab", "cde", "", "f"] {
            keep_end(&mut kept, read.as_bytes(), 4);
            assert!(kept.len() <= 4);
        }
        assert_eq!(kept, b"cdef");
    }
}
