//! `larkline doctor`: from this machine outwards to the app in the console, one line a check,
//! the verdict last.
//!
//! The failure closest to this machine decides, because those further out follow from it.
//! With `--post-upgrade` it asks the running gateway alone, whether all is as before the upgrade.
//! A configuration with problems is a local fault, and what does not depend on them is checked all the same.
//! Nothing is changed but what a person allows with `--fix`, no event is taken from a running gateway
//! (see `link`), and no other program is asked. Its calls are metered: it is for a person, not for a timer.

mod bundle;
mod console;
mod fix;
mod instance;
mod link;
mod local;
mod network;
mod platform;
mod report;
mod start;
mod upgrade;
mod verdict;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use larkline_client::{Dialer, FEISHU, LARK, NetOptions, redacted_url};
use larkline_gateway::causes;
use larkline_gateway::status::{AppStatus, Status};
use url::Url;

use self::console::Findings;
use self::fix::Gap;
use self::local::Found;
use self::network::Side;
use self::platform::Patient;
use self::report::{Check, Report, Verdict};
use crate::args::{DoctorArgs, Format};
use crate::exit::{Class, ExitStatus};
use crate::lang::{either, lang};
use crate::words;

/// Where the platform of each brand is.
const BRANDS: [&str; 2] = [FEISHU, LARK];

/// Checks everything.
///
/// # Errors
/// When the report cannot be written.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    args: DoctorArgs,
) -> Result<ExitStatus> {
    if let Some(bundle) = &args.bundle {
        bundle::free(bundle)?;
    }
    let verdict = diagnosis(file.clone(), format, &args).await?;
    if let Some(bundle) = &args.bundle {
        bundle::write(bundle, file, &verdict).await?;
    }
    Ok(verdict.exit)
}

/// The whole of it, with what `--fix` adds.
async fn diagnosis(file: Option<PathBuf>, format: Format, args: &DoctorArgs) -> Result<Verdict> {
    let mut report = Report::new(format);
    let gaps = look(&mut report, file.clone(), args).await;
    if !args.fix || gaps.is_empty() {
        return report.finish();
    }
    report.section(either("补上缺少的", "add what is missing"));
    if !fix::all(&mut report, gaps, args).await {
        return report.finish();
    }
    // What was found before does not hold any more.
    let mut again = Report::new(format);
    look(&mut again, file, args).await;
    again.finish()
}

/// Makes every check; what `--fix` can add.
async fn look(report: &mut Report, file: Option<PathBuf>, args: &DoctorArgs) -> Vec<Gap> {
    let mut gaps = Vec::new();
    report.section(either("本机", "local"));
    report.add(build());
    let Some(Found { config, whole }) = local::configuration(report, file) else { return gaps };
    if args.post_upgrade {
        upgrade::check(report, &config, args.timeout).await;
        return gaps;
    }
    let live = local::machine(report, &config).await;
    let Some(dialer) = dialer(report, &config.network.to_net_options()) else { return gaps };
    let trust = dialer.trust();
    report.add(Check::pass(
        "roots",
        say!(
            zh: "系统 {system} 个（含 SSL_CERT_FILE 和 SSL_CERT_DIR），ca_files {files} 个，内置 {bundled} 个",
            en: "{system} of the system (SSL_CERT_FILE and SSL_CERT_DIR count), {files} of ca_files, {bundled} bundled",
            system = trust.system, files = trust.files, bundled = trust.bundled
        ),
    ));
    for app in &config.apps {
        let patient = Patient::new(&config, app, dialer.clone(), args.timeout);
        let running =
            live.as_ref().and_then(|s| s.apps.iter().find(|a| a.app_id == app.app_id.as_str()));
        let found = examine(report, &patient, live.as_ref(), running, args.no_link).await;
        // What a broken configuration needs is not known.
        gaps.extend(found.filter(|_| whole).and_then(|findings| Gap::of(&patient, findings)));
    }
    if config.apps.is_empty() {
        brands(report, &dialer, args.timeout).await;
    }
    if let Some(status) = &live {
        report.section(either("网关", "gateway"));
        report.add(local::ready(status));
    }
    gaps
}

/// The gateway's own dialer; one with less where an authority's file is no such thing.
fn dialer(report: &mut Report, options: &NetOptions) -> Option<Dialer> {
    let error = match Dialer::new(options) {
        Ok(dialer) => return Some(dialer),
        Err(error) => error,
    };
    report.add(Check::fail_as("settings", Class::LocalFault, &causes::net(lang(), &error)));
    Dialer::new(&NetOptions { ca_files: Vec::new(), ..options.clone() }).ok()
}

/// Where no app is known, the way to both brands.
async fn brands(report: &mut Report, dialer: &Dialer, limit: Duration) {
    for url in BRANDS.into_iter().filter_map(|url| Url::parse(url).ok()) {
        let route = dialer.route(&url);
        report.section(say!(
            zh: "网络：{url}（{route}）",
            en: "network: {url} ({route})",
            url = redacted_url(&url)
        ));
        network::host(report, dialer, &url, Side::Platform, limit).await;
    }
}

fn build() -> Check {
    let commit = option_env!("LARKLINE_COMMIT").unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    Check::pass(
        "build",
        say!(
            zh: "larkline {version}（{commit}），协议 pbbp2，TLS 由 rustls (ring) 提供",
            en: "larkline {version} ({commit}), protocol pbbp2, TLS by rustls (ring)"
        ),
    )
}

/// Checks the way to the host of the long connection.
async fn link_host(report: &mut Report, patient: &Patient<'_>, url: &Url) -> bool {
    let route = patient.dialer.route(url);
    let (host, route) = (url.host_str().unwrap_or_default(), words::route(&route));
    report.section(say!(zh: "长连接：{host}（{route}）", en: "link: {host} ({route})"));
    network::host(report, &patient.dialer, url, Side::WebSocket, patient.limit).await
}

fn skip_upgrade(report: &mut Report, why: &str) {
    report.add(Check::skip("upgrade", why));
}

async fn examine(
    report: &mut Report,
    patient: &Patient<'_>,
    live: Option<&Status>,
    running: Option<&AppStatus>,
    no_link: bool,
) -> Option<Findings> {
    let app = patient.app;
    let route = patient.dialer.route(&app.domain);
    let route = words::route(&route);
    report.section(say!(
        zh: "网络：应用 {name}，{url}（{route}）",
        en: "network: app {name}, {url} ({route})",
        name = app.name, url = redacted_url(&app.domain)
    ));
    let reached =
        network::host(report, &patient.dialer, &app.domain, Side::Platform, patient.limit).await;
    if !reached {
        if let (Some(app), Some(status)) = (running, live) {
            link::running(report, app, status.at_ms);
        }
        let why =
            either("无法到达，因此无从询问", "it cannot be reached, so nothing can be asked of it");
        report.add(Check::skip("platform", why));
        return None;
    }
    let (name, id) = (&app.name, &app.app_id);
    report.section(say!(zh: "平台：应用 {name}，{id}", en: "platform: app {name}, {id}"));
    let admitted = platform::credentials(report, patient).await;
    if admitted {
        platform::bot(report, patient).await;
    } else {
        report.add(Check::skip(
            "bot",
            either("凭据被接受后才能调用", "calls need accepted credentials"),
        ));
    }
    let endpoint = platform::endpoint(report, patient).await;
    let others = match admitted {
        true => link::count(report, patient, running).await,
        false => None,
    };
    let place = Place { live, running, no_link };
    socket(report, patient, endpoint.as_ref(), others, &place).await;
    if !admitted {
        return None;
    }
    report.section(say!(zh: "后台：应用 {name}", en: "console: app {name}"));
    let ours = u32::from(running.is_some_and(|a| a.link.verified));
    let mut findings = console::check(report, patient).await;
    platform::chats(report, patient).await;
    findings.others = others.map(|online| online.saturating_sub(ours));
    if let Some(app) = running {
        console::silence(report, patient, app, &findings);
        console::mentions(report, patient, app);
    }
    Some(findings)
}

/// What is known of a running gateway, and whether a link of ours may be opened.
struct Place<'a> {
    live: Option<&'a Status>,
    running: Option<&'a AppStatus>,
    no_link: bool,
}

/// The way to the link's host, and the running gateway's link or a moment of our own.
async fn socket(
    report: &mut Report,
    patient: &Patient<'_>,
    endpoint: Option<&Url>,
    others: Option<u32>,
    place: &Place<'_>,
) {
    let &Place { live, running, no_link } = place;
    let socket = match endpoint {
        Some(url) => link_host(report, patient, url).await,
        None => false,
    };
    match (running, live) {
        (Some(app), Some(status)) => link::running(report, app, status.at_ms),
        _ if !socket => skip_upgrade(
            report,
            either("无法到达长连接的主机", "there is no way to the link's host"),
        ),
        _ if no_link => skip_upgrade(
            report,
            either("--no-link：不打开连接", "--no-link: no connection is opened"),
        ),
        _ if others.is_some_and(|n| n > 0) => skip_upgrade(
            report,
            either(
                "我们的连接会分走在线连接的事件",
                "a link of ours would take events from the one that is online",
            ),
        ),
        _ => link::own(report, patient).await,
    }
}
