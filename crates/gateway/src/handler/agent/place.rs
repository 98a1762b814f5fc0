//! Where a conversation works: chosen by `/cd`, else where it began.
//!
//! Agents find a conversation by its directory, so one that began in a directory stays there when
//! the configuration names another one; the next conversation takes that.

use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;

use larkline_store::session::Session;

use super::Agent;
use crate::live::Live;

/// Name of the folder below the state directory with a directory for each conversation.
const CONVERSATIONS: &str = "conversations";

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
        let began = shared.store.fact(began(session)).await;
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
            if let Err(error) = shared.store.put_fact(began(session), fact).await {
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

/// The fact that says where a conversation began.
fn began(session: &Session) -> String {
    format!("began/{}", session.id.0)
}
