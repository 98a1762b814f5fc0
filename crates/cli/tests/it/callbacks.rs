//! A pressed button: journaled, routed like a message, answered inside its ack.

use larkline_sim::{Press, PressResult};
use serde_json::json;

use crate::rig::{ECHO, Rig};

/// Presses go to a program.
const BUTTONS: &str = r#"
[[route]]
name = "buttons"
events = ["card.action.trigger"]
senders = "everyone"
handler = "button"

[handler.button]
kind = "command"
argv = ["{dir}/button.sh"]
output = "json"
"#;

/// A press that took so long waited for a handler.
const WAITED_MS: u64 = 2000;

async fn press(rig: &Rig) -> PressResult {
    let platform = rig.sim.platform();
    let chat = platform.p2p(&rig.guest).unwrap();
    let press = Press { user: rig.guest.clone(), chat, value: json!({"n": 7}), ..Press::default() };
    platform.press(press).await.unwrap()
}

/// Presses until the person sees no error: on a busy machine one press may come too late.
async fn press_in_time(rig: &Rig) -> PressResult {
    let mut result = PressResult::default();
    for _ in 0..4 {
        result = press(rig).await;
        if result.code == 0 {
            return result;
        }
    }
    panic!("no press was answered in time: {result:?}; log:\n{}", rig.log());
}

#[tokio::test]
async fn the_handlers_answer_reaches_the_presser_inside_the_ack() {
    let mut rig = Rig::new(BUTTONS).await;
    let body =
        r#"grep -q '"n":7' && echo '{"callback":{"toast":{"type":"success","content":"seven"}}}'"#;
    rig.script("button.sh", body);
    rig.run(&[]).await;
    rig.ready().await;
    let result = press_in_time(&rig).await;
    assert_eq!(result.toast, Some(json!({"type": "success", "content": "seven"})));
    let verdicts = rig.verdicts().await;
    assert!(verdicts["replied"] >= 1, "{verdicts:?}");
    let records = rig.json(&["messages"]).await;
    assert!(records.as_array().unwrap().iter().all(|r| r["kind"] == "card.action.trigger"));
}

#[tokio::test]
async fn a_slow_handler_costs_the_presser_nothing_but_the_toast() {
    let mut rig = Rig::new(BUTTONS).await;
    rig.script("button.sh", "touch started\nexec sleep 600");
    rig.run(&[]).await;
    rig.ready().await;
    // The simulator shows an error after the platform's 3 s.
    let result = press_in_time(&rig).await;
    assert_eq!((result.code, result.body, result.toast), (0, Some(json!({})), None));
    rig.until("the handler's start", async || rig.path("started").exists()).await;
}

#[tokio::test]
async fn a_press_without_a_route_is_answered_neutrally_and_has_a_verdict() {
    let rig = Rig::start(ECHO).await;
    let mut result = press_in_time(&rig).await;
    for _ in 0..4 {
        if result.elapsed_ms < WAITED_MS {
            break;
        }
        result = press_in_time(&rig).await;
    }
    assert!(result.elapsed_ms < WAITED_MS, "nobody will answer, so nothing is waited for");
    assert_eq!(result.body, Some(json!({})));
    let verdicts = rig.verdicts().await;
    assert!(verdicts["filtered/unsupported_type"] >= 1, "{verdicts:?}");
}
