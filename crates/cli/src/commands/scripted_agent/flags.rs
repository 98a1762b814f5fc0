//! The command line of Claude Code, as far as somebody who drives it by a pipe uses it.
//!
//! What is refused is what the real one refuses: an unknown option, an id that is no UUID, an
//! output format without `--verbose`. Options that have no meaning here are taken and forgotten.

use std::iter::Peekable;
use std::slice::Iter;

use uuid::Uuid;

/// Options without a value.
const SWITCHES: [&str; 14] = [
    "-p",
    "--print",
    "--verbose",
    "--include-partial-messages",
    "--strict-mcp-config",
    "--fork-session",
    "--no-session-persistence",
    "--replay-user-messages",
    "--bare",
    "--safe-mode",
    "--disable-slash-commands",
    "--dangerously-skip-permissions",
    "-d",
    "--debug",
];
/// Options with one value.
const VALUES: [&str; 17] = [
    "--input-format",
    "--output-format",
    "--permission-prompt-tool",
    "--session-id",
    "-r",
    "--resume",
    "--model",
    "--fallback-model",
    "--setting-sources",
    "--settings",
    "--system-prompt",
    "--append-system-prompt",
    "--permission-mode",
    "--max-turns",
    "--max-budget-usd",
    "--agents",
    "--json-schema",
];
/// Options that take everything up to the next option.
const LISTS: [&str; 9] = [
    "--allowedTools",
    "--allowed-tools",
    "--disallowedTools",
    "--disallowed-tools",
    "--tools",
    "--add-dir",
    "--mcp-config",
    "--betas",
    "--file",
];
/// What the agent calls its model when nobody names one.
const MODEL: &str = "scripted-1";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(super) struct Flags {
    /// Deltas are wanted.
    pub(super) partial: bool,
    /// Somebody answers questions on stdin.
    pub(super) asks: bool,
    /// The id of a new conversation.
    pub(super) session: Option<String>,
    /// The id of a conversation that goes on.
    pub(super) resume: Option<String>,
    /// It goes on under a new id.
    pub(super) fork: bool,
    /// Nothing of it is kept.
    pub(super) forget: bool,
    /// The model's name.
    pub(super) model: String,
    /// What needs leave: `default`, `acceptEdits`, `dontAsk`, `plan`, `bypassPermissions`.
    pub(super) mode: String,
    /// Rules of tools that need no leave.
    pub(super) allowed: Vec<String>,
    /// Rules of tools that may not be used.
    pub(super) denied: Vec<String>,
    /// Calls of the model in one turn at most.
    pub(super) turns_max: Option<u32>,
    prints: bool,
    verbose: bool,
    formats: [String; 2],
}

impl Flags {
    /// Reads the command line.
    ///
    /// # Errors
    /// The line for stderr.
    pub(super) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut flags =
            Self { model: MODEL.to_owned(), mode: "default".to_owned(), ..Self::default() };
        let mut rest = arguments.iter().peekable();
        while let Some(argument) = rest.next() {
            let (name, inline) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            if SWITCHES.contains(&name) {
                flags.switch(name);
            } else if VALUES.contains(&name) {
                let value = inline.or_else(|| rest.next().cloned());
                let missing = || format!("error: option '{name}' argument missing");
                flags.value(name, value.ok_or_else(missing)?)?;
            } else if LISTS.contains(&name) {
                flags.list(name, listed(inline, &mut rest));
            } else if name.starts_with('-') {
                return Err(format!("error: unknown option '{name}'"));
            } else {
                return Err("error: the scripted agent takes its prompt on stdin alone".to_owned());
            }
        }
        flags.checked()
    }

    fn switch(&mut self, name: &str) {
        match name {
            "-p" | "--print" => self.prints = true,
            "--verbose" => self.verbose = true,
            "--include-partial-messages" => self.partial = true,
            "--fork-session" => self.fork = true,
            "--no-session-persistence" => self.forget = true,
            "--dangerously-skip-permissions" => self.mode = "bypassPermissions".to_owned(),
            _ => {}
        }
    }

    fn value(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--input-format" => self.formats[0] = value,
            "--output-format" => self.formats[1] = value,
            "--permission-prompt-tool" => self.asks = value == "stdio",
            "--session-id" => self.session = Some(uuid(&value)?),
            "-r" | "--resume" => self.resume = Some(value),
            "--model" => self.model = value,
            "--permission-mode" => self.mode = value,
            "--max-turns" => {
                let number = value.parse().ok().filter(|n| *n > 0);
                let refused =
                    || format!("error: option '--max-turns' argument '{value}' is invalid");
                self.turns_max = Some(number.ok_or_else(refused)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn list(&mut self, name: &str, values: Vec<String>) {
        match name {
            "--allowedTools" | "--allowed-tools" => self.allowed.extend(values),
            "--disallowedTools" | "--disallowed-tools" => self.denied.extend(values),
            _ => {}
        }
    }

    /// What single options cannot know.
    fn checked(self) -> Result<Self, String> {
        if !self.prints || self.formats.iter().any(|format| format != "stream-json") {
            return Err("Error: the scripted agent speaks -p with --input-format and \
                 --output-format stream-json alone"
                .to_owned());
        }
        if !self.verbose {
            return Err(
                "Error: When using --print, --output-format=stream-json requires --verbose"
                    .to_owned(),
            );
        }
        if self.session.is_some() && self.resume.is_some() && !self.fork {
            return Err("Error: --session-id can only be used with --resume if --fork-session is \
                 also specified."
                .to_owned());
        }
        let root = rustix::process::geteuid().is_root();
        if self.mode == "bypassPermissions" && root && std::env::var_os("IS_SANDBOX").is_none() {
            return Err("permissions cannot be skipped with root privileges".to_owned());
        }
        Ok(self)
    }
}

/// The values of a variadic option: separated by commas, spaces, or as arguments of their own. A
/// comma inside of brackets belongs to a rule.
fn listed(inline: Option<String>, rest: &mut Peekable<Iter<'_, String>>) -> Vec<String> {
    let mut texts: Vec<String> = inline.into_iter().collect();
    while let Some(value) = rest.next_if(|next| !next.starts_with('-')) {
        texts.push(value.clone());
    }
    let mut values = Vec::new();
    for text in texts {
        let (mut value, mut depth) = (String::new(), 0_u32);
        for letter in text.chars().chain([',']) {
            match letter {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 && (letter == ',' || letter == ' ') {
                values.push(std::mem::take(&mut value));
            } else {
                value.push(letter);
            }
        }
    }
    values.retain(|value| !value.is_empty());
    values
}

fn uuid(text: &str) -> Result<String, String> {
    let valid = Uuid::parse_str(text).is_ok();
    valid
        .then(|| text.to_owned())
        .ok_or_else(|| "Error: Invalid session ID. Must be a valid UUID.".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "-p --input-format stream-json --output-format stream-json --verbose";

    fn parsed(more: &[&str]) -> Result<Flags, String> {
        let words = BASE.split(' ').chain(more.iter().copied());
        Flags::parse(&words.map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn what_follows_a_list_up_to_the_next_option_belongs_to_it() {
        let flags =
            parsed(&["--allowedTools", "Read,Bash(echo a, b)", "Grep", "--model", "m"]).unwrap();
        assert_eq!(flags.allowed, ["Read", "Bash(echo a, b)", "Grep"]);
        assert_eq!(flags.model, "m");
        assert_eq!(parsed(&["--tools="]).unwrap().allowed, [""; 0]);
    }

    #[test]
    fn what_the_real_one_refuses_is_refused() {
        let refused = |more: &[&str]| parsed(more).unwrap_err();
        assert!(refused(&["--no-such-flag"]).contains("unknown option '--no-such-flag'"));
        assert!(refused(&["--session-id", "seven"]).contains("valid UUID"));
        assert!(refused(&["--model"]).contains("argument missing"));
        assert!(refused(&["hello"]).contains("stdin"));
        let id = "11111111-2222-4333-8444-555555555501";
        assert!(refused(&["--session-id", id, "--resume", id]).contains("--fork-session"));
        assert!(parsed(&["--session-id", id, "--resume", id, "--fork-session"]).is_ok());
        let quiet: Vec<String> =
            BASE.replace(" --verbose", "").split(' ').map(str::to_owned).collect();
        assert!(Flags::parse(&quiet).unwrap_err().contains("--verbose"));
    }
}
