//! Log lines have stable names, routine levels, and never a secret.

use std::io;
use std::sync::{Arc, Mutex};

use larkline_client::link::LinkStatus;
use larkline_sim::{DEMO_APP_SECRET, Fault, Malformed};
use serde_json::Value;
use tracing_subscriber::fmt::MakeWriter;

use crate::link_rig::{Rig, quick};

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().map_err(|_| io::Error::other("poisoned"))?;
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// Level and fields of the lines with this event name.
    fn of(&self, event: &str) -> Vec<(String, Value)> {
        let text = self.text();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["fields"]["event"] == event)
            .map(|line| (line["level"].as_str().unwrap().to_owned(), line["fields"].clone()))
            .collect()
    }
}

#[tokio::test]
async fn the_stages_of_a_link_are_logged_under_stable_names_without_secrets() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);

    let mut rig = Rig::verified(quick()).await;
    let conn_id = rig.status().conn_id;
    rig.fault(Fault::Malformed { shape: Malformed::TypeCard });
    rig.receive_and_ack().await;
    rig.fault(Fault::Close { code: 1001, reason: "routine".into() });
    rig.until(|status| status.counters.connects == 2).await;
    rig.fault(Fault::Close { code: 1011, reason: "broken".into() });
    rig.until(|status| status.counters.connects == 3).await;
    rig.fault(Fault::HalfOpen);
    rig.until(|status| status.counters.connects == 4 && LinkStatus::is_verified(status)).await;
    rig.handle.close();
    rig.end().await;

    let levels = |event| lines.of(event).into_iter().map(|(level, _)| level).collect::<Vec<_>>();
    for event in ["endpoint_obtained", "connecting", "upgraded"] {
        assert_eq!(levels(event), ["DEBUG"; 4], "{event}");
    }
    assert_eq!(levels("verified"), ["INFO"; 4]);
    assert!(levels("ping").iter().chain(&levels("pong")).all(|level| level == "DEBUG"));
    assert_eq!(levels("closed"), ["DEBUG", "WARN", "WARN"], "routine, 1011, silence");
    assert_eq!(levels("reconnecting"), ["DEBUG", "INFO", "INFO"]);
    assert_eq!(levels("ping_timeout"), ["WARN"]);
    assert_eq!(levels("old_card"), ["WARN"]);
    assert_eq!(levels("closing"), ["INFO"]);

    let verified = &lines.of("verified")[0].1;
    assert_eq!(verified["conn_id"], conn_id.as_str());
    assert!(verified["host"].is_string() && verified["service_id"].is_number());
    assert!(verified["elapsed_ms"].is_number());
    assert!(verified.get("after").is_none(), "nothing was lost before: {verified}");
    let routine = &lines.of("verified")[1].1;
    assert_eq!(routine["after"], "closed");
    assert!(routine["recovery_ms"].is_number(), "{routine}");
    let closed = &lines.of("closed")[1].1;
    assert_eq!((&closed["code"], &closed["platform_code"]), (&"closed".into(), &1011.into()));
    let again = &lines.of("reconnecting")[0].1;
    assert_eq!((&again["cause"], &again["attempt"]), (&"closed".into(), &1.into()));
    assert!(again["wait_ms"].is_number() && again["lifetime_ms"].is_number());

    let missed = &lines.of("ping_timeout")[0].1;
    assert!(missed["silent_ms"].is_number() && missed["deadline_ms"].is_number());
    assert!(missed["last_pong_at_ms"].is_number(), "{missed}");
    assert_eq!(missed["misses"], 1);

    let text = lines.text();
    let ours: String = text.lines().filter(|line| line.contains("larkline_client")).collect();
    assert!(!ours.contains(DEMO_APP_SECRET) && !ours.contains("ticket="));
    assert!(!ours.contains("access_key"));
}
