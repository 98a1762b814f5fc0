//! `larkline probe`: the nonce's way out and back, and the stage at which it is lost.

use larkline_proto::id::AppId;
use larkline_sim::{Answer, Console, DEMO_APP_ID, Fault};

use crate::rig::{ECHO, Rig, text};

fn without_reactions(rig: &Rig) {
    let events = vec!["im.message.receive_v1".to_owned()];
    let console = Console { events, ..Console::default() };
    let id = AppId::new(DEMO_APP_ID);
    rig.sim.platform().console(&id, |spec| spec.console = console).unwrap();
}

#[tokio::test]
async fn a_probe_comes_back_as_a_reaction_is_timed_and_reaches_no_handler() {
    let rig = Rig::start(ECHO).await;
    let probe = rig.json(&["probe", "--chat", rig.group.as_str()]).await;
    assert!(probe["round_trip_ms"].as_i64().is_some_and(|ms| ms >= 0), "{probe}");
    assert_eq!(probe["returned"]["kind"], "im.message.reaction.created_v1");
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts.get("filtered/probe"), Some(&1), "{verdicts:?}");
    assert_eq!(rig.said_in(&rig.group).len(), 1, "the nonce, and no answer to it");
    let human = rig.cli(&["probe", "--chat", rig.group.as_str()]).await;
    assert!(text(&human.stdout).starts_with("round trip "), "{}", text(&human.stdout));
}

#[tokio::test]
async fn without_reactions_a_person_is_asked_and_what_they_write_is_recognised() {
    let rig = Rig::start(ECHO).await;
    without_reactions(&rig);
    let args = ["probe", "--chat", rig.group.as_str(), "--format", "json"];
    let (output, nonce) = tokio::join!(rig.cli(&args), async {
        rig.ledger("the nonce", |l| l.messages.len() == 1).await;
        let said = rig.said_in(&rig.group).remove(0);
        let words = said.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
        rig.say_in_group(&rig.guest, &words, true);
        words
    });
    let probe: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&probe["probe"]["nonce"], probe["round_trip_ms"].as_i64()), (&nonce.into(), None));
    assert_eq!(probe["returned"]["kind"], "im.message.receive_v1");
    assert_eq!(rig.verdicts().await.get("filtered/probe"), Some(&1));
    assert_eq!(rig.said_in(&rig.group).len(), 1, "echo never saw it");
}

#[tokio::test]
async fn the_stage_that_failed_is_named() {
    let mut rig = Rig::new(ECHO).await;
    let chat = rig.group.clone();
    let lost = async |rig: &Rig, args: &[&str]| {
        let args = [&["probe", "--chat", chat.as_str(), "--timeout", "0.5"], args].concat();
        let output = rig.cli(&args).await;
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let error = lost(&rig, &[]).await;
    assert!(error.contains("no gateway listens"), "{error}");
    rig.run(&[]).await;
    rig.ready().await;
    rig.fault(Fault::Api {
        path: "/messages".to_owned(),
        method: "POST".to_owned(),
        answer: Answer::Code {
            status: 400,
            code: 230_002,
            msg: "outside".to_owned(),
            reset_s: None,
        },
        times: 1,
    });
    let error = lost(&rig, &[]).await;
    assert!(error.contains("post: send failed: code 230002"), "{error}");
    without_reactions(&rig);
    let error = lost(&rig, &[]).await;
    assert!(error.contains("Please react to it"), "a person is asked: {error}");
    assert!(error.contains("return: om_") && error.contains("the link is verified"), "{error}");
    rig.fault(Fault::Offline);
    rig.fault(Fault::Rst);
    rig.until("the loss", async || {
        rig.status().await.is_some_and(|s| s["apps"][0]["link"]["verified"] == false)
    })
    .await;
    let error = lost(&rig, &[]).await;
    assert!(error.contains("link: it is ") && error.contains("larkline doctor"), "{error}");
}
