//! What the agent does before it answers: tools, and the things that go wrong on request.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use super::answer::Block;
use super::ask::{Leave, denial};
use super::script::{Act, Pace, Silence, Tool};
use super::shell::{self, Ran};
use super::turn::{Agent, Cut, Event};

/// Where written files go, when it is set.
const OUT: &str = "LARKLINE_OUT";
/// What a tool without output is said to have answered.
const NO_OUTPUT: &str = "(Bash completed with no output)";
/// Between two looks at what was heard, while a core burns.
const BURN: Duration = Duration::from_millis(10);

/// What a tool came to: what it says, whether that is bad, and the same as an object.
type Outcome = (String, bool, Value);

impl Agent {
    /// Does one thing.
    pub(super) fn act(&mut self, act: &Act) -> Result<(), Cut> {
        match act {
            Act::Tell(text) => {
                self.call(&[Block::Text(text.clone())], &Pace::default())?;
                self.conversation.said(text);
            }
            Act::Aside(text) => {
                let message = self.voice.id("msg");
                let block = json!({"type": "text", "text": text});
                self.voice.block(&message, &block, Some("toolu_scripted_parent"));
            }
            Act::Tool(tool) => self.tool(tool)?,
            Act::Remember(text) => self.conversation.keep(text),
            Act::Retry(count) => self.retries(*count, 529, "overloaded")?,
            Act::Garbage => self.voice.raw(b"this is no JSON\n"),
            Act::BigLine(bytes) => {
                let (head, tail) = ("{\"type\":\"system\",\"subtype\":\"big\",\"data\":\"", "\"}");
                let filling = bytes.saturating_sub(head.len() + tail.len());
                self.voice.raw(format!("{head}{}{tail}\n", "x".repeat(filling)).as_bytes());
            }
            Act::BadUtf8 => {
                self.voice
                    .raw(b"{\"type\":\"system\",\"subtype\":\"bad\",\"data\":\"\xff\xfe\"}\n");
            }
            Act::HalfLine => {
                self.voice.raw(b"{\"type\":\"assistant\",\"message\":{\"id\":\"msg_");
                return Err(Cut::Quit(1));
            }
            // Looked at before the turn began.
            Act::NoStart => {}
            Act::Exit(code) => return Err(Cut::Quit(*code)),
            Act::IgnoreTerm => self.deaf = signal(SignalKind::terminate()).ok(),
            Act::Fork { held } => self.fork(*held),
            Act::Hog(bytes) => self.hoard.push(vec![1; *bytes]),
            Act::Burn(silence) => self.burn(*silence)?,
            Act::End(end) => self.bad_end(*end)?,
        }
        Ok(())
    }

    /// One use of a tool: the call, the leave, the work, the result.
    fn tool(&mut self, tool: &Tool) -> Result<(), Cut> {
        let id = self.voice.id("toolu");
        let Tool { name, input, asks } = tool;
        let (name, mut input) = (name.as_str(), input.clone());
        if let Some(content) = input["content"].as_str() {
            input["content"] = json!(self.filled(content));
        }
        let call = Block::Tool { id: id.clone(), name: name.to_owned(), input: input.clone() };
        self.call(&[call], &Pace::default())?;
        let waiting = self.waiting.len();
        self.turn.tool = Some(id.clone());
        let leave =
            if *asks { self.leave(name, &input, &id)? } else { Leave::Granted(input.clone()) };
        let (text, bad, object) = match leave {
            Leave::Granted(input) => self.work(name, &input)?,
            Leave::Denied(why) => {
                self.turn.denied = true;
                self.turn.denials.push(denial(name, &input, &id));
                let object = json!(format!("Error: {why}"));
                (why, true, object)
            }
        };
        self.result_of(&id, &text, bad, object);
        self.turn.tool = None;
        self.turn.said = Some(text);
        // What was said while the tool ran belongs to this turn.
        for line in self.waiting.split_off(waiting.min(self.waiting.len())) {
            self.conversation.fold(&line["message"]);
        }
        Ok(())
    }

    /// Writes a tool's result.
    pub(super) fn result_of(&self, tool: &str, text: &str, bad: bool, object: Value) {
        let mut block = json!({"type": "tool_result", "content": text, "tool_use_id": tool});
        // An answered question is neither good nor bad.
        if bad || object.get("answers").is_none() {
            block["is_error"] = json!(bad);
        }
        self.voice.user(&block, Some(object));
    }

    fn work(&mut self, name: &str, input: &Value) -> Result<Outcome, Cut> {
        match name {
            "Bash" => self.bash(input["command"].as_str().unwrap_or_default()),
            "Write" => Ok(self.write(input)),
            "AskUserQuestion" => Ok(answered(input)),
            _ => Ok(("done".to_owned(), false, json!({}))),
        }
    }

    fn bash(&mut self, command: &str) -> Result<Outcome, Cut> {
        let pid = match shell::start(command, &self.folder, self.ears.tell.clone()) {
            Ok(pid) => pid,
            Err(error) => return Ok(failed(&format!("cannot start the command: {error}"))),
        };
        self.turn.command = Some(pid);
        let ran = loop {
            match self.listen(None)? {
                Event::Ran(ran) if ran.pid == pid => break ran,
                Event::Ran(_) | Event::Line | Event::Response(_) | Event::Ended | Event::TimeUp => {
                }
            }
        };
        self.turn.command = None;
        self.turn.output = Some(ran.stdout.clone());
        Ok(outcome(ran))
    }

    /// A text with what the last command printed.
    pub(super) fn filled(&self, text: &str) -> String {
        text.replace("{output}", self.turn.output.as_deref().unwrap_or_default())
    }

    fn write(&self, input: &Value) -> Outcome {
        let name = input["file_path"].as_str().unwrap_or_default();
        let content = input["content"].as_str().unwrap_or_default();
        let Some(path) = self.place(name) else {
            return failed("a written file is a name, without folders");
        };
        match std::fs::write(&path, content) {
            Ok(()) => {
                let object = json!({"type": "create", "filePath": path, "content": content});
                (format!("File created successfully at: {}", path.display()), false, object)
            }
            Err(error) => failed(&format!("cannot write {}: {error}", path.display())),
        }
    }

    /// Where a file of this name goes; nowhere else is anything written.
    fn place(&self, name: &str) -> Option<PathBuf> {
        let folder = std::env::var_os(OUT).map_or_else(|| self.folder.clone(), PathBuf::from);
        let mut parts = Path::new(name).components();
        match (parts.next(), parts.next()) {
            (Some(Component::Normal(name)), None) => Some(folder.join(name)),
            _ => None,
        }
    }

    fn fork(&mut self, held: bool) {
        self.turn.said = Some(match shell::leave_behind(held) {
            Ok(left) => format!("left behind {}", left.id()),
            Err(error) => format!("cannot leave anything behind: {error}"),
        });
    }

    /// Keeps a core busy, and listens.
    fn burn(&mut self, silence: Silence) -> Result<(), Cut> {
        let end = match silence {
            Silence::None => return Ok(()),
            Silence::For(duration) => Some(Instant::now() + duration),
            Silence::Ever => None,
        };
        while end.is_none_or(|end| Instant::now() < end) {
            let look = Instant::now() + BURN;
            while Instant::now() < look {
                std::hint::spin_loop();
            }
            self.listen(Some(look))?;
        }
        Ok(())
    }
}

fn outcome(ran: Ran) -> Outcome {
    let Ran { code, stdout, stderr, .. } = ran;
    let all = [stdout.as_str(), stderr.as_str()].join("\n").trim().to_owned();
    if code != Some(0) {
        let code = code.map_or_else(|| "by a signal".to_owned(), |code| code.to_string());
        return failed(format!("Exit code {code}\n{all}").trim_end());
    }
    let silent = all.is_empty();
    let object = json!({
        "stdout": stdout, "stderr": stderr, "interrupted": false, "isImage": false,
        "noOutputExpected": silent,
    });
    (if silent { NO_OUTPUT.to_owned() } else { all }, false, object)
}

fn answered(input: &Value) -> Outcome {
    let mut words = Vec::new();
    for (question, answer) in input["answers"].as_object().into_iter().flatten() {
        words.push(format!("\"{question}\"={answer}"));
    }
    let text = format!(
        "Your questions have been answered: {}. You can now continue with these answers in mind.",
        words.join(", ")
    );
    let object = json!({"questions": input["questions"], "answers": input["answers"]});
    (text, false, object)
}

fn failed(why: &str) -> Outcome {
    (why.to_owned(), true, json!(format!("Error: {why}")))
}
