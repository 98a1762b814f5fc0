//! `larkline scripted-agent` from outside: what it prints has the shape of what was recorded of
//! the agent it plays, and what it does is what its directives say.

mod deeds;
mod recorded;
mod shape;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::rig::{LARKLINE, PATIENCE};

/// What the gateway always gives.
const BASE: [&str; 6] =
    ["-p", "--input-format", "stream-json", "--output-format", "stream-json", "--verbose"];
/// For somebody who answers questions.
const ASKED: [&str; 2] = ["--permission-prompt-tool", "stdio"];
/// For somebody who wants deltas.
const PARTIAL: [&str; 1] = ["--include-partial-messages"];

/// A home and a working directory, which an agent may find again.
struct Place {
    dir: TempDir,
}

/// An agent that runs.
struct Agent {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Every line so far, as bytes.
    lines: Vec<Vec<u8>>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["home", "ws", "out"] {
            std::fs::create_dir(dir.path().join(folder)).unwrap();
        }
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts an agent in the working directory.
    fn start(&self, arguments: &[&[&str]]) -> Agent {
        self.start_in(&self.path("ws"), arguments)
    }

    fn start_in(&self, folder: &Path, arguments: &[&[&str]]) -> Agent {
        let mut command = Command::new(LARKLINE);
        command.arg("scripted-agent").args(BASE).args(arguments.concat());
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.path("home")).env("LARKLINE_OUT", self.path("out"));
        command.current_dir(folder).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Agent { child, stdin, stdout, lines: Vec::new() }
    }
}

impl Agent {
    /// Writes a line.
    async fn write(&mut self, line: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// A person's message.
    async fn say(&mut self, text: &str) {
        let content = json!([{"type": "text", "text": text}]);
        self.write(&json!({"type": "user", "message": {"role": "user", "content": content}})).await;
    }

    /// A request of ours.
    async fn control(&mut self, id: &str, request: &Value) {
        self.write(&json!({"type": "control_request", "request_id": id, "request": request})).await;
    }

    async fn interrupt(&mut self) {
        self.control("i1", &json!({"subtype": "interrupt"})).await;
    }

    /// The answer to a question of the agent's.
    async fn respond(&mut self, question: &Value, word: Value) {
        let id = &question["request_id"];
        let response = json!({"subtype": "success", "request_id": id, "response": word});
        self.write(&json!({"type": "control_response", "response": response})).await;
    }

    /// Grants what is asked.
    async fn allow(&mut self, question: &Value) {
        let input = question["request"]["input"].clone();
        self.respond(question, json!({"behavior": "allow", "updatedInput": input})).await;
    }

    /// The next line; nothing at the end.
    async fn line(&mut self) -> Option<Value> {
        let mut line = Vec::new();
        let read = self.stdout.read_until(b'\n', &mut line);
        if tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap() == 0 {
            return None;
        }
        self.lines.push(line.clone());
        Some(serde_json::from_slice(&line).unwrap_or(Value::Null))
    }

    /// The next line of this type.
    async fn until(&mut self, kind: &str) -> Value {
        loop {
            let line = self.line().await;
            let line = line.unwrap_or_else(|| panic!("no {kind} in {:?}", self.printed()));
            if line["type"] == kind {
                return line;
            }
        }
    }

    /// The text with which the next turn ends.
    async fn answer(&mut self) -> String {
        self.until("result").await["result"].as_str().unwrap_or_default().to_owned()
    }

    /// Closes its stdin and waits for its end; its exit code and stderr.
    async fn end(&mut self) -> (Option<i32>, String) {
        drop(self.stdin.take());
        let (status, stderr) = self.gone().await;
        (status.code(), stderr)
    }

    /// Waits for its end.
    async fn gone(&mut self) -> (ExitStatus, String) {
        while self.line().await.is_some() {}
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().unwrap();
        tokio::time::timeout(PATIENCE, pipe.read_to_string(&mut stderr)).await.unwrap().unwrap();
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap();
        (status, stderr)
    }

    /// All that was printed so far, as far as it is JSON.
    fn printed(&self) -> Vec<Value> {
        self.lines.iter().filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        let pid = pid.and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, signal).unwrap();
    }
}
