//! The calls of the month against the quota: a bar, and the same in words.

use serde::Serialize;

use super::flow::percent;
use crate::clock;
use crate::quota::{self, MonthlyCalls};
use crate::say_in;
use crate::words::Lang;

/// Length of the bar; a quota is all of it.
const BAR: u64 = 1000;
/// The least that is drawn of what is not nothing.
const BAR_MIN: u64 = 6;
/// Percent of the quota from which it is worth a look.
const CARE: u64 = 80;

/// The month of one app.
#[derive(Serialize)]
pub(super) struct Month<'l> {
    used: u64,
    quota: Option<u64>,
    percent: String,
    /// `good`, `doubt`, `bad`, or `none` without a quota.
    tone: &'static str,
    /// How much of the bar is used, and how much it comes to.
    bar: u64,
    comes_to: u64,
    /// What it comes to, and when it is used up.
    said: String,
    /// Since when calls were counted.
    since: String,
    /// By endpoint, most first.
    calls: Vec<(&'l str, u64)>,
}

impl<'l> Month<'l> {
    /// Of an app.
    pub(super) fn of(app: &str, m: &'l MonthlyCalls, lang: Lang) -> Self {
        // Its last digits change while nothing happens. What stays within the quota is shown there.
        let within = m.quota.filter(|quota| m.used < *quota && m.used_up_ms.is_none());
        let projected = rounded_up(m.projected.max(m.used)).min(within.unwrap_or(u64::MAX));
        let share = |calls: u64| m.quota.map_or(0, |quota| part(calls, quota));
        let mut calls: Vec<_> = m.calls.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        calls.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
        Self {
            used: m.used,
            quota: m.quota,
            percent: m.quota.map_or_else(String::new, |quota| percent(m.used, quota)),
            tone: tone(m),
            bar: share(m.used),
            comes_to: share(projected),
            said: said(app, m, projected, lang),
            since: clock::local(m.since_ms),
            calls,
        }
    }
}

fn tone(m: &MonthlyCalls) -> &'static str {
    match m.quota {
        None => "none",
        Some(quota) if m.used >= quota => "bad",
        Some(quota) if m.used_up_ms.is_some() || m.used.saturating_mul(100) / quota >= CARE => {
            "doubt"
        }
        Some(_) => "good",
    }
}

fn said(app: &str, m: &MonthlyCalls, projected: u64, lang: Lang) -> String {
    let (month, about) = (&m.month, super::page::grouped(projected));
    let Some(quota) = m.quota else {
        return say_in!(lang,
            zh: "未设置配额（`app.{app}.quota`）；照此下去，{month} 月底约 {about} 次",
            en: "No quota set (`app.{app}.quota`); at this rate about {about} by the end of {month}"
        );
    };
    if m.used >= quota {
        return say_in!(lang,
            zh: "配额已用完，平台可能拒绝更多调用：请购买，若租户有更多额度就调高 `app.{app}.quota`，或等到下个月",
            en: "Used up, the platform may refuse more: buy some, raise `app.{app}.quota` if your tenant has more, or wait for the next month"
        );
    }
    match m.used_up_ms.map(quota::day) {
        Some(day) => say_in!(lang,
            zh: "照此下去，约 {day} 用完，{month} 月底约 {about} 次",
            en: "At this rate used up about {day}, and about {about} by the end of {month}"
        ),
        None => say_in!(lang,
            zh: "照此下去，{month} 月底约 {about} 次，在配额之内",
            en: "At this rate about {about} by the end of {month}, within the quota"
        ),
    }
}

/// So much of the bar.
fn part(calls: u64, quota: u64) -> u64 {
    let part = u128::from(calls) * u128::from(BAR) / u128::from(quota.max(1));
    let part = u64::try_from(part).unwrap_or(BAR).min(BAR);
    if calls == 0 { 0 } else { part.max(BAR_MIN) }
}

/// To two digits.
fn rounded_up(calls: u64) -> u64 {
    let digits = calls.checked_ilog10().unwrap_or(0);
    let unit = 10_u64.pow(digits.saturating_sub(1));
    calls.div_ceil(unit).saturating_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn month(
        used: u64,
        projected: u64,
        quota: Option<u64>,
        used_up_ms: Option<i64>,
    ) -> MonthlyCalls {
        let calls = [("token".to_owned(), 1), ("reply".to_owned(), used.saturating_sub(1))];
        MonthlyCalls {
            month: "2026-06".to_owned(),
            used,
            projected,
            quota,
            used_up_ms,
            calls: calls.into(),
            ..MonthlyCalls::default()
        }
    }

    fn told(m: &MonthlyCalls, lang: Lang) -> (&'static str, u64, u64, String) {
        let shown = Month::of("main", m, lang);
        (shown.tone, shown.bar, shown.comes_to, shown.said)
    }

    #[test]
    fn a_month_is_told_against_its_quota() {
        let calm = month(1234, 3001, Some(10_000), None);
        let words = "At this rate about 3,100 by the end of 2026-06, within the quota".to_owned();
        assert_eq!(told(&calm, Lang::En), ("good", 123, 310, words));
        let calls = Month::of("main", &calm, Lang::En).calls;
        assert_eq!(calls, [("reply", 1233), ("token", 1)]);
        let busy = month(4000, 12_000, Some(10_000), Some(1_781_000_000_000));
        let (tone, bar, comes_to, words) = told(&busy, Lang::Zh);
        assert_eq!((tone, bar, comes_to), ("doubt", 400, BAR));
        assert!(words.contains("约 2026-06-") && words.contains(" 用完"), "{words}");
        let (tone, bar, _, words) = told(&month(12_000, 20_000, Some(10_000), Some(5)), Lang::En);
        assert_eq!((tone, bar), ("bad", BAR));
        assert!(words.contains("raise `app.main.quota`"), "{words}");
        assert_eq!(told(&month(9000, 9100, Some(10_000), None), Lang::En).0, "doubt");
        let close = month(5000, 10_100, Some(10_500), None);
        let words = "At this rate about 10,500 by the end of 2026-06, within the quota".to_owned();
        assert_eq!(told(&close, Lang::En), ("good", 476, BAR, words));
        let (tone, bar, comes_to, words) = told(&month(7, 7, None, None), Lang::Zh);
        assert_eq!((tone, bar, comes_to), ("none", 0, 0));
        assert!(words.starts_with("未设置配额（`app.main.quota`）"), "{words}");
    }

    #[test]
    fn what_it_comes_to_has_two_digits_and_is_never_less() {
        let all = [0, 9, 99, 100, 101, 1_234_567, u64::MAX];
        let rounded = all.map(rounded_up);
        assert_eq!(rounded[..6], [0, 9, 99, 100, 110, 1_300_000]);
        assert!(all.iter().zip(rounded).all(|(calls, rounded)| rounded >= *calls));
        assert_eq!([part(0, 10), part(1, 1 << 40), part(u64::MAX, 0)], [0, BAR_MIN, BAR]);
    }
}
