//! The recordings: what the program printed, what was written to it, and how it ended.

use std::fs;
use std::path::PathBuf;

use larkline_agent::{Exit, Launch, Session};
use serde_json::Value;

use super::{code, launch};

/// One run of the real program.
pub(super) struct Recorded {
    pub(super) file: String,
    /// What it printed, as bytes.
    pub(super) printed: Vec<Vec<u8>>,
    /// Everything in order: whether it was written to it, and what.
    pub(super) both: Vec<(bool, Value)>,
    pub(super) launch: Launch,
    pub(super) exit: Exit,
    pub(super) complaints: String,
}

pub(super) fn recorded(file: &str) -> Recorded {
    all().into_iter().find(|run| run.file == file).unwrap()
}

/// All runs of the index.
pub(super) fn all() -> Vec<Recorded> {
    let index: Value = serde_json::from_str(&read("index.json")).unwrap();
    index["cases"].as_array().unwrap().iter().map(run).collect()
}

/// A file of the folder.
pub(super) fn read(file: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/claude");
    fs::read_to_string(folder.join(file)).unwrap()
}

fn run(case: &Value) -> Recorded {
    let file = case["file"].as_str().unwrap().to_owned();
    let duplex = file.ends_with(".duplex.jsonl");
    let lines: Vec<Value> =
        read(&file).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let both: Vec<(bool, Value)> =
        lines
            .into_iter()
            .map(|line| {
                if duplex { (line["dir"] == "stdin", line["line"].clone()) } else { (false, line) }
            })
            .collect();
    let printed = both
        .iter()
        .filter(|(to_it, _)| !to_it)
        .map(|(_, line)| format!("{line}\n").into_bytes())
        .collect();
    let args: Vec<&str> =
        case["args"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let resumed = args.iter().position(|arg| *arg == "--resume").map(|at| args[at + 1].to_owned());
    let exit = i32::try_from(case["exit"].as_i64().unwrap()).unwrap();
    Recorded {
        file,
        printed,
        both,
        launch: Launch {
            session: resumed.map_or_else(|| launch().session, Session::Resume),
            ..launch()
        },
        exit: code(exit),
        complaints: case["stderr"].as_str().unwrap().to_owned(),
    }
}
