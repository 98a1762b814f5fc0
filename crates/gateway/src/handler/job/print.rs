//! What a job prints: a file of it all, and the end of it.

use std::future::pending;
use std::path::Path;
use std::time::Duration;

use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep_until};

use super::tail::Tail;
use crate::jobs::OUTPUT;

/// The file grows no further: whoever prints more has no reader, and the disk an end.
const FILE_BYTES_MAX: usize = 64 << 20;
/// Written together.
const WRITE_BYTES: usize = 64 * 1024;
/// Whoever looks at a running job sees what it printed so long ago.
const WRITE_EVERY: Duration = Duration::from_secs(1);

/// What one attempt prints.
pub(super) struct Print {
    tail: Tail,
    /// None when it cannot be written: then the end is all there is.
    file: Option<File>,
    waiting: Vec<u8>,
    room: usize,
    write_at: Option<Instant>,
}

impl Print {
    /// Opens the file; a second attempt goes on in it.
    pub(super) async fn open(folder: &Path, attempt: u32) -> Self {
        let path = folder.join(OUTPUT);
        let mut options = File::options();
        options.create(true).append(attempt > 1).write(true).truncate(attempt <= 1).mode(0o600);
        let file = options.open(&path).await;
        let file = file.inspect_err(|error| {
            tracing::warn!(path = %path.display(), "what a job prints is not kept: {error}");
        });
        let (tail, waiting) = (Tail::default(), Vec::new());
        let mut print =
            Self { tail, file: file.ok(), waiting, room: FILE_BYTES_MAX, write_at: None };
        if attempt > 1 {
            print.keep(format!("--- attempt {attempt}\n").as_bytes()).await;
        }
        print
    }

    /// One line.
    pub(super) async fn line(&mut self, line: &[u8]) {
        self.tail.push(line);
        self.keep(line).await;
        self.keep(b"\n").await;
    }

    /// Resolves when something has waited long enough to be written.
    pub(super) async fn due(&self) {
        match self.write_at {
            Some(at) => sleep_until(at).await,
            None => pending().await,
        }
    }

    /// Writes what waits.
    pub(super) async fn write(&mut self) {
        self.write_at = None;
        let waiting = std::mem::take(&mut self.waiting);
        let Some(file) = &mut self.file else { return };
        let written = async {
            file.write_all(&waiting).await?;
            file.flush().await
        };
        if let Err(error) = written.await {
            tracing::warn!("what a job prints is not kept any more: {error}");
            self.file = None;
        }
    }

    /// The end of it.
    pub(super) async fn end(mut self) -> String {
        self.write().await;
        self.tail.text()
    }

    async fn keep(&mut self, bytes: &[u8]) {
        if self.file.is_none() || bytes.len() > self.room {
            self.room = 0;
            return;
        }
        self.room -= bytes.len();
        self.waiting.extend_from_slice(bytes);
        self.write_at.get_or_insert_with(|| Instant::now() + WRITE_EVERY);
        if self.waiting.len() > WRITE_BYTES {
            self.write().await;
        }
    }
}
