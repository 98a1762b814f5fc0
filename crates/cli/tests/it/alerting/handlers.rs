//! What handlers do to the machine and to those who wait, and the gateway itself.

use std::time::Duration;

use crate::agent;
use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, hook, jump, told, with_clock};
use crate::rig::{ECHO, Rig};

#[tokio::test]
async fn a_child_over_its_limit_is_told_and_over_when_no_other_was_for_ten_minutes() {
    let service = Receiver::start().await;
    let limits = "limits = { memory = \"128M\" }\n";
    let config = agent::with(&format!("{limits}{QUICK}{}", hook("service", &service)));
    let mut rig = with_clock(&config).await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.say(&rig.owner, "[[hog 400]][[hang]]");
    let raised = told(&rig, &service, "alert.raised", "child_over_limit").await;
    assert_eq!(raised["data"]["subject"], "coder");
    assert!(raised["data"]["text"].as_str().unwrap().contains("(memory)"), "{raised}");
    assert_eq!(service.count("alert.cleared", "child_over_limit"), 0);
    jump(&rig, Duration::from_secs(11 * 60));
    told(&rig, &service, "alert.cleared", "child_over_limit").await;
}

#[tokio::test]
async fn an_agent_whose_turns_fail_in_a_row_is_down_although_each_has_an_answer() {
    let service = Receiver::start().await;
    let config = agent::with(&format!("{QUICK}{}", hook("service", &service)));
    let rig = Rig::start(&config).await;
    for directive in ["[[error 401]]", "[[refuse]]", "[[error 401]]", "[[error 529]]", "[[exit 3]]"]
    {
        let said = rig.say(&rig.owner, directive);
        rig.until("its answer", async || {
            let rows = agent::rows(&rig, &said.message_id);
            rows.first().is_some_and(agent::is_final)
        })
        .await;
    }
    let raised = told(&rig, &service, "alert.raised", "handler_down").await;
    assert!(raised["data"]["text"].as_str().unwrap().contains("failed 3 times"), "{raised}");
    rig.say(&rig.owner, "[[say well again]]");
    told(&rig, &service, "alert.cleared", "handler_down").await;
}

#[tokio::test]
async fn the_gateways_own_load_is_told_and_so_is_its_end() {
    let service = Receiver::start().await;
    let with = |memory: &str| {
        let more = format!("memory = \"{memory}\"\ncpu = 10\nafter = \"1s\"\n");
        format!("{ECHO}{QUICK}{more}{}", hook("service", &service))
    };
    // Less than any process of ours has.
    let rig = Rig::start(&with("1M")).await;
    let raised = told(&rig, &service, "alert.raised", "high_memory").await;
    assert_eq!(raised["data"]["subject"], "gateway");
    rig.configure(&with("64G"));
    assert!(rig.cli(&["reload"]).await.status.success());
    told(&rig, &service, "alert.cleared", "high_memory").await;
    rig.until("much work", async || {
        for n in 0..20 {
            rig.say(&rig.owner, &format!("work {n}"));
        }
        service.count("alert.raised", "high_cpu") > 0
    })
    .await;
    assert_eq!(service.first("alert.raised", "high_cpu")["data"]["subject"], "gateway");
    told(&rig, &service, "alert.cleared", "high_cpu").await;
}
