//! What this process uses, and how busy its machine is, as `/proc` tells; zeroes where it does not.

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use serde::{Deserialize, Serialize};

/// What one process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// Resident memory.
    pub rss_bytes: u64,
    /// Processor time since its start, of all threads.
    pub cpu_ms: u64,
}

/// The machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Host {
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// How many processors share it.
    pub processors: usize,
    /// Its memory.
    pub memory_bytes: u64,
    /// What programs could still get of that.
    pub memory_available_bytes: u64,
}

impl Own {
    /// What this process uses.
    pub fn read() -> Self {
        let statm = fs::read_to_string("/proc/self/statm").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self { rss_bytes: rss_bytes(&statm), cpu_ms: cpu_ms(&stat) }
    }
}

impl Host {
    /// The machine as it is now.
    pub fn read() -> Self {
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            load: loads(&load),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kib(&memory, "MemTotal:") << 10,
            memory_available_bytes: kib(&memory, "MemAvailable:") << 10,
        }
    }
}

fn rss_bytes(statm: &str) -> u64 {
    let pages: u64 = statm.split(' ').nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    pages * page_size() as u64
}

fn cpu_ms(stat: &str) -> u64 {
    let after = stat.rsplit_once(')').map_or("", |(_, after)| after);
    let ticks: u64 = after.split(' ').skip(12).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    ticks * 1000 / clock_ticks_per_second().max(1)
}

fn loads(text: &str) -> [f64; 3] {
    let mut words = text.split(' ').map(|word| word.parse().unwrap_or(0.0));
    std::array::from_fn(|_| words.next().unwrap_or(0.0))
}

fn kib(meminfo: &str, name: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    // A bound that no machine has, so that no text makes it overflow.
    number.unwrap_or(0).min(1 << 50)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_and_nonsense_is_zero() {
        assert_eq!(loads("4.61 4.02 3.45 2/345 6789\n"), [4.61, 4.02, 3.45]);
        let memory = "MemTotal:        2048 kB\nMemFree: 1 kB\nMemAvailable:   1024 kB\n";
        assert_eq!((kib(memory, "MemTotal:"), kib(memory, "MemAvailable:")), (2048, 1024));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 200 100 0 0 20 0 5 0 99";
        assert_eq!(cpu_ms(stat), 300 * 1000 / clock_ticks_per_second());
        for nonsense in ["", "x", "a b c d", "MemTotal: x"] {
            assert_eq!(loads(nonsense), [0.0; 3]);
            assert_eq!((rss_bytes(nonsense), cpu_ms(nonsense)), (0, 0));
            assert_eq!(kib(nonsense, "MemTotal:"), 0);
        }
    }
}
