//! Where a socket stands: what a dead process left there makes way, and nothing else does.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

use crate::words::Lang;

/// Why a socket cannot be bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Something else has its place, perhaps somebody's file.
    #[error(
        "{} is no socket, so it is not replaced; name another path in `[server]`, or move it away",
        path.display()
    )]
    NoSocket {
        /// The place.
        path: PathBuf,
    },
    /// A program listens there.
    #[error(
        "a program answers on {}; stop it, or name another path in `[server]`",
        path.display()
    )]
    Answered {
        /// The place.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("the socket {} cannot be bound; name another path in `[server]`", path.display())]
    System {
        /// The place.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl SocketError {
    /// The place.
    pub fn path(&self) -> &Path {
        match self {
            Self::NoSocket { path } | Self::Answered { path } | Self::System { path, .. } => path,
        }
    }

    /// The same in a language.
    pub fn said(&self, lang: Lang) -> String {
        let path = self.path().display();
        match (lang, self) {
            (Lang::En, error) => error.to_string(),
            (Lang::Zh, Self::NoSocket { .. }) => {
                format!("{path} 不是套接字，因此不会替换；请在 `[server]` 中换一个路径，或把它移走")
            }
            (Lang::Zh, Self::Answered { .. }) => {
                format!("有程序在 {path} 应答；请停止它，或在 `[server]` 中换一个路径")
            }
            (Lang::Zh, Self::System { .. }) => {
                format!("无法绑定套接字 {path}；请在 `[server]` 中换一个路径")
            }
        }
    }
}

/// Binds a socket that its owner alone may use, in a folder that is made on need.
///
/// # Errors
/// [`SocketError`] as its variants say.
pub async fn bind_socket(path: &Path) -> Result<UnixListener, SocketError> {
    let system = |source| SocketError::System { path: path.to_owned(), source };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(system)?;
    }
    if left_behind(path).await? {
        std::fs::remove_file(path).map_err(system)?;
    }
    let listener = UnixListener::bind(path).map_err(system)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(system)?;
    Ok(listener)
}

/// Whether a dead process left its socket there; without one the place is free.
///
/// The lock of the state directory tells nothing about a path outside of it, so the path is asked.
///
/// # Errors
/// [`SocketError`] when the place cannot be had.
pub async fn left_behind(path: &Path) -> Result<bool, SocketError> {
    let system = |source| SocketError::System { path: path.to_owned(), source };
    // Longer names than a socket can have are refused here.
    std::os::unix::net::SocketAddr::from_pathname(path).map_err(system)?;
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => {}
        Ok(_) => return Err(SocketError::NoSocket { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(system(error)),
    }
    let error = UnixStream::connect(path).await.err();
    match error.as_ref().map(io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => return Ok(true),
        Some(ErrorKind::NotFound) => return Ok(false),
        _ => {}
    }
    // One that would block has more callers than it takes.
    match error.filter(|error| error.kind() != ErrorKind::WouldBlock) {
        Some(error) => Err(system(error)),
        None => Err(SocketError::Answered { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_a_socket_that_nobody_answers_on_makes_way() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("below/a.sock");
        drop(bind_socket(&path).await.unwrap());
        assert!(left_behind(&path).await.unwrap(), "dropping a listener leaves its file");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let listener = bind_socket(&path).await.unwrap();
        let refused = bind_socket(&path).await.unwrap_err();
        assert!(matches!(refused, SocketError::Answered { .. }), "{refused}");
        drop(listener);

        let file = dir.path().join("notes.txt");
        std::fs::write(&file, "dear").unwrap();
        let refused = bind_socket(&file).await.unwrap_err();
        assert!(matches!(refused, SocketError::NoSocket { .. }), "{refused}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "dear");

        let long = dir.path().join("x".repeat(120));
        let refused = bind_socket(&long).await.unwrap_err();
        assert!(matches!(refused, SocketError::System { .. }), "{refused}");
    }
}
