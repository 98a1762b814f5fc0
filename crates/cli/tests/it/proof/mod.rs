//! What is broken on purpose, and what must hold all the same: no acked event without its
//! outcome, no answer twice, each conversation in order, every delivery with a verdict.
//!
//! A `Town` of people talks to every kind of handler at once; the tests kill, stop, reload and
//! starve the gateway meanwhile, and the simulator's ledger judges. Each test has a short form
//! here and a long one by `cargo xtask crash`, `chaos` and `soak`.

#![expect(clippy::print_stdout, reason = "a run says its seed and its numbers")]

mod chaos;
mod ill;
mod judge;
mod matrix;
mod service;
mod soak;
mod town;

use std::time::Duration;

/// No limit of our own: what is tried here is not how fast the gateway talks.
pub(crate) const FAST: &str =
    "\n[governor]\napp_per_second = 1000\napp_per_minute = 60000\nchat_per_second = 100\n";

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// A number from the environment, for runs that are longer than a test.
fn wanted(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The seed of a run: the one that was asked for, or a fresh one. It is printed, to ask for it.
fn seed() -> u64 {
    let seed = wanted("LARKLINE_TEST_SEED", fastrand::u64(..));
    println!("LARKLINE_TEST_SEED={seed}");
    seed
}
