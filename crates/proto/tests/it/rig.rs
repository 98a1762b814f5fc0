//! A shell for [`Link`] on simulated time: it obeys outputs and keeps what it saw.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bytes::Bytes;
use larkline_proto::endpoint::EndpointReply;
use larkline_proto::frame::{Frame, Header, METHOD_DATA};
use larkline_proto::link::{
    Delivered, Fault, Input, Link, LinkConfig, LinkEnd, Note, Output, State,
};

/// The instant at which simulated time begins.
pub(crate) fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    #[expect(
        clippy::disallowed_methods,
        reason = "simulated time needs some instant to begin with"
    )]
    *EPOCH.get_or_init(Instant::now)
}

pub(crate) const ENDPOINT: &[u8] =
    br#"{"code":0,"data":{"URL":"wss://h.test/ws?device_id=77&service_id=5&ticket=t"}}"#;

pub(crate) fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// What the peer does about pings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) pongs: bool,
    pub(crate) ws_pongs: bool,
}

/// A link, its simulated time, and a record of what it did.
pub(crate) struct Rig {
    pub(crate) link: Link,
    pub(crate) now: Instant,
    pub(crate) wall_ms: i64,
    pub(crate) peer: Peer,
    pub(crate) sent: Vec<Frame>,
    pub(crate) ws_pings: usize,
    pub(crate) delivered: Vec<Delivered>,
    pub(crate) notes: Vec<Note>,
    pub(crate) hangups: Vec<Option<u16>>,
    pub(crate) dials: Vec<Instant>,
    pub(crate) discoveries: Vec<Instant>,
    pub(crate) end: Option<LinkEnd>,
}

impl Rig {
    /// A link whose peer answers everything.
    pub(crate) fn new(config: LinkConfig) -> Self {
        let mut rig = Self {
            link: Link::new(epoch(), config, 1).unwrap(),
            now: epoch(),
            wall_ms: 1_700_000_000_000,
            peer: Peer { pongs: true, ws_pongs: true },
            sent: Vec::new(),
            ws_pings: 0,
            delivered: Vec::new(),
            notes: Vec::new(),
            hangups: Vec::new(),
            dials: Vec::new(),
            discoveries: Vec::new(),
            end: None,
        };
        rig.drain();
        rig
    }

    /// A link that is verified.
    pub(crate) fn verified(config: LinkConfig) -> Self {
        let mut rig = Self::new(config);
        rig.connect();
        assert_eq!(rig.link.state(), State::Verified);
        rig
    }

    /// Answers discovery and dial; the peer decides what follows.
    pub(crate) fn connect(&mut self) {
        self.discovered(ENDPOINT);
        self.feed(Input::Upgraded);
    }

    pub(crate) fn discovered(&mut self, body: &[u8]) {
        self.feed(Input::Discovered(EndpointReply { status: 200, retry_after: None, body }));
    }

    pub(crate) fn feed(&mut self, input: Input<'_>) {
        self.link.handle(self.now, input);
        self.drain();
    }

    pub(crate) fn frame(&mut self, frame: &Frame) {
        self.feed(Input::Binary(frame.encode().into()));
    }

    /// Lets time pass in the steps the link asks for.
    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.link.next_wakeup().filter(|at| *at <= until) {
            self.advance(at.max(self.now));
            let wall_ms = self.wall_ms;
            self.feed(Input::Tick { wall_ms });
        }
        self.advance(until);
    }

    /// Lets time pass until the state is reached and returns how long it took.
    pub(crate) fn pass_until(&mut self, state: State, limit: Duration) -> Duration {
        let began = self.now;
        while self.link.state() != state {
            let at = self.link.next_wakeup().unwrap().max(self.now);
            assert!(at - began <= limit, "{state:?} not reached in {limit:?}: {:?}", self.notes);
            self.advance(at);
            let wall_ms = self.wall_ms;
            self.feed(Input::Tick { wall_ms });
        }
        self.now - began
    }

    pub(crate) fn last_fault(&self) -> &Fault {
        let closed = |note: &Note| matches!(note, Note::Closed { .. });
        match self.notes.iter().rfind(|note| closed(note)) {
            Some(Note::Closed { fault, .. }) => fault,
            _ => panic!("nothing was lost: {:?}", self.notes),
        }
    }

    pub(crate) fn noted(&self, wanted: impl Fn(&Note) -> bool) -> usize {
        self.notes.iter().filter(|note| wanted(note)).count()
    }

    fn advance(&mut self, to: Instant) {
        self.wall_ms += i64::try_from((to - self.now).as_millis()).unwrap();
        self.now = to;
    }

    fn drain(&mut self) {
        while let Some(output) = self.link.poll() {
            match output {
                Output::Send(bytes) => self.server_reads(Frame::decode(bytes.into()).unwrap()),
                Output::SendWsPing => {
                    self.ws_pings += 1;
                    if self.peer.ws_pongs {
                        self.link.handle(self.now, Input::WsPong);
                    }
                }
                Output::Deliver(delivered) => self.delivered.push(delivered),
                Output::Note(note) => self.notes.push(note),
                Output::Hangup { code } => self.hangups.push(code),
                Output::Dial { .. } => self.dials.push(self.now),
                Output::Discover { .. } => self.discoveries.push(self.now),
                Output::Stopped(end) => self.end = Some(end),
            }
        }
    }

    fn server_reads(&mut self, frame: Frame) {
        let is_ping = frame.header("type") == Some("ping");
        self.sent.push(frame);
        if is_ping && self.peer.pongs {
            let pong = Frame::control(5, "pong", None).into_bytes();
            self.link.handle(self.now, Input::Binary(pong.into()));
        }
    }
}

/// A data frame.
pub(crate) fn event(message_id: &str, sum: &str, seq: &str, payload: &'static [u8]) -> Frame {
    let header = |key: &str, value: &str| Header { key: key.into(), value: value.into() };
    Frame {
        seq_id: 9,
        log_id: u64::MAX,
        service: 5,
        method: METHOD_DATA,
        headers: vec![
            header("type", "event"),
            header("message_id", message_id),
            header("sum", sum),
            header("seq", seq),
            header("instance_id", "i-1"),
        ],
        payload: Some(Bytes::from_static(payload)),
        ..Frame::default()
    }
}
