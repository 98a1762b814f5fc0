//! Conversations: files, found by working directory and id, as Claude Code keeps them.
//!
//! A new id may not have a file, an old one must have it in the folder of this very directory, and
//! nobody locks anything. A directory in which nothing can be written costs the memory, not the turn.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use uuid::Uuid;

use super::flags::Flags;

/// Longest memory that is read back.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One conversation.
pub(super) struct Conversation {
    /// Its id.
    pub(super) id: String,
    /// Turns so far, the running one included.
    pub(super) turns: u32,
    /// What it was told to remember.
    pub(super) kept: Vec<String>,
    /// Whether it was to be resumed and is not there.
    pub(super) unknown: bool,
    file: Option<PathBuf>,
}

impl Conversation {
    /// The conversation that the command line names.
    ///
    /// # Errors
    /// A new one has the id of one that exists; the line for stderr.
    pub(super) fn open(flags: &Flags, folder: &Path) -> Result<Self, String> {
        let own = flags.session.clone();
        let home = projects().map(|projects| projects.join(mangled(folder)));
        let path = |id: &str| home.as_ref().map(|home| home.join(format!("{id}.jsonl")));
        let exists = |id: &str| path(id).is_some_and(|path| path.exists());
        if let Some(id) = own.as_ref().filter(|id| exists(id)) {
            return Err(format!("Error: Session ID {id} is already in use."));
        }
        let fresh = own.unwrap_or_else(|| Uuid::now_v7().to_string());
        let Some(old) = &flags.resume else {
            return Ok(Self::fresh(fresh.clone(), path(&fresh).filter(|_| !flags.forget)));
        };
        if Uuid::parse_str(old).is_err() || !exists(old) {
            return Ok(Self { unknown: true, ..Self::fresh(old.clone(), None) });
        }
        let id = if flags.fork { fresh } else { old.clone() };
        let mut conversation = Self::fresh(id.clone(), path(&id).filter(|_| !flags.forget));
        conversation.recall(&path(old).map(read).unwrap_or_default(), flags.fork);
        Ok(conversation)
    }

    fn fresh(id: String, file: Option<PathBuf>) -> Self {
        Self { id, turns: 0, kept: Vec::new(), unknown: false, file }
    }

    /// Takes over what a file says; a fork writes it into its own.
    fn recall(&mut self, text: &str, copy: bool) {
        for line in text.lines() {
            // A line that was cut off by the end of its writer is dropped.
            let Ok(line) = serde_json::from_str::<Value>(line) else { continue };
            match line["type"].as_str().unwrap_or_default() {
                "user" => self.turns += 1,
                "memory" => {
                    self.kept.push(line["text"].as_str().unwrap_or_default().to_owned());
                }
                _ => {}
            }
            if copy {
                self.append(&line);
            }
        }
    }

    /// A turn begins with this message.
    pub(super) fn begin(&mut self, message: &Value) {
        self.turns += 1;
        self.append(&json!({"type": "user", "message": message, "promptSource": "sdk"}));
    }

    /// A message that came while the turn ran.
    pub(super) fn fold(&mut self, message: &Value) {
        self.append(&json!({"type": "folded", "message": message}));
    }

    /// The agent said this.
    pub(super) fn said(&mut self, text: &str) {
        let message = json!({"role": "assistant", "content": [{"type": "text", "text": text}]});
        self.append(&json!({"type": "assistant", "message": message}));
    }

    /// Keeps something for later turns.
    pub(super) fn keep(&mut self, text: &str) {
        self.kept.push(text.to_owned());
        self.append(&json!({"type": "memory", "text": text}));
    }

    /// Writes a line; one that cannot be written is forgotten.
    fn append(&self, line: &Value) {
        let Some(file) = &self.file else { return };
        let mut line = line.clone();
        line["sessionId"] = json!(self.id);
        line["uuid"] = json!(Uuid::now_v7());
        let folder = file.parent().map_or(Ok(()), std::fs::create_dir_all);
        let opened = folder.and_then(|()| File::options().create(true).append(true).open(file));
        drop(opened.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes())));
    }
}

/// Where conversations are kept, if anywhere.
fn projects() -> Option<PathBuf> {
    let own = std::env::var_os("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".claude"));
    Some(own.or_else(home)?.join("projects"))
}

/// A directory's name there. Different directories may have the same.
fn mangled(folder: &Path) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    folder.to_string_lossy().chars().map(plain).collect()
}

fn read(path: PathBuf) -> String {
    let mut bytes = Vec::new();
    let opened = File::open(path);
    drop(opened.and_then(|file| file.take(FILE_BYTES_MAX).read_to_end(&mut bytes)));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_known_by_its_letters_and_digits() {
        assert_eq!(mangled(Path::new("/srv/子目录 a.b_c")), "-srv-----a-b-c");
    }

    #[test]
    fn a_line_that_was_cut_off_is_no_turn() {
        let mut conversation = Conversation::fresh("x".to_owned(), None);
        conversation
            .recall("{\"type\":\"user\"}\n{\"type\":\"memory\",\"text\":\"a\"}\n{\"ty", false);
        assert_eq!((conversation.turns, conversation.kept), (1, vec!["a".to_owned()]));
    }
}
