//! The messages kept, and the news of them for whoever watches.
//!
//! Nobody can change a message without this knowing: a page that watches is told which ones
//! changed since it last looked, and reads them again. So a change that is seen twice does no
//! harm, and one that is missed is impossible while the list of news reaches back.

use std::collections::{HashMap, VecDeque};

use larkline_proto::id::{ChatId, MessageId};

use crate::world::Message;

/// News kept: a page that was away for longer than so many changes reads everything anew.
const NEWS_MAX: usize = 8_192;

/// Messages in the order in which they were written.
#[derive(Default)]
pub(crate) struct Messages {
    kept: HashMap<MessageId, Message>,
    order: VecDeque<MessageId>,
    news: News,
}

impl Messages {
    pub(crate) fn get(&self, id: &MessageId) -> Option<&Message> {
        self.kept.get(id)
    }

    /// The message, to be changed.
    pub(crate) fn get_mut(&mut self, id: &MessageId) -> Option<&mut Message> {
        let message = self.kept.get_mut(id)?;
        self.news.add(id);
        Some(message)
    }

    /// Puts a changed message in the place of the old one.
    pub(crate) fn insert(&mut self, id: MessageId, message: Message) {
        self.news.add(&id);
        self.kept.insert(id, message);
    }

    /// Keeps a new message; the oldest goes when there are too many.
    pub(crate) fn keep(&mut self, message: Message, rows_max: usize) {
        if self.order.len() >= rows_max
            && let Some(oldest) = self.order.pop_front()
        {
            self.kept.remove(&oldest);
        }
        self.order.push_back(message.id.clone());
        self.insert(message.id.clone(), message);
    }

    /// Every message, in no order.
    pub(crate) fn values(&self) -> impl Iterator<Item = &Message> {
        self.kept.values()
    }

    /// Oldest at the front.
    pub(crate) fn in_order(&self) -> impl DoubleEndedIterator<Item = &Message> {
        self.order.iter().filter_map(|id| self.kept.get(id))
    }

    /// The messages of a chat, oldest at the front.
    pub(crate) fn of<'a>(&'a self, chat: &'a ChatId) -> impl Iterator<Item = &'a Message> + 'a {
        self.in_order().filter(move |m| &m.chat == chat)
    }

    /// Begins to collect news, if nobody asked for any so far, and says where they end.
    pub(crate) fn watch(&mut self) -> u64 {
        self.news.watched = true;
        self.news.end()
    }

    /// What changed since `after`, each message once, and where the news end now; `None` when
    /// that is too long ago.
    pub(crate) fn since(&self, after: u64) -> Option<(Vec<&Message>, u64)> {
        let skip = usize::try_from(after.checked_sub(self.news.begin)?).ok()?;
        if !self.news.watched || skip > self.news.ids.len() {
            return None;
        }
        let mut seen = std::collections::HashSet::new();
        let mut changed: Vec<_> = self
            .news
            .ids
            .iter()
            .skip(skip)
            .rev()
            .filter(|id| seen.insert(*id))
            .filter_map(|id| self.kept.get(id))
            .collect();
        changed.reverse();
        Some((changed, self.news.end()))
    }
}

/// Which messages changed, in order; numbered from the simulator's start.
#[derive(Default)]
struct News {
    ids: VecDeque<MessageId>,
    begin: u64,
    /// Without a reader nothing is collected: a simulator under load has none.
    watched: bool,
}

impl News {
    fn add(&mut self, id: &MessageId) {
        if !self.watched {
            return;
        }
        if self.ids.len() >= NEWS_MAX {
            self.ids.pop_front();
            self.begin += 1;
        }
        self.ids.push_back(id.clone());
    }

    fn end(&self) -> u64 {
        self.begin + self.ids.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SimOptions;
    use crate::talk::Say;
    use crate::world::World;

    fn said(world: &mut World, text: &str) -> MessageId {
        let user = match world.users.first() {
            Some(user) => user.open_ids[0].clone(),
            None => {
                let user = world.add_user("Lin");
                world.user(user).open_ids[0].clone()
            }
        };
        world.say(1, Say { user, text: text.to_owned(), ..Say::default() }).unwrap().message_id
    }

    fn ids(news: Option<(Vec<&Message>, u64)>) -> Vec<MessageId> {
        news.unwrap().0.iter().map(|m| m.id.clone()).collect()
    }

    #[test]
    fn every_change_is_news_and_each_message_is_told_once() {
        let mut world = World::new(SimOptions::default(), false);
        let old = said(&mut world, "before anybody watched");
        let start = world.messages.watch();
        assert!(ids(world.messages.since(start)).is_empty());
        let new = said(&mut world, "now");
        world.recall_by_user(2, &old).unwrap();
        world.recall_by_user(3, &new).unwrap();
        assert_eq!(ids(world.messages.since(start)), [old.clone(), new.clone()]);
        assert_eq!(ids(world.messages.since(start + 2)), [new]);
    }

    #[test]
    fn news_are_bounded_and_say_so_when_they_do_not_reach_back() {
        let mut world = World::new(SimOptions::default(), false);
        let id = said(&mut world, "often changed");
        let start = world.messages.watch();
        for _ in 0..=NEWS_MAX {
            assert!(world.messages.get_mut(&id).is_some());
        }
        assert!(world.messages.since(start).is_none());
        assert!(world.messages.since(start + NEWS_MAX as u64 + 2).is_none(), "from the future");
        assert_eq!(world.messages.news.ids.len(), NEWS_MAX);
        assert_eq!(ids(world.messages.since(start + 1)), [id]);
    }
}
