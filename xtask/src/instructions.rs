//! How many instructions one event costs, held against what it cost before.
//!
//! Valgrind counts them, so a busy machine changes nothing. Two runs of different length are
//! subtracted, so that what a start costs does not matter. What is counted is in
//! `crates/store/examples/instructions.rs`.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::test::Tally;
use crate::workspace::{self, Workspace};
use crate::{installed, sdk};

/// What each scenario cost when it was last looked at.
const BASELINE: &str = "xtask/src/instructions.txt";
/// Another compiler of the same series moves a count by a few in a hundred; a parse or a copy that
/// came in moves it by more.
const TOLERANCE_PERCENT: u64 = 10;
/// Lengths of the two runs.
const RUNS: [u64; 2] = [200, 1200];

/// Counts, and compares; with `write` the counts become the new baseline.
pub(crate) fn run(workspace: &Workspace, write: bool) -> Result<Tally> {
    let path = workspace.root.join(BASELINE);
    let baseline = fs::read_to_string(&path)?;
    installed::on_the_path("valgrind", "valgrind")?;
    let program =
        sdk::built(workspace, &["--release", "-p", "larkline-store", "--example", "instructions"])?;
    let (mut tally, mut found) = (Tally::default(), String::new());
    for line in baseline.lines() {
        let (scenario, before) = line.split_once(' ').context("a line of the baseline")?;
        let before: u64 = before.parse()?;
        let mut totals = RUNS.map(|_| 0);
        for (total, times) in totals.iter_mut().zip(RUNS) {
            let mut counted = Command::new("valgrind");
            counted.args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--log-fd=1"]);
            counted.arg(&program).args([scenario, &times.to_string()]);
            *total = collected(&workspace::output(&mut counted)?)?;
        }
        let each = (totals[1] - totals[0]) / (RUNS[1] - RUNS[0]);
        let held = each * 100 <= before * (100 + TOLERANCE_PERCENT);
        let word = if held { "ok" } else { "FAILED" };
        println!("{word:<6} {scenario}: {each} instructions an event, {before} before");
        if !held && !write {
            println!(
                "instructions: {scenario} got dearer by more than {TOLERANCE_PERCENT} %; see why, or, if it \
                 is worth it, take the new count with `cargo xtask instructions --write`"
            );
        }
        tally = tally.and(Tally::one(held || write));
        found.push_str(&format!("{scenario} {each}\n"));
    }
    if write {
        fs::write(&path, found)?;
    }
    Ok(tally)
}

/// The total in callgrind's report: `==123== Collected : 4567`.
fn collected(report: &str) -> Result<u64> {
    let count =
        report.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse().ok());
    count.context("callgrind reported no count")
}

#[cfg(test)]
mod tests {
    use super::collected;

    #[test]
    fn a_count_is_read_from_callgrinds_report() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 4567\n").unwrap(), 4567);
        assert!(collected("==7== nothing").is_err());
    }
}
