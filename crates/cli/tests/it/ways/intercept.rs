//! TLS that is opened on the way, as proxies of offices do; and TLS in front of a plain server.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls::Authority;

/// An authority that signs for whatever host is asked for, and trusts the real one's.
pub(crate) struct Interceptor {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    upstream: TlsConnector,
}

impl Interceptor {
    pub(crate) fn new(name: &str, real: &Authority) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, name);
        std::fs::write(dir.path().join("ca.pem"), ca.self_signed(&key).unwrap().pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(real.file("ca.pem")).unwrap()).unwrap();
        let upstream = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { dir, issuer: Issuer::new(ca, key), upstream: Arc::new(upstream).into() }
    }

    /// What has to be trusted.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Is the server to the client, and the client to the server.
    pub(super) async fn join(&self, stream: TcpStream, target: &str) -> std::io::Result<()> {
        let (host, _) = target.rsplit_once(':').unwrap();
        let mut inside = self.acceptor(host).accept(stream).await?;
        let there = TcpStream::connect(target).await?;
        let name = ServerName::try_from(host.to_owned()).unwrap();
        let mut there = self.upstream.connect(name, there).await?;
        copy_bidirectional(&mut inside, &mut there).await.map(drop)
    }

    fn acceptor(&self, host: &str) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
        acceptor(leaf.der().clone(), PrivateKeyDer::try_from(key.serialize_der()).unwrap())
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn acceptor(leaf: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    Arc::new(config).into()
}

/// TLS in front of a server that has none.
pub(crate) struct Front {
    /// Host and port.
    pub(crate) address: String,
    _tasks: JoinSet<()>,
}

impl Front {
    pub(crate) async fn start(authority: &Authority, target: String) -> Self {
        let leaf = CertificateDer::from_pem_file(authority.file("cert.pem")).unwrap();
        let key = PrivateKeyDer::from_pem_file(authority.file("key.pem")).unwrap();
        let acceptor = acceptor(leaf, key);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, target) = (acceptor.clone(), target.clone());
                open.spawn(async move {
                    let mut inside = acceptor.accept(stream).await.ok()?;
                    let mut there = TcpStream::connect(target).await.ok()?;
                    copy_bidirectional(&mut inside, &mut there).await.ok()
                });
            }
        });
        Self { address, _tasks: tasks }
    }
}
