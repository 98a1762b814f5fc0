//! The real coding agents behind the gateway: `tests/agents/laws.py` judges, this starts what it needs.
//!
//! Claude Code, Codex and Codex' adapter for ACP come from npm, pinned by `tests/agents/package-lock.json`; the models'
//! services are the two fakes in that folder. What the gateway must keep to is in the judge.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Server;
use crate::test::Tally;
use crate::workspace::Workspace;
use crate::{installed, sdk};

/// The judge, and the fakes beside it.
const FOLDER: &str = "tests/agents";
/// What the laws are called in front of their names.
const NAME: &str = "agents";
/// What the name of a file with laws ends with.
const LAWS: &str = "_laws.py";
/// So many laws run at once, each on a simulator of its own: most of them wait.
const SIMULATORS: usize = 2;
/// Longest time for all laws: an agent needs a second to start, and some laws start three.
const DEADLINE: Duration = Duration::from_secs(15 * 60);
/// Longest time until a fake says where it listens.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How a fake's opening line begins.
const LISTENS: &str = "listening on ";

/// All laws in one run, each with a gateway of its own.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let folder = workspace.root.join(FOLDER);
    let laws = laws(&folder)?;
    if !sdk::chosen(laws.iter().map(String::as_str), NAME, filter) {
        return Ok(Tally::default());
    }
    let python = installed::python(workspace)?;
    let modules = installed::node_modules(workspace, "agents")?;
    let sandbox = installed::sandbox(workspace);
    let larkline = sdk::built(workspace, &["-p", "larkline-cli", "--bin", "larkline"])?;
    // Not below the system's folder of temporary files, where Codex refuses to put its own.
    let home = workspace.cache().join("run/agents");
    installed::clear(&home)?;
    let home = home.canonicalize()?;
    let anthropic = Fake::start(&python, &folder, &home, "anthropic")?;
    let openai = Fake::start(&python, &folder, &home, "openai")?;
    let mut judge = Command::new(python);
    judge.arg(folder.join("laws.py")).args(["--name", NAME]);
    let simulators: Vec<Server> =
        (0..SIMULATORS).map(|_| sdk::simulator(workspace)).collect::<Result<_>>()?;
    for simulator in &simulators {
        judge.args(["--sim", &simulator.said]);
    }
    judge.arg("--larkline").arg(larkline).arg("--home").arg(home.join("laws"));
    judge.arg("--claude").arg(claude(&modules)?).arg("--codex").arg(codex(&modules)?);
    judge.arg("--acp").arg(acp(&modules)?);
    judge.args(["--anthropic", &anthropic.url]).arg("--anthropic-log").arg(&anthropic.log);
    judge.args(["--openai", &openai.url]).arg("--openai-log").arg(&openai.log);
    for (option, value) in [
        ("sandbox", sandbox.map(|folder| folder.display().to_string())),
        ("filter", filter.map(str::to_owned)),
    ] {
        judge.args(value.map(|value| format!("--{option}={value}")));
    }
    sdk::verdicts_within(&mut judge, DEADLINE)
}

/// A stand-in for a model's service.
struct Fake {
    url: String,
    /// Every request as a line of JSON.
    log: PathBuf,
    _server: Server,
}

impl Fake {
    fn start(python: &Path, folder: &Path, home: &Path, name: &str) -> Result<Self> {
        let log = home.join(format!("{name}.jsonl"));
        let mut command = Command::new(python);
        command.arg(folder.join(format!("fake_{name}.py"))).args(["--port", "0", "--log"]);
        let server = Server::start(command.arg(&log), START_DEADLINE)
            .with_context(|| format!("the fake of {name}"))?;
        let url = server.said.strip_prefix(LISTENS);
        let url = url.with_context(|| format!("the fake said `{}`", server.said))?.to_owned();
        Ok(Self { url, log, _server: server })
    }
}

/// The names of all laws, `file::law`.
fn laws(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if let Some(file) = file.strip_suffix(LAWS) {
            let text = fs::read_to_string(&path)?;
            names.extend(declared(&text).map(|law| format!("{file}::{law}")));
        }
    }
    Ok(names)
}

/// The laws in one file.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines();
    std::iter::from_fn(move || {
        lines.find(|line| line.starts_with("@law("))?;
        lines.next()?.strip_prefix("def ")?.strip_suffix("(world):")
    })
}

/// Claude Code's own program. The packages are installed without their scripts, so the one that
/// npm puts on its path only says that it is missing.
fn claude(modules: &Path) -> Result<PathBuf> {
    let family = modules.join("@anthropic-ai");
    found(&family, |package| package.starts_with("claude-code-"), |package| package.join("claude"))
}

/// Codex's own program; the one on npm's path starts it by Node.
fn codex(modules: &Path) -> Result<PathBuf> {
    let package =
        found(&modules.join("@openai"), |name| name.starts_with("codex-"), Path::to_owned)?;
    found(&package.join("vendor"), |_| true, |platform| platform.join("bin/codex"))
}

/// Codex' adapter for the Agent Client Protocol.
fn acp(modules: &Path) -> Result<PathBuf> {
    let family = modules.join("@zed-industries");
    found(&family, |name| name.starts_with("codex-acp-"), |package| package.join("bin/codex-acp"))
}

/// What `of` makes of the entry of a folder that is wanted, the first by name that exists.
fn found(
    folder: &Path,
    wanted: impl Fn(&str) -> bool,
    of: impl Fn(&Path) -> PathBuf,
) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("{} is missing", folder.display()))?;
    let mut paths = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(&wanted) {
            paths.push(of(&entry.path()));
        }
    }
    paths.sort();
    let path = paths.into_iter().find(|path| path.exists());
    path.with_context(|| {
        format!("{} holds no program for this machine; npm installs one for each", folder.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_the_functions_that_are_marked() {
        let text = "def a_turn(world):\n    pass\n\n@law(key=False)\ndef first(world):\n    pass\n\n\
                    @law()\ndef second(world):\n";
        assert_eq!(declared(text).collect::<Vec<_>>(), ["first", "second"]);
    }

    #[test]
    fn the_program_of_the_machine_is_found_among_the_packages() {
        let folder = std::env::temp_dir().join(format!("xtask-agents-{}", std::process::id()));
        let bin = folder.join("@openai/codex-linux-x64/vendor/x/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(folder.join("@openai/codex")).unwrap();
        fs::create_dir_all(folder.join("@anthropic-ai/claude-code-linux-x64")).unwrap();
        fs::write(bin.join("codex"), "").unwrap();
        assert_eq!(codex(&folder).unwrap(), bin.join("codex"));
        assert!(claude(&folder).unwrap_err().to_string().contains("no program"));
        fs::remove_dir_all(folder).unwrap();
    }
}
