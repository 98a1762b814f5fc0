//! `GET /_sim/feed`: every change, as server-sent events.
//!
//! Each event is the present state of what changed, so one that arrives twice does no harm.
//! The id of an event says up to where the reader has seen the news of messages; with
//! `Last-Event-ID` the feed goes on there, and where that is too long ago (or from before a
//! restart) it begins anew with everything. A reader that is slow is not waited for: what
//! changed meanwhile is told once, in its newest state.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::view;
use crate::http::{Body, Call};
use crate::platform::Platform;

/// Changes that follow each other faster are told together.
const GATHER: Duration = Duration::from_millis(30);
/// How often the gateway is looked at; its state has no news of its own.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// Longest silence: a reader that has gone is noticed by writing to it.
const ALIVE_EVERY: u32 = 40;

/// Opens a feed for one page.
pub(super) fn open(platform: &Arc<Platform>, call: &Call) -> Response<Body> {
    let last = match call.header("last-event-id") {
        "" => call.query("last").unwrap_or_default(),
        header => header,
    };
    let feed = Feed {
        changes: platform.changes(),
        epoch: platform.started_ms(),
        after: position(platform, last),
        platform: Arc::clone(platform),
        shown: Shown::default(),
        idle: 0,
        opened: false,
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let text = feed.next().await;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from(text))), feed))
    });
    let mut response = Response::new(Body::Right(StreamBody::new(events).boxed_unsync()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Where a reader stopped, if that was in this life of the simulator.
fn position(platform: &Platform, last: &str) -> Option<u64> {
    let (epoch, number) = last.split_once('-')?;
    (epoch.parse() == Ok(platform.started_ms())).then_some(())?;
    number.parse().ok()
}

/// One reader.
struct Feed {
    platform: Arc<Platform>,
    changes: watch::Receiver<u64>,
    epoch: u64,
    /// News up to here are told; `None` asks for everything.
    after: Option<u64>,
    shown: Shown,
    /// Looks since something was written.
    idle: u32,
    opened: bool,
}

/// What the reader has of the things that are told whole.
#[derive(Default)]
struct Shown {
    people: Value,
    state: Value,
    gateway: Value,
    verdicts: Value,
}

impl Feed {
    /// The next events; waits until there are some.
    async fn next(&mut self) -> String {
        loop {
            let mut text = String::new();
            if self.opened {
                self.wait().await;
            } else {
                self.opened = true;
                text.push_str("retry: 500\n");
            }
            self.tell_world(&mut text);
            self.tell_gateway(&mut text).await;
            self.idle += 1;
            if self.idle >= ALIVE_EVERY {
                text.push_str(": still here\n\n");
            }
            if !text.is_empty() {
                self.idle = 0;
                return text;
            }
        }
    }

    /// Returns after a change, or when it is time to look at the gateway.
    async fn wait(&mut self) {
        let changed = tokio::time::timeout(LOOK_EVERY, self.changes.changed()).await;
        if changed.is_ok() {
            tokio::time::sleep(GATHER).await;
            self.changes.mark_unchanged();
        }
    }

    fn tell_world(&mut self, text: &mut String) {
        let (after, shown, epoch) = (self.after, &mut self.shown, self.epoch);
        self.after = self.platform.look(|world| {
            let id = |n: u64| format!("{epoch}-{n}");
            let (people, state) = (view::people(world), view::state(world));
            let news = after.and_then(|after| world.messages.since(after));
            let end = match news {
                Some((changed, end)) => {
                    tell_if_new(text, "people", people, &mut shown.people);
                    for message in changed {
                        let view = view::message(world, message);
                        write_event(text, Some(&id(end)), "message", &view);
                    }
                    end
                }
                None => {
                    let end = world.messages.watch();
                    let all = json!({"people": people, "messages": view::newest(world)});
                    write_event(text, Some(&id(end)), "everything", &all);
                    shown.people = people;
                    end
                }
            };
            tell_if_new(text, "state", state, &mut shown.state);
            Some(end)
        });
    }

    async fn tell_gateway(&mut self, text: &mut String) {
        let shown = &mut self.shown;
        let Some(gateway) = self.platform.gateway() else {
            return tell_if_new(text, "gateway", json!({"kind": "none"}), &mut shown.gateway);
        };
        let report = match gateway.status().await {
            Ok(status) => json!({"kind": "up", "status": status}),
            Err(why) => json!({"kind": "down", "why": why}),
        };
        let same = report == shown.gateway;
        tell_if_new(text, "gateway", report, &mut shown.gateway);
        if !same && let Ok(verdicts) = gateway.verdicts().await {
            tell_if_new(text, "verdicts", verdicts, &mut shown.verdicts);
        }
    }
}

fn tell_if_new(text: &mut String, event: &str, value: Value, shown: &mut Value) {
    if *shown != value {
        write_event(text, None, event, &value);
        *shown = value;
    }
}

/// One event; JSON has no line break, which would end its data.
fn write_event(text: &mut String, id: Option<&str>, event: &str, data: &Value) {
    if let Some(id) = id {
        text.push_str("id: ");
        text.push_str(id);
        text.push('\n');
    }
    text.push_str(&format!("event: {event}\ndata: {data}\n\n"));
}
