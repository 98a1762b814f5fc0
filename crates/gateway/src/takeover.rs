//! `--takeover`: the running instance drains and leaves, then this one starts.

use std::time::Duration;

use http::Method;
use larkline_failpoint::failpoint;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::admin::client;
use crate::instance::{Claims, Holder, InstanceLock, LockError};

/// How often the lock is tried while the other instance drains.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// What the other instance may need beyond its drain deadline: closing sockets and files.
const MARGIN: Duration = Duration::from_secs(15);

/// Asks whoever holds a lock of ours to stop, and waits for the locks.
///
/// # Errors
/// [`LockError::Held`] when one is still held after a drain deadline.
pub async fn take_over(
    claims: Claims<'_>,
    me: &Holder,
    drain: Duration,
) -> Result<InstanceLock, LockError> {
    let deadline = Instant::now() + drain + MARGIN;
    let mut asked: Vec<u32> = Vec::new();
    loop {
        match InstanceLock::acquire(claims, me) {
            Err(LockError::Held { holder, .. }) if Instant::now() < deadline => {
                // The state directory and each app may have holders of their own.
                if !asked.contains(&holder.pid) {
                    asked.push(holder.pid);
                    ask(&holder, me).await;
                    failpoint!("takeover_asked");
                }
                tokio::time::sleep(TRY_EVERY).await;
            }
            result => return result,
        }
    }
}

async fn ask(holder: &Holder, me: &Holder) {
    tracing::info!(pid = holder.pid, "asking the running instance to drain and leave");
    let reason = json!({ "reason": format!("takeover by process {}", me.pid) });
    // Its answer is empty, which is no JSON, and a socket that nobody serves is no obstacle:
    // the lock itself tells when the instance has gone.
    if let Err(error) =
        client::call::<Value>(&holder.socket, Method::POST, "/v1/stop", Some(&reason)).await
    {
        tracing::debug!("{error}");
    }
}
