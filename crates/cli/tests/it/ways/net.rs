//! A network that misbehaves: a relay that may swallow, a hole, name servers that do not answer.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::rig::not_run;

/// What a captive portal says to everybody.
pub(crate) const PORTAL: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>";

/// What happens to a connection on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// It is passed on.
    Fair,
    /// It is taken, and nothing comes of it.
    Hole,
    /// It is reset as soon as something is asked.
    Reset,
    /// A page asks for a login.
    Portal,
}

/// Stands in front of a server, and can be told how it is.
pub(crate) struct Relay {
    /// Host and port.
    pub(crate) address: String,
    weather: watch::Sender<Weather>,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub(crate) async fn start(target: SocketAddr, weather: Weather) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (weather, told) = watch::channel(weather);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let weather = *told.borrow();
                open.spawn(async move { drop(pass(stream, target, weather).await) });
            }
        });
        Self { address, weather, _tasks: tasks }
    }

    pub(crate) fn becomes(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

async fn pass(mut stream: TcpStream, target: SocketAddr, weather: Weather) -> std::io::Result<()> {
    match weather {
        Weather::Fair => {
            let mut there = TcpStream::connect(target).await?;
            copy_bidirectional(&mut stream, &mut there).await.map(drop)
        }
        Weather::Hole => std::future::pending().await,
        // What was sent and not read makes a reset of the end.
        Weather::Reset => stream.readable().await,
        Weather::Portal => {
            let mut request = [0; 4096];
            while stream.read(&mut request).await? > 0 {
                stream.write_all(PORTAL.as_bytes()).await?;
            }
            Ok(())
        }
    }
}

/// A port whose queue is full: what knocks gets no answer at all, as behind a firewall that drops.
pub(crate) struct Hole {
    /// Host and port.
    pub(crate) address: String,
    _held: (TcpListener, Vec<TcpStream>),
}

impl Hole {
    /// How long a knock that is answered may take on loopback.
    const KNOCK: Duration = Duration::from_millis(500);

    pub(crate) async fn dig() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let address = listener.local_addr().unwrap();
        let mut held = Vec::new();
        while let Ok(stream) = tokio::time::timeout(Self::KNOCK, TcpStream::connect(address)).await
        {
            held.push(stream.unwrap());
        }
        Self { address: address.to_string(), _held: (listener, held) }
    }
}

/// A name server of one address, for a process whose `/etc/resolv.conf` names it.
pub(crate) struct NameServer {
    /// The file that stands in the place of `/etc/resolv.conf`.
    pub(crate) resolv: PathBuf,
    answers: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

impl NameServer {
    /// `None` where ports below 1024 or mounts are not allowed: then there is nothing to test with.
    pub(crate) async fn start(dir: &Path) -> Option<Self> {
        if !std::process::Command::new("unshare").args(["-m", "true"]).status().ok()?.success() {
            not_run("a mount namespace is not allowed here");
            return None;
        }
        // An address of its own, so that tests beside this one have theirs.
        let [.., high, low] = std::process::id().to_be_bytes();
        let at = Ipv4Addr::new(127, 53, high, low.clamp(1, 254));
        let socket = match UdpSocket::bind((at, 53)).await {
            Ok(socket) => Arc::new(socket),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                not_run("port 53 is not allowed here");
                return None;
            }
            Err(error) => panic!("{at}: {error}"),
        };
        let resolv = dir.join("resolv.conf");
        std::fs::write(&resolv, format!("nameserver {at}\noptions timeout:1 attempts:1\n"))
            .unwrap();
        let (answers, told) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question).await {
                if *told.borrow() {
                    socket.send_to(&loopback(&question[..length]), from).await.unwrap();
                }
            }
        });
        Some(Self { resolv, answers, _tasks: tasks })
    }

    /// From now on every name is this machine.
    pub(crate) fn answers(&self) {
        self.answers.send_replace(true);
    }
}

/// The answer to a question of one name: 127.0.0.1 for an A, nothing for others.
fn loopback(question: &[u8]) -> Vec<u8> {
    const HEADER: usize = 12;
    let name = question[HEADER..].iter().position(|byte| *byte == 0).unwrap();
    let end = HEADER + name + 5;
    let is_a = question[HEADER + name + 1..end] == [0, 1, 0, 1];
    let mut answer = question[..2].to_vec();
    // A response, recursion desired and available; one question, an answer or none.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(is_a), 0, 0, 0, 0]);
    answer.extend(&question[HEADER..end]);
    if is_a {
        // The name of the question, A, IN, 60 s, 4 bytes.
        answer.extend([0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    answer
}
