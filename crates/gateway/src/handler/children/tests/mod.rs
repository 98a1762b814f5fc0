//! Real children, as handlers run them: with control groups where this machine has them, and
//! as on one that has none.

mod groups;
mod limits;
mod talk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larkline_store::task::TaskId;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::{Children, End, Heard, Isolating, Job, Limits, Outcome, Talk};

/// No wait of a test is longer; all are for conditions that come within milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

const BOTH: [Isolating; 2] = [Isolating::Auto, Isolating::Off];

/// Starts `sleep` in a session of its own, and waits until its number is in `pid`.
const HIDDEN: &str = "setsid sh -c 'echo $$ > pid; exec sleep 1000' &
    until [ -s pid ]; do sleep 0.01; done";

/// A gateway's children, and a folder in which they work.
struct Nursery {
    home: TempDir,
    children: Children,
    limits: Limits,
}

impl Nursery {
    fn new(isolating: Isolating) -> Self {
        let home = tempfile::tempdir().unwrap();
        let children = Children::open_with(&home.path().join("state"), isolating).unwrap();
        let limits = Limits {
            wall: PATIENCE,
            idle: None,
            grace: Duration::from_secs(5),
            output_bytes: 1 << 30,
            memory_bytes: None,
            file_bytes: None,
            memory_tree: None,
            processes: None,
            cpu_percent: None,
        };
        Self { home, children, limits }
    }

    fn job(&self, argv: &[&str]) -> Job {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
        Job {
            argv: argv.iter().map(|&word| word.to_owned()).collect(),
            cwd: Some(self.home.path().to_owned()),
            env: BTreeMap::from([("PATH".to_owned(), path)]),
            input: Vec::new(),
            handler: "script".to_owned(),
            task: TaskId(7),
            limits: self.limits.clone(),
        }
    }

    /// Talks to a POSIX shell script.
    async fn talk(&self, script: &str) -> Talk {
        within(self.children.talk(self.job(&["sh", "-c", script]))).await.unwrap()
    }

    async fn run(&self, job: Job) -> Outcome {
        within(self.children.run(job, &CancellationToken::new())).await.unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The number a script wrote to a file.
    async fn pid(&self, file: &str) -> i32 {
        let mut found = None;
        until(|| {
            found = number(&self.path(file));
            found.is_some()
        })
        .await;
        found.unwrap()
    }

    fn records(&self) -> usize {
        std::fs::read_dir(self.path("state/children")).unwrap().count()
    }
}

fn number(path: &Path) -> Option<i32> {
    std::fs::read_to_string(path).ok()?.strip_suffix('\n')?.trim().parse().ok()
}

fn line(text: &str) -> Heard {
    Heard::Line(text.as_bytes().to_vec())
}

fn well(end: End) -> bool {
    matches!(end, End::Exited(status) if status.success())
}

/// The next that is heard, within patience.
async fn next(talk: &mut Talk) -> Heard {
    within(talk.next()).await
}

/// All lines to its end.
async fn all(talk: &mut Talk) -> (Vec<String>, End) {
    let mut lines = Vec::new();
    loop {
        match next(talk).await {
            Heard::Line(line) => lines.push(String::from_utf8(line).unwrap()),
            Heard::LineTooLong { bytes } => panic!("a line of {bytes} bytes"),
            Heard::Ended(end) => return (lines, end),
        }
    }
}

async fn until(mut condition: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    within(async {
        while !condition() {
            look.tick().await;
        }
    })
    .await;
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it never came")
}

/// True while the process runs.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

#[tokio::test]
async fn a_child_that_must_not_wait_for_the_disk_runs_and_ends_without_a_record() {
    let nursery = Nursery::new(Isolating::Auto);
    for (children, records) in
        [(nursery.children.clone(), "1\n"), (nursery.children.unrecorded(), "0\n")]
    {
        let job = nursery.job(&["sh", "-c", "ls state/children | wc -l"]);
        let outcome = within(children.run(job, &CancellationToken::new())).await.unwrap();
        assert!(well(outcome.end), "{outcome:?}");
        assert_eq!(String::from_utf8_lossy(&outcome.output).trim_start(), records);
        until(|| children.running().is_empty() && nursery.records() == 0).await;
    }
}
