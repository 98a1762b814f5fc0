//! An agent that speaks ACP as a test tells it to.

use larkline_agent::acp::Acp;
use larkline_agent::{Answer, Event, Launch, Prompt, Step};
use serde_json::{Value, json};

use crate::launches::closes_at_the_end;

/// An agent that does what the test says.
pub(crate) struct Agent {
    pub(crate) acp: Acp,
    pub(crate) events: Vec<Event>,
    /// What was written since it was last looked at.
    pub(crate) written: Vec<Value>,
}

impl Agent {
    pub(crate) fn begun(launch: &Launch, prompt: &Prompt) -> Self {
        let mut agent = Self { acp: Acp::new(launch), events: Vec::new(), written: Vec::new() };
        let step = agent.acp.begin(prompt);
        agent.took(step);
        agent
    }

    /// A turn whose prompt was sent.
    pub(crate) fn prompted(launch: &Launch) -> Self {
        let mut agent = Self::begun(launch, &Prompt::default());
        agent.says(json!({"id": 1, "result": {"protocolVersion": 1}}));
        agent.says(json!({"id": 2, "result": {"sessionId": "s1"}}));
        agent.written.clear();
        agent
    }

    pub(crate) fn took(&mut self, step: Step) {
        closes_at_the_end(&step);
        for line in step.write.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.written.push(serde_json::from_slice(line).unwrap());
        }
        self.events.extend(step.events);
    }

    pub(crate) fn says(&mut self, message: Value) {
        let step = self.acp.line(message.to_string().as_bytes());
        self.took(step);
    }

    pub(crate) fn updates(&mut self, update: Value) {
        let params = json!({"sessionId": "s1", "update": update});
        self.says(json!({"method": "session/update", "params": params}));
    }

    pub(crate) fn text(&mut self, text: &str) {
        let content = json!({"type": "text", "text": text});
        self.updates(json!({"sessionUpdate": "agent_message_chunk", "content": content}));
    }

    pub(crate) fn asks(&mut self, id: Value, kinds: &[&str]) {
        let options: Vec<Value> =
            kinds.iter().map(|kind| json!({"optionId": kind, "kind": kind})).collect();
        let tool = json!({"toolCallId": "t1", "title": "ls"});
        let params = json!({"sessionId": "s1", "toolCall": tool, "options": options});
        self.says(json!({"id": id, "method": "session/request_permission", "params": params}));
    }

    pub(crate) fn answers(&mut self, ask: &str, answer: &Answer) {
        let step = self.acp.answer(ask, answer);
        self.took(step);
    }

    pub(crate) fn stops(&mut self, reason: &str) {
        self.says(json!({"id": 3, "result": {"stopReason": reason}}));
    }
}
