//! The calls that one row of the outbox takes.
//!
//! A message is one call; a file is an upload before it; a card in the place of another is a look at
//! what the earlier row became, and a change. Repeating any of them does no harm. What a refusal
//! means is `delivery`'s business.

use bytes::Bytes;
use larkline_client::{Answer, ApiError, ApiErrorKind, FileType};
use larkline_proto::api::{Disposition, RestMessage, RetryReason};
use larkline_proto::content::Outgoing;
use larkline_proto::id::{LogId, MessageId};
use larkline_store::outbox::{ClaimedOutbox, OutboxStage};

use super::Delivery;
use crate::card;
use crate::outgoing::{Op, Source};

/// The platform's limit for a file.
const FILE_BYTES_MAX: u64 = 30 << 20;
/// The platform's limit for an image.
const IMAGE_BYTES_MAX: usize = 10 << 20;

/// A greater sequence is tried so often: each leaves a day of a wrong clock behind.
const SEQUENCE_TRIES: usize = 3;

/// What became of the calls.
pub(super) enum Made {
    /// The platform has it.
    Sent { endpoint: &'static str, message_id: MessageId, log_id: Option<LogId> },
    /// The platform or the network refused a call.
    Refused { endpoint: &'static str, error: Box<ApiError> },
    /// Nothing was called; the store has to heal first.
    Later,
    /// It cannot be done in this form.
    Impossible { code: &'static str, detail: String },
}

impl Delivery {
    /// Makes the calls of one row.
    pub(super) async fn make(&self, row: &ClaimedOutbox, op: &Op) -> Made {
        match op {
            Op::Reply { .. } | Op::Send { .. } => self.send_message(row, op).await,
            Op::File { to, name, source } => self.send_file(row, to, name, source).await,
            Op::Update { row: key, message, .. } => self.update(key, message).await,
            Op::WhileUp { op, .. } => Box::pin(self.make(row, op)).await,
        }
    }

    async fn send_message(&self, row: &ClaimedOutbox, op: &Op) -> Made {
        let api = &self.app.api;
        let (endpoint, result) = match op {
            Op::Reply { message_id, in_thread, message, .. } => {
                ("reply", api.reply(message_id, message, *in_thread, &row.uuid).await)
            }
            Op::Send { to, message } => ("send", api.send(to, message, &row.uuid).await),
            Op::File { .. } | Op::Update { .. } | Op::WhileUp { .. } => {
                let detail = "a file or an update stands where a message belongs".to_owned();
                return Made::Impossible { code: "body_unreadable", detail };
            }
        };
        made(endpoint, result)
    }

    async fn send_file(&self, row: &ClaimedOutbox, to: &Op, name: &str, source: &Source) -> Made {
        let bytes = match read(source).await {
            Ok(bytes) => bytes,
            Err(detail) => return Made::Impossible { code: "file_unreadable", detail },
        };
        match self.upload(name, bytes).await {
            Ok(message) => self.send_message(row, &to.with_message(message)).await,
            Err((endpoint, error)) => refused(endpoint, error),
        }
    }

    /// As an image where it is one that the platform takes, else as a file.
    async fn upload(&self, name: &str, bytes: Bytes) -> Result<Outgoing, (&'static str, ApiError)> {
        let api = &self.app.api;
        if is_image(name) && bytes.len() <= IMAGE_BYTES_MAX {
            match api.upload_image(name, bytes.clone()).await {
                Ok(key) => return Ok(Outgoing::image(&key.data)),
                // Named like an image, and none; or larger than one may be.
                Err(error) if error.disposition() == Disposition::Permanent => {
                    tracing::info!(name, code = %error.code(), "sent as a file: {error}");
                }
                Err(error) => return Err(("upload_image", error)),
            }
        }
        let uploaded = api.upload_file(file_type(name), name, bytes).await;
        uploaded.map(|key| Outgoing::file(&key.data)).map_err(|error| ("upload_file", error))
    }

    /// Puts a card in the place of the one that an earlier row sent. That row is settled: a chat has
    /// one row in flight, and this one is behind it.
    async fn update(&self, key: &str, message: &Outgoing) -> Made {
        let earlier = match self.shared.store.outbox_by_key(key.to_owned()).await {
            Ok(row) => row.filter(|row| row.stage == OutboxStage::Delivered),
            Err(error) => {
                self.shared.store_health.failed("outbox_by_key", &error);
                return Made::Later;
            }
        };
        let Some(message_id) = earlier.and_then(|row| row.message_id).map(MessageId::new) else {
            let detail = "the card that it was to take the place of was not sent".to_owned();
            return Made::Impossible { code: "no_card", detail };
        };
        if self.shared.cards.is_recalled(&message_id) {
            self.shared.cards.forget(&message_id);
            let detail = "the card that it was to take the place of was recalled".to_owned();
            return Made::Impossible { code: "card_recalled", detail };
        }
        let made = match self.replace(&message_id, &message.content).await {
            Ok(log_id) => Made::Sent { endpoint: "update", message_id: message_id.clone(), log_id },
            Err((endpoint, error)) => {
                self.close(&message_id, &error).await;
                refused(endpoint, error)
            }
        };
        if !matches!(&made, Made::Refused { error, .. } if will_be_repeated(error)) {
            self.shared.cards.forget(&message_id);
        }
        made
    }

    /// As an entity, because that ends its streaming; as a message where that is refused.
    async fn replace(
        &self,
        message_id: &MessageId,
        card: &str,
    ) -> Result<Option<LogId>, (&'static str, ApiError)> {
        let (api, cards) = (&self.app.api, &self.shared.cards);
        let id = match cards.card(message_id) {
            Some(id) => Some(id),
            None => api.card_id(message_id).await.ok().map(|answer| answer.data),
        };
        // Each call is metered: the next change of the same card needs none for its id.
        id.iter().for_each(|id| cards.learned(message_id, id));
        let mut passing = None;
        if let Some(id) = id {
            let mut result = api.replace_card(&id, card, cards.next_sequence(message_id)).await;
            for _ in 0..SEQUENCE_TRIES {
                if !result.as_ref().is_err_and(is_behind) {
                    break;
                }
                cards.is_behind(message_id);
                result = api.replace_card(&id, card, cards.next_sequence(message_id)).await;
            }
            match result {
                Ok(answer) => return Ok(answer.log_id),
                Err(error) if passes_by_itself(&error) => return Err(("replace_card", error)),
                // The same card as a message may pass; if it is the card, it will say so again.
                Err(error) => {
                    tracing::debug!(message_id = %message_id, code = %error.code(), "{error}");
                    passing = Some(error).filter(is_passing);
                }
            }
        }
        match (api.patch_card(message_id, card).await, passing) {
            (Ok(answer), _) => Ok(answer.log_id),
            // That an entity is refused as a message is not the last word on it.
            (Err(_), Some(error)) => Err(("replace_card", error)),
            (Err(error), None) => Err(("patch_card", error)),
        }
    }

    /// A card whose last form is refused must not look as if it went on growing.
    async fn close(&self, message_id: &MessageId, error: &ApiError) {
        if will_be_repeated(error) || error.disposition() == Disposition::MessageGone {
            return;
        }
        if let Err((_, error)) = self.replace(message_id, &card::word("⬇️").content).await {
            tracing::debug!(message_id = %message_id, "the card stays as it is: {error}");
        }
    }
}

/// Whether the platform has seen a greater sequence of the card.
pub fn is_behind(error: &ApiError) -> bool {
    /// "Sequence number compare failed."
    const SEQUENCE: i64 = 300_317;
    matches!(&error.kind, ApiErrorKind::Platform { failure, .. } if failure.code == SEQUENCE)
}

/// Whether it only came too soon. An operation that is unavailable may be so for long.
fn passes_by_itself(error: &ApiError) -> bool {
    use RetryReason::{InProgress, RateLimited};
    matches!(error.disposition(), Disposition::Retry { reason: RateLimited | InProgress, .. })
}

/// Whether it is a matter of time.
fn is_passing(error: &ApiError) -> bool {
    matches!(error.disposition(), Disposition::Retry { .. } | Disposition::Reauthenticate)
}

fn will_be_repeated(error: &ApiError) -> bool {
    matches!(
        error.disposition(),
        Disposition::Retry { .. } | Disposition::Reauthenticate | Disposition::Fatal
    )
}

fn made(endpoint: &'static str, result: Result<Answer<RestMessage>, ApiError>) -> Made {
    match result {
        Ok(sent) => Made::Sent { endpoint, message_id: sent.data.message_id, log_id: sent.log_id },
        Err(error) => refused(endpoint, error),
    }
}

fn refused(endpoint: &'static str, error: ApiError) -> Made {
    if matches!(error.kind, ApiErrorKind::TooLarge { .. } | ApiErrorKind::Input { .. }) {
        return Made::Impossible { code: "file_refused", detail: error.to_string() };
    }
    Made::Refused { endpoint, error: Box::new(error) }
}

async fn read(source: &Source) -> Result<Bytes, String> {
    match source {
        Source::Text(text) => Ok(Bytes::from(text.clone().into_bytes())),
        Source::Path(path) => {
            let fails = |error| format!("{}: {error}", path.display());
            let size = tokio::fs::metadata(path).await.map_err(fails)?.len();
            if size > FILE_BYTES_MAX {
                return Err(format!("{}: {size} bytes, 30 MB may be sent", path.display()));
            }
            tokio::fs::read(path).await.map(Bytes::from).map_err(fails)
        }
    }
}

fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, end)| end.to_ascii_lowercase()).unwrap_or_default()
}

fn is_image(name: &str) -> bool {
    matches!(
        extension(name).as_str(),
        "png" | "jpg" | "jpeg" | "gif" | "webp" | "bmp" | "ico" | "tiff"
    )
}

fn file_type(name: &str) -> FileType {
    match extension(name).as_str() {
        "opus" => FileType::Opus,
        // As a video it would have to be sent as one.
        "pdf" => FileType::Pdf,
        "doc" | "docx" => FileType::Doc,
        "xls" | "xlsx" => FileType::Xls,
        "ppt" | "pptx" => FileType::Ppt,
        _ => FileType::Stream,
    }
}
