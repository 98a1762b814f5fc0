//! The first steps of `docs/llm.md` and `docs/agents.md`, walked: their files, what they say one sees.

use super::model::Model;
use super::{answer, answered};
use crate::agent;
use crate::guide::fences;
use crate::rig::{LARKLINE, Rig};

/// The owner's id in the guides.
const OWNER: &str = "ou_7d8a6e6df7621556ce0d21922b676706";

#[tokio::test]
async fn the_guide_leads_from_no_key_to_a_model_that_answers() {
    let model = Model::start().await;
    let file = fences("docs/llm.md", "toml").remove(0);
    let service = "provider = \"qwen\"";
    assert!(file.contains(service), "{file}");
    let mut rig = Rig::new(&file.replace(service, &format!("base_url = \"{}\"", model.url))).await;
    rig.run(&[]).await;
    rig.ready().await;
    rig.logged("`DASHSCOPE_API_KEY` is not set").await;
    let said = rig.say(&rig.guest, "hello");
    assert!(answer(&rig, &said).await.contains("no API key yet"));

    let key = fences("docs/llm.md", "ini").remove(0).replace('…', "0123456789");
    std::fs::write(rig.path(".env"), key + "\n").unwrap();
    assert!(rig.cli(&["reload"]).await.status.success());
    let said = rig.say(&rig.guest, "hello");
    assert_eq!(answer(&rig, &said).await, "echo: hello");
    let [system, asked] = &model.messages()[..] else { panic!("two messages") };
    assert!(system.starts_with("system: You are assistant, a helpful assistant"), "{system}");
    assert_eq!(asked, "user: hello");
    assert_eq!(model.asked()[0].key, "Bearer sk-0123456789");
    let sessions = rig.cli(&["sessions"]).await;
    assert!(crate::rig::text(&sessions.stdout).contains("assistant"), "{sessions:?}");
}

#[tokio::test]
async fn the_guide_leads_to_an_agent_that_asks_for_leave() {
    let file = fences("docs/agents.md", "toml").remove(0);
    let (owners, rest) = file.split_once("\n\n").unwrap();
    assert_eq!(owners, format!("[app.main]\nowners = [\"{OWNER}\"]"));
    let mut rig = Rig::new(rest).await;
    std::fs::create_dir(rig.path("bin")).unwrap();
    std::os::unix::fs::symlink(LARKLINE, rig.path("bin/larkline")).unwrap();
    let path = std::env::var("PATH").unwrap();
    rig.env.insert("PATH", format!("{}:{path}", rig.path("bin").display()));
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say_in_group(
        &rig.owner,
        "[[tool Bash {\"command\": \"mkdir made\"}]] [[say done]]",
        true,
    );
    let question = agent::question(&rig, &said).await;
    agent::press(&rig, &question, &rig.owner, "Allow").await;
    answered(&rig, &said, "done").await;
    // Nobody else reaches it, and a group needs a mention.
    rig.say(&rig.guest, "hello");
    rig.say_in_group(&rig.owner, "hello", false);
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["filtered/sender_not_allowed"], 1, "{verdicts:?}");
    assert_eq!(verdicts["filtered/not_mentioned"], 1, "{verdicts:?}");
}
