//! Who is there: apps, people, and the chats between them.

use std::collections::BTreeSet;

use larkline_proto::id::{ChatId, OpenId};

use crate::options::AppSpec;
use crate::world::{App, AppIx, Chat, ChatKind, User, UserIx, World};

impl World {
    /// Adds an app to the console; whoever is there gets an open id for it.
    pub(crate) fn add_app(&mut self, spec: AppSpec) -> AppIx {
        let ix = AppIx(self.apps.len());
        let app = App {
            spec,
            bot: OpenId::new(format!("ou_{}", self.hex(32))),
            service_id: self.rng.i32(1_000_000..i32::MAX),
            access_key: self.hex(32),
        };
        self.apps.push(app);
        for user in 0..self.users.len() {
            let id = OpenId::new(format!("ou_{}", self.hex(32)));
            self.by_open_id.insert(id.clone(), (UserIx(user), ix));
            self.users[user].open_ids.push(id);
        }
        ix
    }

    pub(crate) fn add_user(&mut self, name: &str) -> UserIx {
        let user = UserIx(self.users.len());
        let open_ids: Vec<_> =
            (0..self.apps.len()).map(|_| OpenId::new(format!("ou_{}", self.hex(32)))).collect();
        for (app, id) in open_ids.iter().enumerate() {
            self.by_open_id.insert(id.clone(), (user, AppIx(app)));
        }
        let union_id = format!("on_{}", self.hex(32));
        let user_id = self.hex(8);
        let name = name.to_owned();
        self.users.push(User { name, union_id, user_id, open_ids, available: true });
        user
    }

    pub(crate) fn add_group(&mut self, name: &str, members: Vec<UserIx>, topics: bool) -> ChatId {
        let bots = (0..self.apps.len()).map(AppIx).collect();
        let id = self.add_chat(ChatKind::Group, name, members, bots);
        if let Some(chat) = self.chats.get_mut(&id) {
            chat.topics = topics;
        }
        id
    }

    /// The direct chat of a user and an app, created when there is none.
    pub(crate) fn p2p(&mut self, user: UserIx, app: AppIx) -> ChatId {
        if let Some(known) = self.p2ps.get(&(user, app)) {
            return known.clone();
        }
        let kind = ChatKind::P2p { app, user };
        let id = self.add_chat(kind, "", vec![user], BTreeSet::from([app]));
        self.p2ps.insert((user, app), id.clone());
        id
    }

    fn add_chat(
        &mut self,
        kind: ChatKind,
        name: &str,
        members: Vec<UserIx>,
        bots: BTreeSet<AppIx>,
    ) -> ChatId {
        let id = ChatId::new(format!("oc_{}", self.hex(32)));
        let number = self.next_number();
        let name = name.to_owned();
        let chat = Chat {
            id: id.clone(),
            kind,
            name,
            members,
            bots,
            topics: false,
            muted: false,
            dissolved: false,
            number,
        };
        self.chats.insert(id.clone(), chat);
        id
    }
}
