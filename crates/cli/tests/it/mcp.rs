//! `larkline mcp`: a raw client on its stdin and stdout, and the chat on the other side.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::timeout;

use crate::agent;
use crate::rig::{PATIENCE, Rig, read};
use crate::talkback::{holding, release};

/// A client that has the server as its child.
struct Client {
    _server: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
    asked: u64,
}

impl Client {
    /// Starts the server with these variables, in the rig's folder.
    #[expect(clippy::unused_async, reason = "a child that is waited for needs a runtime to start")]
    async fn start(rig: &Rig, env: &BTreeMap<String, String>) -> Self {
        let mut command = rig.command();
        command.arg("mcp").envs(env).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = command.kill_on_drop(true).spawn().unwrap();
        let stdout = BufReader::new(server.stdout.take().unwrap()).lines();
        let stdin = server.stdin.take();
        Self { _server: server, stdin, stdout, asked: 0 }
    }

    async fn write(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    async fn read(&mut self) -> Value {
        let line = timeout(PATIENCE, self.stdout.next_line()).await.unwrap().unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Asks, without waiting; the id of the request.
    async fn begin(&mut self, method: &str, params: &Value) -> u64 {
        self.asked += 1;
        let id = self.asked;
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        self.write(&request.to_string()).await;
        id
    }

    async fn ask(&mut self, method: &str, params: &Value) -> Value {
        let id = self.begin(method, params).await;
        let answer = self.read().await;
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(id)), "{answer}");
        answer
    }

    /// Uses a tool: its text, and whether it failed.
    async fn tool(&mut self, name: &str, arguments: Value) -> (String, bool) {
        let params = json!({ "name": name, "arguments": arguments });
        outcome(&self.ask("tools/call", &params).await)
    }
}

fn outcome(answer: &Value) -> (String, bool) {
    let result = &answer["result"];
    let text = result["content"][0]["text"].as_str().unwrap_or_else(|| panic!("{answer}"));
    (text.to_owned(), result["isError"] == true)
}

#[tokio::test]
async fn an_agent_writes_updates_and_sends_files_to_its_chat() {
    let (rig, said, env) = holding("").await;
    let mut client = Client::start(&rig, &env).await;
    let hello = json!({
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": { "name": "it", "version": "1" },
    });
    let greeting = client.ask("initialize", &hello).await;
    assert_eq!(greeting["result"]["protocolVersion"], "2025-11-25");
    client
        .write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string())
        .await;
    let tools = client.ask("tools/list", &json!({})).await;
    let tools = tools["result"]["tools"].as_array().unwrap().clone();
    assert_eq!(tools.len(), 5);
    // Codex asks for leave at each call of a tool that does not say so.
    assert!(tools.iter().all(|tool| tool["annotations"]["openWorldHint"] == false), "{tools:?}");

    assert_eq!(
        client.tool("send_message", json!({ "text": "**hello** from the agent" })).await,
        ("sent".to_owned(), false)
    );
    for (step, told) in [(1, "sent"), (2, "updated in place"), (3, "updated in place")] {
        let arguments = json!({ "key": "progress", "text": format!("step {step} of 3") });
        assert_eq!(client.tool("update_message", arguments).await, (told.to_owned(), false));
    }
    std::fs::write(rig.path("plot.csv"), "1,2").unwrap();
    let sent = client.tool("send_file", json!({ "path": "plot.csv", "name": "Plot 1.csv" })).await;
    assert_eq!(sent, ("sent, 3 bytes".to_owned(), false));
    let id = &said.message_id;
    rig.until("all of it", async || {
        let rows = agent::rows(&rig, id);
        rows.len() == 3 && rows.iter().any(|row| row.text.as_deref() == Some("step 3 of 3"))
    })
    .await;
    let rows = agent::rows(&rig, id);
    assert!(rows.iter().any(|row| row.text.as_deref() == Some("**hello** from the agent")));
    assert!(rows.iter().any(|row| row.msg_type == "file"), "{rows:?}");
    let (listed, failed) = client.tool("list_messages", json!({ "limit": 10 })).await;
    assert!(!failed && listed.contains("hold"), "{listed}");
    release(&rig, &said).await;
}

#[tokio::test]
async fn a_question_waits_for_a_button_while_other_calls_go_on() {
    let (rig, said, env) = holding("").await;
    let mut client = Client::start(&rig, &env).await;
    let arguments = json!({
        "question": "Which one?", "options": ["left", "right"], "timeout_seconds": 600,
    });
    let params = json!({ "name": "ask_user", "arguments": arguments });
    let asked = client.begin("tools/call", &params).await;
    let question = agent::question(&rig, &said).await;
    client.ask("ping", &json!({})).await;
    assert!(!client.tool("send_message", json!({ "text": "meanwhile" })).await.1);
    assert_eq!(agent::press(&rig, &question, &rig.owner, "right").await.code, 0);
    let answer = client.read().await;
    assert_eq!(answer["id"], asked);
    assert_eq!(outcome(&answer), ("right".to_owned(), false));
    // A call that is cancelled takes its question back.
    let asked = client.begin("tools/call", &params).await;
    let open = async |rig: &Rig| {
        let rows = agent::rows(rig, &said.message_id);
        rows.iter().filter(|row| !agent::buttons(row).is_empty()).count()
    };
    rig.until("another question", async || open(&rig).await == 1).await;
    let cancel = json!({ "method": "notifications/cancelled", "params": { "requestId": asked } });
    client.write(&cancel.to_string()).await;
    rig.until("no question", async || open(&rig).await == 0).await;
    client.ask("ping", &json!({})).await;
    release(&rig, &said).await;
}

#[tokio::test]
async fn a_question_that_is_to_wait_for_ever_waits_for_a_day() {
    let (rig, said, env) = holding("").await;
    let mut client = Client::start(&rig, &env).await;
    let arguments =
        json!({ "question": "Which one?", "options": ["left"], "timeout_seconds": u64::MAX });
    let params = json!({ "name": "ask_user", "arguments": arguments });
    client.begin("tools/call", &params).await;
    let question = agent::question(&rig, &said).await;
    assert_eq!(agent::press(&rig, &question, &rig.owner, "left").await.code, 0);
    assert_eq!(outcome(&client.read().await), ("left".to_owned(), false));
    release(&rig, &said).await;
}

#[tokio::test]
async fn whatever_comes_in_it_answers_and_lives() {
    let (rig, said, env) = holding("").await;
    let mut client = Client::start(&rig, &env).await;
    for (line, code) in [
        ("garbage", -32700),
        ("{\"id\":1,", -32700),
        ("[{\"id\":1,\"method\":\"ping\"}]", -32600),
        ("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"resources/list\"}", -32601),
        ("{\"id\":3,\"method\":\"tools/call\",\"params\":{\"name\":\"rm_rf\"}}", -32602),
    ] {
        client.write(line).await;
        assert_eq!(client.read().await["error"]["code"], code, "{line}");
    }
    client
        .write(&format!("{{\"id\":4,\"method\":\"ping\",\"x\":\"{}\"}}", "x".repeat(5 << 20)))
        .await;
    assert_eq!(client.read().await["error"]["code"], -32600);
    for (name, arguments, why) in [
        ("send_message", json!({}), "do not fit"),
        ("send_message", json!({ "text": "" }), "empty"),
        ("send_message", json!({ "text": "x", "chat": "oc_other" }), "do not fit"),
        ("send_message", json!(7), "do not fit"),
        ("update_message", json!({ "key": "", "text": "x" }), "key"),
        ("ask_user", json!({ "question": "?", "options": [] }), "options"),
        ("send_file", json!({ "path": "no-such-file" }), "No such file"),
        ("send_file", json!({ "path": "." }), "not a file"),
        ("send_file", json!({ "path": "/etc/hostname" }), "outside"),
    ] {
        let (told, failed) = client.tool(name, arguments.clone()).await;
        assert!(failed && told.contains(why), "{name} {arguments}: {told}");
    }
    // Nor by a link out of it.
    std::os::unix::fs::symlink("/etc/hostname", rig.path("link")).unwrap();
    let (told, failed) = client.tool("send_file", json!({ "path": "link" })).await;
    assert!(failed && told.contains("outside"), "{told}");
    assert!(!client.tool("send_message", json!({ "text": "alive" })).await.1);
    release(&rig, &said).await;
    let (told, failed) = client.tool("send_message", json!({ "text": "too late" })).await;
    assert!(failed && told.contains("not that of a running task"), "{told}");
}

#[tokio::test]
async fn without_a_task_it_says_why_nothing_can_be_sent() {
    let rig = Rig::new("").await;
    let mut client = Client::start(&rig, &BTreeMap::new()).await;
    let greeting = client.ask("initialize", &json!({ "protocolVersion": "2024-11-05" })).await;
    assert_eq!(greeting["result"]["protocolVersion"], "2024-11-05");
    let (told, failed) = client.tool("list_messages", json!({})).await;
    assert!(failed && told.contains("no running task"), "{told}");
    // The end of input is its end.
    drop(client.stdin.take());
    assert_eq!(timeout(PATIENCE, client.stdout.next_line()).await.unwrap().unwrap(), None);
}

#[tokio::test]
async fn an_agent_is_given_the_server_of_its_chat_without_a_token_in_its_arguments() {
    let rig = agent::start("permission = \"allow\"\n").await;
    let call = json!({ "command": "tr '\\0' '\\n' < /proc/$PPID/cmdline" });
    let said = rig.say(&rig.owner, &format!("[[tool Bash {call}]]"));
    let answer = agent::answered(&rig, &said, "--mcp-config").await.join("\n");
    assert!(answer.contains("mcp__larkline"), "{answer}");
    let path = answer.split_whitespace().find(|word| word.ends_with("mcp.json"));
    let path = PathBuf::from(path.unwrap());
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let config: Value = serde_json::from_str(&read(&path)).unwrap();
    let server = &config["mcpServers"]["larkline"];
    assert_eq!(server["args"], json!(["mcp"]));
    let token = server["env"]["LARKLINE_TOKEN"].as_str().unwrap();
    assert!(token.len() == 64 && !answer.contains(token), "{answer}");
}

#[tokio::test]
async fn a_question_of_a_tool_is_no_silence_of_the_agent() {
    let rig = agent::start("permission = \"allow\"\nlimits = { idle = \"4s\" }\n").await;
    let late = rig.path("late");
    let command = format!(
        "\"$LARKLINE_BIN\" send --ask Yes --wait 5m 'Sure?' > choice & sleep 8; touch {}; wait; \
         cat choice",
        late.display()
    );
    let call = json!({ "command": command });
    let said = rig.say(&rig.owner, &format!("[[tool Bash {call}]]"));
    let question = agent::question(&rig, &said).await;
    // By now the agent has said nothing for twice as long as it may.
    rig.until("the tool's patience", async || late.exists()).await;
    assert_eq!(agent::press(&rig, &question, &rig.owner, "Yes").await.code, 0);
    agent::answered(&rig, &said, "Yes").await;
    assert!(!rig.log().contains("silence"), "{}", rig.log());
}
