//! Files that come over a socket to be sent: they stay where they are kept until they were.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use axum::body::Body;
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use super::files::{TASKS, harmless};
use crate::words::Lang;

/// The platform's limit for a file.
const BYTES_MAX: u64 = 30 << 20;
/// Characters of the name that the chat sees.
const NAME_CHARS_MAX: usize = 120;
/// Name of the folder in that of a task.
pub(super) const SENT: &str = "sent";

/// A file that waits to be sent.
#[derive(Debug)]
pub struct Parcel {
    /// Its name in the chat.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// A file was not taken in; nothing of it is kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParcelError {
    /// The platform takes no empty file.
    #[error("the file is empty; the platform takes none that is")]
    Empty,
    /// The platform takes no larger file.
    #[error(
        "the file is larger than 30 MB, which is what the platform takes; send a part, or a link"
    )]
    TooLarge,
    /// Whoever sent it stopped in the middle.
    #[error("the file did not come to its end: {0}")]
    CutOff(String),
    /// It cannot be kept.
    #[error("the file cannot be kept: {0}; free disk space, then send it again")]
    Disk(#[from] io::Error),
}

impl ParcelError {
    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        match (lang, self) {
            (Lang::En, error) => error.to_string(),
            (Lang::Zh, Self::Empty) => "文件为空；平台不接受空文件".to_owned(),
            (Lang::Zh, Self::TooLarge) => {
                "文件超过平台接受的 30 MB；请发送其中一部分，或发送链接".to_owned()
            }
            (Lang::Zh, Self::CutOff(why)) => format!("文件没有传完：{why}"),
            (Lang::Zh, Self::Disk(why)) => {
                format!("文件无法保存：{why}；请腾出磁盘空间后重新发送")
            }
        }
    }
}

impl Parcel {
    /// Keeps a file in a folder below that of tasks.
    ///
    /// # Errors
    /// [`ParcelError`] as its variants say.
    pub async fn take_in(
        state_dir: &Path,
        folder: &str,
        name: &str,
        body: Body,
    ) -> Result<Self, ParcelError> {
        let folder = state_dir.join(TASKS).join(folder).join(SENT);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let unique = Uuid::now_v7().simple();
        let path = folder.join(format!("{unique}-{}", harmless(name)));
        let written = write(&path, body).await;
        let bytes = match written {
            Ok(0) => Err(ParcelError::Empty),
            Ok(bytes) => Ok(bytes),
            Err(error) => Err(error),
        };
        let bytes = bytes.inspect_err(|_| drop(std::fs::remove_file(&path)))?;
        Ok(Self { name: shown(name), path, bytes })
    }
}

async fn write(path: &Path, body: Body) -> Result<u64, ParcelError> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut stream = body.into_data_stream();
    let mut bytes: u64 = 0;
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| ParcelError::CutOff(error.to_string()))?;
        bytes += piece.len() as u64;
        if bytes > BYTES_MAX {
            return Err(ParcelError::TooLarge);
        }
        file.write_all(&piece).await?;
    }
    file.sync_all().await?;
    Ok(bytes)
}

/// The last part of a path, as the chat sees it.
fn shown(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    if kept.trim().is_empty() { "file".to_owned() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_parcel_is_kept_whole_or_not_at_all() {
        let state = tempfile::tempdir().unwrap();
        let take = async |name: &str, bytes: Vec<u8>| {
            Parcel::take_in(state.path(), "7", name, Body::from(bytes)).await
        };
        let kept = take("/srv/数据 1.csv", b"a,b".to_vec()).await.unwrap();
        assert_eq!((kept.name.as_str(), kept.bytes), ("数据 1.csv", 3));
        assert_eq!(std::fs::read(&kept.path).unwrap(), b"a,b");
        assert!(matches!(take("x", Vec::new()).await, Err(ParcelError::Empty)));
        let most = usize::try_from(BYTES_MAX).unwrap();
        assert_eq!(take("most", vec![0; most]).await.unwrap().bytes, BYTES_MAX);
        assert!(matches!(take("x", vec![0; most + 1]).await, Err(ParcelError::TooLarge)));
        let left = std::fs::read_dir(state.path().join(TASKS).join("7").join(SENT)).unwrap();
        assert_eq!(left.count(), 2, "of what was refused nothing stays");
    }

    #[test]
    fn a_name_is_shown_without_its_path() {
        for (name, seen) in
            [("a.txt", "a.txt"), ("../../x", "x"), ("C:\\y", "y"), ("a\nb", "ab"), ("dir/", "file")]
        {
            assert_eq!(shown(name), seen, "{name:?}");
        }
    }
}
