//! Proxies: HTTP and SOCKS5, with a password or without, helpful or not, one that opens TLS.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::intercept::Interceptor;

/// Account of those that want one, and the same as HTTP writes it.
pub(crate) const ACCOUNT: &str = "ada:p4ssw0rd";
const BASIC: &str = "basic YWRhOnA0c3N3MHJk";
const WELCOME: &[u8] = b"HTTP/1.1 200 Connected\r\n\r\n";

/// Listens until it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    address: SocketAddr,
    manner: Manner,
    heard: Arc<Mutex<Vec<String>>>,
    tasks: JoinSet<()>,
}

/// What it does with whom it is asked for.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Says this.
    Says(&'static str),
    /// Never answers.
    Silent,
    /// Agrees, and hangs up.
    HangsUp,
    /// Connects these names, and no others, to these addresses.
    Connects(Arc<BTreeMap<String, String>>),
    /// Connects everybody who has the password.
    Guarded,
    /// Connects everybody, and ends what asks for a WebSocket.
    NoWebSocket,
    /// Opens TLS with certificates of its own.
    Opens(Arc<Interceptor>),
    /// SOCKS5 for who has the password; answers with this code and connects when it is 0.
    Socks(u8),
}

impl Proxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let heard = Arc::default();
        let (address, tasks) = listen("127.0.0.1:0".parse().unwrap(), &manner, &heard).await;
        let url = match manner {
            Manner::Guarded => format!("http://{ACCOUNT}@{address}"),
            Manner::Socks(_) => format!("socks5h://{ACCOUNT}@{address}"),
            Manner::Says(_)
            | Manner::Silent
            | Manner::HangsUp
            | Manner::Connects(_)
            | Manner::NoWebSocket
            | Manner::Opens(_) => format!("http://{address}"),
        };
        Self { url, address, manner, heard, tasks }
    }

    /// Whom it was asked for, host and port.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// Ends every connection, and listens no more.
    pub(crate) async fn die(&mut self) {
        self.tasks.shutdown().await;
    }

    /// Is there again, at its old address.
    pub(crate) async fn come_back(&mut self) {
        (_, self.tasks) = listen(self.address, &self.manner, &self.heard).await;
    }
}

async fn listen(
    at: SocketAddr,
    manner: &Manner,
    heard: &Arc<Mutex<Vec<String>>>,
) -> (SocketAddr, JoinSet<()>) {
    let listener = TcpListener::bind(at).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (manner, heard) = (manner.clone(), Arc::clone(heard));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let (manner, heard) = (manner.clone(), Arc::clone(&heard));
            open.spawn(async move { drop(serve(stream, manner, &heard).await) });
        }
    });
    (address, tasks)
}

async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    heard: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    if let Manner::Socks(answer) = manner {
        let target = socks(&mut stream, answer).await?;
        heard.lock().unwrap().push(target.clone());
        return if answer == 0 { join(stream, &target).await } else { Ok(()) };
    }
    let head = head(&mut stream).await?;
    let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    heard.lock().unwrap().push(target.clone());
    let tunnel = head.starts_with("CONNECT ");
    match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Says(answer) => stream.write_all(answer.as_bytes()).await,
        Manner::HangsUp if tunnel => stream.write_all(WELCOME).await,
        Manner::HangsUp => Ok(()),
        Manner::Connects(names) => match names.get(&target) {
            Some(address) => welcome(stream, address).await,
            None => stream.write_all(b"HTTP/1.1 403 Not on the list\r\n\r\n").await,
        },
        Manner::Guarded if !head.to_lowercase().contains(&BASIC.to_lowercase()) => {
            let refusal = b"HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Basic\r\n\r\n";
            stream.write_all(refusal).await
        }
        Manner::Guarded | Manner::NoWebSocket if !tunnel => forward(stream, &head, &target).await,
        Manner::Guarded => welcome(stream, &target).await,
        Manner::NoWebSocket => {
            stream.write_all(WELCOME).await?;
            plain(stream, &target).await
        }
        Manner::Opens(interceptor) => {
            stream.write_all(WELCOME).await?;
            interceptor.join(stream, &target).await
        }
        Manner::Socks(_) => Ok(()),
    }
}

/// The head of a request.
async fn head(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(crate::rig::text(&head))
}

async fn welcome(mut stream: TcpStream, target: &str) -> std::io::Result<()> {
    stream.write_all(WELCOME).await?;
    join(stream, target).await
}

/// A request for a server without TLS, which names it whole; one a connection.
async fn forward(mut stream: TcpStream, head: &str, url: &str) -> std::io::Result<()> {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut there = TcpStream::connect(host).await?;
    let head = head.replacen(url, &format!("/{path}"), 1);
    let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    there.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut stream, &mut there).await.map(drop)
}

async fn join(mut stream: TcpStream, target: &str) -> std::io::Result<()> {
    let mut there = TcpStream::connect(target).await?;
    copy_bidirectional(&mut stream, &mut there).await.map(drop)
}

/// Looks at the first request before it passes it on.
async fn plain(mut stream: TcpStream, target: &str) -> std::io::Result<()> {
    let head = head(&mut stream).await?;
    if head.to_lowercase().contains("upgrade: websocket") {
        return Ok(());
    }
    let mut there = TcpStream::connect(target).await?;
    there.write_all(head.as_bytes()).await?;
    copy_bidirectional(&mut stream, &mut there).await.map(drop)
}

/// The greeting of SOCKS5 with a password; whom it asks for.
async fn socks(stream: &mut TcpStream, answer: u8) -> std::io::Result<String> {
    let (_, methods) = (stream.read_u8().await?, stream.read_u8().await?);
    let mut offered = vec![0; usize::from(methods)];
    stream.read_exact(&mut offered).await?;
    if !offered.contains(&2) {
        stream.write_all(&[5, 0xff]).await?;
        return Ok(String::new());
    }
    stream.write_all(&[5, 2]).await?;
    stream.read_u8().await?;
    let (user, password) = (sized(stream).await?, sized(stream).await?);
    let known = format!("{user}:{password}") == ACCOUNT;
    stream.write_all(&[1, u8::from(!known)]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => std::net::Ipv4Addr::from(stream.read_u32().await?).to_string(),
        4 => format!("[{}]", std::net::Ipv6Addr::from(stream.read_u128().await?)),
        _ => sized(stream).await?,
    };
    let port = stream.read_u16().await?;
    stream.write_all(&[5, answer, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    Ok(format!("{host}:{port}"))
}

async fn sized(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(crate::rig::text(&bytes))
}
