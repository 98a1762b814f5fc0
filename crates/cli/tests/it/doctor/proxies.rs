//! Proxies: each one's own answer, and the real names of the platform through one that helps.

use std::collections::BTreeMap;
use std::sync::Arc;

use larkline_sim::{AppSpec, Sim, SimOptions};
use rcgen::CertificateParams;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{BRIEF, Diagnosis, PATIENT, is};
use crate::rig::{ECHO, Rig};
use crate::tls::Authority;

/// An HTTP proxy.
pub(crate) struct Proxy {
    pub(crate) url: String,
    _tasks: JoinSet<()>,
}

/// What it does with a CONNECT.
#[derive(Clone)]
pub(crate) enum Manner {
    /// Says this.
    Says(&'static str),
    /// Never answers.
    Silent,
    /// Connects these names, and no others, to these addresses.
    Connects(Arc<BTreeMap<String, String>>),
}

impl Proxy {
    pub(crate) async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let manner = manner.clone();
                open.spawn(async move { serve(stream, manner).await });
            }
        });
        Self { url, _tasks: tasks }
    }
}

async fn serve(mut stream: TcpStream, manner: Manner) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = crate::rig::text(&head);
    let target = head.split_whitespace().nth(1).unwrap_or_default().to_owned();
    match manner {
        Manner::Silent => std::future::pending().await,
        Manner::Says(answer) => drop(stream.write_all(answer.as_bytes()).await),
        Manner::Connects(names) => match names.get(&target) {
            Some(address) => {
                let mut there = TcpStream::connect(address).await.unwrap();
                stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
                copy_bidirectional(&mut stream, &mut there).await.ok();
            }
            None => drop(stream.write_all(b"HTTP/1.1 403 Not on the list\r\n\r\n").await),
        },
    }
}

async fn through(proxy: &str, limit: [&str; 2]) -> Diagnosis {
    let rig = Rig::new(ECHO).await;
    let env = [("LARKLINE__NETWORK__PROXY", proxy), ("LARKLINE__APP__main__DOMAIN", "feishu")];
    Diagnosis::with(&rig, &env, &limit).await
}

#[tokio::test]
async fn a_proxys_own_refusal_is_told_in_its_words() {
    let says = [
        ("407", "HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: NTLM\r\n\r\n", "it offers NTLM"),
        ("403", "HTTP/1.1 403 Blocked by policy\r\n\r\n", "403 Blocked by policy"),
        ("502", "HTTP/1.1 502 No route\r\n\r\n", "502 No route"),
        ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", "does not answer in HTTP"),
    ];
    for (what, answer, words) in says {
        let proxy = Proxy::start(Manner::Says(answer)).await;
        let diagnosis = through(&proxy.url, PATIENT).await;
        diagnosis.expect(what, is("proxy", "tunnel", words));
        assert_eq!(diagnosis.outcome("proxy"), "pass", "it is there: {:#}", diagnosis.report);
        assert_eq!(diagnosis.outcome("dns"), "skip", "the proxy resolves");
    }
}

#[tokio::test]
async fn a_proxy_that_is_down_or_silent_is_the_proxys() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let down = through(&format!("http://{}", socket.local_addr().unwrap()), PATIENT).await;
    down.expect("down", is("proxy", "proxy", "cannot be reached"));
    let silent = Proxy::start(Manner::Silent).await;
    through(&silent.url, BRIEF).await.expect("silent", is("proxy", "tunnel", "stuck at proxy"));
}

#[tokio::test]
async fn an_app_of_the_other_brand_is_asked_for_there_and_named() {
    let hosts = ["open.feishu.cn", "open.larksuite.com"];
    let names = hosts.iter().map(|h| (*h).to_owned()).collect::<Vec<_>>();
    let authority = Authority::of("Test CA", CertificateParams::new(names).unwrap());
    let stranger = AppSpec { app_id: "cli_0000000000000000".into(), ..AppSpec::default() };
    let feishu =
        Sim::start(SimOptions { apps: vec![stranger], ..authority.platform() }).await.unwrap();
    let rest =
        format!("{ECHO}\n[network]\nca_files = [\"{}\"]\n", authority.file("ca.pem").display());
    let rig = Rig::with(authority.platform(), &rest).await;
    let address = |sim: &Sim| sim.url().replace("https://", "");
    let map = BTreeMap::from([
        ("open.feishu.cn:443".to_owned(), address(&feishu)),
        ("open.larksuite.com:443".to_owned(), address(&rig.sim)),
    ]);
    let proxy = Proxy::start(Manner::Connects(Arc::new(map))).await;
    let ask = async |domain| {
        let env = [
            ("LARKLINE__NETWORK__PROXY", proxy.url.as_str()),
            ("LARKLINE__APP__main__DOMAIN", domain),
        ];
        Diagnosis::of(&rig, &env).await
    };
    let wrong = ask("feishu").await;
    wrong.expect("wrong domain", is("credentials", "credentials", "domain = \\\"lark\\\""));
    let right = ask("lark").await;
    right.expect("right domain", is("healthy", "tunnel", "connects to open.larksuite.com"));
    assert_eq!(right.outcome("pong"), "pass", "the socket takes the same way: {:#}", right.report);
}
