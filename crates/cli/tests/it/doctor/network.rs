//! Faults between this machine and the platform: name, route, certificate, silence.

use larkline_sim::SimOptions;
use rcgen::{CertificateParams, date_time_ymd};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;

use super::{BRIEF, Diagnosis, is};
use crate::rig::{ECHO, Rig};
use crate::tls::Authority;

/// A peer that takes connections and answers each request, or none, with these bytes.
struct Peer {
    address: String,
    _tasks: JoinSet<()>,
}

impl Peer {
    async fn start(answer: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                open.spawn(async move {
                    let mut request = [0; 4096];
                    while let Ok(1..) = stream.read(&mut request).await {
                        if let Some(answer) = answer {
                            stream.write_all(answer.as_bytes()).await.ok();
                            return;
                        }
                    }
                });
            }
        });
        Self { address, _tasks: tasks }
    }
}

const DOMAIN: &str = "LARKLINE__APP__main__DOMAIN";

/// A diagnosis whose platform is at this address.
async fn at(domain: &str) -> Diagnosis {
    let rig = Rig::new(ECHO).await;
    Diagnosis::of(&rig, &[(DOMAIN, domain)]).await
}

/// The same of one that never answers.
async fn at_hole(domain: &str) -> Diagnosis {
    let rig = Rig::new(ECHO).await;
    Diagnosis::with(&rig, &[(DOMAIN, domain)], &BRIEF).await
}

#[tokio::test]
async fn a_name_without_an_address_and_a_closed_port_are_the_networks() {
    let name = at("http://no-such-host.invalid").await;
    name.expect("name", is("network", "dns", "does not resolve"));
    // Bound, so that nobody else gets the port, and not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let closed = at(&format!("http://{address}")).await;
    closed.expect("refused", is("network", "tcp", "Connection refused"));
    assert_eq!(closed.outcome("http"), "skip");
}

#[tokio::test]
async fn a_hole_that_takes_connections_and_says_nothing_is_the_networks() {
    let hole = Peer::start(None).await;
    let http = at_hole(&format!("http://{}", hole.address)).await;
    http.expect("no HTTP", is("network", "http", "no HTTP answer within 3s"));
    let tls = at_hole(&format!("https://{}", hole.address)).await;
    tls.expect("no TLS", is("network", "tls", "stuck at tls"));
}

#[tokio::test]
async fn any_http_answer_is_reachable_and_a_page_in_the_platforms_place_is_a_proxys() {
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>";
    let portal = Peer::start(Some(page)).await;
    let diagnosis = at(&format!("http://{}", portal.address)).await;
    assert_eq!(diagnosis.outcome("http"), "pass", "{:#}", diagnosis.report);
    diagnosis.expect("login page", is("proxy", "credentials", "HTTP 200"));
    let moved = "HTTP/1.1 302 Found\r\nlocation: http://login.example.com/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let portal = Peer::start(Some(moved)).await;
    let diagnosis = at(&format!("http://{}", portal.address)).await;
    assert!(diagnosis.line("http").contains("status 302"), "{:#}", diagnosis.report);
    diagnosis.expect("redirect", is("proxy", "credentials", "HTTP 302"));
    let down = "HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let gateway = Peer::start(Some(down)).await;
    let diagnosis = at(&format!("http://{}", gateway.address)).await;
    assert_eq!(diagnosis.outcome("http"), "pass");
    diagnosis.expect("503", is("platform", "credentials", "HTTP 503"));
}

#[tokio::test]
async fn a_port_without_tls_is_told_apart_from_a_bad_certificate() {
    let plain = Peer::start(Some("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let diagnosis = at(&format!("https://{}", plain.address)).await;
    diagnosis.expect("no TLS there", is("TLS", "tls", "a plain-text port may be in the way"));
}

fn leaf(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

/// A diagnosis of a platform with this certificate; its authority is trusted when told so.
async fn with_certificate(authority: &str, leaf: CertificateParams, trusted: bool) -> Diagnosis {
    let authority = Authority::of(authority, leaf);
    let rest = match trusted {
        true => {
            format!("{ECHO}\n[network]\nca_files = [\"{}\"]\n", authority.file("ca.pem").display())
        }
        false => ECHO.to_owned(),
    };
    let rig = Rig::with(SimOptions { ..authority.platform() }, &rest).await;
    Diagnosis::of(&rig, &[]).await
}

#[tokio::test]
async fn a_refused_certificate_is_named_with_issuer_reason_and_remedy() {
    let of = |name| with_certificate(name, leaf("127.0.0.1"), false);
    let office = of("Office Proxy CA").await;
    office.expect(
        "unknown authority",
        is("TLS", "tls", "issuer not trusted (issuer CN=Office Proxy CA"),
    );
    assert!(
        office.line("tls").contains("add its PEM file to network.ca_files"),
        "{:#}",
        office.report
    );
    for (issuer, name) in
        [("mitmproxy", "mitmproxy"), ("Charles Proxy CA", "Charles"), ("Clash Root", "Clash")]
    {
        let opened = of(issuer).await;
        let words = format!("{name} opens TLS on the way: export its CA as PEM");
        opened.expect(issuer, Expect::tls(&words));
    }
    let good = with_certificate("Office Proxy CA", leaf("127.0.0.1"), true).await;
    good.expect("trusted", is("healthy", "tls", "signed by CN=Office Proxy CA"));
}

/// Words that are made at run time.
struct Expect;

impl Expect {
    fn tls(words: &str) -> super::Expected {
        is("TLS", "tls", Box::leak(words.to_owned().into_boxed_str()))
    }
}

#[tokio::test]
async fn a_certificate_out_of_its_time_or_for_another_name_is_told_so() {
    let mut old = leaf("127.0.0.1");
    old.not_before = date_time_ymd(2001, 1, 1);
    old.not_after = date_time_ymd(2002, 1, 1);
    let old = with_certificate("CA", old, true).await;
    old.expect("expired", is("TLS", "tls", "check this machine's clock"));
    let mut young = leaf("127.0.0.1");
    young.not_before = date_time_ymd(2090, 1, 1);
    young.not_after = date_time_ymd(2091, 1, 1);
    let young = with_certificate("CA", young, true).await;
    young.expect("not yet valid", is("TLS", "tls", "not valid yet"));
    let other = with_certificate("CA", leaf("open.example.com"), true).await;
    other.expect("other name", is("TLS", "tls", "hostname does not match"));
}
