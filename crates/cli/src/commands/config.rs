//! `larkline config check|show`: the configuration, offline. Nothing is started, contacted or
//! changed.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use larkline_gateway::config::{Config, ConfigErrors, Sources};

use crate::args::{ConfigAction, Format};
use crate::exit::{ExitStatus, Yours};
use crate::lang;
use crate::output;

/// What the configuration of this process is made from; `file` is what `--config` says.
///
/// # Errors
/// When the working directory is gone.
pub(crate) fn sources(file: Option<PathBuf>) -> Result<Sources> {
    let sources =
        Sources::from_process().with_context(|| {
        Yours(say!(zh: "工作目录已不存在；请 cd 到别的目录", en: "the working directory is gone; cd to another"))
    })?;
    Ok(Sources { file, ..sources })
}

/// Checks or shows: problems go to stderr (as JSON, which is data, to stdout).
///
/// # Errors
/// As [`sources`].
pub(crate) fn run(
    file: Option<PathBuf>,
    format: Format,
    action: &ConfigAction,
) -> Result<ExitStatus> {
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let config = match Config::load(&sources(file)?) {
        Ok(config) => config,
        Err(errors) => {
            report(&errors, format, color);
            return Ok(ExitStatus::Yours);
        }
    };
    lang::refine(&config);
    let json = format == Format::Json;
    match (action, json) {
        (ConfigAction::Check, true) => output::data(&config.warnings_json()),
        (ConfigAction::Check, false) => {
            warn(&config, color);
            output::data(&checked(&config));
        }
        (ConfigAction::Show, _) => {
            warn(&config, color);
            output::data(&config.show(json, lang::lang()));
        }
    }
    Ok(ExitStatus::Ok)
}

fn report(errors: &ConfigErrors, format: Format, color: bool) {
    match format {
        Format::Json => output::data(&errors.to_json()),
        Format::Human => {
            lang::choose(errors.language);
            output::note(errors.render(color, lang::lang()).trim_end());
        }
    }
}

fn warn(config: &Config, color: bool) {
    let warnings = config.render_warnings(color, lang::lang());
    if !warnings.is_empty() {
        output::note(warnings.trim_end());
    }
}

/// The policy that would be in force, and a verdict.
fn checked(config: &Config) -> String {
    let mut lines = config.policy_lines(lang::lang());
    lines.push(match &config.file {
        Some(file) => say!(zh: "有效：{file}", en: "ok: {file}", file = file.display()),
        None => say!(zh: "有效：没有配置文件，全部来自环境变量", en: "ok: no file, everything from the environment"),
    });
    lines.join("\n")
}
