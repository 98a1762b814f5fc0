//! `doctor --fix`: one code adds what is missing, and then all is well.

use std::process::Stdio;

use larkline_proto::id::AppId;
use larkline_sim::{DEMO_APP_ID, Scan};

use crate::init::quick;
use crate::rig::{ECHO, PATIENCE, Rig, read, text};

/// An app that can hear direct chats and read itself, and no more.
async fn poor() -> Rig {
    let rig = Rig::with(quick(), ECHO).await;
    let change = |spec: &mut larkline_sim::AppSpec| {
        let scopes = ["im:message.p2p_msg:readonly", "application:application:self_manage"];
        spec.scopes = Some(scopes.map(str::to_owned).to_vec());
        spec.console.events.clear();
    };
    rig.sim.platform().console(&AppId::new(DEMO_APP_ID), change).unwrap();
    rig
}

/// Runs it, with somebody who answers; exit code, stdout, stderr.
async fn fixed(rig: &Rig, answer: Scan) -> (i32, String, String) {
    let said = rig.path("said");
    let mut command = rig.command();
    let url = rig.sim.url();
    let args = ["doctor", "--fix", "--accounts", &url, "--timeout", "20", "--no-link"];
    command.args(args).stdout(Stdio::piped());
    command.stderr(std::fs::File::create(&said).unwrap());
    let child = command.spawn().unwrap();
    let code = || read(&said).lines().find(|l| l.contains("user_code=")).map(str::to_owned);
    rig.until("a code", async || code().is_some()).await;
    let code = code().unwrap();
    assert!(code.contains(&format!("clientID={DEMO_APP_ID}")), "{code}");
    rig.sim.platform().visit(&code, &rig.owner, answer).unwrap();
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.unwrap().unwrap();
    (output.status.code().unwrap(), text(&output.stdout), read(&said))
}

#[tokio::test]
async fn one_code_adds_what_is_missing_and_the_verdict_is_healthy() {
    let rig = poor().await;
    let before = rig.cli(&["doctor", "--timeout", "20", "--no-link"]).await;
    assert_eq!(before.status.code(), Some(13), "{}", text(&before.stdout));
    let (code, report, said) = fixed(&rig, Scan::Allow).await;
    assert_eq!(code, 0, "{report}{said}");
    assert_eq!(report.lines().last(), Some("verdict: healthy"), "{report}");
    let added = report.lines().find(|line| line.contains("added to")).unwrap();
    for name in
        ["im:message:send_as_bot", "im:message.group_at_msg:readonly", "im.message.receive_v1"]
    {
        assert!(added.contains(name), "{name}: {added}");
    }
    // Exactly what is missing: what was there is not asked for again.
    assert!(!added.contains("im:message.p2p_msg:readonly"), "{added}");
    let again = rig.cli(&["doctor", "--fix", "--timeout", "20", "--no-link"]).await;
    assert_eq!(again.status.code(), Some(0), "nothing is missing, so nobody is asked");
    assert!(!text(&again.stderr).contains("user_code="));
}

#[tokio::test]
async fn a_refused_fix_keeps_the_verdict_and_says_so() {
    let rig = poor().await;
    let (code, report, _) = fixed(&rig, Scan::Deny).await;
    assert_eq!(code, 13, "{report}");
    assert!(report.contains("the person refused"), "{report}");
    assert!(report.lines().last().unwrap().contains("missing: im:message:send_as_bot"), "{report}");
}
