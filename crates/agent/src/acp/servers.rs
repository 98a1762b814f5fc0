//! MCP servers, from the form that everybody writes to the one that ACP takes.

use serde_json::{Map, Value, json};

/// The servers, and the names of those that this agent cannot reach or nobody can read.
pub(super) fn servers(config: &str, capabilities: &Value) -> (Vec<Value>, Vec<String>) {
    let config: Value = serde_json::from_str(config).unwrap_or_default();
    let (mut servers, mut left_out) = (Vec::new(), Vec::new());
    for (name, server) in config["mcpServers"].as_object().into_iter().flatten() {
        match server_of(name, server, capabilities) {
            Some(server) => servers.push(server),
            None => left_out.push(name.clone()),
        }
    }
    (servers, left_out)
}

fn server_of(name: &str, server: &Value, capabilities: &Value) -> Option<Value> {
    if let Some(command) = server["command"].as_str() {
        let args = server["args"].as_array().cloned().unwrap_or_default();
        let env = pairs(server["env"].as_object());
        return Some(json!({"name": name, "command": command, "args": args, "env": env}));
    }
    let kind = if server["type"] == "sse" { "sse" } else { "http" };
    let url = server["url"].as_str().filter(|_| capabilities[kind] == true)?;
    let headers = pairs(server["headers"].as_object());
    Some(json!({"type": kind, "name": name, "url": url, "headers": headers}))
}

fn pairs(map: Option<&Map<String, Value>>) -> Vec<Value> {
    map.into_iter().flatten().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_written_as_acp_takes_them() {
        let config = json!({"mcpServers": {
            "far": {"type": "http", "url": "http://127.0.0.1:1/mcp", "headers": {"A": "b"}},
            "near": {"command": "/bin/larkline", "args": ["mcp"], "env": {"TOKEN": "t"}},
            "old": {"type": "sse", "url": "http://127.0.0.1:1/sse"},
            "what": 7,
        }});
        let (servers, left_out) = servers(&config.to_string(), &json!({"http": true}));
        assert_eq!(
            Value::Array(servers),
            json!([
                {"type": "http", "name": "far", "url": "http://127.0.0.1:1/mcp",
                 "headers": [{"name": "A", "value": "b"}]},
                {"name": "near", "command": "/bin/larkline", "args": ["mcp"],
                 "env": [{"name": "TOKEN", "value": "t"}]},
            ])
        );
        assert_eq!(left_out, ["old", "what"]);
    }

    #[test]
    fn what_cannot_be_read_is_no_server() {
        for config in ["", "[]", "{\"mcpServers\":[]}", "nonsense"] {
            assert_eq!(servers(config, &Value::Null), (vec![], vec![]), "{config}");
        }
    }
}
