//! People who talk to every kind of handler at the same time.

use std::time::Duration;

use larkline_proto::id::OpenId;
use larkline_sim::{Attachment, Ledger, Limits, Press, Said, Say, SimOptions};
use serde_json::json;
use tokio::task::JoinSet;

use super::WEEK;
use super::service::{SECRET, Service};
use crate::rig::{LARKLINE, Rig};

/// What a chat's messages lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The same words.
    Echo,
    /// The same, in a group.
    Group,
    /// The same, about a file.
    File,
    /// A program that may run again.
    Work,
    /// A program that runs at most once.
    Once,
    /// A coding agent, in a card that grows.
    Agent,
    /// A service that answers at once.
    Now,
    /// A service that answers later.
    Later,
    /// A service that promises an answer and never gives it.
    Never,
}

/// Every kind that is part of the common load, and how many chats of it there are.
const LOAD: [(Kind, usize); 8] = [
    (Kind::Echo, 3),
    (Kind::Group, 1),
    (Kind::File, 1),
    (Kind::Work, 2),
    (Kind::Once, 2),
    (Kind::Agent, 1),
    (Kind::Now, 1),
    (Kind::Later, 1),
];

/// A message, and what was being done to the gateway when it was written.
pub(super) struct Message {
    pub(super) said: Said,
    pub(super) words: String,
    pub(super) during: String,
}

/// One conversation.
pub(super) struct Chat {
    pub(super) kind: Kind,
    pub(super) who: OpenId,
    pub(super) said: Vec<Message>,
}

/// A rig, its people, and the service they reach through it.
pub(super) struct Town {
    pub(super) rig: Rig,
    pub(super) chats: Vec<Chat>,
    pub(super) presses: JoinSet<()>,
    /// Time has passed, and old rows may be gone from the gateway's books.
    pub(super) aged: bool,
    presser: OpenId,
    service: Service,
    written: usize,
    skew: Duration,
}

impl Town {
    /// Builds it with no gateway yet; `more` is added to the configuration.
    pub(super) async fn new(limits: Limits, more: &str) -> Self {
        let redelivery = vec![Duration::from_millis(300); 400];
        // Addresses of our own: no other process takes a port of theirs while nobody has it, and
        // no gateway of another test looks for its platform there.
        let home: [u8; 3] = std::array::from_fn(|_| fastrand::u8(1..255));
        let home = std::net::Ipv4Addr::new(127, home[0], home[1], home[2]);
        let options = SimOptions {
            listen: (home, 0).into(),
            redelivery,
            limits,
            // A connection that died unseen gets its share of the events until then.
            ack_timeout: Duration::from_secs(1),
            idle_timeout: Duration::from_secs(10),
            ..SimOptions::default()
        };
        let rig = Rig::with(options, "").await;
        let mut chats = Vec::new();
        for (kind, count) in LOAD.into_iter().chain([(Kind::Never, 1)]) {
            for n in 0..count {
                let who = if kind == Kind::Group {
                    rig.owner.clone()
                } else {
                    rig.sim.platform().add_user(&format!("{kind:?} {n}"))
                };
                chats.push(Chat { kind, who, said: Vec::new() });
            }
        }
        let presser = rig.sim.platform().add_user("presser");
        let service = Service::start(rig.path("clock")).await;
        let mut town = Self {
            rig,
            chats,
            presses: JoinSet::new(),
            presser,
            aged: false,
            service,
            written: 0,
            skew: Duration::ZERO,
        };
        town.rig.env.insert("LARKLINE_CLOCK", town.rig.path("clock").display().to_string());
        town.rig.env.insert("TEST_HOOK_SECRET", SECRET.to_owned());
        town.configure(more, home);
        town
    }

    fn configure(&self, more: &str, home: std::net::Ipv4Addr) {
        let mut text = format!("{more}\n[server]\nhttp = \"{home}:7007\"\n\n{HANDLERS}")
            .replace("{service}", &self.service.url)
            .replace("{larkline}", LARKLINE)
            .replace("{presser}", self.presser.as_str());
        for (word, kinds) in [
            ("{work}", &[Kind::Work][..]),
            ("{once}", &[Kind::Once]),
            ("{agent}", &[Kind::Agent]),
            ("{soon}", &[Kind::Now, Kind::Later]),
            ("{never}", &[Kind::Never]),
        ] {
            let who = self.chats.iter().filter(|chat| kinds.contains(&chat.kind));
            let who: Vec<String> = who.map(|chat| format!("\"{}\"", chat.who)).collect();
            text = text.replace(word, &who.join(", "));
        }
        self.rig.script("work", "echo \"done $LARKLINE_MESSAGE_ID\"");
        self.rig.script(
            "once",
            "echo \"$LARKLINE_MESSAGE_ID\" >> once.runs; echo \"done $LARKLINE_MESSAGE_ID\"",
        );
        self.rig.script("button", "echo '{\"callback\":{\"toast\":{\"content\":\"seen\"}}}'");
        self.rig.configure(&text);
    }

    /// Lets the gateway's wall clock jump forward.
    pub(super) fn pass(&mut self, time: Duration) {
        self.set_clock(self.skew + time);
    }

    /// Sets the gateway's wall clock back, at most to the true time.
    pub(super) fn set_back(&mut self, time: Duration) {
        self.set_clock(self.skew.saturating_sub(time));
    }

    fn set_clock(&mut self, skew: Duration) {
        self.skew = skew;
        // As long as the gateway keeps them by default.
        self.aged |= skew >= WEEK;
        // Renamed into place: the gateway may read at any moment.
        std::fs::write(self.rig.path("clock.new"), self.skew.as_millis().to_string()).unwrap();
        std::fs::rename(self.rig.path("clock.new"), self.rig.path("clock")).unwrap();
    }

    /// Everybody writes one message and somebody presses a button.
    pub(super) fn wave(&mut self, during: &str) {
        self.write(during, |kind| kind != Kind::Never);
        let platform = std::sync::Arc::clone(self.rig.sim.platform());
        let chat = platform.p2p(&self.presser).unwrap();
        let value = json!({ "n": self.written });
        let press = Press { user: self.presser.clone(), chat, value, ..Press::default() };
        // What the presser sees when the gateway dies is an error, and allowed.
        self.presses.spawn(async move { drop(platform.press(press).await) });
    }

    /// Those whose chats are chosen write one message each; but nobody before the platform is
    /// rid of his last one: it redelivers each by its own clock, in no order.
    pub(super) fn write(&mut self, during: &str, chosen: impl Fn(Kind) -> bool) {
        let ledger = self.rig.sim.platform().ledger();
        let heard = |chat: &Chat| {
            let newest = chat.said.last().map(|message| &message.said.event_id);
            newest.is_none_or(|id| ledger.event(id).is_some_and(|event| event.done))
        };
        let ready = |chat: &&mut Chat| chosen(chat.kind) && heard(chat);
        for chat in self.chats.iter_mut().filter(ready) {
            self.written += 1;
            // The service reads from it what it shall do.
            let words = format!("{:?} {}", chat.kind, self.written);
            let mut say = Say { user: chat.who.clone(), text: words.clone(), ..Say::default() };
            if chat.kind == Kind::Group {
                (say.chat, say.mention_bot) = (self.rig.group.clone(), true);
            }
            if chat.kind == Kind::File {
                let (name, bytes) = (format!("{words}.txt"), words.clone().into_bytes());
                say.attachment = Some(Attachment { name, image: false, bytes });
            }
            let said = self.rig.write(say);
            chat.said.push(Message { said, words, during: during.to_owned() });
        }
    }

    /// All messages so far.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&Chat, &Message)> {
        self.chats.iter().flat_map(|chat| chat.said.iter().map(move |message| (chat, message)))
    }

    /// The newest message of each chat, as a condition on the ledger: acked.
    pub(super) fn newest_acked(&self) -> impl Fn(&Ledger) -> bool + use<> {
        let newest: Vec<_> = self
            .chats
            .iter()
            .filter_map(|chat| Some(chat.said.last()?.said.event_id.clone()))
            .collect();
        move |ledger| newest.iter().all(|id| ledger.event(id).is_some_and(|event| event.done))
    }
}

/// Every kind of handler; the rest of the file is the rig's.
const HANDLERS: &str = r#"
[[route]]
name = "buttons"
events = ["card.action.trigger"]
senders = ["{presser}"]
handler = "button"

[[route]]
name = "work"
senders = [{work}]
handler = "work"

[[route]]
name = "once"
senders = [{once}]
handler = "once"

[[route]]
name = "agent"
senders = [{agent}]
handler = "agent"

[[route]]
name = "soon"
senders = [{soon}]
handler = "soon"

[[route]]
name = "never"
senders = [{never}]
handler = "never"

[[route]]
name = "rest"
senders = "everyone"
handler = "echo"

[handler.echo]
kind = "echo"

[handler.button]
kind = "command"
argv = ["{dir}/button"]
output = "json"
retry = { attempts = 20, first = "100ms", factor = 1 }

[handler.work]
kind = "command"
argv = ["{dir}/work"]
retry = { attempts = 20, first = "100ms", factor = 1 }

[handler.once]
kind = "command"
argv = ["{dir}/once"]
cwd = "{dir}"
retry = { attempts = 1 }

[handler.agent]
kind = "agent"
agent = "claude"
argv = ["{larkline}", "scripted-agent"]
retry = { attempts = 20, first = "100ms", factor = 1 }

[handler.soon]
kind = "http"
url = "{service}"
secret = { env = "TEST_HOOK_SECRET" }
allow_private = true
reply_within = "24h"
retry = { attempts = 20, first = "100ms", factor = 1 }

[handler.never]
kind = "http"
reaction = "Get"
url = "{service}"
secret = { env = "TEST_HOOK_SECRET" }
allow_private = true
reply_within = "1s"
retry = { attempts = 20, first = "100ms", factor = 1 }
"#;
