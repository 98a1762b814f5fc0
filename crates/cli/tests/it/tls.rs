//! A platform behind TLS whose certificate a private authority signed.

use std::path::PathBuf;

use larkline_sim::{SimOptions, TlsFiles};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::rig::{ECHO, Rig};

/// A private authority and a certificate of it for the loopback addresses.
pub(crate) struct Authority {
    dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::of("Office Proxy CA", &Self::loopback())
    }

    /// What a certificate for the loopback addresses says.
    pub(crate) fn loopback() -> CertificateParams {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        CertificateParams::new(names).unwrap()
    }

    /// An authority of this name, and one certificate of it.
    pub(crate) fn of(name: &str, leaf: &CertificateParams) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.distinguished_name.push(DnType::CommonName, name);
        let root = ca.self_signed(&ca_key).unwrap();
        std::fs::write(dir.path().join("ca.pem"), root.pem()).unwrap();
        let authority = Self { dir, issuer: Issuer::new(ca, ca_key) };
        authority.issue(leaf);
        authority
    }

    /// Another certificate, in the place of the one before.
    pub(crate) fn issue(&self, leaf: &CertificateParams) {
        let key = KeyPair::generate().unwrap();
        let leaf = leaf.signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.file("cert.pem"), leaf.pem()).unwrap();
        std::fs::write(self.file("key.pem"), key.serialize_pem()).unwrap();
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn platform(&self) -> SimOptions {
        let tls = TlsFiles { cert: self.file("cert.pem"), key: self.file("key.pem") };
        SimOptions { tls: Some(tls), ..SimOptions::default() }
    }

    fn trusted(&self) -> String {
        format!("{ECHO}\n[network]\nca_files = [\"{}\"]\n", self.file("ca.pem").display())
    }
}

#[tokio::test]
async fn a_private_authority_in_ca_files_is_trusted_for_link_and_calls_alike() {
    let authority = Authority::new();
    let mut rig = Rig::with(authority.platform(), &authority.trusted()).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "over TLS");
    assert_eq!(rig.answered(&said).await, ["over TLS"]);
    let link = &rig.status().await.unwrap()["apps"][0]["link"];
    assert_eq!(link["tcp_state"], "ESTABLISHED");
    assert!(link["tls"].as_str().unwrap().contains("Office Proxy CA"), "{link}");
}

#[tokio::test]
async fn an_unknown_authority_is_named_and_never_accepted() {
    let authority = Authority::new();
    let mut rig = Rig::with(authority.platform(), ECHO).await;
    rig.run(&[]).await;
    rig.logged("Office Proxy CA").await;
    let status = rig.status().await.unwrap();
    assert_eq!(status["ready"], false);
    let seen = rig.sim.platform().read(|l| l.connections.len() + l.calls.len());
    assert_eq!(seen, 0, "no request may pass a connection that is not trusted");
}
