//! `larkline demo`.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};

use crate::rig::{LARKLINE, PATIENCE, text};

#[tokio::test]
async fn demo_once_plays_the_whole_real_path_and_exits_0() {
    let mut command = demo();
    command.args(["demo", "--once"]).stdin(Stdio::null());
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    for page in ["README.md", "README.zh-CN.md"] {
        assert_eq!(transcript(page), undated(&out), "paste the new transcript into {page}");
    }
}

/// The transcript that a front page shows.
fn transcript(page: &str) -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join(page)).unwrap();
    let (_, shown) = page.split_once("```text\n1. ").unwrap();
    undated(&format!("1. {}", shown.split_once("```").unwrap().0))
}

/// A transcript without what differs from run to run: the day, and the lines of the story, which
/// the moment of the kill decides.
fn undated(transcript: &str) -> String {
    let is_date =
        |word: &str| word.len() == 10 && word.chars().all(|c| c == '-' || c.is_ascii_digit());
    let mut in_story = false;
    let mut lines = Vec::new();
    for line in transcript.trim().lines() {
        if !in_story || line.is_empty() {
            let words = line.split(' ').map(|word| if is_date(word) { "DATE" } else { word });
            lines.push(words.collect::<Vec<_>>().join(" "));
        }
        in_story = line.starts_with("The story") || in_story && !line.is_empty();
    }
    lines.join("\n")
}

#[tokio::test]
async fn what_was_typed_before_the_end_of_the_input_is_answered() {
    use tokio::io::AsyncWriteExt;
    let mut command = demo();
    command.arg("demo").stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut demo = command.spawn().unwrap();
    // Written at once and closed: the demo reads it when it is ready.
    demo.stdin.take().unwrap().write_all(b"hello\n").await.unwrap();
    let output = tokio::time::timeout(PATIENCE, demo.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), "bot → hello\n");
}

/// The binary in this process's environment, in English whatever its locale.
fn demo() -> tokio::process::Command {
    let mut command = tokio::process::Command::new(LARKLINE);
    command.env_remove("LARKLINE__LANGUAGE").env("LC_ALL", "C");
    command
}

/// A demo that runs until it is interrupted, and what its page is told.
struct Page {
    demo: tokio::process::Child,
    url: String,
    http: reqwest::Client,
    /// Open, so that the demo can go on talking.
    _said: Lines<BufReader<tokio::process::ChildStderr>>,
}

impl Page {
    async fn open() -> Self {
        let mut command = demo();
        command.args(["demo", "--port", "0"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut demo = command.stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
        let said = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some(url) = line.strip_prefix("chat page: ") {
                    return url.to_owned();
                }
            }
            panic!("the demo did not say where its page is");
        };
        let url = tokio::time::timeout(PATIENCE, said).await.unwrap();
        drop(rustls::crypto::ring::default_provider().install_default());
        Self { demo, url, http: reqwest::Client::new(), _said: lines }
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.http.get(format!("{}/_sim/{path}", self.url)).send().await.unwrap();
        response.json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}/_sim/{path}", self.url)).json(body);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// Waits for the messages of the bot to be so many.
    async fn answers(&self, count: usize) -> Vec<Value> {
        let body = json!({"messages": count, "timeout_ms": 45_000});
        assert_eq!(self.post("wait", &body).await, json!({}));
        self.get("ledger").await["messages"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn the_page_answers_shows_the_story_and_survives_a_kill() {
    let mut page = Page::open().await;
    let owner = page.get("world").await["users"][0]["open_id"].clone();
    let say = |text: &str| json!({"user": owner, "text": text});
    let said = page.post("say", &say("hello")).await;
    assert_eq!(page.answers(1).await[0]["text"], "hello");
    let path = format!("story?id={}", said["message_id"].as_str().unwrap());
    let story = page.get(&path).await;
    let steps: Vec<_> =
        story["gateway"]["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str()).collect();
    for step in ["received", "journaled", "acked", "routed", "handled"] {
        assert!(steps.contains(&Some(step)), "{step} is missing in {steps:?}");
    }

    assert_eq!(page.post("gateway/kill", &json!({})).await, json!({}));
    page.post("say", &say("said while it was gone")).await;
    let answers = page.answers(2).await;
    assert_eq!(answers[1]["text"], "said while it was gone");
    assert_eq!(answers.len(), 2);

    let pid = page.demo.id().and_then(|id| i32::try_from(id).ok()).unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = tokio::time::timeout(PATIENCE, page.demo.wait()).await.unwrap().unwrap();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn the_showcase_draws_a_card_answers_its_button_and_streams_another() {
    let page = Page::open().await;
    let owner = page.get("world").await["users"][0]["open_id"].clone();
    page.post("say", &json!({"user": owner, "text": "/card"})).await;
    let card = page.answers(1).await[0].clone();
    assert_eq!(card["msg_type"], "interactive");
    let press = json!({
        "user": owner, "message": card["message_id"],
        "value": {"choice": "approve", "language": "en"},
    });
    let mut pressed = Value::Null;
    // On a busy machine one press may come too late; the card says so and is pressed again.
    for _ in 0..4 {
        pressed = page.post("press", &press).await;
        if pressed["code"] == 0 && !pressed["toast"].is_null() {
            break;
        }
    }
    assert_eq!(pressed["toast"]["content"], "Approved", "{pressed}");
    assert!(page.answers(1).await[0]["content"].as_str().unwrap().contains("\"green\""));

    page.post("say", &json!({"user": owner, "text": "/stream"})).await;
    page.answers(2).await;
    let streamed = async {
        loop {
            let card = page.answers(2).await[1].clone();
            let content: Value = serde_json::from_str(card["content"].as_str().unwrap()).unwrap();
            if content["config"]["streaming_mode"] == false {
                return content;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    let content = tokio::time::timeout(PATIENCE, streamed).await.unwrap();
    let text = content["body"]["elements"][0]["content"].as_str().unwrap();
    assert!(text.contains("nothing it acknowledged is lost"), "{text}");
}

#[tokio::test]
async fn a_demo_that_is_killed_leaves_no_gateway_behind() {
    let mut page = Page::open().await;
    let demo = page.demo.id().unwrap();
    let children = std::fs::read_to_string(format!("/proc/{demo}/task/{demo}/children")).unwrap();
    let gateway = children.split_whitespace().next().unwrap();
    let running = std::path::PathBuf::from(format!("/proc/{gateway}"));
    assert!(running.exists());
    page.demo.kill().await.unwrap();
    let gone = async {
        while running.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
}
