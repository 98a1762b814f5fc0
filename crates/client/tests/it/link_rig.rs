//! A link against the simulator, and the words its tests speak.

use std::time::Duration;

use larkline_client::ProxyChoice;
use larkline_client::link::{
    self, Answer, Counters, Delivery, LinkConfig, LinkEnd, LinkHandle, LinkOptions, LinkStatus,
};
use larkline_proto::backoff::BackoffConfig;
use larkline_proto::id::{AppId, EventId};
use larkline_sim::{ClientConfig, DEMO_APP_ID, DEMO_APP_SECRET, Fault, Sim, SimOptions};
use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::peer::dialer;

/// No condition here takes longer on a healthy build; a busy machine may need some of it.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Everything at the pace of a test: what takes seconds by default takes tenths.
pub(crate) fn quick() -> LinkConfig {
    LinkConfig {
        discovery_timeout: ms(500),
        dial_timeout: ms(500),
        verify_timeout: ms(500),
        probe_interval: ms(200),
        probe_timeout: ms(400),
        pong_timeout: ms(500),
        backoff: BackoffConfig { quick: ms(5), min: ms(5), max: ms(20) },
        ..LinkConfig::default()
    }
}

pub(crate) struct Rig {
    pub(crate) sim: Sim,
    pub(crate) handle: LinkHandle,
    pub(crate) received: mpsc::Receiver<Delivery>,
    status: watch::Receiver<LinkStatus>,
    driver: JoinSet<LinkEnd>,
}

impl Rig {
    /// A simulator with one second between pings, and a link that has just been started.
    pub(crate) async fn start(config: LinkConfig, faults: &[Fault]) -> Self {
        let client_config = ClientConfig { ping_interval: 1, ..ClientConfig::default() };
        let options = SimOptions { client_config, ..SimOptions::default() };
        let sim = Sim::start(options).await.unwrap();
        for fault in faults {
            sim.platform().fault(fault.clone()).unwrap();
        }
        Self::on(sim, config, DEMO_APP_SECRET, 64)
    }

    /// A simulator that sends an event again half a second after its delivery, and room for
    /// `room` deliveries.
    pub(crate) async fn hasty(room: usize) -> Self {
        let options = SimOptions {
            ack_timeout: ms(400),
            redelivery: vec![ms(100); 50],
            ..SimOptions::default()
        };
        let mut rig = Self::on(Sim::start(options).await.unwrap(), quick(), DEMO_APP_SECRET, room);
        rig.until(LinkStatus::is_verified).await;
        rig
    }

    /// A link that is verified.
    pub(crate) async fn verified(config: LinkConfig) -> Self {
        let mut rig = Self::start(config, &[]).await;
        rig.until(LinkStatus::is_verified).await;
        rig
    }

    pub(crate) fn on(sim: Sim, config: LinkConfig, secret: &str, room: usize) -> Self {
        let (deliveries, received) = mpsc::channel(room);
        let options = LinkOptions {
            app_id: AppId::new(DEMO_APP_ID),
            app_secret: secret.into(),
            domain: sim.url().parse().unwrap(),
            dialer: dialer(ProxyChoice::None),
            config,
            seed: 1,
        };
        let (handle, task) = link::start(options, deliveries).unwrap();
        let mut driver = JoinSet::new();
        driver.spawn(task);
        let status = handle.status();
        Self { sim, handle, received, status, driver }
    }

    /// Waits for a state of the link.
    pub(crate) async fn until(
        &mut self,
        mut wanted: impl FnMut(&LinkStatus) -> bool,
    ) -> LinkStatus {
        let reached = timeout(SOON, self.status.wait_for(&mut wanted)).await;
        let reached = reached.map(|status| status.unwrap().clone());
        reached.unwrap_or_else(|_| panic!("still {:#?}", self.status()))
    }

    /// Waits for counters, which wake nobody.
    pub(crate) async fn until_counted(&self, wanted: impl Fn(&Counters) -> bool) -> Counters {
        let counted = timeout(SOON, async {
            let mut look = tokio::time::interval(ms(2));
            while !wanted(&self.status().counters) {
                look.tick().await;
            }
        });
        assert!(counted.await.is_ok(), "still {:#?}", self.status());
        self.status().counters
    }

    pub(crate) fn status(&self) -> LinkStatus {
        self.handle.status().borrow().clone()
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.sim.platform().fault(fault).unwrap();
    }

    /// The platform sends an event.
    pub(crate) fn send(&self, event: &serde_json::Value) -> EventId {
        let app = AppId::new(DEMO_APP_ID);
        self.sim.platform().send_event(&app, "test.happened_v1", event).unwrap()
    }

    pub(crate) fn send_small(&self) -> EventId {
        self.send(&json!({ "n": 1 }))
    }

    pub(crate) async fn receive(&mut self) -> Delivery {
        timeout(SOON, self.received.recv()).await.unwrap().unwrap()
    }

    /// Receives one message and acks it.
    pub(crate) async fn receive_and_ack(&mut self) -> Delivery {
        let delivery = self.receive().await;
        self.handle.answer(vec![(delivery.ack, Answer::ok())]);
        delivery
    }

    /// Waits until the platform holds the event for done.
    pub(crate) async fn until_done(&self, id: &EventId) {
        let done = |ledger: &larkline_sim::Ledger| ledger.event(id).is_some_and(|event| event.done);
        self.sim.platform().wait_for(done, SOON).await.unwrap();
    }

    /// Acks whatever comes until the ledger satisfies a condition.
    pub(crate) async fn ack_until(&mut self, done: impl FnMut(&larkline_sim::Ledger) -> bool) {
        let platform = self.sim.platform().clone();
        let mut done = std::pin::pin!(platform.wait_for(done, SOON));
        loop {
            tokio::select! {
                reached = &mut done => return reached.unwrap(),
                Some(delivery) = self.received.recv() => {
                    self.handle.answer(vec![(delivery.ack, Answer::ok())]);
                }
            }
        }
    }

    pub(crate) fn open_connections(&self) -> usize {
        self.sim.platform().read(larkline_sim::Ledger::open_connections)
    }

    pub(crate) async fn end(&mut self) -> LinkEnd {
        timeout(SOON, self.driver.join_next()).await.unwrap().unwrap().unwrap()
    }
}
