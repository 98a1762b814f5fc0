//! The official SDKs, unmodified, against the simulator: `tests/sdk/laws.py` judges, this starts it.
//!
//! The laws themselves, and what a bot must do to be judged, are in that script. Then `scripts.py`
//! plays the simulator's ready scripts to the bots that `docs/simulator.md` shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::installed;
use crate::process::{self, Server};
use crate::test::Tally;
use crate::workspace::Workspace;

/// The judge.
pub(crate) const LAWS: &str = "tests/sdk/laws.py";
/// Plays the ready scripts to the bots of a document.
const PLAYER: &str = "tests/sdk/scripts.py";
/// Where those bots are shown.
const DOCUMENT: &str = "docs/simulator.md";
/// The ready scripts.
const SCRIPTS: &str = "crates/sim/scripts";
/// Longest time for all laws of one bot; the judge's own waits are shorter.
const DEADLINE: Duration = Duration::from_secs(5 * 60);
/// Longest time until the simulator says where it listens.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// Both SDKs, one after the other, each with a simulator of its own.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let scripts = workspace.root.join("tests/sdk");
    let text = fs::read_to_string(workspace.root.join(LAWS))?;
    let mut tally = Tally::default();
    for (name, script) in [("sdk::python", "bot.py"), ("sdk::node", "bot.js")] {
        if !chosen(laws(&text), name, filter) {
            continue;
        }
        let python = installed::python(workspace)?;
        let modules = installed::node_modules(workspace, "sdk")?;
        let interpreter = if script == "bot.py" { python.clone() } else { PathBuf::from("node") };
        let simulator = simulator(workspace)?;
        let mut judge = Command::new(python);
        judge.env("NODE_PATH", modules).arg(workspace.root.join(LAWS));
        judge.args(["--sim", &simulator.said, "--name", name]);
        judge.args(filter.map(|filter| format!("--filter={filter}")));
        judge.arg("--").arg(interpreter).arg(scripts.join(script));
        tally = tally.and(verdicts(&mut judge)?);
    }
    for (name, language) in [("scripts::python", "python"), ("scripts::node", "js")] {
        tally = tally.and(play(workspace, name, language, filter)?);
    }
    Ok(tally)
}

/// The ready scripts, one after the other, each with a simulator and a bot of its own.
fn play(workspace: &Workspace, name: &str, language: &str, filter: Option<&str>) -> Result<Tally> {
    let mut scripts = Vec::new();
    for entry in fs::read_dir(workspace.root.join(SCRIPTS))? {
        scripts.push(entry?.path());
    }
    scripts.sort();
    let stems = scripts.iter().filter_map(|path| path.file_stem()?.to_str());
    if !chosen(stems, name, filter) {
        return Ok(Tally::default());
    }
    let python = installed::python(workspace)?;
    let modules = installed::node_modules(workspace, "sdk")?;
    let larkline = built(workspace, &["-p", "larkline-cli", "--bin", "larkline"])?;
    let mut player = Command::new(python);
    player.env("NODE_PATH", modules).arg(workspace.root.join(PLAYER));
    player.arg("--larkline").arg(larkline).arg("--document").arg(workspace.root.join(DOCUMENT));
    player.args(["--language", language, "--name", name]);
    player.args(filter.map(|filter| format!("--filter={filter}")));
    verdicts(player.args(scripts))
}

/// The names of the laws in the judge's text.
fn laws(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("def ")?.strip_suffix("(platform):"))
}

/// Whether one of `laws`, judged for the bot `name`, has the filter in its full name.
pub(crate) fn chosen<'a>(
    mut laws: impl Iterator<Item = &'a str>,
    name: &str,
    filter: Option<&str>,
) -> bool {
    laws.any(|law| filter.is_none_or(|filter| format!("{name}::{law}").contains(filter)))
}

/// A fresh platform; `said` is its URL.
pub(crate) fn simulator(workspace: &Workspace) -> Result<Server> {
    let program = built(workspace, &["-p", "larkline-sim", "--example", "serve"])?;
    Server::start(&mut Command::new(program), START_DEADLINE).context("the simulator")
}

/// Builds one executable and says where it is.
pub(crate) fn built(workspace: &Workspace, which: &[&str]) -> Result<PathBuf> {
    let mut cargo = workspace.cargo();
    cargo
        .args(["build", "--locked", "--quiet", "--message-format=json-render-diagnostics"])
        .args(which);
    let messages = crate::workspace::output(&mut cargo)?;
    let mut executable = messages.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(Path::new(message["executable"].as_str()?).to_owned())
    });
    executable.next_back().context("cargo built no executable")
}

/// Runs a judge, prints one line per law and counts them.
pub(crate) fn verdicts(judge: &mut Command) -> Result<Tally> {
    verdicts_within(judge, DEADLINE)
}

/// The same with another deadline for all laws.
pub(crate) fn verdicts_within(judge: &mut Command, deadline: Duration) -> Result<Tally> {
    let mut tally = Tally::default();
    let ended_well = process::stream(judge, deadline, |line| match verdict(line) {
        Some((held, text)) => {
            println!("{text}");
            tally = tally.and(Tally::one(held));
        }
        None => println!("{line}"),
    })?;
    if !ended_well && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// One line of the judge: whether the law held, and a line for people.
fn verdict(line: &str) -> Option<(bool, String)> {
    let verdict: Value = serde_json::from_str(line).ok()?;
    let (law, held) = (verdict["law"].as_str()?, verdict["held"].as_bool()?);
    let seconds = verdict["seconds"].as_f64().unwrap_or_default();
    let why = verdict["why"].as_str().unwrap_or_default();
    let word = if held { "ok" } else { "FAILED" };
    Some((held, format!("{word:<6} {seconds:5.1} s  {law}  {why}").trim_end().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_law_that_did_not_hold_counts_as_failed() {
        let mut judge = Command::new("printf");
        judge.arg(
            "{\"law\": \"a\", \"held\": true, \"seconds\": 1}\\nnoise\\n\
             {\"law\": \"b\", \"held\": false, \"why\": \"no answer\"}\\n",
        );
        assert_eq!(verdicts(&mut judge).unwrap(), Tally { passed: 1, failed: 1 });
    }

    #[test]
    fn a_filter_chooses_by_the_full_name() {
        let text = "def a_reset(platform):\n    pass\ndef comes_back(platform, old):\n";
        assert!(chosen(laws(text), "sdk::node", None));
        assert!(chosen(laws(text), "sdk::node", Some("node::a_reset")));
        assert!(!chosen(laws(text), "sdk::node", Some("python")));
        assert!(!chosen(laws(text), "sdk::node", Some("comes_back")));
    }

    #[test]
    fn a_judge_that_breaks_down_counts_as_failed() {
        assert_eq!(verdicts(&mut Command::new("false")).unwrap(), Tally::one(false));
    }
}
