//! Routes that reach nobody.

use std::collections::BTreeMap;

use super::app::App;
use super::decoder::Decoder;
use super::is_closed;
use super::route::{Route, Senders};
use crate::both::{Both, both};

/// A route for owners of an app that has none reaches nobody.
pub(super) fn check(
    decoder: &Decoder,
    apps: &[App],
    routes: &[Route],
    kinds: &BTreeMap<String, Option<&'static str>>,
) {
    for route in routes.iter().filter(|route| route.senders == Senders::Owners) {
        let mut listening =
            apps.iter().filter(|app| route.app.as_ref().is_none_or(|name| *name == app.name));
        if let Some(app) = listening.find(|app| app.owners.is_empty()) {
            let why = match is_closed(kinds, &route.handler) {
                true => Both::of(
                    "（命令和智能体只供管理员使用）",
                    " (commands and agents are for owners only)",
                ),
                false => Both::NOTHING,
            };
            decoder.warn(
                both!(
                    zh: "路由 `{route}` 只供管理员使用{why}，而应用 `{app}` 没有管理员：没有人能通过该应用使用它",
                    en: "route `{route}` is for owners{why}, and app `{app}` has none: nobody reaches it there",
                    route = route.name, app = app.name; why = why
                ),
                both!(
                    zh: "设置 app.{app}.owners，或该路由的 senders",
                    en: "set app.{app}.owners, or the route's senders", app = app.name
                ),
            );
        }
    }
}
