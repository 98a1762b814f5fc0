//! Questions of a task, answered by a button.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::{Extension, Json};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::say::bad;
use super::server::{read, too_many};
use crate::admin::Refusal;
use crate::ask::Wording;
use crate::grants::{Grant, Use};
use crate::handler::agent::question::{Asking, End, Unanswered};
use crate::words;

/// Buttons under one question; the platform shows more, nobody reads them.
const OPTIONS_MAX: usize = 10;
/// Characters of a button.
const LABEL_CHARS_MAX: usize = 60;
/// Characters of a question.
const QUESTION_CHARS_MAX: usize = 4000;
/// How long an answer is waited for, unless it is said.
const PATIENCE_S: u64 = 300;
/// How long at most: a day.
pub const PATIENCE_S_MAX: u64 = 86_400;

/// A question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What is asked, Markdown.
    pub question: String,
    /// What may be answered.
    pub options: Vec<String>,
    /// How long an answer is waited for, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
}

/// What became of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The option that was chosen; nothing when nobody answered in time.
    pub choice: Option<String>,
    /// Who chose it.
    pub by: Option<String>,
    /// Whether nobody answered in time.
    pub timeout: bool,
}

pub(super) async fn ask(
    Extension(grant): Extension<Arc<Grant>>,
    body: Bytes,
) -> Result<Json<Reply>, Refusal> {
    let Question { question, options, timeout_s } = read(&body)?;
    check(&question, &options)?;
    if !grant.spend(Use::Message) {
        return Err(too_many("messages"));
    }
    let patience = Duration::from_secs(timeout_s.unwrap_or(PATIENCE_S).clamp(1, PATIENCE_S_MAX));
    let lang = grant.live.lang();
    let (live, people) = (grant.live.clone(), grant.people.clone());
    let asking = Asking { live, people, patience };
    let title = words::question_title(lang);
    let wording = Wording { title, body: question, labels: options.clone() };
    let wait = words::duration(lang, patience);
    let unanswered = Unanswered {
        until: words::question_until(lang, &wait),
        too_late: words::question_too_late(lang, &wait),
    };
    let (answer, given) = oneshot::channel();
    let (over, waits) = (grant.over.clone(), grant.waits());
    // In a task of its own: the card says that it is over also when whoever asked is gone.
    grant.live.shared().grants.run(async move {
        let _waits = waits;
        let end = until_gone(&asking, wording, &unanswered, over, answer);
        Box::pin(end).await;
    });
    let end = given.await.map_err(|_| gone())?;
    match end {
        End::Given(given) => Ok(Json(Reply {
            choice: options.get(given.choice).cloned(),
            by: Some(given.by.to_string()),
            timeout: false,
        })),
        End::TooLate => Ok(Json(Reply { timeout: true, ..Reply::default() })),
        End::TakenBack => Err(gone()),
    }
}

/// Asks until somebody answers, the time or the task is over, or nobody waits for the answer.
async fn until_gone(
    asking: &Asking,
    wording: Wording,
    unanswered: &Unanswered,
    over: CancellationToken,
    mut answer: oneshot::Sender<End>,
) {
    let withdrawn = over.child_token();
    let looks = vec!["default"; wording.labels.len()];
    let asked = asking.one(wording, &looks, unanswered, &withdrawn);
    tokio::pin!(asked);
    let end = tokio::select! {
        end = &mut asked => end,
        () = answer.closed() => {
            withdrawn.cancel();
            asked.await
        }
    };
    // Nobody waits for it any more: then its card says so.
    drop(answer.send(end));
}

fn check(question: &str, options: &[String]) -> Result<(), Refusal> {
    if question.trim().is_empty() || question.chars().count() > QUESTION_CHARS_MAX {
        return Err(bad("a question has 1 to 4000 characters"));
    }
    if options.is_empty() || options.len() > OPTIONS_MAX {
        return Err(bad("a question has 1 to 10 options"));
    }
    let is_label =
        |label: &String| !label.trim().is_empty() && label.chars().count() <= LABEL_CHARS_MAX;
    if !options.iter().all(is_label) {
        return Err(bad("an option has 1 to 60 characters"));
    }
    Ok(())
}

fn gone() -> Refusal {
    let text = "the question was taken back: its task has ended, or the gateway stops";
    Refusal::of_program(StatusCode::GONE, text)
}
