//! What became of all that was received, as streams: geometry here, the drawing in the template.

use larkline_store::record::Tally;
use serde::Serialize;

use crate::words::{Lang, outcome};

/// Verdicts from top to bottom.
const VERDICTS: [&str; 4] = ["replied", "filtered", "failed", "waiting"];
/// Height of all streams together.
const STREAMS: u32 = 132;
/// The least height of one that is not empty.
const STREAM_MIN: u32 = 3;
/// Height of a stream's name, and of each reason below it.
const NAME: u32 = 20;
const WHY: u32 = 17;
/// Between two streams.
const GAP: u32 = 12;
/// Reasons named; the rest are added up.
const WHYS_MAX: usize = 3;
/// Where streams begin and end.
const FROM: u32 = 10;
const TO: u32 = 168;

/// The picture.
#[derive(Serialize)]
pub(super) struct Flow {
    height: u32,
    total: u64,
    /// The bar from which all streams come.
    top: u32,
    bar: u32,
    streams: Vec<Stream>,
}

#[derive(Serialize)]
struct Stream {
    verdict: &'static str,
    name: String,
    count: u64,
    percent: String,
    y: u32,
    height: u32,
    path: String,
    /// Reasons with their counts, and where they stand.
    whys: Vec<(String, u64, u32)>,
}

impl Flow {
    /// Of all apps together.
    pub(super) fn of(tally: &[Tally], lang: Lang) -> Self {
        let total = tally.iter().map(|t| t.count).sum();
        let mut streams: Vec<Stream> =
            VERDICTS.iter().map(|verdict| Stream::of(verdict, tally, total, lang)).collect();
        let mut y = 0;
        for stream in &mut streams {
            stream.place(y);
            y += stream.room() + GAP;
        }
        let height = y - GAP;
        let bar: u32 = streams.iter().map(|stream| stream.height).sum();
        let top = height.saturating_sub(bar) / 2;
        let mut left = top;
        for stream in &mut streams {
            stream.path = ribbon(left, stream.y, stream.height);
            left += stream.height;
        }
        Self { height, total, top, bar, streams }
    }
}

impl Stream {
    fn of(verdict: &'static str, tally: &[Tally], total: u64, lang: Lang) -> Self {
        let mine = || tally.iter().filter(|t| t.verdict == verdict && t.count > 0);
        let count: u64 = mine().map(|t| t.count).sum();
        let share = u64::from(STREAMS) * count / total.max(1);
        let height = u32::try_from(share).unwrap_or(STREAMS);
        Self {
            verdict,
            name: outcome(lang, verdict).to_owned(),
            count,
            percent: percent(count, total),
            y: 0,
            height: if count == 0 { 0 } else { height.max(STREAM_MIN) },
            path: String::new(),
            whys: whys(mine(), lang),
        }
    }

    /// Its height with its words.
    fn room(&self) -> u32 {
        let lines = u32::try_from(self.whys.len()).unwrap_or(0);
        self.height.max(NAME + lines * WHY)
    }

    fn place(&mut self, y: u32) {
        self.y = y;
        let mut line = y + NAME;
        for (_, _, at) in &mut self.whys {
            line += WHY;
            *at = line - 4;
        }
    }
}

/// The most frequent reasons, and the others as one.
fn whys<'t>(mine: impl Iterator<Item = &'t Tally>, lang: Lang) -> Vec<(String, u64, u32)> {
    let mut sums: std::collections::BTreeMap<&str, u64> = Default::default();
    mine.filter(|t| !t.why.is_empty()).for_each(|t| *sums.entry(&t.why).or_default() += t.count);
    let mut whys: Vec<(String, u64, u32)> =
        sums.into_iter().map(|(why, n)| (why.to_owned(), n, 0)).collect();
    whys.sort_by_key(|(_, n, _)| std::cmp::Reverse(*n));
    if whys.len() > WHYS_MAX {
        let rest = whys.split_off(WHYS_MAX - 1).iter().map(|(_, n, _)| n).sum();
        whys.push((lang.either("其他原因", "other reasons").to_owned(), rest, 0));
    }
    whys
}

/// A share to one decimal where that says more.
pub(super) fn percent(count: u64, total: u64) -> String {
    let tenths = u128::from(count) * 1000 / u128::from(total.max(1));
    match (count, tenths) {
        (0, _) => String::new(),
        (_, 0) => "< 0.1 %".to_owned(),
        (_, 1..=99) => format!("{}.{} %", tenths / 10, tenths % 10),
        _ => format!("{} %", tenths / 10),
    }
}

/// From a place on the bar to a place at the right, of one height.
fn ribbon(left: u32, right: u32, height: u32) -> String {
    let middle = u32::midpoint(FROM, TO);
    let (left_end, right_end) = (left + height, right + height);
    format!(
        "M{FROM} {left}C{middle} {left} {middle} {right} {TO} {right}V{right_end}\
         C{middle} {right_end} {middle} {left_end} {FROM} {left_end}Z"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(rows: &[(&str, &str, u64)]) -> Vec<Tally> {
        let row = |(verdict, why, count): &(&str, &str, u64)| Tally {
            app: "main".to_owned(),
            verdict: (*verdict).to_owned(),
            why: (*why).to_owned(),
            count: *count,
        };
        rows.iter().map(row).collect()
    }

    #[test]
    fn streams_add_up_and_none_covers_another() {
        let rows = [
            ("replied", "", 9_000),
            ("filtered", "no_route", 900),
            ("filtered", "from_bot", 50),
            ("filtered", "stale", 40),
            ("filtered", "self", 9),
            ("waiting", "", 1),
        ];
        let flow = Flow::of(&tally(&rows), Lang::En);
        assert_eq!((flow.total, flow.streams.len()), (10_000, 4));
        let [replied, filtered, failed, waiting] = &flow.streams[..] else { panic!("four") };
        assert_eq!((replied.count, replied.percent.as_str()), (9_000, "90 %"));
        let whys: Vec<_> = filtered.whys.iter().map(|(why, n, _)| (why.as_str(), *n)).collect();
        assert_eq!(whys, [("no_route", 900), ("from_bot", 50), ("other reasons", 49)]);
        assert_eq!((failed.count, failed.height, failed.percent.as_str()), (0, 0, ""));
        assert_eq!((waiting.height, waiting.percent.as_str()), (STREAM_MIN, "< 0.1 %"));
        for pair in flow.streams.windows(2) {
            assert!(pair[0].y + pair[0].room() < pair[1].y);
        }
        assert_eq!(flow.bar, flow.streams.iter().map(|s| s.height).sum::<u32>());
    }

    #[test]
    fn nothing_received_is_a_picture_too() {
        let flow = Flow::of(&[], Lang::Zh);
        assert_eq!((flow.total, flow.bar), (0, 0));
        assert_eq!(flow.streams[0].name, "已回复");
    }
}
