//! What a configuration needs of its app in the developer console: scopes, events, callbacks, and what
//! is lost without each.
//!
//! Pure, and the one place that knows: `doctor` compares it with what is granted, `init` and
//! `doctor --fix` ask for it. Reference: open API, 5.3 and the scopes of each call. What the gateway
//! never calls (contacts, for one) is not asked for.

use std::collections::BTreeSet;

use larkline_proto::event::{CARD_ACTION, MESSAGE_RECEIVED, URL_PREVIEW};

use crate::config::{App, Config, Handler, Mention, Route};
use crate::words::Lang;

/// What kind of thing the console has to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A permission.
    Scope,
    /// A subscription.
    Event,
    /// A question of the platform's that waits for its answer.
    Callback,
}

/// One thing that a configuration needs.
#[derive(Clone, Debug)]
pub struct Need {
    /// What it is.
    pub kind: Kind,
    /// Whether something that is configured fails without it; otherwise it is worse, or slower.
    pub required: bool,
    names: Vec<String>,
    zh: String,
    en: String,
}

impl Need {
    /// The name to ask for.
    pub fn name(&self) -> &str {
        &self.names[0]
    }

    /// Whether what the app has is enough; any one of the names is.
    pub fn is_met_by(&self, has: &[String]) -> bool {
        self.names.iter().any(|name| has.iter().any(|h| h == name))
    }

    /// What cannot be done without it, as the end of "cannot …".
    pub fn lost(&self, lang: Lang) -> &str {
        lang.either(&self.zh, &self.en)
    }

    fn event(name: &str) -> Self {
        let kind = if is_callback(name) { Kind::Callback } else { Kind::Event };
        Self {
            kind,
            required: true,
            names: vec![name.to_owned()],
            zh: format!("收到 {name}"),
            en: format!("hear {name}"),
        }
    }
}

/// A scope, of which any one name is enough; the narrowest that does it is in front.
struct Scope {
    any_of: &'static [&'static str],
    zh: &'static str,
    en: &'static str,
}

impl Scope {
    fn need(&self, required: bool) -> Need {
        Need {
            kind: Kind::Scope,
            required,
            names: self.any_of.iter().map(|name| (*name).to_owned()).collect(),
            zh: self.zh.to_owned(),
            en: self.en.to_owned(),
        }
    }
}

const SEND: Scope = Scope {
    any_of: &["im:message:send_as_bot", "im:message", "im:message:send"],
    zh: "回答",
    en: "answer",
};
const DIRECT: Scope = Scope {
    any_of: &["im:message.p2p_msg:readonly", "im:message.p2p_msg"],
    zh: "收到直接发给机器人的消息",
    en: "hear what is written to the bot directly",
};
const MENTIONED: Scope = Scope {
    any_of: &[
        "im:message.group_at_msg:readonly",
        "im:message.group_at_msg",
        "im:message.group_at_msg.include_bot:readonly",
        "im:message.group_msg",
        "im:message.group_msg:readonly",
    ],
    zh: "收到群聊中 @机器人 的消息",
    en: "hear messages in groups that mention the bot",
};
const EVERYTHING: Scope = Scope {
    any_of: &["im:message.group_msg", "im:message.group_msg:readonly"],
    zh: "收到群聊中没有 @机器人 的消息",
    en: "hear messages in groups that do not mention the bot",
};
const READ: Scope = Scope {
    any_of: &["im:message:readonly", "im:message", "im:message.history:readonly"],
    zh: "读回断线期间的消息、被引用的消息和消息中的文件",
    en: "read back what came while the link was down, what a message quotes, and its files",
};
const UPLOAD: Scope = Scope {
    any_of: &["im:resource", "im:resource:upload"],
    zh: "发送文件和图片",
    en: "send files and pictures",
};
const STREAM: Scope =
    Scope { any_of: &["cardkit:card:write"], zh: "流式更新卡片", en: "stream into cards" };
const CHATS: Scope = Scope {
    any_of: &["im:chat:read", "im:chat", "im:chat:readonly"],
    zh: "显示群聊的名称",
    en: "show the names of groups",
};
const SELF: Scope = Scope {
    any_of: &[
        "application:application:self_manage",
        "admin:app.info:readonly",
        "application:application.app_version:readonly",
    ],
    zh: "让 doctor 读取版本和订阅",
    en: "let doctor read versions and subscriptions",
};

/// Scopes of which an event needs one; the events of messages have their own above.
const OF_EVENTS: &[(&str, Scope)] = &[
    (
        "im.message.recalled_v1",
        Scope {
            any_of: &["im:message:readonly", "im:message"],
            zh: "得知消息被撤回",
            en: "hear that messages are recalled",
        },
    ),
    (
        "im.message.reaction.",
        Scope {
            any_of: &["im:message.reactions:read", "im:message:readonly"],
            zh: "收到表情回复",
            en: "hear reactions",
        },
    ),
    (
        "im.message.message_read_v1",
        Scope {
            any_of: &["im:message:readonly", "im:message"],
            zh: "得知消息已读",
            en: "hear that messages are read",
        },
    ),
    (
        "im.chat.member.bot.",
        Scope {
            any_of: &["im:chat.members:bot_access", "im:chat", "im:chat:readonly"],
            zh: "得知机器人进群退群",
            en: "hear that the bot comes to groups and leaves them",
        },
    ),
    (
        "im.chat.member.user.",
        Scope {
            any_of: &["im:chat.members:read", "im:chat", "im:chat:readonly"],
            zh: "得知成员进群退群",
            en: "hear that people come to groups and leave them",
        },
    ),
    ("im.chat.", CHATS),
];

/// Whether the platform waits for an answer to it, so that it is set up as a callback.
pub fn is_callback(event: &str) -> bool {
    matches!(event, CARD_ACTION | URL_PREVIEW)
}

/// The scope without which groups are not heard that mention the bot.
pub fn mention_scope() -> &'static str {
    MENTIONED.any_of[0]
}

/// Whether an app with these scopes hears any message at all.
pub fn hears_messages(granted: &[String]) -> bool {
    [DIRECT, MENTIONED].iter().any(|scope| scope.need(true).is_met_by(granted))
}

/// All that an app needs in the console for this configuration, no name twice.
pub fn of(config: &Config, app: &App) -> Vec<Need> {
    let routes = || config.routes.iter().filter(|route| is_for(route, app));
    let kinds: BTreeSet<&str> =
        routes().flat_map(|r| r.events.iter().map(String::as_str)).collect();
    let messages = kinds.contains(MESSAGE_RECEIVED);
    let mut needs = vec![SEND.need(true)];
    if messages {
        needs.extend([DIRECT.need(true), MENTIONED.need(true)]);
    }
    if messages && routes().any(|route| route.mention == Mention::Never) {
        needs.push(EVERYTHING.need(true));
    }
    for kind in &kinds {
        let scope = OF_EVENTS.iter().find(|(beginning, _)| kind.starts_with(beginning));
        needs.extend(scope.map(|(_, scope)| scope.need(true)));
    }
    let handlers = || routes().filter_map(|route| config.handlers.get(&route.handler));
    needs.extend([READ.need(false), UPLOAD.need(false)]);
    if handlers().any(streams) {
        needs.push(STREAM.need(false));
    }
    needs.extend([CHATS.need(false), SELF.need(false)]);
    needs.extend(kinds.iter().map(|kind| Need::event(kind)));
    needs.extend(buttons(handlers()));
    let mut seen = BTreeSet::new();
    // The same name may be required for one thing and useful for another; what is required is in front.
    needs.sort_by_key(|need| !need.required);
    needs.retain(|need| seen.insert(need.name().to_owned()));
    needs
}

fn is_for(route: &Route, app: &App) -> bool {
    route.app.as_ref().is_none_or(|name| *name == app.name)
}

fn streams(handler: &Handler) -> bool {
    match handler {
        Handler::Agent(agent) => agent.stream,
        Handler::Llm(llm) => llm.stream,
        Handler::Echo(_) | Handler::Command(_) | Handler::Http(_) => false,
    }
}

/// The callback behind buttons: an agent asks by them, a growing answer of a model is stopped by one.
fn buttons<'a>(handlers: impl Iterator<Item = &'a Handler>) -> Option<Need> {
    let (mut agent, mut model) = (false, false);
    for handler in handlers {
        agent |= matches!(handler, Handler::Agent(_));
        model |= matches!(handler, Handler::Llm(llm) if llm.stream);
    }
    let (zh, en) = match (agent, model) {
        (true, _) => (
            "在聊天中征求许可：按钮无效，提问都以拒绝告终",
            "ask for leave in the chat: buttons fail and every question ends in a no",
        ),
        (false, true) => ("用卡片上的按钮停止回答", "stop an answer by the button on its card"),
        (false, false) => return None,
    };
    let (zh, en) = (zh.to_owned(), en.to_owned());
    Some(Need { required: agent, zh, en, ..Need::event(CARD_ACTION) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Flag, Sources};

    fn needs(toml: &str) -> Vec<Need> {
        let dir = tempfile::tempdir().unwrap();
        let head = "[app.main]\napp_id = \"cli_a1b2c3d4e5f60718\"\nowners = [\"ou_7d8a6e6df7621556ce0d21922b676706\"]\n";
        let file = dir.path().join("larkline.toml");
        std::fs::write(&file, format!("{head}{toml}")).unwrap();
        let secret = Flag {
            flag: "--secret".to_owned(),
            key: "app.main.app_secret".to_owned(),
            value: "simulator-secret".to_owned(),
        };
        let sources = Sources { file: Some(file), flags: vec![secret], ..Sources::default() };
        let config = Config::load(&sources).unwrap();
        of(&config, &config.apps[0])
    }

    fn names(needs: &[Need], kind: Kind, required: bool) -> Vec<&str> {
        let asked = needs.iter().filter(|n| n.kind == kind && n.required == required);
        asked.map(Need::name).collect()
    }

    #[test]
    fn an_echo_needs_to_hear_and_to_send_and_no_buttons() {
        let needs = needs("");
        let required = [
            "im:message:send_as_bot",
            "im:message.p2p_msg:readonly",
            "im:message.group_at_msg:readonly",
        ];
        assert_eq!(names(&needs, Kind::Scope, true), required);
        assert_eq!(names(&needs, Kind::Event, true), ["im.message.receive_v1"]);
        assert!(needs.iter().all(|need| need.kind != Kind::Callback));
        assert!(!names(&needs, Kind::Scope, false).contains(&"cardkit:card:write"));
    }

    #[test]
    fn each_part_of_a_configuration_brings_its_own_and_says_what_breaks() {
        let agent = "[[route]]\nname = \"a\"\nmention = \"never\"\nhandler = \"h\"\n\
            [handler.h]\nkind = \"agent\"\nagent = \"claude\"\n";
        let needs_of_agent = needs(agent);
        assert!(names(&needs_of_agent, Kind::Scope, true).contains(&"im:message.group_msg"));
        assert!(names(&needs_of_agent, Kind::Scope, false).contains(&"cardkit:card:write"));
        assert_eq!(names(&needs_of_agent, Kind::Callback, true), ["card.action.trigger"]);
        let model = "[[route]]\nname = \"a\"\nhandler = \"h\"\n\
            [handler.h]\nkind = \"llm\"\nprovider = \"qwen\"\nmodel = \"qwen-plus\"\n";
        assert_eq!(names(&needs(model), Kind::Callback, false), ["card.action.trigger"]);
        let reactions = "[[route]]\nname = \"a\"\nevents = [\"im.message.reaction.created_v1\"]\n\
            handler = \"h\"\n[handler.h]\nkind = \"echo\"\n";
        let needs = needs(reactions);
        let required = ["im:message:send_as_bot", "im:message.reactions:read"];
        assert_eq!(names(&needs, Kind::Scope, true), required);
        for need in needs.iter().chain(&needs_of_agent) {
            assert!(!need.lost(Lang::Zh).is_empty() && !need.lost(Lang::En).is_empty());
        }
    }

    #[test]
    fn a_wider_scope_is_enough_and_another_apps_routes_ask_for_nothing() {
        let send = SEND.need(true);
        assert!(send.is_met_by(&["im:message".to_owned()]));
        assert!(!send.is_met_by(&["im:message.p2p_msg".to_owned()]));
        let other = "[app.other]\napp_id = \"cli_a1b2c3d4e5f60719\"\napp_secret = \"another-one\"\n\
            [[route]]\nname = \"a\"\napp = \"other\"\nhandler = \"h\"\n\
            [handler.h]\nkind = \"echo\"\n";
        assert_eq!(names(&needs(other), Kind::Event, true), Vec::<&str>::new());
    }
}
