//! Does the link hear? Proofs of rising strength, and the weakest that fails names the state.
//!
//! | proof | says | asked |
//! |---|---|---|
//! | `pong` | the server answers on this connection | always, on the link itself, free |
//! | `count` | the platform counts our connection | see `schedule` |
//! | `history` | what people wrote in a known chat is in our journal | as `count`, not at the start |
//!
//! An event that arrives after a failure is stronger than all of them and ends it.

mod history;
mod repair;
mod rhythm;
pub mod schedule;
mod watch;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use larkline_client::link::LinkStatus;
use serde::{Deserialize, Serialize};

use crate::both::{Both, told_in};
use crate::say_in;
use crate::words::{self, Lang};

pub use repair::{handle, is_read_back, wanted};
pub use watch::ProofWatch;

/// How a proof stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It holds.
    Holds,
    /// It fails.
    Fails,
    /// It was not asked for, or cannot be.
    Unknown,
}

/// One proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// `pong`, `count` or `history`.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
    /// As of when, Unix ms.
    pub at_ms: Option<i64>,
    /// What was seen.
    pub detail: String,
    /// The same in Chinese, for a client that speaks it; an older gateway does not tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail_zh: String,
}

impl Proof {
    fn new(name: &str, standing: Standing, at_ms: Option<i64>, seen: Both) -> Self {
        let (detail, detail_zh) = (seen.en.into_owned(), seen.zh.into_owned());
        Self { name: name.to_owned(), standing, at_ms, detail, detail_zh }
    }

    /// What was seen, for people.
    pub fn detail(&self, lang: Lang) -> &str {
        told_in(lang, &self.detail_zh, &self.detail)
    }
}

/// What the platform was last asked for, of one app.
#[derive(Debug, Default)]
pub struct Proofs {
    told: Mutex<Told>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    count: Option<Proof>,
    history: Option<Proof>,
    unusual: Duration,
    is_learnt: bool,
    repaired: u64,
}

impl Proofs {
    fn set(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The silence that is unusual for the app, in ms, and whether that was learnt from its habits.
    pub fn unusual(&self) -> (u64, bool) {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        (u64::try_from(told.unusual.as_millis()).unwrap_or(u64::MAX), told.is_learnt)
    }

    /// Messages that were read back since the start.
    pub fn repaired(&self) -> u64 {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).repaired
    }

    /// All proofs, the weakest in front.
    pub fn list(&self, link: &LinkStatus) -> Vec<Proof> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let pong = match (link.is_verified(), link.last_pong_at_ms) {
            (true, at) => {
                let seen = Both::of("服务器有应答", "the server answers");
                Proof::new("pong", Standing::Holds, at, seen)
            }
            (false, at) => {
                let state = link.state.to_string();
                let seen = Both::each(|lang| {
                    let state = words::link_state(lang, &state);
                    say_in!(lang, zh: "连接{state}", en: "the link is {state}")
                });
                Proof::new("pong", Standing::Fails, at, seen)
            }
        };
        let asked = |name: &str, told: Option<Proof>| {
            let not_asked = Both::of("还没有询问", "not asked");
            let proof =
                told.unwrap_or_else(|| Proof::new(name, Standing::Unknown, None, not_asked));
            superseded(proof, link.last_event_at_ms)
        };
        vec![pong, asked("count", told.count), asked("history", told.history)]
    }
}

/// A failure that an event came after is over.
fn superseded(proof: Proof, last_event_at_ms: Option<i64>) -> Proof {
    match (proof.standing, last_event_at_ms) {
        (Standing::Fails, Some(event)) if proof.at_ms.is_some_and(|at| event > at) => {
            let seen = Both::of("此后收到过事件", "an event came since");
            Proof::new(&proof.name, Standing::Holds, Some(event), seen)
        }
        _ => proof,
    }
}

/// The weakest proof that fails.
pub fn weakest_failing(proofs: &[Proof]) -> Option<&Proof> {
    proofs.iter().find(|proof| proof.standing == Standing::Fails)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weakest_failing_proof_is_named_and_an_event_ends_a_failure() {
        let proof = |name, standing, at| Proof::new(name, standing, Some(at), Both::NOTHING);
        let proofs = [
            proof("pong", Standing::Holds, 9),
            proof("count", Standing::Fails, 5),
            proof("history", Standing::Fails, 5),
        ];
        assert_eq!(weakest_failing(&proofs).map(|p| p.name.as_str()), Some("count"));
        assert_eq!(weakest_failing(&proofs[..1]), None);
        let before = superseded(proofs[1].clone(), Some(4));
        assert_eq!(before.standing, Standing::Fails, "that event was heard before the failure");
        assert_eq!(superseded(proofs[1].clone(), Some(6)).standing, Standing::Holds);
    }
}
