//! What the chat says about a conversation: `/new`, `/resume`, `/cd`, `/model`.
//!
//! They come here in their place in the lane, so that a message before them belongs to the
//! conversation before them.

use std::path::{Path, PathBuf};

use larkline_store::session::{Change, SessionPatch};

use super::{Agent, place};
use crate::commands::Command;
use crate::handler::answer::{Answer, HandlerError};
use crate::handler::conversation::Conversation;
use crate::handler::turn::Turn;
use crate::live::Live;
use crate::words;

impl Agent {
    pub(super) async fn command(
        &self,
        turn: &Turn,
        live: &Live,
        conversation: &mut Conversation,
        command: Command,
    ) -> Result<Answer, HandlerError> {
        let lang = live.lang();
        match command {
            Command::New => {
                conversation.renew(turn).await.map_err(HandlerError::store)?;
                Ok(Answer::markdown(words::new_session(lang)))
            }
            Command::Resume(id) => conversation.resume(lang, id).await,
            Command::Cd(path) => self.cd(turn, live, conversation, path).await,
            Command::Model(model) => {
                if let Some(model) = model
                    && !turn.choose_model(conversation, model).await?
                {
                    return Ok(Answer::markdown(words::owners_only(lang)));
                }
                let session = conversation.session();
                let model = session.model.clone().or_else(|| self.settings.model.clone());
                let model = model.unwrap_or_else(|| words::default_model(lang));
                Ok(Answer::markdown(words::model_is(lang, &model)))
            }
            // The desk carries these out, and a retry is a turn.
            Command::Help | Command::Stop | Command::Status | Command::Jobs | Command::Retry => {
                Ok(Answer::default())
            }
        }
    }

    /// Shows or changes where the conversation works. An agent that keeps its conversations by
    /// directory does not know this one elsewhere, so a change begins a new one.
    async fn cd(
        &self,
        turn: &Turn,
        live: &Live,
        conversation: &mut Conversation,
        wanted: Option<PathBuf>,
    ) -> Result<Answer, HandlerError> {
        let lang = live.lang();
        let spawn = |error: std::io::Error| HandlerError::new("spawn", error.to_string());
        let now = self.directory(live, conversation.session()).await.map_err(spawn)?;
        let Some(wanted) = wanted else {
            return Ok(Answer::markdown(words::cwd_is(lang, &now.display().to_string())));
        };
        if !turn.is_of_owner() {
            return Ok(Answer::markdown(words::owners_only(lang)));
        }
        let wanted = now.join(self.expanded(&wanted));
        let Some(found) = wanted.canonicalize().ok().filter(|path| path.is_dir()) else {
            return Ok(Answer::markdown(words::no_directory(lang, &wanted.display().to_string())));
        };
        if !self.may_work_in(&found) {
            return Ok(Answer::markdown(words::not_in_roots(lang)));
        }
        let session = conversation.session();
        if session.turns > 0 || session.agent_session.is_some() {
            conversation.renew(turn).await.map_err(HandlerError::store)?;
        }
        let cwd = Change::To(found.display().to_string());
        let patch = SessionPatch { cwd, ..SessionPatch::default() };
        conversation.patch(patch).await.map_err(HandlerError::store)?;
        Ok(Answer::markdown(words::cwd_is(lang, &found.display().to_string())))
    }

    /// With `~` as the home directory of the agent.
    fn expanded(&self, path: &Path) -> PathBuf {
        let home = self.env.get("HOME").map(|home| PathBuf::from(home.expose()));
        match (path.strip_prefix("~"), home) {
            (Ok(rest), Some(home)) => home.join(rest),
            (Ok(_) | Err(_), _) => path.to_owned(),
        }
    }

    /// The configured directory and the roots, with all below them, but for the directories that
    /// go with their own conversations.
    fn may_work_in(&self, path: &Path) -> bool {
        if place::is_own(&self.state_dir, path) {
            return false;
        }
        let roots = self.settings.cd_roots.iter().chain(&self.settings.cwd);
        roots.filter_map(|root| root.canonicalize().ok()).any(|root| path.starts_with(root))
    }
}
