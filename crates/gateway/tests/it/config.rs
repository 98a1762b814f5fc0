//! The configuration from outside: a file and an environment in, a `Config` or all problems
//! out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use larkline_gateway::config::{Config, ConfigErrors, Handler, Sources};
use tempfile::TempDir;

/// A minimal app.
const APP: &str =
    "[app.main]\napp_id = \"cli_a1b2c3d4e5f60718\"\napp_secret = { env = \"SECRET\" }\n";

struct Case {
    dir: TempDir,
    sources: Sources,
}

impl Case {
    /// A working directory of its own, with this file; no file when it is empty.
    fn new(file: &str) -> Self {
        let dir = TempDir::new().unwrap();
        if !file.is_empty() {
            write(&dir.path().join("larkline.toml"), file, 0o600);
        }
        let home = dir.path().join("home").display().to_string();
        let env = [("SECRET", "s3cr3t-value"), ("HOME", home.as_str())];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let sources = Sources { cwd: dir.path().to_owned(), env, ..Sources::default() };
        Self { dir, sources }
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.sources.env.insert(name.to_owned(), value.to_owned());
        self
    }

    fn load(&self) -> Result<Config, ConfigErrors> {
        Config::load(&self.sources)
    }

    /// The problems as rendered, the case's directory left out.
    fn problems(&self) -> String {
        let errors = self.load().expect_err("the configuration is wrong");
        errors.to_string().replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn write(path: &Path, text: &str, mode: u32) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn two_keys_suffice() {
    let config = Case::new(APP).load().unwrap();
    assert_eq!(config.apps.len(), 1);
    assert_eq!(config.apps[0].domain.as_str(), "https://open.feishu.cn/");
    assert_eq!(config.routes[0].handler, "echo");
    assert!(matches!(config.handlers["echo"], Handler::Echo(_)));
    assert_eq!(config.governor.chat.points, 5);
    assert_eq!(config.limits.drain, Duration::from_secs(30));
}

#[test]
fn a_variable_overrides_the_file() {
    let file = format!("{APP}[governor]\nchat_per_second = 3\n");
    let case = Case::new(&file).env("LARKLINE__GOVERNOR__CHAT_PER_SECOND", "2");
    assert_eq!(case.load().unwrap().governor.chat.points, 2);
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_name() {
    let case = Case::new(&format!("{APP}domian = \"lark\"\n"));
    insta::assert_snapshot!(case.problems(), @r#"
    error: unknown key `domian` in `app.main`
     --> larkline.toml:4:1
      |
    4 | domian = "lark"
      | ^^^^^^
      |
      = help: did you mean `domain`?

    warning: there is no route: the built-in echo answers everyone, because no owner is known
    --> larkline.toml
     = help: add a [[route]] with a handler of yours

    1 problem in the configuration; nothing was started or changed
    "#);
}
