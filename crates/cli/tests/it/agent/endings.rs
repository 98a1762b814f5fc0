//! Every way in which a turn can end: its own sentence, one final answer, nothing left running,
//! and a gateway that answers the next message.

use std::collections::BTreeSet;

use larkline_sim::Said;

use super::{answered, nothing_left, outcome, rows, start};
use crate::rig::{LARKLINE, Rig};

/// What the agent does, the word for it in the log, and what its chat is told.
type End = (&'static str, &'static str, &'static str);

/// Ends that the agent itself tells.
const TOLD: [End; 10] = [
    ("[[say all is well]]", "ok", "all is well"),
    ("[[say ]]", "ok", "Done, with nothing to say"),
    ("[[refuse]]", "refused", "The model refused to answer"),
    (
        "[[maxturns]]",
        "limit",
        "A limit was reached, the answer may be incomplete. Reached maximum number of turns",
    ),
    (
        "[[maxbudget]]",
        "limit",
        "A limit was reached, the answer may be incomplete. Reached maximum budget",
    ),
    ("[[notloggedin]]", "auth", "`coder` is not logged in"),
    ("[[error 401]]", "auth", "its key is refused"),
    ("[[retry 2]][[error 529]]", "overloaded", "overloaded, also after retries"),
    ("[[error 429]]", "overloaded", "overloaded, also after retries"),
    ("[[error 400]]", "failed", "The agent gave up: API Error: 400"),
];

/// Ends of a process that told none.
const SILENT: [End; 4] = [
    ("[[exit 0]]", "failed", "exited with code 0 without a result"),
    ("[[exit 3]]", "failed", "exited with code 3 without a result"),
    ("[[half]]", "failed", "exited with code 1 without a result"),
    ("[[nostart]]", "failed", "told not to start"),
];

/// Has the agent end so; the one answer.
async fn ends(rig: &Rig, (directive, word, sentence): End) -> (Said, String) {
    let said = rig.say(&rig.owner, directive);
    let answers = answered(rig, &said, sentence).await;
    assert_eq!(answers.len(), 1, "{directive}: {answers:?}");
    rig.until("the word of the end", async || outcome(rig, &said).is_some()).await;
    assert_eq!(outcome(rig, &said).as_deref(), Some(word), "{directive}");
    (said, answers[0].clone())
}

/// The daemon is the one that was there before, and answers.
async fn goes_on(rig: &Rig, pid: u32) {
    ends(rig, ("[[say still here]]", "ok", "still here")).await;
    assert_eq!(rig.status().await.unwrap()["pid"], pid);
    nothing_left(rig).await;
    assert!(!rig.log().contains("panic"), "{}", rig.log());
}

#[tokio::test]
async fn an_end_that_the_agent_tells_has_its_own_sentence_and_one_answer() {
    let rig = start("").await;
    let mut said = Vec::new();
    for end in TOLD {
        said.push(ends(&rig, end).await.0);
    }
    goes_on(&rig, rig.pid()).await;
    for said in &said {
        assert_eq!(rows(&rig, &said.message_id).len(), 1, "a second answer came later");
    }
    let verdicts = rig.verdicts().await;
    assert_eq!(verdicts["replied"], TOLD.len() as u64 + 1, "{verdicts:?}");
    assert_eq!(rig.json(&["dead"]).await.as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn a_process_that_ends_without_a_word_about_it_is_said_to_have_and_what_it_said_is_kept() {
    let rig = start("").await;
    let mut sentences = BTreeSet::new();
    for end in SILENT {
        let (_, answer) = ends(&rig, end).await;
        assert!(answer.contains("ended unexpectedly"), "{end:?}: {answer}");
        sentences.insert(answer.lines().next().unwrap_or_default().to_owned());
    }
    assert_eq!(sentences.len(), SILENT.len(), "{sentences:?}");
    let half = ("[[tell as far as it came]][[exit 3]]", "failed", "code 3");
    let (_, answer) = ends(&rig, half).await;
    assert!(answer.starts_with("as far as it came\n"), "{answer}");
    goes_on(&rig, rig.pid()).await;
}

#[tokio::test]
async fn lines_that_are_garbage_no_utf_8_or_50_mb_long_are_passed_over() {
    let rig = start("").await;
    let pid = rig.pid();
    for noise in ["[[garbage]]", "[[badutf8]]", "[[bigline 50000000]]"] {
        let said = rig.say(&rig.owner, &format!("{noise}[[say heard you]]"));
        assert_eq!(answered(&rig, &said, "heard you").await.len(), 1, "{noise}");
    }
    assert!(rig.log().contains("a line of the agent was too long"), "{}", rig.log());
    goes_on(&rig, pid).await;
}

#[tokio::test]
async fn a_program_that_does_not_exist_is_a_dead_letter_and_its_chat_is_told_in_the_card() {
    let rig = start("retry = { attempts = 2, first = \"100ms\" }\n").await;
    rig.amend(LARKLINE, "/nowhere/agent");
    rig.signal(rustix::process::Signal::HUP);
    rig.logged("configuration reloaded").await;
    let said = rig.say(&rig.owner, "hello");
    let answers = answered(&rig, &said, "`coder` cannot be started").await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    let dead = rig.json(&["dead"]).await;
    assert_eq!(dead[0]["code"], "spawn");
    assert!(dead[0]["error"].as_str().unwrap().contains("/nowhere/agent"), "{dead}");
    assert_eq!(rig.verdicts().await["failed/spawn"], 1);
    // Put right and retried by hand, the same message is answered.
    rig.amend("/nowhere/agent", LARKLINE);
    rig.signal(rustix::process::Signal::HUP);
    rig.until("the second reload", async || {
        rig.log().matches("configuration reloaded").count() == 2
    })
    .await;
    goes_on(&rig, rig.pid()).await;
}

#[tokio::test]
async fn an_agent_that_ignores_the_request_to_end_is_ended_at_its_wall_limit() {
    let rig = start("limits = { wall = \"1s\" }\n\n[limits]\nkill_grace = \"1s\"\n").await;
    let pid = rig.pid();
    let end = ("[[ignoreterm]][[tell begun]][[hang]]", "wall", "Ended after 1 s, its limit");
    let (_, answer) = ends(&rig, end).await;
    assert!(answer.starts_with("begun"), "{answer}");
    nothing_left(&rig).await;
    goes_on(&rig, pid).await;
}

#[tokio::test]
async fn silence_beyond_the_idle_limit_ends_a_turn() {
    let rig = start("limits = { idle = \"1s\" }\n").await;
    ends(&rig, ("[[stall]]", "idle", "Ended after 1 s of silence")).await;
    goes_on(&rig, rig.pid()).await;
}

#[tokio::test]
async fn output_beyond_its_limit_ends_a_turn() {
    let rig = start("limits = { output = \"64K\" }\n").await;
    ends(&rig, ("[[bigline 200000]][[hang]]", "output", "printing more than its limit of 64K"))
        .await;
    goes_on(&rig, rig.pid()).await;
}

#[tokio::test]
async fn a_memory_hog_is_killed_at_its_limit_and_the_service_stays_up() {
    let rig = start("limits = { memory = \"128M\" }\n").await;
    let end = ("[[hog 400]][[hang]]", "memory", "taking more memory than its limit of 128M");
    ends(&rig, end).await;
    goes_on(&rig, rig.pid()).await;
}

#[tokio::test]
async fn more_processes_than_allowed_end_a_turn_and_none_of_them_stays() {
    let rig = start("permission = \"allow\"\nlimits = { processes = 8 }\n").await;
    let command = "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 60 & done; wait";
    let directive = format!("[[tool Bash {{\"command\":\"{command}\"}}]]");
    let said = rig.say(&rig.owner, &directive);
    answered(&rig, &said, "starting more than 8 processes").await;
    assert_eq!(outcome(&rig, &said).as_deref(), Some("processes"));
    goes_on(&rig, rig.pid()).await;
}

#[tokio::test]
async fn what_forked_away_into_a_session_of_its_own_is_gone_when_the_turn_is_over() {
    let rig = start("").await;
    for fork in ["[[fork]]", "[[fork held]]"] {
        let said = rig.say(&rig.owner, fork);
        let answers = answered(&rig, &said, "left behind").await;
        assert_eq!(answers.len(), 1, "{answers:?}");
        nothing_left(&rig).await;
    }
    goes_on(&rig, rig.pid()).await;
}
