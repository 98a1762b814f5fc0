//! A scripted peer on loopback: what the simulator cannot be, a server that misbehaves.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use larkline_client::{ApiClient, Dialer, NetOptions, ProxyChoice, Secret};
use larkline_proto::id::AppId;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use url::Url;

/// One request, as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// `POST /open-apis/… HTTP/1.1`.
    pub(crate) line: String,
    /// All header lines.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn is_token(&self) -> bool {
        self.line.contains("/tenant_access_token/internal")
    }

    pub(crate) fn has(&self, header_line: &str) -> bool {
        self.head.lines().any(|line| line.eq_ignore_ascii_case(header_line))
    }
}

/// An HTTP server that answers by a function and remembers what it was asked.
pub(crate) struct Peer {
    pub(crate) url: Url,
    requests: Arc<Mutex<Vec<Request>>>,
    _tasks: JoinSet<()>,
}

impl Peer {
    pub(crate) async fn start(answer: impl Fn(&Request) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (Arc::clone(&requests), Arc::new(answer));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                connections.spawn(async move {
                    let Some(request) = read_request(&mut stream).await else { return };
                    seen.lock().unwrap().push(request.clone());
                    let reply = answer(&request);
                    // The client may have hung up; that is its right.
                    if stream.write_all(reply.as_bytes()).await.is_ok() {
                        stream.shutdown().await.ok();
                    }
                });
            }
        });
        Self { url, requests, _tasks: tasks }
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// How many tokens were fetched.
    pub(crate) fn tokens(&self) -> usize {
        self.requests().iter().filter(|request| request.is_token()).count()
    }

    /// A client of this peer.
    pub(crate) fn client(&self) -> ApiClient {
        let app = AppId::new("cli_a1b2c3d4e5f60718");
        ApiClient::new(dialer(ProxyChoice::None), self.url.clone(), app, Secret::new("s3cret"))
    }
}

/// An address that refuses connections for as long as the socket lives: bound, so that
/// nobody else gets the port, and not listening.
pub(crate) fn closed() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

pub(crate) fn dialer(proxy: ProxyChoice) -> Dialer {
    Dialer::new(&NetOptions { proxy, ..NetOptions::default() }).unwrap()
}

/// Reads a request to the end of its body, sized or chunked.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
) -> Option<Request> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let text = String::from_utf8(bytes).unwrap();
    let (line, head) = text.split_once("\r\n").unwrap();
    let length = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(0, |(_, value)| value.trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Request { line: line.to_owned(), head: head.to_owned(), body })
}

/// An answer with these status and header lines.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}"
    )
}

/// An answer in JSON.
pub(crate) fn json(status: &str, body: &str) -> String {
    answer(status, "content-type: application/json\r\n", body)
}

/// The answer of the token endpoint.
pub(crate) fn token(token: &str) -> String {
    json(
        "200 OK",
        &format!(r#"{{"code":0,"msg":"ok","tenant_access_token":"{token}","expire":7200}}"#),
    )
}
