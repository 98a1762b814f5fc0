//! The configuration from outside: a file and an environment in, a `Config` or all problems
//! out.

mod documents;
mod exposure;
mod loading;
mod models;
mod problems;
mod secrets;
mod showing;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use larkline_gateway::config::{Config, ConfigErrors, Flag, Sources};
use larkline_gateway::words::Lang;
use tempfile::TempDir;

/// An app that is right.
const APP: &str = r#"[app.main]
app_id = "cli_a1b2c3d4e5f60718"
app_secret = { env = "SECRET" }
owners = ["ou_1"]
"#;

/// What the variable `SECRET` holds.
const SECRET: &str = "s3cr3t-value";

struct Case {
    dir: TempDir,
    sources: Sources,
}

impl Case {
    /// A working directory of its own, without a file.
    fn without_file() -> Self {
        let dir = TempDir::new().unwrap();
        let sources = Sources { cwd: dir.path().to_owned(), ..Sources::default() };
        // A home of its own keeps the configuration of whoever runs this out.
        let home = dir.path().join("home").display().to_string();
        Self { dir, sources }.env("HOME", &home)
    }

    /// A working directory with this file.
    fn new(file: &str) -> Self {
        let case = Self::without_file().env("SECRET", SECRET);
        case.write("larkline.toml", file, 0o600);
        case
    }

    /// [`APP`] and this after it.
    fn with_app(rest: &str) -> Self {
        Self::new(&format!("{APP}{rest}"))
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn flag(mut self, flag: &str, key: &str, value: &str) -> Self {
        let [flag, key, value] = [flag, key, value].map(str::to_owned);
        self.sources.flags.push(Flag { flag, key, value });
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(&self.sources)
    }

    /// The configuration, which is right.
    fn config(&self) -> Config {
        self.load().unwrap_or_else(|errors| panic!("{errors}"))
    }

    /// The problems as people see them, the case's directory left out.
    fn problems(&self) -> String {
        self.clean(&self.load().expect_err("the configuration is wrong").to_string())
    }

    /// The messages of the problems, one a line.
    fn titles(&self) -> String {
        let errors = self.load().expect_err("the configuration is wrong");
        let titles: Vec<String> =
            errors.problems().iter().map(|problem| problem.title(Lang::En)).collect();
        self.clean(&titles.join("\n"))
    }

    /// The messages of the warnings, one a line.
    fn warnings(&self) -> String {
        let titles: Vec<String> =
            self.config().warnings.iter().map(|w| w.title(Lang::En)).collect();
        self.clean(&titles.join("\n"))
    }

    fn clean(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}
