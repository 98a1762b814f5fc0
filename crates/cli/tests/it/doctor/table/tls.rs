//! Certificates, and ports without any.

use std::sync::Arc;

use larkline_sim::{SimOptions, TlsFiles};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};

use super::network::at;
use super::{By, Own, Row, is, row};
use crate::doctor::Diagnosis;
use crate::rig::{ECHO, Rig};
use crate::tls::Authority;
use crate::ways::intercept::Interceptor;
use crate::ways::net::{Relay, Weather};
use crate::ways::proxy::{Manner, Proxy};

pub(super) fn rows() -> Vec<Row> {
    [authorities(), certificates()].into_iter().flatten().collect()
}

fn authorities() -> Vec<Row> {
    let tls = |says| is("TLS", "tls", says);
    vec![
        row(
            "an authority that nobody trusts",
            "不受信任的 CA",
            By::Own("a certificate", || Box::pin(signed_by("Office Proxy CA"))),
            tls("issuer not trusted (issuer CN=Office Proxy CA"),
        ),
        row(
            "the same, with the remedy",
            "同上，并给出解决办法",
            By::Own("a certificate", || Box::pin(signed_by("Some CA"))),
            tls("add its PEM file to network.ca_files"),
        ),
        row(
            "a certificate that signed itself",
            "自签名证书",
            By::Own("a certificate", self_signed),
            tls("self-signed"),
        ),
        row(
            "a certificate of mitmproxy",
            "mitmproxy 的证书",
            By::Own("a certificate", || Box::pin(signed_by("mitmproxy"))),
            tls("mitmproxy opens TLS on the way: export its CA as PEM"),
        ),
        row(
            "a certificate of Charles",
            "Charles 的证书",
            By::Own("a certificate", || Box::pin(signed_by("Charles Proxy CA"))),
            tls("Charles opens TLS on the way"),
        ),
        row(
            "a certificate of Clash",
            "Clash 的证书",
            By::Own("a certificate", || Box::pin(signed_by("Clash Root"))),
            tls("Clash opens TLS on the way"),
        ),
        row(
            "a proxy that opens TLS, its authority not trusted",
            "代理拦截 TLS，其 CA 不受信任",
            By::Own("a proxy", intercepted),
            tls("Zscaler opens TLS on the way"),
        ),
    ]
}

fn certificates() -> Vec<Row> {
    let tls = |says| is("TLS", "tls", says);
    vec![
        row(
            "a certificate that has expired",
            "证书已过期",
            By::Own("a certificate", expired),
            tls("check this machine's clock"),
        ),
        row(
            "a certificate that is not valid yet",
            "证书尚未生效",
            By::Own("a certificate", young),
            tls("not valid yet"),
        ),
        row(
            "a certificate for another host",
            "证书属于别的主机",
            By::Own("a certificate", other_name),
            tls("hostname does not match"),
        ),
        row(
            "a port that speaks plain text",
            "端口使用明文而非 TLS",
            By::Own("a relay", plain),
            tls("a plain-text port may be in the way"),
        ),
        row(
            "a private authority that is configured",
            "已配置的私有 CA",
            By::Own("a certificate", || Box::pin(trusted("Office Proxy CA", leaf("127.0.0.1")))),
            is("healthy", "tls", "signed by CN=Office Proxy CA"),
        ),
    ]
}

fn leaf(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).unwrap()
}

async fn signed_by(name: &str) -> Option<Diagnosis> {
    let authority = Authority::of(name, &leaf("127.0.0.1"));
    let rig = Rig::with(SimOptions { ..authority.platform() }, ECHO).await;
    Some(Diagnosis::of(&rig, &[]).await)
}

async fn trusted(name: &str, leaf: CertificateParams) -> Option<Diagnosis> {
    let authority = Authority::of(name, &leaf);
    let ca = authority.file("ca.pem");
    let rest = format!("{ECHO}\n[network]\nca_files = [\"{}\"]\n", ca.display());
    let rig = Rig::with(SimOptions { ..authority.platform() }, &rest).await;
    Some(Diagnosis::of(&rig, &[]).await)
}

fn self_signed() -> Own {
    Box::pin(async {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let files = TlsFiles { cert: dir.path().join("cert"), key: dir.path().join("key") };
        let own = leaf("127.0.0.1").self_signed(&key).unwrap();
        std::fs::write(&files.cert, own.pem()).unwrap();
        std::fs::write(&files.key, key.serialize_pem()).unwrap();
        let rig = Rig::with(SimOptions { tls: Some(files), ..SimOptions::default() }, ECHO).await;
        Some(Diagnosis::of(&rig, &[]).await)
    })
}

fn expired() -> Own {
    let mut leaf = leaf("127.0.0.1");
    leaf.not_before = date_time_ymd(2001, 1, 1);
    leaf.not_after = date_time_ymd(2002, 1, 1);
    Box::pin(trusted("CA", leaf))
}

fn young() -> Own {
    let mut leaf = leaf("127.0.0.1");
    leaf.not_before = date_time_ymd(2090, 1, 1);
    leaf.not_after = date_time_ymd(2091, 1, 1);
    Box::pin(trusted("CA", leaf))
}

fn other_name() -> Own {
    Box::pin(trusted("CA", leaf("open.example.com")))
}

fn plain() -> Own {
    Box::pin(async {
        let relay = Relay::start("127.0.0.1:1".parse().unwrap(), Weather::Portal).await;
        at(&format!("https://{}", relay.address)).await
    })
}

fn intercepted() -> Own {
    Box::pin(async {
        let authority = Authority::new();
        let ca = authority.file("ca.pem");
        let interceptor = Interceptor::new("Zscaler Root CA", &authority);
        let proxy = Proxy::start(Manner::Opens(Arc::new(interceptor))).await;
        let rest = format!("{ECHO}\n[network]\nca_files = [\"{}\"]\n", ca.display());
        let rig = Rig::with(authority.platform(), &rest).await;
        Some(Diagnosis::of(&rig, &[("LARKLINE__NETWORK__PROXY", &proxy.url)]).await)
    })
}
