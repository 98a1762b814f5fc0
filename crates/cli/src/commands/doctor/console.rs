//! The app in the developer console, as far as the platform lets us read it: scopes, events,
//! callbacks, versions; and what silence over a verified link may mean.

use larkline_client::{ApiError, ApiErrorKind};
use larkline_gateway::needs::{self, Kind, Need};
use larkline_gateway::status::AppStatus;
use larkline_proto::api::{Application, Version};

use super::platform::{Patient, next_at};
use super::report::{Check, Report};
use crate::exit::Class;
use crate::lang::{either, lang};

/// Messages in groups without any mention after which a scope is suspected.
const UNMENTIONED_MIN: u64 = 5;

/// What the console told; `None` is what could not be read.
#[derive(Default)]
pub(super) struct Findings {
    scopes: Option<Vec<String>>,
    application: Option<Application>,
    versions: Option<Vec<Version>>,
    /// What this configuration needs and the app is known to lack.
    pub(super) missing: Vec<Need>,
    /// What of it cannot be compared, since the app may not read it.
    pub(super) unread: Vec<Need>,
    /// Connections the platform counts beyond ours.
    pub(super) others: Option<u32>,
}

/// Asks the console and checks what this configuration needs of it.
pub(super) async fn check(report: &mut Report, patient: &Patient<'_>) -> Findings {
    let mut findings = Findings::default();
    let needs = needs::of(patient.config, patient.app);
    match patient.api.scopes().await {
        Ok(answer) => {
            findings.lacks(&needs, Kind::Scope, &answer.data);
            report.add(scopes(patient, &needs, &answer.data));
            findings.scopes = Some(answer.data);
        }
        Err(error) => report.add(unreadable("scopes", &error, patient)),
    }
    match patient.api.application().await {
        Ok(answer) => {
            if let Some(has) = answer.data.callbacks() {
                findings.lacks(&needs, Kind::Callback, &owned(has));
            }
            report.add(application(patient, &needs, &answer.data));
            findings.application = Some(answer.data);
        }
        Err(error) => {
            findings.cannot_compare(&needs, Kind::Callback);
            report.add(unreadable("app", &error, patient));
        }
    }
    match patient.api.versions().await {
        Ok(answer) => {
            report.add(version(patient, &answer.data));
            findings.lacks(&needs, Kind::Event, &subscribed(&answer.data));
            report.add(events(patient, &needs, &answer.data));
            findings.versions = Some(answer.data);
        }
        Err(error) => {
            findings.cannot_compare(&needs, Kind::Event);
            report.add(unreadable("version", &error, patient));
        }
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

impl Findings {
    /// Notes what of one kind is needed and not there.
    fn lacks(&mut self, needs: &[Need], kind: Kind, has: &[String]) {
        let of_kind = needs.iter().filter(|need| need.kind == kind);
        self.missing.extend(of_kind.filter(|need| !need.is_met_by(has)).cloned());
    }

    fn cannot_compare(&mut self, needs: &[Need], kind: Kind) {
        self.unread.extend(needs.iter().filter(|need| need.kind == kind).cloned());
    }
}

fn owned<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Vec<String> {
    names.into_iter().map(|name| name.as_ref().to_owned()).collect()
}

/// The events of the version that is live.
fn subscribed(versions: &[Version]) -> Vec<String> {
    owned(versions.iter().find(|v| v.is_released()).into_iter().flat_map(Version::events))
}

/// The names of what is needed and not there, and a line on what each breaks.
fn missing<'a>(
    needs: impl Iterator<Item = &'a Need>,
    has: &[String],
) -> (Vec<&'a str>, Vec<String>) {
    let missing: Vec<&Need> = needs.filter(|need| !need.is_met_by(has)).collect();
    let line = |need: &&Need| {
        let (name, what) = (need.name(), need.lost(lang()));
        say!(zh: "没有 {name}：不能{what}", en: "without {name}: cannot {what}")
    };
    (missing.iter().map(|need| need.name()).collect(), missing.iter().map(line).collect())
}

fn scopes(patient: &Patient<'_>, needs: &[Need], granted: &[String]) -> Check {
    const NAME: &str = "scopes";
    let of = |required| {
        needs.iter().filter(move |need| need.kind == Kind::Scope && need.required == required)
    };
    let (names, mut notes) = missing(of(true), granted);
    notes.extend(missing(of(false), granted).1);
    if names.is_empty() {
        let what =
            either("此配置需要的权限都已授予", "all that this configuration needs are granted");
        return Check::pass(NAME, what).notes(notes);
    }
    let list = names.join(",");
    let what = say!(zh: "缺少：{list}", en: "missing: {list}");
    Check::fail(NAME, Class::PlatformConfig, what).notes(notes).next(next_at(
        either("请添加并发布版本", "add them, release a version"),
        &patient.console(&format!("auth?q={list}")),
    ))
}

fn application(patient: &Patient<'_>, needs: &[Need], app: &Application) -> Check {
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
    let wanted = || needs.iter().filter(|need| need.kind == Kind::Callback);
    let next = || {
        let what = either("请在“回调配置”中设置并发布", "set it under callbacks, and release");
        next_at(what, &patient.console("callback"))
    };
    if let Some(mode) = app.callback_mode()
        && mode != "websocket"
        && wanted().any(|need| need.required)
    {
        let what = say!(
            zh: "回调经 {mode} 推送，而不是长连接",
            en: "callbacks go out by {mode}, not over the long connection"
        );
        return Check::fail(NAME, Class::PlatformConfig, what).next(next());
    }
    let Some(has) = app.callbacks().map(owned) else {
        return Check::pass(NAME, either("已启用", "enabled"));
    };
    let (absent, _) = missing(wanted().filter(|need| need.required), &has);
    let (_, notes) = missing(wanted(), &has);
    match absent.is_empty() {
        true => Check::pass(NAME, either("已启用", "enabled")).notes(notes),
        false => {
            let absent = absent.join(", ");
            let what = say!(zh: "未订阅的回调：{absent}", en: "callbacks not subscribed: {absent}");
            Check::fail(NAME, Class::PlatformConfig, what).notes(notes).next(next())
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

fn events(patient: &Patient<'_>, needs: &[Need], versions: &[Version]) -> Check {
    const NAME: &str = "events";
    let needed = || needs.iter().filter(|need| need.kind == Kind::Event);
    let has = |version: &Version, kind: &str| version.events().any(|e| e == kind);
    let (missing, _) = missing(needed(), &subscribed(versions));
    if missing.is_empty() {
        let needed = needed().map(Need::name).collect::<Vec<_>>().join(", ");
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
    let needs = needs::of(patient.config, patient.app);
    let mode = f.application.as_ref().and_then(Application::callback_mode);
    let subscribed = f.versions.as_deref().map(|versions| {
        let has = subscribed(versions);
        needs.iter().filter(|need| need.kind == Kind::Event).all(|need| need.is_met_by(&has))
    });
    let draft = f.versions.as_ref().map(|v| v.first().is_none_or(Version::is_released));
    let hears = f.scopes.as_deref().map(needs::hears_messages);
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
    let scope = needs::mention_scope();
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
