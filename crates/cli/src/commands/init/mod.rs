//! `larkline init`: from nothing to a bot that has answered. Each question has a flag, so that it works
//! without a terminal as well.
//!
//! What answers is chosen before the app, because the app is asked for with exactly what that needs.
//! The configuration is written when the app is known, the platform has accepted its secret, and the
//! loader has read the text; a secret that came by a scan is kept at once, since it comes one time.

mod app;
mod draft;
mod files;
mod hold;
mod questions;

use std::path::PathBuf;

use anyhow::Result;
use larkline_gateway::config::Config;
use larkline_proto::id::{AppId, OpenId};
use serde::Serialize;

use self::draft::{Draft, SecretAt};
use self::files::Place;
use self::questions::Asker;
use crate::args::{Format, InitArgs};
use crate::exit::{ExitStatus, Yours};
use crate::lang::{self, either};
use crate::output;

/// Stands for the id until it is known; well formed, and nobody's.
const NOBODY: &str = "cli_0000000000000000";

/// What was done, for programs.
#[derive(Serialize)]
struct Done {
    file: PathBuf,
    app_id: AppId,
    owners: Vec<OpenId>,
    /// Absent when no link was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<hold::Held>,
}

/// Asks, writes, and shows that it works.
///
/// # Errors
/// [`crate::exit::Failed`] and the errors of files; each says what to do.
pub(crate) async fn run(
    config: Option<PathBuf>,
    format: Format,
    args: InitArgs,
) -> Result<ExitStatus> {
    let asker = Asker::new(args.yes);
    if let Some(chosen) = asker.language(args.lang)? {
        lang::choose(chosen);
    }
    let place = Place::new(args.output.clone(), config)?;
    consent(&asker, &place, args.yes)?;
    let mut draft = Draft {
        brand: asker.brand(args.domain.clone())?,
        app_id: AppId::new(NOBODY),
        secret: SecretAt::File(place.secret_name()),
        owners: owners(&args.owner)?,
        handler: asker.handler(args.handler.clone())?,
        key_env: args.key_env.clone(),
        cwd: args.cwd.clone(),
        proxy: args.proxy.clone(),
        ca_files: args.ca_file.iter().map(std::path::absolute).collect::<Result<_, _>>()?,
    };
    asker.details(&mut draft)?;
    app::find(&asker, &args, &place, &mut draft).await?;
    draft.owners = asker.owners(draft.owners)?;
    let text = draft.text();
    place.check(&text)?;
    written(&place, &text)?;
    let config = place.read()?;
    warnings(&config);
    let mut done =
        Done { file: place.file.clone(), app_id: draft.app_id, owners: draft.owners, link: None };
    let mut exit = ExitStatus::Ok;
    if !args.no_link {
        let (held, ended) = hold::run(&config, &place.file, args.wait, args.timeout).await?;
        (done.link, exit) = (Some(held), ended);
    }
    output::show(format, &done, next_steps)?;
    Ok(exit)
}

/// A file that is there is not touched unless somebody says so.
fn consent(asker: &Asker, place: &Place, yes: bool) -> Result<()> {
    let file = place.file.display();
    if yes || !place.file.exists() || asker.replace(&place.file)? {
        return Ok(());
    }
    Err(Yours(say!(
        zh: "{file} 已存在，没有改动；用 --yes 替换（会留一份副本），或用 --output 写到别处",
        en: "{file} is there already and was not touched; replace it with --yes (a copy is kept), or write elsewhere with --output"
    ))
    .into())
}

fn owners(named: &[String]) -> Result<Vec<OpenId>> {
    let wrong = named.iter().find(|id| !id.starts_with("ou_"));
    match wrong {
        None => Ok(named.iter().map(|id| OpenId::new(id.as_str())).collect()),
        Some(id) => Err(Yours(say!(
            zh: "--owner {id} 不是 open id；它以 ou_ 开头，`larkline messages` 能看到",
            en: "--owner {id} is no open id; one begins with ou_, and the log shows them as sender"
        ))
        .into()),
    }
}

fn written(place: &Place, text: &str) -> Result<()> {
    let copy = place.write(text)?;
    let file = place.file.display();
    output::note(
        &say!(zh: "配置写入 {file}，已用加载器检查", en: "the configuration is in {file}, checked by the loader"),
    );
    if let Some(copy) = copy {
        output::note(&say!(
            zh: "原来的文件是 {copy}",
            en: "the file that was there is now {copy}",
            copy = copy.display()
        ));
    }
    Ok(())
}

fn warnings(config: &Config) {
    let warnings = config.render_warnings(false, lang::lang());
    if !warnings.is_empty() {
        output::note(warnings.trim_end());
    }
}

fn next_steps(done: &Done) -> String {
    // What is found without being named needs no flag.
    let here = std::env::current_dir().is_ok_and(|dir| dir.join("larkline.toml") == done.file);
    let config = if here { String::new() } else { format!(" --config {}", done.file.display()) };
    let steps = [
        ("run", "启动网关", "start the gateway"),
        (
            "messages",
            "收到什么、发出什么、结果如何",
            "what came in, what went out, what became of it",
        ),
        ("doctor", "从这台机器查到后台", "check everything, from this machine to the console"),
        ("service install --now", "让系统长期运行它", "have the system keep it running"),
    ];
    let mut lines = vec![either("接下来：", "Next:").to_owned()];
    lines.extend(
        steps.map(|(command, zh, en)| {
            format!("  larkline {command}{config}   # {}", either(zh, en))
        }),
    );
    lines.join("\n")
}
