//! What the model says: messages in blocks, streamed when deltas are wanted.

use serde_json::{Value, json};

use super::prompt::Prompt;
use super::script::{Answer, Pace, Script};
use super::turn::{Agent, Cut};
use super::voice::Closing;

/// A block of a message.
pub(super) enum Block {
    Thinking(String),
    Text(String),
    Tool { id: String, name: String, input: Value },
}

impl Agent {
    /// The last message of a turn, and its result.
    pub(super) fn answer(&mut self, script: &Script, prompt: &Prompt) -> Result<(), Cut> {
        let mut text = match &script.answer {
            Answer::Say(text) => self.filled(text),
            Answer::Long(length) => "0123456789".chars().cycle().take(*length).collect(),
            Answer::Recall => self.conversation.kept.join("\n"),
            Answer::Tool => match self.turn.said.take() {
                Some(said) => format!("tool said: {said}"),
                None => format!("echo: {}", prompt.words),
            },
        };
        let mut pace = &script.pace;
        if let Some((otherwise, its_pace)) = script.otherwise.as_ref().filter(|_| self.turn.denied)
        {
            text.clone_from(otherwise);
            pace = its_pace;
        }
        for (name, bytes) in &prompt.files {
            text.push_str(&format!("\nread {name}: {bytes} bytes"));
        }
        if prompt.pictures > 0 {
            text.push_str(&format!("\npictures: {}", prompt.pictures));
        }
        let thought = script.think.clone().map(Block::Thinking);
        let blocks: Vec<Block> = thought.into_iter().chain([Block::Text(text.clone())]).collect();
        self.call(&blocks, pace)?;
        self.conversation.said(&text);
        let calls = self.turn.calls;
        self.close(Closing { text: Some(text), num_turns: calls, ..Closing::success() });
        Ok(())
    }

    /// One message of the model.
    pub(super) fn call(&mut self, blocks: &[Block], pace: &Pace) -> Result<(), Cut> {
        let message = self.voice.id("msg");
        self.event_with(|voice| voice.system("status", json!({"status": "requesting"})));
        self.silence(pace.hang)?;
        self.event_with(|voice| {
            let start = voice.message(&message, json!([]));
            voice.event(json!({"type": "message_start", "message": start}));
        });
        self.silence(pace.stall)?;
        for (index, block) in blocks.iter().enumerate() {
            self.block(&message, index, block, pace)?;
        }
        let tool = matches!(blocks.last(), Some(Block::Tool { .. }));
        let reason = if tool { "tool_use" } else { "end_turn" };
        self.event_with(|voice| {
            let delta = json!({"stop_reason": reason, "stop_sequence": null});
            let usage = json!({"output_tokens": 7});
            voice.event(json!({"type": "message_delta", "delta": delta, "usage": usage}));
            voice.event(json!({"type": "message_stop"}));
        });
        self.turn.calls += 1;
        Ok(())
    }

    /// One block: its pieces, then all of it.
    fn block(&mut self, id: &str, index: usize, block: &Block, pace: &Pace) -> Result<(), Cut> {
        let (empty, whole, kind, member, content) = match block {
            Block::Thinking(text) => (
                json!({"type": "thinking", "thinking": "", "signature": ""}),
                json!({"type": "thinking", "thinking": text, "signature": SIGNATURE}),
                "thinking_delta",
                "thinking",
                text.clone(),
            ),
            Block::Text(text) => (
                json!({"type": "text", "text": ""}),
                json!({"type": "text", "text": text}),
                "text_delta",
                "text",
                text.clone(),
            ),
            Block::Tool { id, name, input } => (
                json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
                json!({"type": "tool_use", "id": id, "name": name, "input": input}),
                "input_json_delta",
                "partial_json",
                input.to_string(),
            ),
        };
        self.event_with(|voice| {
            let start =
                json!({"type": "content_block_start", "index": index, "content_block": empty});
            voice.event(start);
        });
        let is_text = matches!(block, Block::Text(_));
        self.turn.partial = is_text.then(|| (id.to_owned(), String::new()));
        let pace = if matches!(block, Block::Tool { .. }) { &Pace::default() } else { pace };
        for (nth, piece) in pieces(&content, pace.chunks).into_iter().enumerate() {
            let mut delta = json!({ "type": kind });
            delta[member] = json!(piece);
            self.delta(index, nth, delta);
            if let Some((_, so_far)) = &mut self.turn.partial {
                so_far.push_str(&piece);
            }
            self.pause(pace.delay)?;
        }
        if matches!(block, Block::Thinking(_)) {
            let signature = json!({"type": "signature_delta", "signature": SIGNATURE});
            self.delta(index, pace.chunks, signature);
        }
        self.turn.partial = None;
        self.voice.block(id, &whole, None);
        self.event_with(|v| v.event(json!({"type": "content_block_stop", "index": index})));
        Ok(())
    }

    /// A piece of a block; thoughts are counted besides.
    fn delta(&self, index: usize, nth: usize, delta: Value) {
        let thought = matches!(delta["type"].as_str(), Some("thinking_delta" | "signature_delta"));
        self.event_with(|voice| {
            if thought {
                let tokens = json!({"estimated_tokens": nth + 1, "estimated_tokens_delta": 1});
                voice.system("thinking_tokens", tokens);
            }
            voice.event(json!({"type": "content_block_delta", "index": index, "delta": delta}));
        });
    }

    /// Something that is said when deltas are wanted.
    fn event_with(&self, say: impl FnOnce(&super::voice::Voice)) {
        if self.flags.partial {
            say(&self.voice);
        }
    }
}

/// What the fakes sign thoughts with.
const SIGNATURE: &str = "c2NyaXB0ZWQ=";

/// A text in at most so many pieces of whole characters.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let size = letters.len().div_ceil(count).max(1);
    letters.chunks(size).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_whole_characters_and_no_more_than_asked_for() {
        assert_eq!(pieces("你好世界!", 3), ["你好", "世界", "!"]);
        assert_eq!(pieces("ab", 7), ["a", "b"]);
        assert_eq!(pieces("", 3), [""; 0]);
    }
}
