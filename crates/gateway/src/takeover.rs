//! `--takeover`: the running instance drains and leaves, then this one starts.

use std::time::Duration;

use http::Method;
use larkline_failpoint::failpoint;
use serde_json::json;
use tokio::time::Instant;

use crate::admin::{StopAnswer, client};
use crate::instance::{Claims, Holder, InstanceLock, LockError};

/// How often the lock is tried while the other instance drains.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// What the other instance may need beyond the longest stop in order: to be asked, and to be gone.
const MARGIN: Duration = Duration::from_secs(2);

/// Asks whoever holds a lock of ours to stop, and waits for the locks as long as the stop of each may
/// take: by its own limits, where it tells them, else by `longest`.
///
/// # Errors
/// [`LockError::Stays`] when one is still held after that.
pub async fn take_over(
    claims: Claims<'_>,
    me: &Holder,
    longest: Duration,
) -> Result<InstanceLock, LockError> {
    let began = Instant::now();
    let mut deadline = began + MARGIN;
    let mut asked: Vec<u32> = Vec::new();
    loop {
        match InstanceLock::acquire(claims, me) {
            Err(LockError::Held { holder, .. }) if !asked.contains(&holder.pid) => {
                // The state directory and each app may have holders of their own.
                asked.push(holder.pid);
                let longest = ask(&holder, me).await.unwrap_or(longest);
                deadline = deadline.max(Instant::now() + longest + MARGIN);
                failpoint!("takeover_asked");
            }
            Err(LockError::Held { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(TRY_EVERY).await;
            }
            Err(LockError::Held { what, holder }) => {
                return Err(LockError::Stays { what, holder, waited: began.elapsed() });
            }
            result => return result,
        }
    }
}

/// Asks one to stop; answers how long that takes at most.
async fn ask(holder: &Holder, me: &Holder) -> Option<Duration> {
    tracing::info!(pid = holder.pid, "asking the running instance to drain and leave");
    let reason = json!({ "reason": format!("takeover by process {}", me.pid) });
    // An older version answers nothing, and a socket that nobody serves is no obstacle: the lock
    // itself tells when the instance has gone.
    match client::call(&holder.socket, Method::POST, "/v1/stop", Some(&reason)).await {
        Ok(StopAnswer { longest_ms }) => {
            Some(Duration::from_millis(u64::try_from(longest_ms).unwrap_or(0)))
        }
        Err(error) => {
            tracing::debug!("{error}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixListener;

    use super::*;

    /// Answers one order to stop so.
    async fn answers(listener: UnixListener, body: &'static str) {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut order = Vec::new();
        while !order.ends_with(b"}") {
            socket.read_buf(&mut order).await.unwrap();
        }
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 202 Accepted\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        socket.write_all(answer.as_bytes()).await.unwrap();
    }

    /// A holder whose stop takes so long by its own word, and what comes of a takeover.
    async fn taken_over(says: &'static str, holds: Duration) -> Result<InstanceLock, LockError> {
        let dir = tempfile::tempdir().unwrap();
        let (state, socket) = (dir.path().join("state"), dir.path().join("socket"));
        let claims = Claims { state: &state, locks: dir.path(), apps: &[] };
        let holder = Holder { pid: 7, socket: socket.clone(), ..Holder::default() };
        let held = InstanceLock::acquire(claims, &holder).unwrap();
        let listener = UnixListener::bind(&socket).unwrap();
        let leaves = async {
            answers(listener, says).await;
            tokio::time::sleep(holds).await;
            drop(held);
        };
        let me = Holder { pid: 8, ..Holder::default() };
        tokio::join!(take_over(claims, &me, Duration::ZERO), leaves).0
    }

    #[tokio::test]
    async fn a_holder_is_waited_for_by_its_own_limits() {
        let longer = MARGIN + MARGIN / 4;
        taken_over("{\"longest_ms\": 600000}", longer).await.unwrap();
    }

    #[tokio::test]
    async fn one_that_stays_is_named_and_not_asked_for_another_takeover() {
        let error = taken_over("{\"longest_ms\": 0}", MARGIN * 2).await.unwrap_err();
        assert!(matches!(&error, LockError::Stays { holder, .. } if holder.pid == 7), "{error}");
        assert!(!error.to_string().contains("--takeover"), "{error}");
    }
}
