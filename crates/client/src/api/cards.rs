//! Calls about card entities (CardKit): what makes a card grow in place.
//!
//! Each operation carries a `sequence` that must be greater than that of the one before on the same
//! card, whichever call it was; gaps are fine. Choosing it is the caller's business.

use http::Method;
use larkline_proto::api::{
    CardBody, CardIdBody, CardIdOf, CardJson, CardSettingsBody, CardTextBody, Endpoint,
};
use larkline_proto::id::MessageId;

use super::ApiClient;
use crate::api_error::ApiError;
use crate::call::Answer;

const CARDS: [&str; 3] = ["cardkit", "v1", "cards"];

impl ApiClient {
    /// The entity behind a card message of ours, sent as JSON or by an id.
    ///
    /// # Errors
    /// [`ApiError`]; needs the scope `cardkit:card:write`, as all calls here.
    pub async fn card_id(&self, message: &MessageId) -> Result<Answer<String>, ApiError> {
        let body = CardIdOf { message_id: message.as_str() };
        let path = card_path(&["id_convert"]);
        let call = self.with_body(Endpoint::CardId, Method::POST, &path, &body)?;
        let answer: Answer<CardIdBody> = self.data(call).await?;
        Ok(answer.map(|body| body.card_id))
    }

    /// Writes the whole text, 1 to 100 000 characters, of an element of a card that streams; 10
    /// operations a second for each card.
    ///
    /// # Errors
    /// [`ApiError`]; 300309 or 200850 when streaming is off.
    pub async fn card_text(
        &self,
        card: &str,
        element: &str,
        content: &str,
        sequence: i32,
    ) -> Result<Answer<()>, ApiError> {
        let body = CardTextBody { content, sequence };
        let path = card_path(&[card, "elements", element, "content"]);
        self.done(self.with_body(Endpoint::CardText, Method::PUT, &path, &body)?).await
    }

    /// Changes a card's settings, serialised as `{"config":{…}}`.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn card_settings(
        &self,
        card: &str,
        settings: &str,
        sequence: i32,
    ) -> Result<Answer<()>, ApiError> {
        let body = CardSettingsBody { settings, sequence };
        let path = card_path(&[card, "settings"]);
        self.done(self.with_body(Endpoint::CardSettings, Method::PATCH, &path, &body)?).await
    }

    /// Replaces a whole card by another, serialised.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn replace_card(
        &self,
        card: &str,
        data: &str,
        sequence: i32,
    ) -> Result<Answer<()>, ApiError> {
        let body = CardBody { card: CardJson { kind: "card_json", data }, sequence };
        let path = card_path(&[card]);
        self.done(self.with_body(Endpoint::ReplaceCard, Method::PUT, &path, &body)?).await
    }
}

fn card_path<'a>(rest: &[&'a str]) -> Vec<&'a str> {
    CARDS.iter().copied().chain(rest.iter().copied()).collect()
}
