//! Beside a running gateway: its link is asked, none is opened, and the platform's view is compared.

use larkline_sim::Fault;

use super::{Diagnosis, is};
use crate::rig::{ECHO, Rig};

#[tokio::test]
async fn beside_a_gateway_no_second_link_is_opened_and_its_own_is_described() {
    let rig = Rig::start(ECHO).await;
    let said = rig.say(&rig.guest, "hello");
    rig.answered(&said).await;
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("healthy", is("healthy", "link", "verified for"));
    assert!(diagnosis.line("link").contains("ESTABLISHED"), "{:#}", diagnosis.report);
    assert!(diagnosis.line("instance").contains(&format!("pid {}", rig.pid())));
    assert!(diagnosis.line("connections").contains("counts 1, ours are 1"));
    assert_eq!((diagnosis.outcome("upgrade"), diagnosis.outcome("silence")), ("absent", "pass"));
    assert_eq!(rig.sim.platform().read(|l| l.connections.len()), 1, "the gateway's own");
    let again = rig.say(&rig.guest, "still there");
    assert_eq!(rig.answered(&again).await, ["still there"]);
}

#[tokio::test]
async fn no_link_is_opened_where_another_instance_is_online() {
    let rig = Rig::new(ECHO).await;
    rig.fault(Fault::OnlineCount { count: 1 });
    let diagnosis = Diagnosis::of(&rig, &[]).await;
    diagnosis.expect("elsewhere", is("other instance", "connections", "counts 1, ours are 0"));
    assert_eq!(diagnosis.outcome("upgrade"), "skip");
    assert_eq!(rig.sim.platform().read(|l| l.connections.len()), 0);
}

#[tokio::test]
async fn silence_over_a_verified_link_lists_its_causes_in_order() {
    let rig = Rig::start(ECHO).await;
    let silent = Diagnosis::of(&rig, &[]).await;
    silent.expect("silent", is("healthy", "silence", "no event came since the start"));
    let line = silent.line("silence");
    let causes = [
        "1. the subscription mode is not the long connection: cannot be asked",
        "2. the event is not added: ruled out",
        "3. its version is not released: ruled out",
        "4. a scope is missing: ruled out",
        "5. the app is disabled: ruled out",
        "6. another instance takes the events: ruled out",
    ];
    let at: Vec<usize> =
        causes.iter().map(|c| line.find(c).unwrap_or_else(|| panic!("{c}: {line}"))).collect();
    assert!(at.is_sorted(), "{line}");
    rig.fault(Fault::OnlineCount { count: 2 });
    let shared = Diagnosis::of(&rig, &[]).await;
    assert!(shared.line("silence").contains("6. another instance takes the events: FOUND"));
}

#[tokio::test]
async fn groups_that_never_mention_the_bot_point_at_the_scope() {
    let rig = Rig::start(ECHO).await;
    for n in 0..5 {
        rig.say_in_group(&rig.guest, &format!("among us {n}"), false);
    }
    rig.until("all five", async || {
        rig.status().await.is_some_and(|s| s["apps"][0]["group_messages"] == 5)
    })
    .await;
    let unmentioned = Diagnosis::of(&rig, &[]).await;
    let says = "probably the scope im:message.group_at_msg:readonly is missing";
    unmentioned.expect("unmentioned", is("healthy", "mentions", says));
    let said = rig.say_in_group(&rig.guest, "you there", true);
    rig.answered(&said).await;
    assert_eq!(Diagnosis::of(&rig, &[]).await.outcome("mentions"), "absent");
}

#[tokio::test]
async fn no_other_program_is_asked() {
    let rig = Rig::start(ECHO).await;
    // With nothing on the path, netstat, lsof or pgrep could not be found.
    let diagnosis = Diagnosis::of(&rig, &[("PATH", "")]).await;
    diagnosis.expect("empty path", is("healthy", "link", "ESTABLISHED"));
}
