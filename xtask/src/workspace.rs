//! The checkout: its root, its files, its packages as cargo sees them.
//!
//! What the checks need to read, read once here; no check opens files by itself, so each can be
//! tested with strings.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The root of the checkout.
pub(crate) struct Workspace {
    /// Absolute path of the folder that holds the workspace's `Cargo.toml`.
    pub(crate) root: PathBuf,
}

/// A text file of the checkout.
pub(crate) struct Source {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// The whole text.
    pub(crate) text: String,
}

impl Workspace {
    /// Finds the root from the variable that `cargo run` sets, so that a build shared between
    /// checkouts still looks at the one it was started in.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("start it as `cargo xtask …` inside the checkout")?;
        let root = PathBuf::from(manifest).join("..").canonicalize()?;
        Ok(Self { root })
    }

    /// The folder for what the tests install; ignored by git, safe to delete.
    pub(crate) fn cache(&self) -> PathBuf {
        self.root.join(".cache")
    }

    /// A cargo call in the root. The variables with which cargo describes xtask itself are removed:
    /// build scripts that watch them (ring's does) would run again at every change of caller.
    pub(crate) fn cargo(&self) -> Command {
        let mut command = Command::new("cargo");
        command.current_dir(&self.root);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// `cargo metadata` with the lock file as it is; `flags` choose the depth.
    pub(crate) fn metadata(&self, flags: &[&str]) -> Result<Value> {
        let mut command = self.cargo();
        command.args(["metadata", "--format-version", "1", "--locked"]).args(flags);
        Ok(serde_json::from_str(&output(&mut command)?)?)
    }

    /// Every file that git tracks or would track, relative to the root.
    pub(crate) fn files(&self) -> Result<BTreeSet<String>> {
        let mut git = Command::new("git");
        git.current_dir(&self.root);
        git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
        let listed = output(&mut git)?;
        // A file deleted but not yet committed is still listed.
        let there = |path: &&str| self.root.join(path).exists();
        Ok(listed.split_terminator('\0').filter(there).map(str::to_owned).collect())
    }

    /// Those of them that are text.
    pub(crate) fn sources(&self) -> Result<Vec<Source>> {
        let read = |path: String| {
            let text = std::fs::read_to_string(self.root.join(&path)).ok()?;
            Some(Source { path, text })
        };
        Ok(self.files()?.into_iter().filter_map(read).collect())
    }
}

/// Runs a short command and returns its stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start `{}`", line(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}", line(command), said.trim());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A command as one would type it; `Debug` adds the environment.
pub(crate) fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
