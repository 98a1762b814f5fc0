//! `larkline config check|show`, offline.

use std::path::PathBuf;

use anyhow::{Context, Result};
use larkline_gateway::config::{Config, Sources};

use crate::args::{ConfigAction, Format};
use crate::exit::ExitStatus;
use crate::output;

/// Where configuration comes from in this process.
///
/// # Errors
/// When the working directory cannot be told.
pub(crate) fn sources(file: Option<PathBuf>) -> Result<Sources> {
    let sources = Sources::from_process().context("cannot tell the working directory")?;
    Ok(Sources { file, ..sources })
}

/// `larkline config check` and `show`
///
/// # Errors
/// When the working directory cannot be told.
pub(crate) fn run(
    file: Option<PathBuf>,
    format: Format,
    action: &ConfigAction,
) -> Result<ExitStatus> {
    let config = match Config::load(&sources(file)?) {
        Ok(config) => config,
        Err(problems) => {
            output::note(problems.to_string().trim_end());
            return Ok(ExitStatus::Yours);
        }
    };
    let warnings = config.render_warnings(false);
    if !warnings.is_empty() {
        output::note(warnings.trim_end());
    }
    match action {
        ConfigAction::Check => config.policy_lines().iter().for_each(|line| output::data(line)),
        ConfigAction::Show => output::data(&config.show(format == Format::Json)),
    }
    Ok(ExitStatus::Ok)
}
