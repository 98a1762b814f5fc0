//! The app in the developer console, as far as the platform lets us read it: scopes, events,
//! callbacks, versions; and what silence over a verified link may mean.

use std::collections::BTreeSet;

use larkline_client::{ApiError, ApiErrorKind};
use larkline_gateway::config::{Config, Mention};
use larkline_gateway::status::AppStatus;
use larkline_proto::api::{Application, Version};
use larkline_proto::event::{CARD_ACTION, MESSAGE_RECEIVED, URL_PREVIEW};

use super::platform::{Patient, next_at};
use super::report::{Check, Report};
use crate::exit::Class;
use crate::lang::either;

/// What needs a scope, of which any one is enough.
struct Need {
    /// In Chinese and in English.
    what: (&'static str, &'static str),
    any_of: &'static [&'static str],
}

const DIRECT: Need = Need {
    what: ("收到直接发给机器人的消息", "hear what is written to the bot directly"),
    any_of: &["im:message.p2p_msg:readonly", "im:message.p2p_msg"],
};
const MENTIONED: Need = Need {
    what: ("收到群聊中 @机器人 的消息", "hear messages in groups that mention the bot"),
    any_of: &[
        "im:message.group_at_msg:readonly",
        "im:message.group_at_msg",
        "im:message.group_at_msg.include_bot:readonly",
        "im:message.group_msg",
        "im:message.group_msg:readonly",
    ],
};
const EVERYTHING: Need = Need {
    what: ("收到群聊中没有 @机器人 的消息", "hear messages in groups that do not mention the bot"),
    any_of: &["im:message.group_msg", "im:message.group_msg:readonly"],
};
const SEND: Need = Need {
    what: ("回答", "answer"),
    any_of: &["im:message:send_as_bot", "im:message", "im:message:send"],
};
/// What this version can do without, and what it then lacks.
const OPTIONAL: &[Need] = &[
    Need {
        what: ("读回断线期间的消息", "read back what came while the link was down"),
        any_of: &["im:message:readonly", "im:message", "im:message.history:readonly"],
    },
    Need { what: ("收发文件", "send and read files"), any_of: &["im:resource"] },
    Need { what: ("流式更新卡片", "stream into cards"), any_of: &["cardkit:card:write"] },
    Need {
        what: ("让 doctor 读取版本和订阅", "let doctor read versions and subscriptions"),
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
        true => {
            let why =
                either("应用无权读取自己的配置", "the app may not read its own configuration");
            Check::skip(name, why).next(next_at(
                either(
                    "授予 application:application:self_manage 即可检查此项",
                    "grant application:application:self_manage to have this checked",
                ),
                &patient.console("auth?q=application:application:self_manage"),
            ))
        }
        false => Check::skip(
            name,
            say!(zh: "平台没有告知：{error}", en: "the platform does not tell: {error}"),
        ),
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
    let line = |need: &&Need| {
        let (scope, what) = (need.any_of[0], either(need.what.0, need.what.1));
        say!(zh: "没有 {scope}：不能{what}", en: "without {scope}: cannot {what}")
    };
    let missing: Vec<&Need> = needs.into_iter().filter(|need| !has(need)).collect();
    let mut notes: Vec<String> = missing.iter().map(line).collect();
    notes.extend(OPTIONAL.iter().filter(|need| !has(need)).map(|need| line(&need)));
    if missing.is_empty() {
        let what =
            either("此配置需要的权限都已授予", "all that this configuration needs are granted");
        return Check::pass(NAME, what).notes(notes);
    }
    let names: Vec<&str> = missing.iter().map(|need| need.any_of[0]).collect();
    let list = names.join(",");
    let what = say!(zh: "缺少：{list}", en: "missing: {list}");
    Check::fail(NAME, Class::PlatformConfig, what).notes(notes).next(next_at(
        either("请添加并发布版本", "add them, release a version"),
        &patient.console(&format!("auth?q={list}")),
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
        let next = either("请管理员启用", "an administrator enables it");
        return Check::fail(
            NAME,
            Class::PlatformConfig,
            either("应用已停用", "the app is disabled"),
        )
        .next(next_at(next, &patient.console("baseinfo")));
    }
    let wanted: Vec<&str> =
        needed_events(patient.config).into_iter().filter(|kind| is_callback(kind)).collect();
    let next = || {
        let what = either("请在“回调配置”中设置并发布", "set it under callbacks, and release");
        next_at(what, &patient.console("callback"))
    };
    if let Some(mode) = app.callback_mode()
        && mode != "websocket"
        && !wanted.is_empty()
    {
        let what = say!(
            zh: "回调经 {mode} 推送，而不是长连接",
            en: "callbacks go out by {mode}, not over the long connection"
        );
        return Check::fail(NAME, Class::PlatformConfig, what).next(next());
    }
    let absent: Vec<&str> = app
        .callbacks()
        .map(|has| wanted.into_iter().filter(|kind| !has.iter().any(|h| h == kind)).collect())
        .unwrap_or_default();
    match absent.is_empty() {
        true => Check::pass(NAME, either("已启用", "enabled")),
        false => {
            let absent = absent.join(", ");
            let what = say!(zh: "未订阅的回调：{absent}", en: "callbacks not subscribed: {absent}");
            Check::fail(NAME, Class::PlatformConfig, what).next(next())
        }
    }
}

fn version(patient: &Patient<'_>, versions: &[Version]) -> Check {
    const NAME: &str = "version";
    let console = || patient.console("version");
    let Some(live) = versions.iter().find(|v| v.is_released()) else {
        let what = either("从未发布过版本", "no version was ever released");
        let next = either("请创建版本并发布", "create a version and release it");
        return Check::fail(NAME, Class::PlatformConfig, what).next(next_at(next, &console()));
    };
    match versions.first().filter(|newest| !newest.is_released()) {
        Some(newest) => {
            let state = match newest.status {
                2 => either("被驳回", "was rejected"),
                3 => either("审核中", "is in review"),
                _ => either("尚未提交", "is not submitted"),
            };
            let what = say!(
                zh: "{live} 已发布；{newest} {state}，其改动尚未生效",
                en: "{live} is released; {newest} {state}, so its changes do not count yet",
                live = live.version, newest = newest.version
            );
            Check::warn(NAME, what).next(next_at(either("请发布", "release it"), &console()))
        }
        None => Check::pass(
            NAME,
            say!(
                zh: "{live} 已发布，没有更新的版本在等待",
                en: "{live} is released, nothing newer waits",
                live = live.version
            ),
        ),
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
        let needed = needed.join(", ");
        return Check::pass(NAME, say!(zh: "已订阅：{needed}", en: "subscribed: {needed}"));
    }
    let drafted = versions.iter().any(|v| missing.iter().all(|kind| has(v, kind)));
    let (what, next) = match drafted {
        true => either(
            ("已添加，未发布", "请发布含有它们的版本"),
            ("added, and not released", "release the version that has them"),
        ),
        false => either(
            ("未订阅", "请在“事件配置”中以长连接方式添加并发布"),
            ("not subscribed", "add them under events, by long connection, and release"),
        ),
    };
    Check::fail(NAME, Class::PlatformConfig, next_at(what, &missing.join(", ")))
        .next(next_at(next, &patient.console("event")))
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
            say!(
                zh: "最近的事件到达于 {at}",
                en: "the last event came at {at}",
                at = crate::output::local_time(at)
            ),
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
    let (event, auth) = (patient.console("event"), patient.console("auth"));
    // The mode of events is not told; that of callbacks, set beside it, is a hint when wrong.
    let mode = mode.filter(|mode| *mode != "websocket").map(|_| false);
    let causes = vec![
        line(
            1,
            either("订阅方式不是长连接", "the subscription mode is not the long connection"),
            mode,
            &event,
        ),
        line(2, either("没有添加该事件", "the event is not added"), subscribed, &event),
        line(
            3,
            either("含它的版本未发布", "its version is not released"),
            draft,
            &patient.console("version"),
        ),
        line(4, either("缺少权限", "a scope is missing"), hears, &auth),
        line(5, either("应用已停用", "the app is disabled"), enabled, &patient.console("baseinfo")),
        line(
            6,
            either("另一个实例拿走了事件", "another instance takes the events"),
            alone,
            either("停止它", "stop it"),
        ),
    ];
    let what = either(
        "连接已验证，而启动以来没有收到任何事件；可能的原因，依次为：",
        "the link is verified and no event came since the start; in this order it may be:",
    );
    let next = either(
        "请给机器人发消息，或运行 `larkline probe`，然后再看",
        "write to the bot, or run `larkline probe`, and look again",
    );
    report.add(Check::warn(NAME, what).notes(causes).next(next));
}

/// One possible cause of silence, and what is known about it.
fn line(n: usize, cause: &str, fine: Option<bool>, page: &str) -> String {
    let found = match fine {
        Some(true) => either("已排除", "ruled out").to_owned(),
        Some(false) => say!(zh: "发现：{page}", en: "FOUND: {page}"),
        None => say!(zh: "无法询问，请查看：{page}", en: "cannot be asked, look: {page}"),
    };
    say!(zh: "{n}. {cause}：{found}", en: "{n}. {cause}: {found}")
}

/// Groups that talk, and never to the bot.
pub(super) fn mentions(report: &mut Report, patient: &Patient<'_>, app: &AppStatus) {
    const NAME: &str = "mentions";
    let (all, mentioning) = (app.group_messages, app.group_mentions);
    if all < UNMENTIONED_MIN || mentioning > 0 {
        return;
    }
    let scope = MENTIONED.any_of[0];
    let what = say!(
        zh: "启动以来群聊中来了 {all} 条消息，没有一条 @机器人",
        en: "{all} messages came from groups since the start, and none mentions the bot"
    );
    report.add(Check::warn(NAME, what).next(say!(
        zh: "很可能缺少权限 {scope}：请添加并发布，{page}",
        en: "probably the scope {scope} is missing: add it and release, {page}",
        page = patient.console(&format!("auth?q={scope}"))
    )));
}
