//! Who spoke how much lately: the limit on one person, and the guard against bots that answer
//! each other for ever. Pure; the counts die with the process.

use std::collections::HashMap;
use std::time::Duration;

use larkline_proto::id::{ChatId, OpenId};
use larkline_proto::rate::{Nanos, Rate, Ready, Window, nanos};

/// Period of the inbound limit, and so of its notice.
const PERIOD: Duration = Duration::from_secs(60);
/// Messages of bots in a row, without a person in between, that a chat may bring: enough for
/// a chain of bots, too few for a loop to cost anything.
pub const BOT_TURNS_MAX: u32 = 10;
/// A chat in which no bot was heard for so long starts over.
const BOT_QUIET: Duration = Duration::from_secs(3600);
/// A chat is told that the queue is long at most once in so long.
const CROWD_PERIOD: Duration = Duration::from_secs(600);
/// People or chats remembered before idle ones are swept.
const SWEEP: usize = 4096;

/// What was heard lately.
#[derive(Debug, Default)]
pub struct Inbound {
    people: HashMap<OpenId, Person>,
    bots: HashMap<ChatId, Streak>,
    crowds: HashMap<ChatId, Nanos>,
}

#[derive(Debug)]
struct Person {
    per_minute: u32,
    window: Window,
    told: Option<Nanos>,
}

#[derive(Debug)]
struct Streak {
    turns: u32,
    last: Nanos,
}

impl Inbound {
    /// Counts a message of a person; `false` when it is over `per_minute`.
    pub fn within(&mut self, who: &OpenId, per_minute: Option<u32>, now: Nanos) -> bool {
        let Some((limit, rate)) = per_minute.and_then(|n| Some((n, Rate::new(n, PERIOD).ok()?)))
        else {
            return true;
        };
        if self.people.len() >= SWEEP {
            self.people.retain(|_, p| !p.window.is_idle(now));
        }
        let fresh = || Person { per_minute: limit, window: Window::new(rate), told: None };
        let person = self.people.entry(who.clone()).or_insert_with(fresh);
        if person.per_minute != limit {
            *person = Person { told: person.told, ..fresh() };
        }
        let within = person.window.ready(now) == Ready::Now;
        if within {
            person.window.take(now);
            person.window.complete(now);
        }
        within
    }

    /// True when a person over the limit is to be told: once in any period.
    pub fn tell(&mut self, who: &OpenId, now: Nanos) -> bool {
        let Some(person) = self.people.get_mut(who) else { return false };
        let due = person.told.is_none_or(|at| at.saturating_add(nanos(PERIOD)) <= now);
        if due {
            person.told = Some(now);
        }
        due
    }

    /// True when a chat is to be told that its message has to wait: once in a while.
    pub fn tell_crowd(&mut self, chat: &ChatId, now: Nanos) -> bool {
        let quiet = |at: Nanos| at.saturating_add(nanos(CROWD_PERIOD)) <= now;
        if self.crowds.len() >= SWEEP {
            self.crowds.retain(|_, at| !quiet(*at));
        }
        let due = self.crowds.get(chat).is_none_or(|at| quiet(*at));
        if due {
            self.crowds.insert(chat.clone(), now);
        }
        due
    }

    /// A person spoke: whatever bots said before is no loop.
    pub fn person_spoke(&mut self, chat: &ChatId) {
        self.bots.remove(chat);
    }

    /// Counts a message of a bot; `false` when too many came without a person in between.
    pub fn bot_may_speak(&mut self, chat: &ChatId, now: Nanos) -> bool {
        let quiet = |s: &Streak| s.last.saturating_add(nanos(BOT_QUIET)) <= now;
        if self.bots.len() >= SWEEP {
            self.bots.retain(|_, s| !quiet(s));
        }
        let streak = self.bots.entry(chat.clone()).or_insert(Streak { turns: 0, last: now });
        if quiet(streak) {
            streak.turns = 0;
        }
        streak.turns = streak.turns.saturating_add(1);
        streak.last = now;
        streak.turns <= BOT_TURNS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Nanos = 1_000_000_000;

    #[test]
    fn a_person_over_the_limit_is_told_once_in_a_period_however_the_messages_fall() {
        let (mut inbound, who) = (Inbound::default(), OpenId::new("ou_1"));
        let (mut heard, mut told) = (Vec::new(), Vec::new());
        for second in [0, 10, 20, 30, 40, 41, 42, 61, 62, 101, 102, 103, 104, 105, 106] {
            let now = second * SECOND;
            if inbound.within(&who, Some(5), now) {
                heard.push(second);
            } else if inbound.tell(&who, now) {
                told.push(second);
            }
        }
        assert_eq!(heard, [0, 10, 20, 30, 40, 61, 101, 102, 103, 104]);
        assert_eq!(told, [41, 105], "message 62 is refused within the notice's period");
    }

    #[test]
    fn a_changed_limit_holds_for_known_people_too() {
        let (mut inbound, who) = (Inbound::default(), OpenId::new("ou_1"));
        assert!(inbound.within(&who, Some(1), 0));
        assert!(!inbound.within(&who, Some(1), 1));
        assert!(inbound.within(&who, Some(2), 2));
        assert!(inbound.within(&who, None, 3));
    }

    #[test]
    fn a_chat_is_told_of_a_long_queue_once_in_a_while() {
        let (mut inbound, chat) = (Inbound::default(), ChatId::new("oc_1"));
        let told: Vec<Nanos> = [0, 1, 599, 600, 601]
            .into_iter()
            .filter(|s| inbound.tell_crowd(&chat, s * SECOND))
            .collect();
        assert_eq!(told, [0, 600]);
        assert!(inbound.tell_crowd(&ChatId::new("oc_2"), SECOND));
    }

    #[test]
    fn bots_that_answer_each_other_are_cut_off_until_a_person_speaks_or_quiet_returns() {
        let (mut inbound, chat) = (Inbound::default(), ChatId::new("oc_1"));
        let run = |inbound: &mut Inbound, from: Nanos| {
            (0..50).filter(|n| inbound.bot_may_speak(&chat, from + n)).count()
        };
        assert_eq!(run(&mut inbound, 0), 10);
        assert_eq!(run(&mut inbound, SECOND), 0);
        inbound.person_spoke(&chat);
        assert_eq!(run(&mut inbound, 2 * SECOND), 10);
        assert_eq!(run(&mut inbound, 3 * SECOND + nanos(BOT_QUIET)), 10);
    }
}
