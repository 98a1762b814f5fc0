//! What the templates are given: the gateway's own reports, and what has to be worked out.

use std::collections::BTreeMap;

use larkline_store::record::{DeadItem, DeadLetter, Record};
use larkline_store::session::Session;
use serde::Serialize;
use url::form_urlencoded::byte_serialize;

use super::flow::Flow;
use super::look::Look;
use super::month::Month;
use super::strip::Strip;
use super::verdict::Verdict;
use super::words::{self, Words};
use crate::alert::{self, FiringAlert, Severity};
use crate::both;
use crate::chat_watch::name_said;
use crate::clock::local_exact;
use crate::config::OURS;
use crate::handler::children::ChildInfo;
use crate::status::{AppStatus, Status};
use crate::words::{self as said, Lang};

/// Messages shown.
const MESSAGES_MAX: usize = 20;
/// Late messages shown; the rest are counted.
const LATE_MAX: usize = 10;
/// Last parts of the keys that bound a child.
const LIMITS: [&str; 7] = ["timeout", "wall", "idle", "memory", "processes", "cpu", "output_max"];

/// Everything on the page.
#[derive(Serialize)]
pub(super) struct Shown<'l> {
    s: &'l Status,
    /// The verdict of the last message.
    last_handled: Option<&'l str>,
    verdict: Verdict,
    apps: Vec<App<'l>>,
    flow: Flow,
    queues: Vec<Queue>,
    lanes: Vec<Lane>,
    queue_max: usize,
    late: Vec<Late<'l>>,
    children: Vec<Child<'l>>,
    rates: Rates,
    alerts: Vec<Alert<'l>>,
    told: Vec<Told<'l>>,
    messages: Vec<Message<'l>>,
    dead: Vec<Dead<'l>>,
    sessions: Vec<Conversation<'l>>,
}

#[derive(Serialize)]
struct App<'l> {
    a: &'l AppStatus,
    state: &'l str,
    /// What went wrong last; as the log has it where that is not the same.
    fault: Option<String>,
    logged: Option<&'l str>,
    route: &'l str,
    strip: Strip,
    month: Month<'l>,
}

#[derive(Serialize)]
struct Queue {
    name: &'static str,
    count: u64,
}

#[derive(Serialize)]
struct Lane {
    handler: String,
    waiting: u64,
    at_once: Option<usize>,
    known: bool,
}

#[derive(Serialize)]
struct Late<'l> {
    message_id: &'l str,
    chat: String,
    stage: &'l str,
    received_ms: i64,
    story: String,
}

#[derive(Serialize)]
struct Child<'l> {
    handler: &'l str,
    task: i64,
    pid: Option<i32>,
    since_ms: i64,
    used: Option<Used>,
    limits: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Used {
    mib: u64,
    processes: usize,
    cpu_s: u64,
}

#[derive(Serialize)]
struct Rates {
    app_second: u32,
    app_minute: u32,
    chat: u32,
    chat_window: String,
}

#[derive(Serialize)]
struct Alert<'l> {
    rule: &'static str,
    subject: &'l str,
    critical: bool,
    severity: &'static str,
    since_ms: i64,
    what: &'l str,
    meaning: &'l str,
    next: &'l str,
}

/// Who is told of alerts: a destination, or the heartbeat outward.
#[derive(Serialize)]
struct Told<'l> {
    name: &'l str,
    kind: &'l str,
    success_ms: Option<i64>,
    error: Option<&'l str>,
    waits: bool,
}

#[derive(Serialize)]
struct Message<'l> {
    r: &'l Record,
    verdict: &'l str,
    chat: String,
    story: String,
}

#[derive(Serialize)]
struct Dead<'l> {
    id: String,
    is_task: bool,
    d: &'l DeadLetter,
    chat: String,
}

#[derive(Serialize)]
struct Conversation<'l> {
    s: &'l Session,
    state: String,
}

impl<'l> Shown<'l> {
    /// Of a look, in one language.
    pub(super) fn of(look: &'l Look, lang: Lang) -> Self {
        let (s, words) = (&look.status, words::of(lang));
        let app = |(a, day): (&'l AppStatus, &Vec<_>)| App {
            a,
            fault: a.link.fault_said(lang),
            route: if a.link.route == "direct" { words.direct } else { &a.link.route },
            logged: a.link.fault.as_deref().filter(|_| lang == Lang::Zh),
            state: state_word(lang, &a.link.state),
            strip: Strip::of(day, s.at_ms, lang),
            month: Month::of(&a.name, &a.month, lang),
        };
        let governor = &look.config.governor;
        Self {
            s,
            last_handled: s.last_handled.as_ref().map(|last| said::outcome(lang, &last.verdict)),
            verdict: look.verdict(words, lang),
            apps: s.apps.iter().zip(&look.days).map(app).collect(),
            flow: Flow::of(&s.tally, lang),
            queues: queues(s, words),
            lanes: lanes(look),
            queue_max: look.config.limits.queue_max,
            late: s.unanswered.iter().take(LATE_MAX).map(|m| look.late(m, lang)).collect(),
            children: s.children.iter().map(|child| look.child(child)).collect(),
            rates: Rates {
                app_second: governor.app_per_second,
                app_minute: governor.app_per_minute,
                chat: governor.chat.points,
                chat_window: said::duration(lang, governor.chat.window),
            },
            alerts: look.alerts.firing.iter().map(|alert| Alert::of(alert, lang)).collect(),
            told: look.told(words, lang),
            messages: look.messages(lang),
            dead: look.lists.dead.iter().map(|letter| look.letter(letter, lang)).collect(),
            sessions: look
                .lists
                .sessions
                .iter()
                .map(|s| Conversation { s, state: said::session_state(lang, s.state) })
                .collect(),
        }
    }
}

impl Look {
    /// The name of a chat where it is known, else its id.
    fn chat(&self, lang: Lang, id: &str) -> String {
        self.lists.chats.get(id).map_or_else(|| id.to_owned(), |name| name_said(lang, name))
    }

    /// What came in from people, or would be missed.
    fn messages(&self, lang: Lang) -> Vec<Message<'_>> {
        let came = self.lists.records.iter().filter(|record| record.direction == "in");
        came.take(MESSAGES_MAX)
            .map(|r| Message {
                r,
                verdict: said::outcome(lang, &r.outcome),
                chat: self.chat(lang, &r.chat_id),
                story: escaped(&r.event_id),
            })
            .collect()
    }

    fn told(&self, words: &'static Words, lang: Lang) -> Vec<Told<'_>> {
        let destinations = self.alerts.destinations.iter().map(|to| Told {
            name: &to.name,
            kind: &to.kind,
            success_ms: to.last_success_ms,
            error: both::told(lang, &to.error, &to.error_zh).filter(|_| to.failures > 0),
            waits: to.waits,
        });
        let heartbeat = self.alerts.heartbeat.iter().map(|beat| Told {
            name: words.heartbeat,
            kind: "http",
            success_ms: beat.last_success_ms,
            error: both::told(lang, &beat.error, &beat.error_zh).filter(|_| beat.failures > 0),
            waits: false,
        });
        destinations.chain(heartbeat).collect()
    }

    fn late<'l>(&'l self, late: &'l crate::unanswered::UnansweredMessage, lang: Lang) -> Late<'l> {
        Late {
            message_id: &late.message_id,
            chat: self.chat(lang, &late.chat_id),
            stage: late.stage(lang),
            received_ms: late.received_ms,
            story: escaped(&late.event_id),
        }
    }

    fn letter<'l>(&'l self, d: &'l DeadLetter, lang: Lang) -> Dead<'l> {
        let (id, is_task) = match d.item {
            DeadItem::Task(task) => (format!("t{}", task.0), true),
            DeadItem::Outbox(row) => (format!("o{}", row.0), false),
        };
        Dead { id, is_task, d, chat: self.chat(lang, &d.chat_id) }
    }

    fn child<'l>(&'l self, child: &'l ChildInfo) -> Child<'l> {
        let mut usage = self.status.usage.iter();
        let used = usage.find(|used| used.task == child.task && used.handler == child.handler);
        Child {
            handler: &child.handler,
            task: child.task.0,
            pid: child.process.map(|process| process.pid),
            since_ms: child.since_ms,
            used: used.map(|used| Used {
                mib: used.rss_bytes >> 20,
                processes: used.processes,
                cpu_s: used.cpu_ms / 1000,
            }),
            limits: self.limits(&child.handler),
        }
    }

    /// What bounds the children of a handler, as configured.
    fn limits(&self, handler: &str) -> Vec<(String, String)> {
        let prefix = format!("handler.{handler}.");
        let of_handler = |(key, value, _): (&str, String, String)| {
            let name = key.strip_prefix(&prefix)?.rsplit('.').next()?;
            let value = value.trim_matches('"').to_owned();
            LIMITS.contains(&name).then(|| (name.to_owned(), value))
        };
        self.config.shown(Lang::En).filter_map(of_handler).collect()
    }
}

impl<'l> Alert<'l> {
    fn of(alert: &'l FiringAlert, lang: Lang) -> Self {
        Self {
            rule: alert.rule.name(),
            subject: &alert.subject,
            critical: alert.severity == Severity::Critical,
            severity: alert::words::severity(lang, alert.severity),
            since_ms: alert.since_ms,
            what: alert.what.text(lang),
            meaning: alert.meaning.text(lang),
            next: alert.next.text(lang),
        }
    }
}

fn queues(s: &Status, words: &Words) -> Vec<Queue> {
    let d = &s.depths;
    [
        (words.q_unrouted, d.unrouted),
        (words.q_tasks, d.tasks),
        (words.q_awaiting, d.awaiting),
        (words.q_outbox, d.outbox),
    ]
    .map(|(name, count)| Queue { name, count })
    .into()
}

/// All handlers that are configured, and those for which something waits all the same.
fn lanes(look: &Look) -> Vec<Lane> {
    let waiting: BTreeMap<&str, u64> =
        look.lists.waiting.iter().map(|(h, n)| (h.as_str(), *n)).collect();
    let handlers = &look.config.handlers;
    let configured = handlers.iter().map(|(name, handler)| Lane {
        handler: name.clone(),
        waiting: waiting.get(name.as_str()).copied().unwrap_or(0),
        at_once: Some(handler.common().concurrency),
        known: true,
    });
    let others =
        waiting.iter().filter(|(name, _)| !handlers.contains_key(**name)).map(|(name, waiting)| {
            Lane {
                handler: (*name).to_owned(),
                waiting: *waiting,
                at_once: None,
                known: OURS.contains(name),
            }
        });
    configured.chain(others).collect()
}

/// Where a link is. Its English words elsewhere are those of the log; here nobody is to look them up.
fn state_word(lang: Lang, state: &str) -> &str {
    let english = match state {
        "resolving" => "looking up",
        "dialing" => "dialling",
        "upgraded" => "not verified yet",
        "stale" => "in doubt",
        "backoff" => "down, retrying",
        other => other,
    };
    lang.either(said::link_state(lang, state), english)
}

/// As a value in an address.
fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// A key of the configuration.
#[derive(Serialize)]
pub(super) struct Entry<'c> {
    key: &'c str,
    value: String,
    origin: String,
}

/// The configuration, secrets masked.
#[derive(Serialize)]
pub(super) struct Configuration<'c> {
    file: Option<String>,
    policy: Vec<String>,
    entries: Vec<Entry<'c>>,
}

impl<'c> Configuration<'c> {
    pub(super) fn of(config: &'c crate::config::Config, lang: Lang) -> Self {
        let entry = |(key, value, origin)| Entry { key, value, origin };
        Self {
            file: config.file.as_ref().map(|file| file.display().to_string()),
            policy: config.policy_lines(lang),
            entries: config.shown(lang).map(entry).collect(),
        }
    }
}

/// A moment as machines read it, and as the server's people do.
pub(super) fn moment(ms: i64) -> (String, String) {
    let utc = jiff::Timestamp::from_millisecond(ms).unwrap_or_default();
    (utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), local_exact(ms))
}
