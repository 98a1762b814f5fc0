//! What passes between a child's pipes and whoever runs it or talks to it.
//!
//! The pipes are moved by one future (`streams`), which never waits for the other side: what
//! was read is kept here until it is taken, what is to be said is kept until the child reads
//! it. Both are bounded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::lines::{Cut, LINE_BYTES_MAX, Lines};

/// So much output may wait to be taken before the child is read no further: two of the longest
/// lines, so that one can always be completed. Nothing is lost: a full pipe makes it wait.
pub(super) const UNREAD_BYTES_MAX: usize = 2 * LINE_BYTES_MAX;

/// So much may wait for the child to read it. A line that is too long to be heard from a child
/// need not be said to one; beyond it [`Exchange::say`] refuses.
pub(super) const UNSAID_BYTES_MAX: usize = LINE_BYTES_MAX;

/// Between the pipes of one child and the rest of the gateway.
#[derive(Debug)]
pub(super) struct Exchange {
    state: Mutex<State>,
    /// For the talker: there is more to take.
    heard: Notify,
    /// For the pipes: something was said or decided.
    told: Notify,
}

#[derive(Debug)]
struct State {
    lines: Lines,
    unsaid: BytesMut,
    /// So many bytes were given to the pipe, which has not taken them yet.
    saying: usize,
    /// After what is unsaid comes the end of input.
    closing: bool,
    /// The child hears nothing any more.
    deaf: bool,
    /// Nobody reads its output.
    thrown_away: bool,
    /// Too much unread output is a reason to wait.
    patient: bool,
    /// Silence does not count now.
    held: bool,
    /// Since when silence counts.
    quiet_since: Instant,
}

/// What the pipe to the child is to do next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// Write these.
    Say(Bytes),
    /// Close.
    Close,
    /// Wait until something was said.
    None,
}

impl Exchange {
    /// For a child that is told everything at once, and whose output is limited but kept whole.
    pub(super) fn once(input: &[u8]) -> Self {
        let exchange = Self::open(input);
        {
            let mut state = exchange.lock();
            state.closing = true;
            state.patient = false;
        }
        exchange
    }

    /// For a child that is told everything at once, and whose output nobody reads: it may write as much
    /// as it likes.
    pub(super) fn unread(input: &[u8]) -> Self {
        let exchange = Self::once(input);
        exchange.lock().thrown_away = true;
        exchange
    }

    /// For a child that is talked to; it reads this first.
    pub(super) fn open(input: &[u8]) -> Self {
        let state = State {
            lines: Lines::new(LINE_BYTES_MAX),
            unsaid: BytesMut::from(input),
            saying: 0,
            closing: false,
            deaf: false,
            thrown_away: false,
            patient: true,
            held: false,
            quiet_since: Instant::now(),
        };
        Self { state: Mutex::new(state), heard: Notify::new(), told: Notify::new() }
    }

    /// Bytes for the child; false when there is no room for them, or nobody to read them.
    pub(super) fn say(&self, bytes: &[u8]) -> bool {
        let mut state = self.lock();
        let waiting = state.unsaid.len() + state.saying;
        if state.closing || state.deaf || waiting + bytes.len() > UNSAID_BYTES_MAX {
            return false;
        }
        state.unsaid.extend_from_slice(bytes);
        self.told.notify_one();
        true
    }

    /// The end of input, after what was said.
    pub(super) fn close(&self) {
        self.lock().closing = true;
        self.told.notify_one();
    }

    /// Silence does not count while it is held; released, it begins anew.
    pub(super) fn hold_quiet(&self, hold: bool) {
        let mut state = self.lock();
        state.held = hold;
        state.quiet_since = Instant::now();
        self.told.notify_one();
    }

    /// From now on unread output is no reason to wait: the child ends, and what it wrote is
    /// read to its end.
    pub(super) fn read_on(&self) {
        self.lock().patient = false;
        self.told.notify_one();
    }

    /// The next line that has an end.
    pub(super) fn cut(&self) -> Option<Cut> {
        let mut state = self.lock();
        let full = state.full();
        let cut = state.lines.cut();
        if full && !state.full() {
            // It could not write meanwhile, which is not its silence.
            state.quiet_since = Instant::now();
            self.told.notify_one();
        }
        cut
    }

    /// The last line, once the child has ended, if it has no end.
    pub(super) fn rest(&self) -> Option<Cut> {
        self.lock().lines.rest()
    }

    /// All output that was not cut into lines.
    pub(super) fn take(&self) -> Vec<u8> {
        self.lock().lines.take()
    }

    /// Waits until more output was read than at the last call.
    pub(super) async fn heard(&self) {
        self.heard.notified().await;
    }

    /// Since when the child is silent; nothing while its silence does not count.
    pub(super) fn quiet_since(&self) -> Option<Instant> {
        let state = self.lock();
        (!state.held && !state.full()).then_some(state.quiet_since)
    }

    /// True while the child is to be read no further.
    pub(super) fn full(&self) -> bool {
        self.lock().full()
    }

    /// Output of the child.
    pub(super) fn push(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if !state.thrown_away {
            state.lines.push(bytes);
        }
        state.quiet_since = Instant::now();
        self.heard.notify_one();
    }

    /// The child gave a sign of life that is no output.
    pub(super) fn stirred(&self) {
        self.lock().quiet_since = Instant::now();
    }

    /// What the pipe is to do, once it has done what it was told before.
    pub(super) fn words(&self) -> Words {
        let mut state = self.lock();
        if !state.unsaid.is_empty() {
            state.saying = state.unsaid.len();
            return Words::Say(state.unsaid.split().freeze());
        }
        if state.closing { Words::Close } else { Words::None }
    }

    /// The pipe took so many bytes.
    pub(super) fn said(&self, bytes: usize) {
        let mut state = self.lock();
        state.saying = state.saying.saturating_sub(bytes);
    }

    /// The child will read no more.
    pub(super) fn deafen(&self) {
        let mut state = self.lock();
        state.deaf = true;
        state.saying = 0;
        state.unsaid.clear();
    }

    /// Waits until something was said or decided since the last call.
    pub(super) async fn told(&self) {
        self.told.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn full(&self) -> bool {
        self.patient && self.lines.len() >= UNREAD_BYTES_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_child_does_not_read_fills_the_queue_and_no_more() {
        let exchange = Exchange::open(b"");
        let half = vec![0; UNSAID_BYTES_MAX / 2];
        assert!(exchange.say(&half));
        assert!(matches!(exchange.words(), Words::Say(_)));
        assert!(exchange.say(&half));
        assert!(!exchange.say(b"x"), "what the pipe has not taken counts");
        exchange.said(1);
        assert!(exchange.say(b"x"));
        exchange.deafen();
        assert!(!exchange.say(b"x"), "nobody hears it");
    }

    #[test]
    fn the_end_of_input_comes_after_all_that_was_said() {
        let exchange = Exchange::open(b"a");
        assert!(exchange.say(b"b"));
        exchange.close();
        assert!(!exchange.say(b"c"));
        assert_eq!(exchange.words(), Words::Say(Bytes::from_static(b"ab")));
        assert_eq!(exchange.words(), Words::Close);
    }

    #[test]
    fn silence_does_not_count_while_the_child_cannot_write_or_is_held() {
        let exchange = Exchange::open(b"");
        exchange.hold_quiet(true);
        assert_eq!(exchange.quiet_since(), None);
        exchange.hold_quiet(false);
        assert!(exchange.quiet_since().is_some());
        exchange.push(&vec![b'\n'; UNREAD_BYTES_MAX]);
        assert!(exchange.full());
        assert_eq!(exchange.quiet_since(), None);
        assert!(exchange.cut().is_some());
        assert!(exchange.quiet_since().is_some());
        exchange.push(b"\n");
        assert!(exchange.full());
        exchange.read_on();
        assert!(!exchange.full(), "its end does not wait for anybody");
    }
}
