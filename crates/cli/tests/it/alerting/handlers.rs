//! What handlers do to the machine and to those who wait, and the gateway itself.

use std::convert::Infallible;
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
    let with = |memory: &str, cpu: u32| {
        let more = format!("memory = \"{memory}\"\ncpu = {cpu}\nafter = \"1s\"\n");
        format!("{ECHO}{QUICK}{more}{}", hook("service", &service))
    };
    // Less memory than any process of ours has, and more processors than any machine.
    let rig = Rig::start(&with("1M", 100_000)).await;
    let raised = told(&rig, &service, "alert.raised", "high_memory").await;
    assert_eq!(raised["data"]["subject"], "gateway");
    rig.configure(&with("64G", 100_000));
    assert!(rig.cli(&["reload"]).await.status.success());
    told(&rig, &service, "alert.cleared", "high_memory").await;
    // What the start cost is over.
    assert_eq!(service.count("alert.raised", "high_cpu"), 0);
    rig.configure(&with("64G", 10));
    assert!(rig.cli(&["reload"]).await.status.success());
    let raised = tokio::select! {
        never = busy(&rig) => match never {},
        raised = told(&rig, &service, "alert.raised", "high_cpu") => raised,
    };
    assert_eq!(raised["data"]["subject"], "gateway");
    told(&rig, &service, "alert.cleared", "high_cpu").await;
}

/// Work that is over as soon as nobody asks any more, whatever the machine is.
async fn busy(rig: &Rig) -> Infallible {
    loop {
        let page = || rig.get("/metrics");
        tokio::join!(page(), page(), page(), page());
    }
}
