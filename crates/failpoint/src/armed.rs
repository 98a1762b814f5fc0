//! What a test build does: dies at the place that `LARKLINE_FAILPOINT` names, stands still at the one of
//! `LARKLINE_STALL`, and adds to the wall clock what the file of `LARKLINE_CLOCK` holds.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::{Signal, getpid, kill_process};

use crate::POINTS;

/// Where to die, or to stand still.
struct Trap {
    name: String,
    /// Visits until then.
    left: AtomicU32,
}

/// Dies here if this is the place, and the visit, that `LARKLINE_FAILPOINT=name:visit` names; a
/// thread that comes to the place of `LARKLINE_STALL` at that visit or later does nothing any more.
pub fn reached(name: &'static str) {
    static DEATH: OnceLock<Option<Trap>> = OnceLock::new();
    static STALL: OnceLock<Option<Trap>> = OnceLock::new();
    let is_here = |trap: &Option<Trap>| {
        let here = trap.as_ref().filter(|trap| trap.name == name);
        here.is_some_and(Trap::springs)
    };
    if is_here(DEATH.get_or_init(|| trap("LARKLINE_FAILPOINT"))) {
        die(&format!("failpoint {name}"));
    }
    if is_here(STALL.get_or_init(|| trap("LARKLINE_STALL"))) {
        stand_still();
    }
}

impl Trap {
    /// Counts a visit; true from the one on that was ordered.
    fn springs(&self) -> bool {
        let left = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        !left.is_ok_and(|left| left > 1)
    }
}

fn stand_still() -> ! {
    loop {
        std::thread::park();
    }
}

/// The wall clock that a test has set: `now_ms` and the milliseconds in its file.
pub fn wall_ms(now_ms: i64) -> i64 {
    static FILE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let file = FILE.get_or_init(|| std::env::var_os("LARKLINE_CLOCK").map(PathBuf::from));
    let text = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let skew_ms: i64 = text.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
    now_ms.saturating_add(skew_ms)
}

fn trap(variable: &str) -> Option<Trap> {
    let order = std::env::var(variable).ok()?;
    let (name, visit) = order.split_once(':').unwrap_or((&order, "1"));
    let visit = visit.parse().ok().filter(|visit| *visit > 0);
    let known = POINTS.iter().any(|point| point.name == name);
    let Some(visit) = visit.filter(|_| known) else {
        // A test that waits for a death that cannot come would wait in vain.
        die(&format!("no failpoint: {order}"));
    };
    Some(Trap { name: name.to_owned(), left: AtomicU32::new(visit) })
}

#[expect(clippy::print_stderr, reason = "the last words of a process without a logger to flush")]
fn die(words: &str) -> ! {
    eprintln!("{words}");
    loop {
        // The kernel ends every thread; the call does not come back.
        kill_process(getpid(), Signal::KILL).ok();
    }
}
