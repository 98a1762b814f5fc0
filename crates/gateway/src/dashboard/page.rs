//! Pages from templates: the whole, its parts for the feed, a story, the configuration, the login.

use std::sync::{Arc, OnceLock};

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{Html, IntoResponse, Response};
use minijinja::HtmlEscape;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior, Value, context};
use serde::{Deserialize, Serialize};

use super::Dashboard;
use super::look::Look;
use super::shown::{Configuration, Shown, moment};
use super::words::{self, Words};
use crate::admin::Refusal;
use crate::both::Both;
use crate::clock::now_ms;
use crate::config::Config;
use crate::story;
use crate::words::Lang;

/// Steps a template may take: the longest lists that are shown, several times over.
const FUEL: u64 = 5_000_000;

macro_rules! templates {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("assets/", $name)))),*]
    };
}

/// All templates; `.html` has whatever is put into one escaped.
const TEMPLATES: [(&str, &str); 16] = templates![
    "base.html",
    "bits.html",
    "page.html",
    "story.html",
    "story_page.html",
    "config.html",
    "config_page.html",
    "login.html",
    "verdict.html",
    "links.html",
    "work.html",
    "flow.html",
    "dead.html",
    "messages.html",
    "sessions.html",
    "alerts.html",
];
/// Parts of the page that change by themselves.
const PARTS: [&str; 8] =
    ["verdict", "alerts", "links", "dead", "messages", "sessions", "flow", "work"];

/// One part, as the feed sends it.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) html: String,
}

/// What may stand behind an address.
#[derive(Default, Deserialize)]
pub(super) struct LangQuery {
    lang: Option<String>,
    #[serde(default)]
    said: String,
}

impl LangQuery {
    /// Of a query as it came; one that cannot be read asks for nothing.
    pub(super) fn of(query: Option<&str>) -> Self {
        let pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let lang = pairs.filter(|(name, _)| name == "lang").map(|(_, lang)| lang.into_owned());
        Self { lang: lang.last(), said: String::new() }
    }

    /// The language asked for, else the configuration's.
    pub(super) fn lang(&self, config: &Config) -> Lang {
        match self.lang.as_deref() {
            Some("zh") => Lang::Zh,
            Some("en") => Lang::En,
            Some(_) | None => config.language,
        }
    }
}

/// What every template knows.
#[derive(Serialize)]
struct Frame<'f> {
    w: &'static Words,
    lang: &'static str,
    other: &'static str,
    /// Behind an address that has no query yet, and behind one that has.
    q: &'static str,
    amp: &'static str,
    now: i64,
    /// Whether a script will tell ages.
    live: bool,
    /// What forms carry.
    mark: &'f str,
    /// Whether there is a session to end.
    locked: bool,
    version: &'static str,
    said: &'static str,
}

impl<'f> Frame<'f> {
    fn of(dashboard: &'f Dashboard, config: &Config, lang: Lang) -> Self {
        let asked = lang != config.language;
        Self {
            w: words::of(lang),
            lang: lang.either("zh-CN", "en"),
            other: lang.either("en", "zh"),
            q: if asked { lang.either("?lang=zh", "?lang=en") } else { "" },
            amp: if asked { lang.either("&lang=zh", "&lang=en") } else { "" },
            now: now_ms(),
            live: false,
            mark: dashboard.seal.mark(),
            locked: config.server.token.is_some(),
            version: env!("CARGO_PKG_VERSION"),
            said: "",
        }
    }
}

/// An address of ours that keeps the language.
pub(super) fn address(lang: Lang, config: &Config, path: &str) -> String {
    if lang == config.language {
        return path.to_owned();
    }
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}lang={}", lang.either("zh", "en"))
}

pub(super) async fn home() -> Response {
    (StatusCode::SEE_OTHER, [(LOCATION, "/")]).into_response()
}

pub(super) async fn whole(
    State(dashboard): State<Dashboard>,
    Query(query): Query<LangQuery>,
) -> Result<Response, Refusal> {
    let look = dashboard.looks.take(&dashboard.admin).await;
    let lang = query.lang(&look.config);
    let mut frame = Frame::of(&dashboard, &look.config, lang);
    frame.now = look.status.at_ms;
    frame.said = frame.w.said(&query.said);
    Ok(html(StatusCode::OK, render("page.html", &frame, &Shown::of(&look, lang))))
}

/// The parts of a look as the feed sends them.
pub(super) fn parts(dashboard: &Dashboard, look: &Look, lang: Lang) -> Arc<Vec<Part>> {
    look.parts(lang, || {
        let frame = Frame { live: true, ..Frame::of(dashboard, &look.config, lang) };
        let frame = Frame { now: look.status.at_ms, ..frame };
        let shown = Shown::of(look, lang);
        let made = PARTS.iter().filter_map(|name| {
            let html = render(&format!("{name}.html"), &frame, &shown);
            Some(Part { name, html: html.inspect_err(log).ok()? })
        });
        made.collect()
    })
}

/// Which message, and how much of a page around it.
#[derive(Deserialize)]
pub(super) struct StoryQuery {
    key: String,
    #[serde(default)]
    part: bool,
    lang: Option<String>,
}

#[derive(Serialize)]
struct StoryShown {
    story: Option<story::Story>,
    /// The sentence of each step.
    told: Vec<String>,
}

pub(super) async fn story(
    State(dashboard): State<Dashboard>,
    Query(query): Query<StoryQuery>,
) -> Result<Response, Refusal> {
    let config = dashboard.admin.shared.config.load_full();
    let lang = LangQuery { lang: query.lang, ..LangQuery::default() }.lang(&config);
    let story = story::find(dashboard.admin.shared.store.as_ref(), &query.key).await?;
    let status = if story.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
    let frame = Frame::of(&dashboard, &config, lang);
    let name = if query.part { "story.html" } else { "story_page.html" };
    let tell = |story: &story::Story| -> Vec<String> {
        story.steps.iter().map(|step| story.sentence(step, lang)).collect()
    };
    let told = story.as_ref().map(tell).unwrap_or_default();
    Ok(html(status, render(name, &frame, &StoryShown { story, told })))
}

/// How much of a page around the configuration.
#[derive(Deserialize)]
pub(super) struct ConfigQuery {
    #[serde(default)]
    part: bool,
    lang: Option<String>,
}

pub(super) async fn config(
    State(dashboard): State<Dashboard>,
    Query(query): Query<ConfigQuery>,
) -> Response {
    let config = dashboard.admin.shared.config.load_full();
    let lang = LangQuery { lang: query.lang, ..LangQuery::default() }.lang(&config);
    let frame = Frame::of(&dashboard, &config, lang);
    let name = if query.part { "config.html" } else { "config_page.html" };
    html(StatusCode::OK, render(name, &frame, &Configuration::of(&config, lang)))
}

#[derive(Serialize)]
struct LoginShown {
    wrong: bool,
}

/// The login, for whoever has shown no token yet, or a wrong one.
pub(super) fn login(dashboard: &Dashboard, lang: Lang, wrong: bool) -> Response {
    let config = dashboard.admin.shared.config.load();
    let frame = Frame::of(dashboard, &config, lang);
    html(StatusCode::UNAUTHORIZED, render("login.html", &frame, &LoginShown { wrong }))
}

fn html(status: StatusCode, page: Result<String, minijinja::Error>) -> Response {
    match page.inspect_err(log) {
        Ok(page) => (status, Html(page)).into_response(),
        Err(_) => {
            let text = Both::of(
                "页面无法生成；原因见日志",
                "the page could not be made; the log says why",
            );
            Refusal(StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

fn log(error: &minijinja::Error) {
    tracing::error!(code = "dashboard_template", "a page of the dashboard fails: {error:#}");
}

fn render(
    name: &str,
    frame: &Frame<'_>,
    shown: &impl Serialize,
) -> Result<String, minijinja::Error> {
    let (frame, shown) = (Value::from(Serde(frame)), Value::from(Serde(shown)));
    environment()?.get_template(name)?.render(context! { ..frame, ..shown })
}

/// The templates, compiled when somebody first asks for a page.
fn environment() -> Result<&'static Environment<'static>, minijinja::Error> {
    static COMPILED: OnceLock<Environment<'static>> = OnceLock::new();
    if let Some(environment) = COMPILED.get() {
        return Ok(environment);
    }
    let mut environment = Environment::new();
    environment.set_fuel(Some(FUEL));
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.add_filter("ago", |state: &minijinja::State<'_, '_>, at: Option<i64>| {
        time(state, at, "ago")
    });
    environment.add_filter("lasts", |state: &minijinja::State<'_, '_>, at: Option<i64>| {
        time(state, at, "for")
    });
    environment.add_filter("at", |at: i64| moment(at).1);
    environment.add_filter("clock", |at: i64| {
        moment(at).1.split(' ').nth(1).unwrap_or_default().to_owned()
    });
    environment.add_filter("code", |text: &str| Value::from_safe_string(with_code(text)));
    environment.add_filter("num", |number: u64| grouped(number));
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    Ok(COMPILED.get_or_init(|| environment))
}

/// A sentence as HTML: what stands between back quotes is code.
fn with_code(text: &str) -> String {
    let mut html = String::new();
    let parts: Vec<&str> = text.split('`').collect();
    // With an odd quote nobody knows which are pairs.
    if parts.len().is_multiple_of(2) {
        return HtmlEscape(text).to_string();
    }
    for (n, part) in parts.into_iter().enumerate() {
        let part = HtmlEscape(part);
        html +=
            &if n.is_multiple_of(2) { part.to_string() } else { format!("<code>{part}</code>") };
    }
    html
}

/// A moment as an age, for people and for the script that keeps it true.
fn time(state: &minijinja::State<'_, '_>, at: Option<i64>, form: &str) -> Value {
    let known = |name: &str| state.lookup(name).unwrap_or_default();
    let lang = if known("lang").as_str() == Some("en") { Lang::En } else { Lang::Zh };
    let words = words::of(lang);
    let Some(at) = at else { return Value::from(words.never) };
    let (machine, people) = moment(at);
    let age = age(at, i64::try_from(known("now")).unwrap_or(at), lang);
    let text = match (known("live").is_true(), form) {
        // The script tells the age; the same text in each look is no news.
        (true, _) => people.clone(),
        (false, "for") => age,
        (false, _) => format!("{}{age}{}", words.ago_before, words.ago_after),
    };
    // Nothing in it comes from outside.
    Value::from_safe_string(format!(
        "<time datetime=\"{machine}\" data-at=\"{at}\" data-form=\"{form}\" title=\"{people}\">{text}</time>"
    ))
}

/// An age in the largest unit that says it well; the script says the same.
fn age(from_ms: i64, to_ms: i64, lang: Lang) -> String {
    let seconds = (to_ms - from_ms).max(0) / 1000;
    let (number, zh, en) = match seconds {
        0..=119 => (seconds, "秒", "s"),
        120..=7199 => (seconds / 60, "分钟", "min"),
        7200..=172_799 => (seconds / 3600, "小时", "h"),
        _ => (seconds / 86_400, "天", "d"),
    };
    format!("{number} {}", lang.either(zh, en))
}

/// A number in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let lead = digits.len() % 3;
    let (first, rest) = digits.split_at(lead);
    let groups = rest.as_bytes().chunks(3).map(|group| String::from_utf8_lossy(group).into_owned());
    let all: Vec<String> =
        Some(first.to_owned()).filter(|f| !f.is_empty()).into_iter().chain(groups).collect();
    all.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ages_are_for_people() {
        assert_eq!([0, 999, 1000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(age(0, 119_000, Lang::En), "119 s");
        assert_eq!(age(0, 7_200_000, Lang::Zh), "2 小时");
        assert_eq!(age(5, 0, Lang::En), "0 s", "a clock that was set back");
    }

    #[test]
    fn code_in_a_sentence_is_code_and_everything_else_is_text() {
        assert_eq!(with_code("set `a.b` <now>"), "set <code>a.b</code> &lt;now&gt;");
        assert_eq!(with_code("`<b>`"), "<code>&lt;b&gt;</code>");
        assert_eq!(with_code("one ` <quote>"), "one ` &lt;quote&gt;");
    }

    #[test]
    fn nothing_in_a_template_needs_a_weaker_policy() {
        for (name, text) in TEMPLATES {
            for banned in ["<script>", " style=", "onclick=", "|safe", "javascript:", "<style"] {
                assert!(!text.contains(banned), "{name} uses {banned}");
            }
            assert!(name.ends_with(".html"), "{name} would not be escaped");
        }
    }

    #[test]
    fn every_template_compiles() {
        assert!(environment().is_ok_and(|e| e.get_template("page.html").is_ok()));
    }
}
