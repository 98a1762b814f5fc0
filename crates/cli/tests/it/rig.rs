//! What the tests of the binary share: a simulator in the test's process, the real `larkline`
//! as a child with a state directory of its own, and ways to look at both from outside.

// tidy: long file: one rig with all that tests ask of it

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use larkline_proto::id::{ChatId, EventId, MessageId, OpenId};
use larkline_sim::{AppSpec, Fault, Ledger, Said, Say, Sim, SimOptions};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::Instant;

/// How long anything may take on a slow machine. Only failures wait this long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The binary.
pub(crate) const LARKLINE: &str = env!("CARGO_BIN_EXE_larkline");
/// How often a condition outside this process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Routes everything to `echo`; groups need a mention.
pub(crate) const ECHO: &str = r#"
[[route]]
name = "all"
senders = "everyone"
handler = "echo"

[handler.echo]
kind = "echo"
"#;

/// Routes everything to the script `work` in the rig's directory; keys of `[handler.work]` may
/// follow.
pub(crate) const WORK: &str = r#"
[[route]]
name = "all"
senders = "everyone"
handler = "work"

[handler.work]
kind = "command"
argv = ["{dir}/work"]
cwd = "{dir}"
"#;

/// A simulator, a gateway, two people, a group.
pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) owner: OpenId,
    pub(crate) guest: OpenId,
    pub(crate) group: ChatId,
    pub(crate) dir: TempDir,
    /// What every command finds in its environment besides.
    pub(crate) env: BTreeMap<&'static str, String>,
    /// Stands in the place of `/etc/resolv.conf` for every command.
    pub(crate) resolv: Option<PathBuf>,
    gateway: Option<Child>,
}

impl Rig {
    /// A simulator with fast redelivery, and a configuration of `[app.main]` and `rest`; no
    /// gateway yet.
    pub(crate) async fn new(rest: &str) -> Self {
        Self::with(
            SimOptions {
                redelivery: vec![Duration::from_millis(500); 60],
                ..SimOptions::default()
            },
            rest,
        )
        .await
    }

    /// The same on another simulator. `{owner}`, `{guest}`, `{group}` and `{dir}` in `rest`
    /// are filled in.
    pub(crate) async fn with(options: SimOptions, rest: &str) -> Self {
        let sim = Sim::start(options).await.unwrap();
        let owner = sim.platform().add_user("owner");
        let guest = sim.platform().add_user("guest");
        let group = sim.platform().add_group("group", &[owner.clone(), guest.clone()]);
        let (dir, env) = (tempfile::tempdir().unwrap(), BTreeMap::new());
        let rig = Self { sim, owner, guest, group, dir, env, resolv: None, gateway: None };
        rig.configure(rest);
        rig
    }

    /// Simulator and gateway, the link verified.
    pub(crate) async fn start(rest: &str) -> Self {
        let mut rig = Self::new(rest).await;
        rig.run(&[]).await;
        rig.ready().await;
        rig
    }

    /// Writes the configuration file.
    pub(crate) fn configure(&self, rest: &str) {
        let rest = rest
            .replace("{owner}", self.owner.as_str())
            .replace("{guest}", self.guest.as_str())
            .replace("{group}", self.group.as_str())
            .replace("{dir}", &self.dir.path().display().to_string());
        let app = AppSpec::default();
        let head = format!(
            "[app.main]\napp_id = \"{}\"\napp_secret = {{ env = \"TEST_APP_SECRET\" }}\ndomain = \"{}\"\nowners = [\"{}\"]\n\n[store]\npath = \"{}\"\n",
            app.app_id,
            self.sim.url(),
            self.owner,
            self.dir.path().join("state").display(),
        );
        std::fs::write(self.config(), head + &rest).unwrap();
    }

    /// Starts the gateway; it need not become ready.
    #[expect(clippy::unused_async, reason = "a child that is waited for needs a runtime to start")]
    pub(crate) async fn run(&mut self, args: &[&str]) {
        assert!(self.gateway.is_none(), "a gateway runs already");
        let log = std::fs::File::options().create(true).append(true).open(self.log_file()).unwrap();
        let child = self
            .command()
            .arg("run")
            .args(args)
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .unwrap();
        self.gateway = Some(child);
    }

    /// Starts a gateway beside the one that runs, and hands that one out.
    pub(crate) async fn run_beside(&mut self, args: &[&str]) -> Child {
        let before = self.gateway.take().unwrap();
        self.run(args).await;
        before
    }

    /// Waits until the gateway says that it is ready.
    pub(crate) async fn ready(&self) {
        self.until("ready", async || self.status().await.is_some_and(|s| s["ready"] == true)).await;
    }

    /// A command of the binary with this rig's configuration and environment.
    pub(crate) fn command(&self) -> Command {
        let mut command = match &self.resolv {
            None => Command::new(LARKLINE),
            Some(file) => resolving(file),
        };
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.dir.path())
            .env("TEST_APP_SECRET", AppSpec::default().app_secret)
            .env("LARKLINE_LOCK_DIR", self.dir.path().join("locks"))
            .env("LARKLINE_CONFIG", self.config())
            .envs(&self.env)
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn cli(&self, args: &[&str]) -> Output {
        tokio::time::timeout(PATIENCE, self.command().args(args).output()).await.unwrap().unwrap()
    }

    /// Runs a command that prints JSON.
    pub(crate) async fn json(&self, args: &[&str]) -> Value {
        let output = self.cli(&[args, &["--format", "json"]].concat()).await;
        assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// `larkline status`, or nothing when no gateway answers.
    pub(crate) async fn status(&self) -> Option<Value> {
        let output = self.cli(&["status", "--format", "json"]).await;
        serde_json::from_slice(&output.stdout).ok()
    }

    /// `kill -9`.
    pub(crate) async fn kill9(&mut self) {
        self.gateway.take().unwrap().kill().await.unwrap();
    }

    /// Sends a signal, for example `TERM`.
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal)
            .unwrap();
    }

    /// The gateway's process id.
    pub(crate) fn pid(&self) -> u32 {
        self.gateway.as_ref().and_then(Child::id).unwrap()
    }

    /// Waits until the gateway ends by itself.
    pub(crate) async fn exit(&mut self) -> ExitStatus {
        let mut child = self.gateway.take().unwrap();
        tokio::time::timeout(PATIENCE, child.wait()).await.unwrap().unwrap()
    }

    /// Waits until the ledger satisfies a condition, or the gateway ends; its status if it did.
    pub(crate) async fn ledger_or_end(
        &mut self,
        condition: impl FnMut(&Ledger) -> bool,
    ) -> Option<ExitStatus> {
        let Self { sim, gateway, .. } = self;
        let status = tokio::select! {
            status = gateway.as_mut().unwrap().wait() => status.unwrap(),
            waited = sim.platform().wait_for(condition, PATIENCE) => {
                assert!(waited.is_ok(), "neither came; log:\n{}", self.log());
                return None;
            }
        };
        self.gateway = None;
        Some(status)
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.signal(rustix::process::Signal::TERM);
        self.exit().await
    }

    /// All that the gateway has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Waits until the log holds this.
    pub(crate) async fn logged(&self, part: &str) {
        self.until(part, async || self.log().contains(part)).await;
    }

    /// Waits for a condition; a failure shows the log.
    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition().await {
            assert!(Instant::now() < deadline, "{what} did not come; log:\n{}", self.log());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until the ledger satisfies a condition.
    pub(crate) async fn ledger(&self, what: &str, condition: impl FnMut(&Ledger) -> bool) {
        let waited = self.sim.platform().wait_for(condition, PATIENCE).await;
        assert!(waited.is_ok(), "{what} did not come; log:\n{}", self.log());
    }

    /// A person writes to the bot directly.
    pub(crate) fn say(&self, user: &OpenId, words: &str) -> Said {
        self.write(Say { user: user.clone(), text: words.to_owned(), ..Say::default() })
    }

    /// A person writes in the group.
    pub(crate) fn say_in_group(&self, user: &OpenId, words: &str, mention_bot: bool) -> Said {
        let (user, chat) = (user.clone(), self.group.clone());
        self.write(Say { user, chat, text: words.to_owned(), mention_bot, ..Say::default() })
    }

    /// A person writes.
    pub(crate) fn write(&self, say: Say) -> Said {
        self.sim.platform().say(say).unwrap()
    }

    /// Waits for an answer to a message and returns the answers so far.
    pub(crate) async fn answered(&self, said: &Said) -> Vec<String> {
        let id = said.message_id.clone();
        self.ledger(&format!("an answer to {id}"), |l| l.replies_to(&id).next().is_some()).await;
        self.answers(&id)
    }

    /// The answers to a message so far.
    pub(crate) fn answers(&self, message: &MessageId) -> Vec<String> {
        let words = |l: &Ledger| {
            l.replies_to(message).map(|m| m.text.clone().unwrap_or_default()).collect()
        };
        self.sim.platform().read(words)
    }

    /// Injects a fault.
    pub(crate) fn fault(&self, fault: Fault) {
        self.sim.platform().fault(fault).unwrap();
    }

    /// Waits until nothing waits, then returns the verdicts as `{"replied": 3, "filtered/no_route": 1}`,
    /// and checks that they add up to what was received.
    pub(crate) async fn tally(&self) -> BTreeMap<String, u64> {
        let count = |status: &Value| -> Vec<(String, u64)> {
            let rows = status["tally"].as_array().cloned().unwrap_or_default();
            let name = |r: &Value| {
                let (verdict, why) = (r["verdict"].as_str().unwrap(), r["why"].as_str().unwrap());
                if why.is_empty() { verdict.to_owned() } else { format!("{verdict}/{why}") }
            };
            rows.iter()
                .map(|r| (name(r), r["count"].as_u64().unwrap()))
                .filter(|(_, n)| *n > 0)
                .collect()
        };
        self.until("a verdict for every event", async || {
            let status = self.status().await.unwrap_or_default();
            status["tally"].is_array() && count(&status).iter().all(|(name, _)| name != "waiting")
        })
        .await;
        count(&self.status().await.unwrap()).into_iter().collect()
    }

    /// The same without what the platform tells of the bot's own reactions, of which there are more or
    /// less by how long things take.
    pub(crate) async fn verdicts(&self) -> BTreeMap<String, u64> {
        let mut verdicts = self.tally().await;
        let own = self.sim.platform().read(|l| {
            let told = l.reactions.iter().map(|row| 1 + u64::from(row.removed_ms.is_some()));
            told.sum::<u64>()
        });
        if let Some(filtered) = verdicts.get_mut(OF_OTHER_KINDS) {
            *filtered = filtered.saturating_sub(own);
        }
        verdicts.retain(|_, count| *count > 0);
        verdicts
    }

    /// An event of a message that nobody typed: of a bot, or from long ago.
    pub(crate) fn forge(&self, from: &OpenId, kind: &str, chat: &ChatId, age: Duration) -> EventId {
        let platform = self.sim.platform();
        let nth = platform.read(|l| l.events.len());
        let at_ms = platform.now_ms().saturating_sub(u64::try_from(age.as_millis()).unwrap());
        let event = serde_json::json!({
            "sender": {"sender_id": {"open_id": from}, "sender_type": kind},
            "message": {
                "message_id": format!("om_forged{nth}"), "chat_id": chat, "chat_type": "p2p",
                "create_time": at_ms.to_string(), "message_type": "text",
                "content": "{\"text\":\"forged\"}",
            },
        });
        platform.send_event(&AppSpec::default().app_id, "im.message.receive_v1", &event).unwrap()
    }

    /// What the bot has said in a chat, in order.
    pub(crate) fn said_in(&self, chat: &ChatId) -> Vec<String> {
        let words =
            |l: &Ledger| l.in_chat(chat).map(|m| m.text.clone().unwrap_or_default()).collect();
        self.sim.platform().read(words)
    }

    /// The metrics, scraped over the operator's socket.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await
    }

    /// An answer of the operator's socket, head and body.
    pub(crate) async fn get(&self, path: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let mut socket =
            tokio::net::UnixStream::connect(self.path("state/larkline.sock")).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: it\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut page = Vec::new();
        tokio::time::timeout(PATIENCE, socket.read_to_end(&mut page)).await.unwrap().unwrap();
        text(&page)
    }

    /// A file beside the configuration.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Puts other words in the place of some of the configuration, which has them.
    pub(crate) fn amend(&self, from: &str, to: &str) {
        let text = read(&self.config());
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// Writes an executable script beside the configuration.
    pub(crate) fn script(&self, name: &str, body: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    fn config(&self) -> PathBuf {
        self.path("larkline.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.path("gateway.log")
    }
}

/// A figure of the metrics page: of the one series of this name, or of the one with the labels that
/// `name` has.
pub(crate) fn figure(page: &str, name: &str) -> Option<f64> {
    let is_named = |l: &&str| l.strip_prefix(name).is_some_and(|l| l.starts_with([' ', '{']));
    page.lines().find(is_named)?.rsplit(' ').next()?.parse().ok()
}

/// Says that a step is left out, and why.
#[expect(clippy::print_stdout, reason = "whoever reads the test's output has to see it")]
pub(crate) fn not_run(why: &str) {
    println!("not run: {why}");
}

/// The binary in a mount namespace of its own, with other name servers.
fn resolving(resolv: &Path) -> Command {
    let mut command = Command::new("unshare");
    let script = "mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"";
    command.args(["-m", "sh", "-c", script]).arg(resolv).arg(LARKLINE);
    command
}

impl Drop for Rig {
    /// A gateway that is killed with its rig leaves its handlers' programs behind; they are known by
    /// the rig's own directory, in their words or as their home.
    fn drop(&mut self) {
        drop(self.gateway.take());
        let mine = self.dir.path().display().to_string();
        for process in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) else { continue };
            let holds = |file: &str| {
                text(&std::fs::read(process.path().join(file)).unwrap_or_default()).contains(&mine)
            };
            if holds("cmdline") || holds("environ") {
                // One that has ended meanwhile needs no signal.
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).ok();
            }
        }
    }
}

/// The verdict of events that no route is about.
const OF_OTHER_KINDS: &str = "filtered/unsupported_type";

/// Bytes a program printed, as text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads a file that another process writes, when it is there.
pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
