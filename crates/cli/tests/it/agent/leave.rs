//! An agent asks in its chat: who may answer, what each answer does, and how a question ends that
//! nobody answers.

use std::collections::BTreeSet;

use larkline_proto::id::OpenId;
use larkline_sim::{MessageRow, PressResult, Said};

use super::{answered, buttons, card, is_question, press, question, rows, start};
use crate::rig::Rig;

/// Has the agent want to run a command.
fn wants(command: &str) -> String {
    format!("[[tool Bash {{\"command\":\"{command}\"}}]]")
}

/// What a question's card says now.
fn says(rig: &Rig, asked: &MessageRow) -> String {
    let find = |row: &&MessageRow| row.message_id == asked.message_id;
    rig.sim.platform().read(|l| l.messages.iter().find(find).cloned().unwrap().text.unwrap())
}

/// Waits until a question's card has no buttons any more, and holds `words`.
async fn settled(rig: &Rig, asked: &MessageRow, words: &str) {
    rig.ledger(&format!("{words:?} in the question's card"), |l| {
        l.messages.iter().any(|row| {
            row.message_id == asked.message_id
                && row.text.as_deref().unwrap_or_default().contains(words)
                && buttons(row).is_empty()
        })
    })
    .await;
}

/// The line with which an answered question says who answered.
fn by(label: &str, who: &OpenId) -> String {
    format!("**{label}** · <at id={who}></at>")
}

fn toast(pressed: &PressResult) -> (&str, &str) {
    assert_eq!(pressed.code, 0, "{pressed:?}");
    let toast = pressed.toast.as_ref().unwrap();
    (toast["type"].as_str().unwrap(), toast["content"].as_str().unwrap())
}

/// Questions asked about a message so far, open or not.
fn questions(rig: &Rig, said: &Said) -> usize {
    let is_asked =
        |row: &MessageRow| row.msg_type == "interactive" && card(row)["header"].is_object();
    rows(rig, &said.message_id).iter().filter(|row| is_asked(row)).count()
}

#[tokio::test]
async fn allow_lets_the_tool_run_and_the_card_says_who_allowed_it() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, &wants("echo hello"));
    let asked = question(&rig, &said).await;
    assert!(asked.content.contains("Leave wanted: Bash") && asked.content.contains("echo hello"));
    let labels: Vec<String> = buttons(&asked).into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["Allow", "Always", "Deny"]);
    let pressed = press(&rig, &asked, &rig.owner, "Allow").await;
    assert_eq!(toast(&pressed), ("success", "Taken."));
    assert!(pressed.card.is_some(), "the presser sees it at once: {pressed:?}");
    answered(&rig, &said, "tool said: hello").await;
    settled(&rig, &asked, &by("Allow", &rig.owner)).await;
    assert_eq!(questions(&rig, &said), 1);
}

#[tokio::test]
async fn deny_keeps_the_tool_from_running_and_the_turn_goes_on() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, &wants(&format!("touch {}", rig.path("ran").display())));
    let asked = question(&rig, &said).await;
    press(&rig, &asked, &rig.owner, "Deny").await;
    answered(&rig, &said, "tool said: ").await;
    settled(&rig, &asked, "Deny").await;
    assert!(!rig.path("ran").exists());
    assert_eq!(super::outcome(&rig, &said).as_deref(), Some("ok"));
}

#[tokio::test]
async fn always_is_not_asked_again_for_the_same_and_for_nothing_wider() {
    let rig = start("").await;
    let directives = format!("{}{}{}", wants("echo one"), wants("echo one"), wants("echo two"));
    let said = rig.say(&rig.owner, &directives);
    let asked = question(&rig, &said).await;
    press(&rig, &asked, &rig.owner, "Always").await;
    rig.until("the second question", async || questions(&rig, &said) == 2).await;
    let second = question(&rig, &said).await;
    assert!(second.content.contains("echo two"), "{}", second.content);
    press(&rig, &second, &rig.owner, "Allow").await;
    answered(&rig, &said, "tool said: two").await;
    assert_eq!(questions(&rig, &said), 2);
}

#[tokio::test]
async fn no_answer_in_time_is_a_no_which_the_card_says_and_no_silence_of_the_agent() {
    let rig = start("ask_timeout = \"2s\"\nlimits = { idle = \"1s\" }\n").await;
    let said = rig.say(&rig.owner, &wants(&format!("touch {}", rig.path("ran").display())));
    let asked = question(&rig, &said).await;
    assert!(asked.content.contains("No answer within 2 s means no."), "{}", asked.content);
    answered(&rig, &said, "tool said: ").await;
    settled(&rig, &asked, "Nobody answered within 2 s: denied.").await;
    assert!(!rig.path("ran").exists());
    assert_eq!(super::outcome(&rig, &said).as_deref(), Some("ok"));
    let late = press(&rig, &asked, &rig.owner, "Allow").await;
    assert_eq!(toast(&late), ("info", "This question is over."));
}

#[tokio::test]
async fn a_stranger_who_presses_hears_that_he_may_not_and_nothing_happens() {
    let rig = start("").await;
    let said = rig.say_in_group(&rig.owner, &wants("echo hello"), true);
    let asked = question(&rig, &said).await;
    let before = says(&rig, &asked);
    for label in ["Allow", "Always", "Deny"] {
        let pressed = press(&rig, &asked, &rig.guest, label).await;
        let words = "Only whoever asked, and the owners, may answer.";
        assert_eq!((toast(&pressed), &pressed.card), (("error", words), &None));
    }
    assert_eq!(says(&rig, &asked), before);
    press(&rig, &asked, &rig.owner, "Allow").await;
    answered(&rig, &said, "tool said: hello").await;
}

#[tokio::test]
async fn whoever_asked_may_answer_and_so_may_approvers() {
    let rig = start("approvers = [\"{guest}\"]\n").await;
    let third = rig.sim.platform().add_user("third");
    let chat = rig.sim.platform().add_group("three", &[rig.guest.clone(), third.clone()]);
    for who in [&third, &rig.guest] {
        let said = rig.write(larkline_sim::Say {
            user: third.clone(),
            chat: chat.clone(),
            text: wants("echo hello"),
            mention_bot: true,
            ..Default::default()
        });
        let asked = question(&rig, &said).await;
        assert_eq!(toast(&press(&rig, &asked, who, "Allow").await).0, "success");
        answered(&rig, &said, "tool said: hello").await;
    }
}

#[tokio::test]
async fn a_button_that_is_pressed_twice_counts_once() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, &wants("echo hello"));
    let asked = question(&rig, &said).await;
    let (one, two) = tokio::join!(
        press(&rig, &asked, &rig.owner, "Allow"),
        press(&rig, &asked, &rig.owner, "Deny")
    );
    let mut toasts = [toast(&one), toast(&two)];
    toasts.sort_unstable();
    assert_eq!(toasts, [("info", "This question is over."), ("success", "Taken.")]);
    answered(&rig, &said, "tool said: ").await;
    let third = press(&rig, &asked, &rig.owner, "Allow").await;
    assert_eq!(toast(&third), ("info", "This question is over."));
    assert_eq!(rows(&rig, &said.message_id).len(), 2, "one question, one answer");
}

#[tokio::test]
async fn of_two_questions_at_once_each_answer_reaches_its_own() {
    let rig = start("").await;
    let mine = rig.say(&rig.owner, &wants("echo mine"));
    let yours = rig.say(&rig.guest, &wants("echo yours"));
    let (of_mine, of_yours) = (question(&rig, &mine).await, question(&rig, &yours).await);
    press(&rig, &of_yours, &rig.guest, "Allow").await;
    answered(&rig, &yours, "tool said: yours").await;
    assert!(rows(&rig, &mine.message_id).iter().any(is_question), "the other one waits");
    press(&rig, &of_mine, &rig.owner, "Allow").await;
    answered(&rig, &mine, "tool said: mine").await;
}

#[tokio::test]
async fn a_question_with_answers_of_its_own_is_asked_with_them_as_buttons() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[question Which colour?]]");
    let asked = question(&rig, &said).await;
    assert!(asked.content.contains("Which colour?"), "{}", asked.content);
    let labels: BTreeSet<String> = buttons(&asked).into_iter().map(|(label, _)| label).collect();
    assert_eq!(labels, ["A".to_owned(), "B".to_owned()].into());
    press(&rig, &asked, &rig.owner, "B").await;
    answered(&rig, &said, "\"Which colour?\"=\"B\"").await;
    settled(&rig, &asked, &by("B", &rig.owner)).await;
}

#[tokio::test]
async fn stopping_the_turn_takes_its_question_back() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, &wants("echo hello"));
    let asked = question(&rig, &said).await;
    rig.say(&rig.owner, "/stop");
    answered(&rig, &said, "Stopped by").await;
    settled(&rig, &asked, "Taken back").await;
    let late = press(&rig, &asked, &rig.owner, "Allow").await;
    assert_eq!(toast(&late), ("info", "This question is over."));
}

#[tokio::test]
async fn a_question_that_outlived_its_process_says_so_and_is_asked_anew() {
    let mut rig = start("").await;
    let said = rig.say(&rig.owner, &wants("echo hello"));
    let old = question(&rig, &said).await;
    rig.kill9().await;
    rig.run(&[]).await;
    rig.until("the question again", async || questions(&rig, &said) == 2).await;
    let pressed = press(&rig, &old, &rig.owner, "Allow").await;
    assert_eq!(toast(&pressed), ("info", "This question is over."));
    let new = rows(&rig, &said.message_id).into_iter().rfind(is_question).unwrap();
    assert_ne!(new.message_id, old.message_id);
    press(&rig, &new, &rig.owner, "Allow").await;
    rig.until("the answer", async || {
        rig.answers(&said.message_id).iter().any(|text| text.contains("tool said: hello"))
    })
    .await;
}

#[tokio::test]
async fn where_nobody_is_asked_the_setting_decides() {
    for (setting, ran) in [("deny", false), ("allow", true)] {
        let rig = start(&format!("permission = \"{setting}\"\n")).await;
        let said = rig.say(&rig.owner, &wants(&format!("touch {}", rig.path("ran").display())));
        answered(&rig, &said, "tool said: ").await;
        assert_eq!((questions(&rig, &said), rig.path("ran").exists()), (0, ran), "{setting}");
    }
}

#[tokio::test]
async fn a_card_that_a_kill_left_open_is_closed_by_the_next_start() {
    let mut rig = start("").await;
    let said = rig.say(&rig.owner, &wants("echo hello"));
    let old = question(&rig, &said).await;
    rig.kill9().await;
    rig.run(&[]).await;
    settled(&rig, &old, "No longer open: the service was restarted.").await;
    assert!(says(&rig, &old).contains("echo hello"), "it still says what it was about");
    // The turn goes on, and asks anew in a card of its own.
    let new = question(&rig, &said).await;
    assert_ne!(new.message_id, old.message_id);
    press(&rig, &new, &rig.owner, "Allow").await;
    answered(&rig, &said, "tool said: hello").await;
    assert_eq!(questions(&rig, &said), 2);
    // What another start finds is closed already.
    let before =
        rig.sim.platform().read(|l| l.messages.iter().map(|m| m.edits.len()).sum::<usize>());
    assert!(rig.stop().await.success());
    rig.run(&[]).await;
    rig.ready().await;
    let after =
        rig.sim.platform().read(|l| l.messages.iter().map(|m| m.edits.len()).sum::<usize>());
    assert_eq!(before, after);
}
