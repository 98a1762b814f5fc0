//! The effective policy in words, for the start-up banner: who reaches what, at a glance.
//!
//! People whose messages were dropped have looked everywhere but at the filter; so the
//! filter is printed at each start, one line a route.

use std::collections::BTreeSet;

use larkline_proto::id::{ChatId, OpenId};

use super::{Config, Handler, Mention, Route, Senders};
use crate::say_in;
use crate::words::Lang;

/// Ids a line names before it only counts the rest.
const IDS_SHOWN: usize = 3;

impl Config {
    /// One line about all routes, then one line for each.
    pub fn policy_lines(&self, lang: Lang) -> Vec<String> {
        let mut lines = vec![self.summary(lang)];
        let routes = self.routes.iter().enumerate();
        lines.extend(routes.map(|(at, route)| self.route_line(lang, at, route)));
        lines
    }

    fn summary(&self, lang: Lang) -> String {
        let open: Vec<&Route> =
            self.routes.iter().filter(|r| r.mention == Mention::Never).collect();
        let listed: usize = open.iter().filter_map(|r| r.chats.as_ref()).map(Vec::len).sum();
        let free = match open.iter().any(|route| route.chats.is_none()) {
            true => lang.either("全部", "all").to_owned(),
            false => listed.to_string(),
        };
        let unlisted = self.routes.iter().any(|route| route.chats.is_none());
        let unknown = match unlisted {
            true => {
                lang.either("由没有 `chats` 的路由接收", "heard, by the routes without `chats`")
            }
            false => lang.either("忽略", "ignored"),
        };
        let events: BTreeSet<&str> =
            self.routes.iter().flat_map(|route| route.events.iter().map(String::as_str)).collect();
        let events: Vec<&str> = events.into_iter().collect();
        let keywords: usize = self
            .routes
            .iter()
            .filter_map(|r| r.matcher.as_ref())
            .map(super::Match::keyword_count)
            .sum();
        let (routes, events) = (self.routes.len(), events.join(" "));
        match lang {
            Lang::Zh => format!(
                "策略：{routes} 条路由，事件 {events}，无需 @ 的会话：{free}，{keywords} 个关键字，未知会话：{unknown}"
            ),
            Lang::En => format!(
                "policy: {}, events {events}, {} that need no mention: {free}, {}, unknown chats: {unknown}",
                count(routes, "route"),
                if free == "1" { "chat" } else { "chats" },
                count(keywords, "keyword"),
            ),
        }
    }

    fn route_line(&self, lang: Lang, at: usize, route: &Route) -> String {
        let app = route.app.as_deref().unwrap_or_else(|| lang.either("任意", "any"));
        let mut parts = vec![say_in!(lang, zh: "应用 {app}", en: "app {app}")];
        parts.extend(whence(lang, route));
        parts.push(self.senders(lang, route));
        if !route.deny_senders.is_empty() {
            let people = ids(lang, route.deny_senders.iter().map(OpenId::as_str));
            parts.push(say_in!(lang, zh: "不接受 {people}", en: "never from {people}"));
        }
        parts.extend(conditions(lang, route));
        let kind = self.handlers.get(&route.handler).map_or("?", Handler::kind);
        let then = match route.also {
            true => lang.either("，然后继续后面的路由", ", then the next routes"),
            false => "",
        };
        say_in!(lang,
            zh: "路由 {number} {name}：{parts} -> {handler}（{kind}）{then}",
            en: "route {number} {name}: {parts} -> {handler} ({kind}){then}",
            number = at + 1, name = route.name, handler = route.handler,
            parts = parts.join(lang.either("，", ", "))
        )
    }

    fn senders(&self, lang: Lang, route: &Route) -> String {
        match &route.senders {
            Senders::Everyone => lang.either("来自任何人", "from everyone").to_owned(),
            Senders::Owners => {
                let owners = self.owner_count(route);
                say_in!(lang, zh: "来自管理员（{owners}）", en: "from owners ({owners})")
            }
            Senders::Only(people) => {
                let people = ids(lang, people.iter().map(OpenId::as_str));
                say_in!(lang, zh: "来自 {people}", en: "from {people}")
            }
        }
    }

    fn owner_count(&self, route: &Route) -> usize {
        let apps =
            self.apps.iter().filter(|app| route.app.as_ref().is_none_or(|name| *name == app.name));
        apps.map(|app| app.owners.len()).sum()
    }
}

/// Chats that a route is about, and those it never is.
fn whence(lang: Lang, route: &Route) -> Vec<String> {
    let mut parts = vec![match &route.chats {
        None => lang.either("全部会话", "all chats").to_owned(),
        Some(chats) => {
            let chats = ids(lang, chats.iter().map(ChatId::as_str));
            say_in!(lang, zh: "会话 {chats}", en: "chats {chats}")
        }
    }];
    if !route.deny_chats.is_empty() {
        let chats = ids(lang, route.deny_chats.iter().map(ChatId::as_str));
        parts.push(say_in!(lang, zh: "排除会话 {chats}", en: "never chats {chats}"));
    }
    parts
}

/// What a message has to be for a route besides.
fn conditions(lang: Lang, route: &Route) -> Vec<String> {
    let mut parts = vec![
        match route.mention {
            Mention::Auto | Mention::Always => lang.either("群聊需要 @", "groups need a mention"),
            Mention::Never => lang.either("群聊无需 @", "groups need no mention"),
        }
        .to_owned(),
    ];
    parts.extend(route.bots.then(|| lang.either("也接受机器人", "also from bots").to_owned()));
    parts.extend(route.matcher.as_ref().map(|rule| {
        let regex = match rule.regex() {
            Some(_) => lang.either("和一个正则", " and a regex"),
            None => "",
        };
        let keywords = rule.keyword_count();
        match lang {
            Lang::Zh => format!("匹配 {keywords} 个关键字{regex}"),
            Lang::En => format!("matching {}{regex}", count(keywords, "keyword")),
        }
    }));
    parts.extend(
        route
            .when
            .as_ref()
            .map(|when| say_in!(lang, zh: "条件 {when}", en: "when {when}", when = when.source())),
    );
    if route.events != [super::MESSAGE_EVENT] {
        let events = route.events.join(" ");
        parts.push(say_in!(lang, zh: "事件 {events}", en: "events {events}"));
    }
    parts
}

fn ids<'a>(lang: Lang, ids: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = ids.collect();
    let shown = all.iter().take(IDS_SHOWN).copied().collect::<Vec<_>>().join(" ");
    match all.len() {
        0 => lang.either("无", "none").to_owned(),
        n if n > IDS_SHOWN => {
            let more = n - IDS_SHOWN;
            say_in!(lang, zh: "{shown} 及另外 {more} 个", en: "{shown} and {more} more")
        }
        _ => shown,
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
