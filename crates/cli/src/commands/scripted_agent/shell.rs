//! Commands, run as Claude Code runs them: really, by the shell, in a session of their own.
//!
//! So neither a signal to us nor one to our group reaches them, and what they started in turn
//! outlives everybody who does not look for it. Their output goes to a file: who keeps it open
//! holds nobody up.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::SyncSender;

use rustix::process::{Pid, Signal, kill_process_group};

use super::hearing::Heard;

/// Output that a tool gives back; the rest is left out, as the real agent does.
const OUTPUT_BYTES_MAX: u64 = 30_000;

/// A command that has ended.
#[derive(Debug)]
pub(super) struct Ran {
    /// Its process.
    pub(super) pid: u32,
    /// Its exit code; none after a signal.
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) stdout: String,
    /// What it complained.
    pub(super) stderr: String,
}

/// Starts a command; its end is told as [`Heard::Ran`] with the process id that is returned.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(command: &str, folder: &Path, tell: SyncSender<Heard>) -> std::io::Result<u32> {
    let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
    let mut shell = Command::new("setsid");
    shell.args(["/bin/sh", "-c", command]).current_dir(folder).stdin(Stdio::null());
    shell.stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
    let mut child = shell.spawn()?;
    let pid = child.id();
    std::thread::spawn(move || {
        let code = child.wait().ok().and_then(|status| status.code());
        let ran = Ran { pid, code, stdout: written(stdout), stderr: written(stderr) };
        // Nobody listens any more when the process ends, which is as well.
        drop(tell.send(Heard::Ran(ran)));
    });
    Ok(pid)
}

/// Ends a command and what it started in its session.
pub(super) fn end(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // One that has ended meanwhile needs no signal.
    pid.and_then(|pid| kill_process_group(pid, Signal::KILL).ok());
}

/// Leaves a process behind, in a session of its own. With `held` it keeps our stdout open.
///
/// # Errors
/// When it cannot be started.
pub(super) fn leave_behind(held: bool) -> std::io::Result<Child> {
    let mut sleep = Command::new("setsid");
    sleep.args(["sleep", "600"]).stdin(Stdio::null());
    if !held {
        sleep.stdout(Stdio::null()).stderr(Stdio::null());
    }
    sleep.spawn()
}

fn written(mut file: File) -> String {
    let mut bytes = Vec::new();
    let read = file.rewind().and_then(|()| file.take(OUTPUT_BYTES_MAX).read_to_end(&mut bytes));
    // What cannot be read back is as good as not written.
    drop(read);
    String::from_utf8_lossy(&bytes).trim_end().to_owned()
}
