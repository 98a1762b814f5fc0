//! One way to serve HTTP, for all three listeners: what a client may hold, and for how long.
//!
//! Whoever reaches a listener can open connections before any token is asked for. Descriptors are
//! those of the links and the store too, so a listener holds a few of them, each for a bounded time. A
//! feed, or a question of a task that waits for a person, goes on: it has been asked for in time.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use futures_util::{StreamExt, stream};
use http::{Method, StatusCode};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::admin::Refusal;
use crate::both::Both;

/// What the clients of one listener may hold.
#[derive(Clone, Copy)]
struct Bounds {
    /// Connections at once; the next waits in the kernel's queue until one ends.
    connections: usize,
    /// From the start of a connection, or the answer before, to the end of a request's head.
    head: Duration,
    /// From there to the end of its body.
    body: Duration,
    /// From there to the head of an answer that is only read.
    answer: Duration,
}

const BOUNDS: Bounds = Bounds {
    // All three listeners together leave most of the usual 1024 descriptors to everything else; 16
    // feeds, a few scrapers and the questions of some agents need far less.
    connections: 128,
    // A head is one packet. So long a connection stays open for another request, too; whoever asks
    // once a minute connects anew.
    head: Duration::from_secs(15),
    // A megabyte over a bad line; larger files come by a socket of this machine.
    body: Duration::from_secs(30),
    // More than the longest look at a probe (10 s), less than the command line waits (15 s).
    answer: Duration::from_secs(12),
};

/// Serves until cancelled; then those who wait for an answer get it.
pub(crate) async fn serve<L: Listener>(listener: L, routes: Router, cancel: CancellationToken) {
    within(BOUNDS, listener, routes, cancel).await;
}

async fn within<L: Listener>(
    bounds: Bounds,
    mut listener: L,
    routes: Router,
    cancel: CancellationToken,
) {
    let routes = routes.layer(middleware::from_fn_with_state(bounds, in_time));
    let mut open = JoinSet::new();
    while let Some(io) =
        cancel.run_until_cancelled(next(bounds.connections, &mut listener, &mut open)).await
    {
        open.spawn(connection(io, bounds.head, routes.clone(), cancel.clone()));
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

/// The next connection, when there is room for it.
async fn next<L: Listener>(max: usize, listener: &mut L, open: &mut JoinSet<()>) -> L::Io {
    while open.try_join_next().is_some() {}
    if open.len() >= max {
        open.join_next().await;
    }
    listener.accept().await.0
}

async fn connection<Io>(io: Io, head: Duration, routes: Router, cancel: CancellationToken)
where
    Io: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let service = TowerToHyperService::new(routes);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .serve_connection(TokioIo::new(io), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // Its client hung up, was too slow, or spoke no HTTP.
        tracing::debug!("a connection of an HTTP listener ended: {error}");
    }
}

/// Bounds the body, and the wait for an answer that is only read. What changes something is waited
/// for: nobody could say whether it was done.
async fn in_time(State(bounds): State<Bounds>, request: Request, next: Next) -> Response {
    let by = Instant::now() + bounds.body;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let answer = next.run(request.map(|body| whole_by(by, body)));
    if !reads {
        return answer.await;
    }
    timeout(bounds.answer, answer).await.unwrap_or_else(|_| {
        let text = Both::of(
            "网关一时无法回答，多半是存储没有应答；请运行 `larkline doctor`，稍后再试",
            "there is no answer in time, most likely because the store does not answer; run `larkline doctor`, try again later",
        );
        Refusal(StatusCode::SERVICE_UNAVAILABLE, text).into_response()
    })
}

/// A body that ends in an error when it is not whole by then.
fn whole_by(by: Instant, body: Body) -> Body {
    Body::from_stream(stream::unfold(body.into_data_stream(), move |mut chunks| async move {
        let chunk = timeout_at(by, chunks.next()).await.unwrap_or_else(|_| {
            let late = "the body came too slowly; send it in one go";
            Some(Err(axum::Error::new(std::io::Error::new(std::io::ErrorKind::TimedOut, late))))
        });
        Some((chunk?, chunks))
    }))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    const LONG: Bounds =
        Bounds { connections: 8, head: PATIENCE, body: PATIENCE, answer: PATIENCE };
    const SHORT: Duration = Duration::from_millis(50);

    /// A server until the guard is dropped.
    async fn served(bounds: Bounds) -> (SocketAddr, JoinSet<()>) {
        let hang = || async { std::future::pending::<()>().await };
        let routes = Router::new()
            .route("/", get(|| async { "here" }).post(|body: String| async { body }))
            .route("/hang", get(hang).post(hang))
            .route("/later", post(|| async { tokio::time::sleep(10 * SHORT).await }));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut set = JoinSet::new();
        set.spawn(within(bounds, listener, routes, CancellationToken::new()));
        (address, set)
    }

    async fn sent(address: SocketAddr, words: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(words.as_bytes()).await.unwrap();
        stream
    }

    /// What comes until the other side ends.
    async fn heard(stream: &mut TcpStream) -> String {
        let mut bytes = Vec::new();
        // One that still had something of ours to read ends by a reset.
        drop(timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it never ended"));
        String::from_utf8(bytes).unwrap()
    }

    #[tokio::test]
    async fn who_asks_nothing_in_time_is_hung_up_on() {
        let (address, _server) = served(Bounds { head: SHORT, ..LONG }).await;
        let asked = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        for words in ["", "GET / HTTP/1.1\r\nHost", asked] {
            let answer = heard(&mut sent(address, words).await).await;
            assert_eq!(answer.ends_with("here"), words == asked, "{words:?}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_is_not_waited_for() {
        let (address, _server) = served(Bounds { body: SHORT, ..LONG }).await;
        let half = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf";
        let answer = heard(&mut sent(address, half).await).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }

    #[tokio::test]
    async fn an_answer_that_is_only_read_is_given_up_and_a_change_is_waited_for() {
        let (address, _server) = served(Bounds { answer: SHORT, ..LONG }).await;
        let ask = |what: &str| format!("{what} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = heard(&mut sent(address, &ask("GET /hang")).await).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("larkline doctor"));
        let answer = heard(&mut sent(address, &ask("POST /later")).await).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    #[tokio::test]
    async fn one_more_connection_than_may_be_waits_for_an_end() {
        let (address, _server) = served(Bounds { connections: 2, ..LONG }).await;
        let hangs = "POST /hang HTTP/1.1\r\nHost: x\r\n\r\n";
        let (first, _second) = (sent(address, hangs).await, sent(address, hangs).await);
        let asks = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let mut third = sent(address, asks).await;
        let mut byte = [0; 1];
        assert!(timeout(4 * SHORT, third.peek(&mut byte)).await.is_err(), "it was let in");
        drop(first);
        assert!(heard(&mut third).await.ends_with("here"));
    }
}
