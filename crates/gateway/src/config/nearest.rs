//! The nearest known name, for "did you mean", and what is said of a name or word nobody knows.

use super::decoder::Spot;
use crate::both::{Both, both};

/// Above this many edits two names have nothing to do with each other.
const EDITS_MAX: usize = 3;

/// The candidate with the fewest edits from `name`, if it is near: at most a third of the
/// name's length (at least one edit, at most [`EDITS_MAX`]).
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.chars().count() / 3).clamp(1, EDITS_MAX);
    known
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The name that may be meant.
pub(super) fn did_you_mean(name: &str) -> Both {
    both!(zh: "是不是想写 `{name}`？", en: "did you mean `{name}`?")
}

/// Notes that a word is none of those there are.
pub(super) fn refuse_word<T>(spot: Spot<'_>, word: &str, known: &[&str]) -> Option<T> {
    spot.refuse(unknown_value(word), meant(word, known))
}

/// A word nobody knows.
pub(super) fn unknown_value(word: &str) -> Both {
    both!(zh: "未知的值 `{word}`", en: "unknown value `{word}`")
}

/// The word that may be meant, or all of them.
pub(super) fn meant(word: &str, known: &[&str]) -> Both {
    match nearest(word, known.iter().copied()) {
        Some(near) => both!(zh: "是不是想写 \"{near}\"？", en: "did you mean \"{near}\"?"),
        None => one_of(known),
    }
}

/// `one of "a", "b"`.
pub(super) fn one_of(words: &[&str]) -> Both {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    both!(
        zh: "可选：{all}", en: "one of {all}",
        all = quoted.join(", ")
    )
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`, with
/// case and `-`/`_` counted as equal.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (folded(a), folded(b));
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

fn folded(name: &str) -> Vec<char> {
    name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_finds_its_name() {
        let known = ["app_id", "app_secret", "domain", "transport", "owners"];
        for (typed, meant) in [
            ("app_idd", "app_id"),
            ("ap_secret", "app_secret"),
            ("App-Id", "app_id"),
            ("tranpsort", "transport"),
            ("owner", "owners"),
        ] {
            assert_eq!(nearest(typed, known), Some(meant));
        }
    }

    #[test]
    fn a_stranger_finds_nothing() {
        assert_eq!(nearest("colour", ["app_id", "domain"]), None);
        assert_eq!(nearest("", ["app_id"]), None);
    }
}
