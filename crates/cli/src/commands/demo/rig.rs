//! The demo's parts: a simulator in this process, the gateway as a child.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
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

use crate::lang::either;
use crate::output;

/// How long anything in the demo may take; far more than it does.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the gateway is asked whether it is ready.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(50);
/// From the end of the gateway to its next start; long enough to see that it is gone.
const RESTART_AFTER: Duration = Duration::from_millis(1500);
/// The demo's redeliveries come within a second instead of after 15 s and more.
const REDELIVERY: Duration = Duration::from_millis(700);

/// What goes to the agent: its conversation's commands, and what it is asked to do.
const AGENT_WORDS: &str = "(?i)^/(stream|new|stop|status|resume|retry|cd|model|jobs)\\\\b\
    |^/(流式|新对话|停止|状态|恢复|重试|目录|模型|任务)|\\\\b(agent|report)\\\\b|代理|报告";

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
    /// Where the gateway's HTTP listener is, run after run.
    http: SocketAddr,
    gateway: Option<Child>,
    /// When a gateway that ended is started again.
    again_at: Option<Instant>,
}

/// What became of the gateway's process.
pub(super) enum Turn {
    /// It ended by itself, or was killed.
    Ended(ExitStatus),
    /// It was started again.
    Started,
}

impl Rig {
    /// Starts everything and waits for a verified link.
    pub(super) async fn start(port: u16) -> Result<Self> {
        let options = SimOptions {
            listen: (Ipv4Addr::LOCALHOST, port).into(),
            redelivery: vec![REDELIVERY; 8],
            ack_timeout: REDELIVERY,
            ..SimOptions::default()
        };
        let sim = Sim::start(options)
            .await
            .with_context(|| either("无法启动模拟器", "cannot start the simulator"))?;
        let platform = sim.platform();
        let owner = platform.add_user("owner");
        let guest = platform.add_user("guest");
        let group = platform.add_group("demo group", &[owner.clone(), guest.clone()]);
        for user in [&owner, &guest] {
            platform.p2p(user)?;
        }
        let dir = tempfile::tempdir()
            .with_context(|| either("无法创建临时目录", "cannot make a temporary directory"))?;
        let http = free_address().with_context(|| {
            either("控制台找不到空闲端口", "cannot find a free port for the dashboard")
        })?;
        let mut rig = Self { sim, owner, guest, group, dir, http, gateway: None, again_at: None };
        std::fs::write(rig.config_file(), rig.config()?).with_context(|| {
            either("无法写入演示的配置", "cannot write the demo's configuration")
        })?;
        rig.start_gateway().await?;
        Ok(rig)
    }

    /// Starts the gateway and waits until it is ready.
    pub(super) async fn start_gateway(&mut self) -> Result<()> {
        self.spawn_gateway()?;
        let deadline = Instant::now() + PATIENCE;
        while !self.status().await.is_ok_and(|s| s.ready) {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(self.dir.path().join("gateway.log"))
                    .unwrap_or_default();
                bail!(say!(
                    zh: "网关没有就绪；它的日志：\n{log}",
                    en: "the gateway did not become ready; its log:\n{log}"
                ));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    fn spawn_gateway(&mut self) -> Result<()> {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.path().join("gateway.log"))
            .with_context(|| either("无法写入网关的日志", "cannot write the gateway's log"))?;
        let child = Command::new(own_file()?)
            .args(["run", "--end-with-parent", "--config"])
            .arg(self.config_file())
            .env("LARKLINE_LOCK_DIR", self.dir.path().join("locks"))
            .env("LARKLINE_DEMO_SECRET", AppSpec::default().app_secret)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| either("无法启动网关", "cannot start the gateway"))?;
        self.gateway = Some(child);
        self.again_at = None;
        Ok(())
    }

    /// Looks after the gateway as a service manager would: tells when it ended, and starts it
    /// again a moment later. May be dropped at any moment and called again.
    pub(super) async fn turn(&mut self) -> Result<Turn> {
        if let Some(child) = &mut self.gateway {
            let status = child
                .wait()
                .await
                .with_context(|| either("无法等待网关", "cannot wait for the gateway"))?;
            self.gateway = None;
            self.again_at = Some(Instant::now() + RESTART_AFTER);
            return Ok(Turn::Ended(status));
        }
        let at = *self.again_at.get_or_insert_with(Instant::now);
        tokio::time::sleep_until(at).await;
        self.spawn_gateway()?;
        Ok(Turn::Started)
    }

    /// Starts the gateway unless it runs.
    pub(super) async fn ensure_gateway(&mut self) -> Result<()> {
        let runs = match &mut self.gateway {
            Some(child) => child
                .try_wait()
                .with_context(|| either("无法查询网关", "cannot ask for the gateway"))?
                .is_none(),
            None => false,
        };
        if runs { Ok(()) } else { self.start_gateway().await }
    }

    /// Sends SIGKILL and does not wait: [`Rig::turn`] tells of the end.
    pub(super) fn shoot_gateway(&mut self) -> Result<()> {
        match &mut self.gateway {
            Some(child) => child
                .start_kill()
                .with_context(|| either("无法结束网关", "cannot kill the gateway")),
            None => Ok(()),
        }
    }

    /// `kill -9`.
    pub(super) async fn kill_gateway(&mut self) -> Result<()> {
        if let Some(mut child) = self.gateway.take() {
            child
                .kill()
                .await
                .with_context(|| either("无法结束网关", "cannot kill the gateway"))?;
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
                output::note(&say!(
                    zh: "网关已自行结束：{error}",
                    en: "the gateway has gone by itself: {error}"
                ));
            }
            if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
                drop(child.kill().await);
            }
        }
        self.sim.stop().await;
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.dir.path().join("state").join("larkline.sock")
    }

    /// The address of the dashboard.
    pub(super) fn dashboard(&self) -> String {
        format!("http://{}", self.http)
    }

    fn config_file(&self) -> PathBuf {
        self.dir.path().join("larkline.toml")
    }

    fn config(&self) -> Result<String> {
        let app = AppSpec::default();
        // A JSON string is a TOML string.
        let program = serde_json::to_string(&own_file()?.display().to_string())?;
        Ok(format!(
            r#"language = "{language}"

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
name = "agent"
senders = "everyone"
match = {{ regex = "{AGENT_WORDS}" }}
handler = "agent"

[[route]]
name = "showcase"
senders = "everyone"
match = {{ regex = "^/" }}
handler = "showcase"

[[route]]
name = "buttons"
events = ["card.action.trigger"]
senders = "everyone"
handler = "showcase"

[[route]]
name = "everything else"
senders = "everyone"
handler = "echo"

[handler.date]
kind = "command"
argv = ["date", "+%Y-%m-%d"]

[handler.showcase]
kind = "command"
argv = [{program}, "demo", "--handler"]
output = "json"

[handler.agent]
kind = "agent"
agent = "claude"
argv = [{program}, "scripted-agent"]

[handler.echo]
kind = "echo"

[store]
path = "{state}"

[link]
probe_interval = "1s"
probe_timeout = "1s"

[network]
proxy = "none"

[server]
http = "{http}"
"#,
            http = self.http,
            id = app.app_id,
            url = self.sim.url(),
            owner = self.owner,
            language = either("zh", "en"),
            state = self.dir.path().join("state").display(),
        ))
    }
}

/// An address on loopback that nobody listens on now.
fn free_address() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn own_file() -> Result<PathBuf> {
    std::env::current_exe()
        .with_context(|| either("找不到本程序的文件", "cannot find this program's own file"))
}
