//! The long runs of what breaks the product on purpose: `crash`, `chaos`, `soak`.
//!
//! The runs themselves are tests of the binary, in `crates/cli/tests/it/proof`, whose short form is
//! part of every test run. Here they get their size and their seed from the command line, and their
//! results are added up. Also: that nothing of it is in the binary that ships.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::sdk;
use crate::test::Tally;
use crate::workspace::Workspace;

/// Longest time for a run that somebody waits for: a night.
const DEADLINE: Duration = Duration::from_secs(12 * 3600);
/// What only a test build can be told, by name.
const ORDERS: [&str; 3] = ["LARKLINE_FAILPOINT", "LARKLINE_STALL", "LARKLINE_CLOCK"];

/// A run: the tests that are it, and the options that it takes with the variables they set.
struct Run {
    name: &'static str,
    tests: &'static str,
    options: &'static [(&'static str, &'static str)],
}

/// `cargo xtask crash [--kills N] [--random N] [--seed S]`.
pub(crate) fn crash(workspace: &Workspace, options: &[&str]) -> Result<bool> {
    let run = Run {
        name: "crash",
        tests: "proof::matrix",
        options: &[
            ("--kills", "LARKLINE_CRASH_KILLS"),
            ("--random", "LARKLINE_CRASH_RANDOM"),
            ("--seed", "LARKLINE_TEST_SEED"),
        ],
    };
    let (passed, lines) = go(workspace, &run, options)?;
    let rows: Vec<[u64; 4]> = lines.iter().filter_map(|line| row(line)).collect();
    let sum = |at: usize| rows.iter().map(|row| row[at]).sum::<u64>();
    let kills = rows.iter().map(|row| row[1]).max().unwrap_or(0);
    let verdict = if passed { "lost 0, doubled 0, out of order 0" } else { "FAILED, see above" };
    println!(
        "crash matrix: {} steps x {kills} kills and {} kills at random, {} messages, {verdict}",
        sum(0),
        sum(2),
        sum(3)
    );
    Ok(passed)
}

/// `cargo xtask chaos [--hours N] [--seed S]`.
pub(crate) fn chaos(workspace: &Workspace, options: &[&str]) -> Result<bool> {
    let run = Run {
        name: "chaos",
        tests: "proof::chaos::chaos_of_a_fresh_seed",
        options: &[("--hours", "LARKLINE_CHAOS_HOURS"), ("--seed", "LARKLINE_TEST_SEED")],
    };
    Ok(go(workspace, &run, options)?.0)
}

/// `cargo xtask soak [--days N]`.
pub(crate) fn soak(workspace: &Workspace, options: &[&str]) -> Result<bool> {
    let options_known = &[("--days", "LARKLINE_SOAK_DAYS")];
    let run = Run { name: "soak", tests: "proof::soak", options: options_known };
    Ok(go(workspace, &run, options)?.0)
}

/// The numbers of a line `crash: 23 steps, 3 kills each, 0 at random, 110 messages`.
fn row(line: &str) -> Option<[u64; 4]> {
    let numbers = line.split_once("crash: ")?.1.split(", ");
    let numbers: Vec<u64> =
        numbers.filter_map(|part| part.split(' ').next()?.parse().ok()).collect();
    numbers.try_into().ok()
}

/// Runs the tests of a run one after the other; its lines are shown and kept in `.cache/proof`.
fn go(workspace: &Workspace, run: &Run, options: &[&str]) -> Result<(bool, Vec<String>)> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--locked", "--package", "larkline-cli", "--test", "it", run.tests]);
    cargo.args(["--", "--nocapture", "--test-threads=1"]).env("RUST_BACKTRACE", "0");
    for pair in options.chunks(2) {
        let known = run.options.iter().find(|(option, _)| *option == pair[0]);
        let (Some((_, variable)), [_, value]) = (known, pair) else {
            let known: Vec<&str> = run.options.iter().map(|(option, _)| *option).collect();
            bail!("`cargo xtask {}` takes {} with a number each", run.name, known.join(", "));
        };
        value
            .parse::<u64>()
            .with_context(|| format!("{} {value}: a number is expected", pair[0]))?;
        cargo.env(variable, value);
    }
    let mut lines = Vec::new();
    let passed = process::stream(&mut cargo, DEADLINE, |line| {
        println!("{line}");
        lines.push(line.to_owned());
    })?;
    let folder = workspace.cache().join("proof");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{}.log", run.name)), lines.join("\n"))?;
    if passed && !lines.iter().any(|line| ran(line)) {
        bail!(
            "no test is called `{}`, so nothing was run; name it in xtask/src/proof.rs",
            run.tests
        );
    }
    Ok((passed, lines))
}

/// Whether a line says that at least one test was run.
fn ran(line: &str) -> bool {
    line.strip_prefix("test result: ").is_some_and(|result| !result.contains(" 0 passed; 0 failed"))
}

/// The binary as it ships knows none of the orders that a test build obeys.
pub(crate) fn unarmed(workspace: &Workspace, _: Option<&str>) -> Result<Tally> {
    let binary = fs::read(sdk::built(workspace, &["-p", "larkline-cli", "--bin", "larkline"])?)?;
    let mut tally = Tally::default();
    for order in ORDERS {
        let found = binary.windows(order.len()).any(|bytes| bytes == order.as_bytes());
        if found {
            println!(
                "unarmed: `{order}` is in the binary; who turns `larkline-failpoint/armed` on?"
            );
        }
        tally = tally.and(Tally::one(!found));
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_of_a_matrix_are_added_up() {
        let line = "crash: 23 steps, 3 kills each, 10 at random, 110 messages";
        assert_eq!(row(line), Some([23, 3, 10, 110]));
        assert_eq!(row("running 6 tests"), None);
    }

    #[test]
    fn a_run_of_no_test_is_none() {
        let result = |n| format!("test result: ok. {n} passed; 0 failed; 0 ignored; 0 measured");
        assert!(ran(&result(10)) && !ran(&result(0)) && !ran("running 0 tests"));
    }
}
