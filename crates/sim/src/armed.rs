//! The faults in force: switches that are on, and armed faults with the occasions they have left.
//!
//! An armed fault may be tied to one connection, and may come by chance; the dice are seeded, so
//! that the same run meets the same faults.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::connection::ConnId;
use crate::fault::Fault;

/// Mixed into the seed, so that the dice of faults do not follow those of ids.
const DICE: u64 = 0x0066_6175_6c74_7300;

/// How payloads are cut into parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentRule {
    pub(crate) bytes: usize,
    pub(crate) shuffle: bool,
    pub(crate) duplicate: bool,
}

/// What happens to events while the connections seem to be well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deaf {
    /// They go to nobody.
    Lost,
    /// Another instance of the app takes them.
    Stolen,
}

/// Events of the recent past come again on a new connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replay {
    pub(crate) ms: u64,
    pub(crate) new_event_id: bool,
}

/// Whom an armed fault may hit, and how likely.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scope {
    pub(crate) conn: Option<ConnId>,
    pub(crate) probability: Option<f64>,
    pub(crate) times: Option<u32>,
}

#[derive(Debug)]
struct Armed {
    fault: Fault,
    left: u32,
    scope: Scope,
}

/// The faults in force.
#[derive(Debug)]
pub(crate) struct Faults {
    pub(crate) offline: bool,
    pub(crate) no_pong: bool,
    pub(crate) no_ws_pong: bool,
    pub(crate) fragment: Option<FragmentRule>,
    pub(crate) online_count: Option<u32>,
    pub(crate) clock_skew_s: i64,
    pub(crate) deaf: Option<Deaf>,
    /// Pushes that are held back until so many can change places.
    pub(crate) reorder: Option<usize>,
    pub(crate) replay: Option<Replay>,
    /// Calls left of the month's quota.
    pub(crate) quota: Option<u64>,
    /// Connections whose pings stay unanswered: protocol pings, WebSocket pings.
    pub(crate) no_pong_on: BTreeSet<ConnId>,
    pub(crate) no_ws_pong_on: BTreeSet<ConnId>,
    armed: Vec<Armed>,
    rng: fastrand::Rng,
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            offline: false,
            no_pong: false,
            no_ws_pong: false,
            fragment: None,
            online_count: None,
            clock_skew_s: 0,
            deaf: None,
            reorder: None,
            replay: None,
            quota: None,
            no_pong_on: BTreeSet::new(),
            no_ws_pong_on: BTreeSet::new(),
            armed: Vec::new(),
            rng: fastrand::Rng::with_seed(seed ^ DICE),
        }
    }

    /// Ends all of them; the dice go on.
    pub(crate) fn clear(&mut self) {
        let rng = self.rng.clone();
        *self = Self { rng, ..Self::new(0) };
    }

    /// Arms a fault for a number of occasions.
    pub(crate) fn arm(&mut self, fault: Fault, times: u32, scope: Scope) {
        if times > 0 {
            self.armed.push(Armed { fault, left: times, scope });
        }
    }

    /// True when a push or an ack may meet a fault: the ordinary path asks no more than this.
    pub(crate) fn touch_pushes(&self) -> bool {
        self.deaf.is_some() || self.reorder.is_some() || !self.armed.is_empty()
    }

    /// Uses up one occasion of the oldest armed fault that `pick` wants.
    pub(crate) fn take<T>(&mut self, pick: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        self.take_on(None, pick)
    }

    /// The same for an occasion on a connection: faults tied to another one stay armed.
    pub(crate) fn take_on<T>(
        &mut self,
        conn: Option<ConnId>,
        pick: impl Fn(&Fault) -> Option<T>,
    ) -> Option<T> {
        for index in 0..self.armed.len() {
            let Armed { fault, scope, .. } = &self.armed[index];
            if scope.conn.is_some() && scope.conn != conn {
                continue;
            }
            let probability = scope.probability;
            let Some(taken) = pick(fault) else { continue };
            if probability.is_some_and(|p| self.rng.f64() >= p) {
                continue;
            }
            let left = &mut self.armed[index].left;
            *left = left.saturating_sub(1);
            if *left == 0 {
                self.armed.remove(index);
            }
            return Some(taken);
        }
        None
    }

    /// What is in force now, for people.
    pub(crate) fn describe(&self) -> Value {
        let armed: Vec<_> = self
            .armed
            .iter()
            .map(|a| {
                let conn = a.scope.conn.map(|c| c.to_string());
                let probability = a.scope.probability;
                json!({"fault": a.fault, "left": a.left, "conn": conn, "probability": probability})
            })
            .collect();
        json!({
            "offline": self.offline,
            "no_pong": self.no_pong,
            "no_ws_pong": self.no_ws_pong,
            "fragment": self.fragment.map(|f| f.bytes),
            "deaf": self.deaf.is_some(),
            "reorder": self.reorder,
            "quota_left": self.quota,
            "armed": armed,
        })
    }

    /// Whether a fault of this sort strikes now.
    pub(crate) fn strikes(&mut self, conn: ConnId, sort: impl Fn(&Fault) -> bool) -> bool {
        self.take_on(Some(conn), |f| sort(f).then_some(())).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(faults: &mut Faults) -> usize {
        (0..1_000)
            .filter(|_| faults.strikes(ConnId(1), |f| matches!(f, Fault::DropAcks { .. })))
            .count()
    }

    #[test]
    fn chance_is_the_same_for_the_same_seed() {
        let scope = Scope { probability: Some(0.1), ..Scope::default() };
        let run = |seed| {
            let mut faults = Faults::new(seed);
            faults.arm(Fault::DropAcks { times: 1 }, u32::MAX, scope);
            dropped(&mut faults)
        };
        assert_eq!(run(7), run(7));
        assert!((50..200).contains(&run(7)), "{}", run(7));
    }

    #[test]
    fn a_fault_of_one_connection_does_not_hit_another() {
        let mut faults = Faults::new(1);
        let scope = Scope { conn: Some(ConnId(2)), ..Scope::default() };
        faults.arm(Fault::DropAcks { times: 1 }, 1, scope);
        assert_eq!(dropped(&mut faults), 0);
        assert!(faults.strikes(ConnId(2), |f| matches!(f, Fault::DropAcks { .. })));
        assert!(!faults.touch_pushes());
    }
}
