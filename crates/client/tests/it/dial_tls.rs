//! TLS: one trust for HTTP and WebSocket, refusals that name the issuer, no downgrade.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use larkline_client::{
    ApiClient, CertificateProblem, DialError, DialStage, Dialer, NetError, NetOptions, ProxyChoice,
    Secret,
};
use larkline_proto::id::AppId;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::peer::{read_request, token};

const PATIENCE: Duration = Duration::from_secs(10);

/// A private authority.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.distinguished_name.push(DnType::CommonName, "Corp Proxy CA");
        params.distinguished_name.push(DnType::OrganizationName, "Corp");
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn file(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        std::fs::write(&path, self.certificate.pem()).unwrap();
        path
    }

    /// A server for `name`, presenting leaf and authority as interceptors do.
    pub(crate) async fn server(
        &self,
        name: &str,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Server {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Server::start(vec![leaf.der().clone(), self.certificate.der().clone()], &key).await
    }
}

/// A TLS server that answers every request as the token endpoint does.
pub(crate) struct Server {
    pub(crate) url: Url,
    accepted: Arc<AtomicUsize>,
    served: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (accepted, served) = (Arc::default(), Arc::default());
        let (accepts, serves) = (Arc::<AtomicUsize>::clone(&accepted), Arc::clone(&served));
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                accepts.fetch_add(1, Ordering::SeqCst);
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                if read_request(&mut stream).await.is_some() {
                    AtomicUsize::fetch_add(&serves, 1, Ordering::SeqCst);
                    stream.write_all(token("t-1").as_bytes()).await.ok();
                    stream.shutdown().await.ok();
                }
            }
        });
        Self { url: Url::parse(&url).unwrap(), accepted, served, _tasks: tasks }
    }

    fn client(&self, dialer: Dialer) -> ApiClient {
        let app = AppId::new("cli_a1b2c3d4e5f60718");
        ApiClient::new(dialer, self.url.clone(), app, Secret::new("s"))
    }

    async fn refusal(&self, dialer: &Dialer) -> (CertificateProblem, String) {
        match dialer.connect(&self.url, PATIENCE).await {
            Err(DialError::Certificate(refused)) => (refused.problem, refused.issuer),
            other => panic!("no refusal but {other:?}"),
        }
    }
}

fn trusting(ca_files: Vec<PathBuf>) -> Dialer {
    let options = NetOptions { proxy: ProxyChoice::None, ca_files, ..NetOptions::default() };
    Dialer::new(&options).unwrap()
}

#[tokio::test]
async fn a_private_authority_is_refused_by_name_until_its_file_is_given() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let server = authority.server("localhost", |_| {}).await;
    let suspicious = trusting(vec![]);

    let error = suspicious.connect(&server.url, PATIENCE).await.unwrap_err();
    assert_eq!((error.stage(), error.code()), (DialStage::Tls, "tls_untrusted"));
    let words = "the certificate of localhost was refused: self-signed certificate in chain \
                 (issuer CN=Corp Proxy CA, O=Corp); if this is the CA of your company, \
                 or of a proxy that opens TLS, add its PEM file to network.ca_files";
    assert_eq!(error.to_string(), words);
    let error = server.client(suspicious).verify().await.unwrap_err();
    assert_eq!(error.code(), "tls_untrusted");
    assert!(error.to_string().contains(words), "{error}");

    let trusting = trusting(vec![authority.file(folder.path())]);
    assert_eq!(trusting.trust().files, 1);
    server.client(trusting.clone()).verify().await.unwrap();
    let connection = trusting.connect(&server.url, PATIENCE).await.unwrap();
    let peer = connection.tls.unwrap();
    assert_eq!((peer.version, peer.subject.as_str()), ("TLSv1.3", "CN=localhost"));
    assert_eq!(peer.issuer, "CN=Corp Proxy CA, O=Corp");
    assert!(peer.not_after_unix_s.is_some());
}

#[tokio::test]
async fn a_refused_certificate_is_never_dialled_again_without_verification() {
    let server = Authority::new().server("localhost", |_| {}).await;
    let dialer = trusting(vec![]);
    dialer.connect(&server.url, PATIENCE).await.unwrap_err();
    server.client(dialer).verify().await.unwrap_err();
    assert_eq!(server.accepted.load(Ordering::SeqCst), 2, "one connection for each attempt");
    assert_eq!(server.served.load(Ordering::SeqCst), 0, "no request left unverified");
}

#[tokio::test]
async fn hostname_time_and_self_signature_are_told_apart() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let dialer = trusting(vec![authority.file(folder.path())]);

    let other = authority.server("other.example", |_| {}).await;
    let (problem, _) = other.refusal(&dialer).await;
    assert!(problem.to_string().contains("the certificate is for"), "{problem}");
    assert!(problem.to_string().contains("other.example"), "{problem}");

    let old = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let expired = authority.server("localhost", old).await;
    assert_eq!(expired.refusal(&dialer).await.0, CertificateProblem::Expired);

    let early = |params: &mut CertificateParams| {
        params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    };
    let unborn = authority.server("localhost", early).await;
    assert_eq!(unborn.refusal(&dialer).await.0, CertificateProblem::NotYetValid);

    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "just me");
    let alone = Server::start(vec![params.self_signed(&key).unwrap().der().clone()], &key).await;
    let wanted = (CertificateProblem::SelfSigned, "CN=just me".to_owned());
    assert_eq!(alone.refusal(&dialer).await, wanted);

    // What `openssl req -x509` makes by default.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let own = Server::start(vec![params.self_signed(&key).unwrap().der().clone()], &key).await;
    assert_eq!(own.refusal(&dialer).await.0, CertificateProblem::AuthorityAsServer);
}

#[tokio::test]
async fn a_proxy_may_speak_tls_itself() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let proxy = authority.server("localhost", |_| {}).await;
    let options = NetOptions {
        proxy: ProxyChoice::Url(Secret::new(proxy.url.as_str())),
        ca_files: vec![authority.file(folder.path())],
        ..NetOptions::default()
    };
    let target = Url::parse("ws://ws.example.com").unwrap();
    let dialer = Dialer::new(&options).unwrap();
    let mut connection = dialer.connect(&target, PATIENCE).await.unwrap();
    let mut behind = String::new();
    connection.io.read_to_string(&mut behind).await.ok();
    assert!(behind.contains("tenant_access_token"), "{behind}");
    assert!(connection.tls.is_none(), "the target itself is plain");
}

#[tokio::test]
async fn a_plain_text_port_is_a_tls_failure_and_not_a_certificate() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("wss://{}", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.ok();
    });
    let error = trusting(vec![]).connect(&Url::parse(&url).unwrap(), PATIENCE).await.unwrap_err();
    assert_eq!((error.stage(), error.code()), (DialStage::Tls, "tls_failed"));
}

#[test]
fn an_unusable_authority_file_stops_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let with = |path: PathBuf| {
        Dialer::new(&NetOptions { ca_files: vec![path], ..NetOptions::default() }).unwrap_err()
    };
    assert!(matches!(with(folder.path().join("absent.pem")), NetError::CaFile { .. }));
    let cases = [
        ("empty", ""),
        ("prose", "not a certificate"),
        ("rubbish", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ];
    for (name, text) in cases {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        assert!(matches!(with(path), NetError::CaBundle { .. }), "{name}");
    }
}
