//! Shell scripts as handlers, and what is left of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larkline_gateway::handler::children::Limits;
use larkline_gateway::handler::command::{Command, CommandSettings};
use larkline_gateway::handler::{Answer, Children, HandlerError, Turn};
use tempfile::TempDir;

/// No wait of a test is longer; all are for conditions that come within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A state directory, a working directory, and scripts that run there.
pub(crate) struct Scripts {
    home: TempDir,
    pub(crate) children: Children,
    pub(crate) settings: CommandSettings,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let children = Children::open(&home.path().join("state")).unwrap();
        let limits = Limits { wall: PATIENCE, grace: Duration::from_secs(5), ..Limits::default() };
        let cwd = Some(home.path().to_owned());
        Self { home, children, settings: CommandSettings { cwd, limits, ..Default::default() } }
    }

    /// A handler that runs this POSIX shell script.
    pub(crate) fn handler(&self, script: &str) -> Command {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        let settings = CommandSettings { argv, ..self.settings.clone() };
        Command::new(settings, &gateway_env(), self.children.clone())
    }

    /// Runs a script for one turn, within patience.
    pub(crate) async fn run(&self, script: &str, turn: &Turn) -> Result<Answer, HandlerError> {
        within(self.handler(script).handle(turn)).await
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.path("state")
    }

    /// The number a script wrote to a file.
    pub(crate) async fn pid(&self, file: &str) -> i32 {
        read_pid(&self.path(file)).await
    }
}

/// What the gateway of these tests was started with.
pub(crate) fn gateway_env() -> BTreeMap<String, String> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/bin:/bin".to_owned());
    [
        ("PATH", path.as_str()),
        ("TZ", "Asia/Shanghai"),
        ("FEISHU_APP_SECRET", "s3cret"),
        ("LARKLINE__APP__MAIN__APP_SECRET", "s3cret"),
        ("SMTP_PASSWORD", "s3cret"),
        ("EDITOR", "ed"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// The number that somebody writes, with a line end, to a file.
pub(crate) async fn read_pid(path: &Path) -> i32 {
    let mut found = None;
    until(|| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        found = text.strip_suffix('\n').and_then(|line| line.trim().parse().ok());
        found.is_some()
    })
    .await;
    found.unwrap()
}

/// Waits until a condition holds.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    within(async {
        while !condition() {
            look.tick().await;
        }
    })
    .await;
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, work).await.expect("it never came")
}

/// True while the process runs.
pub(crate) fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}
