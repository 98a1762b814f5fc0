//! `doctor --bundle FILE`: what somebody who helps wants to see, in one archive, without secrets, the
//! words of chats or who wrote them.
//!
//! Exactly these: the report, versions, configuration (masked), status, metrics, the last lines of the
//! log, the system, the network. Each file that cannot be had says why. Nothing is sent anywhere.

mod archive;
mod system;

use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::Result;
use http::Method;
use larkline_gateway::config::{Config, ConfigErrors};
use larkline_gateway::log::support::Scrubber;
use larkline_gateway::status::IN_CHINESE;
use larkline_gateway::words::Lang;
use serde_json::{Value, json};

use self::archive::Entry;
use super::report::Verdict;
use crate::commands::ask::{self, Gateway};
use crate::commands::{service, version};
use crate::exit::Yours;
use crate::output;

/// Lines of the log that are taken.
const LOG_LINES: u32 = 100;
/// Bytes of a log file in which they are looked for.
const LOG_BYTES: u64 = 2 << 20;

const README: &str = "\
Made by `larkline doctor --bundle`, for whoever helps.

doctor.txt, doctor.json   the report, each check with its full error
versions.json             of the binary that made this
config.txt                the configuration in force, secrets masked; or its problems
status.json, metrics.txt  of the running gateway, if one answers
log.txt                   the last 100 lines of its log
system.json               system, kernel, memory, limits
network.json              proxies, name servers, routes

Taken out: secrets, tokens, what people wrote and what their programs printed, names. People and
chats are marks (ou#…, oc#…): the same mark is the same one everywhere in here.
";

/// Refuses a place where something is already.
///
/// # Errors
/// When there is.
pub(super) fn free(file: &Path) -> Result<()> {
    match file.symlink_metadata() {
        Err(_) => Ok(()),
        Ok(_) => Err(taken(file)),
    }
}

fn taken(file: &Path) -> anyhow::Error {
    let file = file.display();
    Yours(say!(
        zh: "{file} 已存在，不会覆盖；请换一个文件名，或先删除它",
        en: "{file} exists and is not overwritten; name another file, or remove it first"
    ))
    .into()
}

/// Gathers everything and writes it.
///
/// # Errors
/// When the file cannot be written.
pub(super) async fn write(file: &Path, config: Option<PathBuf>, verdict: &Verdict) -> Result<()> {
    let (config, problems) = loaded(config);
    let secrets = config.as_ref().map_or(&[][..], |config| &config.secrets);
    let scrubber = Scrubber::new(secrets, std::env::var("HOME").ok());
    let now = jiff::Timestamp::now();
    let entries = gathered(&scrubber, config.as_ref(), problems.as_ref(), verdict).await?;
    let at_s = u64::try_from(now.as_second()).unwrap_or_default();
    archive::write(file, &entries, at_s).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            return taken(file);
        }
        anyhow::Error::from(Yours(say!(
            zh: "无法写入 {file}：{error}；请换一个位置",
            en: "cannot write {file}: {error}; name another place",
            file = file.display()
        )))
    })?;
    output::note(&say!(
        zh: "已写入 {file}（仅本用户可读），不含密钥和消息内容；发给别人之前请先看一遍",
        en: "wrote {file} (yours alone to read), without secrets and message text; look through it before you hand it on",
        file = file.display()
    ));
    Ok(())
}

/// The configuration, or what is left of it with what is wrong.
fn loaded(file: Option<PathBuf>) -> (Option<Config>, Option<ConfigErrors>) {
    match ask::load(file).map_err(anyhow::Error::downcast::<ConfigErrors>) {
        Ok(config) => (Some(config), None),
        Err(Ok(errors)) => (Some(errors.rest().clone()), Some(errors)),
        Err(Err(_)) => (None, None),
    }
}

async fn gathered(
    scrubber: &Scrubber,
    config: Option<&Config>,
    problems: Option<&ConfigErrors>,
    verdict: &Verdict,
) -> Result<Vec<Entry>> {
    let clean = |mut value: Value| {
        scrubber.json(&mut value);
        serde_json::to_string_pretty(&value)
    };
    let text = |name, text: &str| Entry { name, text: scrubber.text(text) + "\n" };
    Ok(vec![
        Entry { name: "README.txt", text: README.to_owned() },
        text("doctor.txt", &verdict.page),
        Entry { name: "doctor.json", text: clean(verdict.json.clone())? },
        Entry { name: "versions.json", text: clean(version::versions())? },
        text("config.txt", &configured(config, problems)),
        Entry { name: "status.json", text: clean(status(config).await)? },
        text("metrics.txt", &metrics(config).await),
        Entry { name: "log.txt", text: log(scrubber, config).await },
        Entry { name: "system.json", text: clean(system::machine())? },
        Entry { name: "network.json", text: clean(system::network(config))? },
    ])
}

/// The keys in force, masked. Of a file with problems the problems, without its text: what is not
/// understood cannot be masked.
fn configured(config: Option<&Config>, problems: Option<&ConfigErrors>) -> String {
    match (config, problems) {
        (_, Some(problems)) => problems.to_json(),
        (Some(config), None) => config.show(false, Lang::En),
        (None, None) => "the working directory is gone".to_owned(),
    }
}

/// Without the sentences that may repeat what a handler printed.
async fn status(config: Option<&Config>) -> Value {
    let Some(config) = config else { return Value::Null };
    match Gateway::of(config).call::<Value>(Method::GET, "/v1/status").await {
        Ok(mut status) => {
            for alert in status["alerts"].as_array_mut().into_iter().flatten() {
                if let Some(alert) = alert.as_object_mut() {
                    alert.retain(|key, _| !matches!(key.as_str(), "what" | "meaning"));
                }
            }
            if let Some(last) = status["last_handled"].as_object_mut() {
                last.remove("why");
            }
            in_english(&mut status);
            status
        }
        Err(error) => json!({ "unavailable": error.to_string() }),
    }
}

/// Takes away what the socket tells in Chinese, too: the archive is in one language.
fn in_english(value: &mut Value) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !IN_CHINESE.contains(&key.as_str()));
        object.values_mut().for_each(in_english);
    }
    value.as_array_mut().into_iter().flatten().for_each(in_english);
}

async fn metrics(config: Option<&Config>) -> String {
    let Some(config) = config else { return String::new() };
    match Gateway::of(config).peer().page("/metrics").await {
        Ok(page) => page,
        Err(error) => format!("# unavailable: {error}"),
    }
}

async fn log(scrubber: &Scrubber, config: Option<&Config>) -> String {
    let lines = match config.and_then(|config| config.log.file.as_deref()) {
        Some(file) => tail(file).map_err(|error| format!("{}: {error}", file.display())),
        None => service::last_lines(LOG_LINES).await,
    };
    match lines {
        Ok(text) => {
            let all: Vec<String> = text.lines().filter_map(|line| scrubber.line(line)).collect();
            all[all.len().saturating_sub(LOG_LINES as usize)..].join("\n") + "\n"
        }
        Err(why) => scrubber.text(&format!("no log: {why}")) + "\n",
    }
}

/// The end of a file.
fn tail(file: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let from = file.metadata()?.len().saturating_sub(LOG_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_in_chinese_too_is_taken_away_and_nothing_else() {
        let mut status = json!({
            "unanswered": [{ "stage": "waits", "stage_zh": "等待" }],
            "isolation": { "why_not": "no", "why_not_zh": "没有" },
            "apps": [{ "proofs": [{ "detail": "1", "detail_zh": "一" }], "chats_zh": 1 }],
        });
        in_english(&mut status);
        let left = json!({
            "unanswered": [{ "stage": "waits" }],
            "isolation": { "why_not": "no" },
            "apps": [{ "proofs": [{ "detail": "1" }], "chats_zh": 1 }],
        });
        assert_eq!(status, left);
    }
}
