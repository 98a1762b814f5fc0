//! What the chat page may ask of the demo's gateway: its admin socket, in the page's words.
//!
//! The socket answers with everything; here it becomes what a page shows, so that a report
//! that says nothing new is equal to the one before.

use std::path::PathBuf;

use http::Method;
use larkline_gateway::admin::client;
use larkline_gateway::status::Status;
use larkline_sim::{Gateway, Told};
use larkline_store::record::Record;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Verdicts told to a page: as many messages as it shows when it opens.
const RECORDS_MAX: usize = 400;

/// The gateway behind the demo's bot.
#[derive(Debug)]
pub(super) struct Behind {
    socket: PathBuf,
    dashboard: String,
    kills: mpsc::Sender<()>,
}

impl Behind {
    /// The gateway on this socket, with its dashboard; whoever holds the other end of `kills` can end its process.
    pub(super) fn new(socket: PathBuf, dashboard: String, kills: mpsc::Sender<()>) -> Self {
        Self { socket, dashboard, kills }
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let called = client::call(&self.socket, Method::GET, path, None::<&()>).await;
        called.map_err(|error| error.to_string())
    }
}

impl Gateway for Behind {
    fn status(&self) -> Told<'_> {
        Box::pin(async {
            let mut shown = shown(&self.get("/v1/status").await?);
            shown["dashboard"] = self.dashboard.clone().into();
            Ok(shown)
        })
    }

    fn verdicts(&self) -> Told<'_> {
        Box::pin(async {
            let path = format!("/v1/messages?limit={RECORDS_MAX}");
            let records: Vec<Record> = self.get(&path).await?;
            Ok(records.iter().filter(|r| r.direction == "in").map(verdict).collect())
        })
    }

    fn story<'a>(&'a self, message_id: &'a str) -> Told<'a> {
        Box::pin(async move {
            let key: String = url::form_urlencoded::byte_serialize(message_id.as_bytes()).collect();
            self.get(&format!("/v1/story?key={key}")).await
        })
    }

    fn kill(&self) -> Told<'_> {
        Box::pin(async {
            let asked = self.kills.try_send(());
            asked.map_err(|_| "the gateway is being killed already; wait for it".to_owned())?;
            Ok(json!({}))
        })
    }
}

/// Without the moment of the report, and without ages that change all the time.
fn shown(status: &Status) -> Value {
    let link = status.apps.first().map(|app| {
        let link = &app.link;
        json!({
            "state": link.state,
            "since_ms": link.since_ms,
            "attempt": link.attempt,
            "fault": link.fault,
            "next_retry_ms": link.next_retry_ms,
            "connects": link.connects,
        })
    });
    json!({
        "pid": status.pid,
        "boot_id": status.boot_id,
        "ready": status.ready,
        "link": link,
        "tally": status.tally,
        "depths": status.depths,
    })
}

fn verdict(record: &Record) -> Value {
    json!({
        "message_id": record.message_id,
        "event_id": record.event_id,
        "verdict": record.outcome,
        "why": record.why,
    })
}
