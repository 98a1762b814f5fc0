//! What the model is asked: the message with what it quotes and its pictures, and the operator's
//! instructions.

use larkline_agent::Image;
use larkline_agent::chat::{self, Role};
use larkline_proto::content;
use larkline_proto::id::MessageId;
use minijinja::{Environment, context};

use super::Llm;
use crate::clock::{local, now_ms};
use crate::handler::files::{self, Folder};
use crate::handler::turn::Turn;
use crate::live::Live;

/// Name of the only template.
const SYSTEM: &str = "system";
/// Steps that a template may take; one that people write needs some hundreds.
const FUEL: u64 = 100_000;
/// Characters of a quoted message: enough to ask about it.
const QUOTED_CHARS_MAX: usize = 8_000;

impl Llm {
    /// What the person said, with what it quotes, and pictures where the model takes them.
    pub(super) async fn asked(&self, turn: &Turn, live: &Live) -> chat::Turn {
        let mut asked =
            chat::Turn { role: Role::User, text: turn.text.clone(), images: Vec::new() };
        let Some(message) = turn.event.message() else { return asked };
        let content = (message.message_type.as_str(), message.content.as_str());
        self.show(turn, live, &message.id, content, &mut asked).await;
        if let Some(parent) = &message.parent_id
            && let Some((kind, quoted)) = read(parent, live).await
        {
            self.show(turn, live, parent, (&kind, &quoted), &mut asked).await;
            let words = content::words_of(&kind, &quoted);
            asked.text = format!("{}\n\n{}", as_quotation(&words), asked.text);
        }
        asked
    }

    /// Adds the pictures of a content; what cannot be shown is named.
    async fn show(
        &self,
        turn: &Turn,
        live: &Live,
        message: &MessageId,
        content: (&str, &str),
        asked: &mut chat::Turn,
    ) {
        if !self.settings.images || !files::are_in(content) {
            return;
        }
        let folder = match Folder::make(&self.state_dir, turn.task) {
            Ok(folder) => folder,
            Err(error) => {
                tracing::warn!(task = turn.task.0, "the task's folder cannot be made: {error}");
                return;
            }
        };
        for file in folder.fetch(live, message, content, self.settings.image_max.0).await {
            if let Some(media_type) = file.image {
                let media_type = media_type.to_owned();
                asked.images.push(Image { media_type, bytes: file.bytes.to_vec() });
            } else if !file.note.is_empty() {
                asked.text = format!("{}\n{}", asked.text, file.note);
            }
        }
    }
}

/// Type and content of a message.
async fn read(message: &MessageId, live: &Live) -> Option<(String, String)> {
    match live.app().api.get(message).await {
        Ok(answer) => answer.data.into_iter().next().map(|found| (found.msg_type, found.content)),
        Err(error) => {
            tracing::info!(message_id = %message, code = %error.code(),
                "the quoted message cannot be read: {error}");
            None
        }
    }
}

fn as_quotation(words: &str) -> String {
    let kept: String = words.chars().take(QUOTED_CHARS_MAX).collect();
    let lines: Vec<String> = kept.lines().map(|line| format!("> {line}")).collect();
    lines.join("\n")
}

/// The instructions for one turn. A template that fails is said in the log, and taken as it stands.
pub(super) fn system(template: &str, turn: &Turn) -> String {
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    let text = |word: Option<&str>| word.unwrap_or_default().to_owned();
    let facts = context! {
        app => turn.app.clone(),
        handler => turn.handler.clone(),
        chat_id => text(turn.event.chat_id().map(|id| id.as_str())),
        sender_id => text(turn.event.actor().map(|id| id.as_str())),
        chat_type => text(turn.event.message().map(|message| message.chat_type.as_str())),
        now => local(now_ms()),
    };
    let template_read = environment.template_from_named_str(SYSTEM, template);
    let rendered = template_read.and_then(|template| template.render(facts));
    rendered.unwrap_or_else(|error| {
        tracing::warn!(
            handler = turn.handler,
            code = "template",
            "the template `system` fails: {error}"
        );
        template.to_owned()
    })
}
