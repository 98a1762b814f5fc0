//! A service that stops, is killed or reloads in the middle of a turn: the turn is not thrown away,
//! its answer arrives once, and nobody reads of signals.

use larkline_sim::{Answer, Fault, Ledger, Said};
use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;

use super::{
    answered, growing, is_final, nothing_left, processes, prompts, rows, start, start_watched,
};
use crate::rig::{LARKLINE, Rig, read};

const ALLOWED: &str = "permission = \"allow\"\n";
/// A stop that waits for nothing.
const HASTY: &str = "\n[limits]\ndrain = \"1s\"\nkill_grace = \"1s\"\n";
/// One that waits as long as it takes.
const PATIENT: &str = "\n[limits]\ndrain = \"10m\"\n";
/// What the chat is told by a stop that does not wait.
const RESTARTING: &str = "The service is restarting; this work goes on by itself afterwards.";

/// Has the agent work until the file `release` is there.
fn work(rig: &Rig) -> String {
    let dir = rig.dir.path().display();
    let command = format!(
        "echo $$ >> {dir}/runs; until [ -e {dir}/release ]; do sleep 0.05; done; echo done"
    );
    format!("[[tool Bash {{\"command\":\"{command}\"}}]]")
}

/// Waits until the work has begun so many times.
async fn begun(rig: &Rig, times: usize) {
    let runs = async || read(&rig.path("runs")).lines().count() >= times;
    rig.until(&format!("run {times} of the work"), runs).await;
}

fn release(rig: &Rig) {
    std::fs::write(rig.path("release"), "").unwrap();
}

async fn sessions(rig: &Rig) -> Vec<Value> {
    rig.json(&["sessions"]).await.as_array().unwrap().clone()
}

/// The agent's own id of the only conversation.
async fn agent_session(rig: &Rig) -> String {
    let sessions = sessions(rig).await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions[0]["agent_session"].as_str().unwrap_or_else(|| panic!("{sessions:?}")).to_owned()
}

/// One row answers the message, and nothing that was ever shown speaks of interruptions or signals.
fn once_and_in_peace(rig: &Rig, said: &Said) {
    assert_eq!(rows(rig, &said.message_id).len(), 1, "{:?}", rig.answers(&said.message_id));
    let shown = |l: &Ledger| -> Vec<String> {
        let rows = l.messages.iter();
        rows.flat_map(|m| {
            std::iter::once(m.content.clone()).chain(m.edits.iter().map(|e| e.content.clone()))
        })
        .collect()
    };
    for content in rig.sim.platform().read(shown) {
        let lower = content.to_lowercase();
        for word in ["interrupt", "signal", "sigint", "sigterm", "cancelled", "已中断"] {
            assert!(!lower.contains(word), "{word} in {content}");
        }
    }
}

#[tokio::test]
async fn a_turn_that_ends_within_the_drain_is_finished_and_hears_no_signal() {
    let mut rig = start(&format!("{ALLOWED}{PATIENT}")).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    // As a terminal does it: to everybody in the gateway's group.
    let group = Pid::from_raw(i32::try_from(rig.pid()).unwrap()).unwrap();
    kill_process_group(group, Signal::INT).unwrap();
    rig.logged("waiting for running tasks").await;
    release(&rig);
    assert!(rig.exit().await.success());
    let row = rows(&rig, &said.message_id).remove(0);
    assert!(is_final(&row) && row.text.unwrap().contains("tool said: done"));
    once_and_in_peace(&rig, &said);
    rig.run(&[]).await;
    rig.ready().await;
    assert_eq!(rig.verdicts().await["replied"], 1);
    assert_eq!(read(&rig.path("runs")).lines().count(), 1, "it ran once");
    assert_eq!(sessions(&rig).await[0]["state"], "active");
}

#[tokio::test]
async fn beyond_the_drain_the_chat_is_told_and_the_next_start_goes_on_in_the_same_card() {
    let mut rig = start_watched("", &format!("{ALLOWED}{HASTY}")).await;
    let first = rig.say(&rig.owner, "[[remember blue]][[say kept]]");
    answered(&rig, &first, "kept").await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    let before = agent_session(&rig).await;
    assert!(rig.stop().await.success());
    let log = rig.log();
    assert!(log.contains("waiting for running tasks") && log.contains("drain deadline reached"));
    assert!(processes(&rig).is_empty(), "children outlived the service");
    let row = rows(&rig, &said.message_id).remove(0);
    assert!(row.text.as_deref().unwrap_or_default().contains(RESTARTING), "{row:?}");
    let stopped = &sessions(&rig).await[0];
    assert_eq!(
        (&stopped["state"], &stopped["agent_session"]),
        (&"suspended".into(), &before.clone().into())
    );
    rig.run(&[]).await;
    begun(&rig, 2).await;
    release(&rig);
    let answers = answered(&rig, &said, "tool said: done").await;
    assert!(!answers[0].contains(RESTARTING), "{answers:?}");
    once_and_in_peace(&rig, &said);
    assert_eq!(agent_session(&rig).await, before, "another conversation was resumed");
    let argv = read(&rig.path("argv"));
    assert!(argv.lines().last().unwrap().contains(&format!("--resume {before}")), "{argv}");
    let told = prompts(&rig);
    assert!(told.last().unwrap().contains("restarted while you worked"), "{told:?}");
    let recall = rig.say(&rig.owner, "[[recall]]");
    answered(&rig, &recall, "blue").await;
    let page = rig.metrics().await;
    let resumed = "larkline_session_resumes_total{handler=\"coder\",result=\"ok\"}";
    assert!(page.contains(resumed), "{page}");
    assert_eq!(rig.verdicts().await["replied"], 3);
}

#[tokio::test]
async fn while_the_agent_is_silent_after_a_restart_the_card_says_that_it_goes_on() {
    let mut rig = start(HASTY).await;
    let said = rig.say(&rig.owner, "[[tell as far as it came]][[stall]]");
    growing(&rig, &said, "as far as it came").await;
    assert!(rig.stop().await.success());
    let row = rows(&rig, &said.message_id).remove(0);
    let text = row.text.unwrap_or_default();
    assert!(text.contains("as far as it came") && text.contains(RESTARTING), "{text}");
    // An agent that thinks long about how to go on.
    rig.script("silent", "exec sleep 600");
    let argv = format!("argv = [\"{}\"]", rig.path("silent").display());
    rig.amend(&format!("argv = [\"{LARKLINE}\", \"scripted-agent\"]"), &argv);
    rig.run(&[]).await;
    rig.until("the word", async || {
        rows(&rig, &said.message_id)[0].content.contains("The service was restarted; going on")
    })
    .await;
    assert!(!rows(&rig, &said.message_id)[0].content.contains(RESTARTING));
}

#[tokio::test]
async fn a_session_moves_by_the_table_and_each_step_has_its_time_and_cause() {
    let mut rig = start(&format!("{ALLOWED}{HASTY}")).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    assert!(rig.stop().await.success());
    rig.run(&[]).await;
    release(&rig);
    answered(&rig, &said, "tool said: done").await;
    let new = rig.say(&rig.owner, "/new");
    answered(&rig, &new, "A new conversation begins.").await;
    let story = rig.json(&["sessions", "show", "1"]).await;
    let steps: Vec<_> = story["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| {
            let word = |name: &str| step[name].as_str().unwrap_or("-").to_owned();
            assert!(step["at_ms"].as_i64().unwrap() > 1_600_000_000_000);
            (word("from"), word("to"), word("cause"))
        })
        .collect();
    let steps: Vec<_> = steps
        .iter()
        .map(|(from, to, cause)| (from.as_str(), to.as_str(), cause.as_str()))
        .collect();
    assert_eq!(
        steps,
        [
            ("-", "new", "message"),
            ("new", "active", "message"),
            ("active", "processing", "message"),
            ("processing", "suspended", "restart"),
            ("suspended", "processing", "resume"),
            ("processing", "active", "ok"),
            ("active", "completed", "new"),
        ]
    );
    // Terminated by the operator, a session is over for good.
    assert!(rig.cli(&["sessions", "end", "1"]).await.status.success());
    let back = rig.say(&rig.owner, "/resume 1");
    answered(&rig, &back, "There is no such conversation.").await;
    assert_eq!(sessions(&rig).await.len(), 2);
}

#[tokio::test]
async fn after_a_kill_in_mid_turn_the_id_is_on_disk_and_the_run_goes_on_in_one_process() {
    let mut rig = start(ALLOWED).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    let before = agent_session(&rig).await;
    let old = processes(&rig);
    assert!(!old.is_empty());
    rig.kill9().await;
    assert_eq!(agent_session(&rig).await, before, "on disk before the run ended");
    rig.run(&[]).await;
    begun(&rig, 2).await;
    let now = processes(&rig);
    assert!(old.iter().all(|pid| !now.contains(pid)), "two hold one conversation");
    release(&rig);
    answered(&rig, &said, "tool said: done").await;
    once_and_in_peace(&rig, &said);
    assert_eq!(agent_session(&rig).await, before);
    let steps = rig.json(&["sessions", "show", "1"]).await["steps"].clone();
    let causes: Vec<_> = steps.as_array().unwrap().iter().map(|s| s["cause"].clone()).collect();
    assert!(causes.contains(&"resume".into()), "{causes:?}");
    assert_eq!(rig.verdicts().await["replied"], 1);
}

#[tokio::test]
async fn a_second_signal_kills_the_agent_at_once_and_the_turn_goes_on_after_the_start() {
    let mut rig = start(&format!("{ALLOWED}{PATIENT}")).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    rig.signal(Signal::TERM);
    rig.logged("waiting for running tasks").await;
    rig.signal(Signal::TERM);
    assert!(rig.exit().await.success());
    assert!(processes(&rig).is_empty(), "children outlived the service");
    rig.run(&[]).await;
    begun(&rig, 2).await;
    release(&rig);
    answered(&rig, &said, "tool said: done").await;
    once_and_in_peace(&rig, &said);
}

#[tokio::test]
async fn any_number_of_restarts_clears_no_conversation() {
    let mut rig = start("").await;
    let said = rig.say(&rig.owner, "[[remember blue]][[say kept]]");
    answered(&rig, &said, "kept").await;
    let before = agent_session(&rig).await;
    for n in 0..6 {
        if n % 2 == 0 {
            assert!(rig.stop().await.success());
        } else {
            rig.kill9().await;
        }
        rig.run(&[]).await;
        rig.ready().await;
        assert_eq!(agent_session(&rig).await, before, "after start {n}");
    }
    let said = rig.say(&rig.owner, "[[recall]]");
    answered(&rig, &said, "blue").await;
    assert_eq!(agent_session(&rig).await, before);
}

#[tokio::test]
async fn an_id_that_the_agent_does_not_know_any_more_is_said_and_a_fresh_one_begun() {
    let rig = start("").await;
    let said = rig.say(&rig.owner, "[[remember blue]][[say kept]]");
    answered(&rig, &said, "kept").await;
    let before = agent_session(&rig).await;
    std::fs::remove_dir_all(rig.path(".claude")).unwrap();
    let said = rig.say(&rig.owner, "[[say hello again]]");
    let answers = answered(&rig, &said, "hello again").await;
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!(answers[0].contains("cannot be resumed; this is a fresh one"), "{answers:?}");
    let after = agent_session(&rig).await;
    assert_ne!(after, before);
    let story = rig.json(&["sessions", "show", "1"]).await.to_string();
    assert!(story.contains(&before), "the old id is gone from the history: {story}");
    let page = rig.metrics().await;
    assert!(
        page.contains("larkline_session_resumes_total{handler=\"coder\",result=\"unknown\"} 1"),
        "{page}"
    );
    let said = rig.say(&rig.owner, "[[say and on]]");
    assert!(!answered(&rig, &said, "and on").await[0].contains("fresh"), "said once");
    assert_eq!(agent_session(&rig).await, after);
}

#[tokio::test]
async fn a_reload_in_mid_turn_lets_it_finish_and_keeps_the_order_of_its_chat() {
    let rig = start(ALLOWED).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    let next = rig.say(&rig.owner, "[[say the next]]");
    rig.signal(Signal::HUP);
    rig.logged("configuration reloaded").await;
    let other = rig.say(&rig.guest, "[[say elsewhere]]");
    answered(&rig, &other, "elsewhere").await;
    assert!(rig.answers(&next.message_id).is_empty(), "two turns in one conversation");
    release(&rig);
    answered(&rig, &said, "tool said: done").await;
    answered(&rig, &next, "the next").await;
    once_and_in_peace(&rig, &said);
    assert_eq!(read(&rig.path("runs")).lines().count(), 1);
}

#[tokio::test]
async fn two_chats_at_once_are_both_told_and_each_goes_on_with_its_own_conversation() {
    let mut rig = start(&format!("{ALLOWED}{HASTY}")).await;
    let people = [rig.owner.clone(), rig.guest.clone()];
    for (who, colour) in people.iter().zip(["blue", "red"]) {
        let said = rig.say(who, &format!("[[remember {colour}]][[say kept]]"));
        answered(&rig, &said, "kept").await;
    }
    let said: Vec<Said> = people.iter().map(|who| rig.say(who, &work(&rig))).collect();
    begun(&rig, 2).await;
    let ids = |sessions: &[Value]| -> Vec<Value> {
        sessions.iter().map(|s| s["agent_session"].clone()).collect()
    };
    let before = ids(&sessions(&rig).await);
    assert!(rig.stop().await.success());
    for said in &said {
        let row = rows(&rig, &said.message_id).remove(0);
        assert!(row.text.as_deref().unwrap_or_default().contains(RESTARTING), "{row:?}");
    }
    rig.run(&[]).await;
    begun(&rig, 4).await;
    release(&rig);
    for said in &said {
        answered(&rig, said, "tool said: done").await;
        once_and_in_peace(&rig, said);
    }
    for (who, colour) in people.iter().zip(["blue", "red"]) {
        let said = rig.say(who, "[[recall]]");
        answered(&rig, &said, colour).await;
    }
    let mut after = ids(&sessions(&rig).await);
    after.sort_by_key(ToString::to_string);
    let mut before = before;
    before.sort_by_key(ToString::to_string);
    assert_eq!(after, before);
    assert_ne!(before[0], before[1]);
}

#[tokio::test]
async fn death_before_and_after_the_agents_id_is_known_loses_and_doubles_nothing() {
    for (point, restarted) in [("agent_started", false), ("agent_heard", true)] {
        let mut rig = start_watched("", ALLOWED).await;
        assert!(rig.stop().await.success());
        rig.env.insert("LARKLINE_FAILPOINT", format!("{point}:1"));
        rig.run(&[]).await;
        let said = rig.say(&rig.owner, "[[say once]]");
        assert!(!rig.exit().await.success(), "{point} was not reached");
        rig.env.remove("LARKLINE_FAILPOINT");
        rig.run(&[]).await;
        answered(&rig, &said, "once").await;
        once_and_in_peace(&rig, &said);
        nothing_left(&rig).await;
        let told = prompts(&rig).pop().unwrap();
        assert_eq!(told.contains("restarted while you worked"), restarted, "{point}: {told}");
        assert_eq!(rig.verdicts().await["replied"], 1);
    }
}

#[tokio::test]
async fn a_run_that_may_not_be_repeated_is_not_promised_to_go_on() {
    let mut rig = start(&format!("{ALLOWED}retry = {{ attempts = 1 }}\n{HASTY}")).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    assert!(rig.stop().await.success());
    let row = rows(&rig, &said.message_id).remove(0);
    let text = row.text.unwrap_or_default();
    assert!(text.contains("is not done again by itself") && !text.contains("goes on"), "{text}");
    rig.run(&[]).await;
    rig.until("the dead letter", async || rig.json(&["dead"]).await.as_array().unwrap().len() == 1)
        .await;
    assert_eq!(read(&rig.path("runs")).lines().count(), 1, "it ran once");
    assert_eq!(rows(&rig, &said.message_id).len(), 1);
}

#[tokio::test]
async fn the_word_of_a_restart_that_comes_too_late_is_not_shown_over_what_goes_on() {
    let mut rig = start(&format!("{ALLOWED}{HASTY}")).await;
    let said = rig.say(&rig.owner, &work(&rig));
    begun(&rig, 1).await;
    growing(&rig, &said, "").await;
    // The card cannot be changed until the service is gone.
    let answer =
        Answer::Code { status: 400, code: 99_991_400, msg: "ErrCode: 0".to_owned(), reset_s: None };
    let (path, method) = ("/cards/".to_owned(), "PUT".to_owned());
    rig.fault(Fault::Api { path, method, answer, times: u32::MAX });
    assert!(rig.stop().await.success());
    rig.fault(Fault::Clear);
    rig.run(&[]).await;
    begun(&rig, 2).await;
    release(&rig);
    answered(&rig, &said, "tool said: done").await;
    once_and_in_peace(&rig, &said);
    let row = rows(&rig, &said.message_id).remove(0);
    let told = row.edits.iter().filter(|edit| edit.content.contains(RESTARTING)).count();
    assert_eq!(told, 0, "{:?}", row.edits);
}
