//! Processes as `/proc` shows them: who they are, whose they are, what mark they carry.
//!
//! A number alone names nobody, because the kernel hands it out again; number and start time
//! together do. Signals go through a pidfd that is checked after it was opened, so that none
//! reaches a stranger. Nothing here decides who belongs to whom: `tree` does.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

/// The variable that tells which child a process descends from.
pub(super) const MARK: &str = "LARKLINE_CHILD";

/// While a process changes its program its environment looks empty: some microseconds, or
/// some time slices where many compete. So an empty one is looked at this often before it is
/// believed.
const EXEC_LOOKS: usize = 50;

/// Between two looks.
const EXEC_PAUSE: Duration = Duration::from_millis(1);

/// One process, told apart from a later one with the same number by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ProcessId {
    /// Process number.
    pub pid: i32,
    /// Field 22 of `/proc/<pid>/stat`: clock ticks since the machine started.
    pub start: u64,
}

/// What a scan tells about a process.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    pub(super) id: ProcessId,
    pub(super) parent: i32,
    pub(super) group: i32,
    /// Ended, but not yet waited for.
    pub(super) zombie: bool,
}

/// What a process' environment says about its origin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// It descends from the child with this mark.
    Marked(String),
    /// Its environment was wiped or cannot be read.
    Unknown,
}

/// The process with this number, if there is one.
pub(super) fn find(pid: i32) -> Option<Process> {
    parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Every process of the machine that this user may see.
pub(super) fn scan() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(find)
        .collect()
}

/// Reads a `stat` line. The command's name, in parentheses, may hold anything, so the fields
/// are counted from the last parenthesis.
fn parse(stat: &[u8]) -> Option<Process> {
    let text = String::from_utf8_lossy(stat);
    let pid = text.split(' ').next()?.parse().ok()?;
    let mut rest = text.rsplit_once(')')?.1.split_ascii_whitespace();
    let zombie = matches!(rest.next()?, "Z" | "X");
    let parent = rest.next()?.parse().ok()?;
    let group = rest.next()?.parse().ok()?;
    // Sixteen fields lie between the group (5) and the start time (22).
    let start = rest.nth(16)?.parse().ok()?;
    Some(Process { id: ProcessId { pid, start }, parent, group, zombie })
}

/// Processor time of a process and of those that it has waited for, in clock ticks.
pub(super) fn cpu_ticks(pid: i32) -> Option<u64> {
    ticks(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

fn ticks(stat: &[u8]) -> Option<u64> {
    let text = String::from_utf8_lossy(stat);
    let rest = text.rsplit_once(')')?.1.split_ascii_whitespace();
    // Own time in user and in kernel mode (14 and 15), and the same of children (16 and 17).
    let mut times = rest.skip(11).map(|ticks| ticks.parse::<u64>().ok());
    let mut sum = 0_u64;
    for _ in 0..4 {
        sum = sum.saturating_add(times.next()??);
    }
    Some(sum)
}

/// The mark in a process' environment as it was when its program started.
pub(super) fn origin(pid: i32) -> Origin {
    let environ = environ(pid);
    environ
        .split(|byte| *byte == 0)
        .find_map(|pair| pair.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="))
        .map_or(Origin::Unknown, |mark| {
            Origin::Marked(std::ffi::OsStr::from_bytes(mark).to_string_lossy().into_owned())
        })
}

/// Empty when it was wiped, or is not ours to read.
fn environ(pid: i32) -> Vec<u8> {
    let has_program = || fs::read_link(format!("/proc/{pid}/exe")).is_ok();
    for _ in 0..EXEC_LOOKS {
        match fs::read(format!("/proc/{pid}/environ")) {
            Ok(environ) if environ.is_empty() && has_program() => std::thread::sleep(EXEC_PAUSE),
            Ok(environ) => return environ,
            Err(_) => break,
        }
    }
    Vec::new()
}

/// Sends a signal to this very process.
///
/// Returns a handle that turns readable when the process has ended, or nothing when it is
/// gone already.
pub(super) fn signal(id: ProcessId, signal: Signal) -> io::Result<Option<OwnedFd>> {
    let Some(pid) = Pid::from_raw(id.pid) else { return Ok(None) };
    let handle = match pidfd_open(pid, PidfdFlags::NONBLOCK) {
        Ok(handle) => handle,
        Err(rustix::io::Errno::SRCH) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Opened after the scan: the number may have changed hands in between.
    if find(id.pid).is_none_or(|now| now.id != id || now.zombie) {
        return Ok(None);
    }
    match pidfd_send_signal(&handle, signal) {
        Ok(()) => Ok(Some(handle)),
        Err(rustix::io::Errno::SRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let line = b"42 (a) b (c) S 7 41 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1 2 3\n";
        let process = parse(line).unwrap();
        assert_eq!(process.id, ProcessId { pid: 42, start: 9876 });
        assert_eq!((process.parent, process.group, process.zombie), (7, 41, false));
        assert_eq!(ticks(line), Some(5 + 6 + 7 + 8));
    }

    #[test]
    fn garbage_is_no_process() {
        for line in [&b""[..], b"42", b"42 (x", b"42 (x) S", b"x (x) S 1 1 1 1", b"\xff\xff) S 1"] {
            assert!(parse(line).is_none(), "{line:?}");
            assert!(ticks(line).is_none(), "{line:?}");
        }
    }

    #[test]
    fn a_signal_does_not_reach_a_later_process_with_the_same_number() {
        let me = find(i32::try_from(std::process::id()).unwrap()).unwrap().id;
        let earlier = ProcessId { start: me.start + 1, ..me };
        // Were the start time not compared, this test would be killed.
        assert!(signal(earlier, Signal::KILL).unwrap().is_none());
    }
}
