//! Developer tasks: what CI runs is what a developer runs, and it is this.
//!
//! `main` chooses the task; each task is a module. Nothing here is part of the product, and nothing
//! in the product depends on it.
#![expect(clippy::print_stdout, reason = "a developer's tool talks on its stdout")]

use std::process::ExitCode;

use anyhow::Result;

mod agents;
mod bench;
mod deps;
mod docs;
mod installed;
mod instructions;
mod kernel;
mod page;
mod process;
mod proof;
mod proxy;
mod sdk;
mod test;
mod tidy;
mod workspace;

use workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask test [FILTER]   everything CI runs; with FILTER only the tests whose name contains it
       cargo xtask test agents     the real coding agents behind the gateway alone; any step's name does the like
       cargo xtask tidy            the house rules that the compiler cannot check
       cargo xtask deps            licences, banned crates, C code, duplicates
       cargo xtask crash           kills the gateway at every step, many times (docs/proof.md)
       cargo xtask chaos           hours of faults by a seed
       cargo xtask soak            days of lost links
       cargo xtask bench           measures and writes docs/performance.md; --quick, --only NAME
       cargo xtask instructions    what an event costs, against xtask/src/instructions.txt; --write takes it
       cargo xtask docs            writes what documents repeat from the code
       cargo xtask screenshots     takes the pictures of the chat page in docs/images anew";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("xtask: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the task that `args` name; `true` means that every check passed.
fn run(args: &[&str]) -> Result<bool> {
    let workspace = Workspace::find()?;
    match args {
        ["test"] => test::run(&workspace, None),
        ["test", filter] => test::run(&workspace, Some(filter)),
        ["tidy"] => Ok(report("tidy", &tidy::check(&workspace)?)),
        ["deps"] => Ok(report("deps", &deps::check(&workspace)?)),
        ["chaos", options @ ..] => proof::chaos(&workspace, options),
        ["crash", options @ ..] => proof::crash(&workspace, options),
        ["screenshots"] => page::screenshots(&workspace),
        ["soak", options @ ..] => proof::soak(&workspace, options),
        ["bench", options @ ..] => bench::run(&workspace, options),
        ["instructions"] => instructions::run(&workspace, false).map(|tally| tally.failed == 0),
        ["instructions", "--write"] => instructions::run(&workspace, true).map(|_| true),
        ["docs"] => docs::write(&workspace).map(|()| true),
        _ => anyhow::bail!("unknown task\n{USAGE}"),
    }
}

/// Prints every problem on a line of its own; `true` if there is none.
fn report(task: &str, problems: &[String]) -> bool {
    for problem in problems {
        println!("{task}: {problem}");
    }
    println!("{task}: {} problems", problems.len());
    problems.is_empty()
}
