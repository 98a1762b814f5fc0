//! The long connection: the running gateway's own, or one of ours for a moment.
//!
//! The platform gives an event to one of an app's connections. So a doctor opens none while a
//! gateway of this configuration runs (its link is asked instead), and none while the platform
//! counts any other. Else it opens one, acknowledges nothing that arrives on it, and closes it
//! as soon as it is proven: what the platform pushed meanwhile it delivers again, 15 s later.

use std::pin::pin;
use std::time::Duration;

use larkline_client::link::{self, LinkFault, LinkHandle, LinkStatus, Stage};
use larkline_gateway::proof::{self, Proof, Standing};
use larkline_gateway::status::AppStatus;
use larkline_proto::link::State;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::platform::Patient;
use super::report::{Check, Report};
use crate::exit::Class;
use crate::output::age;

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
            let check = Check::skip(NAME, format!("the platform does not tell: {error}"));
            report.add(check.took(started.elapsed()));
            return None;
        }
    };
    let found = format!("the platform counts {online}, ours are {ours}");
    let check = if online < ours {
        Check::fail(NAME, Class::Network, format!("{found}: it does not see our link")).next(
            "restart the gateway; if it lasts, something on the way keeps the socket open alone",
        )
    } else if online > ours {
        Check::warn(NAME, format!("{found}: another instance takes part of the events"))
            .of(Class::OtherInstance)
            .next("stop the other one; one that just ended is counted for some minutes more")
    } else {
        Check::pass(NAME, found)
    };
    report.add(check.took(started.elapsed()));
    Some(online)
}

/// Tells the state of the running gateway's link.
pub(super) fn running(report: &mut Report, app: &AppStatus, now_ms: i64) {
    let link = &app.link;
    let ago = |at: Option<i64>| {
        at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", age(at, now_ms)))
    };
    let socket = match (link.local_addr, link.peer_addr) {
        (Some(local), Some(peer)) => {
            let state = link.tcp_state.as_deref().unwrap_or("state unknown");
            format!("{local} → {peer} {state}, {}", link.tls.as_deref().unwrap_or("no TLS"))
        }
        _ => "no socket is open".to_owned(),
    };
    if !link.verified {
        let fault = link.fault.clone().unwrap_or_else(|| "nothing failed yet".to_owned());
        let (code, number) = link.fault_code.clone().unwrap_or_default();
        let class = Class::of_link(&code, number, link.route != "direct");
        let what = format!("the gateway's link is {}; {socket}: {fault}", link.state);
        report.add(Check::fail("link", class, what).next("it keeps trying; see the lines above"));
        return;
    }
    let what = format!(
        "verified for {}; last frame {}, last pong {}",
        age(link.since_ms, now_ms),
        ago(link.last_frame_at_ms),
        ago(link.last_pong_at_ms)
    );
    report.add(Check::pass("link", what).notes(vec![socket]));
    report.add(proofs(app));
}

/// What the gateway knows already about whether its link hears.
fn proofs(app: &AppStatus) -> Check {
    const NAME: &str = "proofs";
    if let Some(Proof { name, detail, .. }) = proof::weakest_failing(&app.proofs) {
        return Check::fail(NAME, Class::Network, format!("`{name}` fails: {detail}")).next(
            "the gateway replaces its link; if it lasts, look for another instance of the app",
        );
    }
    let held = app.proofs.iter().filter(|p| p.standing == Standing::Holds);
    let names: Vec<&str> = held.map(|p| p.name.as_str()).collect();
    Check::pass(NAME, format!("hold: {}", names.join(", ")))
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
        let what = format!("{pushed} event(s) came over it, were not acknowledged, and come again");
        report.add(Check::warn("events", what).next("start the gateway to receive them"));
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
        let what = format!("WebSocket to {} ({})", status.host, status.route);
        Check::pass("upgrade", what).took_ms(status.times.dial_ms)
    };
    match (end, &status.last_fault) {
        (End::Proven, _) => {
            report.add(upgraded());
            let what = "the server answers our ping; the link is verified";
            report.add(Check::pass("pong", what).took_ms(status.times.verified_ms));
        }
        (End::NoPong, _) => {
            report.add(upgraded());
            let what =
                format!("events arrive, and our ping stays unanswered for {:?}", patient.limit);
            report.add(
                Check::fail("pong", Class::Platform, what)
                    .next("wait and run doctor again; the gateway replaces such a link by itself"),
            );
        }
        (End::Failed, Some(fault)) => failed(report, patient, status, fault, upgraded),
        (End::Failed, None) => {
            report.add(
                Check::fail("upgrade", Class::Network, "the link ended without a reason")
                    .next("run doctor again, and report it if it stays"),
            );
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
    let class = Class::of_link(fault.code, fault.platform_code, proxied);
    match fault.stage {
        Stage::Verify | Stage::Open => {
            report.add(upgraded());
            let what = format!("the server stays silent after the upgrade: {}", fault.message);
            report.add(Check::fail_as("pong", class, &what).or_next(
                "something on the way may keep the socket open alone: look at firewall and proxy",
            ));
        }
        Stage::Discovery | Stage::Dial => {
            let hangs = fault.code == "timeout";
            let what = match hangs {
                true => format!("no answer to the upgrade within {:?}", patient.limit),
                false => fault.message.clone(),
            };
            let check = match hangs {
                true => Check::fail("upgrade", if proxied { Class::Proxy } else { class }, what)
                    .next("let firewall and proxy pass WebSockets to this host through"),
                false => Check::fail_as("upgrade", class, &what).or_next(
                    "look at firewall and proxy: the host answers, its WebSocket does not",
                ),
            };
            report.add(check);
            report.add(Check::skip("pong", "there is no link to hear it on"));
        }
    }
}
