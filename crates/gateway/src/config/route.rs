//! `[[route]]`: which events go to which handler.
//!
//! A route says what it admits; deciding is the router's work. Routes are tried in order, and
//! an event goes on to the next one only past a route with `also = true`.

use std::time::Duration;

use larkline_proto::id::{ChatId, OpenId};
use regex::{Regex, RegexBuilder};
use serde_json::{Value as Json, json};

use super::condition::Condition;
use super::decoder::Spot;
use super::field::{Field, choices};
use super::nearest::unknown_value;
use super::section::{NAME_LEN_MAX, Section};
use super::units::{days, secs};
use crate::both::{Both, both};

/// The event every route handles unless it names others.
pub const MESSAGE_EVENT: &str = "im.message.receive_v1";

/// The patience of people with a bot, and above what most handlers take.
const ANSWER_WITHIN: Duration = Duration::from_mins(10);

/// Most memory a compiled regex may take: one for a chat message needs some kilobytes.
const REGEX_BYTES_MAX: usize = 1 << 20;

/// One route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name, in logs and verdicts.
    pub name: String,
    /// The app it listens to; `None` is every app.
    pub app: Option<String>,
    /// The events it handles.
    pub events: Vec<String>,
    /// The chats it listens in; `None` is every chat, also those nobody has seen yet.
    pub chats: Option<Vec<ChatId>>,
    /// Chats it never listens in, whatever `chats` says.
    pub deny_chats: Vec<ChatId>,
    /// Who is heard.
    pub senders: Senders,
    /// Who is never heard, whatever `senders` says.
    pub deny_senders: Vec<OpenId>,
    /// Whether messages of other bots are heard too; our own never are.
    pub bots: bool,
    /// Whether a message in a group has to mention the bot.
    pub mention: Mention,
    /// What the text must contain; `None` is anything.
    pub matcher: Option<Match>,
    /// What must hold beside that.
    pub when: Option<Condition>,
    /// Whether the next routes get the event as well.
    pub also: bool,
    /// How old a message may be at first sight; `None` is any age.
    pub stale_after: Option<Duration>,
    /// What happens to an older one.
    pub stale: Stale,
    /// What happens to messages that were written while the link was down.
    pub repair: Repair,
    /// How long a message may wait for its answer before that is an alert.
    pub answer_within: Duration,
    /// Name of the handler.
    pub handler: String,
}

/// Who a route listens to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Senders {
    /// Everyone in the admitted chats.
    Everyone,
    /// The owners of the app the event came through; nobody when it has none.
    Owners,
    /// These people.
    Only(Vec<OpenId>),
}

/// Whether a message in a group has to mention the bot. A direct chat never needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mention {
    /// The default: needed in groups.
    Auto,
    /// Needed in groups.
    Always,
    /// Not needed.
    Never,
}

/// What happens to a message that is older than the route likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// It is handled all the same.
    Process,
    /// It is not handled, and its sender is told.
    Skip,
    /// It is not handled, and its sender is asked to send it again if it still matters.
    Ask,
}

/// What happens to messages that the platform never delivered and a chat's history has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// They are handled.
    On,
    /// They are kept, and their chat is asked whether they still matter.
    Ask,
    /// They are kept.
    Off,
}

/// What a text must contain: any of the keywords, or the regex.
#[derive(Clone, Debug)]
pub struct Match {
    keywords: Vec<String>,
    ignore_case: bool,
    regex: Option<Regex>,
}

impl Route {
    /// A route with every default: all messages, of everyone, everywhere.
    pub(super) fn new(name: &str, handler: &str) -> Self {
        Self {
            name: name.to_owned(),
            app: None,
            events: vec![MESSAGE_EVENT.to_owned()],
            chats: None,
            deny_chats: Vec::new(),
            senders: Senders::Everyone,
            deny_senders: Vec::new(),
            bots: false,
            mention: Mention::Auto,
            matcher: None,
            when: None,
            also: false,
            stale_after: None,
            stale: Stale::Process,
            repair: Repair::On,
            answer_within: ANSWER_WITHIN,
            handler: handler.to_owned(),
        }
    }
}

impl Match {
    /// True when the text contains one of the keywords or matches the regex.
    pub fn finds(&self, text: &str) -> bool {
        let keyword = if self.ignore_case {
            let text = text.to_lowercase();
            self.keywords.iter().any(|word| text.contains(&word.to_lowercase()))
        } else {
            self.keywords.iter().any(|word| text.contains(word))
        };
        keyword || self.regex.as_ref().is_some_and(|regex| regex.is_match(text))
    }

    /// How many keywords it has.
    pub fn keyword_count(&self) -> usize {
        self.keywords.len()
    }

    /// The regex as written.
    pub fn regex(&self) -> Option<&str> {
        self.regex.as_ref().map(Regex::as_str)
    }
}

choices!(Mention, "auto, always or never", {
    "auto" => Self::Auto,
    "always" => Self::Always,
    "never" => Self::Never,
});

choices!(Repair, "on, ask or off", {
    "on" => Self::On,
    "ask" => Self::Ask,
    "off" => Self::Off,
});

choices!(Stale, "process, ask or skip", {
    "process" => Self::Process,
    "skip" => Self::Skip,
    "ask" => Self::Ask,
});

impl Field for Senders {
    const KIND: &'static str = "everyone, owners or list of open ids";
    const HINT: Both = Both::of(
        "写 \"everyone\"、\"owners\" 或 ou_ id 的列表",
        "write \"everyone\", \"owners\" or a list of ou_ ids",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        match spot.node.as_text() {
            Some("everyone") => Some(Self::Everyone),
            Some("owners") => Some(Self::Owners),
            Some(text) if spot.node.as_bare_text().is_none() => {
                spot.refuse(unknown_value(text), Self::HINT)
            }
            Some(_) | None => Vec::<OpenId>::read(spot).map(Self::Only),
        }
    }

    fn shown(&self) -> Json {
        match self {
            Self::Everyone => json!("everyone"),
            Self::Owners => json!("owners"),
            Self::Only(people) => people.shown(),
        }
    }
}

impl Field for Regex {
    const KIND: &'static str = "regex";
    const HINT: Both = Both::of(
        "语法与 Rust 的 `regex` 相同：没有环视，没有反向引用",
        "the syntax is that of the Rust crate `regex`: no look-around, no back-references",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("正则表达式", "a regex"), Self::HINT)?;
        match RegexBuilder::new(text).size_limit(REGEX_BYTES_MAX).build() {
            Ok(regex) => Some(regex),
            Err(regex::Error::CompiledTooBig(_)) => {
                spot.refuse(Both::of("正则表达式太大", "the regex is too large"), Self::HINT)
            }
            Err(error) => {
                // The last line of regex's message says why; the ones before draw the place.
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                let message = both!(
                    zh: "正则表达式无法编译：{reason}",
                    en: "the regex does not compile: {reason}"
                );
                spot.refuse(message, Self::HINT)
            }
        }
    }

    fn shown(&self) -> Json {
        json!(self.as_str())
    }
}

/// Reads the route at `index`; `taken` are the names of those before. The default of
/// `senders` depends on the handler: `closed` is asked with its name.
pub(super) fn read(
    index: usize,
    mut section: Section<'_>,
    apps: &[String],
    handlers: &[String],
    taken: &[String],
    closed: impl Fn(&str) -> bool,
) -> Route {
    let name = read_name(index, &mut section, taken);
    let app = section.key("app", "the app it listens to; absent is every app").optional::<String>();
    section.check_reference("app", app.as_deref(), apps, "app");
    let handler =
        section.key("handler", "`[handler.<name>]`, or the built-in `echo`").required::<String>();
    section.check_reference("handler", handler.as_deref(), handlers, "handler");
    let handler = handler.unwrap_or_default();
    let default = Route::new(&name, &handler);
    let senders = if closed(&handler) { Senders::Owners } else { Senders::Everyone };
    let route = Route {
        name,
        app,
        events: section
            .key("events", "event types; what is no message has no text, mention or keyword")
            .or(default.events),
        chats: section.key("chats", "absent is every chat, known or not").optional(),
        deny_chats: section.key("deny_chats", "never these, whatever `chats` says").or(Vec::new()),
        senders: section
            .key(
                "senders",
                "`\"owners\"` when the handler is a command: a shell is not for \
                strangers",
            )
            .or(senders),
        deny_senders: section
            .key("deny_senders", "never these, whatever `senders` says")
            .or(Vec::new()),
        bots: section
            .key(
                "bots",
                "messages of other bots: two bots that answer each other never stop, so \
                ten in a row without a person end it; our own are never heard",
            )
            .or(default.bots),
        mention: section
            .key(
                "mention",
                "groups: `auto` and `always` need @bot, `never` does not; a direct chat \
                never needs it",
            )
            .or(default.mention),
        matcher: read_match(&mut section),
        when: section.key("when", "an expression over the facts of the event").optional(),
        also: section
            .key("also", "one message, one answer, unless wanted otherwise")
            .or(default.also),
        stale_after: section
            .key("stale_after", "age at first sight, as after a long outage; absent is any age")
            .optional(),
        stale: section
            .key(
                "stale",
                "`ask` and `skip` tell the sender, `ask` wants it sent again if it \
                still matters; nothing is dropped silently",
            )
            .or(default.stale),
        repair: read_repair(&mut section),
        answer_within: read_answer_within(&mut section, default.answer_within),
        handler,
    };
    check_events(&section, &route.events);
    route
}

fn check_events(section: &Section<'_>, events: &[String]) {
    if events.is_empty() {
        section.refuse(
            "events",
            Both::of(
                "列表为空，这条路由什么也收不到",
                "the list is empty, so the route would hear nothing",
            ),
            Both::of("删除这个键，或写明事件", "remove the key, or name events"),
        );
    }
}

fn read_repair(section: &mut Section<'_>) -> Repair {
    section
        .key(
            "repair",
            "messages written while the link was down, or that it did not hear, are read back from \
            the chat: `on` handles them, `ask` asks the chat with a button, `off` only keeps them",
        )
        .or(Repair::On)
}

fn read_answer_within(section: &mut Section<'_>, default: Duration) -> Duration {
    section
        .key(
            "answer_within",
            "a message without answer, refusal or notice after so long is an ERROR line, a metric \
            and a line of `status`, until it has one; above what the handler may take",
        )
        .within(default, secs(1)..=days(7))
}

fn read_name(index: usize, section: &mut Section<'_>, taken: &[String]) -> String {
    let name = section
        .key("name", "in logs and verdicts; numbered when not given")
        .or(format!("route-{}", index + 1));
    if name.is_empty() || name.len() > NAME_LEN_MAX {
        let message = both!(
            zh: "名称必须有 1 到 {NAME_LEN_MAX} 个字节",
            en: "the name must have 1 to {NAME_LEN_MAX} bytes"
        );
        section.refuse("name", message, Both::NOTHING);
    }
    if taken.contains(&name) {
        section.refuse(
            "name",
            both!(zh: "有两条路由都叫 `{name}`", en: "two routes are named `{name}`"),
            Both::of("每条路由用各自的名称", "give each its own name"),
        );
    }
    name
}

fn read_match(section: &mut Section<'_>) -> Option<Match> {
    let mut rule = section.section("match");
    let keywords: Vec<String> = rule.key("keywords", "any of them in the text").or(Vec::new());
    let ignore_case = rule.key("ignore_case", "for keywords; a regex says `(?i)` itself").or(true);
    let regex = rule
        .key("regex", "instead of, or beside, a keyword; linear time, no look-around")
        .optional();
    if rule.is_present() && keywords.is_empty() && !rule.has("regex") {
        rule.refuse(
            "",
            Both::of(
                "既没有 keywords 也没有 regex：什么也不会匹配",
                "neither keywords nor regex: nothing would match",
            ),
            Both::of("加上一个，或删除 `match`", "add one, or remove `match`"),
        );
    }
    if keywords.iter().any(String::is_empty) {
        rule.refuse(
            "keywords",
            Both::of("空的关键字出现在任何文本里", "an empty keyword is in every text"),
            Both::of("删除它", "remove it"),
        );
    }
    rule.is_present().then_some(Match { keywords, ignore_case, regex })
}
