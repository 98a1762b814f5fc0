//! Leave to use a tool: by a rule, by a mode, or by asking the other side.

use serde_json::{Value, json};
use uuid::Uuid;

use super::turn::{Agent, Cut, Event};

/// What became of a wish to use a tool.
pub(super) enum Leave {
    /// It may, with this input.
    Granted(Value),
    /// It may not; what the tool is said to have answered.
    Denied(String),
}

impl Agent {
    /// Gets leave to use a tool, or the words against it.
    pub(super) fn leave(&mut self, name: &str, input: &Value, tool: &str) -> Result<Leave, Cut> {
        let question = name == "AskUserQuestion";
        let by = |rules: &[String]| rules.iter().any(|rule| covers(rule, name, input));
        if by(&self.flags.denied) {
            return Ok(Leave::Denied(format!("Permission to use {name} has been denied.")));
        }
        let by_mode = match self.flags.mode.as_str() {
            "bypassPermissions" => true,
            "acceptEdits" => name == "Write",
            _ => false,
        };
        if !question && (by_mode || by(&self.flags.allowed)) {
            return Ok(Leave::Granted(input.clone()));
        }
        if !self.flags.asks || self.flags.mode == "dontAsk" {
            return Ok(Leave::Denied(format!("{name} needs permission and nobody can be asked.")));
        }
        self.ask(name, input, tool)
    }

    fn ask(&mut self, name: &str, input: &Value, tool: &str) -> Result<Leave, Cut> {
        let id = Uuid::now_v7().to_string();
        let mut request = json!({
            "subtype": "can_use_tool", "tool_name": name, "display_name": name,
            "input": input, "tool_use_id": tool,
        });
        if name == "Bash" {
            request["description"] = input["description"].clone();
            request["permission_suggestions"] = suggestions(input);
            request["blocked_path"] = json!(self.folder);
        }
        self.voice.line(&json!({"type": "control_request", "request_id": id, "request": request}));
        self.turn.ask = Some((id.clone(), denial(name, input, tool)));
        let mut answer = None;
        while answer.is_none() && !self.ended {
            answer = match self.listen(None)? {
                Event::Response(line) => {
                    Some(line["response"].clone()).filter(|line| line["request_id"] == id.as_str())
                }
                Event::Line | Event::Ran(_) | Event::Ended | Event::TimeUp => None,
            };
        }
        self.turn.ask = None;
        self.word(answer.as_ref(), name, input, tool)
    }

    /// What an answer means.
    fn word(
        &mut self,
        answer: Option<&Value>,
        name: &str,
        input: &Value,
        tool: &str,
    ) -> Result<Leave, Cut> {
        let Some(answer) = answer else {
            return Ok(Leave::Denied(
                "Tool permission stream closed before response received".into(),
            ));
        };
        let word = &answer["response"];
        match word["behavior"].as_str().unwrap_or_default() {
            "allow" if word["updatedInput"].is_object() => {
                self.rules(&word["updatedPermissions"]);
                Ok(Leave::Granted(word["updatedInput"].clone()))
            }
            "deny" if word["interrupt"] == true => {
                self.turn.denials.push(denial(name, input, tool));
                Err(Cut::Stopped(None))
            }
            "deny" => Ok(Leave::Denied(word["message"].as_str().unwrap_or_default().to_owned())),
            _ => {
                let why = answer["error"].as_str().unwrap_or("invalid_union");
                Ok(Leave::Denied(format!("Tool permission request failed: ZodError: {why}")))
            }
        }
    }

    /// Takes over what shall need no leave from now on.
    fn rules(&mut self, updates: &Value) {
        for update in updates.as_array().into_iter().flatten() {
            if update["type"] != "addRules" || update["behavior"] != "allow" {
                continue;
            }
            for rule in update["rules"].as_array().into_iter().flatten() {
                let tool = rule["toolName"].as_str().unwrap_or_default();
                let rule = match rule["ruleContent"].as_str() {
                    Some(content) => format!("{tool}({content})"),
                    None => tool.to_owned(),
                };
                self.flags.allowed.push(rule);
            }
        }
    }
}

/// How a tool that was denied is listed in the result.
pub(super) fn denial(name: &str, input: &Value, tool: &str) -> Value {
    json!({"tool_name": name, "tool_use_id": tool, "tool_input": input})
}

/// What the other side may answer with to be asked less.
fn suggestions(input: &Value) -> Value {
    let rule = json!({"toolName": "Bash", "ruleContent": input["command"]});
    json!([
        {"type": "addRules", "rules": [rule], "behavior": "allow", "destination": "localSettings"},
        {"type": "setMode", "mode": "acceptEdits", "destination": "session"},
    ])
}

/// Whether a rule like `Bash`, `Bash(echo *)` or `Bash(ls -l)` covers this use of a tool.
fn covers(rule: &str, name: &str, input: &Value) -> bool {
    let Some((tool, content)) = rule.split_once('(') else { return rule == name };
    let content = content.strip_suffix(')').unwrap_or(content);
    let command = input["command"].as_str().unwrap_or_default();
    tool == name
        && match content.strip_suffix('*') {
            Some(start) => command.starts_with(start.trim_end_matches([':', ' '])),
            None => command == content,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_covers_a_tool_a_command_or_a_beginning() {
        let input = json!({"command": "echo a b"});
        for rule in ["Bash", "Bash(echo *)", "Bash(echo:*)", "Bash(echo a b)", "Bash(*)"] {
            assert!(covers(rule, "Bash", &input), "{rule}");
        }
        for rule in ["Read", "Bash(ls *)", "Bash(echo)", "Bash(echo a b c)"] {
            assert!(!covers(rule, "Bash", &input), "{rule}");
        }
    }
}
