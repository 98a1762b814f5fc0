//! The chat page and the dashboard in a browser: `tests/page/laws.js` judges, `screenshots.js` takes the pictures for the documents.
//!
//! Both drive Debian's Chromium on the real `larkline demo`, which this builds. What is installed for
//! that, and where, is in `installed`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::test::Tally;
use crate::workspace::Workspace;
use crate::{installed, process, sdk};

/// The judge, and the files that hold its laws.
const JUDGE: &str = "tests/page/laws.js";
const LAWS: [&str; 3] =
    ["tests/page/chat_laws.js", "tests/page/fault_laws.js", "tests/page/dashboard_laws.js"];
/// The photographer, and where the pictures go.
const SCREENSHOTS: &str = "tests/page/screenshots.js";
const IMAGES: &str = "docs/images";
/// Longest time for all pictures.
const DEADLINE: Duration = Duration::from_secs(5 * 60);

/// All laws of the page, or those whose name contains the filter.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let texts = LAWS.map(|file| fs::read_to_string(workspace.root.join(file)));
    let text = texts.into_iter().collect::<std::io::Result<String>>()?;
    if !sdk::chosen(laws(&text), "page", filter) {
        return Ok(Tally::default());
    }
    let mut judge = browser(workspace, JUDGE)?;
    judge.args(filter.map(|filter| ["--filter", filter]).into_iter().flatten());
    sdk::verdicts(&mut judge)
}

/// Takes the pictures anew; `true` when all were taken.
pub(crate) fn screenshots(workspace: &Workspace) -> Result<bool> {
    let out = workspace.root.join(IMAGES);
    fs::create_dir_all(&out)?;
    let mut script = browser(workspace, SCREENSHOTS)?;
    process::stream(script.arg("--out").arg(out), DEADLINE, |line| println!("{line}"))
}

/// A script with all that it needs.
fn browser(workspace: &Workspace, script: &str) -> Result<Command> {
    let chromium = installed::chromium()?;
    let modules = installed::node_modules(workspace, "page")?;
    let program = sdk::built(workspace, &["-p", "larkline-cli", "--bin", "larkline"])?;
    let mut node = Command::new("node");
    node.env("NODE_PATH", modules).arg(workspace.root.join(script));
    node.arg("--program").arg(program).arg("--chromium").arg(chromium);
    Ok(node)
}

/// The names of the laws in the judge's text.
fn laws(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| line.strip_prefix("async function ")?.strip_suffix("(stage) {"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_are_functions_of_a_stage() {
        let text =
            "async function it_grows(stage) {\nasync function judge(stage, law) {\nfunction a(b) {";
        assert_eq!(laws(text).collect::<Vec<_>>(), ["it_grows"]);
        assert!(sdk::chosen(laws(text), "page", Some("page::it")));
    }
}
