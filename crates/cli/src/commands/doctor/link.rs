//! The long connection: the running gateway's own, or one of ours for a moment.
//!
//! The platform gives an event to one of an app's connections. So a doctor opens none while a
//! gateway of this configuration runs (its link is asked instead), and none while the platform
//! counts any other. Else it opens one, acknowledges nothing that arrives on it, and closes it
//! as soon as it is proven: what the platform pushed meanwhile it delivers again, 15 s later.

use std::pin::pin;
use std::time::Duration;

use larkline_client::link::{self, LinkFault, LinkHandle, LinkStatus, Stage};
use larkline_gateway::causes;
use larkline_gateway::proof::{self, Standing};
use larkline_gateway::status::AppStatus;
use larkline_gateway::words::link_state;
use larkline_proto::link::{Cause, State};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::platform::Patient;
use super::report::{Check, Report};
use crate::commands::status::ago;
use crate::exit::Class;
use crate::lang::{either, lang};
use crate::output::age;
use crate::words;

/// How often the link is looked at; its pongs wake nobody.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long a close frame may take to leave.
const CLOSE_WAIT: Duration = Duration::from_secs(2);
/// Events that may wait to be counted.
const DELIVERIES: usize = 64;

/// Compares the platform's count of connections with ours; `None` when it does not tell.
pub(super) async fn count(
    report: &mut Report,
    patient: &Patient<'_>,
    live: Option<&AppStatus>,
) -> Option<u32> {
    const NAME: &str = "connections";
    let started = Instant::now();
    let ours = u32::from(live.is_some_and(|app| app.link.verified));
    let online = match patient.api.connection_count().await {
        Ok(answer) => answer.data,
        Err(error) => {
            let error = causes::api(lang(), &error);
            let why = say!(zh: "平台没有告知：{error}", en: "the platform does not tell: {error}");
            let check = Check::skip(NAME, why);
            report.add(check.took(started.elapsed()));
            return None;
        }
    };
    let found = say!(
        zh: "平台记有 {online} 条，我们有 {ours} 条",
        en: "the platform counts {online}, ours are {ours}"
    );
    let check = if online < ours {
        let what =
            say!(zh: "{found}：平台看不到我们的连接", en: "{found}: it does not see our link");
        Check::fail(NAME, Class::Network, what).next(either(
            "请重启网关；若持续如此，则途中有设备独自保持着套接字",
            "restart the gateway; if it lasts, something on the way keeps the socket open alone",
        ))
    } else if online > ours {
        let what = say!(
            zh: "{found}：另一个实例分走了一部分事件",
            en: "{found}: another instance takes part of the events"
        );
        Check::warn(NAME, what).of(Class::OtherInstance).next(either(
            "请停止另一个实例；刚结束的实例还会被计数几分钟",
            "stop the other one; one that just ended is counted for some minutes more",
        ))
    } else {
        Check::pass(NAME, found)
    };
    report.add(check.took(started.elapsed()));
    Some(online)
}

/// Tells the state of the running gateway's link.
pub(super) fn running(report: &mut Report, app: &AppStatus, now_ms: i64) {
    let link = &app.link;
    let socket = match (link.local_addr, link.peer_addr) {
        (Some(local), Some(peer)) => {
            let state =
                link.tcp_state.as_deref().unwrap_or_else(|| either("状态未知", "state unknown"));
            let tls = link.tls.as_deref().unwrap_or_else(|| either("无 TLS", "no TLS"));
            format!("{local} → {peer} {state}, {tls}")
        }
        _ => either("没有打开的套接字", "no socket is open").to_owned(),
    };
    if !link.verified {
        let fault = link.fault_in_full(lang());
        let fault = fault.unwrap_or_else(|| either("尚无故障", "nothing failed yet").to_owned());
        let (code, number) = link.fault_code.clone().unwrap_or_default();
        let class = Class::of_link(&code, number, link.route != "direct");
        let what = say!(
            zh: "网关的连接{state}；{socket}：{fault}",
            en: "the gateway's link is {state}; {socket}: {fault}",
            state = link_state(lang(), &link.state)
        );
        let next = either("它会一直重试；见上面各行", "it keeps trying; see the lines above");
        report.add(Check::fail("link", class, what).next(next));
        return;
    }
    let what = say!(
        zh: "已验证，已 {since}；最近的帧：{frame}，最近的 pong：{pong}",
        en: "verified for {since}; last frame {frame}, last pong {pong}",
        since = age(link.since_ms, now_ms),
        frame = ago(link.last_frame_at_ms, now_ms), pong = ago(link.last_pong_at_ms, now_ms)
    );
    report.add(Check::pass("link", what).notes(vec![socket]));
    report.add(proofs(app));
}

/// What the gateway knows already about whether its link hears.
fn proofs(app: &AppStatus) -> Check {
    const NAME: &str = "proofs";
    if let Some(proof) = proof::weakest_failing(&app.proofs) {
        let (name, detail) = (&proof.name, proof.detail(lang()));
        let what = say!(zh: "`{name}` 不成立：{detail}", en: "`{name}` fails: {detail}");
        return Check::fail(NAME, Class::Network, what).next(either(
            "网关会更换连接；若持续如此，请查找此应用的其他实例",
            "the gateway replaces its link; if it lasts, look for another instance of the app",
        ));
    }
    let held = app.proofs.iter().filter(|p| p.standing == Standing::Holds);
    let names: Vec<&str> = held.map(|p| p.name.as_str()).collect();
    let names = names.join(", ");
    Check::pass(NAME, say!(zh: "成立：{names}", en: "hold: {names}"))
}

/// Opens a link of our own until it is proven.
pub(super) async fn own(report: &mut Report, patient: &Patient<'_>) {
    let (deliveries, mut received) = mpsc::channel(DELIVERIES);
    let (handle, driver) = match link::start(patient.link_options(), deliveries) {
        Ok(started) => started,
        Err(error) => {
            report.add(Check::fail_as("upgrade", Class::LocalFault, &error.to_string()));
            return;
        }
    };
    let mut driver = pin!(driver);
    let mut pushed = 0_u32;
    let mut over = false;
    let ended = tokio::select! {
        // A driver that ends by itself has been refused; its status says why.
        _ = &mut driver => { over = true; End::Failed }
        end = proven(&handle, patient.limit) => end,
        () = async { while received.recv().await.is_some() { pushed += 1 } } => End::Failed,
    };
    let status = handle.status().borrow().clone();
    handle.close();
    if !over {
        // Closing takes a moment at most; a peer that does not answer is left alone.
        drop(timeout(CLOSE_WAIT, driver).await);
    }
    tell(report, patient, &status, &ended);
    if pushed > 0 {
        let what = say!(
            zh: "其间收到 {pushed} 个事件，未确认，平台会再次推送",
            en: "{pushed} event(s) came over it, were not acknowledged, and come again"
        );
        let next = either("请启动网关来接收它们", "start the gateway to receive them");
        report.add(Check::warn("events", what).next(next));
    }
}

enum End {
    Proven,
    NoPong,
    Failed,
}

/// Waits for the server's answer to our ping, which an event alone is not.
async fn proven(handle: &LinkHandle, limit: Duration) -> End {
    let status = handle.status();
    let mut verified_at = None;
    loop {
        {
            let now = status.borrow();
            if now.last_pong_at_ms.is_some() {
                return End::Proven;
            }
            if now.last_fault.is_some() || now.state == State::Stopped {
                return End::Failed;
            }
            if now.state == State::Verified {
                let since = *verified_at.get_or_insert_with(Instant::now);
                if since.elapsed() > limit {
                    return End::NoPong;
                }
            }
        }
        sleep(LOOK_EVERY).await;
    }
}

fn tell(report: &mut Report, patient: &Patient<'_>, status: &LinkStatus, end: &End) {
    let upgraded = || {
        let what = say!(
            zh: "到 {host} 的 WebSocket（{route}）",
            en: "WebSocket to {host} ({route})",
            host = status.host, route = words::route(&status.route)
        );
        Check::pass("upgrade", what).took_ms(status.times.dial_ms)
    };
    match (end, &status.last_fault) {
        (End::Proven, _) => {
            report.add(upgraded());
            let what = either(
                "服务器应答了我们的 ping；连接已验证",
                "the server answers our ping; the link is verified",
            );
            report.add(Check::pass("pong", what).took_ms(status.times.verified_ms));
        }
        (End::NoPong, _) => {
            report.add(upgraded());
            let what = say!(
                zh: "能收到事件，而我们的 ping 在 {limit:?} 内没有应答",
                en: "events arrive, and our ping stays unanswered for {limit:?}",
                limit = patient.limit
            );
            report.add(Check::fail("pong", Class::Platform, what).next(either(
                "请稍后再运行 doctor；网关会自行更换这样的连接",
                "wait and run doctor again; the gateway replaces such a link by itself",
            )));
        }
        (End::Failed, Some(fault)) => failed(report, patient, status, fault, upgraded),
        (End::Failed, None) => {
            let what = either("连接无故结束", "the link ended without a reason");
            report.add(Check::fail("upgrade", Class::Network, what).next(either(
                "请再次运行 doctor，若仍如此请报告",
                "run doctor again, and report it if it stays",
            )));
        }
    }
}

fn failed(
    report: &mut Report,
    patient: &Patient<'_>,
    status: &LinkStatus,
    fault: &LinkFault,
    upgraded: impl FnOnce() -> Check,
) {
    let proxied = status.route != "direct";
    let class = Class::of_link(fault.cause.code(), fault.platform_code, proxied);
    match fault.stage {
        Stage::Verify | Stage::Open => {
            report.add(upgraded());
            let what = say!(
                zh: "升级后服务器保持沉默：{fault}",
                en: "the server stays silent after the upgrade: {fault}",
                fault = fault.message
            );
            report.add(Check::fail_as("pong", class, &what).or_next(either(
                "途中可能有设备独自保持着套接字：请检查防火墙和代理",
                "something on the way may keep the socket open alone: look at firewall and proxy",
            )));
        }
        Stage::Discovery | Stage::Dial => {
            let hangs = fault.cause == Cause::Timeout;
            let what = match hangs {
                true => say!(
                    zh: "{limit:?} 内没有对升级请求的应答",
                    en: "no answer to the upgrade within {limit:?}",
                    limit = patient.limit
                ),
                false => fault.message.clone(),
            };
            let check = match hangs {
                true => Check::fail("upgrade", if proxied { Class::Proxy } else { class }, what)
                    .next(either(
                        "请让防火墙和代理放行到此主机的 WebSocket",
                        "let firewall and proxy pass WebSockets to this host through",
                    )),
                false => Check::fail_as("upgrade", class, &what).or_next(either(
                    "请检查防火墙和代理：主机有应答，它的 WebSocket 没有",
                    "look at firewall and proxy: the host answers, its WebSocket does not",
                )),
            };
            report.add(check);
            let why = either("没有可以收到它的连接", "there is no link to hear it on");
            report.add(Check::skip("pong", why));
        }
    }
}
