//! `larkline doctor`: from this machine outwards to the app in the console, one line a check,
//! the verdict last.
//!
//! The failure closest to this machine decides, because those further out follow from it.
//! Nothing is changed, no event is taken from a running gateway (see `link`), and no other
//! program is asked. Its calls are metered: it is for a person, not for a timer.

mod console;
mod link;
mod local;
mod network;
mod platform;
mod report;
mod verdict;

use std::path::PathBuf;

use anyhow::Result;
use larkline_client::{Dialer, redacted_url};
use larkline_gateway::status::{AppStatus, Status};

use self::network::Side;
use self::platform::Patient;
use self::report::{Check, Report};
use crate::args::{DoctorArgs, Format};
use crate::exit::{Class, ExitStatus};

/// Checks everything.
///
/// # Errors
/// When the report cannot be written.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    args: DoctorArgs,
) -> Result<ExitStatus> {
    let mut report = Report::new(format);
    report.section("local");
    report.add(build());
    let Some(config) = local::configuration(&mut report, file) else { return report.finish() };
    let live = local::machine(&mut report, &config).await;
    let dialer = match Dialer::new(&config.network.to_net_options()) {
        Ok(dialer) => dialer,
        Err(error) => {
            report.add(Check::fail_as("settings", Class::LocalFault, &error.to_string()));
            return report.finish();
        }
    };
    let trust = dialer.trust();
    report.add(Check::pass(
        "roots",
        format!(
            "{} of the system (SSL_CERT_FILE and SSL_CERT_DIR count), {} of ca_files, {} bundled",
            trust.system, trust.files, trust.bundled
        ),
    ));
    for app in &config.apps {
        let patient = Patient::new(&config, app, dialer.clone(), args.timeout);
        let running = live.as_ref().and_then(|s| s.apps.iter().find(|a| a.name == app.name));
        examine(&mut report, &patient, live.as_ref(), running, args.no_link).await;
    }
    if let Some(status) = &live {
        report.section("gateway");
        report.add(local::ready(status));
    }
    report.finish()
}

fn build() -> Check {
    let commit = option_env!("LARKLINE_COMMIT").unwrap_or("unknown");
    let version = env!("CARGO_PKG_VERSION");
    Check::pass(
        "build",
        format!("larkline {version} ({commit}), protocol pbbp2, TLS by rustls (ring)"),
    )
}

async fn examine(
    report: &mut Report,
    patient: &Patient<'_>,
    live: Option<&Status>,
    running: Option<&AppStatus>,
    no_link: bool,
) {
    let app = patient.app;
    report.section(format!(
        "network: app {}, {} ({})",
        app.name,
        redacted_url(&app.domain),
        patient.dialer.route(&app.domain)
    ));
    let reached =
        network::host(report, &patient.dialer, &app.domain, Side::Platform, patient.limit).await;
    if !reached {
        if let (Some(app), Some(status)) = (running, live) {
            link::running(report, app, status.at_ms);
        }
        report.add(Check::skip("platform", "it cannot be reached, so nothing can be asked of it"));
        return;
    }
    report.section(format!("platform: app {}, {}", app.name, app.app_id));
    let admitted = platform::credentials(report, patient).await;
    if admitted {
        platform::bot(report, patient).await;
    } else {
        report.add(Check::skip("bot", "calls need accepted credentials"));
    }
    let endpoint = platform::endpoint(report, patient).await;
    let others = match admitted {
        true => link::count(report, patient, running).await,
        false => None,
    };
    let socket = match &endpoint {
        Some(url) => {
            report.section(format!(
                "link: {} ({})",
                url.host_str().unwrap_or_default(),
                patient.dialer.route(url)
            ));
            network::host(report, &patient.dialer, url, Side::WebSocket, patient.limit).await
        }
        None => false,
    };
    match (running, live) {
        (Some(app), Some(status)) => link::running(report, app, status.at_ms),
        _ if !socket => report.add(Check::skip("upgrade", "there is no way to the link's host")),
        _ if no_link => report.add(Check::skip("upgrade", "--no-link: no connection is opened")),
        _ if others.is_some_and(|n| n > 0) => report.add(Check::skip(
            "upgrade",
            "a link of ours would take events from the one that is online",
        )),
        _ => link::own(report, patient).await,
    }
    if !admitted {
        return;
    }
    report.section(format!("console: app {}", app.name));
    let ours = u32::from(running.is_some_and(|a| a.link.verified));
    let mut findings = console::check(report, patient).await;
    findings.others = others.map(|online| online.saturating_sub(ours));
    if let Some(app) = running {
        console::silence(report, patient, app, &findings);
        console::mentions(report, patient, app);
    }
}
