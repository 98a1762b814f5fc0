//! Links that come and go, and platforms that show another certificate.

use std::time::Duration;

use larkline_sim::{Fault, Sim, SimOptions};

use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, hook, jump, told, with_clock};
use crate::rig::{ECHO, Rig};
use crate::tls::Authority;

/// Another platform at the address of the one before.
async fn renew(rig: &mut Rig, authority: &Authority) {
    let options = SimOptions { listen: rig.sim.address(), ..authority.platform() };
    let elsewhere = Sim::start(SimOptions::default()).await.unwrap();
    std::mem::replace(&mut rig.sim, elsewhere).stop().await;
    rig.sim = Sim::start(options).await.unwrap();
}

#[tokio::test]
async fn a_certificate_that_expires_is_told_with_its_fault_and_its_renewal_ends_it() {
    let (service, authority) = (Receiver::start().await, Authority::new());
    let ca = authority.file("ca.pem");
    let trusted = format!("{ECHO}{QUICK}\n[network]\nca_files = [\"{}\"]\n", ca.display());
    let config = format!("{trusted}{}", hook("service", &service));
    let mut rig = Rig::with(authority.platform(), &config).await;
    rig.run(&[]).await;
    rig.ready().await;
    let mut expired = Authority::loopback();
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    expired.not_before = rcgen::date_time_ymd(2019, 1, 1);
    authority.issue(&expired);
    renew(&mut rig, &authority).await;
    let raised = told(&rig, &service, "alert.raised", "certificate_refused").await;
    let words = raised["data"]["text"].as_str().unwrap();
    assert!(words.contains("expired") && words.contains("app main"), "{raised}");
    authority.issue(&Authority::loopback());
    renew(&mut rig, &authority).await;
    told(&rig, &service, "alert.cleared", "certificate_refused").await;
    assert_eq!(service.count("alert.raised", "certificate_refused"), 1);
}

#[tokio::test]
async fn a_link_that_is_cut_again_and_again_is_a_storm_until_it_stays() {
    let service = Receiver::start().await;
    let mut rig = with_clock(&format!("{ECHO}{QUICK}{}", hook("service", &service))).await;
    rig.run(&[]).await;
    rig.ready().await;
    // The first connection, and ten after it.
    for n in 2..=11 {
        rig.fault(Fault::Rst);
        rig.ledger("a new connection", |l| l.connections.len() == n && l.open_connections() == 1)
            .await;
        rig.ready().await;
        assert!(n == 11 || service.count("alert.raised", "reconnect_storm") == 0, "{n}");
    }
    let raised = told(&rig, &service, "alert.raised", "reconnect_storm").await;
    let words = raised["data"]["text"].as_str().unwrap();
    assert!(words.contains("reconnected 10 times within ten minutes"), "{raised}");
    assert_eq!(raised["data"]["severity"], "warning");
    jump(&rig, Duration::from_secs(11 * 60));
    told(&rig, &service, "alert.cleared", "reconnect_storm").await;
}
