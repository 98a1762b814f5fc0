//! Questions that running turns have asked in their chats, and who may answer them.
//!
//! A question lives as long as the turn that asked it: it dies with the process, and a button that
//! is pressed later hears that it is over. How a question looks is `card`'s business, what an answer
//! means the turn's.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use larkline_proto::id::OpenId;
use larkline_proto::markdown::Part;
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

/// Characters of a button that are said again.
const LABEL_CHARS_MAX: usize = 100;
/// Questions that may be open together; more turns do not run at once.
const OPEN_MAX: usize = 4096;

/// The questions that wait for an answer.
#[derive(Debug, Default)]
pub struct Asks {
    open: Mutex<HashMap<String, Open>>,
}

#[derive(Debug)]
struct Open {
    people: Vec<OpenId>,
    look: Look,
    answer: oneshot::Sender<Given>,
}

/// What is to be asked, before it is known how much of it a card holds.
#[derive(Clone, Debug)]
pub struct Wording {
    /// Its head.
    pub title: String,
    /// What it is about, Markdown of any length.
    pub body: String,
    /// What its buttons say.
    pub labels: Vec<String>,
}

/// What a question says, to be said again with its answer.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// Its head.
    pub title: String,
    /// What it is about, or the end of that when it begins in messages before.
    pub body: Option<Part>,
    /// What its buttons say.
    pub labels: Vec<String>,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The number of the button.
    pub choice: usize,
    /// Who pressed it.
    pub by: OpenId,
}

/// A question that was asked. Dropping it closes it.
#[derive(Debug)]
#[must_use = "dropping it closes the question"]
pub struct Asked {
    asks: Arc<Asks>,
    /// Its id, in the buttons' values.
    pub id: String,
    /// The answer.
    pub answer: oneshot::Receiver<Given>,
}

/// What a pressed button led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Pressed {
    /// It answered the question; how the card looks from now on.
    Taken(Value, usize),
    /// This person may not answer.
    NotYours,
    /// The question is answered, taken back or forgotten.
    Over,
}

impl Asks {
    /// Opens a question to `people`; `None` when too many are open.
    pub fn open(self: &Arc<Self>, people: Vec<OpenId>, look: Look) -> Option<Asked> {
        let id = Uuid::now_v7().simple().to_string();
        let (answer, receiver) = oneshot::channel();
        let mut open = self.lock();
        if open.len() >= OPEN_MAX {
            return None;
        }
        open.insert(id.clone(), Open { people, look, answer });
        Some(Asked { asks: Arc::clone(self), id, answer: receiver })
    }

    /// Somebody pressed a button.
    pub fn press(&self, id: &str, choice: usize, by: &OpenId) -> Pressed {
        let mut open = self.lock();
        let Some(question) = open.get(id) else { return Pressed::Over };
        if !question.people.contains(by) {
            return Pressed::NotYours;
        }
        let Some(label) = question.look.labels.get(choice).cloned() else { return Pressed::Over };
        let Some(question) = open.remove(id) else { return Pressed::Over };
        drop(open);
        let Open { look, answer, .. } = question;
        match answer.send(Given { choice, by: by.clone() }) {
            Ok(()) => {
                let who = format!("<at id={by}></at>");
                // What a button says may be the agent's words.
                let label = larkline_proto::markdown::growing(&label, LABEL_CHARS_MAX);
                let result = format!("**{label}** · {who}");
                Pressed::Taken(
                    crate::card::settled(&look.title, look.body.as_ref(), &result),
                    choice,
                )
            }
            Err(_) => Pressed::Over,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.asks.lock().remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks() -> (Arc<Asks>, OpenId) {
        (Arc::default(), OpenId::new("ou_owner"))
    }

    fn look() -> Look {
        Look { title: "t".into(), body: None, labels: vec!["yes".into(), "no".into()] }
    }

    #[test]
    fn the_first_press_of_an_allowed_person_counts() {
        let (asks, owner) = asks();
        let mut asked = asks.open(vec![owner.clone()], look()).unwrap();
        assert_eq!(asks.press(&asked.id, 0, &OpenId::new("ou_stranger")), Pressed::NotYours);
        assert_eq!(asks.press(&asked.id, 7, &owner), Pressed::Over);
        assert!(matches!(asks.press(&asked.id, 1, &owner), Pressed::Taken(_, 1)));
        assert_eq!(asks.press(&asked.id, 0, &owner), Pressed::Over);
        assert_eq!(asked.answer.try_recv().unwrap(), Given { choice: 1, by: owner });
    }

    #[test]
    fn a_question_ends_with_its_turn() {
        let (asks, owner) = asks();
        let asked = asks.open(vec![owner.clone()], look()).unwrap();
        let id = asked.id.clone();
        drop(asked);
        assert_eq!(asks.press(&id, 0, &owner), Pressed::Over);
    }
}
