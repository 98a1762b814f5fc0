//! What an agent says about its turn, gathered into events: text, thoughts, tools, plan, use.
//!
//! Text comes as pieces without an end. What a tool, a question or the end of the turn cuts off is
//! a finished piece, so that all text is in messages.

use serde_json::Value;

use super::permission::tool_name;
use crate::event::{Event, Notice, Usage};
use crate::plain::{ABOUT_MAX, NOTICE_MAX, one_line};

/// A piece of text that grows beyond this is finished, bytes: no answer of a person's length does,
/// and a text without end must not fill the memory.
const TEXT_MAX: usize = 4 << 20;
/// Tools that run at once; further ones are not told of.
const TOOLS_MAX: usize = 64;
/// Tools whose end is remembered, as late words about them come: more than run at once.
const ENDED_MAX: usize = 2 * TOOLS_MAX;
/// The longest id of a tool, bytes; no agent's is near it.
const ID_MAX: usize = 256;
/// The largest input of a tool that is remembered until it is asked about; a file to be written is
/// larger, and is in the question itself.
const INPUT_BYTES_MAX: usize = 8 * 1024;

/// What was said and is not told yet.
#[derive(Default)]
pub(super) struct Said {
    text: String,
    /// The agent's id of the message that the text belongs to.
    message: String,
    thinks: bool,
    tools: Vec<Tool>,
    ended: Vec<String>,
    plan: String,
    usage: Usage,
    told: Usage,
}

/// A tool that has not ended.
struct Tool {
    id: String,
    name: String,
    about: String,
    /// What it was last said to work with.
    input: Option<Value>,
    /// Its beginning was told.
    told: bool,
}

impl Said {
    /// Takes one update of the session.
    pub(super) fn update(&mut self, update: &Value) -> Vec<Event> {
        self.usage_of_call(&update["_meta"]["usage"]);
        let mut events = match update["sessionUpdate"].as_str().unwrap_or_default() {
            "agent_message_chunk" => self.chunk(update),
            "agent_thought_chunk" => self.thought(),
            "tool_call" => {
                let mut events = self.message();
                events.extend(self.tool(update));
                events
            }
            "tool_call_update" => self.tool(update),
            "plan" => self.plan(update),
            "usage_update" => {
                self.cost(&update["cost"]);
                Vec::new()
            }
            _ => Vec::new(),
        };
        events.extend(self.usage());
        events
    }

    /// Takes the call that a request for leave is about: some agents tell of it nowhere else.
    /// Answers it with what was told of it before: OpenCode asks with the command alone.
    pub(super) fn asked(&mut self, tool_call: &Value) -> Value {
        let mut asked = tool_call.clone();
        let Some(at) = self.tool_at(tool_call) else { return asked };
        let before = self.tools[at].input.take();
        self.tools[at].learn(tool_call);
        let input = asked["rawInput"].as_object_mut().filter(|input| input.contains_key("command"));
        if let (Some(input), Some(Value::Object(before))) = (input, before) {
            for (name, value) in before {
                input.entry(name).or_insert(value);
            }
        }
        asked
    }

    /// Finishes the text that was said since the last message.
    pub(super) fn message(&mut self) -> Vec<Event> {
        if self.text.is_empty() {
            return Vec::new();
        }
        vec![Event::Message { text: std::mem::take(&mut self.text) }]
    }

    /// Takes the use that stands beside the end of the turn: it is the whole turn's.
    pub(super) fn usage_of_turn(&mut self, usage: &Value) {
        if let Some((tokens_in, tokens_out)) = tokens(usage) {
            self.usage = Usage { tokens_in, tokens_out, ..self.usage };
        }
    }

    /// The use, if it is another than was told.
    pub(super) fn usage(&mut self) -> Option<Event> {
        if self.usage == self.told {
            return None;
        }
        self.told = self.usage;
        Some(Event::Usage(self.usage))
    }

    fn chunk(&mut self, update: &Value) -> Vec<Event> {
        let text = update["content"]["text"].as_str().unwrap_or_default();
        // What a sub-agent says is for the agent that sent it, not for the chat.
        if text.is_empty() || update["_meta"]["claudeCode"]["parentToolUseId"].is_string() {
            return Vec::new();
        }
        let message = update["messageId"].as_str().unwrap_or_default();
        let another = message != self.message && message.len() <= ID_MAX;
        let mut events =
            if another || self.text.len() > TEXT_MAX { self.message() } else { Vec::new() };
        if another {
            message.clone_into(&mut self.message);
        }
        self.thinks = false;
        self.text.push_str(text);
        events.push(Event::Delta { text: text.to_owned() });
        events
    }

    fn thought(&mut self) -> Vec<Event> {
        if std::mem::replace(&mut self.thinks, true) { Vec::new() } else { vec![Event::Thinking] }
    }

    fn tool(&mut self, update: &Value) -> Vec<Event> {
        let Some(at) = self.tool_at(update) else { return Vec::new() };
        self.thinks = false;
        let mut events = Vec::new();
        let tool = &mut self.tools[at];
        tool.learn(update);
        let status = update["status"].as_str().unwrap_or_default();
        let ended = matches!(status, "completed" | "failed");
        if !tool.told && (ended || status == "in_progress" || tells(update)) {
            tool.told = true;
            events.push(Event::ToolStart {
                id: tool.id.clone(),
                name: tool.name.clone(),
                about: tool.about.clone(),
            });
        }
        if ended {
            let Tool { id, .. } = self.tools.remove(at);
            if self.ended.len() == ENDED_MAX {
                self.ended.remove(0);
            }
            self.ended.push(id.clone());
            events.push(Event::ToolEnd { id, ok: status == "completed" });
        }
        events
    }

    /// Where the tool is that something is about, a new one if need be.
    fn tool_at(&mut self, about: &Value) -> Option<usize> {
        let id = about["toolCallId"].as_str().filter(|id| !id.is_empty() && id.len() <= ID_MAX)?;
        if let Some(at) = self.tools.iter().position(|tool| tool.id == id) {
            return Some(at);
        }
        // Later words about what has ended are no new beginning.
        if self.ended.iter().any(|ended| ended == id) || self.tools.len() == TOOLS_MAX {
            return None;
        }
        let (name, about) = ("tool".to_owned(), String::new());
        self.tools.push(Tool { id: id.to_owned(), name, about, input: None, told: false });
        Some(self.tools.len() - 1)
    }

    /// The step of the plan that is being done; what is done is told by tools and text.
    fn plan(&mut self, update: &Value) -> Vec<Event> {
        let mut entries = update["entries"].as_array().into_iter().flatten();
        let step = entries.find(|entry| entry["status"] == "in_progress");
        let step = step.and_then(|entry| entry["content"].as_str()).unwrap_or_default();
        let step = one_line(step, NOTICE_MAX);
        if step.is_empty() || step == self.plan {
            return Vec::new();
        }
        self.plan.clone_from(&step);
        vec![Event::Notice(Notice::Other(step))]
    }

    /// Qwen tells the use of each call of the model beside an empty piece of text.
    fn usage_of_call(&mut self, usage: &Value) {
        if let Some((tokens_in, tokens_out)) = tokens(usage) {
            self.usage.tokens_in = self.usage.tokens_in.saturating_add(tokens_in);
            self.usage.tokens_out = self.usage.tokens_out.saturating_add(tokens_out);
        }
    }

    /// The cost is that of the process, whose one turn this is.
    fn cost(&mut self, cost: &Value) {
        let amount = cost["amount"].as_f64().filter(|amount| amount.is_finite() && *amount >= 0.0);
        if let Some(amount) = amount.filter(|_| cost["currency"] == "USD") {
            self.usage.cost_usd = Some(amount);
        }
    }
}

impl Tool {
    fn learn(&mut self, about: &Value) {
        if let Some(name) = tool_name(about) {
            self.name = name;
        }
        if let Some(title) = about["title"].as_str().filter(|title| !title.trim().is_empty()) {
            self.about = one_line(title, ABOUT_MAX);
        }
        let input = &about["rawInput"];
        if input.is_object() && input.to_string().len() <= INPUT_BYTES_MAX {
            self.input = Some(input.clone());
        }
    }
}

/// Whether words about a tool that waits tell what it will do. Claude and OpenCode begin with a
/// call that knows at most its directory, and name the command a moment later.
fn tells(update: &Value) -> bool {
    update["rawInput"]
        .as_object()
        .map_or_else(|| update["title"].is_string(), |input| input.keys().any(|key| key != "cwd"))
}

/// Tokens read and written. Whether cached or thought ones are a part of the others differs with
/// the agent; the total holds each of them once.
fn tokens(usage: &Value) -> Option<(u64, u64)> {
    let count = |name: &str| usage[name].as_u64();
    let (read, written) = (count("inputTokens")?, count("outputTokens")?);
    let sum =
        |names: [&str; 2]| names.iter().filter_map(|name| count(name)).fold(0, u64::saturating_add);
    let Some(total) = count("totalTokens").filter(|total| *total >= read.saturating_add(written))
    else {
        return Some((
            read.saturating_add(sum(["cachedReadTokens", "cachedWriteTokens"])),
            written,
        ));
    };
    let all_written = written.saturating_add(count("thoughtTokens").unwrap_or_default());
    let read = read.max(total.saturating_sub(all_written));
    Some((read, total.saturating_sub(read)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_token_counts_once() {
        for (usage, expected) in [
            // Cached ones beside the others, as Anthropic counts.
            (
                json!({"inputTokens": 10, "cachedReadTokens": 90, "outputTokens": 5,
                "totalTokens": 105}),
                (100, 5),
            ),
            (
                json!({"inputTokens": 10, "cachedReadTokens": 80, "cachedWriteTokens": 10,
                "outputTokens": 5}),
                (100, 5),
            ),
            // Cached ones among the others, thoughts beside what is written, as Google counts.
            (
                json!({"inputTokens": 100, "cachedReadTokens": 90, "outputTokens": 5,
                "thoughtTokens": 7, "totalTokens": 112}),
                (100, 12),
            ),
            // Thoughts among what is written, as OpenAI counts.
            (
                json!({"inputTokens": 100, "outputTokens": 12, "thoughtTokens": 7,
                "totalTokens": 112}),
                (100, 12),
            ),
            (
                json!({"inputTokens": u64::MAX, "cachedReadTokens": u64::MAX, "outputTokens": 1}),
                (u64::MAX, 1),
            ),
        ] {
            assert_eq!(tokens(&usage), Some(expected), "{usage}");
        }
        assert_eq!(tokens(&json!({"inputTokens": -1, "outputTokens": 1})), None);
    }

    #[test]
    fn tools_without_end_and_without_number_are_bounded() {
        let mut said = Said::default();
        let begun = |at: usize| {
            json!({"sessionUpdate": "tool_call", "toolCallId": at.to_string(),
                "status": "in_progress"})
        };
        let told: usize = (0..1_000).map(|at| said.update(&begun(at)).len()).sum();
        assert_eq!(told, TOOLS_MAX);
        for at in 0..1_000 {
            let id = at.to_string();
            said.update(&json!({"sessionUpdate": "tool_call_update", "toolCallId": id,
                "status": "completed"}));
        }
        assert!(said.tools.is_empty());
        assert_eq!(said.ended.len(), ENDED_MAX);
        let long = json!({"sessionUpdate": "tool_call", "toolCallId": "x".repeat(ID_MAX + 1),
            "status": "in_progress"});
        assert_eq!(said.update(&long), []);
    }

    #[test]
    fn a_tool_that_waits_begins_when_it_tells_what_it_will_do() {
        let call = |input: &Value| {
            json!({"sessionUpdate": "tool_call", "toolCallId": "t", "status": "pending",
                "title": "x", "rawInput": input})
        };
        for (input, begins) in
            [(json!({}), 0), (json!({"cwd": "/"}), 0), (json!({"command": "ls"}), 1)]
        {
            assert_eq!(Said::default().update(&call(&input)).len(), begins, "{input}");
        }
        assert_eq!(Said::default().update(&call(&Value::Null)).len(), 1);
    }
}
