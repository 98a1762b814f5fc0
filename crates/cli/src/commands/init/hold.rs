//! A verified link while the console is asked to save the subscription, and until the bot has heard
//! something.
//!
//! The console refuses to save the long connection while the app has none (10068), so the link is there
//! before anybody is asked to. It is the link of a real gateway, run for that time as a child: what
//! arrives is journaled and answered, and nothing is taken from the gateway that runs later.

use std::path::Path;
use std::process::{ExitStatus as Ended, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use http::Method;
use larkline_client::{ApiClient, Dialer};
use larkline_gateway::config::{App, Config};
use larkline_gateway::status::{AppStatus, Status};
use larkline_proto::api::ReceiveId;
use larkline_proto::content::Outgoing;
use larkline_store::record::{MessageQuery, Record};
use serde::Serialize;
use tempfile::NamedTempFile;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::app;
use crate::commands::ask::Gateway;
use crate::commands::lists;
use crate::exit::{Class, ExitStatus, Failed};
use crate::lang::{either, lang};
use crate::output;

/// How often the child is looked at, by its socket on this machine.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How many single steps' time a verified link may take, with the start of the process.
const STEPS: u32 = 2;
/// How often the platform is asked for its count; the calls are metered.
const COUNT_EVERY: Duration = Duration::from_secs(15);
/// How long an answer may take that is already under way.
const ANSWER_WAIT: Duration = Duration::from_secs(60);
/// How long the child may take to drain.
const DRAIN_WAIT: Duration = Duration::from_secs(40);
/// Lines of the child's log that are shown when it fails.
const LOG_LINES: usize = 8;

/// What became of it, for programs.
#[derive(Serialize)]
pub(super) struct Held {
    verified: bool,
    /// The platform's own count; absent when it does not tell.
    connections: Option<u32>,
    /// Calls made for it.
    calls: u32,
    /// Whether an event arrived.
    heard: bool,
}

/// Holds the link until an event has come, or for so long.
pub(super) async fn run(
    config: &Config,
    file: &Path,
    wait: Duration,
    limit: Duration,
) -> Result<(Held, ExitStatus)> {
    let app = app::main(config)?;
    let dialer = Dialer::new(&config.network.to_net_options())?;
    let (domain, secret) = (app.domain.clone(), app.app_secret.clone());
    let api = ApiClient::with_timeouts(dialer, domain, app.app_id.clone(), secret, limit, limit);
    let mut gateway = Rehearsal::start(config, file)?;
    output::note(either("正在建立长连接……", "opening the long connection ..."));
    let held = match gateway.verified(limit * STEPS).await {
        Ok(()) => Watch { app, api, until: Instant::now() + wait }.run(&mut gateway).await,
        Err(failed) => Err(failed.into()),
    };
    gateway.stop().await;
    let held = held?;
    let exit = if held.heard { ExitStatus::Ok } else { ExitStatus::Found(Class::PlatformConfig) };
    if !held.heard {
        output::note(&advice(app, wait));
    }
    Ok((held, exit))
}

/// A gateway for the time of this command.
struct Rehearsal {
    child: Child,
    log: NamedTempFile,
    socket: Gateway,
}

impl Rehearsal {
    fn start(config: &Config, file: &Path) -> Result<Self> {
        let log = NamedTempFile::new().context("cannot make a temporary file")?;
        let child = Command::new(std::env::current_exe().context("this program has no file")?)
            .args(["run", "--end-with-parent", "--config"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.reopen()?)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| either("无法启动网关", "the gateway cannot be started"))?;
        Ok(Self { child, log, socket: Gateway::of(config) })
    }

    /// The state of the app's link; nothing while the socket does not answer.
    async fn status(&self) -> Option<AppStatus> {
        let status: Status = self.socket.call(Method::GET, "/v1/status").await.ok()?;
        (Some(status.pid) == self.child.id()).then_some(())?;
        status.apps.into_iter().find(|app| app.name == "main")
    }

    /// Waits for the server's frame on a link of ours.
    async fn verified(&mut self, within: Duration) -> Result<(), Failed> {
        let deadline = Instant::now() + within;
        loop {
            self.running()?;
            let app = self.status().await;
            if app.as_ref().is_some_and(|app| app.link.verified) {
                output::note(either(
                    "长连接已验证：服务器在这条连接上应答了",
                    "the link is verified: the server has answered on it",
                ));
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(unverified(app, within));
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Whether it is still there; its own words when it is not.
    fn running(&mut self) -> Result<(), Failed> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(ended)) => Err(self.ended(ended)),
            Err(error) => Err(self.failed(Class::LocalFault, &error.to_string())),
        }
    }

    fn ended(&self, ended: Ended) -> Failed {
        let class = match ended.code() {
            Some(3) => Class::Credentials,
            _ => Class::LocalFault,
        };
        self.failed(class, &ended.to_string())
    }

    fn failed(&self, class: Class, how: &str) -> Failed {
        let log = std::fs::read_to_string(self.log.path()).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines[lines.len().saturating_sub(LOG_LINES)..].join("\n");
        let what = say!(
            zh: "网关自己结束了（{how}）：\n{tail}",
            en: "the gateway ended by itself ({how}):\n{tail}"
        );
        let next = either(
            "配置文件已写好；改正后运行 `larkline run`，或先 `larkline doctor`",
            "the configuration is written; mend this and start `larkline run`, or ask `larkline doctor`",
        );
        Failed { class, what, next: next.to_owned() }
    }

    /// Lets it drain.
    async fn stop(mut self) {
        let pid = self.child.id().and_then(|pid| i32::try_from(pid).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // One that has ended meanwhile needs no signal.
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).ok();
        }
        // Beyond its deadline it is killed when dropped.
        drop(timeout(DRAIN_WAIT, self.child.wait()).await);
    }
}

fn unverified(app: Option<AppStatus>, within: Duration) -> Failed {
    let link = app.map(|app| app.link);
    let fault = link.as_ref().and_then(|link| link.fault_in_full(lang()));
    let (code, number) = link.as_ref().and_then(|l| l.fault_code.clone()).unwrap_or_default();
    let proxied = link.is_some_and(|link| link.route != "direct");
    let class = Class::of_link(&code, number, proxied);
    let fault = fault.unwrap_or_else(|| either("没有应答", "no answer").to_owned());
    let what = say!(
        zh: "{within:?} 内没有已验证的长连接：{fault}",
        en: "no verified link within {within:?}: {fault}"
    );
    let next = either(
        "配置文件已写好；运行 `larkline doctor` 看是哪一段不通",
        "the configuration is written; `larkline doctor` says which part of the way fails",
    );
    Failed { class, what, next: next.to_owned() }
}

/// What is waited for.
struct Watch<'a> {
    app: &'a App,
    api: ApiClient,
    until: Instant,
}

impl Watch<'_> {
    async fn run(&self, gateway: &mut Rehearsal) -> Result<Held> {
        output::note(&subscribe(self.app));
        self.greet().await;
        let mut held = Held { verified: true, connections: None, calls: 0, heard: false };
        let mut count_at = Instant::now();
        let mut shown = String::new();
        while Instant::now() < self.until {
            gateway.running()?;
            if Instant::now() >= count_at {
                count_at = Instant::now() + COUNT_EVERY;
                self.count(&mut held).await;
            }
            let heard = gateway.status().await.is_some_and(|a| a.link.last_event_at_ms.is_some());
            if heard {
                held.heard = true;
                output::progress("");
                self.tell_message(gateway).await;
                return Ok(held);
            }
            let timer = self.timer(&held);
            if timer != shown {
                output::progress(&timer);
                shown = timer;
            }
            sleep(LOOK_EVERY.min(self.until.saturating_duration_since(Instant::now()))).await;
        }
        output::progress("");
        Ok(held)
    }

    /// Asks the platform how many links it sees; a change is a line of its own.
    async fn count(&self, held: &mut Held) {
        let answer = self.api.connection_count().await;
        held.calls += 1;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if held.calls == 1 => {
                return output::note(&say!(
                    zh: "平台没有告知长连接的数目：{error}",
                    en: "the platform does not tell how many links it sees: {error}"
                ));
            }
            Err(_) => return,
        };
        if held.connections.replace(answer.data) != Some(answer.data) {
            let (n, calls) = (answer.data, held.calls);
            output::progress("");
            output::note(&say!(
                zh: "平台看到 {n} 条长连接（已调用 {calls} 次）",
                en: "the platform sees {n} long connection(s) (calls made: {calls})"
            ));
            if n > 1 {
                output::note(either(
                    "其中只有一条是我们的：另一个实例会分走一部分事件，请停掉它",
                    "one of them is ours: another instance takes part of the events, stop it",
                ));
            }
        }
    }

    fn timer(&self, held: &Held) -> String {
        let left = output::minutes(self.until.saturating_duration_since(Instant::now()));
        let count = held.connections.map_or_else(|| "?".to_owned(), |n| n.to_string());
        let calls = held.calls;
        say!(
            zh: "还等 {left}；平台看到 {count} 条连接（已调用 {calls} 次）；还没有事件",
            en: "{left} left; the platform sees {count} connection(s) (calls made: {calls}); no event so far"
        )
    }

    /// The bot's own first message goes to its owner.
    async fn greet(&self) {
        let Some(owner) = self.app.owners.first() else {
            output::note(either(
                "现在请在飞书里找到机器人，给它发一条消息。",
                "Now find the bot in the client and write to it.",
            ));
            return;
        };
        let text = either(
            "我在了，连接已验证。给我回一句话，看我能不能听到。",
            "I am here, and my link is verified. Answer me, to see whether I hear you.",
        );
        let uuid = uuid::Uuid::now_v7().to_string();
        let to = ReceiveId::Open(owner.clone());
        output::note(&match self.api.send(&to, &Outgoing::text(text), &uuid).await {
            Ok(_) => say!(
                zh: "机器人给 {owner} 发了第一条消息。请在飞书里回它一句话。",
                en: "the bot wrote its first message to {owner}. Answer it in the client."
            ),
            Err(error) => say!(
                zh: "机器人还不能给 {owner} 发消息（{error}）。请发布版本、把自己放进可用范围，然后给它发一条消息。",
                en: "the bot cannot write to {owner} by now ({error}). Release a version that you may use, then write to the bot."
            ),
        });
    }

    /// The first message that came, and what became of it.
    async fn tell_message(&self, gateway: &Rehearsal) {
        output::note(either("收到了第一个事件：能听到。", "the first event is here: it hears."));
        let deadline = Instant::now() + ANSWER_WAIT;
        let query = MessageQuery { chat: None, verdict: None, text: None, limit: 20 };
        let mut last = None;
        while Instant::now() < deadline {
            let records: Vec<Record> =
                gateway.socket.get("/v1/messages", &query).await.unwrap_or_default();
            last = records.into_iter().find(|record| record.direction == "in");
            if last.as_ref().is_some_and(|record| record.outcome != "waiting") {
                break;
            }
            sleep(LOOK_EVERY).await;
        }
        let Some(record) = last else { return };
        let outcome = lists::outcome(&record);
        let Record { preview, sender, .. } = record;
        output::note(&say!(
            zh: "消息“{preview}”，来自 {sender}：{outcome}",
            en: "message \"{preview}\" of {sender}: {outcome}"
        ));
        if self.app.owners.is_empty() {
            output::note(&say!(
                zh: "如果那是你，请在 [app.main] 里写 owners = [\"{sender}\"]",
                en: "if that is you, write owners = [\"{sender}\"] under [app.main]"
            ));
        }
    }
}

/// The way to the setting, by the console's own words, and the page.
fn subscribe(app: &App) -> String {
    let page = app::event_page(app);
    let callback = page.replace("/event", "/callback");
    say!(
        zh: "保持运行，在开发者后台打开 {page}\n  事件与回调 > 事件配置 > 订阅方式 > 使用长连接接收事件，保存；\n  再添加事件“接收消息”（im.message.receive_v1）。有按钮的卡片：回调配置 {callback} 选同样的方式。\n  从 webhook 迁移来的应用：改成长连接，删掉请求地址。\n  最后在“版本管理与发布”发布版本。扫码创建的应用可能都已设好；保存时报 10068 就等一分钟再保存。",
        en: "Leave this running, and open {page}\n  事件与回调 > 事件配置 > 订阅方式 > 使用长连接接收事件\n  (Events & callbacks > Event configuration > Subscription mode > Receive events through persistent connection), save;\n  then add the event im.message.receive_v1. For cards with buttons choose the same mode under {callback}.\n  An app that used a webhook: change the mode, delete its request address.\n  Release a version last. An app made by QR code may have all of it; after error 10068 wait a minute and save again."
    )
}

/// Nothing came: what that may be, in the order to look.
fn advice(app: &App, wait: Duration) -> String {
    let page = app::event_page(app);
    let wait = output::minutes(wait);
    say!(
        zh: "{wait} 内没有收到事件；长连接是好的，请依次检查：\n  1. 订阅方式是否存成了长连接：{page}\n  2. 是否添加了事件 im.message.receive_v1：同一页\n  3. 含它们的版本是否已发布，你是否在可用范围内\n  4. `larkline doctor` 逐项检查，`larkline doctor --fix` 用一个二维码补上缺少的\n配置已写好，`larkline run` 随时可以启动。",
        en: "no event came within {wait}; the link is good, so look in this order:\n  1. is the subscription mode saved as the long connection: {page}\n  2. is the event im.message.receive_v1 added: the same page\n  3. is the version with them released, and may you use it\n  4. `larkline doctor` checks each, `larkline doctor --fix` adds what is missing by one QR code\nThe configuration is written; `larkline run` can be started at any time."
    )
}
