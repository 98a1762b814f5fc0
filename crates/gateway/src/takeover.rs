//! `--takeover`: the running instance drains and leaves, then this one starts.

use std::path::Path;
use std::time::Duration;

use http::Method;
use larkline_proto::id::AppId;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::admin::client;
use crate::instance::{Holder, InstanceLock, LockError};

/// How often the lock is tried while the other instance drains.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// What the other instance may need beyond its drain deadline: closing sockets and files.
const MARGIN: Duration = Duration::from_secs(15);

/// Asks `holder` to stop and waits for its locks.
///
/// # Errors
/// [`LockError::Held`] when it is still there after its drain deadline.
pub async fn take_over(
    dir: &Path,
    apps: &[AppId],
    me: &Holder,
    holder: &Holder,
    drain: Duration,
) -> Result<InstanceLock, LockError> {
    tracing::info!(pid = holder.pid, "asking the running instance to drain and leave");
    let reason = json!({ "reason": format!("takeover by process {}", me.pid) });
    // Its answer is empty, which is no JSON: only a socket that nobody serves matters, and the
    // lock itself tells when the instance has gone.
    if let Err(error) =
        client::call::<Value>(&holder.socket, Method::POST, "/v1/stop", Some(&reason)).await
    {
        tracing::debug!("{error}");
    }
    let deadline = Instant::now() + drain + MARGIN;
    loop {
        match InstanceLock::acquire(dir, apps, me) {
            Err(LockError::Held { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(TRY_EVERY).await
            }
            result => return result,
        }
    }
}
