//! A language model's service that says what it is told to: an HTTP server of one request a
//! connection, whose answers are steered by directives in the newest message of a person.
//!
//! | directive | what it does |
//! |---|---|
//! | `[[say TEXT]]`, `[[long N]]` | the answer: this text, or N numbered paragraphs |
//! | `[[chunks N]]`, `[[think TEXT]]` | pieces of the answer; a thought in front of it |
//! | `[[hold]]` | waits after the first piece for [`Model::release`] |
//! | `[[hang]]`, `[[stall]]` | says nothing, or no more after the first piece |
//! | `[[cut]]`, `[[sse-error CODE]]` | breaks off after the first piece, silently or aloud |
//! | `[[error CODE]]`, `[[error CODE xN]]`, `[[code WORD]]` | refuses, always or N times |
//! | `[[retry-after S]]` | what a refusal asks for |
//! | `[[body html]]`, `[[body empty]]`, `[[body garbage]]`, `[[body echo]]` | something else instead |
//! | `[[finish REASON]]`, `[[usage IN OUT]]`, `[[nodone]]` | how the stream ends |
//! | `[[crlf]]`, `[[split N]]` | CRLF; written N bytes at a time |
//!
//! Without one it says `echo: ` and the text.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Runs until it is dropped.
pub(crate) struct Model {
    /// As in `base_url`.
    pub(crate) url: String,
    desk: Arc<Desk>,
    _tasks: JoinSet<()>,
}

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) key: String,
    pub(super) body: Value,
    pub(super) at: Instant,
}

struct Desk {
    asked: Mutex<Vec<Asked>>,
    /// Refusals so far, by what was asked.
    refused: Mutex<HashMap<String, u32>>,
    held: watch::Sender<bool>,
}

/// What the newest message tells the service to do.
struct Script {
    words: String,
    told: BTreeMap<String, String>,
}

/// The way to the client.
struct Line {
    socket: BufReader<TcpStream>,
    split: usize,
    end: &'static str,
}

impl Model {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let desk = Arc::new(Desk {
            asked: Mutex::default(),
            refused: Mutex::default(),
            held: watch::Sender::new(true),
        });
        let mut tasks = JoinSet::new();
        let serving = Arc::clone(&desk);
        tasks.spawn(async move {
            let mut talks = JoinSet::new();
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                let desk = Arc::clone(&serving);
                // A client that leaves is none of our business.
                talks.spawn(async move { drop(talk(socket, &desk).await) });
            }
        });
        Self { url, desk, _tasks: tasks }
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.desk.asked.lock().unwrap().clone()
    }

    /// The messages of the newest request, as `role: text`.
    pub(super) fn messages(&self) -> Vec<String> {
        let asked = self.asked();
        let messages = asked.last().unwrap().body["messages"].as_array().unwrap().clone();
        let words = |m: &Value| format!("{}: {}", m["role"].as_str().unwrap(), text_of(m));
        messages.iter().map(words).collect()
    }

    /// What waits after its first piece goes on, also what comes later.
    pub(super) fn release(&self) {
        self.desk.held.send_replace(false);
    }
}

/// The text of a message, its content a text or parts.
fn text_of(message: &Value) -> String {
    let content = &message["content"];
    let parts = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    content.as_str().map_or_else(|| texts.join("\n"), str::to_owned)
}

impl Script {
    fn of(body: &Value) -> Self {
        let messages = body["messages"].as_array().cloned().unwrap_or_default();
        let words = messages.last().map(text_of).unwrap_or_default();
        let mut told = BTreeMap::new();
        for part in words.split("[[").skip(1) {
            let Some((told_so, _)) = part.split_once("]]") else { continue };
            let (name, value) = told_so.split_once(' ').unwrap_or((told_so, ""));
            told.insert(name.to_owned(), value.to_owned());
        }
        Self { words, told }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.told.get(name).map(String::as_str)
    }

    fn number(&self, name: &str) -> Option<usize> {
        self.get(name).map(|number| number.parse().unwrap())
    }

    fn answer(&self) -> String {
        let paragraph = |n| format!("Paragraph {n}. {}", "All work and no play. ".repeat(20));
        match (self.get("say"), self.number("long")) {
            (Some(text), _) => text.to_owned(),
            (None, Some(count)) => (1..=count).map(paragraph).collect::<Vec<_>>().join("\n\n"),
            (None, None) => format!("echo: {}", self.words),
        }
    }

    fn pieces(&self) -> Vec<String> {
        let letters: Vec<char> = self.answer().chars().collect();
        let size = letters.len().div_ceil(self.number("chunks").unwrap_or(2)).max(1);
        letters.chunks(size).map(|piece| piece.iter().collect()).collect()
    }
}

async fn talk(socket: TcpStream, desk: &Desk) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut line = Line { socket: BufReader::new(socket), split: usize::MAX, end: "\n" };
    let (path, head, body) = line.request().await?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let key = head.get("authorization").cloned().unwrap_or_default();
    let script = Script::of(&body);
    desk.asked.lock().unwrap().push(Asked { path, key: key.clone(), body, at: Instant::now() });
    if let Some(error) = script.get("error") {
        let (status, times) = error.split_once(" x").unwrap_or((error, ""));
        let count = {
            let mut refused = desk.refused.lock().unwrap();
            let count = refused.entry(script.words.clone()).or_default();
            *count += 1;
            *count
        };
        if times.is_empty() || count <= times.parse().unwrap() {
            return line.refuse(status, &script).await;
        }
    }
    match script.get("body") {
        Some("html") => return line.page("<html><body><h1>Sign in</h1></body></html>").await,
        Some("empty") => return line.page("").await,
        Some("garbage") => {
            return line.page("data: {\"choices\":[{\"delta\"\n\n}\x01\u{fffd}\ndata").await;
        }
        // A proxy that shows what it got.
        Some("echo") => return line.page(&format!("<pre>authorization: {key}</pre>")).await,
        Some(other) => panic!("no body {other:?}"),
        None => {}
    }
    if script.get("hang").is_some() {
        return line.until_they_leave().await;
    }
    line.split = script.number("split").unwrap_or(usize::MAX);
    line.end = if script.get("crlf").is_some() { "\r\n" } else { "\n" };
    line.stream(&script, desk).await
}

impl Line {
    /// Path, head and body of a request.
    async fn request(&mut self) -> std::io::Result<(String, HashMap<String, String>, Vec<u8>)> {
        let (mut path, mut head) = (String::new(), HashMap::new());
        loop {
            let mut text = String::new();
            self.socket.read_line(&mut text).await?;
            match text.trim_end().split_once(": ") {
                Some((name, value)) => drop(head.insert(name.to_lowercase(), value.to_owned())),
                None if text.trim_end().is_empty() => break,
                None => path = text.split(' ').nth(1).unwrap_or_default().to_owned(),
            }
        }
        let length = head.get("content-length").map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).await?;
        Ok((path, head, body))
    }

    async fn refuse(&mut self, status: &str, script: &Script) -> std::io::Result<()> {
        let code = script.get("code").map_or(Value::Null, Value::from);
        let body = json!({"error": {"message": "refused (fake)", "type": null, "code": code}});
        let body = body.to_string();
        let after = script.get("retry-after");
        let after = after.map_or_else(String::new, |after| format!("retry-after: {after}\r\n"));
        let answer = format!(
            "HTTP/1.1 {status} No\r\ncontent-type: application/json\r\n{after}\
            content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        self.socket.get_mut().write_all(answer.as_bytes()).await
    }

    async fn page(&mut self, body: &str) -> std::io::Result<()> {
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: {}\r\n\
            connection: close\r\n\r\n{body}",
            body.len()
        );
        self.socket.get_mut().write_all(answer.as_bytes()).await
    }

    async fn stream(&mut self, script: &Script, desk: &Desk) -> std::io::Result<()> {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\
            transfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        self.socket.get_mut().write_all(head.as_bytes()).await?;
        self.event(&delta(json!({"role": "assistant", "content": ""}), Value::Null)).await?;
        if let Some(thought) = script.get("think") {
            let thinking = json!({"content": null, "reasoning_content": thought});
            self.event(&delta(thinking, Value::Null)).await?;
        }
        for (n, piece) in script.pieces().into_iter().enumerate() {
            self.event(&delta(json!({"content": piece}), Value::Null)).await?;
            if n > 0 {
                continue;
            }
            if script.get("cut").is_some() {
                return Ok(());
            }
            if let Some(code) = script.get("sse-error") {
                let error = json!({"error": {"code": code, "message": "it broke (fake)"}});
                return self.event(&error.to_string()).await;
            }
            if script.get("stall").is_some() {
                return self.until_they_leave().await;
            }
            if script.get("hold").is_some() {
                let mut held = desk.held.subscribe();
                tokio::select! {
                    _ = held.wait_for(|held| !held) => {}
                    left = self.until_they_leave() => return left,
                }
            }
        }
        let finish = script.get("finish").unwrap_or("stop");
        self.event(&delta(json!({}), json!(finish))).await?;
        if let Some((read, written)) = script.get("usage").and_then(|u| u.split_once(' ')) {
            let (read, written): (u64, u64) = (read.parse().unwrap(), written.parse().unwrap());
            let usage = json!({"prompt_tokens": read, "completion_tokens": written});
            self.event(&json!({"choices": [], "usage": usage}).to_string()).await?;
        }
        if script.get("nodone").is_none() {
            self.event("[DONE]").await?;
        }
        self.socket.get_mut().write_all(b"0\r\n\r\n").await
    }

    async fn event(&mut self, data: &str) -> std::io::Result<()> {
        let end = self.end;
        let bytes = format!("data: {data}{end}{end}").into_bytes();
        for piece in bytes.chunks(self.split.min(bytes.len())) {
            let socket = self.socket.get_mut();
            socket.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await?;
            socket.write_all(piece).await?;
            socket.write_all(b"\r\n").await?;
        }
        Ok(())
    }

    async fn until_they_leave(&mut self) -> std::io::Result<()> {
        let mut rest = Vec::new();
        self.socket.read_to_end(&mut rest).await.map(drop)
    }
}

fn delta(delta: Value, finish: Value) -> String {
    json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": null})
        .to_string()
}
