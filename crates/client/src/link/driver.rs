//! The task of one link: it moves bytes, timers and log lines, and decides nothing.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use larkline_proto::link::{
    Delivered, Failure, Input, Link, LinkConfig, LinkConfigError, LinkEnd, Note, Output, State,
};
use tokio::sync::mpsc::Permit;
use tokio::sync::mpsc::error::{SendError, TrySendError};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tracing::Instrument as _;

use super::discovery::{Discovery, Reply};
use super::mailbox::{Mail, Mailbox};
use super::socket::{NoSocket, Socket};
use super::status::{Heartbeat, LinkStatus};
use super::{Delivery, LinkHandle, LinkOptions, ROOM_WAIT, log};

type Asked = Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send>>;
type Dialed = Pin<Box<dyn Future<Output = Result<Box<Socket>, NoSocket>> + Send>>;

/// What is under way; there is one at a time, so there is never a second socket.
enum Work {
    Nothing,
    Discovering(Asked),
    Dialing(Dialed),
    Open(Box<Socket>),
}

/// What woke the task.
enum Happened {
    Mail(Mail),
    Asked(Result<Reply, Failure>),
    Dialed(Result<Box<Socket>, NoSocket>),
    Read(Input<'static>),
    Room,
    NobodyListens,
    RoomTimeout,
    Timer,
}

/// A delivery without room in the channel, and how long it may wait.
struct Held {
    delivery: Delivery,
    until: Instant,
}

/// The task's state.
pub(super) struct Driver {
    link: Link,
    discovery: Discovery,
    work: Work,
    mailbox: Arc<Mailbox>,
    deliveries: mpsc::Sender<Delivery>,
    held: Option<Held>,
    room_wait: Duration,
    status: watch::Sender<LinkStatus>,
    end: Option<LinkEnd>,
}

impl Driver {
    pub(super) fn new(
        options: LinkOptions,
        deliveries: mpsc::Sender<Delivery>,
    ) -> Result<(Self, LinkHandle), LinkConfigError> {
        let LinkOptions { app_id, app_secret, domain, dialer, config, seed } = options;
        let config = LinkConfig { tls_only: domain.scheme() == "https", ..config };
        // A pause longer than a probe's deadline would make our own link look dead.
        let room_wait = ROOM_WAIT.min(config.probe_timeout / 2);
        let heartbeat = Heartbeat::of(&config);
        let link = Link::new(Instant::now().into_std(), config, seed)?;
        let route = dialer.route(&domain);
        let status = watch::Sender::new(LinkStatus::new(&link, heartbeat, route, now_ms()));
        let mailbox = Arc::new(Mailbox::default());
        let handle = LinkHandle { mailbox: Arc::clone(&mailbox), status: status.subscribe() };
        let discovery = Discovery { app_id, app_secret, domain, dialer };
        let driver = Self {
            link,
            discovery,
            work: Work::Nothing,
            mailbox,
            deliveries,
            held: None,
            room_wait,
            status,
            end: None,
        };
        Ok((driver, handle))
    }

    /// Runs until the link stops.
    pub(super) async fn run(self) -> LinkEnd {
        let span = tracing::info_span!("link", app_id = %self.discovery.app_id);
        self.work_off().instrument(span).await
    }

    async fn work_off(mut self) -> LinkEnd {
        self.tick();
        loop {
            self.obey().await;
            if let Some(end) = self.end.take() {
                return end;
            }
            let happened = self.next().await;
            self.feed_happened(happened);
            // A socket that never falls silent must not keep the timers from their turn.
            if self.link.next_wakeup().is_some_and(|at| at <= Instant::now().into_std()) {
                self.tick();
            }
        }
    }

    /// Waits for whatever comes next.
    async fn next(&mut self) -> Happened {
        let Self { link, work, mailbox, deliveries, held, .. } = self;
        let wakeup = link.next_wakeup().map(Instant::from_std);
        let room_until = held.as_ref().map(|held| held.until);
        let reading = held.is_none() && link.state() != State::Closing;
        tokio::select! {
            biased;
            mail = mailbox.take() => Happened::Mail(mail),
            room = deliveries.reserve(), if held.is_some() => hand_over(held, room),
            () = sleep_until(room_until.unwrap_or_else(Instant::now)), if room_until.is_some() => {
                Happened::RoomTimeout
            }
            happened = poll_fn(|cx| work.poll(cx, reading)) => happened,
            () = sleep_until(wakeup.unwrap_or_else(Instant::now)), if wakeup.is_some() => {
                Happened::Timer
            }
        }
    }

    fn feed_happened(&mut self, happened: Happened) {
        match happened {
            Happened::Mail(mail) => self.feed_mail(mail),
            Happened::Asked(answer) => {
                self.work = Work::Nothing;
                match answer {
                    Ok(reply) => self.feed(Input::Discovered(reply.view())),
                    Err(failure) => self.feed(Input::Failed(failure)),
                }
            }
            Happened::Dialed(Ok(socket)) => {
                let peers = socket.peers().clone();
                self.status.send_modify(|status| status.peers(peers));
                self.work = Work::Open(socket);
                self.feed(Input::Upgraded);
            }
            Happened::Dialed(Err(none)) => {
                self.work = Work::Nothing;
                self.feed(none.into());
            }
            Happened::Read(input) => self.feed(input),
            Happened::Room => {}
            Happened::NobodyListens => self.nobody_listens(),
            Happened::RoomTimeout => {
                if let Some(held) = self.held.take() {
                    self.shed(&held.delivery);
                }
            }
            Happened::Timer => self.tick(),
        }
    }

    fn feed_mail(&mut self, mail: Mail) {
        for (token, answer) in mail.answers {
            self.feed(Input::Answer(token, answer));
        }
        if mail.redial {
            self.feed(Input::Redial);
        }
        if mail.wake {
            self.feed(Input::Wake);
        }
        if mail.close {
            self.feed(Input::Close);
        }
    }

    fn feed(&mut self, input: Input<'_>) {
        self.link.handle(Instant::now().into_std(), input);
    }

    fn tick(&mut self) {
        self.feed(Input::Tick { wall_ms: now_ms() });
    }

    /// Does what the link wants, then shows where it is.
    async fn obey(&mut self) {
        while let Some(output) = self.link.poll() {
            match output {
                Output::Discover { timeout } => {
                    self.work = Work::Discovering(Box::pin(self.discovery.clone().ask(timeout)));
                }
                Output::Dial { url, timeout } => {
                    let dialer = self.discovery.dialer.clone();
                    self.work = Work::Dialing(Box::pin(Socket::open(dialer, url, timeout)));
                }
                Output::Send(bytes) => self.write(|socket| socket.send(bytes)),
                Output::SendWsPing => self.write(Socket::send_ping),
                Output::Hangup { code } => self.hangup(code).await,
                Output::Deliver(delivered) => self.deliver(delivered),
                Output::Note(note) => self.note(&note),
                Output::Stopped(end) => self.end = Some(end),
            }
        }
        let Self { link, status, .. } = self;
        status.send_if_modified(|status| status.refresh(link, now_ms()));
    }

    fn write(&mut self, send: impl FnOnce(&mut Socket) -> Result<(), Failure>) {
        if let Work::Open(socket) = &mut self.work
            && let Err(failure) = send(socket)
        {
            self.feed(Input::Failed(failure));
        }
    }

    async fn hangup(&mut self, code: Option<u16>) {
        let work = std::mem::replace(&mut self.work, Work::Nothing);
        if let (Work::Open(mut socket), Some(code)) = (work, code) {
            socket.close(code).await;
        }
    }

    fn deliver(&mut self, delivered: Delivered) {
        let Delivered { ack, kind, payload, frame_message_id, trace_id } = delivered;
        let received_ms = now_ms();
        let delivery = Delivery { ack, kind, payload, frame_message_id, trace_id, received_ms };
        match self.deliveries.try_send(delivery) {
            Ok(()) => {}
            Err(TrySendError::Full(delivery)) => {
                self.held = Some(Held { delivery, until: Instant::now() + self.room_wait });
            }
            Err(TrySendError::Closed(delivery)) => {
                self.shed(&delivery);
                self.nobody_listens();
            }
        }
    }

    fn shed(&mut self, delivery: &Delivery) {
        self.feed(Input::Shed(delivery.ack));
        log::shed(&delivery.frame_message_id, self.link.counters().shed);
    }

    fn nobody_listens(&mut self) {
        if let Some(held) = self.held.take() {
            self.shed(&held.delivery);
        }
        self.feed(Input::Close);
    }

    fn note(&mut self, note: &Note) {
        self.status.send_if_modified(|status| {
            status.note(note, now_ms());
            log::note(note, status);
            matches!(note, Note::Closed { .. })
        });
    }
}

impl Work {
    fn poll(&mut self, cx: &mut std::task::Context<'_>, reading: bool) -> Poll<Happened> {
        match self {
            Self::Nothing => Poll::Pending,
            Self::Discovering(asked) => asked.as_mut().poll(cx).map(Happened::Asked),
            Self::Dialing(dialed) => dialed.as_mut().poll(cx).map(Happened::Dialed),
            Self::Open(socket) => socket.poll(cx, reading).map(Happened::Read),
        }
    }
}

fn hand_over(
    held: &mut Option<Held>,
    room: Result<Permit<'_, Delivery>, SendError<()>>,
) -> Happened {
    match (room, held.take()) {
        (Ok(permit), Some(held)) => permit.send(held.delivery),
        (Ok(_), None) => {}
        (Err(_), waiting) => {
            *held = waiting;
            return Happened::NobodyListens;
        }
    }
    Happened::Room
}

/// The link's wall clock.
#[expect(clippy::disallowed_methods, reason = "the single reader of the link's wall clock")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    larkline_failpoint::wall_ms(now_ms)
}
