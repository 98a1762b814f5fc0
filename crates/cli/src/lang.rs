//! The language in which this process speaks to its operator, and the way to write a text in it.
//!
//! Known from the environment at the first moment, refined by the configuration when it is read.
//! JSON is for programs: a process that was asked for it speaks English to its end. Logs are English
//! anyway. `say!` writes a text in both languages side by side; one without the other does not compile.

use std::ffi::OsString;
use std::sync::atomic::{AtomicU8, Ordering};

use larkline_gateway::config::{Config, LANGUAGE_VARIABLE};
use larkline_gateway::words::Lang;
use unicode_width::UnicodeWidthStr;

use crate::args::Format;

/// One word of memory for the whole process: a language is as global as the terminal it is read on.
static SPOKEN: AtomicU8 = AtomicU8::new(ENGLISH);

const ENGLISH: u8 = 0;
const CHINESE: u8 = 1;
/// English that no configuration changes.
const ENGLISH_ONLY: u8 = 2;

/// A text in the process's language: `say!(zh: "应用 {name}", en: "app {name}")`. What is no plain
/// variable is named behind: `, n = list.len()`.
macro_rules! say {
    ($($both:tt)+) => {
        ::larkline_gateway::say_in!($crate::lang::lang(), $($both)+)
    };
}

/// The process's language.
pub(crate) fn lang() -> Lang {
    match SPOKEN.load(Ordering::Relaxed) {
        CHINESE => Lang::Zh,
        _ => Lang::En,
    }
}

/// The one of two texts that is in the process's language.
pub(crate) fn either<T>(zh: T, en: T) -> T {
    lang().either(zh, en)
}

/// Takes the language of the environment: the key's own variable, else the locale.
pub(crate) fn begin() {
    speak(of_environment(|name| std::env::var(name).ok()));
    // Before it is parsed, so that even what is wrong with it is told to a program in English.
    if asks_for_json(std::env::args_os()) {
        written_as(Format::Json);
    }
}

/// Whether a command line asks for JSON, as far as its own arguments go.
fn asks_for_json(line: impl Iterator<Item = OsString>) -> bool {
    let mut own = line.take_while(|word| word != "--");
    let mut is_value = false;
    own.any(|word| {
        let asked = word == "--format=json" || is_value && word == "json";
        is_value = word == "--format";
        asked
    })
}

/// What is asked for as JSON is for programs.
pub(crate) fn written_as(format: Format) {
    if format == Format::Json {
        SPOKEN.store(ENGLISH_ONLY, Ordering::Relaxed);
    }
}

/// Takes the language of the configuration.
pub(crate) fn refine(config: &Config) {
    choose(config.language);
}

/// Takes the language that somebody chose.
pub(crate) fn choose(lang: Lang) {
    if SPOKEN.load(Ordering::Relaxed) != ENGLISH_ONLY {
        speak(lang);
    }
}

fn speak(lang: Lang) {
    SPOKEN.store(lang.either(CHINESE, ENGLISH), Ordering::Relaxed);
}

fn of_environment(read: impl Fn(&str) -> Option<String>) -> Lang {
    match read(LANGUAGE_VARIABLE).as_deref() {
        Some("zh") => Lang::Zh,
        Some("en") => Lang::En,
        // Not set, or nonsense, which the configuration complains about.
        Some(_) | None => {
            let locale = larkline_gateway::words::LOCALE.map(|name| (name, read(name)));
            Lang::of_environment(|name| {
                locale.iter().find(|(known, _)| *known == name).and_then(|(_, v)| v.as_deref())
            })
        }
    }
}

/// A text and the spaces that bring it to so many columns; Chinese characters fill two each.
pub(crate) fn padded(text: &str, columns: usize) -> String {
    let missing = columns.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_own_variable_is_stronger_than_the_locale() {
        let of = |set: &[(&str, &str)]| {
            let found = |name: &str| set.iter().find(|(n, _)| *n == name);
            of_environment(|name| found(name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8")]), Lang::Zh);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8"), ("LARKLINE__LANGUAGE", "en")]), Lang::En);
        assert_eq!(of(&[("LARKLINE__LANGUAGE", "zh")]), Lang::Zh);
        assert_eq!(of(&[("LANG", "zh_CN.UTF-8"), ("LARKLINE__LANGUAGE", "fr")]), Lang::Zh);
    }

    #[test]
    fn json_is_asked_for_before_the_command_line_is_parsed() {
        let asks = |line: &str| asks_for_json(line.split(' ').map(OsString::from));
        assert!(asks("larkline --format json nonsense") && asks("larkline status --format=json"));
        assert!(!asks("larkline --format human json"));
        assert!(!asks("larkline job run -- tool --format json"), "that is the tool's");
    }

    #[test]
    fn labels_of_both_languages_end_in_one_column() {
        assert_eq!(padded("link", 8), "link    ");
        assert_eq!(padded("连接", 8), "连接    ");
        assert_eq!(padded("too long", 4), "too long");
    }
}
