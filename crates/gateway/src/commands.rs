//! Chat commands: `/stop`, `/new` and their like, in English and Chinese. Pure.
//!
//! A message is a command only when it is one by its first word; any other text that begins with a
//! slash is a message like every other (and reaches an agent as text). Carrying a command out is
//! `handler::desk`'s business, or that of the handler whose conversation it changes.

use std::path::PathBuf;

/// What a person may tell the gateway in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// What commands there are.
    Help,
    /// Begins a new conversation.
    New,
    /// Ends the running turn.
    Stop,
    /// State and use.
    Status,
    /// Lists conversations, or goes back to one.
    Resume(Option<i64>),
    /// Does the last message again.
    Retry,
    /// Shows or changes the working directory.
    Cd(Option<PathBuf>),
    /// Shows or changes the model.
    Model(Option<String>),
    /// Lists jobs.
    Jobs,
}

/// The words of each command, the first being the one that is shown.
const WORDS: [(&[&str], Word); 9] = [
    (&["/help", "/帮助"], Word::Help),
    (&["/new", "/新对话", "/新会话"], Word::New),
    (&["/stop", "/停止", "/停"], Word::Stop),
    (&["/status", "/状态"], Word::Status),
    (&["/resume", "/恢复"], Word::Resume),
    (&["/retry", "/重试"], Word::Retry),
    (&["/cd", "/目录"], Word::Cd),
    (&["/model", "/模型"], Word::Model),
    (&["/jobs", "/任务"], Word::Jobs),
];

#[derive(Clone, Copy)]
enum Word {
    Help,
    New,
    Stop,
    Status,
    Resume,
    Retry,
    Cd,
    Model,
    Jobs,
}

impl Command {
    /// Reads a message's text; `None` when it is no command.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let first = first.to_lowercase();
        let (_, word) = WORDS.iter().find(|(words, _)| words.contains(&first.as_str()))?;
        let rest = rest.trim();
        let given = (!rest.is_empty()).then_some(rest);
        // A command that takes nothing and is followed by words is a sentence.
        let bare = |command| given.is_none().then_some(command);
        match word {
            Word::Help => bare(Self::Help),
            Word::New => bare(Self::New),
            Word::Stop => bare(Self::Stop),
            Word::Status => bare(Self::Status),
            Word::Retry => bare(Self::Retry),
            Word::Jobs => bare(Self::Jobs),
            Word::Resume => match given.map(|n| n.trim_start_matches('#').parse()) {
                None => Some(Self::Resume(None)),
                Some(Ok(n)) => Some(Self::Resume(Some(n))),
                Some(Err(_)) => None,
            },
            Word::Cd => Some(Self::Cd(given.map(PathBuf::from))),
            Word::Model => match given {
                Some(model) if model.contains(char::is_whitespace) => None,
                model => Some(Self::Model(model.map(str::to_owned))),
            },
        }
    }

    /// Whether it is carried out at once, beside the running turn. The others change the
    /// conversation, and wait for their place in it.
    pub fn is_immediate(&self) -> bool {
        match self {
            Self::Help | Self::Stop | Self::Status | Self::Jobs => true,
            Self::New | Self::Resume(_) | Self::Retry | Self::Cd(_) | Self::Model(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_known_by_their_first_word_in_both_languages() {
        for (text, command) in [
            ("/stop", Command::Stop),
            ("  /STOP\n", Command::Stop),
            ("/停止", Command::Stop),
            ("/resume", Command::Resume(None)),
            ("/resume #12", Command::Resume(Some(12))),
            ("/cd ~/src/shop", Command::Cd(Some("~/src/shop".into()))),
            ("/model opus", Command::Model(Some("opus".into()))),
            ("/模型", Command::Model(None)),
        ] {
            assert_eq!(Command::parse(text), Some(command), "{text:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_command_is_a_message() {
        for text in [
            "",
            "stop",
            "/",
            "/usr/bin is full",
            "/stop it please",
            "/stopp",
            "/model a b",
            "/resume the work",
            "请 /stop",
            "//stop",
            "/clear",
        ] {
            assert_eq!(Command::parse(text), None, "{text:?}");
        }
    }
}
