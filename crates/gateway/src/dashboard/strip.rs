//! The last day of a link as a strip: what the page draws, and the same in words.

use serde::Serialize;

use crate::clock;
use crate::pulse::{MINUTES, Mark, Run};
use crate::say_in;
use crate::words::Lang;

/// A minute in milliseconds.
const MINUTE_MS: i64 = 60_000;
/// What a strip may show, in minutes: the least that holds the record, so that a young one is seen.
const WINDOWS: [usize; 3] = [60, 6 * 60, MINUTES];
/// The least width of trouble, as a part of the strip: a minute of a day would be half a pixel.
const SEEN_PART: usize = 240;

/// A strip of the last day, or of the hours that are known.
#[derive(Serialize)]
pub(super) struct Strip {
    /// How many minutes it shows.
    window: usize,
    /// What it shows, and when it begins and has its middle.
    name: &'static str,
    from: &'static str,
    middle: &'static str,
    /// In the order of drawing, trouble last: it lies on top.
    bars: Vec<Bar>,
    /// The same as a sentence.
    said: String,
}

#[derive(Serialize)]
struct Bar {
    kind: &'static str,
    x: usize,
    width: usize,
    y: usize,
    height: usize,
    title: String,
}

impl Strip {
    /// Of the day that ends now.
    pub(super) fn of(day: &[Run], now_ms: i64, lang: Lang) -> Self {
        let since = day.iter().find(|run| run.mark != Mark::Off).map_or(MINUTES, |run| run.first);
        let window = WINDOWS.into_iter().find(|window| since + window >= MINUTES);
        let window = window.unwrap_or(MINUTES);
        let mut runs: Vec<&Run> =
            day.iter().filter(|run| run.first + run.minutes > MINUTES - window).collect();
        runs.sort_by_key(|run| run.mark);
        let [name, from, middle] = names(window, lang);
        Self {
            window,
            name,
            from,
            middle,
            bars: runs.iter().map(|run| bar(run, window, now_ms, lang)).collect(),
            said: said(day, now_ms, lang),
        }
    }
}

/// What a window shows, when it begins, and its middle.
fn names(window: usize, lang: Lang) -> [&'static str; 3] {
    match window {
        60 => lang.either(
            ["过去 1 小时", "1 小时前", "30 分钟前"],
            ["The last hour", "1 h ago", "30 min ago"],
        ),
        360 => lang.either(
            ["过去 6 小时", "6 小时前", "3 小时前"],
            ["The last 6 hours", "6 h ago", "3 h ago"],
        ),
        _ => lang.either(
            ["过去 24 小时", "24 小时前", "12 小时前"],
            ["The last 24 hours", "24 h ago", "12 h ago"],
        ),
    }
}

fn bar(run: &Run, window: usize, now_ms: i64, lang: Lang) -> Bar {
    // Height tells what colour tells.
    let (kind, y, zh, en) = match run.mark {
        Mark::Off => ("off", 27, "没有记录", "no record"),
        Mark::Verified => ("verified", 14, "已验证", "verified"),
        Mark::Suspect => ("suspect", 9, "可疑", "suspicion"),
        Mark::Away => ("away", 4, "未运行", "not running"),
        Mark::Down => ("down", 0, "断开", "down"),
    };
    let before = MINUTES - window;
    let (first, end) = (run.first.max(before), run.first + run.minutes);
    let trouble = !matches!(run.mark, Mark::Off | Mark::Verified);
    let least = if trouble { window / SEEN_PART } else { 0 };
    let width = (end - first).max(least);
    let word = lang.either(zh, en);
    let (from, to) = (moment(run.first, now_ms), moment(end, now_ms));
    Bar {
        kind,
        x: (first - before).min(window - width),
        width,
        y,
        height: 30 - y,
        title: format!("{from} – {to} {word}"),
    }
}

/// Local time of day of a minute of the strip.
fn moment(minute: usize, now_ms: i64) -> String {
    let left = i64::try_from(MINUTES - minute.min(MINUTES)).unwrap_or(0);
    let local = clock::local(now_ms - left * MINUTE_MS);
    local.split(' ').next_back().unwrap_or_default().to_owned()
}

fn said(day: &[Run], now_ms: i64, lang: Lang) -> String {
    let of = |mark| day.iter().filter(move |run| run.mark == mark);
    let minutes = |mark| of(mark).map(|run| run.minutes).sum::<usize>();
    let [verified, suspect, away, down] =
        [Mark::Verified, Mark::Suspect, Mark::Away, Mark::Down].map(minutes);
    let known = verified + suspect + away + down;
    if known == 0 {
        return lang.either("刚刚启动，还没有记录", "just started, no record yet").to_owned();
    }
    let since = day.iter().find(|run| run.mark != Mark::Off).map_or(0, |run| run.first);
    // Between what is known: nobody can say what these minutes were like.
    let unseen = (MINUTES - since).saturating_sub(known);
    let outages = of(Mark::Down).count();
    let mut parts = vec![match (down, suspect + away, unseen) {
        (0, 0, 0) => lang.either("全程已验证", "verified all the time").to_owned(),
        (0, 0, _) => {
            lang.either("有记录时全程已验证", "verified whenever it was looked at").to_owned()
        }
        (0, _, 0) => lang.either("从未断开", "never down").to_owned(),
        (0, _, _) => lang.either("未见断开", "never seen down").to_owned(),
        _ => say_in!(lang,
            zh: "断开 {outages} 次（{down}）",
            en: "down {outages}× ({down})",
            down = span(down, lang)
        ),
    }];
    if away > 0 {
        let away = span(away, lang);
        parts.push(say_in!(lang, zh: "未运行 {away}", en: "not running {away}"));
    }
    if suspect > 0 {
        let suspect = span(suspect, lang);
        parts.push(say_in!(lang, zh: "可疑 {suspect}", en: "suspicion {suspect}"));
    }
    if unseen > 0 {
        let unseen = span(unseen, lang);
        parts.push(say_in!(lang, zh: "没有记录 {unseen}", en: "no record {unseen}"));
    }
    parts.push(match since {
        0 => lang.either("过去 24 小时", "in the last 24 h").to_owned(),
        _ => {
            let since = moment(since, now_ms);
            say_in!(lang, zh: "自 {since} 起有记录", en: "recorded since {since}")
        }
    });
    parts.join(lang.either("，", ", "))
}

/// So many minutes, in hours where they are many.
fn span(minutes: usize, lang: Lang) -> String {
    let (hours, rest) = (minutes / 60, minutes % 60);
    match (hours, rest) {
        (0 | 1, _) => say_in!(lang, zh: "{minutes} 分钟", en: "{minutes} min"),
        (_, 0) => say_in!(lang, zh: "{hours} 小时", en: "{hours} h"),
        _ => say_in!(lang, zh: "{hours} 小时 {rest} 分钟", en: "{hours} h {rest} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_told_in_a_sentence_and_trouble_is_wide_enough_to_be_seen() {
        let run = |mark, first, minutes| Run { mark, first, minutes };
        let day = [
            run(Mark::Off, 0, 1000),
            run(Mark::Verified, 1000, 370),
            run(Mark::Away, 1370, 30),
            run(Mark::Down, 1400, 2),
            run(Mark::Suspect, 1402, 1),
            run(Mark::Verified, 1403, 37),
        ];
        let strip = Strip::of(&day, 1_700_000_000_000, Lang::En);
        assert!(
            strip.said.starts_with(
                "down 1× (2 min), not running 30 min, suspicion 1 min, recorded since"
            ),
            "{}",
            strip.said
        );
        assert_eq!((strip.window, strip.from), (MINUTES, "24 h ago"));
        let last = strip.bars.last().unwrap();
        assert_eq!((last.kind, last.x, last.width, last.height), ("down", 1400, 6, 30));
        let all = Strip::of(&[run(Mark::Verified, 0, MINUTES)], 0, Lang::Zh);
        assert_eq!(all.said, "全程已验证，过去 24 小时");
        let away = Strip::of(&[run(Mark::Away, 0, MINUTES)], 0, Lang::En);
        assert_eq!(away.said, "never down, not running 24 h, in the last 24 h");
        let edge = [run(Mark::Verified, 0, 1439), run(Mark::Down, 1439, 1)];
        let edge = Strip::of(&edge, 0, Lang::En);
        assert_eq!(edge.bars[1].x + edge.bars[1].width, MINUTES, "nothing beyond the edge");
        let none = Strip::of(&[run(Mark::Off, 0, MINUTES)], 0, Lang::En);
        assert!(none.said.contains("no record"));
    }

    #[test]
    fn a_young_record_is_shown_at_its_size() {
        let run = |mark, first, minutes| Run { mark, first, minutes };
        let day =
            [run(Mark::Off, 0, 1400), run(Mark::Down, 1400, 1), run(Mark::Verified, 1401, 39)];
        let strip = Strip::of(&day, 0, Lang::En);
        assert_eq!((strip.window, strip.from, strip.middle), (60, "1 h ago", "30 min ago"));
        let bars: Vec<_> = strip.bars.iter().map(|bar| (bar.kind, bar.x, bar.width)).collect();
        assert_eq!(bars, [("off", 0, 20), ("verified", 21, 39), ("down", 20, 1)]);
        let hours = [run(Mark::Off, 0, 1300), run(Mark::Verified, 1300, 140)];
        assert_eq!(Strip::of(&hours, 0, Lang::En).window, 360);
    }

    #[test]
    fn hours_nobody_looked_at_are_not_called_well() {
        let run = |mark, first, minutes| Run { mark, first, minutes };
        let slept = |mark| {
            [run(mark, 0, 400), run(Mark::Off, 400, 600), run(Mark::Verified, 1000, MINUTES - 1000)]
        };
        let said = |day: &[Run], lang| Strip::of(day, 0, lang).said;
        assert_eq!(
            said(&slept(Mark::Verified), Lang::En),
            "verified whenever it was looked at, no record 10 h, in the last 24 h"
        );
        assert_eq!(
            said(&slept(Mark::Verified), Lang::Zh),
            "有记录时全程已验证，没有记录 10 小时，过去 24 小时"
        );
        assert_eq!(
            said(&slept(Mark::Away), Lang::En),
            "never seen down, not running 6 h 40 min, no record 10 h, in the last 24 h"
        );
        assert_eq!(
            said(&slept(Mark::Down), Lang::En),
            "down 1× (6 h 40 min), no record 10 h, in the last 24 h"
        );
        let young = [run(Mark::Off, 0, 1400), run(Mark::Verified, 1400, 40)];
        let young = said(&young, Lang::En);
        assert!(young.starts_with("verified all the time, recorded since"), "{young}");
    }
}
