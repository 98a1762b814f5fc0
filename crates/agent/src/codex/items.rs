//! The items of a turn of Codex: what it says, what its tools do.

use serde_json::Value;

use crate::event::{Event, Notice};
use crate::plain::{ABOUT_MAX, NOTICE_MAX, cut, one_line};

/// Tools that run at once; further ones are told of when they end.
const TOOLS_MAX: usize = 64;
/// The longest id of an item, bytes; Codex writes `item_0`.
const ID_MAX: usize = 256;

/// The items that have begun and not ended.
#[derive(Default)]
pub(super) struct Items {
    tools: Vec<String>,
    thinks: bool,
}

impl Items {
    /// Takes an item that begins or, with `ended`, has ended.
    pub(super) fn take(&mut self, item: &Value, ended: bool) -> Vec<Event> {
        let kind = item["type"].as_str().unwrap_or_default();
        let text = |name: &str| item[name].as_str().unwrap_or_default();
        if kind != "reasoning" {
            self.thinks = false;
        }
        match kind {
            "agent_message" if ended && !text("text").is_empty() => {
                vec![Event::Message { text: text("text").to_owned() }]
            }
            "reasoning" if !std::mem::replace(&mut self.thinks, true) => vec![Event::Thinking],
            // Only a warning, as of a model it knows nothing about.
            "error" if ended => {
                vec![Event::Notice(Notice::Other(cut(text("message"), NOTICE_MAX)))]
            }
            "command_execution" => self.tool(item, kind, unwrapped(text("command")), ended),
            "file_change" => self.tool(item, kind, &paths(item), ended),
            "mcp_tool_call" => self.tool(item, text("tool"), text("server"), ended),
            "web_search" => self.tool(item, kind, text("query"), ended),
            _ => Vec::new(),
        }
    }

    fn tool(&mut self, item: &Value, name: &str, about: &str, ended: bool) -> Vec<Event> {
        let Some(id) = item["id"].as_str().filter(|id| id.len() <= ID_MAX) else {
            return Vec::new();
        };
        let begun = self.tools.iter().position(|tool| tool == id);
        let mut events = Vec::new();
        if begun.is_none() && (ended || self.tools.len() < TOOLS_MAX) {
            let (name, about) = (one_line(name, ABOUT_MAX), one_line(about, ABOUT_MAX));
            events.push(Event::ToolStart { id: id.to_owned(), name, about });
            if !ended {
                self.tools.push(id.to_owned());
            }
        }
        if ended {
            if let Some(begun) = begun {
                self.tools.remove(begun);
            }
            let ok = item["status"].as_str().is_none_or(|status| status == "completed");
            events.push(Event::ToolEnd { id: id.to_owned(), ok });
        }
        events
    }
}

/// The command inside `/bin/bash -lc '…'`, in which Codex wraps every one.
fn unwrapped(command: &str) -> &str {
    let Some((shell, inner)) = command.split_once(" -lc ") else { return command };
    if shell.contains(' ') {
        return command;
    }
    ['\'', '"']
        .into_iter()
        .find_map(|quote| inner.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(inner)
}

fn paths(item: &Value) -> String {
    let changes = item["changes"].as_array().into_iter().flatten();
    let mut paths = String::new();
    for path in changes.filter_map(|change| change["path"].as_str()).take(ABOUT_MAX) {
        if !paths.is_empty() {
            paths.push_str(", ");
        }
        paths.push_str(path);
    }
    paths
}
