//! What single rules find, and when it is over.

use larkline_sim::{Answer, Fault};

use crate::alerting::receivers::Receiver;
use crate::alerting::{QUICK, hook, started, told};
use crate::disk::SmallDisk;
use crate::rig::{ECHO, Rig, WORK};

#[tokio::test]
async fn five_failed_attempts_in_a_row_are_told_and_the_attempts_go_on() {
    let service = Receiver::start().await;
    let rig = started(&hook("service", &service)).await;
    rig.fault(Fault::Endpoint { answer: Answer::Html { status: 502 }, times: 10_000 });
    rig.fault(Fault::Rst);
    let raised = told(&rig, &service, "alert.raised", "reconnects_failing").await;
    assert!(
        raised["data"]["text"].as_str().unwrap().contains("attempts to connect failed"),
        "{raised}"
    );
    let attempt = async || rig.status().await.unwrap()["apps"][0]["link"]["attempt"].as_u64();
    let then = attempt().await;
    rig.until("another attempt", async || attempt().await > then).await;
    rig.fault(Fault::Clear);
    told(&rig, &service, "alert.cleared", "reconnects_failing").await;
}

#[tokio::test]
async fn pings_without_an_answer_are_told_and_over_by_themselves() {
    let service = Receiver::start().await;
    let quick = QUICK.replace("[link]", "[link]\nping_max = \"1s\"\npong_timeout = \"1s\"");
    let rule = "rule.pong_missing = { after = \"1s\" }\n";
    let rig = Rig::start(&format!("{ECHO}{quick}{rule}{}", hook("service", &service))).await;
    rig.fault(Fault::NoPong);
    let raised = told(&rig, &service, "alert.raised", "pong_missing").await;
    assert!(raised["data"]["text"].as_str().unwrap().contains("no answer to a ping"), "{raised}");
    rig.fault(Fault::Clear);
    told(&rig, &service, "alert.cleared", "pong_missing").await;
}

#[tokio::test]
async fn an_unanswered_message_is_told_with_chat_message_and_stage_and_nothing_a_person_wrote() {
    let service = Receiver::start().await;
    let work = WORK.replace("senders", "answer_within = \"1s\"\nsenders");
    let mut rig = Rig::new(&format!("{work}{QUICK}{}", hook("service", &service))).await;
    rig.script("work", "until [ -e go ]; do sleep 0.05; done; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say(&rig.guest, "a word that is private");
    let raised = told(&rig, &service, "alert.raised", "unanswered").await;
    let words = raised["data"]["text"].as_str().unwrap();
    let explain = format!("next: larkline explain {}", said.message_id);
    for part in
        [said.chat_id.as_str(), said.message_id.as_str(), "handler work is at work", &explain]
    {
        assert!(words.contains(part), "{part} is not in {words}");
    }
    assert!(!service.got().iter().any(|got| got.body.contains("private")));
    std::fs::write(rig.path("go"), "").unwrap();
    told(&rig, &service, "alert.cleared", "unanswered").await;
}

#[tokio::test]
async fn a_handler_that_fails_and_what_is_given_up_are_told_until_somebody_acts() {
    let service = Receiver::start().await;
    let rules = "rule.handler_down = { threshold = 2 }\n";
    let work = format!("{WORK}retry = {{ attempts = 1 }}\n");
    let mut rig = Rig::new(&format!("{work}{QUICK}{rules}{}", hook("service", &service))).await;
    rig.script("work", "[ -e well ] && echo fine");
    rig.run(&[]).await;
    rig.ready().await;
    for n in 0..2 {
        let said = rig.say(&rig.guest, &format!("try {n}"));
        rig.answered(&said).await;
    }
    let down = told(&rig, &service, "alert.raised", "handler_down").await;
    assert_eq!(down["data"]["subject"], "work");
    told(&rig, &service, "alert.raised", "dead_letters").await;
    std::fs::write(rig.path("well"), "").unwrap();
    let said = rig.say(&rig.guest, "again");
    assert_eq!(rig.answered(&said).await, ["fine"]);
    told(&rig, &service, "alert.cleared", "handler_down").await;
    assert_eq!(service.count("alert.cleared", "dead_letters"), 0, "nobody has looked yet");
    for letter in rig.json(&["dead"]).await.as_array().unwrap() {
        let id = format!("t{}", letter["item"]["task"]);
        assert!(rig.cli(&["dead", "drop", &id]).await.status.success(), "{letter}");
    }
    told(&rig, &service, "alert.cleared", "dead_letters").await;
}

#[tokio::test]
async fn a_quota_that_is_used_up_is_told_until_a_call_succeeds() {
    let service = Receiver::start().await;
    let rig = started(&hook("service", &service)).await;
    rig.fault(Fault::Quota { left: 0 });
    rig.say(&rig.guest, "hello");
    told(&rig, &service, "alert.raised", "quota_used_up").await;
    rig.fault(Fault::Clear);
    let said = rig.say(&rig.owner, "hello");
    rig.answered(&said).await;
    told(&rig, &service, "alert.cleared", "quota_used_up").await;
}

#[tokio::test]
async fn a_crash_loop_a_greedy_child_and_a_full_queue_are_told() {
    let service = Receiver::start().await;
    let more = "memory = \"64M\"\ncpu = 100000\nafter = \"1s\"\nboots = 2\nboots_within = \"1h\"\n";
    let config =
        format!("{WORK}\n[limits]\nqueue_max = 2\n{QUICK}{more}{}", hook("service", &service));
    let mut rig = Rig::new(&config).await;
    // `tail` keeps a line without an end in memory.
    rig.script("work", "(head -c 96000000 /dev/zero; until [ -e go ]; do sleep 0.05; done) | tail -n 1 >/dev/null; echo done");
    rig.run(&[]).await;
    rig.ready().await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    let loops = told(&rig, &service, "alert.raised", "crash_loop").await;
    assert!(loops["data"]["text"].as_str().unwrap().contains("started 2 times"), "{loops}");
    for n in 0..4 {
        rig.say(&rig.owner, &format!("take much {n}"));
    }
    told(&rig, &service, "alert.raised", "queue_full").await;
    let greedy = told(&rig, &service, "alert.raised", "high_memory").await;
    assert!(greedy["data"]["subject"].as_str().unwrap().starts_with("work (task "), "{greedy}");
    std::fs::write(rig.path("go"), "").unwrap();
    told(&rig, &service, "alert.cleared", "queue_full").await;
    told(&rig, &service, "alert.cleared", "high_memory").await;
}

#[tokio::test]
async fn a_disk_that_fills_up_is_told_although_nothing_can_be_written_down() {
    let service = Receiver::start().await;
    let low = "rule.disk_low = { enabled = true, threshold = 1, after = \"0s\" }";
    let quick = QUICK.replace("rule.disk_low = { enabled = false }", low);
    let mut rig = Rig::new(&format!("{ECHO}{quick}{}", hook("service", &service))).await;
    let Some(disk) = SmallDisk::mount(rig.path("state")) else { return };
    rig.run(&[]).await;
    rig.ready().await;
    disk.fill();
    rig.say(&rig.guest, "during");
    told(&rig, &service, "alert.raised", "store_refuses").await;
    told(&rig, &service, "alert.raised", "disk_low").await;
    disk.free();
    told(&rig, &service, "alert.cleared", "store_refuses").await;
    told(&rig, &service, "alert.cleared", "disk_low").await;
}

#[tokio::test]
async fn a_deaf_link_and_a_refused_secret_are_told() {
    let service = Receiver::start().await;
    let quick = QUICK.replace("[link]", "[link]\nsuspect_after = \"1s\"");
    let rig = Rig::start(&format!("{ECHO}{quick}{}", hook("service", &service))).await;
    rig.fault(Fault::OnlineCount { count: 0 });
    told(&rig, &service, "alert.raised", "deaf").await;
    rig.fault(Fault::Clear);
    rig.answered(&rig.say(&rig.owner, "heard")).await;
    told(&rig, &service, "alert.cleared", "deaf").await;
    rig.fault(Fault::Endpoint {
        answer: Answer::Code {
            status: 200,
            code: 1_000_040_345,
            msg: "wrong".to_owned(),
            reset_s: None,
        },
        times: 10_000,
    });
    rig.fault(Fault::Rst);
    told(&rig, &service, "alert.raised", "credentials_refused").await;
}
