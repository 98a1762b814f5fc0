//! The demo's parts: a simulator in this process, the gateway as a child.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http::Method;
use larkline_gateway::admin::client;
use larkline_gateway::status::Status;
use larkline_gateway::story::Story;
use larkline_proto::id::{ChatId, OpenId};
use larkline_sim::{AppSpec, Sim, SimOptions};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use crate::output;

/// How long anything in the demo may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the gateway is asked whether it is ready.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// The demo's redeliveries come within a second instead of after 15 s and more.
const REDELIVERY: Duration = Duration::from_millis(700);

/// Simulator, gateway, and two people.
pub(super) struct Rig {
    /// The platform.
    pub(super) sim: Sim,
    /// Owns the bot.
    pub(super) owner: OpenId,
    /// Does not.
    pub(super) guest: OpenId,
    /// A group with both and the bot.
    pub(super) group: ChatId,
    dir: TempDir,
    gateway: Option<Child>,
}

impl Rig {
    /// Starts everything and waits for a verified link.
    pub(super) async fn start() -> Result<Self> {
        let options = SimOptions {
            redelivery: vec![REDELIVERY; 8],
            ack_timeout: REDELIVERY,
            ..SimOptions::default()
        };
        let sim = Sim::start(options).await.context("cannot start the simulator")?;
        let platform = sim.platform();
        let owner = platform.add_user("owner");
        let guest = platform.add_user("guest");
        let group = platform.add_group("demo group", &[owner.clone(), guest.clone()]);
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let mut rig = Self { sim, owner, guest, group, dir, gateway: None };
        std::fs::write(rig.config_file(), rig.config())
            .context("cannot write the demo's configuration")?;
        rig.start_gateway().await?;
        Ok(rig)
    }

    /// Starts the gateway and waits until it is ready.
    pub(super) async fn start_gateway(&mut self) -> Result<()> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("gateway.log"))
            .context("cannot write the gateway's log")?;
        let program = std::env::current_exe().context("cannot find this program's own file")?;
        let child = Command::new(program)
            .args(["run", "--config"])
            .arg(self.config_file())
            .env("LARKLINE_LOCK_DIR", self.dir.path().join("locks"))
            .env("LARKLINE_DEMO_SECRET", AppSpec::default().app_secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the gateway")?;
        self.gateway = Some(child);
        let deadline = Instant::now() + PATIENCE;
        while !self.status().await.is_ok_and(|s| s.ready) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.dir.path().join("gateway.log"))
                    .unwrap_or_default();
                bail!("the gateway did not become ready; its log:\n{log}");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// `kill -9`.
    pub(super) async fn kill_gateway(&mut self) -> Result<()> {
        if let Some(mut child) = self.gateway.take() {
            child.kill().await.context("cannot kill the gateway")?;
        }
        Ok(())
    }

    /// The gateway's report.
    pub(super) async fn status(&self) -> Result<Status> {
        Ok(client::call(&self.socket(), Method::GET, "/v1/status", None::<&()>).await?)
    }

    /// One message's story.
    pub(super) async fn story(&self, key: &str) -> Result<Story> {
        let path = format!("/v1/story?key={key}");
        Ok(client::call(&self.socket(), Method::GET, &path, None::<&()>).await?)
    }

    /// Ends the gateway in order, then the simulator.
    pub(super) async fn stop(mut self) {
        if let Some(mut child) = self.gateway.take() {
            let pid = child
                .id()
                .and_then(|id| i32::try_from(id).ok())
                .and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid
                && let Err(error) =
                    rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            {
                output::note(&format!("the gateway has gone by itself: {error}"));
            }
            if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
                drop(child.kill().await);
            }
        }
        self.sim.stop().await;
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("state").join("larkline.sock")
    }

    fn config_file(&self) -> PathBuf {
        self.dir.path().join("larkline.toml")
    }

    fn config(&self) -> String {
        let app = AppSpec::default();
        format!(
            r#"
[app.main]
app_id = "{id}"
app_secret = {{ env = "LARKLINE_DEMO_SECRET" }}
domain = "{url}"
owners = ["{owner}"]

[[route]]
name = "date"
match = {{ keywords = ["date", "日期"] }}
handler = "date"

[[route]]
name = "everything else"
senders = "everyone"
handler = "echo"

[handler.date]
kind = "command"
argv = ["date", "+%Y-%m-%d"]

[handler.echo]
kind = "echo"

[store]
path = "{state}"

[link]
probe_interval = "1s"
probe_timeout = "1s"

[network]
proxy = "none"
"#,
            id = app.app_id,
            url = self.sim.url(),
            owner = self.owner,
            state = self.dir.path().join("state").display(),
        )
    }
}
