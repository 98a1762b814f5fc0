//! The run under way: its events, and the answers to them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::header::{MESSAGE_ID, SEQ, SUM, TRACE_ID, TYPE};
use larkline_proto::id::{ChatId, MessageId};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Load, LoadReport, Spread};
use crate::connection::{ConnId, Out};
use crate::platform::PlatformError;
use crate::world::{AppIx, Message, Sender, TENANT, UserIx, World};
use crate::ws;

/// What the frame ids of a run begin with.
const FRAME: &str = "load-";
/// Most events of one run: their times are kept until its report.
const EVENTS_MAX: usize = 5_000_000;
/// Most chats of one run; each has a person of its own.
const CHATS_MAX: usize = 10_000;
/// Stands in a payload where the number of the event comes, 16 digits.
const NUMBER: &str = "0123456789abcdef";

/// One event under way.
struct Flight {
    pushed: Instant,
    ack_us: Option<u64>,
    reply_us: Option<u64>,
}

/// A chat that takes part.
struct Place {
    chat: ChatId,
    user: UserIx,
    /// The payload around the number of the event.
    payload: Vec<String>,
    /// The newest event of the chat that was replied to.
    newest: Option<usize>,
}

/// The run under way.
pub(crate) struct Run {
    load: Load,
    app: AppIx,
    service: i32,
    run: String,
    places: Vec<Place>,
    flights: Vec<Flight>,
    messages: HashMap<MessageId, usize>,
    report: LoadReport,
    last: Instant,
    progress: Arc<Notify>,
}

impl Run {
    fn answered(&self) -> usize {
        if self.load.replies {
            self.report.replied
        } else {
            self.report.acked + self.report.refused
        }
    }

    pub(super) fn finish(mut self) -> LoadReport {
        let began = self.flights.first().map_or(self.last, |flight| flight.pushed);
        let elapsed = self.last.saturating_duration_since(began);
        let answered = self.answered();
        self.report.missing = self.load.events - answered;
        self.report.elapsed_ms = elapsed.as_secs_f64() * 1e3;
        if !elapsed.is_zero() {
            #[expect(clippy::cast_precision_loss, reason = "a run has millions of events at most")]
            let answered = answered as f64;
            self.report.per_second = answered / elapsed.as_secs_f64();
        }
        self.report.ack_us = Spread::of(self.flights.iter().filter_map(|f| f.ack_us).collect());
        self.report.reply_us = Spread::of(self.flights.iter().filter_map(|f| f.reply_us).collect());
        self.report
    }
}

impl World {
    pub(super) fn begin_load(
        &mut self,
        now_ms: u64,
        load: Load,
    ) -> Result<Arc<Notify>, PlatformError> {
        let app = if load.app.is_empty() {
            AppIx(0)
        } else {
            let unknown = || PlatformError::unknown("app", &load.app);
            self.app_ix(load.app.as_str()).ok_or_else(unknown)?
        };
        let refuse = |why: &str| Err(PlatformError::Refused(why.to_owned()));
        if self.load.is_some() {
            return refuse("a load run is under way; wait for its end");
        }
        if load.events == 0 || load.events > EVENTS_MAX || !(1..=CHATS_MAX).contains(&load.chats) {
            return refuse("a load run has 1 to 5000000 events in 1 to 10000 chats");
        }
        if load.outstanding == 0 || !load.per_second.is_finite() || load.per_second < 0.0 {
            return refuse(
                "a load run needs an event outstanding, and a pace that is no less than 0",
            );
        }
        if !self.conns.values().any(|c| c.app == app) {
            return refuse("no client is connected; start the bot before the load run");
        }
        let run = self.hex(8);
        let places =
            (0..load.chats).map(|n| self.load_place(now_ms, &load, &run, app, n)).collect();
        let progress = Arc::new(Notify::new());
        self.load = Some(Run {
            app,
            service: self.app(app).service_id,
            run,
            places,
            flights: Vec::with_capacity(load.events),
            messages: HashMap::new(),
            report: LoadReport::default(),
            last: Instant::now(),
            progress: progress.clone(),
            load,
        });
        Ok(progress)
    }

    /// A person, their chat and the payload of its events, split where the number stands.
    fn load_place(&mut self, now_ms: u64, load: &Load, run: &str, app: AppIx, n: usize) -> Place {
        let name = format!("Load {n}");
        let known = self.users.iter().position(|user| user.name == name).map(UserIx);
        let user = known.unwrap_or_else(|| self.add_user(&name));
        let chat = self.p2p(user, app);
        let at = now_ms.to_string();
        let envelope = json!({
            "schema": "2.0",
            "header": {
                "event_id": format!("{run}00000000{NUMBER}"),
                "token": "",
                "create_time": at,
                "event_type": "im.message.receive_v1",
                "tenant_key": TENANT,
                "app_id": self.app_id(app),
            },
            "event": {
                "sender": {
                    "sender_id": self.user_ids(user, app),
                    "sender_type": "user",
                    "tenant_key": TENANT,
                },
                "message": {
                    "message_id": format!("om_{run}00000000{NUMBER}"),
                    "create_time": at,
                    "update_time": at,
                    "chat_id": chat,
                    "chat_type": "p2p",
                    "message_type": "text",
                    "content": json!({ "text": load.text }).to_string(),
                },
            },
        });
        let payload = envelope.to_string().split(NUMBER).map(str::to_owned).collect();
        Place { chat, user, payload, newest: None }
    }

    /// Pushes the next event of the run, if there is one.
    pub(super) fn push_load(&mut self, now_ms: u64) {
        let Some(run) = &mut self.load else { return };
        let n = run.flights.len();
        if n >= run.load.events {
            return;
        }
        let place = &run.places[n % run.places.len()];
        let number = format!("{n:016x}");
        let message_id =
            run.load.replies.then(|| MessageId::new(format!("om_{}00000000{number}", run.run)));
        let frame = Frame {
            seq_id: n as u64 + 1,
            log_id: 7_000_000_000_000_000_000 + n as u64,
            service: run.service,
            method: METHOD_DATA,
            headers: load_headers(n, &run.run, now_ms),
            payload: Some(place.payload.join(&number).into()),
            ..Frame::default()
        };
        let kept = message_id.as_ref().map(|id| Message {
            id: id.clone(),
            chat: place.chat.clone(),
            sender: Sender::User(place.user),
            msg_type: "text".to_owned(),
            sent: String::new(),
            received: String::new(),
            mentions: Vec::new(),
            root: None,
            parent: None,
            thread: None,
            at_ms: now_ms,
            updated_ms: now_ms,
            updated: false,
            edits: 0,
            recalled: false,
            reactions: Vec::new(),
            read_by: Vec::new(),
            card: None,
            row: None,
        });
        let app = run.app;
        run.flights.push(Flight { pushed: Instant::now(), ack_us: None, reply_us: None });
        run.report.pushed += 1;
        run.messages.extend(message_id.map(|id| (id, n)));
        if let Some(message) = kept {
            self.keep_message(message);
        }
        let mut conns = self.conns.values().filter(|c| c.app == app);
        let live = conns.clone().count().max(1);
        let bytes = Out::Bytes(ws::binary(frame.into_bytes()));
        if let Some(conn) = conns.nth(n % live)
            && conn.tx.try_send(bytes).is_err()
        {
            tracing::debug!("the connection's queue is full; an event of the load is lost");
        }
    }

    /// Takes the ack of a load's event; `false` when the frame is none of it.
    pub(crate) fn load_acked(&mut self, now_ms: u64, conn: ConnId, frame: &Frame) -> bool {
        let Some(number) = frame.header(MESSAGE_ID).and_then(|id| id.strip_prefix(FRAME)) else {
            return false;
        };
        let Some(run) = &mut self.load else { return true };
        let (number, of) = number.split_once('-').unwrap_or_default();
        let flight = number.parse::<usize>().ok().and_then(|n| run.flights.get_mut(n));
        // An ack of the run before comes late; it is nobody's fault.
        let Some(flight) = flight.filter(|_| of == run.run) else { return true };
        if flight.ack_us.is_some() {
            self.violation(format!("connection {conn}: second ack of message {number}"));
            return true;
        }
        run.last = Instant::now();
        flight.ack_us = Some(micros(run.last.saturating_duration_since(flight.pushed)));
        match is_ok(frame) {
            true => run.report.acked += 1,
            false => run.report.refused += 1,
        }
        if !run.load.replies {
            self.go_on(now_ms);
        }
        true
    }

    /// Takes note of a message that an app sent in reply.
    pub(crate) fn load_replied(&mut self, now_ms: u64, to: &MessageId) {
        let Some(run) = &mut self.load else { return };
        let Some(n) = run.messages.get(to).copied() else { return };
        let places = run.places.len();
        let (Some(flight), Some(place)) = (run.flights.get_mut(n), run.places.get_mut(n % places))
        else {
            return;
        };
        if flight.reply_us.is_some() {
            run.report.doubled += 1;
            return;
        }
        run.last = Instant::now();
        flight.reply_us = Some(micros(run.last.saturating_duration_since(flight.pushed)));
        run.report.replied += 1;
        if place.newest.is_some_and(|newest| newest > n) {
            run.report.overtaken += 1;
        }
        place.newest = place.newest.max(Some(n));
        self.go_on(now_ms);
    }

    /// An event was answered: the next one may go out.
    fn go_on(&mut self, now_ms: u64) {
        let Some(run) = &self.load else { return };
        if run.answered() >= run.load.events {
            run.progress.notify_one();
        } else if run.load.per_second == 0.0 {
            self.push_load(now_ms);
        }
    }

    /// How many events have their answer.
    pub(super) fn load_answered(&self) -> usize {
        self.load.as_ref().map_or(0, Run::answered)
    }
}

fn load_headers(n: usize, run: &str, now_ms: u64) -> Vec<Header> {
    [
        (TYPE, "event".to_owned()),
        (MESSAGE_ID, format!("{FRAME}{n}-{run}")),
        (SUM, "1".to_owned()),
        (SEQ, "0".to_owned()),
        (TRACE_ID, format!("{run}00000000{n:016x}")),
        ("timestamp", now_ms.to_string()),
        ("instance_id", "sim-1".to_owned()),
    ]
    .map(|(key, value)| Header { key: key.to_owned(), value })
    .into()
}

fn is_ok(frame: &Frame) -> bool {
    #[derive(Deserialize)]
    struct Body {
        code: i64,
    }
    let payload = frame.payload.as_deref().unwrap_or_default();
    serde_json::from_slice::<Body>(payload).is_ok_and(|body| body.code == 200)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
