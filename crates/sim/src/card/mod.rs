//! Card entities (CardKit): created, sent in one message, then changed piece by piece.
//!
//! Reference: open API, 3.2. Unknowns, as chosen here: an operation that is refused does not use
//! up its `sequence`; sending an entity again is 230099; a card of more than 30 KB is 200860; too
//! many operations a second are 99991400. Each change shows at once in the entity's message.

mod action;
mod check;
mod token;
mod tree;

use std::collections::{HashMap, VecDeque};

use larkline_proto::content::RICH_BYTES_MAX;
use larkline_proto::id::MessageId;
use serde_json::Value;

use crate::world::{AppIx, World};
pub(crate) use action::Action;
pub(crate) use check::{Problem, check, is_v2};
pub(crate) use token::CardTokens;

/// How long an entity lives.
const LIFE_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// How long streaming stays on after it was switched on.
const STREAMING_MS: u64 = 10 * 60 * 1000;
/// Largest `sequence`.
const SEQUENCE_MAX: i64 = 2_147_483_647;
/// Entities kept; the oldest goes. Each is 30 KB at most.
const CARDS_MAX: usize = 10_000;
/// `uuid`s remembered of each card: far more than are under way together.
const UUIDS_MAX: usize = 256;

/// Why an operation is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CardError {
    pub(crate) code: i64,
    pub(crate) msg: String,
}

impl CardError {
    pub(crate) fn new(code: i64, msg: impl Into<String>) -> Self {
        Self { code, msg: msg.into() }
    }
}

impl From<Problem> for CardError {
    fn from(problem: Problem) -> Self {
        Self::new(problem.code, problem.msg)
    }
}

/// One operation of CardKit.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) sequence: i64,
    pub(crate) uuid: Option<String>,
    /// The request as it came, to tell a repetition from a conflict.
    pub(crate) request: Vec<u8>,
    pub(crate) actions: Vec<Action>,
}

/// Whether a card streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streaming {
    Off,
    Until(u64),
    TimedOut,
}

/// One card entity.
pub(crate) struct Entity {
    app: AppIx,
    card: Value,
    /// The message that shows it.
    message: Option<MessageId>,
    created_ms: u64,
    sequence: i64,
    streaming: Streaming,
    done: VecDeque<(String, Vec<u8>)>,
}

impl Entity {
    fn new(app: AppIx, card: Value, now_ms: u64) -> Self {
        let streaming = streaming_of(&card, now_ms);
        let done = VecDeque::new();
        Self { app, card, message: None, created_ms: now_ms, sequence: 0, streaming, done }
    }

    /// Carries the actions out on a copy; nothing is changed when one fails.
    fn changed(&self, actions: Vec<Action>, now_ms: u64) -> Result<(Value, Streaming), CardError> {
        let (mut card, mut streaming) = (self.card.clone(), self.streaming);
        for action in actions {
            match (&action, streaming) {
                (Action::Stream(..), Streaming::Off) => {
                    return Err(CardError::new(300_309, "streaming mode is off"));
                }
                (Action::Stream(..), Streaming::TimedOut) => {
                    return Err(CardError::new(200_850, "streaming timed out"));
                }
                (Action::Add { .. }, Streaming::TimedOut) => {
                    return Err(CardError::new(200_510, "streaming timed out"));
                }
                _ => {}
            }
            let switches = match &action {
                Action::Replace(_) => true,
                Action::Settings(settings) => {
                    let config = settings.get("config").unwrap_or(settings);
                    config.get("streaming_mode").is_some()
                }
                Action::Add { .. }
                | Action::ReplaceElement(..)
                | Action::PatchElement(..)
                | Action::Delete(_)
                | Action::Stream(..) => false,
            };
            action.apply(&mut card)?;
            if switches {
                streaming = streaming_of(&card, now_ms);
            }
        }
        Ok((card, streaming))
    }
}

fn streaming_of(card: &Value, now_ms: u64) -> Streaming {
    match card.pointer("/config/streaming_mode") {
        Some(Value::Bool(true)) => Streaming::Until(now_ms + STREAMING_MS),
        _ => Streaming::Off,
    }
}

/// Every entity that is kept.
#[derive(Default)]
pub(crate) struct Cards {
    entities: HashMap<String, Entity>,
    order: VecDeque<String>,
}

impl Cards {
    fn put(&mut self, id: String, entity: Entity) {
        if self.order.len() >= CARDS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.entities.remove(&oldest);
        }
        self.order.push_back(id.clone());
        self.entities.insert(id, entity);
    }

    /// The entity an app may operate now.
    fn of(&self, id: &str, app: AppIx, now_ms: u64) -> Result<&Entity, CardError> {
        let entity = self.entities.get(id);
        let entity =
            entity.ok_or_else(|| CardError::new(200_740, format!("card {id} does not exist")))?;
        if entity.app != app {
            return Err(CardError::new(300_311, "only the creator may operate a card"));
        }
        if entity.created_ms + LIFE_MS <= now_ms {
            return Err(CardError::new(200_750, "the card has expired"));
        }
        Ok(entity)
    }
}

impl World {
    /// Checks a card for CardKit.
    fn check_entity(&self, card: &Value) -> Result<(), CardError> {
        if card.as_object().is_none_or(serde_json::Map::is_empty) {
            return Err(CardError::new(300_307, "the card is empty"));
        }
        if !is_v2(card) {
            return Err(CardError::new(300_303, "the card must be of schema 2.0"));
        }
        if card.to_string().len() > RICH_BYTES_MAX {
            return Err(CardError::new(200_860, "the card is too large"));
        }
        Ok(check(card, |key| self.files.contains_key(key))?)
    }

    /// Creates an entity and returns its id.
    pub(crate) fn create_card(
        &mut self,
        now_ms: u64,
        app: AppIx,
        card: Value,
    ) -> Result<String, CardError> {
        self.check_entity(&card)?;
        let id = self.rng.u64(7_000_000_000_000_000_000..8_000_000_000_000_000_000).to_string();
        let entity = Entity::new(app, card, now_ms);
        self.stop_streaming_later(&id, entity.streaming);
        self.cards.put(id.clone(), entity);
        Ok(id)
    }

    /// The JSON of an entity that is about to be sent.
    pub(crate) fn card_to_send(
        &self,
        now_ms: u64,
        app: AppIx,
        id: &str,
    ) -> Result<String, CardError> {
        let entity = self.cards.of(id, app, now_ms)?;
        if entity.message.is_some() {
            return Err(CardError::new(11_310, "the card has been sent, a card is sent one time"));
        }
        Ok(entity.card.to_string())
    }

    /// Ties an entity to the message that shows it.
    pub(crate) fn card_is_sent(&mut self, id: &str, message: &MessageId) {
        if let Some(entity) = self.cards.entities.get_mut(id) {
            entity.message = Some(message.clone());
        }
    }

    /// Carries one operation out.
    pub(crate) fn operate_card(
        &mut self,
        now_ms: u64,
        app: AppIx,
        id: &str,
        operation: Operation,
    ) -> Result<(), CardError> {
        let entity = self.cards.of(id, app, now_ms)?;
        if let Some(uuid) = &operation.uuid
            && let Some((_, request)) = entity.done.iter().find(|(u, _)| u == uuid)
        {
            return match *request == operation.request {
                true => Ok(()),
                false => Err(CardError::new(200_770, "the uuid was used for something else")),
            };
        }
        if entity.message.as_ref().is_some_and(|m| self.card_tokens.in_interaction(m)) {
            return Err(CardError::new(200_810, "the card is in an interaction"));
        }
        if !(1..=SEQUENCE_MAX).contains(&operation.sequence) {
            return Err(CardError::new(10_002, "sequence must be within 1 and 2147483647"));
        }
        if operation.sequence <= entity.sequence {
            let msg = format!("sequence must be greater than {}", entity.sequence);
            return Err(CardError::new(300_317, msg));
        }
        let (card, streaming) = entity.changed(operation.actions, now_ms)?;
        self.check_entity(&card)?;
        self.stop_streaming_later(id, streaming);
        if let Some(entity) = self.cards.entities.get_mut(id) {
            entity.card = card;
            entity.streaming = streaming;
            entity.sequence = operation.sequence;
            if let Some(uuid) = operation.uuid {
                if entity.done.len() >= UUIDS_MAX {
                    entity.done.pop_front();
                }
                entity.done.push_back((uuid, operation.request));
            }
        }
        self.show_card(now_ms, id, true);
        Ok(())
    }

    /// The entity behind a message; one sent as JSON gets one now.
    pub(crate) fn card_of_message(
        &mut self,
        now_ms: u64,
        app: AppIx,
        id: &MessageId,
    ) -> Result<String, CardError> {
        let unknown = || CardError::new(10_002, "no card message of this app has this id");
        let message = self.messages.get(id).ok_or_else(unknown)?;
        if message.msg_type != "interactive" || message.sender != crate::world::Sender::App(app) {
            return Err(unknown());
        }
        if let Some(card) = &message.card {
            return Ok(card.clone());
        }
        let card: Value = serde_json::from_str(&message.sent).unwrap_or_default();
        let card_id = self.create_card(now_ms, app, card)?;
        self.card_is_sent(&card_id, id);
        if let Some(message) = self.messages.get_mut(id) {
            message.card = Some(card_id.clone());
            if let Some(row) = message.row.and_then(|row| self.ledger.messages.get_mut(row)) {
                row.card_id = Some(card_id.clone());
            }
        }
        Ok(card_id)
    }

    /// Another way than CardKit changed what a message shows: its entity follows.
    pub(crate) fn card_follows(&mut self, now_ms: u64, message: &MessageId, card: &Value) {
        let Some(id) = self.messages.get(message).and_then(|m| m.card.clone()) else { return };
        let streaming = streaming_of(card, now_ms);
        self.stop_streaming_later(&id, streaming);
        if let Some(entity) = self.cards.entities.get_mut(&id) {
            entity.card = card.clone();
            entity.streaming = streaming;
        }
    }

    /// Whether a message shows a card that streams now.
    pub(crate) fn streams(&self, message: &MessageId) -> bool {
        let card = self.messages.get(message).and_then(|m| m.card.as_ref());
        let entity = card.and_then(|id| self.cards.entities.get(id));
        entity.is_some_and(|e| matches!(e.streaming, Streaming::Until(_)))
    }

    fn stop_streaming_later(&mut self, id: &str, streaming: Streaming) {
        if let Streaming::Until(at_ms) = streaming {
            self.deliveries.stop_streaming_at(at_ms, id);
        }
    }

    /// Switches streaming off if its time is over.
    pub(crate) fn stop_streaming(&mut self, now_ms: u64, id: &str) {
        let Some(entity) = self.cards.entities.get_mut(id) else { return };
        if matches!(entity.streaming, Streaming::Until(at_ms) if at_ms <= now_ms) {
            entity.streaming = Streaming::TimedOut;
            entity.card["config"]["streaming_mode"] = Value::Bool(false);
            self.show_card(now_ms, id, false);
        }
    }

    /// Shows an entity as it is now in its message.
    fn show_card(&mut self, now_ms: u64, id: &str, edited: bool) {
        let Some(entity) = self.cards.entities.get(id) else { return };
        let Some(message) = entity.message.clone() else { return };
        let content = entity.card.to_string();
        self.show_in_message(now_ms, &message, content, edited);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::options::SimOptions;

    const APP: AppIx = AppIx(0);

    fn streaming_card() -> Value {
        json!({"schema": "2.0", "config": {"streaming_mode": true},
               "body": {"elements": [{"tag": "markdown", "element_id": "answer", "content": ""}]}})
    }

    fn stream(sequence: i64, text: &str) -> Operation {
        let actions = vec![Action::Stream("answer".to_owned(), text.to_owned())];
        Operation { sequence, uuid: None, request: Vec::new(), actions }
    }

    fn settings(sequence: i64, on: bool) -> Operation {
        let actions = vec![Action::Settings(json!({"config": {"streaming_mode": on}}))];
        Operation { sequence, uuid: None, request: Vec::new(), actions }
    }

    #[test]
    fn streaming_ends_after_ten_minutes_and_can_be_renewed() {
        let mut world = World::new(SimOptions::default(), false);
        let id = world.create_card(0, APP, streaming_card()).unwrap();
        let code = |result: Result<(), CardError>| result.map_err(|e| e.code);
        assert_eq!(code(world.operate_card(1, APP, &id, stream(1, "a"))), Ok(()));
        world.run_timers(STREAMING_MS - 1);
        assert_eq!(code(world.operate_card(STREAMING_MS - 1, APP, &id, stream(2, "b"))), Ok(()));
        world.run_timers(STREAMING_MS);
        let late = STREAMING_MS;
        assert_eq!(code(world.operate_card(late, APP, &id, stream(3, "c"))), Err(200_850));
        assert_eq!(code(world.operate_card(late, APP, &id, settings(3, true))), Ok(()));
        assert_eq!(code(world.operate_card(late, APP, &id, stream(4, "c"))), Ok(()));
        assert_eq!(code(world.operate_card(late, APP, &id, settings(5, false))), Ok(()));
        assert_eq!(code(world.operate_card(late, APP, &id, stream(6, "d"))), Err(300_309));
        // The timer of the renewed streaming finds it switched off.
        world.run_timers(2 * STREAMING_MS + 1);
        assert_eq!(code(world.operate_card(late, APP, &id, stream(6, "d"))), Err(300_309));
    }

    #[test]
    fn an_entity_ends_after_two_weeks() {
        let mut world = World::new(SimOptions::default(), false);
        let id = world.create_card(0, APP, streaming_card()).unwrap();
        let code = |result: Result<(), CardError>| result.map_err(|e| e.code);
        assert_eq!(code(world.operate_card(LIFE_MS, APP, &id, settings(1, true))), Err(200_750));
        assert_eq!(code(world.operate_card(0, APP, "7", settings(1, true))), Err(200_740));
    }
}
