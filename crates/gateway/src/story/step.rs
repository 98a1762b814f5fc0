//! One step of a story.

use serde::{Deserialize, Serialize};

/// One thing that happened. What does not apply is empty, and absent from JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When, Unix ms.
    pub at_ms: i64,
    /// `received`, `journaled`, `acked`, `redelivered`, `unreadable`, `routed`, `attempt`,
    /// `attempt_failed`, `attempt_cut_off`, `promised`, `handled`, `queued`, `send`,
    /// `send_failed`, `send_cut_off`, `looked`, `delivered`, `dead`, `retried`, `dropped`,
    /// `merged`, `withdrawn`, `recalled`, `verdict`.
    pub step: String,
    /// The same as a sentence.
    pub text: String,
    /// What the sentence quotes: the words of an error, the first words of an answer, the id of a run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// The task (`t7`) or outgoing message (`o7`).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub item: String,
    /// Name of the route.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub route: String,
    /// Name of the handler.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handler: String,
    /// Which attempt of the item, or which redelivery.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// How long the attempt took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<i64>,
    /// The code of a failure, or the verdict's reason.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub code: String,
    /// The platform's log id, to be named to its support.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log_id: String,
    /// The platform's id of the message that was sent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message_id: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl Step {
    pub(super) fn new(at_ms: i64, step: &str, text: impl Into<String>) -> Self {
        Self { at_ms, step: step.to_owned(), text: text.into(), ..Self::default() }
    }

    /// The order of cause among steps of one millisecond: arrival (an event is decided about and then
    /// journaled with that), handling, sending, verdict;
    /// attempt by attempt; begun before ended, decided by hand last.
    pub(super) fn place(&self) -> (u8, u32, u8) {
        let part = match (self.step.as_str(), self.item.bytes().next()) {
            ("routed", _) => 0,
            ("verdict", _) => 3,
            (_, Some(b't')) => 1,
            (_, Some(b'o')) => 2,
            (_, Some(_) | None) => 0,
        };
        let attempt = if matches!(self.step.as_str(), "retried" | "dropped") {
            u32::MAX
        } else {
            self.attempt
        };
        let rank = match self.step.as_str() {
            "received" | "queued" | "attempt" | "send" => 0,
            "routed" | "attempt_failed" | "send_failed" | "promised" | "looked" => 1,
            "journaled" | "handled" | "delivered" | "dead" => 2,
            _ => 3,
        };
        (part, attempt, rank)
    }
}
