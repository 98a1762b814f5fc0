//! `larkline mcp`: an MCP server over stdio, by which an agent talks to the chat of its own task.
//!
//! One JSON object a line, in both directions. Calls run side by side, so that a question that waits
//! for a person holds up nothing. What a line means is `protocol`'s, what a tool does `tools`'s
//! business. Nothing that comes in ends it but the end of input.

mod lines;
mod protocol;
mod tools;

use std::collections::HashMap;

use anyhow::Result;
use serde_json::Value;
use tokio::io::{AsyncWriteExt as _, Stdout};
use tokio::task::{AbortHandle, JoinError, JoinSet};

use super::task::Task;
use crate::exit::ExitStatus;
use lines::{Line, Lines};
use protocol::Heard;
use tools::Tools;

/// Calls under way; agents make one or two at a time.
const CALLS_MAX: usize = 32;

/// Serves until the end of input.
///
/// # Errors
/// When stdout is gone.
pub(crate) async fn run() -> Result<ExitStatus> {
    // Without a task it still says what it would do, and each call why it cannot.
    let tools = match Task::of_env(None) {
        Ok(task) => Tools::new(task),
        Err(_) => Tools::new(None),
    };
    let mut server =
        Server { tools, stdout: tokio::io::stdout(), calls: JoinSet::new(), open: HashMap::new() };
    let mut lines = Lines::new(tokio::io::stdin());
    loop {
        tokio::select! {
            line = lines.next() => match line {
                Some(line) => server.line(&line).await?,
                None => break,
            },
            Some(done) = server.calls.join_next() => server.done(done).await?,
        }
    }
    // What was asked for before the end of input is answered.
    while let Some(done) = server.calls.join_next().await {
        server.done(done).await?;
    }
    Ok(ExitStatus::Ok)
}

struct Server {
    tools: Tools,
    stdout: Stdout,
    calls: JoinSet<(Value, Value)>,
    /// Calls by the text of their ids, to be cancelled.
    open: HashMap<String, AbortHandle>,
}

impl Server {
    async fn line(&mut self, line: &Line) -> Result<()> {
        let heard = match line {
            Line::Whole(bytes) => protocol::hear(bytes),
            Line::TooLong => Heard::Say(protocol::too_long()),
        };
        match heard {
            Heard::Say(answer) => self.write(&answer).await,
            Heard::Nothing => Ok(()),
            Heard::Cancel(id) => {
                if let Some(call) = self.open.remove(&id.to_string()) {
                    call.abort();
                }
                Ok(())
            }
            Heard::Call { id, .. } if self.calls.len() >= CALLS_MAX => {
                self.write(&protocol::busy(&id)).await
            }
            Heard::Call { id, name, arguments } => {
                let (tools, key) = (self.tools.clone(), id.to_string());
                let call = self.calls.spawn(async move {
                    let answer = tools.call(&name, &arguments).await;
                    (id, answer)
                });
                self.open.insert(key, call);
                Ok(())
            }
        }
    }

    /// A call is over; one that was cancelled has left `open`, and has no answer.
    async fn done(&mut self, done: Result<(Value, Value), JoinError>) -> Result<()> {
        let answer = match done {
            Ok((id, result)) => Some(protocol::result(&id, &result)),
            Err(error) => self
                .open
                .iter()
                .find(|(_, call)| call.id() == error.id())
                .and_then(|(key, _)| serde_json::from_str(key).ok())
                .map(|id| protocol::broken(&id)),
        };
        self.open.retain(|_, call| !call.is_finished());
        match answer {
            Some(answer) => self.write(&answer).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, message: &Value) -> Result<()> {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.stdout.write_all(&line).await?;
        Ok(self.stdout.flush().await?)
    }
}
