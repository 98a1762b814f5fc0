//! Files of a turn: those that came with its message, and those the agent leaves for the chat.
//!
//! Each task has a folder of its own below the state directory, `in` and `out`. Names are the
//! gateway's: a number and what is harmless of the sender's name, since they stand in the prompt.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use larkline_client::ApiErrorKind;
use larkline_proto::id::MessageId;
use larkline_store::task::TaskId;
use serde_json::Value;

use super::parcel::SENT;
use crate::live::Live;
use crate::outgoing::Saying;
use crate::words;

/// Name of the folder of tasks below the state directory.
pub(super) const TASKS: &str = "tasks";
/// Where a task leaves files for its chat, below its folder.
pub(super) const OUT: &str = "out";
/// Files of one message that are fetched.
const FETCHED_MAX: usize = 10;
/// Files that are sent after one turn; more is a runaway.
const SENT_MAX: usize = 10;
/// Entries of an agent's folder that are looked at; what lies behind them is not sent.
const LEFT_LOOKED_AT_MAX: usize = 1_000;
/// Characters of a sender's file name that are kept.
const NAME_CHARS_MAX: usize = 60;
/// Pictures beyond this are named in the prompt, and not shown.
const SHOWN_BYTES_MAX: usize = 5 << 20;

/// The folder of one task.
pub(super) struct Folder {
    root: PathBuf,
}

/// A file that came with a message.
pub(super) struct Fetched {
    /// Where it is; nothing when it could not be had.
    pub(super) path: Option<PathBuf>,
    /// What is said of one that could not be had.
    pub(super) note: String,
    /// Its media type, for a picture that a model can be shown.
    pub(super) image: Option<&'static str>,
    /// The bytes of such a picture; empty otherwise.
    pub(super) bytes: Bytes,
}

/// A file that a message names.
#[derive(Debug, PartialEq, Eq)]
struct Named {
    key: String,
    name: String,
    is_image: bool,
}

impl Folder {
    /// Makes the folder of a task; one of an earlier attempt is taken up.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn make(state_dir: &Path, task: TaskId) -> io::Result<Self> {
        let root = task_folder(state_dir, task);
        for below in ["in", OUT] {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(root.join(below))?;
        }
        Ok(Self { root })
    }

    /// The folder itself.
    pub(super) fn root(&self) -> PathBuf {
        self.root.clone()
    }

    /// Where the agent leaves files for the chat.
    pub(super) fn outgoing(&self) -> PathBuf {
        self.root.join(OUT)
    }

    /// Fetches what a message carries, each file at most `bytes_max`.
    pub(super) async fn fetch(
        &self,
        live: &Live,
        message: &MessageId,
        (msg_type, content): (&str, &str),
        bytes_max: u64,
    ) -> Vec<Fetched> {
        let mut fetched = Vec::new();
        for (n, named) in named(msg_type, content).into_iter().take(FETCHED_MAX).enumerate() {
            let api = &live.app().api;
            let got = match named.is_image {
                true => api.download_image(message, &named.key, bytes_max).await,
                false => api.download_file(message, &named.key, bytes_max).await,
            };
            fetched.push(match got {
                Ok(got) => {
                    let name = if named.is_image {
                        format!("image.{}", image_type(&got.data.bytes).map_or("bin", |(end, _)| end))
                    } else {
                        got.data.file_name.unwrap_or(named.name)
                    };
                    self.keep(n, message, &name, got.data.bytes).await
                }
                Err(error) => {
                    tracing::warn!(message_id = %message, code = %error.code(), "a file of the message could not be fetched: {error}");
                    let too_large = matches!(error.kind, ApiErrorKind::TooLarge { .. });
                    let say =
                        if too_large { words::file_too_large } else { words::file_unreadable };
                    missing(say(live.lang(), &harmless(&named.name)))
                }
            });
        }
        fetched
    }

    async fn keep(&self, n: usize, message: &MessageId, name: &str, bytes: Bytes) -> Fetched {
        let short: String =
            message.as_str().chars().rev().take(6).filter(char::is_ascii_alphanumeric).collect();
        let path = self.root.join("in").join(format!("{short}-{}-{}", n + 1, harmless(name)));
        if let Err(error) = tokio::fs::write(&path, bytes.clone()).await {
            tracing::warn!(path = %path.display(), "a file of the message could not be written: {error}");
            return missing(harmless(name));
        }
        let image =
            image_type(&bytes).map(|(_, media)| media).filter(|_| bytes.len() <= SHOWN_BYTES_MAX);
        let bytes = if image.is_some() { bytes } else { Bytes::new() };
        Fetched { path: Some(path), note: String::new(), image, bytes }
    }

    /// What the agent left for the chat: plain files, by name. Links are not followed.
    pub(super) async fn left(&self) -> Vec<Saying> {
        let folder = self.outgoing();
        let files =
            tokio::task::spawn_blocking(move || plain_files(&folder, LEFT_LOOKED_AT_MAX)).await;
        let files = files.unwrap_or_else(|error| {
            tracing::warn!("what a task left could not be looked through: {error}");
            Vec::new()
        });
        files.into_iter().map(|(name, path)| Saying::File { name, path }).collect()
    }
}

/// The first plain files of a folder by name, of as many entries as are looked at: the folder is the
/// agent's, and may hold millions.
fn plain_files(folder: &Path, looked_at_max: usize) -> Vec<(String, PathBuf)> {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<(String, PathBuf)> = entries
        .by_ref()
        .take(looked_at_max)
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|meta| meta.is_file() && meta.len() > 0))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    files.sort();
    if files.len() > SENT_MAX || entries.next().is_some() {
        tracing::warn!(
            count = files.len(),
            "a task left more files than are sent; at most {SENT_MAX} are"
        );
    }
    files.truncate(SENT_MAX);
    files
}

/// The folder of a task, which need not be there.
pub fn task_folder(state_dir: &Path, task: TaskId) -> PathBuf {
    state_dir.join(TASKS).join(task.0.to_string())
}

/// Removes folders of tasks that nothing has touched for so long; those in hand stay.
pub fn sweep(state_dir: &Path, older_than: Duration, now: SystemTime, in_hand: &[i64]) {
    for entry in std::fs::read_dir(state_dir.join(TASKS)).into_iter().flatten().flatten() {
        let task = entry.file_name().to_str().and_then(|name| name.parse().ok());
        if task.is_some_and(|task: i64| in_hand.contains(&task)) {
            continue;
        }
        let touched = ["in", OUT, SENT, "."]
            .into_iter()
            .filter_map(|below| std::fs::metadata(entry.path().join(below)).ok()?.modified().ok())
            .max();
        let is_old =
            touched.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > older_than);
        if is_old && let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(path = %entry.path().display(), "the folder of an old task stays: {error}");
        }
    }
}

fn missing(note: String) -> Fetched {
    Fetched { path: None, note, image: None, bytes: Bytes::new() }
}

/// Whether a message's type and content name files.
pub(super) fn are_in((msg_type, content): (&str, &str)) -> bool {
    !named(msg_type, content).is_empty()
}

/// The files that a message's content names.
fn named(msg_type: &str, content: &str) -> Vec<Named> {
    let value: Value = serde_json::from_str(content).unwrap_or_default();
    let text = |name: &str| value[name].as_str().filter(|t| !t.is_empty()).map(str::to_owned);
    match msg_type {
        "image" => text("image_key")
            .map(|key| Named { key, name: "image".to_owned(), is_image: true })
            .into_iter()
            .collect(),
        "file" | "audio" | "media" => text("file_key")
            .map(|key| Named {
                key,
                name: text("file_name").unwrap_or_else(|| msg_type.to_owned()),
                is_image: false,
            })
            .into_iter()
            .collect(),
        "post" => images_of_post(&value),
        _ => Vec::new(),
    }
}

fn images_of_post(post: &Value) -> Vec<Named> {
    let paragraphs = post["content"].as_array().into_iter().flatten();
    let nodes = paragraphs.flat_map(|p| p.as_array().into_iter().flatten());
    nodes
        .filter(|node| node["tag"] == "img")
        .filter_map(|node| node["image_key"].as_str())
        .map(|key| Named { key: key.to_owned(), name: "image".to_owned(), is_image: true })
        .collect()
}

/// What is harmless of a name: nothing that a shell, a path or a prompt reads in another way.
pub(super) fn harmless(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let kept: String = name.chars().map(plain).take(NAME_CHARS_MAX).collect();
    let kept = kept.trim_matches('.').to_owned();
    if kept.is_empty() { "file".to_owned() } else { kept }
}

/// Ending and media type of a picture, by its first bytes: names and headers lie.
fn image_type(bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    match bytes {
        [0x89, b'P', b'N', b'G', ..] => Some(("png", "image/png")),
        [0xff, 0xd8, 0xff, ..] => Some(("jpg", "image/jpeg")),
        [b'G', b'I', b'F', b'8', ..] => Some(("gif", "image/gif")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => {
            Some(("webp", "image/webp"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_what_could_mean_something() {
        for (name, kept) in [
            ("report v2.pdf", "report_v2.pdf"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("@/etc/passwd", "__etc_passwd"),
            ("数据.csv", "数据.csv"),
            ("a\nb", "a_b"),
            ("...", "file"),
            ("", "file"),
        ] {
            assert_eq!(harmless(name), kept, "{name:?}");
        }
    }

    #[test]
    fn every_file_of_a_message_is_named() {
        let keys = |kind, content| {
            named(kind, content).into_iter().map(|n| (n.key, n.is_image)).collect::<Vec<_>>()
        };
        assert_eq!(keys("image", r#"{"image_key":"img_1"}"#), [("img_1".to_owned(), true)]);
        assert_eq!(
            keys("file", r#"{"file_key":"f_1","file_name":"a.txt"}"#),
            [("f_1".to_owned(), false)]
        );
        let post = r#"{"title":"","content":[[{"tag":"img","image_key":"img_2"}],[{"tag":"text","text":"x"}]]}"#;
        assert_eq!(keys("post", post), [("img_2".to_owned(), true)]);
        assert_eq!(keys("text", r#"{"text":"img_1"}"#), []);
        assert_eq!(keys("image", "garbage"), []);
    }

    #[tokio::test]
    async fn only_plain_files_are_left_for_the_chat() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::make(state.path(), TaskId(7)).unwrap();
        std::fs::write(folder.outgoing().join("b.txt"), "b").unwrap();
        std::fs::write(folder.outgoing().join("a.txt"), "a").unwrap();
        std::fs::write(folder.outgoing().join("empty"), "").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", folder.outgoing().join("link")).unwrap();
        std::fs::create_dir(folder.outgoing().join("dir")).unwrap();
        let names: Vec<String> = folder
            .left()
            .await
            .into_iter()
            .filter_map(|saying| match saying {
                Saying::File { name, .. } => Some(name),
                Saying::Message(_) | Saying::Answer { .. } => None,
            })
            .collect();
        assert_eq!(names, ["a.txt", "b.txt"]);
    }

    #[test]
    fn a_folder_without_end_is_not_read_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..20 {
            std::fs::write(folder.path().join(n.to_string()), "x").unwrap();
        }
        for (looked_at, found) in [(0, 0), (3, 3), (20, SENT_MAX), (100, SENT_MAX)] {
            assert_eq!(plain_files(folder.path(), looked_at).len(), found, "{looked_at}");
        }
    }

    #[test]
    fn old_folders_go_and_young_ones_stay() {
        let state = tempfile::tempdir().unwrap();
        let folder = Folder::make(state.path(), TaskId(7)).unwrap();
        let week = Duration::from_hours(24 * 7);
        #[expect(clippy::disallowed_methods, reason = "file times are of the wall clock")]
        let now = SystemTime::now();
        sweep(state.path(), week, now, &[]);
        assert!(folder.outgoing().exists());
        sweep(state.path(), week, now + week + week, &[7]);
        assert!(folder.outgoing().exists(), "somebody works in it");
        sweep(state.path(), week, now + week + week, &[8]);
        assert!(!folder.outgoing().exists());
    }
}
