//! Which late messages have an alert of their own: so many at once, and not one after the other as each
//! makes room. The rest are one alert together.

use std::collections::BTreeSet;

use super::engine::Reading;
use super::rule::Rule;
use super::sources::bad;
use crate::say_in;
use crate::unanswered::UnansweredMessage;

/// Late messages that are named one by one.
const NAMED_MAX: usize = 10;
/// Whom the alert of the rest is about.
pub(super) const OTHERS: &str = "others";

/// Late messages, as they were first seen.
#[derive(Debug, Default)]
pub(super) struct Late {
    named: BTreeSet<String>,
    others: BTreeSet<String>,
}

impl Late {
    /// The readings of what is late, oldest first. What has an alert that is `open`, of a run before
    /// too, keeps it.
    pub(super) fn readings(
        &mut self,
        late: &[UnansweredMessage],
        open: &BTreeSet<String>,
    ) -> Vec<Reading> {
        let subjects: BTreeSet<String> = late.iter().map(subject).collect();
        self.named.retain(|it| subjects.contains(it));
        self.named.extend(subjects.intersection(open).cloned());
        self.others.retain(|it| subjects.contains(it) && !self.named.contains(it));
        for subject in late.iter().map(subject) {
            if self.named.contains(&subject) || self.others.contains(&subject) {
                continue;
            }
            let is_named = self.named.len() < NAMED_MAX;
            if is_named { &mut self.named } else { &mut self.others }.insert(subject);
        }
        let named = late.iter().filter(|message| self.named.contains(&subject(message)));
        let mut readings: Vec<Reading> = named.map(of_one).collect();
        let many = self.others.len();
        if many > 0 {
            let reading = bad(Rule::Unanswered, OTHERS, |lang| {
                say_in!(lang,
                    zh: "除已逐条告警的之外，还有 {many} 条消息没有答复",
                    en: "messages that are unanswered besides those named one by one: {many}"
                )
            });
            let level = u64::try_from(many).unwrap_or(u64::MAX);
            readings.push(Reading { level, ..reading });
        }
        readings
    }
}

fn subject(message: &UnansweredMessage) -> String {
    format!("{}/{}", message.app, message.message_id)
}

fn of_one(late: &UnansweredMessage) -> Reading {
    let (chat, message) = (&late.chat_id, &late.message_id);
    bad(Rule::Unanswered, &subject(late), |lang| {
        say_in!(lang,
            zh: "会话 {chat} 的消息 {message} 还没有答复，进展：{stage}",
            en: "message {message} in chat {chat} is unanswered; stage: {stage}",
            stage = late.stage(lang)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(numbers: impl Iterator<Item = usize>) -> Vec<UnansweredMessage> {
        let message = |n| UnansweredMessage {
            app: "main".to_owned(),
            chat_id: "oc_1".to_owned(),
            message_id: format!("om_{n:02}"),
            event_id: String::new(),
            received_ms: 0,
            stage: "waits".to_owned(),
            stage_zh: String::new(),
        };
        numbers.map(message).collect()
    }

    fn subjects(readings: &[Reading]) -> Vec<&str> {
        readings.iter().map(|reading| reading.subject.as_str()).collect()
    }

    #[test]
    fn ten_are_named_and_none_of_the_rest_because_one_of_them_has_its_end() {
        let (mut seen, open) = (Late::default(), BTreeSet::new());
        let first = seen.readings(&late(0..60), &open);
        assert_eq!(first.len(), NAMED_MAX + 1);
        assert_eq!(subjects(&first)[9..], ["main/om_09", OTHERS]);
        assert_eq!(first[10].level, 50);
        let fewer = seen.readings(&late(8..60), &open);
        assert_eq!(subjects(&fewer), ["main/om_08", "main/om_09", OTHERS]);
        let new = seen.readings(&late((50..60).chain([70])), &open);
        assert_eq!(subjects(&new), ["main/om_70", OTHERS], "there is room for a new one");
        assert!(seen.readings(&[], &open).is_empty());
    }

    #[test]
    fn what_was_named_before_a_restart_is_named_after_it() {
        let open = BTreeSet::from(["main/om_30".to_owned(), "main/om_99".to_owned()]);
        let readings = Late::default().readings(&late(0..60), &open);
        let named = subjects(&readings);
        assert!(named.contains(&"main/om_30") && !named.contains(&"main/om_99"), "{named:?}");
        assert_eq!(readings.len(), NAMED_MAX + 1);
    }
}
