//! The command handler: what a program is told, what its answer means, how it may fail.

use std::time::Duration;

use larkline_gateway::config::{Bytes, OutputFormat};
use larkline_gateway::handler::{Answer, HandlerError, Retry, Turn};
use larkline_proto::content::Outgoing;
use larkline_proto::id::EventId;
use serde_json::Value;

use crate::handler_script::{Scripts, alive, until, within};
use crate::handler_turn::turn;

fn text(answer: &Answer) -> String {
    let [message] = &answer.messages[..] else { panic!("{answer:?}") };
    let content: Value = serde_json::from_str(&message.content).unwrap();
    content["text"].as_str().unwrap().to_owned()
}

async fn failure(scripts: &Scripts, script: &str) -> HandlerError {
    scripts.run(script, &turn("hi")).await.unwrap_err()
}

#[tokio::test]
async fn the_program_reads_the_turn_as_json_and_its_output_is_the_answer() {
    let scripts = Scripts::new();
    let turn = turn("你好 \"$(id)\"");
    let answer = scripts.run("cat", &turn).await.unwrap();
    let read: Value = serde_json::from_str(&text(&answer)).unwrap();
    assert_eq!(read, turn.to_json());
}

#[tokio::test]
async fn arguments_are_read_by_no_shell() {
    let scripts = Scripts::new();
    let handler = scripts.configured(&["echo", "$HOME; *"]);
    assert_eq!(within(handler.handle(&turn("hi"))).await.unwrap(), Answer::text("$HOME; *"));
}

#[tokio::test]
async fn no_output_is_no_message() {
    assert_eq!(Scripts::new().run("", &turn("hi")).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn the_environment_holds_the_turn_and_the_allow_list_and_no_secret() {
    let mut scripts = Scripts::new();
    scripts.settings.env = [("COLOUR".to_owned(), "blue".into())].into();
    scripts.settings.pass_env = ["EDITOR", "FEISHU_APP_SECRET", "LARKLINE__APP__MAIN__APP_SECRET"]
        .map(str::to_owned)
        .to_vec();
    let answer = scripts.run("env", &turn("hi")).await.unwrap();
    let env = text(&answer);
    let names: Vec<&str> = env.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let allowed = ["PATH", "HOME", "LANG", "TZ", "TMPDIR", "COLOUR", "EDITOR", "PWD", "_", "SHLVL"];
    for name in &names {
        assert!(allowed.contains(name) || name.starts_with("LARKLINE_"), "{name}");
    }
    assert!(!env.contains("s3cret"), "{env}");
    for line in [
        "COLOUR=blue",
        "EDITOR=ed",
        "TZ=Asia/Shanghai",
        "LARKLINE_CHAT_ID=oc_1",
        "LARKLINE_MESSAGE_ID=om_1",
        "LARKLINE_TASK_ID=7",
        "LARKLINE_ATTEMPT=1",
        "LARKLINE_SENDER_ID=ou_sender",
        "LARKLINE_EVENT_TYPE=im.message.receive_v1",
    ] {
        assert!(env.lines().any(|l| l == line), "{line} is missing in {env}");
    }
}

#[tokio::test]
async fn an_identifier_that_no_variable_can_hold_does_not_keep_the_program_from_running() {
    let mut turn = turn("hi");
    turn.event.id = EventId::new("ev\0il");
    let answer = Scripts::new().run("echo \"<$LARKLINE_EVENT_ID>\"", &turn).await.unwrap();
    assert_eq!(text(&answer), "<>");
}

#[tokio::test]
async fn an_exit_code_is_a_failure_that_carries_the_last_words() {
    let script = "echo lost; seq 100000 >&2; echo 'no such order' >&2; exit 3";
    let error = failure(&Scripts::new(), script).await;
    assert_eq!((error.code, error.retry), ("exit", Retry::Policy));
    assert!(error.detail.starts_with("exit code 3"), "{error}");
    assert!(error.detail.ends_with("no such order"), "{error}");
    assert!(error.detail.len() < 2000, "{} bytes", error.detail.len());
}

#[tokio::test]
async fn a_signal_is_named() {
    let error = failure(&Scripts::new(), "kill -SEGV $$").await;
    assert_eq!(error.code, "killed");
    assert!(error.detail.contains("SIGSEGV"), "{error}");
}

#[tokio::test]
async fn a_missing_program_is_said_by_name() {
    let scripts = Scripts::new();
    let handler = scripts.configured(&["larkline-no-such-program"]);
    let error = within(handler.handle(&turn("hi"))).await.unwrap_err();
    assert_eq!(error.code, "spawn");
    assert!(error.detail.contains("larkline-no-such-program"), "{error}");
    assert_eq!(scripts.children().running(), []);
}

#[tokio::test]
async fn invalid_utf8_is_replaced() {
    let answer = Scripts::new().run(r"printf 'a\377b'", &turn("hi")).await.unwrap();
    assert_eq!(text(&answer), "a\u{fffd}b");
}

#[tokio::test]
async fn too_much_output_ends_the_program_and_is_not_kept() {
    let error = failure(&Scripts::new(), "head -c 50000000 /dev/zero; sleep 1000").await;
    assert_eq!((error.code, error.retry), ("output_too_large", Retry::Policy));
}

#[tokio::test]
async fn all_that_was_written_before_the_end_arrives() {
    let answer = Scripts::new().run("head -c 300000 /dev/zero | tr '\\0' x", &turn("hi")).await;
    assert_eq!(text(&answer.unwrap()).len(), 300_000);
}

#[tokio::test]
async fn a_program_that_never_reads_its_input_is_no_deadlock() {
    let turn = turn(&"x".repeat(1_000_000));
    let answer = Scripts::new().run("echo ok", &turn).await.unwrap();
    assert_eq!(text(&answer), "ok");
}

#[tokio::test]
async fn a_program_that_writes_much_before_it_reads_is_no_deadlock() {
    let turn = turn(&"x".repeat(1_000_000));
    let script = "head -c 500000 /dev/zero | tr '\\0' y; wc -c > read";
    let scripts = Scripts::new();
    let answer = scripts.run(script, &turn).await.unwrap();
    assert_eq!(text(&answer).len(), 500_000);
    let read = std::fs::read_to_string(scripts.path("read")).unwrap();
    assert!(read.trim().parse::<usize>().unwrap() > 1_000_000, "the whole turn came: {read}");
}

#[tokio::test]
async fn closing_the_output_is_not_the_end() {
    let scripts = Scripts::new();
    let script = "echo early; exec >&- 2>&-; cat > /dev/null; touch done";
    assert_eq!(text(&scripts.run(script, &turn("hi")).await.unwrap()), "early");
    assert!(scripts.path("done").exists());
}

#[tokio::test]
async fn json_output_is_an_answer() {
    let mut scripts = Scripts::new();
    scripts.settings.output = OutputFormat::Json;
    let script = r#"echo '{"text":"one","messages":[{"markdown":"**two**"}]}'"#;
    let answer = scripts.run(script, &turn("hi")).await.unwrap();
    assert_eq!(answer.messages, [Outgoing::text("one"), Outgoing::markdown("**two**")]);
    assert_eq!(scripts.run("echo", &turn("hi")).await.unwrap(), Answer::default());
}

#[tokio::test]
async fn output_that_is_no_answer_is_refused_and_the_program_does_not_run_again() {
    let mut scripts = Scripts::new();
    scripts.settings.output = OutputFormat::Json;
    let error = failure(&scripts, "echo '{\"txt\":\"x\"}'").await;
    assert_eq!((error.code, error.retry), ("bad_answer", Retry::Never));
    assert!(error.detail.contains("txt"), "{error}");
}

#[tokio::test]
async fn a_run_that_is_too_long_ends_even_if_it_ignores_sigterm() {
    let mut scripts = Scripts::new();
    scripts.settings.timeout = Duration::from_millis(200);
    scripts.resources.kill_grace = Duration::from_millis(200);
    let error = failure(&scripts, "trap '' TERM; while :; do echo tick; sleep 0.1; done").await;
    assert_eq!((error.code, error.retry), ("timeout", Retry::Policy));
}

#[tokio::test]
async fn silence_ends_a_run_and_any_output_puts_it_off() {
    let mut scripts = Scripts::new();
    scripts.settings.idle = Some(Duration::from_secs(1));
    let chatty = "for i in 1 2 3 4 5 6 7 8; do sleep 0.2; echo $i >&2; done; echo through";
    assert_eq!(text(&scripts.run(chatty, &turn("hi")).await.unwrap()), "through");
    let error = failure(&scripts, "echo hi; sleep 1000").await;
    assert_eq!(error.code, "idle");
}

#[tokio::test]
async fn limits_hold_from_the_first_instruction() {
    let mut scripts = Scripts::new();
    scripts.settings.memory = Some(Bytes(64 << 20));
    scripts.settings.file_max = Some(Bytes(8 << 20));
    let script = "ulimit -d; ulimit -f; ulimit -c; head -c 9000000 /dev/zero > big";
    let error = failure(&scripts, &format!("{{ {script}; }} >&2; exit 9")).await;
    assert!(error.detail.contains("65536\n16384\n0"), "{error}");
    assert_eq!(std::fs::metadata(scripts.path("big")).unwrap().len(), 8 << 20);
}

#[tokio::test]
async fn a_stop_reaches_the_whole_group_and_the_attempt_does_not_count() {
    let scripts = Scripts::new();
    let turn = turn("hi");
    let script = "trap 'touch told; exit' TERM; sleep 1000 & echo $! > pid; wait";
    let handler = scripts.handler(script);
    let (result, pid) = within(async {
        tokio::join!(handler.handle(&turn), async {
            let pid = scripts.pid("pid").await;
            turn.cancel.cancel();
            pid
        })
    })
    .await;
    let error = result.unwrap_err();
    assert_eq!((error.code, error.retry), ("cancelled", Retry::Stopped));
    assert!(scripts.path("told").exists(), "SIGTERM comes before SIGKILL");
    assert!(!alive(pid));
}

#[tokio::test]
async fn a_turn_that_is_cancelled_already_starts_nothing() {
    let scripts = Scripts::new();
    let turn: Turn = turn("hi");
    turn.cancel.cancel();
    let error = scripts.run("touch started", &turn).await.unwrap_err();
    assert_eq!(error.retry, Retry::Stopped);
    assert!(!scripts.path("started").exists());
}

#[tokio::test]
async fn a_running_child_is_listed_and_recorded_until_it_ends() {
    let scripts = Scripts::new();
    let turn = turn("hi");
    let handler = scripts.handler("until [ -e go ]; do sleep 0.01; done; echo ok");
    let records = || std::fs::read_dir(scripts.state().join("children")).unwrap().count();
    let (answer, ()) = within(async {
        tokio::join!(handler.handle(&turn), async {
            let started = || scripts.children().running().iter().any(|c| c.process.is_some());
            until(started).await;
            let [child] = &scripts.children().running()[..] else { panic!("one child") };
            assert_eq!((child.handler.as_str(), child.task), ("script", turn.task));
            assert_eq!(records(), 1);
            std::fs::write(scripts.path("go"), "").unwrap();
        })
    })
    .await;
    assert_eq!(text(&answer.unwrap()), "ok");
    assert_eq!((scripts.children().running(), records()), (vec![], 0));
}
