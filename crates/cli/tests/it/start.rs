//! Starting: wrong credentials, an absent platform, and what is asked of it afterwards.

use std::process::ExitStatus;

use larkline_sim::{Answer, AppSpec, ClientConfig, Fault, Ledger, Sim, SimOptions};

use crate::rig::{ECHO, Rig};

const DISCOVERY: &str = "/callback/ws/endpoint";

/// A platform that knows the app by another secret.
async fn wrong_secret() -> Rig {
    let app = AppSpec { app_secret: "another secret".to_owned(), ..AppSpec::default() };
    Rig::with(SimOptions { apps: vec![app], ..SimOptions::default() }, ECHO).await
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

fn discoveries(ledger: &Ledger) -> usize {
    ledger.calls.iter().filter(|c| c.path == DISCOVERY).count()
}

#[tokio::test]
async fn a_wrong_secret_ends_the_start_with_code_3_and_the_platforms_words() {
    let mut rig = wrong_secret().await;
    rig.run(&[]).await;
    assert_eq!(code(rig.exit().await), Some(3));
    let log = rig.log();
    let ledger = rig.sim.platform().ledger();
    let refused = ledger.calls.iter().find(|c| c.code == Some(10_014)).unwrap();
    for part in
        ["10014", "app secret invalid", refused.log_id.as_str(), "check app_id and app_secret"]
    {
        assert!(log.contains(part), "{part:?} is missing in\n{log}");
    }
    assert!(!log.contains(&AppSpec::default().app_secret), "the secret is in\n{log}");
}

#[tokio::test]
async fn an_unknown_app_is_told_apart_from_a_network_fault() {
    let app = AppSpec { app_id: "cli_00000000deadbeef".into(), ..AppSpec::default() };
    let mut rig = Rig::with(SimOptions { apps: vec![app], ..SimOptions::default() }, ECHO).await;
    rig.run(&["--wait"]).await;
    assert_eq!(code(rig.exit().await), Some(3));
    assert!(rig.log().contains("app id not exists"), "{}", rig.log());
    let ledger = rig.sim.platform().ledger();
    let asked = ledger.calls.iter().filter(|c| c.path.contains("tenant_access_token")).count();
    assert!(asked <= 1, "refused credentials are not retried: {asked} calls");
}

#[tokio::test]
async fn with_keep_going_a_wrong_secret_leaves_it_up_and_not_ready() {
    let mut rig = wrong_secret().await;
    rig.run(&["--keep-going"]).await;
    rig.logged("the platform refuses the credentials").await;
    rig.until("a reason for not being ready", async || {
        let status = rig.status().await.unwrap_or_default();
        status["ready"] == false && !status["not_ready"][0].is_null()
    })
    .await;
    let check = rig.cli(&["status", "--check"]).await;
    assert_eq!(code(check.status), Some(1));
    assert!(rig.stop().await.success(), "it was still up");
}

/// A rig whose platform does not listen yet; its address is free.
async fn absent() -> (Rig, SimOptions) {
    let mut rig = Rig::new("").await;
    rig.configure(&format!("{ECHO}[link]\nstartup_deadline = \"2s\"\nbackoff_max = \"2s\"\n"));
    let options = SimOptions { listen: rig.sim.address(), ..SimOptions::default() };
    let elsewhere = Sim::start(SimOptions::default()).await.unwrap();
    std::mem::replace(&mut rig.sim, elsewhere).stop().await;
    (rig, options)
}

#[tokio::test]
async fn a_platform_that_is_away_at_the_start_is_waited_for() {
    let (mut rig, options) = absent().await;
    rig.run(&[]).await;
    rig.logged("start-up failed, no verified link").await;
    assert_eq!(rig.status().await.unwrap()["ready"], false);
    rig.sim = Sim::start(options).await.unwrap();
    rig.ready().await;
    let guest = rig.sim.platform().add_user("guest");
    let said = rig.say(&guest, "you are back");
    assert_eq!(rig.answered(&said).await, ["you are back"]);
}

#[tokio::test]
async fn with_wait_an_absent_platform_ends_the_start_with_code_1_and_the_stage() {
    let (mut rig, _) = absent().await;
    rig.run(&["--wait"]).await;
    assert_eq!(code(rig.exit().await), Some(1));
    let log = rig.log();
    let said = log.lines().find(|l| l.contains("no verified link within")).unwrap_or_default();
    assert!(said.contains("discovery") && said.contains("refused"), "{log}");
}

#[tokio::test]
async fn every_dial_asks_discovery_anew_and_no_two_connections_overlap() {
    let mut rig = Rig::new(ECHO).await;
    rig.run(&[]).await;
    rig.ready().await;
    for n in 2..=4 {
        rig.fault(Fault::Rst);
        rig.ledger("a new connection", |l| l.connections.len() == n && l.open_connections() == 1)
            .await;
        rig.ready().await;
    }
    let said = rig.say(&rig.guest, "after all that");
    rig.answered(&said).await;
    let ledger = rig.sim.platform().ledger();
    assert!(discoveries(&ledger) >= ledger.connections.len());
    let rows: Vec<_> = ledger.connections.iter().collect();
    for pair in rows.windows(2) {
        assert!(pair[0].closed_ms.is_some_and(|at| at <= pair[1].opened_ms), "{pair:?}");
    }
}

#[tokio::test]
async fn a_quiet_minute_costs_no_call_at_all() {
    let client_config = ClientConfig { ping_interval: 1, ..ClientConfig::default() };
    let options = SimOptions { client_config, ..SimOptions::default() };
    let mut rig = Rig::with(options, ECHO).await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    let calls = |l: &Ledger| l.calls.len();
    let before = rig.sim.platform().read(calls);
    let started = rig.sim.platform().now_ms();
    let platform = std::sync::Arc::clone(rig.sim.platform());
    // The minute is measured in the link's own pings.
    let quiet = platform.wait_for(
        |l| l.connections.last().is_some_and(|c| c.pings >= 62),
        std::time::Duration::from_secs(110),
    );
    quiet.await.unwrap();
    assert!(platform.now_ms() - started >= 55_000);
    assert_eq!(platform.read(calls), before, "calls nobody asked for");
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_left_out_for_one_run_or_by_configuration() {
    let mut rig = Rig::new(ECHO).await;
    // A port nobody listens on.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let proxy = format!("http://127.0.0.1:{port}");
    std::fs::write(rig.path(".env"), format!("HTTP_PROXY={proxy}\nHTTPS_PROXY={proxy}\n")).unwrap();
    rig.run(&[]).await;
    rig.logged(&format!("127.0.0.1:{port}")).await;
    assert_eq!(rig.sim.platform().read(|l| l.calls.len()), 0, "the proxy of the environment holds");
    rig.stop().await;

    rig.run(&["--no-proxy"]).await;
    rig.ready().await;
    assert!(rig.stop().await.success());

    rig.configure(&format!("{ECHO}[network]\nproxy = \"none\"\n"));
    rig.run(&[]).await;
    rig.ready().await;
}

#[tokio::test]
async fn a_refusal_that_is_no_wrong_credential_is_waited_out_and_not_called_ready() {
    let mut rig = Rig::new(ECHO).await;
    let answer =
        Answer::Code { status: 400, code: 99_991_403, msg: "quota".to_owned(), reset_s: None };
    let (path, method) = ("/bot/v3/info".to_owned(), String::new());
    rig.fault(Fault::Api { path, method, answer, times: 1000 });
    rig.run(&[]).await;
    rig.until("the link without a name", async || {
        let status = rig.status().await.unwrap_or_default();
        status["not_ready"].to_string().contains("has not told who the bot is")
    })
    .await;
    let said = rig.say(&rig.guest, "kept meanwhile");
    rig.ledger("its ack", |l| l.event(&said.event_id).is_some_and(|e| e.done)).await;
    rig.fault(Fault::Clear);
    assert_eq!(rig.answered(&said).await, ["kept meanwhile"]);
    rig.ready().await;
}
