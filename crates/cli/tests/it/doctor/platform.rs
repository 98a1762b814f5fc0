//! Faults of the platform, its answers, the upgrade and the console, by the simulator.

use larkline_proto::id::AppId;
use larkline_sim::{Answer, AppSpec, Console, DEMO_APP_ID, Draft, Fault, Say};

use super::{BRIEF, Diagnosis, Expected, PATIENT, is};
use crate::rig::{ECHO, Rig};

fn code(status: u16, code: i64, msg: &str) -> Answer {
    Answer::Code { status, code, msg: msg.to_owned(), reset_s: None }
}

fn endpoint(answer: Answer) -> Fault {
    Fault::Endpoint { answer, times: 1000 }
}

fn api(path: &str, answer: Answer) -> Fault {
    Fault::Api { path: path.to_owned(), method: String::new(), answer, times: 1000 }
}

fn upgrade(status: u16, handshake_status: Option<i64>, autherrcode: Option<i64>) -> Fault {
    Fault::RefuseHandshake { status, handshake_status, autherrcode, msg: None, times: 1000 }
}

/// One platform and one configuration for a table: each row clears the faults of the one before.
async fn table(rows: Vec<(&str, Fault, Expected)>) {
    let rig = Rig::new(ECHO).await;
    for (what, fault, expected) in rows {
        rig.fault(Fault::Clear);
        rig.fault(fault);
        // Of these rows, those of the network are the ones that never answer.
        let limit = if expected.verdict == "network" { BRIEF } else { PATIENT };
        Diagnosis::with(&rig, &[], &limit).await.expect(what, expected);
    }
}

#[tokio::test]
async fn a_good_setup_is_healthy_line_by_line_and_leaves_nothing_behind() {
    let rig = Rig::new(ECHO).await;
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("healthy", is("healthy", "pong", "verified"));
    let passed = [
        "build",
        "configuration",
        "state",
        "disk",
        "instance",
        "children",
        "descriptors",
        "roots",
        "tcp",
        "http",
        "clock",
        "credentials",
        "bot",
        "endpoint",
        "connections",
        "upgrade",
        "pong",
        "scopes",
        "app",
        "version",
        "events",
    ];
    for name in passed {
        assert_eq!(diagnosis.outcome(name), "pass", "{name}: {:#}", diagnosis.report);
    }
    for name in ["tcp", "http", "credentials", "endpoint", "upgrade", "pong"] {
        assert!(diagnosis.line(name).contains("\"ms\":"), "{name} has no latency");
    }
    assert!(!rig.path("state").exists(), "a diagnosis makes no state");
    rig.ledger("the end of the doctor's own link", |l| {
        l.connections.len() == 1 && l.open_connections() == 0
    })
    .await;
}

#[tokio::test]
async fn the_human_report_ends_in_one_verdict() {
    let rig = Rig::new(ECHO).await;
    let output = rig.cli(&["doctor"]).await;
    let page = crate::rig::text(&output.stdout);
    assert_eq!(page.lines().last(), Some("verdict: healthy"), "{page}");
    assert!(page.lines().any(|l| l.starts_with("  pass  upgrade")), "{page}");
    let output = rig.command().arg("doctor").env("TEST_APP_SECRET", "no").output().await.unwrap();
    let page = crate::rig::text(&output.stdout);
    let last = page.lines().last().unwrap();
    assert!(last.starts_with("verdict: credentials: token failed"), "{page}");
    assert_eq!(output.status.code(), Some(3));
}

#[tokio::test]
async fn which_of_the_credentials_is_wrong_is_told() {
    let rig = Rig::new(ECHO).await;
    let secret = [("TEST_APP_SECRET", "wrong")];
    let says = is("credentials", "credentials", "copy app_secret again");
    Diagnosis::of(&rig, &secret).await.expect("secret", says);
    let id = [("LARKLINE__APP__main__APP_ID", "cli_ffffffffffffffff")];
    let says = is("credentials", "credentials", "copy app_id again");
    Diagnosis::of(&rig, &id).await.expect("app id", says);
}

#[tokio::test]
async fn refusals_of_token_and_discovery_lead_to_their_class() {
    let html = |status| Answer::Html { status };
    let token = "tenant_access_token";
    table(vec![
        ("token: gateway page", api(token, html(503)), is("platform", "credentials", "HTTP 503")),
        (
            "token: 429",
            api(token, code(429, 99_991_400, "frequency")),
            is("platform", "credentials", "99991400"),
        ),
        (
            "token: a page for an answer",
            api(token, html(200)),
            is("proxy", "credentials", "HTTP 200"),
        ),
        ("token: a filter's page", api(token, html(403)), is("proxy", "credentials", "HTTP 403")),
        (
            "token: no answer",
            api(token, Answer::Hang),
            is("network", "credentials", "no answer within"),
        ),
        ("token: cut", api(token, Answer::Cut), is("network", "credentials", "token failed")),
        (
            "1000040345",
            endpoint(code(200, 1_000_040_345, "invalid")),
            is("credentials", "endpoint", "1000040345"),
        ),
        (
            "1000040344",
            endpoint(code(200, 1_000_040_344, "empty")),
            is("credentials", "endpoint", "1000040344"),
        ),
        (
            "1000040351",
            endpoint(code(200, 1_000_040_351, "domain")),
            is("credentials", "endpoint", "for a Lark app"),
        ),
        (
            "1000040343",
            endpoint(code(200, 1_000_040_343, "internal")),
            is("platform", "endpoint", "1000040343"),
        ),
        ("busy", endpoint(code(200, 1, "busy")), is("platform", "endpoint", "code 1")),
        (
            "1000040350",
            endpoint(code(200, 1_000_040_350, "limit")),
            is("other instance", "endpoint", "1000040350"),
        ),
        (
            "403",
            endpoint(code(200, 403, "forbidden")),
            is("platform config", "endpoint", "enabled and self-built"),
        ),
        ("discovery: gateway page", endpoint(html(502)), is("platform", "endpoint", "HTTP 502")),
        (
            "discovery: a page",
            endpoint(html(200)),
            is("proxy", "endpoint", "not with the expected JSON"),
        ),
        (
            "discovery: no data",
            endpoint(Answer::NullData),
            is("platform", "endpoint", "without an address"),
        ),
        ("discovery: no answer", endpoint(Answer::Hang), is("network", "endpoint", "time")),
    ])
    .await;
}

#[tokio::test]
async fn a_refused_hanging_or_silent_upgrade_leads_to_its_class() {
    table(vec![
        (
            "514",
            upgrade(400, Some(514), Some(1_000_040_345)),
            is("credentials", "upgrade", "1000040345"),
        ),
        (
            "limit",
            upgrade(400, Some(514), Some(1_000_040_350)),
            is("other instance", "upgrade", "1000040350"),
        ),
        ("403", upgrade(403, Some(403), None), is("platform config", "upgrade", "self-built")),
        ("a proxy's 400", upgrade(400, None, None), is("proxy", "upgrade", "HTTP 400")),
        ("a gateway's 502", upgrade(502, None, None), is("platform", "upgrade", "HTTP 502")),
        (
            "hangs",
            Fault::HangUpgrade { times: 1000 },
            is("network", "upgrade", "no answer to the upgrade within 3s"),
        ),
        ("no pong", Fault::NoPong, is("network", "pong", "silent after the upgrade")),
    ])
    .await;
}

#[tokio::test]
async fn events_without_a_pong_are_no_proof_and_come_again() {
    let rig = Rig::new(ECHO).await;
    let said = rig.say(&rig.guest, "waits");
    rig.fault(Fault::NoPong);
    rig.fault(Fault::PushWithUpgrade { times: 1 });
    let diagnosis = Diagnosis::with(&rig, &[], &BRIEF).await;
    diagnosis.expect("push, no pong", is("platform", "pong", "our ping stays unanswered"));
    let row = rig.sim.platform().read(|l| l.event(&said.event_id).cloned()).unwrap();
    assert!(row.deliveries.iter().any(|d| !d.conn.is_empty()), "it was pushed to the doctor");
    assert_eq!(row.acks(), 0, "and was not acknowledged");
}

#[tokio::test]
async fn an_event_that_the_doctor_was_given_reaches_the_gateway_later() {
    let mut rig = Rig::new(ECHO).await;
    let said = rig.write(Say { user: rig.guest.clone(), text: "later".into(), ..Say::default() });
    rig.fault(Fault::PushWithUpgrade { times: 1 });
    Diagnosis::of(&rig, &[]).await.expect("pushed", is("healthy", "pong", "verified"));
    rig.run(&[]).await;
    assert_eq!(rig.answered(&said).await, ["later"]);
}

/// Changes the console, asks, and puts it back.
async fn console(rig: &Rig, what: &str, change: impl FnOnce(&mut AppSpec), expected: Expected) {
    let id = AppId::new(DEMO_APP_ID);
    rig.sim.platform().console(&id, change).unwrap();
    Diagnosis::with(rig, &[], &["--timeout", "20", "--no-link"]).await.expect(what, expected);
    rig.sim.platform().console(&id, |spec| *spec = AppSpec::default()).unwrap();
}

fn scopes(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|s| (*s).to_owned()).collect())
}

#[tokio::test]
async fn what_the_console_lacks_is_named_with_the_page_that_adds_it() {
    let rig = Rig::new(ECHO).await;
    let config = "platform config";
    let manage = "application:application:self_manage";
    let deaf = scopes(&["im:message:send_as_bot", "im:message.p2p_msg:readonly", manage]);
    let says = is(config, "scopes", "auth?q=im:message.group_at_msg:readonly");
    console(&rig, "a scope", |s| s.scopes = deaf, says).await;
    let mute = scopes(&["im:message.p2p_msg:readonly", "im:message.group_at_msg:readonly", manage]);
    let says = is(config, "scopes", "without im:message:send_as_bot: cannot answer");
    console(&rig, "sending", |s| s.scopes = mute, says).await;
    let says = is(config, "bot", "disabled in the tenant");
    console(&rig, "bot off", |s| s.console.activate_status = 1, says).await;
    let says = is(config, "bot", "not installed");
    console(&rig, "not installed", |s| s.console.activate_status = 0, says).await;
    let says = is(config, "app", "the app is disabled");
    console(&rig, "app off", |s| s.console.status = 0, says).await;
    let says = is(config, "version", "no version was ever released");
    console(&rig, "unreleased", |s| s.console.unreleased = true, says).await;
    let says = is(config, "events", "not subscribed: im.message.receive_v1");
    console(&rig, "no event", |s| s.console.events.clear(), says).await;
    let drafted = |s: &mut AppSpec| {
        let events = std::mem::take(&mut s.console.events);
        s.console.draft = Some(Draft { status: 4, events, scopes: Vec::new() });
    };
    let says = is(config, "events", "added, and not released");
    console(&rig, "drafted", drafted, says).await;
    let waits = |s: &mut AppSpec| {
        s.console.draft = Some(Draft { status: 3, ..Draft::default() });
    };
    console(&rig, "in review", waits, is("healthy", "version", "is in review")).await;
    let closed = scopes(&[
        "im:message:send_as_bot",
        "im:message.p2p_msg:readonly",
        "im:message.group_at_msg:readonly",
    ]);
    let says = is("healthy", "version", "may not read its own configuration");
    console(&rig, "unreadable", |s| s.scopes = closed, says).await;
}

#[tokio::test]
async fn callbacks_matter_when_a_route_wants_them() {
    let routes =
        ECHO.replace("name = \"all\"", "name = \"all\"\nevents = [\"card.action.trigger\"]");
    let rig = Rig::new(&routes).await;
    let config = "platform config";
    let says = is(config, "app", "callbacks not subscribed: card.action.trigger");
    console(&rig, "not subscribed", |s| s.callbacks = false, says).await;
    let webhook = |s: &mut AppSpec| {
        s.console = Console { callback_type: "webhook".to_owned(), ..Console::default() };
    };
    console(&rig, "webhook", webhook, is(config, "app", "by webhook")).await;
}
