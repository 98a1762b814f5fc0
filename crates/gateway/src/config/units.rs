//! Durations and sizes as people write them: `"90s"`, `"1m30s"`, `"2M"`.
//!
//! A bare number has no unit and is refused for durations; for sizes it means bytes.

use std::fmt;
use std::time::Duration;

/// Duration units, largest to smallest, with their length in milliseconds.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Size units, largest to smallest, in bytes: powers of 1024, as `ulimit` and systemd count.
const SIZE_UNITS: [(&str, u64); 4] =
    [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1 << 10)];

/// A number of bytes; reads and prints as `"512K"`, `"2M"`, `"1G"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(
    /// The number.
    pub u64,
);

impl Bytes {
    /// So many times 1024 bytes.
    pub const fn kib(n: u64) -> Self {
        Self(n << 10)
    }

    /// So many times 1024² bytes.
    pub const fn mib(n: u64) -> Self {
        Self(n << 20)
    }

    /// The number, capped at what the address space can hold.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit =
            SIZE_UNITS.iter().find(|(_, size)| self.0 >= *size && self.0.is_multiple_of(*size));
        match unit {
            Some((name, size)) => write!(f, "{}{name}", self.0 / size),
            None => write!(f, "{}", self.0),
        }
    }
}

/// So many seconds.
pub(super) const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// So many days.
pub(super) const fn days(n: u64) -> Duration {
    Duration::from_hours(24 * n)
}

/// Reads `"2M"`, `"512K"`, `"1GiB"`, `"4096"`; `None` when it is no size or overflows.
pub fn parse_size(text: &str) -> Option<Bytes> {
    let (number, unit) = split_number(text.trim())?;
    let unit = unit.trim_end_matches("iB").trim_end_matches('B');
    let factor = match unit {
        "" => 1,
        _ => SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
    };
    number.checked_mul(factor).map(Bytes)
}

/// Reads `"30s"`, `"1m30s"`, `"500ms"`; `None` when it is no duration or overflows.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    loop {
        let (number, after) = split_number(rest)?;
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(end);
        let factor = TIME_UNITS.iter().find(|(name, _)| *name == unit)?.1;
        millis = millis.checked_add(number.checked_mul(factor)?)?;
        rest = tail.trim_start();
        if rest.is_empty() {
            return Some(Duration::from_millis(millis));
        }
    }
}

/// Prints a duration so that [`parse_duration`] reads it back (to the millisecond).
pub(super) fn print_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (name, length) in TIME_UNITS {
        if rest >= length {
            text.push_str(&format!("{}{name}", rest / length));
            rest %= length;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// Leading digits and what follows them.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_numbers_with_units() {
        let read = |text| parse_duration(text).map(|d| d.as_millis());
        assert_eq!(read("30s"), Some(30_000));
        assert_eq!(read("1m30s"), Some(90_000));
        assert_eq!(read("1h 5m"), Some(3_900_000));
        assert_eq!(read("7d"), Some(604_800_000));
        assert_eq!(read("250ms"), Some(250));
        for wrong in ["", "30", "s", "3 weeks", "-1s", "1.5s", "99999999999999999d"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_printed_duration_reads_back() {
        for ms in [0, 1, 999, 1_000, 90_061_001, 604_800_000] {
            let text = print_duration(Duration::from_millis(ms));
            assert_eq!(parse_duration(&text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn sizes_count_in_powers_of_1024() {
        assert_eq!(parse_size("2M"), Some(Bytes::mib(2)));
        assert_eq!(parse_size("1GiB"), Some(Bytes::mib(1024)));
        assert_eq!(parse_size("512 kB"), Some(Bytes::kib(512)));
        assert_eq!(parse_size("4096"), Some(Bytes(4096)));
        assert_eq!(Bytes(3 << 20).to_string(), "3M");
        assert_eq!(Bytes(1500).to_string(), "1500");
        for wrong in ["", "M", "2X", "-1M", "1.5M", "99999999999T"] {
            assert_eq!(parse_size(wrong), None, "{wrong:?}");
        }
    }
}
