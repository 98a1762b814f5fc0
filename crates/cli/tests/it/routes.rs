//! Who reaches which handler.

use std::collections::BTreeMap;
use std::time::Duration;

use larkline_sim::{Said, Say};

use crate::rig::{ECHO, Rig, read};

const LONG_AGO: Duration = Duration::from_secs(2 * 3600);

fn counts(pairs: &[(&str, u64)]) -> BTreeMap<String, u64> {
    pairs.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

/// Waits until that many events have a verdict.
async fn settled(rig: &Rig, events: u64) -> BTreeMap<String, u64> {
    rig.until("every verdict", async || rig.verdicts().await.values().sum::<u64>() == events).await;
    rig.verdicts().await
}

#[tokio::test]
async fn the_mention_policy_is_kept_per_chat_and_never_gates_a_direct_chat() {
    let mut rig = Rig::new("").await;
    let everyone = [rig.owner.clone(), rig.guest.clone()];
    let open = rig.sim.platform().add_group("open", &everyone);
    let routes = ["always", "never", "auto"].map(|mention| {
        let chats = match mention {
            "always" => "chats = [\"{group}\"]".to_owned(),
            "never" => format!("chats = [\"{open}\"]"),
            _ => String::new(),
        };
        format!("[[route]]\nname = \"{mention}\"\n{chats}\nmention = \"{mention}\"\nhandler = \"echo\"\n")
    });
    rig.configure(&routes.concat());
    rig.run(&[]).await;
    rig.ready().await;
    let say = |chat: &larkline_proto::id::ChatId, mention_bot| {
        let (user, chat) = (rig.guest.clone(), chat.clone());
        rig.write(Say { user, chat, text: "words".to_owned(), mention_bot, ..Say::default() })
    };
    let unlisted = rig.sim.platform().add_group("unlisted", &everyone);
    let (silent, quiet) = (say(&rig.group, false), say(&unlisted, false));
    let heard = [
        say(&rig.group, true),
        say(&open, false),
        say(&unlisted, true),
        rig.say(&rig.guest, "words"),
    ];
    for said in &heard {
        assert_eq!(rig.answered(said).await, ["words"]);
    }
    let verdicts = settled(&rig, 6).await;
    assert_eq!(verdicts, counts(&[("replied", 4), ("filtered/not_mentioned", 2)]));
    for said in [silent, quiet] {
        assert_eq!(rig.answers(&said.message_id), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_route_with_a_chat_list_is_reached_from_no_other_chat() {
    let rig = Rig::start("[[route]]\nchats = [\"{group}\"]\nhandler = \"echo\"\n").await;
    rig.say(&rig.owner, "elsewhere");
    let here = rig.say_in_group(&rig.owner, "here", true);
    assert_eq!(rig.answered(&here).await, ["here"]);
    let verdicts = settled(&rig, 2).await;
    assert_eq!(verdicts, counts(&[("replied", 1), ("filtered/no_route", 1)]));
}

#[tokio::test]
async fn two_routes_answer_one_message_when_the_one_before_says_also() {
    let config = r#"
[[route]]
match = { keywords = ["P0"] }
handler = "alarm"
also = true
[[route]]
handler = "desk"
[[route]]
handler = "alarm"
[handler.alarm]
kind = "echo"
prefix = "alarm: "
[handler.desk]
kind = "echo"
prefix = "desk: "
"#;
    let rig = Rig::start(config).await;
    let both = rig.say(&rig.guest, "P0 down");
    let one = rig.say(&rig.guest, "tea?");
    rig.ledger("three answers", |l| l.messages.len() == 3).await;
    let mut answers = rig.answers(&both.message_id);
    answers.sort();
    assert_eq!(answers, ["alarm: P0 down", "desk: P0 down"]);
    assert_eq!(rig.answers(&one.message_id), ["desk: tea?"]);
    assert_eq!(settled(&rig, 2).await, counts(&[("replied", 2)]), "one verdict a message");
}

#[tokio::test]
async fn two_events_with_the_same_words_are_both_handled() {
    let rig = Rig::start(ECHO).await;
    let said: [Said; 2] = [rig.say(&rig.guest, "again"), rig.say(&rig.guest, "again")];
    for said in &said {
        assert_eq!(rig.answered(said).await, ["again"]);
    }
    assert_eq!(settled(&rig, 2).await, counts(&[("replied", 2)]));
}

#[tokio::test]
async fn mentions_are_read_as_names_and_a_flag_tells_whether_the_bot_is_meant() {
    let config = "[[route]]\nmention = \"never\"\nsenders = \"everyone\"\nhandler = \"what\"\n[handler.what]\nkind = \"command\"\nargv = [\"{dir}/what.sh\"]\n";
    let mut rig = Rig::new(config).await;
    rig.script("what.sh", r#"grep -oE '"(text|mentioned)":("[^"]*"|true|false)' | sort"#);
    rig.run(&[]).await;
    rig.ready().await;
    for mention_bot in [true, false] {
        let said = rig.write(Say {
            chat: rig.group.clone(),
            user: rig.guest.clone(),
            text: "look".to_owned(),
            mention_bot,
            mentions: vec![rig.owner.clone()],
            ..Say::default()
        });
        let answer = rig.answered(&said).await.concat();
        assert!(answer.contains(&format!("\"mentioned\":{mention_bot}")), "{answer}");
        assert!(answer.contains("@owner look\""), "{answer}");
        assert!(!answer.contains("@_user_"), "{answer}");
    }
}

#[tokio::test]
async fn on_a_fresh_install_a_stranger_runs_nothing_and_the_owner_does() {
    let config = "[[route]]\nhandler = \"sh\"\n[handler.sh]\nkind = \"command\"\nargv = [\"{dir}/run.sh\"]\n";
    let mut rig = Rig::new(config).await;
    let ran = rig.path("ran");
    rig.script(
        "run.sh",
        &format!("grep -oE '\"sender_id\":\"[^\"]*\"' >> {}\necho done", ran.display()),
    );
    rig.run(&[]).await;
    rig.ready().await;
    let stranger = rig.say(&rig.guest, "rm -rf");
    let owner = rig.say(&rig.owner, "uptime");
    assert_eq!(rig.answered(&owner).await, ["done"]);
    let verdicts = settled(&rig, 2).await;
    assert_eq!(verdicts, counts(&[("replied", 1), ("filtered/sender_not_allowed", 1)]));
    assert_eq!(read(&ran), format!("\"sender_id\":\"{}\"\n", rig.owner));
    assert_eq!(rig.answers(&stranger.message_id), Vec::<String>::new());
}

#[tokio::test]
async fn without_any_owner_a_command_runs_for_nobody() {
    let config = "[[route]]\nhandler = \"sh\"\n[handler.sh]\nkind = \"command\"\nargv = [\"{dir}/run.sh\"]\n";
    let mut rig = Rig::new(config).await;
    rig.script("run.sh", "touch ran");
    let owners = format!("owners = [\"{}\"]", rig.owner);
    rig.amend(&owners, "owners = []");
    rig.run(&[]).await;
    rig.ready().await;
    rig.say(&rig.owner, "uptime");
    rig.say(&rig.guest, "uptime");
    assert_eq!(settled(&rig, 2).await, counts(&[("filtered/sender_not_allowed", 2)]));
    assert!(!rig.path("ran").exists());
}

#[tokio::test]
async fn other_bots_are_not_heard_and_the_bot_never_hears_itself() {
    let rig = Rig::start(ECHO).await;
    let platform = rig.sim.platform();
    let chat = platform.p2p(&rig.guest).unwrap();
    rig.forge(&"ou_another_bot".into(), "app", &chat, Duration::ZERO);
    rig.forge(&"ou_another_bot".into(), "bot", &chat, Duration::ZERO);
    rig.forge(&platform.bot_open_id(), "app", &chat, Duration::ZERO);
    let verdicts = settled(&rig, 3).await;
    assert_eq!(verdicts, counts(&[("filtered/from_bot", 2), ("filtered/self", 1)]));
    assert_eq!(rig.said_in(&chat), Vec::<String>::new());
}

#[tokio::test]
async fn bots_that_are_allowed_are_cut_off_when_they_talk_in_a_loop() {
    let config = "[[route]]\nbots = true\nhandler = \"echo\"\n";
    let rig = Rig::start(config).await;
    let chat = rig.sim.platform().p2p(&rig.guest).unwrap();
    let talk = || {
        (0..12)
            .for_each(|_| drop(rig.forge(&"ou_another_bot".into(), "app", &chat, Duration::ZERO)))
    };
    talk();
    let verdicts = settled(&rig, 12).await;
    assert_eq!(verdicts, counts(&[("replied", 10), ("filtered/bot_loop", 2)]));
    rig.answered(&rig.say(&rig.guest, "a person")).await;
    talk();
    let verdicts = settled(&rig, 25).await;
    assert_eq!(verdicts, counts(&[("replied", 21), ("filtered/bot_loop", 4)]));
}

#[tokio::test]
async fn an_old_message_is_handled_by_default_asked_about_or_skipped_with_a_notice() {
    let policies = [
        ("", None),
        ("stale_after = \"1h\"\nstale = \"skip\"\n", Some("was not handled")),
        ("stale_after = \"1h\"\nstale = \"ask\"\n", Some("does it still matter?")),
    ];
    for (policy, notice) in policies {
        let rig = Rig::start(&format!("[[route]]\n{policy}handler = \"echo\"\n")).await;
        let chat = rig.sim.platform().p2p(&rig.guest).unwrap();
        rig.forge(&rig.guest, "user", &chat, LONG_AGO);
        rig.ledger("a word about it", |l| l.in_chat(&chat).count() == 1).await;
        let words = rig.said_in(&chat).concat();
        let verdicts = settled(&rig, 1).await;
        match notice {
            None => {
                assert_eq!(words, "forged");
                assert_eq!(verdicts, counts(&[("replied", 1)]));
            }
            Some(notice) => {
                assert!(words.contains(notice), "{words}");
                assert_eq!(verdicts, counts(&[("filtered/stale", 1)]));
            }
        }
    }
}

#[tokio::test]
async fn a_person_over_the_limit_gets_one_polite_notice() {
    let rig = Rig::start(&format!("{ECHO}[governor]\nuser_per_minute = 2\n")).await;
    for n in 0..6 {
        rig.say(&rig.guest, &format!("message {n}"));
    }
    let other = rig.say(&rig.owner, "another person");
    assert_eq!(rig.answered(&other).await, ["another person"]);
    let verdicts = settled(&rig, 7).await;
    assert_eq!(verdicts, counts(&[("replied", 3), ("filtered/rate_limited", 4)]));
    let chat = rig.sim.platform().p2p(&rig.guest).unwrap();
    rig.ledger("the notice", |l| l.in_chat(&chat).count() >= 3).await;
    rig.until("an empty outbox", async || {
        rig.status().await.is_some_and(|s| s["depths"]["outbox"] == 0)
    })
    .await;
    let words = rig.said_in(&chat);
    assert_eq!(words.iter().filter(|w| w.contains("please wait")).count(), 1, "{words:?}");
    assert_eq!(words.len(), 3, "{words:?}");
}
