//! The effective policy in words, for the start-up banner: who reaches what, at a glance.
//!
//! People whose messages were dropped have looked everywhere but at the filter; so the
//! filter is printed at each start, one line a route.

use std::collections::BTreeSet;

use larkline_proto::id::{ChatId, OpenId};

use super::{Config, Handler, Mention, Route, Senders};

/// Ids a line names before it only counts the rest.
const IDS_SHOWN: usize = 3;

impl Config {
    /// One line about all routes, then one line for each.
    pub fn policy_lines(&self) -> Vec<String> {
        let mut lines = vec![self.summary()];
        lines.extend(self.routes.iter().enumerate().map(|(at, route)| self.route_line(at, route)));
        lines
    }

    fn summary(&self) -> String {
        let open: Vec<&Route> =
            self.routes.iter().filter(|r| r.mention == Mention::Never).collect();
        let listed: usize = open.iter().filter_map(|r| r.chats.as_ref()).map(Vec::len).sum();
        let free = match open.iter().any(|route| route.chats.is_none()) {
            true => "all".to_owned(),
            false => listed.to_string(),
        };
        let unlisted = self.routes.iter().any(|route| route.chats.is_none());
        let unknown = if unlisted { "heard, by the routes without `chats`" } else { "ignored" };
        let events: BTreeSet<&str> =
            self.routes.iter().flat_map(|route| route.events.iter().map(String::as_str)).collect();
        let events: Vec<&str> = events.into_iter().collect();
        let keywords: usize = self
            .routes
            .iter()
            .filter_map(|r| r.matcher.as_ref())
            .map(super::Match::keyword_count)
            .sum();
        format!(
            "policy: {}, events {}, {} that need no mention: {free}, {}, unknown chats: {unknown}",
            count(self.routes.len(), "route"),
            events.join(" "),
            if free == "1" { "chat" } else { "chats" },
            count(keywords, "keyword"),
        )
    }

    fn route_line(&self, at: usize, route: &Route) -> String {
        let mut parts = vec![format!("app {}", route.app.as_deref().unwrap_or("any"))];
        parts.push(match &route.chats {
            None => "all chats".to_owned(),
            Some(chats) => format!("chats {}", ids(chats.iter().map(ChatId::as_str))),
        });
        if !route.deny_chats.is_empty() {
            parts.push(format!("never chats {}", ids(route.deny_chats.iter().map(ChatId::as_str))));
        }
        parts.push(match &route.senders {
            Senders::Everyone => "from everyone".to_owned(),
            Senders::Owners => format!("from owners ({})", self.owner_count(route)),
            Senders::Only(people) => format!("from {}", ids(people.iter().map(OpenId::as_str))),
        });
        if !route.deny_senders.is_empty() {
            parts
                .push(format!("never from {}", ids(route.deny_senders.iter().map(OpenId::as_str))));
        }
        parts.push(match route.mention {
            Mention::Auto | Mention::Always => "groups need a mention".to_owned(),
            Mention::Never => "groups need no mention".to_owned(),
        });
        parts.extend(route.bots.then(|| "also from bots".to_owned()));
        parts.extend(route.matcher.as_ref().map(|rule| {
            let regex = if rule.regex().is_some() { " and a regex" } else { "" };
            format!("matching {}{regex}", count(rule.keyword_count(), "keyword"))
        }));
        parts.extend(route.when.as_ref().map(|when| format!("when {}", when.source())));
        if route.events != [super::MESSAGE_EVENT] {
            parts.push(format!("events {}", route.events.join(" ")));
        }
        let kind = self.handlers.get(&route.handler).map_or("?", Handler::kind);
        let then = if route.also { ", then the next routes" } else { "" };
        format!(
            "route {} {}: {} -> {} ({kind}){then}",
            at + 1,
            route.name,
            parts.join(", "),
            route.handler
        )
    }

    fn owner_count(&self, route: &Route) -> usize {
        let apps =
            self.apps.iter().filter(|app| route.app.as_ref().is_none_or(|name| *name == app.name));
        apps.map(|app| app.owners.len()).sum()
    }
}

fn ids<'a>(ids: impl Iterator<Item = &'a str>) -> String {
    let all: Vec<&str> = ids.collect();
    let shown = all.iter().take(IDS_SHOWN).copied().collect::<Vec<_>>().join(" ");
    match all.len() {
        0 => "none".to_owned(),
        n if n > IDS_SHOWN => format!("{shown} and {} more", n - IDS_SHOWN),
        _ => shown,
    }
}

fn count(n: usize, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}
