//! What an earlier run has left in the chats, taken up before anything works: reactions to be taken
//! away, and cards with questions that nobody waits for any more.

use larkline_store::inbox::InboxId;
use larkline_store::outbox::{MadeFor, NewOutbox};
use larkline_store::{Store, StoreError};

use crate::ack::{self, Acks};
use crate::card;
use crate::clock::now_ms;
use crate::outgoing::{Op, stable_uuid};
use crate::shared::Shared;
use crate::words::{self, Lang};

/// Events that are looked at, the oldest first: what was being worked on is among them.
const EVENTS_MAX: usize = 1000;
/// Before the id of a question, in the key of its row.
const ASK: &str = "/ask/";
/// After it, in the key of the row that settles it.
const AFTER: &str = "/after";

/// Takes it up.
pub async fn take_up(shared: &Shared) {
    let lang = shared.config.load().language;
    match left(shared.store.as_ref(), &shared.acks, lang).await {
        Ok(rows) => shared.say(rows).await,
        Err(error) => shared.store_health.failed("left", &error),
    }
}

async fn left(store: &dyn Store, acks: &Acks, lang: Lang) -> Result<Vec<NewOutbox>, StoreError> {
    let mut rows = Vec::new();
    for event in store.oldest_waiting(EVENTS_MAX).await? {
        if let Some(added) = ack::left(store, &event.app, &event.event_id).await? {
            acks.added(event.id, added);
        }
        rows.extend(closed(event.id, &store.made_for(event.id).await?, lang));
    }
    Ok(rows)
}

/// The rows that close what was asked about an event and is open.
fn closed(event: InboxId, made: &[MadeFor], lang: Lang) -> Vec<NewOutbox> {
    let is_settled = |row: &MadeFor| made.iter().any(|other| other.key == after(&row.key));
    let open = made.iter().filter(|row| is_question(&row.key) && !is_settled(row));
    open.filter_map(|row| close(event, row, lang)).collect()
}

/// Whether it is the key of the card that asks, and not of what stands above or settles it.
fn is_question(key: &str) -> bool {
    key.rsplit_once(ASK).is_some_and(|(_, id)| !id.contains('/'))
}

fn after(key: &str) -> String {
    format!("{key}{AFTER}")
}

fn close(event: InboxId, row: &MadeFor, lang: Lang) -> Option<NewOutbox> {
    let asked = Op::from_body(&row.body).ok()?;
    let message = card::closed(&asked.message().content, &words::ask_left(lang))?;
    let (key, chat_id) = (after(&row.key), row.lane.clone().into());
    let op = Op::Update { row: row.key.clone(), chat_id, message, otherwise: None };
    Some(NewOutbox {
        app: row.app.clone(),
        inbox: Some(event),
        task: row.task,
        uuid: stable_uuid(&key),
        key,
        lane: row.lane.clone(),
        priority: 0,
        preview: String::new(),
        body: op.to_body(),
        created_ms: now_ms(),
        due_ms: 0,
    })
}

#[cfg(test)]
mod tests {
    use larkline_proto::api::ReceiveId;
    use larkline_store::task::TaskId;
    use serde_json::{Value, json};

    use super::*;

    fn row(key: &str) -> MadeFor {
        let button = card::Button { label: "Allow".into(), look: "primary", value: json!({}) };
        let message = card::question("Leave?", None, "No answer means no.", &[button]);
        let op = Op::Send { to: ReceiveId::Chat("oc_1".into()), message };
        let (app, lane) = ("main".to_owned(), "oc_1".to_owned());
        MadeFor { key: key.to_owned(), app, lane, task: Some(TaskId(7)), body: op.to_body() }
    }

    #[test]
    fn what_is_open_is_closed_once_and_nothing_else() {
        let keys =
            ["a/e/h/card", "a/e/h/ask/1/0", "a/e/h/ask/1", "a/e/h/ask/2", "a/e/h/ask/2/after"];
        let mut made: Vec<MadeFor> = keys.into_iter().map(row).collect();
        let [closing] = &closed(InboxId(3), &made, Lang::En)[..] else { panic!("one is open") };
        assert_eq!((closing.key.as_str(), closing.task), ("a/e/h/ask/1/after", Some(TaskId(7))));
        let Ok(Op::Update { row: of, message, .. }) = Op::from_body(&closing.body) else {
            panic!("no update")
        };
        assert_eq!(of, "a/e/h/ask/1");
        let card: Value = serde_json::from_str(&message.content).unwrap();
        assert_eq!(card["header"]["title"]["content"], "Leave?");
        assert!(!message.content.contains("button"), "{card}");
        assert!(!message.content.contains("means no"), "{card}");
        made.push(row("a/e/h/ask/1/after"));
        assert!(closed(InboxId(3), &made, Lang::En).is_empty());
    }
}
