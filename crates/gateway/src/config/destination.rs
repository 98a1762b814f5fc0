//! `[destination.<name>]` and `[smtp.<name>]`: where alerts go, and how a mail gets there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use larkline_client::{Secret, SecretUrl};
use larkline_proto::id::ChatId;
use lettre::message::Mailbox;
use serde_json::{Value as Json, json};
use url::Url;

use super::app::App;
use super::command_line::Argv;
use super::decoder::Spot;
use super::field::{Field, choices, read_list};
use super::section::Section;
use super::signing::NOT_SIGNING;
use crate::alert::Severity;
use crate::both::{Both, both};
use crate::handler::http::signature::SigningKey;

/// Where alerts go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What matters less is not for it.
    pub min_severity: Severity,
    /// Whether it hears that alerts are over.
    pub clearing: bool,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// What it is.
    pub way: Way,
}

/// How alerts get to a destination.
#[derive(Clone, Debug)]
pub enum Way {
    /// By mail.
    Smtp {
        /// The server, a name of `[smtp.<name>]`.
        smtp: String,
        /// To whom.
        to: Vec<Mailbox>,
    },
    /// To a service.
    Http(Box<Hook>),
    /// To a program.
    Command {
        /// It and its arguments.
        argv: Vec<String>,
        /// Where it runs.
        cwd: Option<PathBuf>,
        /// Variables it inherits beside the usual few.
        pass_env: Vec<String>,
    },
    /// To a chat, by the platform's API and never by a link.
    App {
        /// By which app.
        app: String,
        /// To which chat.
        chat: ChatId,
    },
}

/// A service that alerts are posted to.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Where to; often a secret of its own.
    pub url: SecretUrl,
    /// In which form.
    pub format: HookFormat,
    /// What signs it.
    pub secret: Option<Secret>,
    /// The header of this name.
    pub authorization: Option<Secret>,
}

/// The form of what is posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HookFormat {
    /// Ours, signed as Standard Webhooks are.
    Generic,
    /// What a custom bot of the platform takes.
    FeishuBot,
}

/// A mail server.
#[derive(Clone, Debug)]
pub struct Smtp {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: MailTls,
    /// Who logs in, and with what; without it nobody does.
    pub login: Option<(String, Secret)>,
    /// Who writes.
    pub from: Mailbox,
    /// How long each step may take.
    pub timeout: Duration,
}

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From a command on, which has to succeed.
    Starttls,
    /// From the first byte on.
    Implicit,
    /// Not at all.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Smtp,
    Http,
    Command,
    App,
}

choices!(Kind, "smtp, http, command or app", {
    "smtp" => Self::Smtp,
    "http" => Self::Http,
    "command" => Self::Command,
    "app" => Self::App,
});

choices!(HookFormat, "generic or feishu-bot", {
    "generic" => Self::Generic,
    "feishu-bot" => Self::FeishuBot,
});

choices!(MailTls, "starttls, implicit or none", {
    "starttls" => Self::Starttls,
    "implicit" => Self::Implicit,
    "none" => Self::None,
});

/// A URL that admits whoever holds it: read and shown as a secret.
pub(super) struct HookUrl(pub(super) SecretUrl);

impl Field for HookUrl {
    const KIND: &'static str = Secret::KIND;
    const HINT: Both = Both::of(
        "写 { env = \"NAME\" }、{ file = \"path\" } 或 \"https://host/path\"",
        "write { env = \"NAME\" }, { file = \"path\" }, or \"https://host/path\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = Secret::read(spot)?;
        match Url::parse(text.expose()) {
            Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => {
                Some(Self(url.into()))
            }
            // The text is a secret: no message repeats it.
            Ok(_) | Err(_) => spot.refuse(
                Both::of(
                    "不是带主机名的 http:// 或 https:// URL",
                    "not an http:// or https:// URL with a host",
                ),
                Self::HINT,
            ),
        }
    }

    fn shown(&self) -> Json {
        json!("***")
    }
}

impl Field for Mailbox {
    const KIND: &'static str = "mail address";
    const HINT: Both = Both::of(
        "写成 \"name@example.com\" 或 \"Name <name@example.com>\"",
        "write it as \"name@example.com\" or \"Name <name@example.com>\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("邮箱地址", "a mail address"), Self::HINT)?;
        match text.parse() {
            Ok(mailbox) => Some(mailbox),
            Err(_) => spot.refuse(
                both!(zh: "`{text}` 不是邮箱地址", en: "`{text}` is not a mail address"),
                Self::HINT,
            ),
        }
    }

    fn shown(&self) -> Json {
        json!(self.to_string())
    }
}

impl Field for Vec<Mailbox> {
    const KIND: &'static str = "list of mail addresses";
    const HINT: Both = Mailbox::HINT;

    fn read(spot: Spot<'_>) -> Option<Self> {
        read_list(spot, &Both::of("邮箱地址列表", "a list of mail addresses"))
    }

    fn shown(&self) -> Json {
        self.iter().map(Field::shown).collect()
    }
}

/// Reads all mail servers and destinations.
pub(super) fn read_all(
    root: &mut Section<'_>,
    apps: &[App],
) -> (BTreeMap<String, Smtp>, BTreeMap<String, Destination>) {
    let servers = root.named("smtp");
    let names: Vec<String> = servers.iter().map(|(name, _)| name.clone()).collect();
    let smtp = servers.into_iter().filter_map(|(name, section)| Some((name, read_smtp(section)?)));
    let smtp = smtp.collect();
    let destinations: BTreeMap<String, Destination> = root
        .named("destination")
        .into_iter()
        .filter_map(|(name, section)| Some((name, read(section, &names, apps)?)))
        .collect();
    let by_app = destinations.values().filter(|d| matches!(d.way, Way::App { .. })).count();
    if apps.len() == 1 && by_app > 0 && by_app == destinations.len() {
        root.warn(
            "destination",
            Both::of(
                "告警只经过唯一的应用发出：它出了问题，告警也发不出去",
                "alerts go through the only app alone: what is wrong with it keeps them from leaving",
            ),
            Both::of(
                "加一个其他类型的目的地，或第二个应用",
                "add a destination of another kind, or a second app",
            ),
        );
    }
    (smtp, destinations)
}

fn read_smtp(mut section: Section<'_>) -> Option<Smtp> {
    let host = section.key("host", "of the mail server").required::<String>();
    let tls = section
        .key("tls", "`starttls` is demanded, never only tried; `none` has to be asked for")
        .optional::<MailTls>();
    let usual = if tls == Some(MailTls::Implicit) { 465 } else { 587 };
    let port = section
        .key("port", "587 for `starttls`; 465 is `implicit` unless `tls` says otherwise")
        .within(usual, 1..=65535u32);
    let tls = tls.unwrap_or(if port == 465 { MailTls::Implicit } else { MailTls::Starttls });
    let user = section.key("user", "who logs in; absent: nobody does").optional::<String>();
    let password = section
        .key("password", "of many providers an authorisation code, not the mailbox's own")
        .optional::<Secret>();
    let from = section.key("from", "who writes; `user` by default").optional::<Mailbox>();
    let timeout = section
        .key("timeout", "of each step: connect, TLS, login, each recipient, the text")
        .within(Duration::from_secs(20), Duration::from_secs(1)..=Duration::from_mins(5));
    let from = from.or_else(|| user.as_ref()?.parse().ok());
    if from.is_none() {
        let message = Both::of(
            "缺少 `from`，而 `user` 不是邮箱地址",
            "`from` is missing, and `user` is no mail address",
        );
        section.refuse("from", message, Mailbox::HINT);
    }
    if user.is_some() != password.is_some() {
        section.refuse(
            "",
            Both::of("登录需要 `user` 和 `password`", "a login needs `user` and `password`"),
            Both::of("补上另一个，或两个都删除", "add the other one, or remove both"),
        );
    }
    if tls == MailTls::None && password.is_some() {
        section.refuse(
            "tls",
            Both::of("密码会以明文传输", "a password would go over the wire in clear"),
            Both::of("用 \"starttls\" 或 \"implicit\"", "use \"starttls\" or \"implicit\""),
        );
    }
    let port = u16::try_from(port).ok()?;
    Some(Smtp { host: host?, port, tls, login: user.zip(password), from: from?, timeout })
}

fn read(mut section: Section<'_>, smtp: &[String], apps: &[App]) -> Option<Destination> {
    let Some(kind) =
        section.key("kind", "decides which of the keys below it has").required::<Kind>()
    else {
        section.abandon();
        return None;
    };
    let word = kind.shown();
    section.narrow(format!("destination.<{}>", word.as_str().unwrap_or_default()));
    let way = match kind {
        Kind::Smtp => read_mail(&mut section, smtp),
        Kind::Http => read_hook(&mut section),
        Kind::Command => read_command(&mut section),
        Kind::App => read_app(&mut section, apps),
    };
    section.narrow("destination.<name>".to_owned());
    let destination = Destination {
        min_severity: section
            .key("min_severity", "what matters less is not for this destination")
            .or(Severity::Warning),
        clearing: section.key("clearing", "whether it hears that an alert is over").or(true),
        timeout: section
            .key("timeout", "of one attempt; then it is tried again, alone")
            .within(Duration::from_secs(30), Duration::from_secs(1)..=Duration::from_mins(5)),
        way: way?,
    };
    Some(destination)
}

fn read_mail(section: &mut Section<'_>, known: &[String]) -> Option<Way> {
    let smtp = section.key("smtp", "a name of `[smtp.<name>]`").required::<String>();
    section.check_reference("smtp", smtp.as_deref(), known, "smtp");
    let to = section.key("to", "who gets the mail").required::<Vec<Mailbox>>();
    if to.as_ref().is_some_and(Vec::is_empty) {
        section.refuse("to", Both::of("没有收件人", "there is nobody"), Mailbox::HINT);
    }
    Some(Way::Smtp { smtp: smtp?, to: to? })
}

fn read_hook(section: &mut Section<'_>) -> Option<Way> {
    let url = section.key("url", "where to post; redirects are not followed").required::<HookUrl>();
    let format =
        section.key("format", "`feishu-bot`: a custom bot of a group").or(HookFormat::Generic);
    let secret = section
        .key("secret", "signs: `whsec_…` as handlers have it, or the custom bot's own")
        .optional::<Secret>();
    let authorization = section
        .key("authorization", "the header of this name, for services that want one")
        .optional::<Secret>();
    let wrong =
        |secret: &&Secret| format == HookFormat::Generic && SigningKey::parse(secret).is_err();
    if secret.as_ref().filter(wrong).is_some() {
        section.refuse(
            "secret",
            NOT_SIGNING,
            Both::of(
                "生成方法：echo whsec_$(openssl rand -base64 32)",
                "make one with: echo whsec_$(openssl rand -base64 32)",
            ),
        );
    }
    Some(Way::Http(Box::new(Hook { url: url?.0, format, secret, authorization })))
}

fn read_command(section: &mut Section<'_>) -> Option<Way> {
    let argv = section
        .key("argv", "words, no shell; the alert is JSON on stdin")
        .required::<Argv>()
        .and_then(|argv| argv.checked(section, false));
    let cwd = section.key("cwd", "the gateway's own directory").optional();
    let pass_env =
        section.key("pass_env", "inherited beside PATH, HOME, LANG, TZ, TMPDIR").or(Vec::new());
    Some(Way::Command { argv: argv?, cwd, pass_env })
}

fn read_app(section: &mut Section<'_>, apps: &[App]) -> Option<Way> {
    let app = section
        .key("app", "its API, not its link; best another app than the one that works")
        .required::<String>();
    let names: Vec<String> = apps.iter().map(|app| app.name.clone()).collect();
    section.check_reference("app", app.as_deref(), &names, "app");
    let chat = section.key("chat", "a chat that app is in").required::<ChatId>();
    Some(Way::App { app: app?, chat: chat? })
}
