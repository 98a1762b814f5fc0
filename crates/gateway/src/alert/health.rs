//! What workers see in passing and alerts are made of: how handlers end, what the platform says of
//! the quota, who uses too much.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::pressure::Subject;

/// The platform's code for a month's calls that are used up.
const QUOTA: &str = "99991403";
/// How a child is ended that used too much.
const OVER_LIMIT: [&str; 4] = ["memory", "processes", "output_too_large", "output"];
/// Ends that say nothing about the handler.
const NOT_ITS_FAULT: [&str; 4] = ["cancelled", "interrupted", "stopped", "steered"];
/// Ends of a handler that did what it was asked, or said why it does not.
const WELL: [&str; 4] = ["ok", "later", "refused", "limit"];

/// What was seen in passing.
#[derive(Debug, Default)]
pub struct Health {
    seen: Mutex<Seen>,
}

/// What was seen, as of a moment.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// By handler.
    pub handlers: BTreeMap<String, HandlerHealth>,
    /// By app: whether the last call was refused because the month's calls are used up.
    pub quota_used_up: BTreeMap<String, bool>,
    /// Who uses too much, value and limit.
    pub pressure: BTreeMap<Subject, (u64, u64)>,
}

/// How a handler's last attempts ended.
#[derive(Clone, Debug, Default)]
pub struct HandlerHealth {
    /// Failures in a row.
    pub failures: u32,
    /// It succeeded in this run, so that fewer failures than there were before a restart say something.
    pub succeeded: bool,
    /// The last failure's code.
    pub code: String,
    /// When a child of it last used too much, Unix ms, and of what.
    pub over_limit: Option<(i64, String)>,
}

impl Health {
    /// An attempt of a handler ended, with this word: a failure's code, or how a turn ended that has
    /// an answer all the same.
    pub fn attempt(&self, handler: &str, word: &str, now_ms: i64) {
        let mut seen = self.lock();
        let health = seen.handlers.entry(handler.to_owned()).or_default();
        match word {
            word if WELL.contains(&word) => (health.failures, health.succeeded) = (0, true),
            word if NOT_ITS_FAULT.contains(&word) => {}
            code => {
                health.failures = health.failures.saturating_add(1);
                code.clone_into(&mut health.code);
                if OVER_LIMIT.contains(&code) {
                    health.over_limit = Some((now_ms, code.to_owned()));
                }
            }
        }
    }

    /// A call of the platform's API ended with this code.
    pub fn call(&self, app: &str, code: &str) {
        let used_up = match code {
            QUOTA => true,
            "0" => false,
            _ => return,
        };
        let mut seen = self.lock();
        match seen.quota_used_up.get_mut(app) {
            Some(known) => *known = used_up,
            None => drop(seen.quota_used_up.insert(app.to_owned(), used_up)),
        }
    }

    /// Who uses too much now.
    pub fn pressure(&self, raised: BTreeMap<Subject, (u64, u64)>) {
        self.lock().pressure = raised;
    }

    /// All of it, as of now.
    pub fn seen(&self, now_ms: i64) -> Seen {
        let mut seen = self.lock();
        // A clock that was set back shall not hold anything up.
        let over_limit = seen.handlers.values_mut().filter_map(|health| health.over_limit.as_mut());
        over_limit.for_each(|(at_ms, _)| *at_ms = now_ms.min(*at_ms));
        seen.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_in_a_row_and_a_stop_is_none() {
        let health = Health::default();
        let failures = || health.seen(9).handlers["work"].failures;
        for code in ["exit", "cancelled", "stopped", "memory"] {
            health.attempt("work", code, 7);
        }
        assert_eq!(failures(), 2);
        health.attempt("work", "refused", 8);
        assert_eq!(failures(), 0);
        let over = |now_ms| health.seen(now_ms).handlers["work"].over_limit.clone();
        assert_eq!(over(9), Some((7, "memory".to_owned())));
        assert_eq!(over(5), Some((5, "memory".to_owned())), "a clock that was set back");
        assert_eq!(over(9), over(5));
    }

    #[test]
    fn the_quota_is_used_up_until_a_call_succeeds() {
        let health = Health::default();
        let used_up = || health.seen(0).quota_used_up.get("main").copied();
        for (code, expected) in
            [("230002", None), (QUOTA, Some(true)), ("500", Some(true)), ("0", Some(false))]
        {
            health.call("main", code);
            assert_eq!(used_up(), expected, "{code}");
        }
    }
}
