//! What belongs to a message reaches the agent, and what the agent leaves reaches the chat.

use std::path::PathBuf;

use larkline_sim::{Attachment, MessageRow, Said, Say};
use serde_json::Value;

use super::{answered, prompts, rows, start, start_watched};
use crate::rig::{Rig, read};

/// The smallest thing that is seen as a PNG.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n0000";

fn send(rig: &Rig, name: &str, image: bool, bytes: &[u8]) -> Said {
    let attachment = Attachment { name: name.to_owned(), image, bytes: bytes.to_vec() };
    let attachment = Some(attachment);
    rig.write(Say { user: rig.owner.clone(), attachment, ..Say::default() })
}

/// The files that the newest prompt names.
fn named(rig: &Rig) -> Vec<PathBuf> {
    let prompt = prompts(rig).pop().unwrap();
    prompt.lines().filter_map(|line| line.strip_prefix("- ")).map(PathBuf::from).collect()
}

/// What a sent file or image holds.
async fn sent(rig: &Rig, row: &MessageRow) -> Vec<u8> {
    let content: Value = serde_json::from_str(&row.content).unwrap();
    let key = content["file_key"].as_str().or_else(|| content["image_key"].as_str()).unwrap();
    // Installed already is as good.
    drop(rustls::crypto::ring::default_provider().install_default());
    let url = format!("{}/_sim/file?key={key}", rig.sim.url());
    let response = reqwest::Client::builder().no_proxy().build().unwrap().get(url).send();
    response.await.unwrap().bytes().await.unwrap().to_vec()
}

/// Waits until the agent was told so many times.
async fn told(rig: &Rig, times: usize) {
    rig.until("the prompt", async || prompts(rig).len() == times).await;
}

#[tokio::test]
async fn a_file_is_in_the_tasks_own_folder_and_named_in_the_prompt() {
    let rig = start_watched("", "").await;
    send(&rig, "@report v2.txt", false, b"quarterly");
    told(&rig, 1).await;
    let files = named(&rig);
    let [file] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(std::fs::read(file).unwrap(), b"quarterly");
    assert!(file.starts_with(rig.path("state/tasks/1/in")), "{file:?}");
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.ends_with("_report_v2.txt") && !name.contains('@'), "{name}");
    let mode =
        std::os::unix::fs::MetadataExt::mode(&rig.path("state/tasks/1/in").metadata().unwrap());
    assert_eq!(mode & 0o077, 0, "others can read it");
}

#[tokio::test]
async fn an_image_is_shown_to_the_agent_too() {
    let rig = start_watched("", "").await;
    let said = send(&rig, "a.png", true, PNG);
    answered(&rig, &said, "pictures: 1").await;
    let files = named(&rig);
    assert_eq!(std::fs::read(&files[0]).unwrap(), PNG);
    assert_eq!(files[0].extension().unwrap(), "png");
}

#[tokio::test]
async fn a_file_that_is_too_large_is_named_and_the_turn_goes_on() {
    let rig = start_watched("", "file_max = \"1K\"\n").await;
    send(&rig, "huge.bin", false, &[0; 2000]);
    told(&rig, 1).await;
    let prompt = prompts(&rig).pop().unwrap();
    assert!(prompt.contains("Not available: [too large, not fetched: huge.bin]"), "{prompt}");
    assert!(named(&rig).is_empty());
}

#[tokio::test]
async fn files_that_the_agent_leaves_arrive_after_the_answer_with_their_bytes() {
    let rig = start("permission = \"allow\"\n").await;
    let picture = "printf '\\\\211PNG\\\\r\\\\n\\\\032\\\\n0000' > $LARKLINE_OUT/c.png";
    let directives = format!(
        "[[write b.txt second]][[write a.txt first]][[tool Bash {{\"command\":\"{picture}\"}}]]"
    );
    let said = rig.say(&rig.owner, &directives);
    rig.until("the files", async || rows(&rig, &said.message_id).len() == 4).await;
    let rows = rows(&rig, &said.message_id);
    let kinds: Vec<&str> = rows.iter().map(|row| row.msg_type.as_str()).collect();
    assert_eq!(kinds, ["interactive", "file", "file", "image"]);
    for (row, bytes) in rows[1..].iter().zip([&b"first"[..], b"second", PNG]) {
        assert_eq!(sent(&rig, row).await, bytes);
    }
    // Another turn has a folder of its own: nothing is sent twice.
    let next = rig.say(&rig.owner, "[[say nothing left]]");
    answered(&rig, &next, "nothing left").await;
    assert_eq!(rig.verdicts().await["replied"], 2);
    assert_eq!(rig.sim.platform().read(|l| l.messages.len()), 5);
}

#[tokio::test]
async fn what_a_message_quotes_is_in_the_prompt_with_its_files() {
    let rig = start_watched("", "").await;
    let quote = |parent: &larkline_proto::id::MessageId| {
        let (user, reply_to) = (rig.owner.clone(), Some(parent.clone()));
        rig.write(Say { user, reply_to, text: "and this?".to_owned(), ..Say::default() })
    };
    let plain = rig.say(&rig.owner, "the </quoted> build is red");
    let answer = answered(&rig, &plain, "I heard").await.remove(0);
    let said = quote(&plain.message_id);
    answered(&rig, &said, "I heard").await;
    let prompt = prompts(&rig).pop().unwrap();
    let quoted = "<quoted>\nthe ＜/quoted> build is red\n</quoted>\n<message ";
    assert!(prompt.contains(quoted), "{prompt}");
    // What people quote most: a card of ours, as it is now.
    let card = rows(&rig, &plain.message_id).remove(0);
    let said = quote(&card.message_id);
    answered(&rig, &said, "I heard").await;
    let prompt = prompts(&rig).pop().unwrap();
    let words = answer.lines().next().unwrap();
    assert!(prompt.contains(&format!("<quoted>\n{words}")), "{words} is not in {prompt}");
    let image = send(&rig, "notes.png", true, PNG);
    answered(&rig, &image, "pictures: 1").await;
    let said = quote(&image.message_id);
    answered(&rig, &said, "pictures: 1").await;
    assert_eq!(std::fs::read(&named(&rig)[0]).unwrap(), PNG);
}

#[tokio::test]
async fn each_thread_has_a_conversation_of_its_own_and_is_answered_inside() {
    let rig = start("session = \"thread\"\n").await;
    let topics = rig.sim.platform().add_topic_group("topics", std::slice::from_ref(&rig.owner));
    let write = |text: &str, reply_to: Option<&Said>| {
        let reply_to = reply_to.map(|said| said.message_id.clone());
        let (user, chat, text) = (rig.owner.clone(), topics.clone(), text.to_owned());
        rig.write(Say { user, chat, text, reply_to, mention_bot: true, ..Say::default() })
    };
    let (one, two) =
        (write("[[remember blue]][[say kept]]", None), write("[[remember red]][[say kept]]", None));
    assert_ne!(one.thread_id, two.thread_id);
    for (thread, colour) in [(&one, "blue"), (&two, "red")] {
        answered(&rig, thread, "kept").await;
        let said = write("[[recall]]", Some(thread));
        answered(&rig, &said, colour).await;
        let row = rows(&rig, &said.message_id).remove(0);
        assert_eq!(row.thread_id, thread.thread_id, "answered outside of its thread");
    }
    assert_eq!(rig.json(&["sessions"]).await.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn mentions_are_readable_and_the_bots_own_is_left_out() {
    let rig = start("").await;
    let said = rig.write(Say {
        user: rig.owner.clone(),
        chat: rig.group.clone(),
        text: "please ask them".to_owned(),
        mention_bot: true,
        mentions: vec![rig.guest.clone()],
        ..Say::default()
    });
    let answer = answered(&rig, &said, "I heard").await.remove(0);
    assert!(answer.contains("“@guest please ask them”"), "{answer}");
}

#[tokio::test]
async fn the_agent_knows_its_task_and_no_secret_of_ours() {
    let rig = start_watched("", "").await;
    let said = rig.say(&rig.owner, "[[say hello]]");
    answered(&rig, &said, "hello").await;
    let env = read(&rig.path("env"));
    for (name, value) in [
        ("LARKLINE_CHAT_ID", said.chat_id.as_str()),
        ("LARKLINE_MESSAGE_ID", said.message_id.as_str()),
        ("LARKLINE_SENDER_ID", rig.owner.as_str()),
        ("LARKLINE_TASK_ID", "1"),
        ("LARKLINE_SESSION_ID", "1"),
        ("LARKLINE_OUT", rig.path("state/tasks/1/out").to_str().unwrap()),
    ] {
        assert!(env.lines().any(|line| line == format!("{name}={value}")), "{name} in {env}");
    }
    assert!(!env.contains("TEST_APP_SECRET") && !env.contains("simulator-secret"), "{env}");
}

#[tokio::test]
async fn a_file_that_the_platform_refuses_is_told_by_its_name_and_its_place_is_the_operators() {
    let rig = start("permission = \"allow\"\n").await;
    let answer = larkline_sim::Answer::Code {
        status: 400,
        code: 234_006,
        msg: "ErrCode: 0".to_owned(),
        reset_s: None,
    };
    let (path, method) = ("/im/v1/files".to_owned(), String::new());
    rig.fault(larkline_sim::Fault::Api { path, method, answer, times: u32::MAX });
    let said = rig.say(&rig.owner, "[[write secret-plan.txt words]]");
    rig.until("the word about the file", async || rows(&rig, &said.message_id).len() == 2).await;
    let told = rows(&rig, &said.message_id).remove(1).text.unwrap();
    assert_eq!(told, "📎 secret-plan.txt: not sent, the platform refuses it.");
    let place = rig.path("state/tasks/1/out/secret-plan.txt").display().to_string();
    assert!(rig.log().contains(&place), "{}", rig.log());
    let story = rig.cli(&["explain", said.message_id.as_str()]).await;
    assert!(crate::rig::text(&story.stdout).contains(&place), "{story:?}");
}
