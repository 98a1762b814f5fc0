//! What was said before, and how much of it a model is told again.
//!
//! Tokens are guessed: each model counts in its own way, and a limit with some room does not need
//! better.

use crate::prompt::Image;

/// Bytes of text other than Chinese, Japanese and Korean that make a token, about.
const TOKEN_BYTES: usize = 4;
/// Tokens around each message: its role and its ends.
const TURN_TOKENS: usize = 4;
/// Tokens of a picture, about: models of several makers take between 250 and 1 500.
const IMAGE_TOKENS: usize = 1_000;

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whose.
    pub role: Role,
    /// Its text.
    pub text: String,
    /// Its pictures; only people send them.
    pub images: Vec<Image>,
}

/// Whose message it is. What the operator tells the model is not part of the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A person's.
    User,
    /// The model's.
    Assistant,
}

/// The newest part of a conversation that fits into so many tokens, and begins with a person: what
/// is left of a question without its answer, or the other way round, is left out. It is empty when
/// not even the newest message fits.
pub fn cut(history: &[Turn], tokens_max: usize) -> &[Turn] {
    let mut left = tokens_max;
    let mut begin = history.len();
    while let Some(turn) = begin.checked_sub(1).and_then(|at| history.get(at)) {
        let Some(rest) = left.checked_sub(turn_tokens(turn)) else { break };
        left = rest;
        begin -= 1;
    }
    let kept = &history[begin..];
    let first = kept.iter().position(|turn| turn.role == Role::User).unwrap_or(kept.len());
    &kept[first..]
}

/// How many tokens a text has, about: one for each Chinese, Japanese or Korean character, one for
/// four bytes of anything else.
pub fn tokens(text: &str) -> usize {
    let (wide, bytes) = text.chars().fold((0_usize, 0_usize), |(wide, bytes), character| {
        if is_wide(character) { (wide + 1, bytes) } else { (wide, bytes + character.len_utf8()) }
    });
    wide + bytes.div_ceil(TOKEN_BYTES)
}

fn turn_tokens(turn: &Turn) -> usize {
    tokens(&turn.text) + turn.images.len().saturating_mul(IMAGE_TOKENS) + TURN_TOKENS
}

fn is_wide(character: char) -> bool {
    matches!(character,
        '\u{1100}'..='\u{11FF}'     // Hangul letters
        | '\u{2E80}'..='\u{A4CF}'   // radicals, punctuation, kana, ideographs, Yi
        | '\u{AC00}'..='\u{D7AF}'   // Hangul syllables
        | '\u{F900}'..='\u{FAFF}'   // compatibility ideographs
        | '\u{FE30}'..='\u{FE4F}' | '\u{FF00}'..='\u{FFEF}'
        | '\u{20000}'..='\u{3FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(role: Role, text: &str) -> Turn {
        Turn { role, text: text.to_owned(), images: Vec::new() }
    }

    #[test]
    fn tokens_are_guessed_by_script() {
        for (text, expected) in [
            ("", 0),
            ("a", 1),
            ("abcd", 1),
            ("abcde", 2),
            ("你好，世界", 5),
            ("你好 abcd", 4),
            ("안녕", 2),
        ] {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn the_oldest_goes_first_and_no_answer_is_left_without_its_question() {
        let history = [
            turn(Role::User, "aaaa"),
            turn(Role::Assistant, "bbbb"),
            turn(Role::User, "cccc"),
            turn(Role::Assistant, "dddd"),
        ];
        for (tokens_max, kept) in
            [(0, 0), (4, 0), (5, 0), (9, 0), (10, 2), (15, 2), (19, 2), (20, 4), (usize::MAX, 4)]
        {
            assert_eq!(cut(&history, tokens_max), &history[4 - kept..], "{tokens_max}");
        }
        assert_eq!(cut(&history[..3], 5), &history[2..3]);
        assert_eq!(cut(&history[1..2], 100), &[]);
        assert_eq!(cut(&[], 100), &[]);
    }

    #[test]
    fn pictures_count() {
        let image = Image { media_type: "image/png".to_owned(), bytes: Vec::new() };
        let turn = Turn { images: vec![image], ..turn(Role::User, "") };
        let history = [turn];
        assert_eq!(cut(&history, IMAGE_TOKENS), &[]);
        assert_eq!(cut(&history, IMAGE_TOKENS + TURN_TOKENS), &history);
    }
}
