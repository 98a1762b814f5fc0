//! Every instrument of the gateway, declared once.
//!
//! Names are `larkline_<noun>_<unit>[_total]`; labels come from closed sets, never ids, text
//! or error messages. Figures that the store or the link keeps anyway (verdicts, depths, link
//! state) are copied here when somebody scrapes, so that metrics, `status` and the store
//! cannot disagree.

// tidy: long file: every instrument is declared, made and registered in it

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Buckets for latencies on the event path, seconds.
const LATENCY_BUCKETS: [f64; 12] =
    [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0];
/// Buckets for waits between attempts to connect, seconds.
const WAIT_BUCKETS: [f64; 8] = [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0];
/// Buckets for recoveries of the link, seconds.
const RECOVERY_BUCKETS: [f64; 10] = [0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 300.0, 3600.0];
/// Buckets for handlers, seconds.
const HANDLER_BUCKETS: [f64; 11] =
    [0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0];

/// One app.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AppLabel {
    /// Name in the configuration.
    pub app: String,
}

/// An app and a verdict with its reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VerdictLabel {
    /// Name in the configuration.
    pub app: String,
    /// `waiting`, `replied`, `filtered`, `failed`.
    pub verdict: String,
    /// The reason, from a closed list.
    pub why: String,
}

/// A handler and how an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabel {
    /// Name in the configuration.
    pub handler: String,
    /// `ok`, `later`, or the error's code.
    pub result: String,
}

/// A call of the platform's API and its code.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabel {
    /// Name in the configuration.
    pub app: String,
    /// `reply`, `send`, ….
    pub endpoint: String,
    /// Platform code, or our word for failures without one.
    pub code: String,
}

/// An app and an endpoint of the platform's API.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndpointLabel {
    /// Name in the configuration.
    pub app: String,
    /// `reply`, `send`, ….
    pub endpoint: String,
}

/// An app and why its link was lost.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CauseLabel {
    /// Name in the configuration.
    pub app: String,
    /// The fault's code.
    pub cause: &'static str,
}

/// An app and a proof that its link hears.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ProofLabel {
    /// Name in the configuration.
    pub app: String,
    /// `pong`, `count`, `history`.
    pub proof: String,
}

/// This binary.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BuildLabel {
    /// Its version.
    pub version: &'static str,
}

/// A kind of waiting work.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueueLabel {
    /// `unrouted`, `tasks`, `awaiting`, `outbox`, `dead`.
    pub queue: &'static str,
}

/// What an alert is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AlertLabel {
    /// `memory`, `cpu`, `crash_loop`.
    pub alert: &'static str,
}

/// A rule of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RuleLabel {
    /// Its name.
    pub rule: &'static str,
}

/// The gateway's instruments.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Held while a page is made.
    paging: Mutex<()>,
    /// Deliveries by verdict, since the store was made.
    pub events: Family<VerdictLabel, Gauge>,
    /// Waiting work.
    pub queue_items: Family<QueueLabel, Gauge>,
    /// 1 while the link is verified.
    pub link_verified: Family<AppLabel, Gauge>,
    /// Sockets that were verified since the start.
    pub link_connects: Family<AppLabel, Gauge>,
    /// Closes by the other side since the start.
    pub link_closes: Family<AppLabel, Gauge>,
    /// Pings and probes without an answer in time since the start.
    pub link_heartbeat_timeouts: Family<AppLabel, Gauge>,
    /// Waits to reconnect, by what went wrong before.
    pub link_reconnects: Family<CauseLabel, Counter>,
    /// How the proofs stand that the link hears: 1 holds, 0 fails, -1 unknown.
    pub link_proof: Family<ProofLabel, Gauge>,
    /// Silence that is unusual for the app.
    pub link_unusual_silence: Family<AppLabel, Gauge>,
    /// Messages read back from chats, which the platform had not delivered.
    pub repaired_messages: Family<AppLabel, Counter>,
    /// Calls of this month.
    pub month_calls: Family<EndpointLabel, Gauge>,
    /// What they come to by the month's end.
    pub month_projected: Family<AppLabel, Gauge>,
    /// The quota of a month; -1 without one.
    pub month_quota: Family<AppLabel, Gauge>,
    /// Permits given to send since the start.
    pub sends_granted: Family<AppLabel, Gauge>,
    /// Sends that wait for a permit.
    pub sends_waiting: Family<AppLabel, Gauge>,
    /// Sends that the platform refused as too many since the start.
    pub sends_throttled: Family<AppLabel, Gauge>,
    /// This binary.
    pub build_info: Family<BuildLabel, Gauge>,
    /// Frames that could not be read since the start.
    pub link_malformed: Family<AppLabel, Gauge>,
    /// Seconds since the last frame; -1 before there was one.
    pub link_last_frame_age: Family<AppLabel, Gauge>,
    /// Seconds since the last answer to a ping; -1 before there was one.
    pub link_last_pong_age: Family<AppLabel, Gauge>,
    /// Seconds since the last event; -1 before there was one.
    pub link_last_event_age: Family<AppLabel, Gauge>,
    /// Waits before attempts to reconnect.
    pub reconnect_wait_seconds: Histogram,
    /// From the loss of a verified link to the next verified one.
    pub link_recovery_seconds: Histogram,
    /// How long that may take before it is an alert.
    pub link_recovery_target_seconds: Gauge,
    /// Messages of people beyond `answer_within` of their route.
    pub unanswered_messages: Gauge,
    /// File descriptors of this process.
    pub open_descriptors: Gauge,
    /// Sockets among them.
    pub open_sockets: Gauge,
    /// Resident memory of this process.
    pub resident_bytes: Gauge,
    /// Processor time of this process since its start.
    pub cpu_seconds: Gauge<f64, AtomicU64>,
    /// Load average of the machine over a minute.
    pub host_load: Gauge<f64, AtomicU64>,
    /// What programs could still get of the machine's memory.
    pub host_memory_available_bytes: Gauge,
    /// Tasks of the runtime: workers, connections, work in hand.
    pub tasks: Gauge,
    /// From the frame's arrival to its ack handed to the socket.
    pub ack_seconds: Histogram,
    /// From the frame's arrival to the handler's start.
    pub handler_wait_seconds: Histogram,
    /// How long an attempt took.
    pub handler_seconds: Family<AttemptLabel, Histogram>,
    /// Calls of the platform's API.
    pub api_calls: Family<CallLabel, Counter>,
    /// Conversations that an agent was to resume.
    pub session_resumes: Family<AttemptLabel, Counter>,
    /// Alerts that are raised, by what they are about.
    pub alerts: Family<AlertLabel, Gauge>,
    /// Alerts that fire, by rule.
    pub alerts_firing: Family<RuleLabel, Gauge>,
    /// Starts since the store was made.
    pub boots: Gauge,
    /// When this run started, Unix seconds.
    pub start_time_seconds: Gauge,
    /// 1 while the store takes writes.
    pub store_writable: Gauge,
    /// Seconds since the store told its figures.
    pub figures_age_seconds: Gauge,
    /// Workers started over after a failure.
    pub worker_restarts: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut m = Self {
            registry: Registry::with_prefix("larkline"),
            paging: Mutex::default(),
            events: Family::default(),
            queue_items: Family::default(),
            link_verified: Family::default(),
            link_connects: Family::default(),
            link_closes: Family::default(),
            link_heartbeat_timeouts: Family::default(),
            link_reconnects: Family::default(),
            link_proof: Family::default(),
            link_unusual_silence: Family::default(),
            repaired_messages: Family::default(),
            month_calls: Family::default(),
            month_projected: Family::default(),
            month_quota: Family::default(),
            sends_granted: Family::default(),
            sends_waiting: Family::default(),
            sends_throttled: Family::default(),
            build_info: Family::default(),
            link_malformed: Family::default(),
            link_last_frame_age: Family::default(),
            link_last_pong_age: Family::default(),
            link_last_event_age: Family::default(),
            reconnect_wait_seconds: Histogram::new(WAIT_BUCKETS),
            link_recovery_seconds: Histogram::new(RECOVERY_BUCKETS),
            link_recovery_target_seconds: Gauge::default(),
            unanswered_messages: Gauge::default(),
            open_descriptors: Gauge::default(),
            open_sockets: Gauge::default(),
            resident_bytes: Gauge::default(),
            cpu_seconds: Gauge::default(),
            host_load: Gauge::default(),
            host_memory_available_bytes: Gauge::default(),
            tasks: Gauge::default(),
            ack_seconds: Histogram::new(LATENCY_BUCKETS),
            handler_wait_seconds: Histogram::new(LATENCY_BUCKETS),
            handler_seconds: Family::new_with_constructor(|| Histogram::new(HANDLER_BUCKETS)),
            api_calls: Family::default(),
            session_resumes: Family::default(),
            alerts: Family::default(),
            alerts_firing: Family::default(),
            boots: Gauge::default(),
            start_time_seconds: Gauge::default(),
            store_writable: Gauge::default(),
            figures_age_seconds: Gauge::default(),
            worker_restarts: Gauge::default(),
        };
        m.register();
        m.register_link();
        m.register_hearing();
        m.register_calls();
        let label = BuildLabel { version: env!("CARGO_PKG_VERSION") };
        m.build_info.get_or_create(&label).set(1);
        // Shown before the first look, as alerts that are not raised.
        for alert in ["memory", "cpu"] {
            m.alert(alert, 0);
        }
        m.register_machine();
        m
    }
}

impl Metrics {
    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("events", "Deliveries by verdict since the store was made", self.events.clone());
        r.register("queue_items", "Waiting work", self.queue_items.clone());
        r.register(
            "unanswered_messages",
            "Messages beyond the answer_within of their route",
            self.unanswered_messages.clone(),
        );
        r.register("open_descriptors", "Open file descriptors", self.open_descriptors.clone());
        r.register("open_sockets", "Open sockets", self.open_sockets.clone());
        r.register("tasks", "Tasks of the runtime", self.tasks.clone());
        r.register("ack_seconds", "Arrival of a frame to its ack", self.ack_seconds.clone());
        r.register(
            "handler_wait_seconds",
            "Arrival of a frame to its handler's start",
            self.handler_wait_seconds.clone(),
        );
        r.register("handler_seconds", "Duration of handler attempts", self.handler_seconds.clone());
        r.register("api_calls", "Calls of the platform's API", self.api_calls.clone());
        r.register("alerts", "Alerts that are raised", self.alerts.clone());
        r.register("alerts_firing", "Alerts that fire", self.alerts_firing.clone());
        r.register("boots", "Starts since the store was made", self.boots.clone());
        r.register(
            "start_time_seconds",
            "When this run started, Unix time",
            self.start_time_seconds.clone(),
        );
        r.register(
            "session_resumes",
            "Conversations that an agent was to resume",
            self.session_resumes.clone(),
        );
        r.register("store_writable", "1 while the store takes writes", self.store_writable.clone());
        r.register(
            "figures_age_seconds",
            "Since events and queue_items were read, while the store does not answer",
            self.figures_age_seconds.clone(),
        );
        r.register(
            "worker_restarts",
            "Workers started over after a failure",
            self.worker_restarts.clone(),
        );
    }

    fn register_machine(&mut self) {
        let r = &mut self.registry;
        r.register("resident_bytes", "Resident memory", self.resident_bytes.clone());
        r.register("cpu_seconds", "Processor time since the start", self.cpu_seconds.clone());
        r.register("host_load", "Load average over a minute", self.host_load.clone());
        r.register(
            "host_memory_available_bytes",
            "Memory of the machine that programs could still get",
            self.host_memory_available_bytes.clone(),
        );
    }

    fn register_link(&mut self) {
        let r = &mut self.registry;
        r.register("link_verified", "1 while the link is verified", self.link_verified.clone());
        r.register("link_connects", "Sockets verified since the start", self.link_connects.clone());
        r.register(
            "link_closes",
            "Closes by the other side since the start",
            self.link_closes.clone(),
        );
        r.register(
            "link_heartbeat_timeouts",
            "Pings without an answer in time since the start",
            self.link_heartbeat_timeouts.clone(),
        );
        r.register(
            "link_malformed_frames",
            "Unreadable frames since the start",
            self.link_malformed.clone(),
        );
        r.register(
            "link_last_frame_age_seconds",
            "Seconds since the last frame",
            self.link_last_frame_age.clone(),
        );
        r.register(
            "link_last_pong_age_seconds",
            "Seconds since the last answer to a ping",
            self.link_last_pong_age.clone(),
        );
        r.register(
            "link_last_event_age_seconds",
            "Seconds since the last event",
            self.link_last_event_age.clone(),
        );
        r.register(
            "link_reconnect_wait_seconds",
            "Waits before attempts to reconnect",
            self.reconnect_wait_seconds.clone(),
        );
        r.register(
            "link_recovery_seconds",
            "Loss of a verified link to the next verified one",
            self.link_recovery_seconds.clone(),
        );
        r.register(
            "link_recovery_target_seconds",
            "How long a recovery may take before it is an alert",
            self.link_recovery_target_seconds.clone(),
        );
    }

    fn register_hearing(&mut self) {
        let r = &mut self.registry;
        r.register(
            "link_reconnects",
            "Waits to reconnect by what went wrong before",
            self.link_reconnects.clone(),
        );
        r.register(
            "link_proof",
            "Proofs that the link hears: 1 holds, 0 fails, -1 unknown",
            self.link_proof.clone(),
        );
        r.register(
            "link_unusual_silence_seconds",
            "Silence that is unusual for the app now",
            self.link_unusual_silence.clone(),
        );
        r.register(
            "repaired_messages",
            "Messages read back from chats",
            self.repaired_messages.clone(),
        );
    }

    fn register_calls(&mut self) {
        let r = &mut self.registry;
        r.register("month_calls", "API calls of this month", self.month_calls.clone());
        r.register(
            "month_projected_calls",
            "API calls by the end of this month, if it goes on so",
            self.month_projected.clone(),
        );
        r.register(
            "month_quota_calls",
            "API calls that a month may have, -1 without a quota",
            self.month_quota.clone(),
        );
        r.register("sends_granted", "Permits to send since the start", self.sends_granted.clone());
        r.register("sends_waiting", "Sends that wait for a permit", self.sends_waiting.clone());
        r.register(
            "sends_throttled",
            "Sends refused by the platform as too many",
            self.sends_throttled.clone(),
        );
        r.register("build_info", "This binary", self.build_info.clone());
    }

    /// Notes one handler attempt.
    pub fn attempt(&self, handler: &str, result: &str, took: Duration) {
        let label = AttemptLabel { handler: handler.to_owned(), result: result.to_owned() };
        self.handler_seconds.get_or_create(&label).observe(took.as_secs_f64());
    }

    /// Notes that an agent was to resume a conversation.
    pub fn resume(&self, handler: &str, result: &str) {
        let label = AttemptLabel { handler: handler.to_owned(), result: result.to_owned() };
        self.session_resumes.get_or_create(&label).inc();
    }

    /// Notes how many alerts are raised.
    pub fn alert(&self, alert: &'static str, raised: usize) {
        let raised = i64::try_from(raised).unwrap_or(i64::MAX);
        self.alerts.get_or_create(&AlertLabel { alert }).set(raised);
    }

    /// Notes one API call.
    pub fn call(&self, app: &str, endpoint: &str, code: &str) {
        let label =
            CallLabel { app: app.to_owned(), endpoint: endpoint.to_owned(), code: code.to_owned() };
        self.api_calls.get_or_create(&label).inc();
    }

    /// All figures in the text format of OpenMetrics, once `fill` has copied in those that are kept
    /// elsewhere. One page at a time: another's `fill` would take figures away under this one.
    pub fn page(&self, fill: impl FnOnce(&Self)) -> String {
        let _alone = self.paging.lock().unwrap_or_else(PoisonError::into_inner);
        fill(self);
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            // Writing into a String does not fail; an empty page is the honest rest.
            Err(std::fmt::Error) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_lacks_nothing_while_another_is_made() {
        let metrics = Metrics::default();
        let fill = |m: &Metrics| {
            m.events.clear();
            for verdict in ["waiting", "replied", "filtered", "failed"] {
                let (app, why) = ("main".to_owned(), String::new());
                let label = VerdictLabel { app, verdict: verdict.to_owned(), why };
                m.events.get_or_create(&label).set(1);
            }
        };
        let pages = || {
            for _ in 0..500 {
                let page = metrics.page(fill);
                let shown = page.lines().filter(|l| l.starts_with("larkline_events{")).count();
                assert_eq!(shown, 4, "{page}");
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(pages);
            scope.spawn(pages);
        });
    }
}
