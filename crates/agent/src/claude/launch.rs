//! The command line and the fixed part of the environment.

use crate::wire::{Launch, Permission, Session};

/// What every process gets. Ten retries take minutes. `@path` in a message would read files. A task
/// in the background, which sub-agents are by default, and a timer would outlive the turn, and the
/// process does not: what they find would be lost.
pub(super) const ENV: [(&str, &str); 9] = [
    ("LANG", "C.UTF-8"),
    ("TERM", "dumb"),
    ("DISABLE_TELEMETRY", "1"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("CLAUDE_CODE_MAX_RETRIES", "3"),
    ("CLAUDE_CODE_DISABLE_ATTACHMENTS", "1"),
    ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
    ("CLAUDE_CODE_DISABLE_CRON", "1"),
];
/// The kernel refuses a process one argument of which is over 128 KiB.
const SYSTEM_BYTES_MAX: usize = 64 * 1024;
/// Ids are UUIDs of 36 characters; other programs with this wire may have longer ones.
const ID_CHARS_MAX: usize = 128;

/// Program, ours, the operator's. The options that take any number of values come first and are
/// always followed by another option, so none of them takes what the operator adds.
pub(super) fn argv(launch: &Launch) -> Vec<String> {
    let mut argv = launch.program.clone();
    argv.push("-p".to_owned());
    many(&mut argv, launch);
    for word in ["--input-format", "stream-json", "--output-format", "stream-json"] {
        argv.push(word.to_owned());
    }
    argv.push("--verbose".to_owned());
    argv.push("--include-partial-messages".to_owned());
    match launch.permission {
        // Root may not bypass permissions, so what is allowed is asked for, too, and answered here.
        Permission::Ask | Permission::Allow => {
            option(&mut argv, "--permission-prompt-tool", "stdio")
        }
        // Without anybody to ask it denies by itself, tells the model and goes on.
        Permission::Deny => {}
    }
    if !launch.project_settings {
        option(&mut argv, "--setting-sources", "");
        argv.push("--strict-mcp-config".to_owned());
    }
    if let Some(system) = &launch.system {
        option(&mut argv, "--append-system-prompt", bounded(system));
    }
    if let Some(model) = &launch.model {
        option(&mut argv, "--model", model);
    }
    if let Some(turns) = launch.turns_max {
        option(&mut argv, "--max-turns", &turns.to_string());
    }
    if let Some(budget) = &launch.budget_usd {
        option(&mut argv, "--max-budget-usd", budget);
    }
    match &launch.session {
        Session::New(id) => option(&mut argv, "--session-id", &plain_id(id)),
        Session::Resume(id) => option(&mut argv, "--resume", &plain_id(id)),
    }
    argv.extend(launch.extra.iter().cloned());
    argv
}

/// Whether an id can be an argument: it begins no option and has no odd character.
pub(super) fn is_plain_id(id: &str) -> bool {
    !id.is_empty() && !id.starts_with('-') && id.len() <= ID_CHARS_MAX && id.chars().all(is_plain)
}

fn many(argv: &mut Vec<String>, launch: &Launch) {
    // One argument for all: the program splits at commas, but not at those in parentheses.
    for (name, tools) in
        [("--allowedTools", &launch.allowed_tools), ("--disallowedTools", &launch.denied_tools)]
    {
        if !tools.is_empty() {
            option(argv, name, &tools.join(","));
        }
    }
    // A path that is not Unicode cannot be said here; a similar one would be another directory.
    let dirs: Vec<_> = launch.add_dirs.iter().filter_map(|dir| dir.to_str()).collect();
    if !dirs.is_empty() {
        argv.push("--add-dir".to_owned());
        argv.extend(dirs.into_iter().map(str::to_owned));
    }
    if let Some(mcp) = &launch.mcp {
        option(argv, "--mcp-config", mcp);
    }
}

fn option(argv: &mut Vec<String>, name: &str, value: &str) {
    argv.push(name.to_owned());
    // With a NUL in an argument no process is started.
    argv.push(value.replace('\0', ""));
}

fn bounded(text: &str) -> &str {
    &text[..text.floor_char_boundary(SYSTEM_BYTES_MAX)]
}

/// What is left when all that could make an option or another file of it is gone: at worst an id
/// that nobody knows, and a fresh conversation.
fn plain_id(id: &str) -> String {
    let plain: String = id.chars().filter(|&c| is_plain(c)).take(ID_CHARS_MAX).collect();
    plain.trim_start_matches('-').to_owned()
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')
}
