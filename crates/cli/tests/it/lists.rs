//! What people read when they look for a message or a chat.

use crate::language::in_chinese;
use crate::rig::{ECHO, Rig, text};

#[tokio::test]
async fn the_last_messages_of_a_chat_have_local_time_direction_and_outcome() {
    let rig = Rig::start(ECHO).await;
    let elsewhere = rig.say(&rig.owner, "elsewhere");
    rig.answered(&elsewhere).await;
    let aside = rig.say_in_group(&rig.guest, "to nobody", false);
    let said = rig.say_in_group(&rig.guest, "to the bot", true);
    rig.answered(&said).await;
    rig.verdicts().await;
    let list = async |limit: &str| {
        let mut command = rig.command();
        command.args(["messages", "--chat", rig.group.as_str(), "--limit", limit]);
        let output = command.env("TZ", "TEST-5:30").output().await.unwrap();
        text(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = list("3").await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    let expected = [
        ["outbound", "delivered", "to the bot"],
        ["inbound", "replied", "to the bot"],
        ["inbound", "filtered (not_mentioned)", "to nobody"],
    ];
    for (line, parts) in lines[1..].iter().zip(expected) {
        let time = line.split_whitespace().next().unwrap();
        assert!(time.ends_with("+05:30"), "{line}: local time");
        assert!(parts.iter().all(|part| line.contains(part)), "{line}: {parts:?}");
        assert!(line.contains(rig.group.as_str()), "{line}");
    }
    assert!(lines[3].contains(aside.message_id.as_str()));
    assert_eq!(list("1").await.len(), 2);
}

#[tokio::test]
async fn a_chat_that_writes_is_shown_with_id_and_name_ready_to_paste() {
    let mut rig = Rig::start(ECHO).await;
    rig.say_in_group(&rig.guest, "hello", false);
    let direct = rig.say(&rig.guest, "hello").chat_id;
    for chat in [&rig.group, &direct] {
        rig.logged(&format!("chats = [\"{chat}\"]")).await;
    }
    let log = rig.log();
    let line = log.lines().find(|l| l.contains(&format!("chats = [\"{}\"]", rig.group))).unwrap();
    assert!(line.contains("name=\"group\""), "{line}");
    let named = async || text(&rig.cli(&["chats"]).await.stdout);
    rig.until("the names", async || named().await.contains("direct chat with")).await;
    let shown = named().await;
    let row = shown.lines().find(|l| l.contains(rig.group.as_str())).unwrap();
    assert!(row.ends_with(" group"), "{shown}");
    let row = shown.lines().find(|l| l.contains(direct.as_str())).unwrap();
    assert!(row.ends_with(&format!("direct chat with {}", rig.guest)), "{shown}");
    let chinese = in_chinese(&rig, &["chats"]).await;
    assert!(chinese.contains(&format!("与 {} 的单聊", rig.guest)), "{chinese}");
    // Known is known, over restarts too: no second line, no second call.
    rig.kill9().await;
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.say_in_group(&rig.guest, "again", true);
    rig.answered(&said).await;
    assert_eq!(rig.log().matches("seen for the first time").count(), 2);
    let asked = format!("/chats/{}", rig.group);
    let calls =
        rig.sim.platform().read(|l| l.calls.iter().filter(|c| c.path.ends_with(&asked)).count());
    assert_eq!(calls, 1);
}

#[tokio::test]
async fn nothing_that_others_wrote_steers_the_terminal() {
    let fails = "[[route]]\nsenders = \"everyone\"\nhandler = \"work\"\n[handler.work]\nkind = \"command\"\nargv = [\"{dir}/work\"]\nretry = { attempts = 1 }\n";
    let mut rig = Rig::new(fails).await;
    rig.script("work", "printf '\\033]0;pwned\\007 \\302\\233 no paper\\rnothing' >&2; exit 3");
    let group = rig.sim.platform().add_group("evil \u{1b}[2J name", &[rig.guest.clone()]);
    rig.run(&[]).await;
    rig.ready().await;
    let said = rig.write(larkline_sim::Say {
        user: rig.guest.clone(),
        chat: group,
        text: "go".to_owned(),
        mention_bot: true,
        ..larkline_sim::Say::default()
    });
    rig.answered(&said).await;
    let shown = async |args: &[&str]| text(&rig.cli(args).await.stdout);
    rig.until("the name", async || shown(&["chats"]).await.contains("evil \\x1b[2J name")).await;
    for args in [&["chats"][..], &["dead"], &["explain", said.message_id.as_str()]] {
        let shown = shown(args).await;
        let obeyed = |c: &char| c.is_control() && *c != '\n';
        assert_eq!(shown.chars().find(obeyed), None, "{args:?}: {shown:?}");
    }
    assert!(shown(&["dead"]).await.contains("\\x1b]0;pwned\\x07"));
}
