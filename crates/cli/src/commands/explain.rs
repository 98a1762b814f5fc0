//! `larkline explain`: a message's story, or what is known about an error.

use std::path::PathBuf;

use anyhow::Result;
use http::StatusCode;
use larkline_gateway::admin::client::ClientError;
use larkline_gateway::story::{self, Story};
use serde_json::json;

use super::ask::Source;
use super::story::tell;
use crate::args::Format;
use crate::exit::{ExitStatus, Yours};
use crate::lang::either;
use crate::{explain, output};

/// Looks among the messages first; what is no message may be an error.
///
/// # Errors
/// When it is neither.
pub(crate) async fn run(
    config: Option<PathBuf>,
    format: Format,
    text: String,
) -> Result<ExitStatus> {
    let story = find(config, &text).await;
    let known = explain::find(&text);
    match (story, known.as_slice()) {
        (Ok(Some(story)), known) => show(format, &story, known)?,
        (Ok(None), []) => {
            return Err(Yours(say!(
                zh: "没有与 {text:?} 匹配的事件、消息或文字，它也不是已知的错误；见 `larkline messages`，或 docs/errors/strings.md",
                en: "no event, message or text matches {text:?}, and it is no known error; see `larkline messages`, or docs/errors/strings.md"
            ))
            .into());
        }
        (Err(error), []) => {
            return Err(error.context(say!(
                zh: "{text:?} 不是已知的错误，消息也无法查找",
                en: "{text:?} is no known error, and messages cannot be looked for"
            )));
        }
        (Ok(None) | Err(_), known) => {
            let found = json!({ "text": text, "known_errors": explain::as_json(known) });
            output::show(format, &found, |_| explain::tell(known))?;
        }
    }
    Ok(ExitStatus::Ok)
}

/// The story of what the text means, from the running gateway or what it left.
async fn find(config: Option<PathBuf>, key: &str) -> Result<Option<Story>> {
    let gateway = match Source::open(config).await? {
        Source::Gateway(gateway) => gateway,
        Source::Store(store) => return Ok(story::find(store.as_ref(), key).await?),
    };
    match gateway.get("/v1/story", &[("key", key)]).await {
        Ok(story) => Ok(Some(story)),
        Err(error) => match error.downcast_ref() {
            Some(ClientError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
            _ => Err(error),
        },
    }
}

/// A story, and, when the text is an error's too, what is known about that.
fn show(format: Format, story: &Story, known: &[&explain::Entry]) -> Result<()> {
    let mut whole = serde_json::to_value(story)?;
    if !known.is_empty() {
        whole["known_errors"] = explain::as_json(known);
    }
    output::show(format, &whole, |_| match known {
        [] => tell(story),
        known => {
            let also = either("这段文字也是已知的错误：", "The text is a known error too:");
            format!("{}\n\n{also}\n{}", tell(story), explain::tell(known))
        }
    })
}
