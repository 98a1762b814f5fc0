//! How an agent at work reaches its own chat: by an MCP server, this program again, that shows the
//! token of the turn.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use larkline_proto::id::OpenId;

use super::Agent;
use crate::config::AgentKind;
use crate::grants::Access;
use crate::handler::files::task_folder;
use crate::handler::turn::Turn;

/// What tells the agent of the server, in the folder of its task.
const MCP_FILE: &str = "mcp.json";

impl Agent {
    /// Whether what it runs may talk back to the chat.
    pub fn talks_back(&self) -> bool {
        self.settings.talk_back
    }

    /// Who may answer its questions, besides the owners and whoever asked it.
    pub fn approvers(&self) -> &[OpenId] {
        &self.settings.approvers
    }

    /// The server by which it talks to the chat. It holds a token: ACP carries it on stdin; for a
    /// command line, which everybody sees, it is in a file.
    pub(super) fn mcp(&self, turn: &Turn) -> std::io::Result<Option<String>> {
        let Some(config) = turn.access.as_ref().and_then(Access::mcp) else { return Ok(None) };
        match self.settings.agent {
            AgentKind::Acp => Ok(Some(config)),
            AgentKind::Claude => {
                let path = task_folder(&self.state_dir, turn.task).join(MCP_FILE);
                private(&path, config.as_bytes())?;
                Ok(Some(path.display().to_string()))
            }
            // It reads no such file, and runs `larkline send` where its sandbox lets it.
            AgentKind::Codex => Ok(None),
        }
    }
}

/// Writes a file that its owner alone may read, in place of what was there.
fn private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)
}
