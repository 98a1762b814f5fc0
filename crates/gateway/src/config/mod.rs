//! The configuration: from text to types that cannot be wrong.
//!
//! ```text
//! file ─┐
//! .env, environment ─┼─> tree (values with origins) ──decoder──> Config, or all problems at once
//! command line ─┘
//! ```
//!
//! Order, weakest to strongest: default < `FEISHU_APP_ID`/`FEISHU_APP_SECRET` (which only fill
//! what `app.main` lacks) < file < `LARKLINE__SECTION__KEY` < command line. Sections are one
//! module each; a key exists because a section asks the decoder for it, and the decoder's
//! record of what was asked is what `config show` and the test of `docs/configuration.md` use.
//! What is not here: anything that acts on the configuration.

mod agent;
mod alerts;
mod app;
mod change;
mod command_line;
mod condition;
mod convert;
mod decoder;
mod destination;
mod emoji;
mod exposure;
mod field;
mod handler;
mod jobs;
mod key;
mod kind;
mod link;
mod llm;
mod log;
mod mask;
mod nearest;
mod network;
mod obsolete;
mod placeholder;
mod policy;
mod problem;
mod reach;
#[cfg(test)]
mod reference;
mod retry;
mod route;
#[cfg(test)]
mod schema;
mod secret;
mod section;
mod settings;
mod show;
mod signing;
mod sources;
mod tree;
mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use agent::{Agent, AgentKind, AgentLimits, Busy};
pub use alerts::{Alerts, Heartbeat, Quiet, RuleSettings};
pub use app::{App, Transport};
pub use condition::{Condition, ConditionError, Facts};
pub use destination::{Destination, Hook, HookFormat, MailTls, Smtp, Way};
pub use exposure::{SCRUB, can_scrub};
pub use handler::{Command, Common, Echo, Handler, Http, OutputFormat, ReplyStyle, SessionBy};
pub use jobs::Jobs;
pub use link::LinkSettings;
pub use llm::{History, Llm, LlmTimeouts};
pub use log::{LogFormat, LogSettings};
pub use network::Network;
pub use problem::{ConfigErrors, Origin, Place, Problem, Warning};
pub use retry::RetrySettings;
pub use route::{MESSAGE_EVENT, Match, Mention, Repair, Route, Senders, Stale};
pub use secret::credential_name;
pub use settings::{ChatRate, Governor, Limits, Server, StoreSettings, UnreadableHistory};
pub use sources::{Flag, Sources};
pub use units::{Bytes, parse_duration, parse_size};

use larkline_client::Secret;

use decoder::{Decoder, Setting};
use problem::{Class, SourceFile, Weight, sorted};
use section::Section;
use sources::{Surroundings, read_file};
use tree::Node;

use crate::both::{Both, both};
use crate::words::Lang;

/// The variable that sets the language of people's words; known before any file is read.
pub const LANGUAGE_VARIABLE: &str = "LARKLINE__LANGUAGE";

/// Prefix of variables that set a key: `LARKLINE__GOVERNOR__CHAT_PER_SECOND`.
const OVERLAY_PREFIX: &str = "LARKLINE__";

/// The app that `FEISHU_APP_ID` and `LARK_APP_ID` mean.
const MAIN_APP: &str = "main";

/// A checked configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file it was read from; `None` when there is none.
    pub file: Option<PathBuf>,
    /// The apps; at least one.
    pub apps: Vec<App>,
    /// The routes, in order; at least one.
    pub routes: Vec<Route>,
    /// The handlers by name; every route's is among them.
    pub handlers: BTreeMap<String, Handler>,
    /// Durable commands.
    pub jobs: Jobs,
    /// The language of what the gateway itself says, in chats and at the command line.
    pub language: Lang,
    /// Limits of what goes out.
    pub governor: Governor,
    /// How a connection is kept.
    pub link: LinkSettings,
    /// How the network is reached.
    pub network: Network,
    /// Where state lives.
    pub store: StoreSettings,
    /// What is logged.
    pub log: LogSettings,
    /// Where commands come in.
    pub server: Server,
    /// Bounds of the whole.
    pub limits: Limits,
    /// What is worth a person's attention.
    pub alerts: Alerts,
    /// Where alerts go, by name.
    pub destinations: BTreeMap<String, Destination>,
    /// Mail servers, by name.
    pub smtp: BTreeMap<String, Smtp>,
    /// Files that hold secrets, as they are named, whole.
    pub secret_files: Vec<PathBuf>,
    /// Every secret that was read, to be taken out of what leaves the machine.
    pub secrets: Vec<Secret>,
    /// What is unwise, but no reason to stop.
    pub warnings: Vec<Warning>,
    settings: Vec<Setting>,
    source: SourceFile,
}

impl Config {
    /// Reads and checks the configuration. Nothing is changed and nothing is contacted.
    ///
    /// # Errors
    /// [`ConfigErrors`] with every problem there is.
    pub fn load(sources: &Sources) -> Result<Self, ConfigErrors> {
        let file = sources.locate();
        let (surroundings, dotenv) = Surroundings::new(sources, file.as_deref());
        let decoder = Decoder::new(surroundings, file.as_deref().and_then(secret::open_mode));
        if let Err(problem) = dotenv {
            decoder.refuse(problem, Both::of("改正 .env 的这一行", "correct that line of .env"));
        }
        let path = file.clone().unwrap_or_default();
        let text = match file.as_deref().map_or_else(|| Ok(String::new()), read_file) {
            Ok(text) => text,
            Err(error) => {
                decoder.refuse(
                    both!(
                        zh: "无法读取配置文件：{error}",
                        en: "the configuration cannot be read: {error}"; error = error
                    ),
                    Both::of(
                        "用 --config 指定其他文件，或让这个文件可读",
                        "name another file with --config, or make this one readable",
                    ),
                );
                let mut rest = Self::without_file(sources);
                rest.secrets.append(&mut decoder.secrets.borrow_mut());
                return Err(decoder.into_errors(SourceFile { path, text: String::new() }, rest));
            }
        };
        decoder.secrets.borrow_mut().extend(mask::suspects(&text));
        let (mut tree, syntax) = tree::parse(&text);
        decoder.problems.borrow_mut().extend(syntax);
        overlay(&mut tree, sources, &decoder.surroundings);
        let config = decode(&decoder, Section::root(&decoder, &tree), file);
        let source = SourceFile { path, text: mask::masked(&text, &decoder.secret_spans.take()) };
        let config = Self {
            secret_files: decoder.secret_files.take().into_iter().collect(),
            secrets: decoder.secrets.take(),
            settings: decoder.settings.take(),
            ..config
        };
        if !decoder.problems.borrow().is_empty() {
            return Err(decoder.into_errors(source, config));
        }
        Ok(Self { warnings: sorted(decoder.warnings.take()), source, ..config })
    }

    /// What the environment alone makes, beside a file that cannot be read; its own problems are those
    /// of a configuration that is not there.
    fn without_file(sources: &Sources) -> Self {
        let (surroundings, _) = Surroundings::new(sources, None);
        let decoder = Decoder::new(surroundings, None);
        let (mut tree, _) = tree::parse("");
        overlay(&mut tree, sources, &decoder.surroundings);
        let config = decode(&decoder, Section::root(&decoder, &tree), None);
        Self { secrets: decoder.secrets.take(), ..config }
    }

    /// The warnings for programs, in the form of [`ConfigErrors::to_json`].
    pub fn warnings_json(&self) -> String {
        problem::listing(&[], &self.warnings)
    }

    /// The warnings as text for people, in colour when asked; empty when there are none.
    pub fn render_warnings(&self, color: bool, lang: Lang) -> String {
        problem::render(&self.warnings, Weight::Warning, &self.source, color, lang)
    }
}

impl Decoder {
    fn into_errors(self, file: SourceFile, rest: Config) -> ConfigErrors {
        let problems = sorted(self.problems.into_inner());
        let mut warnings = sorted(self.warnings.into_inner());
        if problems.iter().any(|problem| problem.class == Class::Syntax) {
            // What a file that cannot be read seems to lack says nothing about it.
            warnings.clear();
        }
        let language = rest.language;
        ConfigErrors { problems, warnings, language, file, rest: Box::new(rest) }
    }
}

/// Lays the environment and the command line over the file.
fn overlay(tree: &mut Node, sources: &Sources, surroundings: &Surroundings) {
    for (rest, value, origin) in surroundings.with_prefix(OVERLAY_PREFIX) {
        let path: Vec<&str> = rest.split("__").collect();
        tree::set(tree, &path, value, &origin);
    }
    fill_main_app(tree, surroundings);
    for Flag { flag, key, value } in &sources.flags {
        let path: Vec<&str> = key.split('.').collect();
        tree::set(tree, &path, value, &Origin::Flag(flag.clone()));
    }
}

/// `FEISHU_APP_ID` and `FEISHU_APP_SECRET` (or `LARK_…`) fill what `app.main` lacks, and make
/// it when there is no app at all. They are weaker than the file because other tools export
/// them too.
fn fill_main_app(tree: &mut Node, surroundings: &Surroundings) {
    let apps = tree.as_table().and_then(|root| root.get("app")).and_then(|e| e.node.as_table());
    if apps.is_some_and(|apps| !apps.contains_key(MAIN_APP)) {
        return;
    }
    for (prefix, domain) in [("FEISHU", "feishu"), ("LARK", "lark")] {
        for key in ["app_id", "app_secret"] {
            let variable = format!("{prefix}_{}", key.to_ascii_uppercase());
            if let Some((value, origin)) = surroundings.variable(&variable) {
                tree::set_if_absent(tree, &["app", MAIN_APP, key], value, &origin);
                if key == "app_id" {
                    tree::set_if_absent(tree, &["app", MAIN_APP, "domain"], domain, &origin);
                }
            }
        }
    }
}

fn decode(decoder: &Decoder, mut root: Section<'_>, file: Option<PathBuf>) -> Config {
    let named_apps = root.named("app");
    let app_names: Vec<String> = named_apps.iter().map(|(name, _)| name.clone()).collect();
    let mut ids = BTreeMap::new();
    let read = |(name, section)| app::read(name, section, &mut ids);
    let apps: Vec<App> = named_apps.into_iter().filter_map(read).collect();
    if app_names.is_empty() {
        let hint = Both::of(
            "运行 `larkline init`，在 larkline.toml 中加入带 app_id 和 app_secret 的 [app.main]，\
             或设置 FEISHU_APP_ID 和 FEISHU_APP_SECRET（也可以写在这里的 .env 文件中）",
            "run `larkline init`, add [app.main] with app_id and app_secret to larkline.toml, or set \
             FEISHU_APP_ID and FEISHU_APP_SECRET, also in a file .env here",
        );
        decoder.refuse(Both::of("没有应用", "there is no app"), hint);
    }
    obsolete::refuse(&mut root);
    let (mut handlers, kinds) = read_handlers(&mut root);
    let mut routes = read_routes(&mut root, &app_names, &kinds);
    if !root.has("route") {
        routes.push(default_route(decoder, &apps));
    }
    if routes.iter().any(|route| route.handler == BUILT_IN) {
        handlers.entry(BUILT_IN.to_owned()).or_insert_with(Handler::built_in_echo);
    }
    reach::check(decoder, &apps, &routes, &kinds);
    let (smtp, destinations) = destination::read_all(&mut root, &apps);
    let store = StoreSettings::read(root.section("store"));
    let language = decoder.surroundings.lang();
    Config {
        language: root
            .key("language", "of what the gateway itself says in chats and at the command line; the locale's by default")
            .optional()
            .unwrap_or(language),
        file,
        apps,
        routes,
        handlers,
        jobs: Jobs::read(root.section("jobs")),
        governor: Governor::read(root.section("governor")),
        link: LinkSettings::read(root.section("link")),
        network: Network::read(root.section("network")),
        log: LogSettings::read(root.section("log")),
        server: Server::read(root.section("server"), &store),
        limits: Limits::read(root.section("limits")),
        alerts: Alerts::read(root.section("alerts")),
        destinations,
        smtp,
        store,
        secret_files: Vec::new(),
        secrets: Vec::new(),
        warnings: Vec::new(),
        settings: Vec::new(),
        source: SourceFile::default(),
    }
}

/// Name of the gateway's own desk among the handlers: chat commands and the buttons of its cards.
pub const DESK: &str = "larkline";

/// Name of what runs jobs among the handlers.
pub const JOBS: &str = "larkline-jobs";

/// Handlers of the gateway's own.
pub const OURS: [&str; 2] = [DESK, JOBS];

/// Name of the handler that is there without being configured.
const BUILT_IN: &str = "echo";

/// The handlers that are right, and the kinds of all of them by name.
fn read_handlers(
    root: &mut Section<'_>,
) -> (BTreeMap<String, Handler>, BTreeMap<String, Option<&'static str>>) {
    let mut handlers = BTreeMap::new();
    let mut kinds = BTreeMap::from([(BUILT_IN.to_owned(), Some(BUILT_IN))]);
    for (name, section) in root.named("handler") {
        if OURS.contains(&name.as_str()) {
            section.refuse(
                "",
                Both::of("这个名称由网关自己使用", "the name is the gateway's own"),
                Both::of("给处理程序换个名称", "give the handler another name"),
            );
        }
        let (kind, handler) = handler::read(section);
        kinds.insert(name.clone(), kind);
        handlers.extend(handler.map(|handler| (name, handler)));
    }
    (handlers, kinds)
}

fn read_routes(
    root: &mut Section<'_>,
    apps: &[String],
    kinds: &BTreeMap<String, Option<&'static str>>,
) -> Vec<Route> {
    let names: Vec<String> = kinds.keys().cloned().collect();
    let closed = |name: &str| is_closed(kinds, name);
    let mut routes: Vec<Route> = Vec::new();
    for (index, section) in root.listed("route").into_iter().enumerate() {
        let taken: Vec<String> = routes.iter().map(|route| route.name.clone()).collect();
        routes.push(route::read(index, section, apps, &names, &taken, closed));
    }
    routes
}

/// Commands act on the machine: closed to everyone but the owners unless a route says so.
fn is_closed(kinds: &BTreeMap<String, Option<&'static str>>, handler: &str) -> bool {
    matches!(kinds.get(handler), Some(Some("command" | "agent")))
}

/// Without any route the built-in echo answers: the owners, or, as long as no app has named
/// an owner, everyone, so that the very message is answered that shows who the owner is. An
/// echo tells nobody more than what they wrote.
fn default_route(decoder: &Decoder, apps: &[App]) -> Route {
    let owned = apps.iter().all(|app| !app.owners.is_empty());
    let (senders, whom) = match owned {
        true => (Senders::Owners, Both::of("管理员", "the owners")),
        false => (
            Senders::Everyone,
            Both::of("所有人，因为还不知道谁是管理员", "everyone, because no owner is known"),
        ),
    };
    if !apps.is_empty() {
        decoder.warn(
            both!(
                zh: "没有路由：由内置的 echo 回答{whom}",
                en: "there is no route: the built-in echo answers {whom}"; whom = whom
            ),
            Both::of("加入使用你的处理程序的 [[route]]", "add a [[route]] with a handler of yours"),
        );
    }
    Route { senders, ..Route::new("default", BUILT_IN) }
}
