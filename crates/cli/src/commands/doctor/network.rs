//! The way to one host, stage by stage, dialled exactly as the gateway dials it.

use std::time::Duration;

use larkline_client::{DialError, DialStage, Dialer, Trace, redacted_url};
use larkline_gateway::causes;
use tokio::time::Instant;
use url::{Host, Url};

use super::report::{Check, Report};
use crate::exit::Class;
use crate::lang::{either, lang};

/// A clock that is further off breaks certificates and signatures soon.
const SKEW_MAX_S: i64 = 300;
/// One that is further off is worth a look.
const SKEW_LOW_S: i64 = 30;

/// What may be asked of a host after its connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The platform's own: any HTTP answer counts as reachable, and tells its time.
    Platform,
    /// The long connection's, which has one use alone.
    WebSocket,
}

/// Checks the way to a host; true when it can be reached.
pub(super) async fn host(
    report: &mut Report,
    dialer: &Dialer,
    url: &Url,
    side: Side,
    limit: Duration,
) -> bool {
    let Trace { steps, outcome } = dialer.trace(url, limit).await;
    let failed_at = outcome.as_ref().err().map(DialError::stage);
    let proxied = dialer.is_proxied(url);
    if proxied && steps.iter().all(|(stage, _)| *stage != DialStage::Dns) {
        let route = dialer.route(url);
        report.add(Check::skip("dns", say!(zh: "交给 {route}", en: "left to the {route}")));
    }
    let mut proxy_steps = 0;
    for (at, (stage, took)) in steps.iter().enumerate() {
        proxy_steps += usize::from(*stage == DialStage::Proxy);
        let last = at + 1 == steps.len();
        if last && failed_at.is_some() {
            break;
        }
        let (name, what) = passed(*stage, proxy_steps, dialer, url, &outcome);
        report.add(Check::pass(name, what).took(*took));
    }
    match &outcome {
        Err(error) => {
            let took = steps.last().map(|(_, took)| *took).unwrap_or_default();
            report.add(refused(error, proxy_steps).took(took));
            report.add(Check::skip(
                "http",
                either("没有可用来询问的连接", "no connection to ask over"),
            ));
            return false;
        }
        Ok(connection) if connection.tls.is_none() => {
            report.add(Check::skip("tls", either("此地址不用 TLS", "the address has none")));
        }
        Ok(_) => {}
    }
    match side {
        Side::Platform => answers(report, dialer, url, limit).await,
        Side::WebSocket => true,
    }
}

fn passed(
    stage: DialStage,
    proxy_steps: usize,
    dialer: &Dialer,
    url: &Url,
    outcome: &Result<larkline_client::Connection, DialError>,
) -> (&'static str, String) {
    let host = url.host_str().unwrap_or_default();
    let connection = outcome.as_ref().ok();
    match stage {
        DialStage::Dns if matches!(url.host(), Some(Host::Domain(_))) => {
            ("dns", say!(zh: "{host} 可以解析", en: "{host} resolves"))
        }
        DialStage::Dns => ("dns", say!(zh: "{host} 已是地址", en: "{host} is an address")),
        DialStage::Tcp => {
            let peer = connection.and_then(|c| c.peer_addr);
            let what = match peer {
                Some(peer) => say!(zh: "已连接到 {peer}", en: "connected to {peer}"),
                None => either("已连接", "connected").to_owned(),
            };
            ("tcp", what)
        }
        DialStage::Proxy if proxy_steps > 1 => {
            ("tunnel", say!(zh: "代理可以连接到 {host}", en: "the proxy connects to {host}"))
        }
        DialStage::Proxy => {
            let route = dialer.route(url);
            ("proxy", say!(zh: "{route} 可用", en: "the {route} is there"))
        }
        DialStage::Tls => {
            let tls = connection.and_then(|c| c.tls.as_ref());
            let what = match tls {
                None => either("与代理", "with the proxy").to_owned(),
                Some(tls) => say!(
                    zh: "{version}，证书主体 {subject}，由 {issuer} 签发",
                    en: "{version} with {subject}, signed by {issuer}",
                    version = tls.version, subject = tls.subject, issuer = tls.issuer
                ),
            };
            ("tls", what)
        }
        DialStage::Address => ("address", redacted_url(url)),
    }
}

fn refused(error: &DialError, proxy_steps: usize) -> Check {
    let name = match error.stage() {
        DialStage::Proxy if proxy_steps > 1 => "tunnel",
        DialStage::Proxy => "proxy",
        stage @ (DialStage::Address | DialStage::Dns | DialStage::Tcp | DialStage::Tls) => {
            stage.as_str()
        }
    };
    let check = Check::fail_as(name, Class::of_dial(error), &causes::dial(lang(), error));
    match std::error::Error::source(error) {
        Some(source) => check.notes(vec![source.to_string()]),
        None => check,
    }
}

/// Asks for the front page as `curl -I` does; whatever the status, the host answers.
async fn answers(report: &mut Report, dialer: &Dialer, url: &Url, limit: Duration) -> bool {
    let started = Instant::now();
    let response = match dialer.http().head(url.clone()).timeout(limit).send().await {
        Ok(response) => response,
        Err(error) => {
            let mut root: &dyn std::error::Error = &error;
            while let Some(source) = root.source() {
                root = source;
            }
            let what = match error.is_timeout() {
                true => say!(
                    zh: "已连接，{limit:?} 内没有 HTTP 应答",
                    en: "connected, and no HTTP answer within {limit:?}"
                ),
                false => say!(
                    zh: "已连接，没有 HTTP 应答：{root}",
                    en: "connected, and no HTTP answer: {root}"
                ),
            };
            let class = if dialer.is_proxied(url) { Class::Proxy } else { Class::Network };
            let next = either(
                "途中有设备接受连接却不转发：请检查防火墙和代理",
                "something on the way takes connections and does not pass them on: look at firewall and proxy",
            );
            report.add(Check::fail("http", class, what).next(next).took(started.elapsed()));
            return false;
        }
    };
    let status = response.status().as_u16();
    let date = response.headers().get("date").and_then(|date| date.to_str().ok());
    let what = say!(zh: "有应答，状态 {status}", en: "answers, with status {status}");
    report.add(Check::pass("http", what).took(started.elapsed()));
    report.add(clock(date));
    true
}

fn clock(date: Option<&str>) -> Check {
    const NAME: &str = "clock";
    let theirs = date.and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let Some(theirs) = theirs else {
        let why = either("应答中没有可比对的日期", "the answer has no date to compare with");
        return Check::skip(NAME, why);
    };
    let ours = jiff::Timestamp::now().as_second();
    let skew = ours - theirs.timestamp().as_second();
    let side = if skew < 0 { either("慢", "behind") } else { either("快", "ahead of") };
    let found = say!(
        zh: "比平台的时钟{side} {seconds} 秒",
        en: "{seconds} s {side} the platform's",
        seconds = skew.abs()
    );
    let next = either(
        "请校准本机时钟（timedatectl set-ntp true）",
        "set this machine's clock (timedatectl set-ntp true)",
    );
    match skew.abs() {
        0..=SKEW_LOW_S => Check::pass(NAME, found),
        s if s <= SKEW_MAX_S => Check::warn(NAME, found).next(next),
        _ => Check::fail(NAME, Class::LocalFault, found).next(next),
    }
}
