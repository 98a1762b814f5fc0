//! Holds the documents, and the advice that the code gives, against the command line: every
//! `larkline …` that somebody may type has its command and its flags.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::args::Args;

/// Ends a command in a line of shell.
const SHELL: [&str; 7] = ["|", ">", "2>", "<", ";", "&&", "#"];
/// How a checkout starts the binary.
const FROM_SOURCE: &str = "cargo run --release -- ";

/// A command line in a text, with where it stands.
struct Written {
    at: String,
    words: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The documents and the sources whose advice people follow.
fn texts() -> Vec<(String, String)> {
    let root = repository();
    let mut open = vec![root.join("docs"), root.join("crates")];
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in std::fs::read_dir(&root).unwrap() {
        files.push(entry.unwrap().path());
    }
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { open.push(path) } else { files.push(path) }
        }
    }
    let wanted = |path: &PathBuf| {
        let is = |end: &str| path.extension().is_some_and(|extension| extension == end);
        is("md") || is("toml") || is("rs") && path.components().any(|c| c.as_os_str() == "src")
    };
    let read = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap().display().to_string();
        Some((name, std::fs::read_to_string(path).ok()?))
    };
    files.into_iter().filter(wanted).filter_map(read).collect()
}

/// The command lines of a text: between backticks, and in fences of shell.
fn written(name: &str, text: &str) -> Vec<Written> {
    let mut found = Vec::new();
    let mut prose = String::new();
    let mut fence: Option<String> = None;
    for line in text.lines() {
        let line = line.trim_start().trim_start_matches("//!").trim_start_matches("///").trim();
        if let Some(opened) = line.strip_prefix("```") {
            fence = if fence.is_some() { None } else { Some(opened.to_owned()) };
        } else if let Some(language) = &fence {
            let shell = ["sh", "bash", "console"].contains(&language.as_str());
            found.extend(shell.then(|| command(name, line)).flatten());
        } else {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    found.extend(prose.split('`').skip(1).step_by(2).filter_map(|code| command(name, code)));
    found
}

/// The words after `larkline`, when the line starts with it.
fn command(name: &str, line: &str) -> Option<Written> {
    let line = line.trim_start_matches("$ ");
    let rest = line.strip_prefix("larkline ").or_else(|| line.strip_prefix(FROM_SOURCE))?;
    let words = rest.split_whitespace().take_while(|word| !SHELL.contains(word));
    let words: Vec<String> = words.map(str::to_owned).collect();
    Some(Written { at: format!("{name}: `{line}`"), words })
}

/// What is wrong with a command line: a name or a flag that does not exist.
fn problem(words: &[String]) -> Option<String> {
    let mut here = Args::command();
    here.build();
    let mut here = &here;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--" {
            // What follows is somebody else's command line.
            return None;
        }
        if let Some(flag) = word.strip_prefix("--") {
            let (flag, value) = flag.split_once('=').map_or((flag, None), |(f, v)| (f, Some(v)));
            let Some(known) = here.get_arguments().find(|known| known.get_long() == Some(flag))
            else {
                return Some(format!("{} has no --{flag}", here.get_name()));
            };
            if known.get_action().takes_values() && value.is_none() {
                words.next();
            }
        } else if here.has_subcommands() && word.starts_with(char::is_lowercase) {
            // `config check|show` names two.
            let named = word.split('|').map(|name| {
                here.get_subcommands().find(|known| known.get_name() == name).ok_or(name)
            });
            match named.collect::<Result<Vec<_>, _>>() {
                Ok(found) => here = found[0],
                Err(name) => return Some(format!("{} has no command {name}", here.get_name())),
            }
        }
    }
    None
}

#[test]
fn every_command_in_documents_and_advice_exists() {
    let mut seen = 0;
    let mut wrong = Vec::new();
    for (name, text) in texts() {
        for Written { at, words } in written(&name, &text) {
            seen += 1;
            wrong.extend(problem(&words).map(|what| format!("{at}: {what}")));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(seen > 50, "{seen} commands found: the documents are read wrongly");
}

#[test]
fn a_command_or_flag_that_does_not_exist_is_found() {
    let problem = |line: &str| problem(&command("x", line).unwrap().words);
    for good in [
        "larkline status --check",
        "larkline --format json messages --limit 3 | jq .",
        "larkline dead retry t7",
        "larkline job run --name n -- make --anything",
        "cargo run --release -- demo --once",
    ] {
        assert_eq!(problem(good), None, "{good}");
    }
    for bad in ["larkline gone", "larkline status --gone", "larkline dead revive t7"] {
        assert!(problem(bad).is_some(), "{bad}");
    }
}
