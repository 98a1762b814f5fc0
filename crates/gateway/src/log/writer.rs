//! The one thread that writes lines, and the bounded queue before it.

use std::borrow::Cow;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::rotate::RotatingFile;
use super::scrub::scrub;
use crate::clock;

/// Lines that may wait: some seconds of a busy log, at most a few megabytes. When it is full a
/// line is dropped and counted, and the next that gets through is preceded by the count.
const LINES_MAX: usize = 4096;

/// Longest line; the rest is cut off. An error text can hold a whole web page.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Longest line in the queue, so that it has a bound in bytes; what is cut here would be cut again.
const QUEUED_BYTES_MAX: usize = 4 * LINE_BYTES_MAX;

/// Lines that came together go out together, up to so much.
const GATHERED_BYTES: usize = 32 * 1024;

/// While lines come one by one faster than [`WAKES`] in this time, they are let come for so long and
/// are written together: a busy gateway does not change threads for each of them. A line that
/// comes in a calm moment is written at once; a kill loses no more than the lines of this time.
const GATHER: Duration = Duration::from_millis(5);

/// See [`GATHER`]: as many as a few messages on their whole path.
const WAKES: u32 = 16;

/// How long the end of the process waits for the last lines.
const FLUSH_DEADLINE: Duration = Duration::from_secs(1);

/// Takes lines without ever waiting; one for every place that logs.
#[derive(Clone, Debug)]
pub(super) struct LineQueue {
    lines: SyncSender<Entry>,
    /// Of the line that is written next.
    level: Level,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(String, Level),
    /// Everything before this is written; says so by hanging up.
    Flush(std::sync::mpsc::Sender<()>),
}

/// The thread; dropping this waits for what is queued, within [`FLUSH_DEADLINE`].
#[derive(Debug)]
pub(super) struct LineWriter {
    queue: LineQueue,
}

impl LineQueue {
    /// Lines dropped so far.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn offer(&self, line: String) {
        match self.lines.try_send(Entry::Line(line, self.level)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl Write for LineQueue {
    /// Takes one formatted event, as the formatter hands them over: whole, in one call.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.offer(
            String::from_utf8_lossy(&bytes[..bytes.len().min(QUEUED_BYTES_MAX)]).into_owned(),
        );
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LineQueue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Self {
        Self { level: *about.level(), ..self.clone() }
    }
}

impl LineWriter {
    /// Starts the thread. It ends when the writer and all queues are gone; a system that
    /// cannot start a thread gets no log, and every line counts as dropped.
    /// With `priorities` each line on `out` begins with its own, as the journal reads them.
    pub(super) fn start(
        out: Box<dyn Write + Send>,
        priorities: bool,
        file: Option<RotatingFile>,
    ) -> Self {
        let (lines, receiver) = sync_channel(LINES_MAX);
        let queue = LineQueue { lines, level: Level::INFO, dropped: Arc::default() };
        let dropped = Arc::clone(&queue.dropped);
        let mut sinks =
            Sinks { out, priorities, gathered: String::new(), file, file_failed: false };
        let thread = thread::Builder::new().name("log".to_owned());
        if let Err(error) = thread.spawn(move || write_lines(&receiver, &dropped, &mut sinks)) {
            tracing::error!(%error, "no thread for the log");
        }
        Self { queue }
    }

    pub(super) fn queue(&self) -> &LineQueue {
        &self.queue
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        let (done, wait) = channel();
        // A full queue means that nobody reads: then there is nothing to wait for.
        if self.queue.lines.try_send(Entry::Flush(done)).is_ok() {
            // Either way the wait is over: the thread hung up, or the deadline passed.
            wait.recv_timeout(FLUSH_DEADLINE).ok();
        }
    }
}

fn write_lines(lines: &Receiver<Entry>, dropped: &AtomicU64, sinks: &mut Sinks) {
    let mut told = 0;
    let mut pace = Pace { began: Instant::now(), wakes: 0 };
    while let Ok(entry) = lines.try_recv().or_else(|_| {
        // Nothing more is queued: what was gathered goes out in one piece.
        sinks.flush();
        pace.keep();
        lines.recv()
    }) {
        let (line, level) = match entry {
            Entry::Line(line, level) => (line, level),
            Entry::Flush(done) => {
                sinks.flush();
                drop(done);
                continue;
            }
        };
        let total = dropped.load(Ordering::Relaxed);
        if total > told {
            let lost = total - told;
            let lost = format!("({lost} log lines were dropped: the log is read too slowly)\n");
            sinks.write(&lost, Level::WARN);
            told = total;
        }
        sinks.write(&cut(scrub(&line)), level);
    }
    sinks.flush();
}

/// A line of bounded length. What it hides is hidden before it is cut: half a secret has no form by
/// which it is known.
fn cut(line: Cow<'_, str>) -> Cow<'_, str> {
    if line.len() <= LINE_BYTES_MAX {
        return line;
    }
    Cow::Owned(format!("{}… (cut)\n", &line[..line.floor_char_boundary(LINE_BYTES_MAX)]))
}

/// A level as syslog counts, in the spelling of `sd-daemon(3)`.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        Level::DEBUG | Level::TRACE => "<7>",
    }
}

/// How often the thread was woken lately.
struct Pace {
    began: Instant,
    wakes: u32,
}

impl Pace {
    /// Called before waiting for a line; sleeps when that was done too often.
    fn keep(&mut self) {
        self.wakes += 1;
        if self.began.elapsed() >= GATHER {
            *self = Self { began: Instant::now(), wakes: 0 };
        } else if self.wakes >= WAKES {
            thread::sleep(GATHER);
        }
    }
}

/// Where lines go.
struct Sinks {
    out: Box<dyn Write + Send>,
    priorities: bool,
    /// Whole lines on their way to `out`.
    gathered: String,
    file: Option<RotatingFile>,
    file_failed: bool,
}

impl Sinks {
    /// Writes a line everywhere. A file that fails is said on the other sink, once until it
    /// heals; when that fails too there is nobody left to tell.
    fn write(&mut self, line: &str, level: Level) {
        if let Some(file) = &mut self.file {
            let result = file.write_line(line, clock::now_ms());
            let failed = result.is_err();
            if let (Err(error), false) = (result, self.file_failed) {
                let path = file.path().display();
                let told = format!("(the log file {path} cannot be written: {error})\n");
                self.gathered.push_str(&told);
            }
            self.file_failed = failed;
        }
        if self.priorities {
            self.gathered.push_str(priority(level));
        }
        self.gathered.push_str(line);
        if self.gathered.len() >= GATHERED_BYTES {
            self.flush();
        }
    }

    /// Hands on what was gathered.
    fn flush(&mut self) {
        self.out.write_all(self.gathered.as_bytes()).ok();
        self.gathered.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::Sender;
    use std::sync::{Mutex, MutexGuard};

    use super::*;

    /// A terminal nobody reads: each write waits for a permission.
    struct Stuck {
        go: Receiver<()>,
        seen: Arc<Mutex<String>>,
    }

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // Without a permission-giver left, everything may pass.
            self.go.recv().ok();
            seen(&self.seen).push_str(&String::from_utf8_lossy(bytes));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn seen(text: &Mutex<String>) -> MutexGuard<'_, String> {
        text.lock().unwrap()
    }

    fn stuck() -> (LineWriter, Sender<()>, Arc<Mutex<String>>) {
        let (permit, go) = channel();
        let seen = Arc::<Mutex<String>>::default();
        let out = Stuck { go, seen: Arc::clone(&seen) };
        (LineWriter::start(Box::new(out), false, None), permit, seen)
    }

    #[test]
    fn a_reader_that_hangs_costs_lines_and_no_time() {
        let (writer, permit, text) = stuck();
        let mut queue = writer.queue().clone();
        // More than the queue and what was gathered before the reader hung.
        for n in 0..LINES_MAX + GATHERED_BYTES {
            queue.write_all(format!("line {n}\n").as_bytes()).unwrap();
        }
        assert!(queue.dropped() >= 99, "{} dropped", queue.dropped());
        let dropped = queue.dropped();
        drop(permit);
        while queue.lines.try_send(Entry::Line("after\n".to_owned(), Level::INFO)).is_err() {
            thread::yield_now();
        }
        while !seen(&text).ends_with("after\n") {
            thread::yield_now();
        }
        let told = |line: &str| {
            line.strip_prefix('(')?.split_once(" log lines were dropped")?.0.parse::<u64>().ok()
        };
        assert_eq!(seen(&text).lines().filter_map(told).sum::<u64>(), dropped);
    }

    #[test]
    fn the_end_waits_for_what_is_queued() {
        let (writer, permit, text) = stuck();
        writer.queue().clone().write_all(b"last words\n").unwrap();
        drop(permit);
        drop(writer);
        assert_eq!(*seen(&text), "last words\n");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let (writer, permit, text) = stuck();
        let line = "界".repeat(LINE_BYTES_MAX);
        writer.queue().clone().write_all(line.as_bytes()).unwrap();
        drop(permit);
        drop(writer);
        let seen = seen(&text);
        assert!(seen.len() < LINE_BYTES_MAX + 32 && seen.ends_with("… (cut)\n"));
    }
}
