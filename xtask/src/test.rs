//! `cargo xtask test`: the steps of CI, in order, each with its seconds.
//!
//! A failed step does not stop the others: one run shows everything that is wrong. What a step
//! checks is in the module of that name, or in the tool it calls.

use std::time::Duration;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{agents, deps, instructions, kernel, page, process, proof, proxy, sdk, tidy};

/// Longest time for one call of cargo, building from nothing on two slow cores included. A single
/// hanging test is ended much sooner, by `.config/nextest.toml`.
const CARGO_DEADLINE: Duration = Duration::from_secs(20 * 60);

/// What a step has to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests, laws or checks that held.
    pub(crate) passed: u32,
    /// Those that did not.
    pub(crate) failed: u32,
}

impl Tally {
    /// One check, held or not.
    pub(crate) const fn one(held: bool) -> Self {
        if held { Self { passed: 1, failed: 0 } } else { Self { passed: 0, failed: 1 } }
    }

    /// The sum of two.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

type Step = (&'static str, fn(&Workspace, Option<&str>) -> Result<Tally>);

/// Checks of the text; a filter skips them, because they have no tests to choose from.
const STATIC: [Step; 6] = [
    ("fmt", fmt),
    ("clippy", clippy),
    ("tidy", tidy_step),
    ("deps", deps_step),
    ("unarmed", proof::unarmed),
    ("instructions", |workspace, _| instructions::run(workspace, false)),
];
/// Checks of behaviour.
const DYNAMIC: [Step; 7] = [
    ("tests", tests),
    ("doctests", doctests),
    ("sdk", sdk::run),
    ("proxy", proxy::run),
    ("page", page::run),
    ("kernel", kernel::run),
    ("agents", agents::run),
];

/// Runs the steps and prints the closing line; `true` if nothing failed and something ran.
pub(crate) fn run(workspace: &Workspace, filter: Option<&str>) -> Result<bool> {
    let mut total = Tally::default();
    let mut summary = Vec::new();
    for (name, step) in steps(filter) {
        println!("== {name}");
        let start = process::now();
        let tally = step(workspace, filter).unwrap_or_else(|error| {
            println!("{name}: {error:#}");
            Tally::one(false)
        });
        let verdict = if tally.failed == 0 { "ok" } else { "FAILED" };
        let seconds = start.elapsed().as_secs_f64();
        let line = format!(
            "{name:<12} {verdict:<6} {seconds:6.1} s  {} passed, {} failed",
            tally.passed, tally.failed
        );
        println!("== {line}");
        summary.push(line);
        total = total.and(tally);
    }
    println!("\n{}\n", summary.join("\n"));
    println!("{} passed, {} failed", total.passed, total.failed);
    Ok(total.failed == 0 && total.passed > 0)
}

/// The steps of a run, in order: with a filter that begins with a step's name that step alone.
fn steps(filter: Option<&str>) -> Vec<Step> {
    let Some(filter) = filter else { return STATIC.iter().chain(&DYNAMIC).copied().collect() };
    let named = |(name, _): &Step| filter.split("::").next() == Some(name);
    match DYNAMIC.iter().copied().find(named) {
        Some(alone) => vec![alone],
        None => DYNAMIC.to_vec(),
    }
}

/// Passes a line on.
fn show(line: &str) {
    println!("{line}");
}

fn fmt(workspace: &Workspace, _: Option<&str>) -> Result<Tally> {
    let mut cargo = workspace.cargo();
    cargo.args(["fmt", "--all", "--", "--check", "--files-with-diff"]);
    let formatted = process::stream(&mut cargo, CARGO_DEADLINE, show)?;
    if !formatted {
        println!("fmt: these files are not formatted; run `cargo fmt --all`");
    }
    Ok(Tally::one(formatted))
}

fn clippy(workspace: &Workspace, _: Option<&str>) -> Result<Tally> {
    let mut cargo = workspace.cargo();
    cargo.args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]);
    Ok(Tally::one(process::stream(&mut cargo, CARGO_DEADLINE, show)?))
}

fn tidy_step(workspace: &Workspace, _: Option<&str>) -> Result<Tally> {
    Ok(Tally::one(crate::report("tidy", &tidy::check(workspace)?)))
}

fn deps_step(workspace: &Workspace, _: Option<&str>) -> Result<Tally> {
    Ok(Tally::one(crate::report("deps", &deps::check(workspace)?)))
}

/// The Rust tests, corpora of the fuzz targets among them.
fn tests(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let found = workspace.cargo().args(["nextest", "--version"]).output();
    let mut cargo = workspace.cargo();
    if found.is_ok_and(|found| found.status.success()) {
        cargo.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]);
        // Silence for what passed; the closing line counts it.
        cargo.args(["--status-level=fail", "--final-status-level=fail"]);
        cargo.args(["--no-tests=pass", "--color=never"]);
    } else {
        println!("cargo-nextest is not installed: `cargo test` runs the same tests, slower");
        cargo.args(["test", "--workspace", "--locked", "--no-fail-fast"]);
        cargo.args(["--lib", "--bins", "--tests"]);
    }
    counted(cargo.args(filter))
}

/// The examples in the documentation, which nextest does not run.
fn doctests(workspace: &Workspace, filter: Option<&str>) -> Result<Tally> {
    let mut cargo = workspace.cargo();
    cargo.args(["test", "--quiet", "--workspace", "--locked", "--no-fail-fast", "--doc"]);
    counted(cargo.args(filter))
}

/// Runs a test runner and adds up what it says; a failure that it does not count is one.
fn counted(command: &mut std::process::Command) -> Result<Tally> {
    let mut tally = Tally::default();
    let passed = process::stream(command, CARGO_DEADLINE, |line| {
        show(line);
        tally = tally.and(counts(line).unwrap_or_default());
    })?;
    if !passed && tally.failed == 0 {
        tally.failed = 1;
    }
    Ok(tally)
}

/// Reads the closing line of nextest or of one of cargo's test binaries.
fn counts(line: &str) -> Option<Tally> {
    let line = line.trim();
    if let Some(result) = line.strip_prefix("test result: ") {
        return Some(Tally {
            passed: before(result, " passed")?,
            failed: before(result, " failed")?,
        });
    }
    let summary = line.strip_prefix("Summary ")?;
    let run = before(summary, " tests run:").or_else(|| before(summary, " test run:"))?;
    let passed = before(summary, " passed").unwrap_or(0);
    Some(Tally { passed, failed: run.saturating_sub(passed) })
}

/// The number that stands right before `word`.
fn before(text: &str, word: &str) -> Option<u32> {
    let (head, _) = text.split_once(word)?;
    head.rsplit([' ', '(', '/']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_with_the_name_of_a_step_runs_it_alone() {
        let names = |filter| steps(filter).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        for filter in ["agents", "agents::session::first_turn"] {
            assert_eq!(names(Some(filter)), ["agents"]);
        }
        for filter in [None, Some("first_turn"), Some("agentsmith::x")] {
            assert!(names(filter).contains(&"sdk") && names(filter).contains(&"agents"));
        }
    }

    #[test]
    fn closing_lines_of_both_runners_are_counted() {
        let tally = |passed, failed| Some(Tally { passed, failed });
        assert_eq!(
            counts("     Summary [   0.007s] 3 tests run: 2 passed (1 slow), 1 failed, 4 skipped"),
            tally(2, 1)
        );
        assert_eq!(counts("  Summary [ 0.007s] 1 test run: 0 passed, 1 timed out"), tally(0, 1));
        assert_eq!(counts("  Summary [ 0.007s] 5/9 tests run: 4 passed, 1 failed"), tally(4, 5));
        assert_eq!(counts("test result: FAILED. 5 passed; 2 failed; 0 ignored"), tally(5, 2));
        assert_eq!(counts("running 3 tests"), None);
    }
}
