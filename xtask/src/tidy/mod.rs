//! `cargo xtask tidy`: the house rules that no compiler checks.
//!
//! Every rule is a function from texts to sentences, so that its own tests can show it failing.
//! Style that rustfmt and clippy know is not here.

mod arrows;
mod errors;
mod failpoints;
mod links;
mod metrics;
mod pictures;
mod requirements;
mod sources;
mod words;

use anyhow::{Context, Result};

use crate::workspace::{Source, Workspace};

/// Applies every rule to the checkout; each sentence names its place and what is wrong there.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<String>> {
    let sources = workspace.sources()?;
    let architecture = text(&sources, "ARCHITECTURE.md").context("ARCHITECTURE.md is missing")?;
    let mut problems = arrows::check(architecture, &workspace.metadata(&["--no-deps"])?);
    problems.extend(sources::check(&sources));
    problems.extend(words::check(&sources));
    problems.extend(errors::check(&sources));
    problems.extend(requirements::check(&sources));
    problems.extend(metrics::check(&sources));
    problems.extend(failpoints::check(&sources));
    let files = workspace.files()?;
    let size = |path: &str| workspace.root.join(path).metadata().map_or(0, |file| file.len());
    problems.extend(links::check(&sources, &files));
    problems.extend(pictures::check(&sources, &files, size));
    Ok(problems)
}

/// The text of one file, if it exists.
fn text<'a>(sources: &'a [Source], path: &str) -> Option<&'a str> {
    sources.iter().find(|source| source.path == path).map(|source| source.text.as_str())
}

/// A tree of files for the rules' own tests.
#[cfg(test)]
fn tree(files: &[(&str, &str)]) -> Vec<Source> {
    let source =
        |(path, text): &(&str, &str)| Source { path: (*path).into(), text: (*text).into() };
    files.iter().map(source).collect()
}
