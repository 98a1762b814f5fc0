//! Laws that hold whatever the network, the peer and the operator do, in any order.

use bytes::Bytes;
use larkline_proto::endpoint::EndpointReply;
use larkline_proto::frame::Frame;
use larkline_proto::link::{
    AckToken, Answer, Cause, Failure, Input, Link, LinkConfig, LinkEnd, Output, Probe, State,
};
use larkline_proto::refusal::Refusal;
use proptest::prelude::*;

use crate::rig::{ENDPOINT, epoch, event};

/// One thing the world does.
#[derive(Clone, Debug)]
enum Act {
    Wait(u64),
    Sleep(i64),
    Discovered(u16, Vec<u8>),
    Endpoint,
    Upgraded,
    Refused(u16),
    Failed,
    Pong,
    Event(u8, u8, u8),
    Garbage(Vec<u8>),
    Text,
    WsPing,
    WsPong,
    PeerClose(Option<u16>),
    Answer(usize),
    Shed(usize),
    Wake,
    Redial,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (0_u64..30_000).prop_map(Act::Wait),
        1 => any::<i32>().prop_map(|ms| Act::Sleep(i64::from(ms))),
        1 => (any::<u16>(), any::<Vec<u8>>()).prop_map(|(status, body)| Act::Discovered(status, body)),
        4 => Just(Act::Endpoint),
        4 => Just(Act::Upgraded),
        1 => any::<u16>().prop_map(Act::Refused),
        1 => Just(Act::Failed),
        3 => Just(Act::Pong),
        3 => (0_u8..4, 0_u8..4, 0_u8..4).prop_map(|(id, sum, seq)| Act::Event(id, sum, seq)),
        2 => any::<Vec<u8>>().prop_map(Act::Garbage),
        1 => Just(Act::Text),
        1 => Just(Act::WsPing),
        1 => Just(Act::WsPong),
        1 => any::<Option<u16>>().prop_map(Act::PeerClose),
        2 => any::<usize>().prop_map(Act::Answer),
        1 => any::<usize>().prop_map(Act::Shed),
        1 => Just(Act::Wake),
        1 => Just(Act::Redial),
    ];
    prop::collection::vec(act, 0..120)
}

/// Carries acts out as a shell would, and checks the laws at every step.
struct World {
    link: Link,
    now: std::time::Instant,
    wall_ms: i64,
    /// Discoveries, dials and sockets under way; more than one would be two connections.
    under_way: usize,
    tokens: Vec<AckToken>,
    acks_due: usize,
    end: Option<LinkEnd>,
}

impl World {
    fn feed(&mut self, input: Input<'_>) {
        self.link.handle(self.now, input);
        let mut outputs = 0;
        while let Some(output) = self.link.poll() {
            outputs += 1;
            assert!(outputs <= 16, "one input made {outputs} outputs");
            self.obey(output);
        }
        assert_eq!(self.link.next_wakeup().is_none(), self.link.state() == State::Stopped);
    }

    fn obey(&mut self, output: Output) {
        match output {
            Output::Hangup { .. } => self.under_way = 0,
            Output::Discover { .. } => {
                self.under_way += 1;
                assert_eq!(self.under_way, 1, "two connections");
            }
            Output::Dial { .. } => assert_eq!(self.under_way, 1, "dialled without an attempt"),
            Output::Send(bytes) => {
                assert_eq!(self.under_way, 1, "sent without a connection");
                if Frame::decode(bytes.into()).unwrap().method == 1 {
                    assert_ne!(self.acks_due, 0, "an ack nobody asked for");
                    self.acks_due -= 1;
                }
            }
            Output::Deliver(delivered) => self.tokens.push(delivered.ack),
            Output::Stopped(end) => self.end = Some(end),
            Output::SendWsPing => assert_eq!(self.under_way, 1, "probed without a connection"),
            Output::Note(_) => {}
        }
    }

    /// Lets `ms` pass, ticking when asked to.
    fn wait(&mut self, ms: u64) {
        let until = self.now + std::time::Duration::from_millis(ms);
        for _ in 0..1000 {
            let Some(at) = self.link.next_wakeup().filter(|at| *at <= until) else { break };
            let at = at.max(self.now);
            self.wall_ms += i64::try_from((at - self.now).as_millis()).unwrap();
            self.now = at;
            let wall_ms = self.wall_ms;
            self.feed(Input::Tick { wall_ms });
        }
        assert!(self.link.next_wakeup().is_none_or(|at| at > until), "the link spins");
        self.wall_ms += i64::try_from((until - self.now).as_millis()).unwrap();
        self.now = until;
    }

    fn token(&self, index: usize) -> Option<AckToken> {
        (!self.tokens.is_empty()).then(|| self.tokens[index % self.tokens.len()])
    }

    fn act(&mut self, act: Act) {
        let reply =
            |status, body| Input::Discovered(EndpointReply { status, retry_after: None, body });
        match act {
            Act::Wait(ms) => self.wait(ms),
            Act::Sleep(ms) => {
                self.wall_ms += ms;
                let wall_ms = self.wall_ms;
                self.feed(Input::Tick { wall_ms });
            }
            Act::Discovered(status, body) => self.feed(reply(status, &body)),
            Act::Endpoint => self.feed(reply(200, ENDPOINT)),
            Act::Upgraded => self.feed(Input::Upgraded),
            Act::Refused(status) => {
                self.feed(Input::Refused(Refusal::handshake(status, |_| Some("403"))))
            }
            Act::Failed => {
                self.feed(Input::Failed(Failure { cause: Cause::Network, message: String::new() }))
            }
            Act::Pong => self.feed(Input::Binary(Frame::control(5, "pong", None).encode().into())),
            Act::Event(id, sum, seq) => {
                let frame = event(&id.to_string(), &sum.to_string(), &seq.to_string(), b"{}");
                self.feed(Input::Binary(frame.encode().into()));
            }
            Act::Garbage(bytes) => self.feed(Input::Binary(Bytes::from(bytes))),
            Act::Text => self.feed(Input::Text),
            Act::WsPing => self.feed(Input::WsPing),
            Act::WsPong => self.feed(Input::WsPong),
            Act::PeerClose(code) => self.feed(Input::Closed { code, reason: String::new() }),
            Act::Answer(index) => {
                if let Some(token) = self.token(index) {
                    self.acks_due = 1;
                    self.feed(Input::Answer(token, Answer::ok()));
                    self.acks_due = 0;
                }
            }
            Act::Shed(index) => {
                if let Some(token) = self.token(index) {
                    self.feed(Input::Shed(token));
                }
            }
            Act::Wake => self.feed(Input::Wake),
            Act::Redial => self.feed(Input::Redial),
        }
    }
}

fn world(seed: u64) -> World {
    let probe = [Probe::Auto, Probe::WebSocket, Probe::Protocol, Probe::Off][(seed % 4) as usize];
    let config = LinkConfig { probe, ..LinkConfig::default() };
    let mut world = World {
        link: Link::new(epoch(), config, seed).unwrap(),
        now: epoch(),
        wall_ms: 0,
        under_way: 0,
        tokens: Vec::new(),
        acks_due: 0,
        end: None,
    };
    world.feed(Input::Tick { wall_ms: 0 });
    world
}

proptest! {
    #[test]
    fn whatever_happens_there_is_one_connection_and_a_next_step(seed: u64, acts in acts()) {
        let mut world = world(seed);
        for act in acts {
            world.act(act);
        }
        // A link that never worked may stop on a refusal; nothing else ends it.
        match &world.end {
            Some(end) => prop_assert!(matches!(end, LinkEnd::Refused(_))),
            None => prop_assert_ne!(world.link.state(), State::Stopped),
        }
        world.feed(Input::Close);
        world.wait(10_000);
        prop_assert_eq!(world.link.state(), State::Stopped);
    }

    #[test]
    fn after_any_history_a_link_that_worked_comes_back(seed: u64, acts in acts()) {
        let mut world = world(seed);
        for act in [Act::Endpoint, Act::Upgraded, Act::Pong].into_iter().chain(acts) {
            world.act(act);
        }
        for _ in 0..200 {
            if world.link.state() == State::Verified {
                return Ok(());
            }
            let act = match world.link.state() {
                State::Resolving => Act::Endpoint,
                State::Dialing => Act::Upgraded,
                State::Upgraded | State::Stale => Act::Pong,
                State::Verified | State::Backoff | State::Closing | State::Stopped => Act::Wait(1000),
            };
            world.act(act);
        }
        prop_assert!(false, "gave up in {:?}", world.link.state());
    }

    #[test]
    fn one_message_gets_one_ack_whatever_the_order(seed: u64, acts in acts()) {
        let mut world = world(seed);
        for act in acts {
            world.act(act);
            let counters = world.link.counters();
            prop_assert!(counters.acked + counters.shed + counters.forgotten <= counters.delivered);
        }
    }
}
