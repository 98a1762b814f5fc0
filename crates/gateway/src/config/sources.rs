//! Where configuration comes from: the file, `.env`, the environment, the command line.
//!
//! All of it is an argument, so a test needs neither a process environment nor a home. What
//! is read from the process is read once, in [`Sources::from_process`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use larkline_client::Secret;

use super::mask;
use super::problem::Origin;
use crate::both::{Both, both};
use crate::words::Lang;

/// The file's name, and the name of the folder it has below `~/.config` and `/etc`.
const FILE_NAME: &str = "larkline.toml";

/// Largest configuration file that is read.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Everything a configuration is made from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that was asked for (`--config`). Without it: `$LARKLINE_CONFIG`, then
    /// `larkline.toml` in `cwd`, in `$XDG_CONFIG_HOME/larkline` (`~/.config/larkline`) and in
    /// `/etc/larkline`.
    pub file: Option<PathBuf>,
    /// The working directory: where the file and `.env` are looked for.
    pub cwd: PathBuf,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Keys set on the command line for this run.
    pub flags: Vec<Flag>,
}

/// One key set on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag as typed, as `--no-proxy`.
    pub flag: String,
    /// The key it sets, as `network.proxy`.
    pub key: String,
    /// The value, as text.
    pub value: String,
}

impl Sources {
    /// The process's own environment and directory. Variables that are not UTF-8 are left out.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn from_process() -> io::Result<Self> {
        let env = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Ok(Self { cwd: std::env::current_dir()?, env, ..Self::default() })
    }

    /// The file to read, or `None` when nobody named one and there is none.
    pub(super) fn locate(&self) -> Option<PathBuf> {
        let named =
            self.file.clone().or_else(|| self.env.get("LARKLINE_CONFIG").map(PathBuf::from));
        if let Some(file) = named {
            return Some(self.cwd.join(file));
        }
        let user = directory(&self.env, "XDG_CONFIG_HOME", ".config");
        [
            Some(self.cwd.clone()),
            user.map(|d| d.join("larkline")),
            Some(PathBuf::from("/etc/larkline")),
        ]
        .into_iter()
        .flatten()
        .map(|dir| dir.join(FILE_NAME))
        .find(|file| file.is_file())
    }
}

/// `$<variable>` when it is an absolute path, else `~/<below_home>`; `None` without a home.
fn directory(env: &BTreeMap<String, String>, variable: &str, below_home: &str) -> Option<PathBuf> {
    let set = env.get(variable).map(PathBuf::from).filter(|dir| dir.is_absolute());
    set.or_else(|| env.get("HOME").map(|home| Path::new(home).join(below_home)))
}

/// The environment a configuration is read in: variables (the real ones before those of
/// `.env`), and the directory that relative paths start from.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    variables: BTreeMap<String, Variable>,
    base: PathBuf,
    /// Where `.env` is, when there is one.
    pub(super) dotenv: PathBuf,
    /// What may be a secret in the text of `.env`, also where that cannot be understood.
    pub(super) suspects: Vec<Secret>,
}

#[derive(Clone, Debug)]
struct Variable {
    value: String,
    dotenv: bool,
}

impl Surroundings {
    /// Joins the environment with `.env` beside the file (or in the working directory).
    ///
    /// # Errors
    /// What `.env` holds on which line, when it is there and cannot be read.
    pub(super) fn new(sources: &Sources, file: Option<&Path>) -> (Self, Result<(), Both>) {
        let base = file.and_then(Path::parent).unwrap_or(&sources.cwd).to_owned();
        let mut variables = BTreeMap::new();
        let dotenv = base.join(".env");
        let mut suspects = Vec::new();
        let read = dotenv_text(&dotenv).and_then(|text| {
            suspects = mask::suspects(&text);
            read_dotenv(&dotenv, &text, &mut variables)
        });
        for (name, value) in &sources.env {
            variables.insert(name.clone(), Variable { value: value.clone(), dotenv: false });
        }
        (Self { variables, base, dotenv, suspects }, read)
    }

    /// A variable's value and origin; one that is set to nothing counts as not set.
    pub(super) fn variable(&self, name: &str) -> Option<(&str, Origin)> {
        let (name, variable) = self.variables.get_key_value(name)?;
        let origin = Origin::Env { variable: name.clone(), dotenv: variable.dotenv };
        (!variable.value.is_empty()).then_some((variable.value.as_str(), origin))
    }

    /// The language of the locale; what the configuration says is stronger.
    pub(super) fn lang(&self) -> Lang {
        Lang::of_environment(|name| self.variable(name).map(|(text, _)| text))
    }

    /// The variables whose names start with `prefix`, with the rest of their names.
    pub(super) fn with_prefix<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str, Origin)> {
        self.variables.iter().filter_map(move |(name, variable)| {
            let origin = Origin::Env { variable: name.clone(), dotenv: variable.dotenv };
            Some((name.strip_prefix(prefix)?, variable.value.as_str(), origin))
        })
    }

    /// The variables that name proxies, as they are spelt.
    pub(super) fn proxy_variables(&self) -> BTreeMap<String, String> {
        let names_proxy = |name: &&String| name.to_ascii_lowercase().ends_with("_proxy");
        let names = self.variables.keys().filter(names_proxy);
        names.map(|name| (name.clone(), self.variables[name].value.clone())).collect()
    }

    /// A path as written: `~/` is the home directory, relative paths start beside the file.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        match (written.strip_prefix("~/"), self.variable("HOME")) {
            (Some(rest), Some((home, _))) => Path::new(home).join(rest),
            (Some(_), None) | (None, _) => self.base.join(written),
        }
    }

    /// Where state lives by default: `$STATE_DIRECTORY` (systemd sets it; the part before the
    /// first colon), else `$XDG_STATE_HOME/larkline`, else `~/.local/state/larkline`, else
    /// `.larkline` beside the file.
    pub(super) fn state_dir(&self) -> PathBuf {
        if let Some((dirs, _)) = self.variable("STATE_DIRECTORY") {
            return PathBuf::from(dirs.split(':').next().unwrap_or(dirs));
        }
        let env = self.variables.iter().map(|(k, v)| (k.clone(), v.value.clone())).collect();
        let dir = directory(&env, "XDG_STATE_HOME", ".local/state");
        dir.map_or_else(|| self.base.join(".larkline"), |dir| dir.join("larkline"))
    }
}

/// The text of the file.
pub(super) fn read_file(path: &Path) -> Result<String, Both> {
    let system = |error: io::Error| Both::same(error);
    if std::fs::metadata(path).map_err(system)?.len() > FILE_BYTES_MAX {
        return Err(
            both!(zh: "超过 {FILE_BYTES_MAX} 字节", en: "larger than {FILE_BYTES_MAX} bytes"),
        );
    }
    std::fs::read_to_string(path).map_err(system)
}

/// The text of `.env`; none when there is no such file.
fn dotenv_text(path: &Path) -> Result<String, Both> {
    match std::fs::read_to_string(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        read => read.map_err(
            |e| both!(zh: "无法读取 {file}：{e}", en: "{file} cannot be read: {e}", file = path.display()),
        ),
    }
}

fn read_dotenv(path: &Path, text: &str, into: &mut BTreeMap<String, Variable>) -> Result<(), Both> {
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        let (name, value) = entry.map_err(|error| {
            if let dotenvy::Error::LineParse(line, _) = &error {
                return no_assignment(path, text, line);
            }
            both!(zh: "{file} 有错误：{error}", en: "{file}: {error}", file = path.display())
        })?;
        into.insert(name, Variable { value, dotenv: true });
    }
    Ok(())
}

/// What is said of a line that is none: where it is, and its name where it has one for certain. What
/// else stands there may be a secret, also in place of the name.
fn no_assignment(path: &Path, text: &str, line: &str) -> Both {
    let before = text.find(line).map_or(text, |at| &text[..at]);
    let number = before.matches('\n').count() + 1;
    let plain = |name: &&str| {
        name.contains('_')
            && name.bytes().all(|b| b == b'_' || b.is_ascii_uppercase() || b.is_ascii_digit())
    };
    let name = line.split_once('=').map(|(name, _)| name.trim()).filter(plain);
    match name {
        Some(name) => both!(
            zh: "{file} 第 {number} 行（`{name}`）不是 NAME=value",
            en: "{file}: line {number} (`{name}`) is not NAME=value", file = path.display()
        ),
        None => both!(
            zh: "{file} 第 {number} 行不是 NAME=value",
            en: "{file}: line {number} is not NAME=value", file = path.display()
        ),
    }
}
