//! `cargo xtask bench`: every number of `docs/performance.md`, measured in one run.
//!
//! Ours and the official Node and Python SDKs run against the same simulator, one after the other in
//! interleaved rounds. Nothing here is a test: a machine that is busy gives other numbers, not a
//! failure. What the numbers mean is in `notes.txt`, which the page repeats.

mod ack;
mod agents;
mod crowd;
mod figure;
mod life;
mod rig;
mod speed;

use std::fs;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::now;
use crate::workspace::{self, Workspace};
use figure::Row;
use rig::{Tools, since};

/// The page this writes.
const PAGE: &str = "docs/performance.md";
/// What stands below the table: one section for each id of a row, in the table's order.
const NOTES: &str = include_str!("notes.txt");

/// A measurement: its name, and how to make it in so many rounds.
type Measure = (&'static str, fn(&Tools, usize) -> Result<Vec<Row>>);

/// In the order of the page.
const MEASURES: [Measure; 15] = [
    ("received", speed::received),
    ("path", speed::path),
    ("pace", speed::pace),
    ("handler", life::handler),
    ("start", life::start),
    ("idle", life::idle),
    ("reset", life::reset),
    ("waiting", life::waiting),
    ("burst", life::burst),
    ("token", life::token),
    ("ack", ack::acknowledged),
    ("turn", agents::turn),
    ("crowd", agents::crowd),
    ("size", life::size),
    ("journal", crowd::journal),
];

/// Measures and writes the page; with `--only` it prints the lines and writes nothing.
pub(crate) fn run(workspace: &Workspace, options: &[&str]) -> Result<bool> {
    let (mut rounds, mut only) = (5, None);
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "--quick" => rounds = 2,
            "--only" => only = options.next().copied(),
            other => bail!("unknown option {other}; there are --quick and --only NAME"),
        }
    }
    let names: Vec<_> = MEASURES.iter().map(|(name, _)| *name).collect();
    if let Some(only) = only.filter(|only| !names.contains(only)) {
        bail!("there is no measurement {only}; there are {}", names.join(", "));
    }
    let tools = Tools::get(workspace)?;
    let began = now();
    let mut rows = Vec::new();
    for (_, measure) in MEASURES.iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        rows.extend(measure(&tools, rounds)?);
    }
    let table: Vec<_> = rows.iter().map(Row::markdown).collect();
    println!("\n{}", table.join("\n"));
    if only.is_none() {
        let page = page(&tools, &table, rounds, since(began));
        fs::write(workspace.root.join(PAGE), page)?;
        println!("\n{PAGE} is written");
    }
    fs::remove_dir_all(&tools.scratch)?;
    let unexplained = rows.iter().filter(|row| !NOTES.contains(&format!("\n### {}\n", row.id)));
    Ok(unexplained.count() == 0)
}

fn page(tools: &Tools, table: &[String], rounds: usize, seconds: f64) -> String {
    let said = |program: &str, arguments: &[&str]| {
        let said = workspace::output(Command::new(program).args(arguments)).unwrap_or_default();
        said.trim().to_owned()
    };
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split_whitespace().take(3).collect::<Vec<_>>().join(" ");
    format!(
        "<!-- Written by `cargo xtask bench`; the text below the table is xtask/src/bench/notes.txt. -->\n\
         # Performance\n\n\
         Measured on {date}, {cores} × {model}, Linux {kernel}; load averages at the end: {load}.\n\
         {versions}.\n\n\
         `cargo xtask bench` measured this in {seconds:.0} s and {rounds} interleaved rounds; `--quick` makes two.\n\
         Numbers are medians with least and most in parentheses. *Ratio* is ours to Node's and ours to\n\
         Python's. The SDKs run with an empty handler and keep nothing; ours commits each event to the disk\n\
         before its ack. Simulator, bot and bench share the machine.\n\n\
         | what | goal | larkline | Node SDK | Python SDK | ratio | met | remark |\n\
         |---|---|---|---|---|---|---|---|\n{table}\n\n{notes}",
        date = said("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        model = model.trim_start_matches([' ', '\t', ':']),
        kernel = said("uname", &["-r"]),
        versions = rig::versions(tools),
        table = table.join("\n"),
        notes = NOTES,
    )
}
