//! Shell scripts as handlers, and what is left of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use larkline_client::{Dialer, NetOptions, ProxyChoice};
use larkline_gateway::config::{
    self, Bytes, Common, OutputFormat, ReplyStyle, RetrySettings, SessionBy,
};
use larkline_gateway::handler::children::Isolating;
use larkline_gateway::handler::{
    Answer, Children, Command, Handler, HandlerError, Resources, Turn,
};
use tempfile::TempDir;

/// No wait of a test is longer; all are for conditions that come within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A state directory, a working directory, and scripts that run there.
pub(crate) struct Scripts {
    home: TempDir,
    pub(crate) resources: Resources,
    pub(crate) settings: config::Command,
}

impl Scripts {
    pub(crate) fn new() -> Self {
        Self::isolated(Isolating::Auto)
    }

    /// With control groups where there are any, or as where there are none.
    pub(crate) fn isolated(isolating: Isolating) -> Self {
        let home = tempfile::tempdir().unwrap();
        let resources = Resources {
            children: Children::open_with(&home.path().join("state"), isolating).unwrap(),
            dialer: dialer(),
            env: gateway_env(),
            kill_grace: Duration::from_secs(5),
            state_dir: home.path().join("state"),
        };
        let settings = config::Command {
            argv: Vec::new(),
            cwd: Some(home.path().to_owned()),
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            timeout: PATIENCE,
            idle: None,
            output_max: Bytes(1 << 20),
            output: OutputFormat::Text,
            memory: None,
            file_max: None,
            background: false,
            common: common(),
        };
        Self { home, resources, settings }
    }

    /// A handler that runs this POSIX shell script.
    pub(crate) fn handler(&self, script: &str) -> Command {
        let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
        Command::new(config::Command { argv, ..self.settings.clone() }, &self.resources)
    }

    /// The same through the whole way from its configuration.
    pub(crate) fn configured(&self, argv: &[&str]) -> Handler {
        let argv = argv.iter().map(|&word| word.to_owned()).collect();
        let settings = config::Command { argv, ..self.settings.clone() };
        Handler::new(&config::Handler::Command(settings), &self.resources).unwrap()
    }

    pub(crate) fn children(&self) -> &Children {
        &self.resources.children
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

/// A way to the network without a proxy.
pub(crate) fn dialer() -> Dialer {
    let options = NetOptions { proxy: ProxyChoice::None, ..NetOptions::default() };
    Dialer::new(&options).unwrap()
}

/// What every handler has; nothing here is the handler's own business.
pub(crate) fn common() -> Common {
    let retry =
        RetrySettings { attempts: 1, first: Duration::ZERO, max: Duration::ZERO, factor: 1 };
    Common {
        session: SessionBy::Chat,
        concurrency: 1,
        retry,
        reply: ReplyStyle::Quote,
        reply_in_thread: false,
        reaction: None,
    }
}

/// What the gateway of these tests was started with.
fn gateway_env() -> BTreeMap<String, String> {
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
