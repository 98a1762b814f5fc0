//! Routes that reach nobody.

use std::collections::BTreeMap;

use super::app::App;
use super::decoder::Decoder;
use super::is_closed;
use super::route::{Route, Senders};

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
            let why = if is_closed(kinds, &route.handler) {
                " (commands and agents are for owners only)"
            } else {
                ""
            };
            decoder.warn(
                format!(
                    "route `{}` is for owners{why}, and app `{}` has none: nobody reaches it there",
                    route.name, app.name
                ),
                &format!("set app.{}.owners, or the route's senders", app.name),
            );
        }
    }
}
