//! What the platform says when it is asked directly: credentials, bot, endpoint.

use std::time::Duration;

use larkline_client::link::{self, LinkOptions};
use larkline_client::{ApiClient, ApiError, ApiErrorKind, Dialer, FEISHU, LARK};
use larkline_gateway::config::{App, Config};
use larkline_proto::api::Endpoint;
use tokio::time::Instant;
use url::Url;

use super::report::{Check, Report};
use crate::exit::Class;
use crate::lang::either;

/// The bot is switched on in the tenant.
const ENABLED: i64 = 2;

/// One app, and the means to ask about it.
pub(super) struct Patient<'a> {
    pub(super) config: &'a Config,
    pub(super) app: &'a App,
    pub(super) dialer: Dialer,
    pub(super) api: ApiClient,
    /// How long each single step may take.
    pub(super) limit: Duration,
}

impl<'a> Patient<'a> {
    pub(super) fn new(config: &'a Config, app: &'a App, dialer: Dialer, limit: Duration) -> Self {
        let api = client(&dialer, &app.domain, app, limit);
        Self { config, app, dialer, api, limit }
    }

    /// A page of the app in the developer console.
    pub(super) fn console(&self, page: &str) -> String {
        let domain = self.app.domain.as_str().trim_end_matches('/');
        format!("{domain}/app/{}/{page}", self.app.app_id)
    }

    pub(super) fn link_options(&self) -> LinkOptions {
        let limit = self.limit;
        let mut config = self.config.link.to_link_config(self.app.domain.scheme() == "https");
        config.discovery_timeout = limit;
        config.dial_timeout = limit;
        config.verify_timeout = limit;
        // Nothing that arrives is answered, so there is no answer to wait for.
        config.drain_timeout = Duration::ZERO;
        LinkOptions {
            app_id: self.app.app_id.clone(),
            app_secret: self.app.app_secret.clone(),
            domain: self.app.domain.clone(),
            dialer: self.dialer.clone(),
            config,
            seed: 0,
        }
    }
}

fn client(dialer: &Dialer, domain: &Url, app: &App, limit: Duration) -> ApiClient {
    let (id, secret) = (app.app_id.clone(), app.app_secret.clone());
    ApiClient::with_timeouts(dialer.clone(), domain.clone(), id, secret, limit, limit)
}

/// Fetches a token; true when calls can be made.
pub(super) async fn credentials(report: &mut Report, patient: &Patient<'_>) -> bool {
    const NAME: &str = "credentials";
    let started = Instant::now();
    let result = patient.api.verify().await;
    let took = started.elapsed();
    let Err(error) = result else {
        let what = either("app id 和 secret 被接受", "app id and secret are accepted");
        report.add(Check::pass(NAME, what).took(took));
        return true;
    };
    let check = match which(&error) {
        Some(Wrong::Secret) => Check::fail(NAME, Class::Credentials, said(&error)).next(say!(
            zh: "app id 存在，secret 不是它的：请从 {console} 重新复制 app_secret",
            en: "the app id is known and the secret is not its own: copy app_secret again from {console}",
            console = patient.console("baseinfo")
        )),
        Some(Wrong::Id) => wrong_id(patient, &error).await,
        Some(Wrong::Form) => Check::fail(NAME, Class::Credentials, said(&error)).next(either(
            "app_id 是 `cli_` 加 16 位数字或字母 a-f；请从后台重新复制两者",
            "app_id is `cli_` and 16 digits or letters a-f; copy both again from the console",
        )),
        None => Check::fail_as(NAME, Class::of_api(&error), &error.to_string()),
    };
    report.add(check.took(took));
    false
}

/// Which of the credentials the platform complains about.
enum Wrong {
    Id,
    Secret,
    Form,
}

/// Codes are shared (reference 1.4), so the platform's words are looked at, for a hint alone:
/// the class does not depend on them.
fn which(error: &ApiError) -> Option<Wrong> {
    let ApiErrorKind::Platform { failure, .. } = &error.kind else { return None };
    if error.endpoint != Endpoint::Token {
        return None;
    }
    match failure.code {
        10_003 => Some(Wrong::Form),
        10_015 => Some(Wrong::Secret),
        10_014 if failure.msg.contains("secret") => Some(Wrong::Secret),
        10_014 => Some(Wrong::Id),
        _ => None,
    }
}

/// An app of the other brand is unknown here: asks there, once.
async fn wrong_id(patient: &Patient<'_>, error: &ApiError) -> Check {
    const NAME: &str = "credentials";
    let here = patient.app.domain.as_str().trim_end_matches('/');
    let other = match here {
        FEISHU => Some(("lark", LARK)),
        LARK => Some(("feishu", FEISHU)),
        _ => None,
    };
    if let Some((name, url)) = other
        && let Ok(url) = Url::parse(url)
        && client(&patient.dialer, &url, patient.app, patient.limit).verify().await.is_ok()
    {
        let what = say!(
            zh: "domain 错误：{here} 不认识此应用，而 {url} 认识",
            en: "wrong domain: the app is unknown at {here} and known at {url}"
        );
        let app = &patient.app.name;
        return Check::fail(NAME, Class::Credentials, what).next(say!(
            zh: "请设置 app.{app}.domain = \"{name}\"",
            en: "set app.{app}.domain = \"{name}\""
        ));
    }
    Check::fail(NAME, Class::Credentials, said(error)).next(either(
        "这里没有这个 app id：请从后台重新复制 app_id，并确认 `domain` 是应用所在的（feishu 或 lark）",
        "nobody here knows this app id: copy app_id again from the console, and check that \
         `domain` is the app's own (feishu or lark)",
    ))
}

fn said(error: &ApiError) -> String {
    let text = error.to_string();
    text.rsplit_once("; ").map_or_else(|| text.clone(), |(what, _)| what.to_owned())
}

/// What to do, and the page where it is done.
pub(super) fn next_at(what: &str, page: &str) -> String {
    say!(zh: "{what}：{page}", en: "{what}: {page}")
}

/// Asks who the bot is, and whether the tenant has switched it on.
pub(super) async fn bot(report: &mut Report, patient: &Patient<'_>) {
    const NAME: &str = "bot";
    let started = Instant::now();
    let check = match patient.api.bot_info().await {
        Err(error) => Check::fail_as(NAME, Class::of_api(&error), &error.to_string()),
        Ok(bot) if bot.data.activate_status == ENABLED => {
            let (name, id) = (&bot.data.name, &bot.data.open_id);
            Check::pass(NAME, say!(zh: "{name}（{id}）已启用", en: "{name} ({id}) is enabled"))
        }
        Ok(bot) => {
            let (what, next) = match bot.data.activate_status {
                0 => either(
                    ("未安装到企业", "请发布版本并通过审核"),
                    ("is not installed in the tenant", "release a version and have it approved"),
                ),
                1 => either(
                    ("在企业中被停用", "请管理员启用"),
                    ("is disabled in the tenant", "an administrator enables it"),
                ),
                3 | 4 => either(
                    ("等待启用", "请管理员启用"),
                    ("waits to be enabled", "an administrator enables it"),
                ),
                5 | 6 => either(
                    ("没有有效的许可或套餐", "请企业续费"),
                    ("has no valid licence or plan", "the tenant renews it"),
                ),
                _ => either(
                    ("处于此版本不认识的状态", "请查看后台"),
                    ("is in a state this version does not know", "look at the console"),
                ),
            };
            Check::fail(NAME, Class::PlatformConfig, format!("{} {what}", bot.data.name))
                .next(next_at(next, &patient.console("baseinfo")))
        }
    };
    report.add(check.took(started.elapsed()));
}

/// Asks where the long connection is; its address without the ticket.
pub(super) async fn endpoint(report: &mut Report, patient: &Patient<'_>) -> Option<Url> {
    const NAME: &str = "endpoint";
    let started = Instant::now();
    match link::endpoint(&patient.link_options(), patient.limit).await {
        Ok(endpoint) => {
            let mut url = endpoint.url.expose().clone();
            url.set_query(None);
            let host = endpoint.url.host();
            let what = say!(zh: "长连接的主机是 {host}", en: "the link goes to {host}");
            report.add(Check::pass(NAME, what).took(started.elapsed()));
            Some(url)
        }
        Err(error) => {
            let check = Check::fail_as(NAME, Class::of_no_endpoint(&error), &error.to_string())
                .or_next(either(
                    "主机有应答，而这个请求不通：请检查防火墙和代理后再试",
                    "the host answers and this question does not get through: look at firewall and proxy, and ask again",
                ));
            report.add(check.took(started.elapsed()));
            None
        }
    }
}
