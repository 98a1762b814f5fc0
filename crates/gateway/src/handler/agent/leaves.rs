//! What somebody allowed or denied for good in a conversation.
//!
//! An agent's own "always" ends with its process, which is one turn, and may be wider than what was
//! asked: `git push *` for one push. So the gateway remembers what was said, for the very wording
//! that was shown, and answers by itself when the same is asked again. Only fingerprints are kept: commands may hold secrets. Who may say it is not
//! here.

use std::sync::Arc;

use larkline_agent::{AskKind, ChoiceKind};
use larkline_store::session::{SessionFact, SessionId};
use larkline_store::{Store, StoreError};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

/// What one conversation remembers. Beyond it the oldest is forgotten, and asked again.
const LEAVES_MAX: usize = 64;

/// The leaves of one conversation. Cheap to clone.
#[derive(Clone)]
pub(super) struct Leaves {
    store: Arc<dyn Store>,
    /// The fact of the store that holds them.
    fact: String,
    /// Each a sign and a fingerprint, the newest last. Read when the first is asked for.
    given: Arc<Mutex<Option<Vec<String>>>>,
}

impl Leaves {
    /// Those of a conversation; reads nothing yet.
    pub(super) fn of(store: &Arc<dyn Store>, session: SessionId) -> Self {
        let fact = SessionFact::Leave.of(session);
        Self { store: Arc::clone(store), fact, given: Arc::default() }
    }

    /// Whether an answer to this can be for good: it will be known again.
    pub(super) fn can_hold(asked: &AskKind) -> bool {
        fingerprint(asked).is_some()
    }

    /// What somebody said for good about this, as the answer for this time.
    ///
    /// # Errors
    /// [`StoreError`]; nobody said anything, as far as is known.
    pub(super) async fn of_old(&self, asked: &AskKind) -> Result<Option<ChoiceKind>, StoreError> {
        let Some(asked) = fingerprint(asked) else { return Ok(None) };
        let mut given = self.given.lock().await;
        let all = self.read(&mut given).await?;
        Ok(all.iter().find_map(|given| match given.split_at_checked(1)? {
            ("+", given) if given == asked => Some(ChoiceKind::AllowOnce),
            ("-", given) if given == asked => Some(ChoiceKind::DenyOnce),
            _ => None,
        }))
    }

    /// Somebody answers this; what is not for good, or has no wording of its own, is forgotten.
    ///
    /// # Errors
    /// [`StoreError`]; it will be asked again.
    pub(super) async fn answered(
        &self,
        asked: &AskKind,
        choice: ChoiceKind,
    ) -> Result<(), StoreError> {
        let sign = match choice {
            ChoiceKind::AllowAlways => "+",
            ChoiceKind::DenyAlways => "-",
            ChoiceKind::AllowOnce | ChoiceKind::DenyOnce => return Ok(()),
        };
        let Some(asked) = fingerprint(asked) else { return Ok(()) };
        let mut given = self.given.lock().await;
        let all = self.read(&mut given).await?;
        all.retain(|before| !before.ends_with(&asked));
        all.push(format!("{sign}{asked}"));
        let beyond = all.len().saturating_sub(LEAVES_MAX);
        all.drain(..beyond);
        self.store.put_fact(self.fact.clone(), all.join(" ")).await
    }

    async fn read<'g>(
        &self,
        given: &'g mut Option<Vec<String>>,
    ) -> Result<&'g mut Vec<String>, StoreError> {
        let known = match given.take() {
            Some(known) => known,
            None => {
                let fact = self.store.fact(self.fact.clone()).await?.unwrap_or_default();
                fact.split_ascii_whitespace().take(LEAVES_MAX).map(str::to_owned).collect()
            }
        };
        Ok(given.insert(known))
    }
}

/// What stands for a use of a tool; nothing where two uses may look alike.
fn fingerprint(asked: &AskKind) -> Option<String> {
    match asked {
        AskKind::Permission { tool, detail, whole: true } => {
            // No name of a tool has a line feed: it is one line.
            let hash = Sha256::digest(format!("{tool}\n{detail}"));
            Some(hash.iter().map(|byte| format!("{byte:02x}")).collect())
        }
        AskKind::Permission { whole: false, .. } | AskKind::Plan { .. } | AskKind::Questions(_) => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use larkline_store::{SqliteOptions, SqliteStore};

    use super::*;

    fn store() -> (tempfile::TempDir, Arc<dyn Store>) {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteOptions::default();
        let store = SqliteStore::open(folder.path().join("s.db"), options).unwrap();
        (folder, Arc::new(store))
    }

    fn of(tool: &str, detail: &str) -> AskKind {
        AskKind::Permission { tool: tool.to_owned(), detail: detail.to_owned(), whole: true }
    }

    #[tokio::test]
    async fn what_was_said_for_good_is_known_to_the_next_process_in_its_conversation_only() {
        let (_folder, store) = store();
        let leaves = Leaves::of(&store, SessionId(1));
        leaves.answered(&of("Bash", "ls"), ChoiceKind::AllowOnce).await.unwrap();
        leaves.answered(&of("Bash", "make"), ChoiceKind::AllowAlways).await.unwrap();
        leaves.answered(&of("Bash", "rm"), ChoiceKind::DenyAlways).await.unwrap();
        let next = Leaves::of(&store, SessionId(1));
        for leaves in [&leaves, &next] {
            let said = async |asked| leaves.of_old(&asked).await.unwrap();
            assert_eq!(said(of("Bash", "ls")).await, None);
            assert_eq!(said(of("Bash", "make")).await, Some(ChoiceKind::AllowOnce));
            assert_eq!(said(of("Bash", "rm")).await, Some(ChoiceKind::DenyOnce));
            assert_eq!(said(of("Bash", "make install")).await, None);
            assert_eq!(said(of("Edit", "make")).await, None);
        }
        let other = Leaves::of(&store, SessionId(2));
        assert_eq!(other.of_old(&of("Bash", "make")).await.unwrap(), None);
        next.answered(&of("Bash", "rm"), ChoiceKind::AllowAlways).await.unwrap();
        assert_eq!(next.of_old(&of("Bash", "rm")).await.unwrap(), Some(ChoiceKind::AllowOnce));
    }

    #[tokio::test]
    async fn what_is_not_seen_as_a_whole_is_never_allowed_for_good() {
        let (_folder, store) = store();
        let leaves = Leaves::of(&store, SessionId(1));
        let cut = AskKind::Permission { tool: "Bash".into(), detail: "a…".into(), whole: false };
        for asked in [cut, AskKind::Plan { plan: "1.".to_owned() }] {
            leaves.answered(&asked, ChoiceKind::AllowAlways).await.unwrap();
            assert_eq!(leaves.of_old(&asked).await.unwrap(), None);
        }
    }

    #[tokio::test]
    async fn the_oldest_is_forgotten_first() {
        let (_folder, store) = store();
        let leaves = Leaves::of(&store, SessionId(1));
        let nth = |n: usize| of("Bash", &n.to_string());
        for n in 0..=LEAVES_MAX {
            leaves.answered(&nth(n), ChoiceKind::AllowAlways).await.unwrap();
        }
        let next = Leaves::of(&store, SessionId(1));
        assert_eq!(next.of_old(&nth(0)).await.unwrap(), None);
        for n in [1, LEAVES_MAX] {
            assert_eq!(next.of_old(&nth(n)).await.unwrap(), Some(ChoiceKind::AllowOnce), "{n}");
        }
    }
}
