//! The daemon where the network is not there yet, is somebody else's, or goes and comes back.

use larkline_sim::{AppSpec, DEMO_APP_ID, SimOptions};

use super::net::{Hole, NameServer, Relay, Weather};
use super::proxy::{Manner, Proxy};
use crate::rig::{ECHO, Rig};

const DOMAIN: &str = "LARKLINE__APP__main__DOMAIN";
/// So that a test need not wait for the usual pauses.
const SOON: &str = "[link]\nbackoff_max = \"2s\"\n";

async fn rig() -> Rig {
    Rig::new(&format!("{ECHO}{SOON}")).await
}

/// It runs, and an answer is there.
async fn works(rig: &Rig) {
    rig.ready().await;
    let said = rig.say(&rig.guest, "all well");
    assert_eq!(rig.answered(&said).await, ["all well"]);
}

async fn comes_up_after(weather: Weather, logged: &str) {
    let mut rig = rig().await;
    let relay = Relay::start(rig.sim.address(), weather).await;
    rig.env.insert(DOMAIN, format!("http://{}", relay.address));
    rig.env.insert("LARKLINE__LINK__DISCOVERY_TIMEOUT", "2s".to_owned());
    rig.run(&[]).await;
    rig.logged(logged).await;
    assert_eq!(rig.status().await.unwrap()["ready"], false);
    relay.becomes(Weather::Fair);
    works(&rig).await;
}

#[tokio::test]
async fn behind_a_captive_portal_it_waits_and_comes_up_when_somebody_has_logged_in() {
    comes_up_after(Weather::Portal, "not with the expected JSON").await;
}

#[tokio::test]
async fn init_behind_a_captive_portal_ends_in_the_proxys_class_and_writes_nothing() {
    let rig = rig().await;
    let relay = Relay::start(rig.sim.address(), Weather::Portal).await;
    let domain = format!("http://{}", relay.address);
    let mut command = rig.command();
    command.env_remove("LARKLINE_CONFIG").env("SECRET", AppSpec::default().app_secret);
    command.args(["init", "--domain", &domain, "--app-id", DEMO_APP_ID, "--handler", "echo"]);
    command.args(["--app-secret-env", "SECRET", "--output", "new.toml", "--no-link"]);
    let output = command.args(["--owner", rig.owner.as_str()]).output().await.unwrap();
    let said = crate::rig::text(&output.stderr);
    assert_eq!(output.status.code(), Some(12), "{said}");
    assert!(said.contains("next:") && !rig.path("new.toml").exists(), "{said}");
}

#[tokio::test]
async fn in_a_hole_that_takes_connections_it_waits_and_comes_up_when_it_is_mended() {
    comes_up_after(Weather::Hole, "event=\"reconnecting\"").await;
}

#[tokio::test]
async fn a_port_that_answers_nothing_at_all_is_waited_for_with_its_stage() {
    let mut rig = rig().await;
    let hole = Hole::dig().await;
    rig.env.insert(DOMAIN, format!("http://{}", hole.address));
    rig.env.insert("LARKLINE__LINK__DISCOVERY_TIMEOUT", "2s".to_owned());
    rig.run(&[]).await;
    rig.logged("event=\"reconnecting\"").await;
    assert_eq!(rig.status().await.unwrap()["ready"], false);
    assert!(rig.stop().await.success());
}

#[tokio::test]
async fn names_that_resolve_only_later_are_waited_for() {
    let mut rig = rig().await;
    let Some(names) = NameServer::start(rig.dir.path()).await else { return };
    let port = rig.sim.address().port();
    rig.env.insert(DOMAIN, format!("http://platform.larkline.test:{port}"));
    rig.resolv = Some(names.resolv.clone());
    rig.run(&[]).await;
    rig.logged("does not resolve").await;
    assert_eq!(rig.status().await.unwrap()["ready"], false);
    names.answers();
    works(&rig).await;
}

#[tokio::test]
async fn a_proxy_that_dies_in_mid_connection_and_returns_costs_no_message() {
    let mut rig = rig().await;
    let mut proxy = Proxy::start(Manner::Guarded).await;
    rig.env.insert("LARKLINE__NETWORK__PROXY", proxy.url.clone());
    rig.run(&[]).await;
    works(&rig).await;
    proxy.die().await;
    rig.logged("event=\"reconnecting\"").await;
    let meanwhile = rig.say(&rig.guest, "meanwhile");
    rig.until("its own words on it", async || {
        rig.status().await.is_some_and(|s| s.to_string().contains("cannot be reached"))
    })
    .await;
    assert_eq!(rig.status().await.unwrap()["ready"], false);
    proxy.come_back().await;
    assert_eq!(rig.answered(&meanwhile).await, ["meanwhile"]);
    rig.ready().await;
}

#[tokio::test]
async fn over_ipv6_alone_all_is_the_same() {
    let listen = "[::1]:0".parse().unwrap();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        crate::rig::not_run("this machine has no IPv6");
        return;
    }
    let mut rig = Rig::with(SimOptions { listen, ..SimOptions::default() }, ECHO).await;
    let output = rig.cli(&["doctor", "--timeout", "20"]).await;
    let page = crate::rig::text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{page}");
    assert!(page.contains("connected to [::1]:"), "{page}");
    rig.run(&[]).await;
    works(&rig).await;
    let link = &rig.status().await.unwrap()["apps"][0]["link"];
    assert!(link["peer_addr"].as_str().unwrap().starts_with("[::1]:"), "{link}");
}

#[tokio::test]
async fn a_clock_that_is_off_by_a_day_keeps_nobody_waiting() {
    for off_ms in [86_400_000, -86_400_000] {
        let mut rig = rig().await;
        std::fs::write(rig.path("clock"), i64::to_string(&off_ms)).unwrap();
        rig.env.insert("LARKLINE_CLOCK", rig.path("clock").display().to_string());
        rig.run(&[]).await;
        works(&rig).await;
    }
}
