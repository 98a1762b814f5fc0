//! The gateway's wall clock: the one place that reads it.

/// Now, in milliseconds since the Unix epoch. Deadlines inside the process use
/// `tokio::time::Instant` instead: this one may jump.
#[expect(clippy::disallowed_methods, reason = "the single reader of the wall clock")]
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now_ms = since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX));
    larkline_failpoint::wall_ms(now_ms)
}

/// Now, as file times have it.
pub fn now() -> std::time::SystemTime {
    let since = u64::try_from(now_ms()).unwrap_or(0);
    std::time::UNIX_EPOCH + std::time::Duration::from_millis(since)
}

/// A duration as whole milliseconds.
pub fn ms(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// A moment for people: local date and time, to the minute.
pub fn local(at_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The same to the second, with the offset from UTC.
pub fn local_exact(at_ms: i64) -> String {
    let moment = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// Minutes after local midnight.
pub fn minute_of_day(at_ms: i64) -> u16 {
    let moment = jiff::Timestamp::from_millisecond(at_ms).unwrap_or_default();
    let local = moment.to_zoned(jiff::tz::TimeZone::system());
    // Both are within a day's, so neither can be negative.
    u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute())).unwrap_or(0)
}
