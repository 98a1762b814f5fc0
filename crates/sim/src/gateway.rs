//! What stands behind the bot, for the page: its state, and the story of each message.
//!
//! The simulator knows what it pushed and what came back. What happened in between only the
//! gateway can tell; whoever started both (the demo) tells the simulator how to ask.

use std::fmt;
use std::pin::Pin;

use serde_json::Value;

/// What was asked for, or a sentence for the person.
pub type Told<'a> = Pin<Box<dyn Future<Output = Result<Value, String>> + Send + 'a>>;

/// A gateway that can be asked. Answers are passed on to the page as they are.
pub trait Gateway: fmt::Debug + Send + Sync {
    /// Its state: link, verdicts so far, what waits.
    fn status(&self) -> Told<'_>;
    /// The newest events with their verdicts, as a list.
    fn verdicts(&self) -> Told<'_>;
    /// What became of one message.
    fn story<'a>(&'a self, message_id: &'a str) -> Told<'a>;
    /// Ends its process at once; whoever looks after it starts it again.
    fn kill(&self) -> Told<'_>;
}
