//! Tells the binary which commit it was built from. `LARKLINE_COMMIT` wins, for builds from an
//! archive; without it and without git the version says `unknown`.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=LARKLINE_COMMIT");
    if std::env::var_os("LARKLINE_COMMIT").is_some() {
        return;
    }
    // Each commit, checkout and rebase adds a line there.
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(commit) = git(&["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo::rustc-env=LARKLINE_COMMIT={commit}");
    }
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|o| o.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
