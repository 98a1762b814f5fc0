//! The report as metrics, copied when somebody scrapes.

use std::sync::atomic::Ordering;

use larkline_proto::link::Cause;

use super::{AppStatus, Status};
use crate::alert::Rule;
use crate::clock::ms;
use crate::metrics::{
    AppLabel, CauseLabel, EndpointLabel, Metrics, ProofLabel, QueueLabel, RuleLabel, VerdictLabel,
};
use crate::proof::Standing;
use crate::shared::Shared;

impl Status {
    /// Copies what the store and the links know into the metrics.
    pub fn export(&self, shared: &Shared) {
        let m = &shared.metrics;
        m.events.clear();
        // A new month has none of the endpoints of the one before.
        m.month_calls.clear();
        for t in &self.tally {
            let label =
                VerdictLabel { app: t.app.clone(), verdict: t.verdict.clone(), why: t.why.clone() };
            m.events.get_or_create(&label).set(t.count.cast_signed());
        }
        let d = &self.depths;
        for (queue, n) in [
            ("unrouted", d.unrouted),
            ("tasks", d.tasks),
            ("awaiting", d.awaiting),
            ("outbox", d.outbox),
            ("dead", d.dead),
        ] {
            m.queue_items.get_or_create(&QueueLabel { queue }).set(n.cast_signed());
        }
        for app in &self.apps {
            let label = AppLabel { app: app.name.clone() };
            m.link_verified.get_or_create(&label).set(i64::from(app.link.verified));
            m.link_connects.get_or_create(&label).set(app.link.connects.cast_signed());
            m.link_closes.get_or_create(&label).set(app.link.closes.cast_signed());
            m.link_heartbeat_timeouts.get_or_create(&label).set(app.link.misses.cast_signed());
            m.link_malformed.get_or_create(&label).set(app.link.malformed.cast_signed());
            for (gauge, at) in [
                (&m.link_last_frame_age, app.link.last_frame_at_ms),
                (&m.link_last_pong_age, app.link.last_pong_at_ms),
                (&m.link_last_event_age, app.link.last_event_at_ms),
            ] {
                let age = at.map_or(-1, |at| (self.at_ms - at) / 1000);
                gauge.get_or_create(&label).set(age);
            }
            app.export_reconnects(m);
            app.export_hearing(m);
            app.export_calls(m);
        }
        m.unanswered_messages.set(i64::try_from(self.unanswered.len()).unwrap_or(i64::MAX));
        for rule in Rule::ALL {
            let firing = self.alerts.iter().filter(|alert| alert.rule == rule).count();
            let label = RuleLabel { rule: rule.name() };
            m.alerts_firing.get_or_create(&label).set(i64::try_from(firing).unwrap_or(i64::MAX));
        }
        m.open_descriptors.set(self.descriptors.open.cast_signed());
        m.open_sockets.set(self.descriptors.sockets.cast_signed());
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        m.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        let target = shared.config.load().link.recovery_target;
        m.link_recovery_target_seconds.set(ms(target) / 1000);
        m.resident_bytes.set(self.own.rss_bytes.cast_signed());
        m.cpu_seconds.set(self.own.cpu_ms as f64 / 1000.0);
        m.host_load.set(self.host.load[0]);
        m.host_memory_available_bytes.set(self.host.memory_available_bytes.cast_signed());
        m.store_writable.set(i64::from(self.store_writable));
        let age_ms = self.figures_of_ms.map_or(0, |of| self.at_ms - of.max(self.started_ms));
        m.figures_age_seconds.set(age_ms / 1000);
        m.worker_restarts.set(shared.restarts.load(Ordering::Relaxed).cast_signed());
    }
}

impl AppStatus {
    /// Counted by the link itself: whoever watches it sees the last of several states.
    fn export_reconnects(&self, m: &Metrics) {
        for (code, count) in &self.link.reconnects {
            let Some(cause) = Cause::of_code(code) else { continue };
            let label = CauseLabel { app: self.name.clone(), cause: cause.code() };
            let counter = m.link_reconnects.get_or_create(&label);
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }

    fn export_hearing(&self, m: &Metrics) {
        for proof in &self.proofs {
            let label = ProofLabel { app: self.name.clone(), proof: proof.name.clone() };
            m.link_proof.get_or_create(&label).set(match proof.standing {
                Standing::Holds => 1,
                Standing::Fails => 0,
                Standing::Unknown => -1,
            });
        }
        let label = AppLabel { app: self.name.clone() };
        let silence = i64::try_from(self.unusual_silence_ms / 1000).unwrap_or(i64::MAX);
        m.link_unusual_silence.get_or_create(&label).set(silence);
        // Shown from the start: a rate needs the nothing before the first.
        let _shown = m.repaired_messages.get_or_create(&label);
    }

    fn export_calls(&self, m: &Metrics) {
        let (app, figure) = (&self.name, |n: u64| i64::try_from(n).unwrap_or(i64::MAX));
        let label = AppLabel { app: app.clone() };
        for (endpoint, calls) in &self.month.calls {
            let label = EndpointLabel { app: app.clone(), endpoint: endpoint.clone() };
            m.month_calls.get_or_create(&label).set(figure(*calls));
        }
        m.month_projected.get_or_create(&label).set(figure(self.month.projected));
        m.month_quota.get_or_create(&label).set(self.month.quota.map_or(-1, figure));
        let g = &self.governor;
        m.sends_granted.get_or_create(&label).set(figure(g.granted));
        let waiting = i64::try_from(g.waiting).unwrap_or(i64::MAX);
        m.sends_waiting.get_or_create(&label).set(waiting);
        m.sends_throttled.get_or_create(&label).set(figure(g.throttled));
    }
}
