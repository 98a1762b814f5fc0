//! An answer that grows in one card, and arrives whole whatever the platform refuses.

use super::{answered, card, growing, is_final, processes, rows, start, start_on, start_watched};
use crate::proof::FAST;
use crate::rig::Rig;
use larkline_proto::id::MessageId;
use larkline_sim::{Answer, Fault, Ledger, Limits, MessageRow, Said, SimOptions};
use rustix::process::{Pid, Signal, kill_process};

/// The platform refuses a call with this code.
fn refuse(method: &str, path: &str, code: i64, times: u32) -> Fault {
    let answer = Answer::Code { status: 400, code, msg: "ErrCode: 0".to_owned(), reset_s: None };
    Fault::Api { path: path.to_owned(), method: method.to_owned(), answer, times }
}

const EVER: u32 = u32::MAX;
/// Ten words that come in ten pieces.
const TEN: &str =
    "[[say one two three four five six seven eight nine ten]][[chunks 10]][[delay 0.2]]";
const TEN_SAID: &str = "one two three four five six seven eight nine ten";

/// The forms of a card that showed a part of the ten words.
fn parts_shown(row: &MessageRow) -> usize {
    row.edits
        .iter()
        .filter(|edit| edit.content.contains("one t") && !edit.content.contains("nine ten"))
        .count()
}

/// The message was answered with these words in one card, and nothing else was said.
async fn in_one_card(rig: &Rig, said: &Said, words: &str) -> MessageRow {
    let answers = answered(rig, said, words).await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(rig.sim.platform().read(|l| l.violations.is_empty()));
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts.keys().collect::<Vec<_>>(), ["replied"], "{verdicts:?}");
    rows(rig, &said.message_id).remove(0)
}

/// Ends the agent of a turn without a word of its own, so that nothing but the end is to be said.
fn kill_agent(rig: &Rig) {
    for pid in processes(rig) {
        // One that has ended meanwhile needs no signal.
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).ok();
    }
}

#[tokio::test]
async fn an_answer_grows_in_one_card_and_is_closed_with_a_summary() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, TEN);
    let row = in_one_card(&rig, &said, TEN_SAID).await;
    assert!(parts_shown(&row) > 0, "it did not grow: {:?}", row.edits);
    let last = card(&row);
    assert_eq!(last["config"]["streaming_mode"], false);
    assert_eq!(last["config"]["summary"]["content"], TEN_SAID);
}

#[tokio::test]
async fn the_card_is_there_before_the_agent_says_anything() {
    let rig = start_watched("until [ -e {dir}/go ]; do sleep 0.05; done", "").await;
    let said = rig.say(&rig.owner, "[[say hello]]");
    growing(&rig, &said, "Working on it").await;
    assert_eq!(super::prompts(&rig).len(), 0);
    std::fs::write(rig.path("go"), "").unwrap();
    in_one_card(&rig, &said, "hello").await;
}

#[tokio::test]
async fn without_the_scope_for_entities_whole_cards_are_sent() {
    let rig = start("").await;
    rig.fault(refuse("", "/cardkit/", 99_991_672, EVER));
    let said = rig.say(&rig.owner, &TEN.replace("0.2", "0.5"));
    let row = in_one_card(&rig, &said, TEN_SAID).await;
    assert!(parts_shown(&row) > 0, "it did not grow: {:?}", row.edits);
    assert!(rig.log().contains("whole cards are sent"), "{}", rig.log());
}

#[tokio::test]
async fn refusals_in_the_middle_cost_frames_and_no_word() {
    // Streaming was switched off; a sequence came too late; streaming timed out; too many calls.
    for code in [300_309, 300_317, 200_850, 99_991_400] {
        let rig = start("").await;
        rig.fault(refuse("PUT", "/content", code, 3));
        let said = rig.say(&rig.owner, TEN);
        in_one_card(&rig, &said, TEN_SAID).await;
    }
}

#[tokio::test]
async fn refusals_at_the_end_leave_the_answer_in_its_card() {
    for code in [300_317, 200_810, 99_991_400] {
        let rig = start("").await;
        let said = rig.say(&rig.owner, "[[tell so far]][[stall]]");
        growing(&rig, &said, "so far").await;
        rig.fault(refuse("PUT", "/cards/", code, 2));
        kill_agent(&rig);
        in_one_card(&rig, &said, "so far").await;
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_in_mid_turn_costs_nothing() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[tell so far]][[stall]]");
    growing(&rig, &said, "so far").await;
    rig.fault(Fault::RevokeTokens);
    kill_agent(&rig);
    in_one_card(&rig, &said, "so far").await;
}

#[tokio::test]
async fn an_answer_of_the_platform_that_is_lost_makes_no_second_card() {
    let rig = start("").await;
    rig.fault(Fault::LoseAnswer { path: "/reply".to_owned(), times: 1 });
    let said = rig.say(&rig.owner, "[[say hello]]");
    in_one_card(&rig, &said, "hello").await;
}

#[tokio::test]
async fn a_card_whose_last_form_is_refused_is_closed_and_the_answer_comes_beside_it() {
    let rig = start("").await;
    rig.fault(refuse("", "/cardkit/", 99_991_672, EVER));
    let said = rig.say(&rig.owner, "[[tell so far]][[stall]]");
    growing_whole(&rig, &said).await;
    rig.fault(refuse("PATCH", "/messages/", 230_099, 1));
    kill_agent(&rig);
    rig.until("the answer", async || rows(&rig, &said.message_id).len() == 2).await;
    let rows = rows(&rig, &said.message_id);
    assert!(rows.iter().all(is_final), "{rows:?}");
    assert_eq!(rows[0].text.as_deref(), Some("⬇️"));
    assert!(rows[1].text.as_deref().unwrap().contains("so far"), "{rows:?}");
    assert_eq!(rows[1].msg_type, "interactive");
}

/// Waits until the card shows the words so far, in whatever form.
async fn growing_whole(rig: &Rig, said: &Said) {
    let id: MessageId = said.message_id.clone();
    rig.until("a card", async || rows(rig, &id).iter().any(|row| row.content.contains("so far")))
        .await;
}

#[tokio::test]
async fn what_no_card_may_hold_arrives_as_a_post_a_text_or_a_file() {
    for (refused, form) in [(1, "post"), (2, "text"), (3, "file")] {
        let rig = start("").await;
        rig.fault(refuse("", "/cardkit/", 99_991_672, EVER));
        let said = rig.say(&rig.owner, "[[tell so far]][[stall]]");
        growing_whole(&rig, &said).await;
        rig.fault(refuse("PATCH", "/messages/", 230_099, EVER));
        rig.fault(refuse("POST", "/reply", 230_099, refused));
        kill_agent(&rig);
        rig.until("the answer", async || rows(&rig, &said.message_id).len() == 2).await;
        let row = rows(&rig, &said.message_id).remove(1);
        assert_eq!(row.msg_type, form);
        if form != "file" {
            assert!(row.text.unwrap().contains("so far"), "{form}");
        }
        assert_eq!(rig.verdicts().await["replied"], 1);
    }
}

#[tokio::test]
async fn a_card_that_is_taken_back_while_it_grows_takes_no_answer_with_it() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[tell so far]][[stall]]");
    let row = growing(&rig, &said, "so far").await;
    let events = rig.sim.platform().recall(&row.message_id).unwrap();
    rig.ledger("the recall's ack", |l| {
        events.iter().all(|id| l.event(id).is_some_and(|event| event.done))
    })
    .await;
    kill_agent(&rig);
    rig.until("the answer", async || rows(&rig, &said.message_id).len() == 2).await;
    let rows = rows(&rig, &said.message_id);
    assert!(rows[1].text.as_deref().unwrap().contains("so far"), "{rows:?}");
}

#[tokio::test]
async fn a_message_that_is_taken_back_in_mid_turn_is_still_answered() {
    for stream in [true, false] {
        let rig = start(&format!("stream = {stream}\n")).await;
        let said = rig.say(&rig.owner, "[[tell so far]][[stall]]");
        if stream {
            growing(&rig, &said, "so far").await;
        } else {
            // It keeps its conversation there from its prompt on.
            rig.until("the agent", async || rig.path(".claude").exists()).await;
        }
        rig.sim.platform().recall(&said.message_id).unwrap();
        kill_agent(&rig);
        let ends = |row: &MessageRow| {
            is_final(row) && row.text.as_deref().unwrap_or_default().contains("ended unexpectedly")
        };
        rig.ledger("the answer", |l| l.in_chat(&said.chat_id).any(ends)).await;
        assert_eq!(rig.sim.platform().read(|l| l.messages.len()), 1, "{stream}");
    }
}

#[tokio::test]
async fn a_long_answer_comes_in_numbered_cards_in_order() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[long 60000]]");
    let numbers = |rows: &[MessageRow]| -> Vec<String> {
        let text = |row: &MessageRow| row.text.clone().unwrap_or_default();
        let number = |text: String| {
            text.lines().rev().find_map(|line| {
                let start = line.find('(')?;
                Some(line[start..].split(')').next()?.to_owned() + ")")
            })
        };
        rows.iter().map(text).filter_map(number).collect()
    };
    rig.until("all parts", async || {
        let rows = rows(&rig, &said.message_id);
        let last = numbers(&rows).pop().unwrap_or_default();
        let (this, of) = last.trim_matches(['(', ')']).split_once('/').unwrap_or(("0", "1"));
        this == of && rows.iter().all(is_final)
    })
    .await;
    let rows = rows(&rig, &said.message_id);
    let count = rows.len();
    assert!(count >= 2, "{count}");
    let wanted: Vec<String> = (1..=count).map(|n| format!("({n}/{count})")).collect();
    assert_eq!(numbers(&rows), wanted);
    let digits: usize = rows
        .iter()
        .flat_map(|row| row.text.as_deref().unwrap_or_default().lines())
        .filter(|line| line.len() > 100)
        .map(|line| line.chars().filter(char::is_ascii_digit).count())
        .sum();
    assert_eq!(digits, 60_000);
    assert!(rows.iter().all(|row| row.content.len() <= 30 * 1024));
    assert!(rig.sim.platform().read(|l| l.violations.is_empty()));
}

#[tokio::test]
async fn more_tables_than_a_card_may_hold_are_all_there() {
    let rig = start("").await;
    let table = |n: u32| format!("| head {n} | b |\n|---|---|\n| cell {n} | y |\n");
    let tables: Vec<String> = (1..=7).map(table).collect();
    let said = rig.say(&rig.owner, &format!("[[say {}]]", tables.join("\n")));
    let everything =
        |rows: &[MessageRow]| -> String { rows.iter().map(|row| row.content.clone()).collect() };
    rig.until("the last table", async || {
        let rows = rows(&rig, &said.message_id);
        rows.iter().all(is_final) && everything(&rows).contains("cell 7")
    })
    .await;
    let rows = rows(&rig, &said.message_id);
    let all = everything(&rows);
    assert!((1..=7).all(|n| all.contains(&format!("cell {n}"))), "{all}");
    assert!(rig.sim.platform().read(|l| l.calls.iter().all(|c| c.code.unwrap_or(0) == 0)));
}

#[tokio::test]
async fn where_nothing_is_to_grow_one_message_is_sent_and_no_card_is_changed() {
    let rig = start("stream = false\n").await;
    let said = rig.say(&rig.owner, TEN);
    let row = in_one_card(&rig, &said, TEN_SAID).await;
    assert!(row.edits.is_empty());
    let paths: Vec<String> =
        rig.sim.platform().read(|l| l.calls.iter().map(|c| c.path.clone()).collect());
    assert!(!paths.iter().any(|path| path.contains("cardkit")), "{paths:?}");
}

#[tokio::test]
async fn a_hundred_chats_with_a_hundred_agents_at_once_lose_and_double_nothing() {
    let options = SimOptions { limits: Limits::unlimited(), ..SimOptions::default() };
    let rig = start_on(options, &format!("concurrency = 100\n{FAST}")).await;
    let people: Vec<_> =
        (0..100).map(|n| rig.sim.platform().add_user(&format!("person {n}"))).collect();
    let said: Vec<(usize, usize, Said)> = (0..2)
        .flat_map(|round| (0..people.len()).map(move |n| (round, n)))
        .map(|(round, n)| {
            let who = &people[n];
            (round, n, rig.say(who, &format!("[[say round {round} of {n}]]")))
        })
        .collect();
    let whole = |l: &Ledger, said: &Said, words: &str| {
        let mut rows = l.replies_to(&said.message_id);
        let is_whole = |row: &MessageRow| {
            is_final(row) && row.text.as_deref().unwrap_or_default().starts_with(words)
        };
        rows.next().is_some_and(is_whole) && rows.next().is_none()
    };
    rig.ledger("two hundred answers", |l| {
        said.iter().all(|(round, n, said)| whole(l, said, &format!("round {round} of {n}")))
    })
    .await;
    assert_eq!(rig.verdicts().await["replied"], 200);
    rig.sim.platform().read(|l| {
        assert_eq!(l.messages.len(), 200);
        assert!(l.violations.is_empty(), "{:?}", l.violations);
    });
    assert_eq!(rig.json(&["sessions", "--limit", "300"]).await.as_array().unwrap().len(), 100);
}
