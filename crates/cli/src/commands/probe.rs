//! `larkline probe`: does what goes out come back? One nonce, one round trip, or the stage that
//! failed.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use larkline_gateway::admin::{ProbeRequest, ProbeStarted, ProbeState};
use larkline_gateway::probe::Returned;
use serde_json::json;
use tokio::time::Instant;

use super::ask::{self, Gateway};
use crate::args::{Format, ProbeArgs};
use crate::exit::{ExitStatus, Yours};
use crate::output;

/// How long the reaction's own event may take before a person is asked, and how often it is
/// looked for.
const LOOK: Duration = Duration::from_secs(3);

/// Posts the nonce and waits for an event about it.
///
/// # Errors
/// The stage that failed: the link, the post, or the return.
pub(crate) async fn run(
    file: Option<PathBuf>,
    format: Format,
    args: ProbeArgs,
) -> Result<ExitStatus> {
    let gateway = Gateway::of(&ask::load(file)?);
    let request = ProbeRequest { app: args.app.clone(), chat: args.chat };
    let probe: ProbeStarted = gateway.post("/v1/probe", &request).await?;
    let begun = Instant::now();
    let path = format!("/v1/probe/{}/{}", args.app.as_deref().unwrap_or("-"), probe.nonce);
    let mut asked = false;
    let returned = loop {
        let left = args.timeout.saturating_sub(begun.elapsed());
        let wait = json!({"wait_ms": u64::try_from((left / 2).min(LOOK).as_millis().max(20))?});
        let state: ProbeState = gateway.get(&path, &wait).await?;
        if let Some(returned) = state.returned {
            break returned;
        }
        if begun.elapsed() >= args.timeout {
            return Err(Yours(lost(&probe, &state, args.timeout)).into());
        }
        if !std::mem::replace(&mut asked, true) {
            output::note(&request_of(&probe));
        }
    };
    let report = json!({"probe": probe, "returned": returned, "round_trip_ms": round_trip(&probe, &returned)});
    output::show(format, &report, |_| told(&probe, &returned))?;
    Ok(ExitStatus::Ok)
}

/// From asking for the reaction to its event; nothing where a person was in between.
fn round_trip(probe: &ProbeStarted, returned: &Returned) -> Option<i64> {
    let own = probe.reaction_error.is_none() && returned.kind.contains("reaction");
    own.then(|| (returned.received_ms - probe.reacted_at_ms).max(0))
}

fn told(probe: &ProbeStarted, returned: &Returned) -> String {
    let Returned { kind, event_id, .. } = returned;
    let posted = format!("posted in {} ms", probe.posted_ms);
    match round_trip(probe, returned) {
        Some(ms) => format!("round trip {ms} ms: {posted}, then {kind} came back ({event_id})"),
        None => format!("it hears: {posted}, and {kind} came back ({event_id})"),
    }
}

fn request_of(probe: &ProbeStarted) -> String {
    let why = match &probe.reaction_error {
        Some(error) => format!("the bot cannot react to its own message ({error})"),
        None => "the bot's own reaction did not come back (not subscribed, or not sent)".to_owned(),
    };
    format!(
        "posted {} and waiting: {why}. Please react to it, or write {} into that chat (in a group, mention the bot)",
        probe.message_id, probe.nonce
    )
}

fn lost(probe: &ProbeStarted, state: &ProbeState, within: Duration) -> String {
    format!(
        "return: {} was posted, and no event about it came within {within:?}; the link is {}; run `larkline doctor`",
        probe.message_id, state.link
    )
}
