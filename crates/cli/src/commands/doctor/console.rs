//! The app in the developer console, as far as the platform lets us read it: scopes, events,
//! callbacks, versions; and what silence over a verified link may mean.

use std::collections::BTreeSet;

use larkline_client::{ApiError, ApiErrorKind};
use larkline_gateway::config::{Config, Mention};
use larkline_gateway::status::AppStatus;
use larkline_proto::api::{Application, Version};
use larkline_proto::event::{CARD_ACTION, MESSAGE_RECEIVED, URL_PREVIEW};

use super::platform::Patient;
use super::report::{Check, Report};
use crate::exit::Class;

/// What needs a scope, of which any one is enough.
struct Need {
    what: &'static str,
    any_of: &'static [&'static str],
}

const DIRECT: Need = Need {
    what: "hear what is written to the bot directly",
    any_of: &["im:message.p2p_msg:readonly", "im:message.p2p_msg"],
};
const MENTIONED: Need = Need {
    what: "hear messages in groups that mention the bot",
    any_of: &[
        "im:message.group_at_msg:readonly",
        "im:message.group_at_msg",
        "im:message.group_at_msg.include_bot:readonly",
        "im:message.group_msg",
        "im:message.group_msg:readonly",
    ],
};
const EVERYTHING: Need = Need {
    what: "hear messages in groups that do not mention the bot",
    any_of: &["im:message.group_msg", "im:message.group_msg:readonly"],
};
const SEND: Need =
    Need { what: "answer", any_of: &["im:message:send_as_bot", "im:message", "im:message:send"] };
/// What this version can do without, and what it then lacks.
const OPTIONAL: &[Need] = &[
    Need {
        what: "read back what came while the link was down",
        any_of: &["im:message:readonly", "im:message", "im:message.history:readonly"],
    },
    Need { what: "send and read files", any_of: &["im:resource"] },
    Need { what: "stream into cards", any_of: &["cardkit:card:write"] },
    Need {
        what: "let doctor read versions and subscriptions",
        any_of: &["application:application:self_manage"],
    },
];

/// Messages in groups without any mention after which a scope is suspected.
const UNMENTIONED_MIN: u64 = 5;

/// What the console told; `None` is what could not be read.
#[derive(Default)]
pub(super) struct Findings {
    scopes: Option<Vec<String>>,
    application: Option<Application>,
    versions: Option<Vec<Version>>,
    /// Connections the platform counts beyond ours.
    pub(super) others: Option<u32>,
}

/// Asks the console and checks what this configuration needs of it.
pub(super) async fn check(report: &mut Report, patient: &Patient<'_>) -> Findings {
    let mut findings = Findings::default();
    match patient.api.scopes().await {
        Ok(answer) => {
            report.add(scopes(patient, &answer.data));
            findings.scopes = Some(answer.data);
        }
        Err(error) => report.add(unreadable("scopes", &error, patient)),
    }
    match patient.api.application().await {
        Ok(answer) => {
            report.add(application(patient, &answer.data));
            findings.application = Some(answer.data);
        }
        Err(error) => report.add(unreadable("app", &error, patient)),
    }
    match patient.api.versions().await {
        Ok(answer) => {
            report.add(version(patient, &answer.data));
            report.add(events(patient, &answer.data));
            findings.versions = Some(answer.data);
        }
        Err(error) => report.add(unreadable("version", &error, patient)),
    }
    findings
}

/// A page that cannot be read is no fault by itself.
fn unreadable(name: &'static str, error: &ApiError, patient: &Patient<'_>) -> Check {
    let missing =
        matches!(&error.kind, ApiErrorKind::Platform { failure, .. } if !failure.scopes.is_empty());
    match missing {
        true => Check::skip(name, "the app may not read its own configuration").next(format!(
            "grant application:application:self_manage to have this checked: {}",
            patient.console("auth?q=application:application:self_manage")
        )),
        false => Check::skip(name, format!("the platform does not tell: {error}")),
    }
}

fn scopes(patient: &Patient<'_>, granted: &[String]) -> Check {
    const NAME: &str = "scopes";
    let has = |need: &&Need| need.any_of.iter().any(|scope| granted.iter().any(|g| g == scope));
    let messages = needed_events(patient.config).contains(MESSAGE_RECEIVED);
    let unmentioned = patient.config.routes.iter().any(|r| r.mention == Mention::Never);
    let mut needs = vec![&SEND];
    if messages {
        needs.extend([&DIRECT, &MENTIONED]);
    }
    if messages && unmentioned {
        needs.push(&EVERYTHING);
    }
    let line = |need: &&Need| format!("without {}: cannot {}", need.any_of[0], need.what);
    let missing: Vec<&Need> = needs.into_iter().filter(|need| !has(need)).collect();
    let mut notes: Vec<String> = missing.iter().map(line).collect();
    notes.extend(OPTIONAL.iter().filter(|need| !has(need)).map(|need| line(&need)));
    if missing.is_empty() {
        return Check::pass(NAME, "all that this configuration needs are granted").notes(notes);
    }
    let names: Vec<&str> = missing.iter().map(|need| need.any_of[0]).collect();
    let list = names.join(",");
    Check::fail(NAME, Class::PlatformConfig, format!("missing: {list}")).notes(notes).next(format!(
        "add them, release a version: {}",
        patient.console(&format!("auth?q={list}"))
    ))
}

/// Event types that some route wants.
fn needed_events(config: &Config) -> BTreeSet<&str> {
    config.routes.iter().flat_map(|route| route.events.iter().map(String::as_str)).collect()
}

fn is_callback(kind: &str) -> bool {
    matches!(kind, CARD_ACTION | URL_PREVIEW)
}

fn application(patient: &Patient<'_>, app: &Application) -> Check {
    const NAME: &str = "app";
    if matches!(app.status, Some(0 | 2)) {
        return Check::fail(NAME, Class::PlatformConfig, "the app is disabled")
            .next(format!("an administrator enables it: {}", patient.console("baseinfo")));
    }
    let wanted: Vec<&str> =
        needed_events(patient.config).into_iter().filter(|kind| is_callback(kind)).collect();
    let next = || format!("set it under callbacks, and release: {}", patient.console("callback"));
    if let Some(mode) = app.callback_mode()
        && mode != "websocket"
        && !wanted.is_empty()
    {
        let what = format!("callbacks go out by {mode}, not over the long connection");
        return Check::fail(NAME, Class::PlatformConfig, what).next(next());
    }
    let absent: Vec<&str> = app
        .callbacks()
        .map(|has| wanted.into_iter().filter(|kind| !has.iter().any(|h| h == kind)).collect())
        .unwrap_or_default();
    match absent.is_empty() {
        true => Check::pass(NAME, "enabled"),
        false => {
            let what = format!("callbacks not subscribed: {}", absent.join(", "));
            Check::fail(NAME, Class::PlatformConfig, what).next(next())
        }
    }
}

fn version(patient: &Patient<'_>, versions: &[Version]) -> Check {
    const NAME: &str = "version";
    let console = || patient.console("version");
    let Some(live) = versions.iter().find(|v| v.is_released()) else {
        return Check::fail(NAME, Class::PlatformConfig, "no version was ever released")
            .next(format!("create a version and release it: {}", console()));
    };
    match versions.first().filter(|newest| !newest.is_released()) {
        Some(newest) => {
            let state = match newest.status {
                2 => "was rejected",
                3 => "is in review",
                _ => "is not submitted",
            };
            let what = format!(
                "{} is released; {} {state}, so its changes do not count yet",
                live.version, newest.version
            );
            Check::warn(NAME, what).next(format!("release it: {}", console()))
        }
        None => Check::pass(NAME, format!("{} is released, nothing newer waits", live.version)),
    }
}

fn events(patient: &Patient<'_>, versions: &[Version]) -> Check {
    const NAME: &str = "events";
    let live = versions.iter().find(|v| v.is_released());
    let needed = needed_events(patient.config);
    let needed: Vec<&str> = needed.into_iter().filter(|kind| !is_callback(kind)).collect();
    let has = |version: &Version, kind: &str| version.events().any(|e| e == kind);
    let missing: Vec<&str> =
        needed.iter().copied().filter(|kind| !live.is_some_and(|v| has(v, kind))).collect();
    if missing.is_empty() {
        return Check::pass(NAME, format!("subscribed: {}", needed.join(", ")));
    }
    let drafted = versions.iter().any(|v| missing.iter().all(|kind| has(v, kind)));
    let (what, next) = match drafted {
        true => ("added, and not released", "release the version that has them"),
        false => ("not subscribed", "add them under events, by long connection, and release"),
    };
    Check::fail(NAME, Class::PlatformConfig, format!("{what}: {}", missing.join(", ")))
        .next(format!("{next}: {}", patient.console("event")))
}

/// A verified link over which nothing came since the start.
pub(super) fn silence(report: &mut Report, patient: &Patient<'_>, app: &AppStatus, f: &Findings) {
    const NAME: &str = "silence";
    if !app.link.verified {
        return;
    }
    if let Some(at) = app.link.last_event_at_ms {
        report.add(Check::pass(
            NAME,
            format!("the last event came at {}", crate::output::local_time(at)),
        ));
        return;
    }
    let needed = needed_events(patient.config);
    let mode = f.application.as_ref().and_then(Application::callback_mode);
    let live = f.versions.as_ref().map(|versions| versions.iter().find(|v| v.is_released()));
    let subscribed = live.map(|live| {
        let has = |kind: &str| live.is_some_and(|v| v.events().any(|e| e == kind));
        needed.iter().all(|kind| is_callback(kind) || has(kind))
    });
    let draft = f.versions.as_ref().map(|v| v.first().is_none_or(Version::is_released));
    let hears = f.scopes.as_ref().map(|granted| {
        let has = |need: &Need| need.any_of.iter().any(|s| granted.iter().any(|g| g == s));
        has(&DIRECT) || has(&MENTIONED)
    });
    let enabled = f.application.as_ref().and_then(|a| a.status).map(|status| status == 1);
    let alone = f.others.map(|others| others == 0);
    let line = |n: usize, cause: &str, fine: Option<bool>, page: &str| {
        let found = match fine {
            Some(true) => "ruled out".to_owned(),
            Some(false) => format!("FOUND: {page}"),
            None => format!("cannot be asked, look: {page}"),
        };
        format!("{n}. {cause}: {found}")
    };
    let (event, auth) = (patient.console("event"), patient.console("auth"));
    // The mode of events is not told; that of callbacks, set beside it, is a hint when wrong.
    let mode = mode.filter(|mode| *mode != "websocket").map(|_| false);
    let causes = vec![
        line(1, "the subscription mode is not the long connection", mode, &event),
        line(2, "the event is not added", subscribed, &event),
        line(3, "its version is not released", draft, &patient.console("version")),
        line(4, "a scope is missing", hears, &auth),
        line(5, "the app is disabled", enabled, &patient.console("baseinfo")),
        line(6, "another instance takes the events", alone, "stop it"),
    ];
    let what = "the link is verified and no event came since the start; in this order it may be:";
    let next = "write to the bot, or run `larkline probe`, and look again";
    report.add(Check::warn(NAME, what).notes(causes).next(next));
}

/// Groups that talk, and never to the bot.
pub(super) fn mentions(report: &mut Report, patient: &Patient<'_>, app: &AppStatus) {
    const NAME: &str = "mentions";
    let (all, mentioning) = (app.group_messages, app.group_mentions);
    if all < UNMENTIONED_MIN || mentioning > 0 {
        return;
    }
    let scope = MENTIONED.any_of[0];
    let what =
        format!("{all} messages came from groups since the start, and none mentions the bot");
    report.add(Check::warn(NAME, what).next(format!(
        "probably the scope {scope} is missing: add it and release, {}",
        patient.console(&format!("auth?q={scope}"))
    )));
}
