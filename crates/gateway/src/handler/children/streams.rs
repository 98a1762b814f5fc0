//! The three pipes of a child: its input, its answer, its complaints.
//!
//! All three move in one step, so that a child that never reads cannot block one that writes.
//! Memory is bounded: the answer by its limit, the complaints by their last bytes, both ways
//! of the exchange by its own. When to stop is not decided here.

use std::future::pending;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

use super::exchange::{Exchange, Words};

/// How much of stderr is kept: enough for a stack trace, little enough for a log.
pub(super) const STDERR_BYTES_MAX: usize = 16 * 1024;

/// One read; a pipe holds as much by default.
const READ_BYTES: usize = 64 * 1024;

/// The pipes of one child.
pub(super) struct Streams {
    stdin: Option<ChildStdin>,
    stdout: Option<ChildStdout>,
    stderr: Option<ChildStderr>,
    /// Where its output goes, and what it is to be told comes from.
    exchange: Arc<Exchange>,
    /// What is being written.
    saying: Bytes,
    /// How much it may still write.
    output_left: usize,
    scratch: [Box<[u8]>; 2],
    /// The end of what the child wrote to stderr.
    pub(super) complaints: Vec<u8>,
    /// It wrote more to stdout than it may; the rest was thrown away.
    pub(super) too_much: bool,
}

enum Moved {
    Written(usize),
    Output(usize),
    Complaint(usize),
    Told,
}

impl Streams {
    /// Takes the pipes from a child that was just started.
    pub(super) fn new(child: &mut Child, exchange: Arc<Exchange>, output_max: usize) -> Self {
        let buffer = || vec![0; READ_BYTES].into_boxed_slice();
        Self {
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            exchange,
            saying: Bytes::new(),
            output_left: output_max,
            scratch: [buffer(), buffer()],
            complaints: Vec::new(),
            too_much: false,
        }
    }

    /// True while the child, or a process it left its pipes to, may write.
    pub(super) fn readable(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// Moves some bytes of one pipe, or returns because the exchange was told something. Safe
    /// to cancel.
    pub(super) async fn step(&mut self) {
        self.listen();
        let full = self.exchange.full();
        let [out, err] = &mut self.scratch;
        let moved = tokio::select! {
            n = write(&mut self.stdin, &self.saying) => Moved::Written(n),
            n = read(&mut self.stdout, out), if !full => Moved::Output(n),
            n = read(&mut self.stderr, err) => Moved::Complaint(n),
            () = self.exchange.told() => Moved::Told,
        };
        match moved {
            Moved::Written(0) => self.hang_up(),
            Moved::Written(n) => {
                self.saying.advance(n);
                self.exchange.said(n);
            }
            Moved::Output(0) => self.stdout = None,
            Moved::Complaint(0) => self.stderr = None,
            Moved::Output(n) => self.keep_output(n),
            Moved::Complaint(n) => self.keep_complaint(n),
            Moved::Told => {}
        }
    }

    /// Reads to the end of both outputs, whether or not anybody takes them.
    pub(super) async fn drain(&mut self) {
        self.hang_up();
        self.exchange.read_on();
        while self.readable() {
            self.step().await;
        }
    }

    /// Takes what is to be written next.
    fn listen(&mut self) {
        if self.stdin.is_none() || !self.saying.is_empty() {
            return;
        }
        match self.exchange.words() {
            Words::Say(words) => self.saying = words,
            Words::Close => self.hang_up(),
            Words::None => {}
        }
    }

    /// Closes its input, which is the end of input for the child.
    fn hang_up(&mut self) {
        self.stdin = None;
        self.saying.clear();
        self.exchange.deafen();
    }

    fn keep_output(&mut self, read: usize) {
        self.too_much |= read > self.output_left;
        let kept = read.min(self.output_left);
        self.output_left -= kept;
        self.exchange.push(&self.scratch[0][..kept]);
    }

    fn keep_complaint(&mut self, read: usize) {
        self.exchange.stirred();
        keep_end(&mut self.complaints, &self.scratch[1][..read], STDERR_BYTES_MAX);
    }
}

/// Appends, and forgets the oldest bytes beyond `max`.
fn keep_end(kept: &mut Vec<u8>, read: &[u8], max: usize) {
    kept.extend_from_slice(read);
    kept.drain(..kept.len().saturating_sub(max));
}

/// Some of the bytes; 0 when the child closed its input. Never ends on a closed pipe, or
/// without bytes.
async fn write(pipe: &mut Option<ChildStdin>, bytes: &[u8]) -> usize {
    match pipe {
        Some(pipe) if !bytes.is_empty() => pipe.write(bytes).await.unwrap_or(0),
        Some(_) | None => pending().await,
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
