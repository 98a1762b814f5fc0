//! Where a conversation works: chosen by `/cd`, else where it began.
//!
//! Agents find a conversation by its directory, so one that began in a directory stays there when
//! the configuration names another one; the next conversation takes that. A directory of its own
//! goes with its conversation.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use larkline_store::session::{Session, SessionFact, SessionId};
use larkline_store::{Store, StoreError};

use super::Agent;
use crate::live::Live;

/// Name of the folder below the state directory with a directory for each conversation.
const CONVERSATIONS: &str = "conversations";
/// Folders of one look for those to remove; the rest has its turn when these are gone.
const LOOKED_AT_MAX: usize = 100_000;

impl Agent {
    /// The directory of a conversation.
    ///
    /// # Errors
    /// When its own cannot be made.
    pub(super) async fn directory(&self, live: &Live, session: &Session) -> io::Result<PathBuf> {
        if let Some(chosen) = &session.cwd {
            return Ok(chosen.into());
        }
        let shared = live.shared();
        let began = shared.store.fact(SessionFact::Began.of(session.id)).await;
        let began = began.inspect_err(|error| shared.store_health.failed("fact", error)).ok();
        match began.flatten().map(PathBuf::from).filter(|began| began.is_dir()) {
            Some(began) => Ok(began),
            None => self.own_or_configured(session),
        }
    }

    /// The same for a turn that begins: from now on the conversation stays there.
    ///
    /// # Errors
    /// When its own cannot be made.
    pub(super) async fn settle(&self, live: &Live, session: &Session) -> io::Result<PathBuf> {
        let place = self.directory(live, session).await?;
        if session.cwd.is_none() && session.agent_session.is_none() {
            let shared = live.shared();
            let fact = place.display().to_string();
            if let Err(error) = shared.store.put_fact(SessionFact::Began.of(session.id), fact).await
            {
                shared.store_health.failed("put_fact", &error);
            }
        }
        Ok(place)
    }

    fn own_or_configured(&self, session: &Session) -> io::Result<PathBuf> {
        if let Some(configured) = &self.settings.cwd {
            return Ok(configured.clone());
        }
        let own = self.state_dir.join(CONVERSATIONS).join(session.id.0.to_string());
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&own)?;
        own.canonicalize()
    }
}

/// Whether a path is a conversation's own directory, or in one.
pub(super) fn is_own(state_dir: &Path, path: &Path) -> bool {
    state_dir.join(CONVERSATIONS).canonicalize().is_ok_and(|all| path.starts_with(all))
}

/// Removes the directories of conversations that are forgotten, which nothing has touched for so
/// long; how many went. Never one of a conversation that the store knows.
///
/// # Errors
/// [`StoreError`]; what is left is for the next time.
pub(crate) async fn sweep(
    store: &dyn Store,
    state_dir: &Path,
    older_than: Duration,
    now: SystemTime,
) -> Result<usize, StoreError> {
    let all = state_dir.join(CONVERSATIONS);
    let mut gone = 0;
    for id in blocking({
        let all = all.clone();
        move || untouched(&all, older_than, now)
    })
    .await
    {
        if store.session_by_id(id).await?.is_some() {
            continue;
        }
        let own = all.join(id.0.to_string());
        gone += blocking(move || match std::fs::remove_dir_all(&own) {
            Ok(()) => 1,
            Err(error) => {
                tracing::warn!(path = %own.display(), "the directory of a forgotten conversation stays: {error}");
                0
            }
        })
        .await;
    }
    Ok(gone)
}

/// Work on files, away from the runtime's threads.
async fn blocking<T: Default + Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| {
        tracing::warn!("directories of conversations could not be looked through: {error}");
        T::default()
    })
}

fn untouched(all: &Path, older_than: Duration, now: SystemTime) -> Vec<SessionId> {
    let entries = std::fs::read_dir(all).into_iter().flatten().flatten().take(LOOKED_AT_MAX);
    let old = entries.filter(|entry| {
        let touched = entry.metadata().ok().filter(std::fs::Metadata::is_dir);
        let touched = touched.and_then(|meta| meta.modified().ok());
        touched.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > older_than)
    });
    // What has no number is not the gateway's.
    old.filter_map(|entry| Some(SessionId(entry.file_name().to_str()?.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    use larkline_store::session::NewSession;
    use larkline_store::{SqliteOptions, SqliteStore};

    use super::*;

    #[tokio::test]
    async fn a_directory_goes_with_its_conversation_and_never_before() {
        let state = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(state.path().join("s.db"), SqliteOptions::default()).unwrap();
        let new = NewSession {
            key: "k".into(),
            handler: "h".into(),
            cwd: None,
            model: None,
            at_ms: 1,
            cause: "message".into(),
        };
        let known = store.begin_session(new).await.unwrap().id.0.to_string();
        let all = state.path().join(CONVERSATIONS);
        for name in [&known, "99", "mine"] {
            std::fs::create_dir_all(all.join(name).join("deep")).unwrap();
        }
        std::fs::write(all.join("98"), "a file").unwrap();
        let week = Duration::from_hours(24 * 7);
        #[expect(clippy::disallowed_methods, reason = "file times are of the wall clock")]
        let now = SystemTime::now();
        assert_eq!(sweep(&store, state.path(), week, now).await.unwrap(), 0, "it is young");
        let later = now + week + week;
        assert_eq!(sweep(&store, state.path(), week, later).await.unwrap(), 1);
        for (name, stays) in [(known.as_str(), true), ("99", false), ("mine", true), ("98", true)] {
            assert_eq!(all.join(name).exists(), stays, "{name}");
        }
        store.prune(i64::MAX).await.unwrap();
        assert_eq!(sweep(&store, state.path(), week, later).await.unwrap(), 1);
        assert!(!all.join(&known).exists());
    }

    #[test]
    fn what_is_a_conversations_own_is_known() {
        let state = tempfile::tempdir().unwrap();
        let own = state.path().join(CONVERSATIONS).join("7");
        std::fs::create_dir_all(&own).unwrap();
        assert!(is_own(state.path(), &own.canonicalize().unwrap()));
        assert!(!is_own(state.path(), &state.path().canonicalize().unwrap()));
    }
}
