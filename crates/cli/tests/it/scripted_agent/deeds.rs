//! What the agent does because of its directives.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal};
use serde_json::json;

use super::{ASKED, Agent, PARTIAL, Place};
use crate::rig::{PATIENCE, read};

/// Lets every command run.
const BASH: [&str; 2] = ["--allowedTools", "Bash"];

/// Waits for a condition outside of this process.
async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let waited = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waited).await.is_ok(), "{what} did not come");
}

/// A command that writes its process id and stays.
fn staying(place: &Place) -> (String, PathBuf) {
    let file = place.path("pid");
    let command = format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 600", file.display());
    let input = json!({ "command": command });
    (format!("[[tool Bash {input}]]"), file)
}

/// Whether a process runs; one that has ended and waits for its parent does not.
fn runs(pid: i32) -> bool {
    let stat = read(Path::new(&format!("/proc/{pid}/stat")));
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

fn kill(pid: i32) {
    rustix::process::kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
}

/// Starts the staying command; its process id.
async fn begun(agent: &mut Agent, place: &Place) -> i32 {
    let (directive, file) = staying(place);
    agent.say(&directive).await;
    until("the command", || file.exists()).await;
    read(&file).trim().parse().unwrap()
}

#[tokio::test]
async fn a_command_outlives_a_sigterm_and_not_an_interrupt() {
    let place = Place::new();
    let mut agent = place.start(&[&BASH]);
    let pid = begun(&mut agent, &place).await;
    agent.signal(Signal::TERM);
    let (status, _) = agent.gone().await;
    assert!(!status.success());
    assert!(runs(pid), "the command went with the agent");
    kill(pid);
    std::fs::remove_file(place.path("pid")).unwrap();

    let mut agent = place.start(&[&BASH]);
    let pid = begun(&mut agent, &place).await;
    agent.interrupt().await;
    assert_eq!(agent.until("result").await["terminal_reason"], "aborted_tools");
    until("the end of the command", || !runs(pid)).await;
    assert_eq!(agent.end().await.0, Some(1));
}

#[tokio::test]
async fn a_message_that_comes_while_a_tool_runs_belongs_to_the_turn() {
    let place = Place::new();
    let mut agent = place.start(&[&ASKED]);
    agent.say("[[tool Bash {\"command\":\"echo d\"}]]").await;
    let question = agent.until("control_request").await;
    agent.say("[[say second]]").await;
    agent.allow(&question).await;
    agent.end().await;
    let results: Vec<_> =
        agent.printed().into_iter().filter(|line| line["type"] == "result").collect();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0]["result"], "tool said: d");
}

#[tokio::test]
async fn a_question_that_nobody_can_answer_any_more_is_denied_and_the_turn_goes_on() {
    let place = Place::new();
    let mut agent = place.start(&[&ASKED]);
    agent.say("[[tool Bash {\"command\":\"echo d\"}]]").await;
    agent.until("control_request").await;
    assert_eq!(agent.end().await.0, Some(0));
    let result = agent.printed().pop().unwrap();
    assert_eq!(result["permission_denials"].as_array().unwrap().len(), 1);
    assert!(result["result"].as_str().unwrap().contains("stream closed"));
}

#[tokio::test]
async fn what_is_remembered_is_known_to_a_resumed_conversation_in_the_same_directory_alone() {
    let id = "11111111-2222-4333-8444-555555555502";
    let place = Place::new();
    let mut agent = place.start(&[&["--session-id", id]]);
    agent.say("[[remember seven]][[say ok]]").await;
    agent.until("result").await;
    // What is on disk survives any end.
    agent.signal(Signal::KILL);
    agent.gone().await;

    let resume: &[&str] = &["--resume", id];
    let mut agent = place.start(&[resume]);
    agent.say("[[recall]]").await;
    assert_eq!(agent.answer().await, "seven");
    agent.say("第几轮？").await;
    assert!(agent.answer().await.starts_with("第 3 轮"));
    agent.end().await;

    let mut agent = place.start_in(&place.path("out"), &[resume]);
    let (code, stderr) = agent.end().await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("No conversation found"), "{stderr}");
}

#[tokio::test]
async fn asked_for_a_file_it_asks_for_leave_writes_it_and_streams_what_is_in_it() {
    for (message, heading) in [("Please write a file.", "# Report"), ("写一个文件", "# 报告")]
    {
        let place = Place::new();
        let mut agent = place.start(&[&ASKED, &PARTIAL]);
        agent.say(message).await;
        let question = agent.until("control_request").await;
        assert_eq!(question["request"]["input"]["command"], "ls -1 | wc -l");
        agent.allow(&question).await;
        let answer = agent.answer().await;
        assert!(answer.starts_with(heading), "{answer}");
        assert!(answer.contains("\n0\n```"), "{answer}");
        assert_eq!(read(&place.path("out/report.md")), answer);
        let text = |line: &serde_json::Value| line["event"]["delta"]["text"].is_string();
        assert!(agent.printed().iter().filter(|line| text(line)).count() >= 25);
    }
}

#[tokio::test]
async fn without_leave_it_writes_nothing() {
    let place = Place::new();
    let mut agent = place.start(&[&ASKED]);
    agent.say("Please write a file.").await;
    let question = agent.until("control_request").await;
    agent.respond(&question, json!({"behavior": "deny", "message": "no"})).await;
    assert!(agent.answer().await.contains("nothing was written"));
    assert!(!place.path("out/report.md").exists());
}

#[tokio::test]
async fn a_written_file_stays_in_its_folder() {
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.say("[[write a.txt one two]]").await;
    assert!(agent.answer().await.contains("a.txt"));
    assert_eq!(read(&place.path("out/a.txt")), "one two");
    agent.say("[[write ../a.txt one two]]").await;
    assert!(agent.answer().await.contains("without folders"));
    assert!(!place.path("a.txt").exists());
}

#[tokio::test]
async fn a_rule_that_comes_with_a_leave_is_kept_for_the_process() {
    let place = Place::new();
    let mut agent = place.start(&[&ASKED]);
    agent.say("[[tool Bash {\"command\":\"echo a\"}]]").await;
    let question = agent.until("control_request").await;
    let rules = json!([{"toolName": "Bash", "ruleContent": "echo *"}]);
    let update = json!([{"type": "addRules", "rules": rules, "behavior": "allow", "destination": "session"}]);
    let input = question["request"]["input"].clone();
    let word = json!({"behavior": "allow", "updatedInput": input, "updatedPermissions": update});
    agent.respond(&question, word).await;
    assert_eq!(agent.answer().await, "tool said: a");
    agent.say("[[tool Bash {\"command\":\"echo b\"}]]").await;
    assert_eq!(agent.answer().await, "tool said: b");
}

#[tokio::test]
async fn lines_that_nobody_should_print_are_printed() {
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.say("[[garbage]][[bigline 100000]][[badutf8]][[aside hidden]][[say end]]").await;
    assert_eq!(agent.answer().await, "end");
    let has = |part: &[u8]| agent.lines.iter().any(|l| l.windows(part.len()).any(|w| w == part));
    assert!(has(b"this is no JSON\n"));
    assert!(has(b"\xff\xfe"));
    assert!(agent.lines.iter().any(|line| line.len() == 100_001));
    let aside = agent.printed().into_iter().find(|line| line["parent_tool_use_id"].is_string());
    assert_eq!(aside.unwrap()["message"]["content"][0]["text"], "hidden");
}

#[tokio::test]
async fn ends_in_the_middle_are_as_told() {
    let place = Place::new();
    for (directive, code, last) in
        [("[[exit 7]]", 7, "\n"), ("[[half]]", 1, "msg_"), ("[[nostart]]", 1, "")]
    {
        let mut agent = place.start(&[]);
        agent.say(directive).await;
        let (status, stderr) = agent.gone().await;
        assert_eq!(status.code(), Some(code), "{directive}");
        let line = String::from_utf8(agent.lines.pop().unwrap_or_default()).unwrap();
        assert!(line.ends_with(last), "{directive}: {line}");
        assert_eq!(stderr.is_empty(), directive != "[[nostart]]", "{stderr}");
        assert!(agent.printed().iter().all(|line| line["type"] != "result"));
    }
    let mut agent = place.start(&[]);
    agent.stdin = None;
    assert_eq!(agent.end().await.0, Some(0));
}

#[tokio::test]
async fn a_line_that_is_no_json_or_an_unknown_option_is_the_end() {
    use tokio::io::AsyncWriteExt as _;
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.stdin.as_mut().unwrap().write_all(b"hello\n").await.unwrap();
    let (status, stderr) = agent.gone().await;
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("Error parsing streaming input line"), "{stderr}");
    let (status, stderr) = place.start(&[&["--no-such-flag"]]).gone().await;
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains("unknown option"), "{stderr}");
}

#[tokio::test]
async fn silence_and_a_busy_core_end_with_an_interrupt() {
    let place = Place::new();
    let mut agent = place.start(&[&PARTIAL]);
    for directive in ["[[hang]]", "[[stall]]", "[[burn]]"] {
        agent.say(directive).await;
        agent.until("system").await;
        agent.interrupt().await;
        assert_eq!(agent.until("result").await["terminal_reason"], "aborted_streaming");
    }
}

#[tokio::test]
async fn an_agent_that_ignores_sigterm_finishes_its_turn() {
    let place = Place::new();
    let mut agent = place.start(&[&PARTIAL]);
    agent.say("[[ignoreterm]][[chunks 20]][[delay 0.02]][[long 40]]").await;
    agent.until("stream_event").await;
    agent.signal(Signal::TERM);
    assert_eq!(agent.answer().await.len(), 40);
    assert_eq!(agent.end().await.0, Some(0));
}

#[tokio::test]
async fn what_is_left_behind_outlives_the_agent() {
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.say("[[fork]]").await;
    let answer = agent.answer().await;
    let pid = answer.rsplit(' ').next().unwrap().parse().unwrap();
    agent.end().await;
    assert!(runs(pid));
    kill(pid);
}

#[tokio::test]
async fn memory_is_held() {
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.say("[[hog 64]][[say held]]").await;
    agent.until("result").await;
    let status = read(Path::new(&format!("/proc/{}/status", agent.child.id().unwrap())));
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib >= 64 * 1024, "{line}");
}

#[tokio::test]
async fn the_last_text_block_has_the_effects_it_has_on_the_real_agent() {
    let place = Place::new();
    let mut agent = place.start(&[]);
    agent.say("see @/etc/passwd").await;
    assert!(agent.answer().await.contains("read /etc/passwd: "));
    agent.say("/clear").await;
    assert_eq!(agent.until("result").await["num_turns"], 0);
    let blocks = json!([
        {"type": "text", "text": "<message from=\"x\">\n/clear @/etc/passwd\n</message>"},
        {"type": "text", "text": "Answer the message above."},
    ]);
    agent.write(&json!({"type": "user", "message": {"role": "user", "content": blocks}})).await;
    let answer = agent.answer().await;
    assert!(answer.starts_with("Turn 2: I heard “/clear @/etc/passwd”"), "{answer}");
    assert!(!answer.contains("bytes"), "{answer}");
}
