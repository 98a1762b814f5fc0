//! What the platform says when it is asked directly: credentials, bot, endpoint.

use std::collections::BTreeSet;
use std::time::Duration;

use larkline_client::link::{self, LinkOptions};
use larkline_client::{Answer, ApiClient, Dialer};
use larkline_gateway::causes;
use larkline_gateway::config::{App, Config};
use larkline_proto::id::ChatId;
use tokio::time::Instant;
use url::Url;

use super::report::{Check, Report};
use crate::commands::credentials::{self, Refused, Trial};
use crate::exit::Class;
use crate::lang::{either, lang};

/// Chats of routes that are asked about: each is a call.
const CHATS_ASKED: usize = 20;

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
        let api = Trial {
            dialer: &dialer,
            domain: &app.domain,
            app_id: &app.app_id,
            secret: &app.app_secret,
            limit,
        }
        .client();
        Self { config, app, dialer, api, limit }
    }

    fn trial(&self) -> Trial<'_> {
        let App { domain, app_id, app_secret: secret, .. } = self.app;
        Trial { dialer: &self.dialer, domain, app_id, secret, limit: self.limit }
    }

    /// A page of the app in the developer console.
    pub(super) fn console(&self, page: &str) -> String {
        credentials::page(&self.app.domain, &self.app.app_id, page)
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
    let key = format!("app.{}.domain", patient.app.name);
    let Refused { class, what, next } = patient.trial().explain(&error, &key).await;
    report.add(match next {
        Some(next) => Check::fail(NAME, class, what).next(next).took(took),
        None => Check::fail_as(NAME, class, &what).or_next(credentials::look_up()).took(took),
    });
    false
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
        Err(error) => Check::fail_as(NAME, Class::of_api(&error), &causes::api(lang(), &error))
            .or_next(credentials::look_up()),
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

/// Asks whether the bot is where the routes want it; most configurations name no chat.
pub(super) async fn chats(report: &mut Report, patient: &Patient<'_>) {
    const NAME: &str = "chats";
    let routes = patient.config.routes.iter();
    let ours = routes.filter(|r| r.app.as_ref().is_none_or(|name| *name == patient.app.name));
    let named: BTreeSet<&ChatId> = ours.flat_map(|r| r.chats.iter().flatten()).collect();
    let mut absent = Vec::new();
    for chat in named.iter().take(CHATS_ASKED) {
        match patient.api.is_in_chat(chat).await {
            Ok(Answer { data: true, .. }) => {}
            Ok(_) => absent.push(chat.as_str()),
            Err(error) => {
                let why =
                    say!(zh: "平台没有告知：{error}", en: "the platform does not tell: {error}");
                return report.add(Check::skip(NAME, why));
            }
        }
    }
    if named.is_empty() {
        return;
    }
    let absent = absent.join(", ");
    report.add(match absent.is_empty() {
        true => Check::pass(
            NAME,
            either("机器人在路由所列的会话中", "the bot is in those that routes name"),
        ),
        false => {
            let what = say!(zh: "机器人不在 {absent} 中", en: "the bot is not in {absent}");
            Check::warn(NAME, what).of(Class::PlatformConfig).next(either(
                "请把机器人加进群，或从路由的 `chats` 中去掉它",
                "add the bot to the group, or take it out of the route's `chats`",
            ))
        }
    });
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
            let check = Check::fail_as(NAME, Class::of_no_endpoint(&error), &causes::no_endpoint(lang(), &error))
                .or_next(either(
                    "主机有应答，而这个请求不通：请检查防火墙和代理后再试",
                    "the host answers and this question does not get through: look at firewall and proxy, and ask again",
                ));
            report.add(check.took(started.elapsed()));
            None
        }
    }
}
