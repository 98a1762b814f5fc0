//! One log line per note, under a stable `event` name. Routine is quiet: a close in order is
//! DEBUG, as is the first attempt after it: the one INFO line of a routine reconnect is that it is
//! verified, with what it was and how long it took. A missed ping is WARN, each ping DEBUG. No secret and no ticket is ever a field.

use std::time::Duration;

use larkline_proto::link::{Fault, Note};

use super::status::{LinkStatus, millis};

/// Writes the line of a note; `status` is the link's as of the note.
pub(super) fn note(note: &Note, status: &LinkStatus) {
    match note {
        Note::EndpointObtained { host, conn_id, service_id, elapsed } => tracing::debug!(
            event = "endpoint_obtained",
            host,
            conn_id,
            service_id,
            elapsed_ms = millis(*elapsed),
            "endpoint obtained"
        ),
        Note::Connecting => {
            tracing::debug!(
                event = "connecting",
                host = status.host,
                route = status.route,
                "connecting"
            );
        }
        Note::Upgraded { elapsed } => {
            tracing::debug!(
                event = "upgraded",
                elapsed_ms = millis(*elapsed),
                "upgraded, not yet verified"
            );
        }
        Note::Verified { elapsed } => verified(*elapsed, status),
        Note::Ping => tracing::debug!(event = "ping", "ping"),
        Note::Pong { rtt } => {
            tracing::debug!(event = "pong", rtt_ms = rtt.map(millis), "pong");
        }
        Note::Missed { misses, silent, deadline } => missed(*misses, *silent, *deadline, status),
        Note::Recovered => tracing::info!(event = "recovered", "the link is heard again"),
        Note::ClockJumped { by } => tracing::info!(
            event = "clock_jumped",
            by_ms = millis(*by),
            "the machine or the process slept; checking the link"
        ),
        Note::SettingsChanged { ping_interval, clamped } => {
            settings_changed(*ping_interval, clamped);
        }
        Note::SettingsIgnored { fields } => settings_ignored(fields),
        Note::OldCard => tracing::warn!(
            event = "old_card",
            code = "old_card_callback",
            "an old-style card callback came in: choose the new callback in the console and publish the app"
        ),
        Note::Malformed { code, detail } => malformed(code, detail, status.counters.malformed),
        Note::Closed { fault, lifetime } => closed(fault, *lifetime, &status.conn_id),
        Note::Reconnecting { cause, wait, attempt, lifetime } => {
            let was_routine = status.last_fault.as_ref().is_some_and(Fault::is_routine);
            let (wait_ms, lifetime_ms) = (millis(*wait), lifetime.map(millis));
            let cause = cause.code();
            let event = "reconnecting";
            if was_routine && *attempt <= 1 {
                tracing::debug!(event, cause, wait_ms, attempt, lifetime_ms, "reconnecting");
            } else {
                tracing::info!(event, cause, wait_ms, attempt, lifetime_ms, "reconnecting");
            }
        }
        Note::Closing { unacked } => {
            tracing::info!(event = "closing", unacked, "closing the link");
        }
    }
}

/// The link hears; after a loss with what that was, and how long it lasted.
fn verified(elapsed: Duration, status: &LinkStatus) {
    let again = status.last_fault.as_ref().filter(|_| status.recoveries > 0);
    tracing::info!(
        event = "verified",
        host = status.host,
        conn_id = status.conn_id,
        service_id = status.service_id,
        elapsed_ms = millis(elapsed),
        after = again.map(|fault| fault.cause.code()),
        recovery_ms = again.and(status.recovery_ms),
        "connected and verified"
    );
}

/// A delivery found no room.
pub(super) fn shed(message_id: &str, shed: u64) {
    if shed.is_power_of_two() {
        tracing::warn!(
            event = "shed",
            code = "deliveries_full",
            frame_message_id = message_id,
            shed,
            "a message found no room and is not acknowledged; the platform sends it again"
        );
    }
}

fn settings_changed(ping_interval: Duration, clamped: &[&str]) {
    tracing::debug!(
        event = "settings_changed",
        ping_interval_ms = millis(ping_interval),
        ?clamped,
        "new settings from the platform"
    );
}

fn settings_ignored(fields: &[&str]) {
    tracing::warn!(
        event = "settings_ignored",
        ?fields,
        "settings from the platform make no sense; the current ones stay in force"
    );
}

fn missed(misses: u32, silent: Duration, deadline: Duration, status: &LinkStatus) {
    tracing::warn!(
        event = "ping_timeout",
        code = "silent",
        misses,
        silent_ms = millis(silent),
        deadline_ms = millis(deadline),
        last_pong_at_ms = status.last_pong_at_ms,
        "the platform did not answer in time"
    );
}

/// Warns at 1, 2, 4, 8 …: a flood of bad frames must not become a flood of lines.
fn malformed(code: &str, detail: &str, count: u64) {
    if count.saturating_add(1).is_power_of_two() {
        tracing::warn!(
            event = "malformed",
            code,
            detail,
            count,
            "a message could not be used and is not acknowledged"
        );
    } else {
        tracing::debug!(event = "malformed", code, detail, count, "a message could not be used");
    }
}

fn closed(fault: &Fault, lifetime: Option<Duration>, conn_id: &str) {
    let (stage, code, platform_code) =
        (fault.stage.as_str(), fault.cause.code(), fault.platform_code);
    let lifetime_ms = lifetime.map(millis);
    if fault.is_routine() {
        tracing::debug!(
            event = "closed",
            conn_id,
            stage,
            code,
            platform_code,
            lifetime_ms,
            "{fault}"
        );
    } else {
        tracing::warn!(
            event = "closed",
            conn_id,
            stage,
            code,
            platform_code,
            lifetime_ms,
            "{fault}"
        );
    }
}
