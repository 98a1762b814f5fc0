//! A text in Chinese and English that is written where it is found out, and read where the language
//! is known.
//!
//! It has no `Display`: whoever shows it says in which language. Both forms are written side by side,
//! so a missing one does not compile.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::words::Lang;

/// A text in both languages; an empty one says nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    /// Chinese.
    pub zh: Cow<'static, str>,
    /// English.
    pub en: Cow<'static, str>,
}

impl Both {
    /// Nothing to say.
    pub(crate) const NOTHING: Self = Self::of("", "");

    /// The same text in both languages, Chinese first, as everywhere.
    pub(crate) const fn of(zh: &'static str, en: &'static str) -> Self {
        Self { zh: Cow::Borrowed(zh), en: Cow::Borrowed(en) }
    }

    /// What is the same in both: a name, words of the system or of a library.
    pub fn same(text: impl std::fmt::Display) -> Self {
        Self::each(|_| text.to_string())
    }

    /// A text that is made, one time in each language.
    pub fn each(make: impl Fn(Lang) -> String) -> Self {
        Self { zh: make(Lang::Zh).into(), en: make(Lang::En).into() }
    }

    /// The text in one of them.
    pub fn text(&self, lang: Lang) -> &str {
        lang.either(&self.zh, &self.en)
    }

    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.en.is_empty()
    }
}

/// The one of two texts that is in a language; English where there is no Chinese, as of an older gateway.
pub(crate) fn told_in<'t>(lang: Lang, zh: &'t str, en: &'t str) -> &'t str {
    if zh.is_empty() { en } else { lang.either(zh, en) }
}

/// English and Chinese, as two fields of an answer have them.
pub(crate) fn told_apart(text: Option<Both>) -> (Option<String>, Option<String>) {
    text.map(|text| (text.en.into_owned(), text.zh.into_owned())).unzip()
}

/// The text of two such fields that is in a language.
pub fn told<'t>(lang: Lang, en: &'t Option<String>, zh: &'t Option<String>) -> Option<&'t str> {
    en.as_deref().map(|en| told_in(lang, zh.as_deref().unwrap_or_default(), en))
}

/// A text with values in it: `both!(zh: "没有 `{name}`", en: "there is no `{name}`")`. What is no
/// plain variable is named behind, `, n = list.len()`, and what is a text of both languages itself
/// behind a semicolon: `; what = what`.
macro_rules! both {
    (zh: $zh:literal, en: $en:literal $(, $name:ident = $value:expr)* $(; $($part:ident = $both:expr),+)?) => {
        $crate::both::Both::each(|lang| {
            $($(let $part = $both.text(lang);)+)?
            $crate::say_in!(lang, zh: $zh, en: $en $(, $name = $value)* $($(, $part = $part)+)?)
        })
    };
}
pub(crate) use both;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_may_hold_values_and_other_texts() {
        let (n, what) = (3, Both::of("个应用", "apps"));
        let all =
            both!(zh: "{n} {what}和{more}", en: "{n} {what} and {more}", more = 1; what = what);
        assert_eq!(all.text(Lang::Zh), "3 个应用和1");
        assert_eq!(all.text(Lang::En), "3 apps and 1");
        assert!(Both::NOTHING.is_empty() && !all.is_empty());
    }
}
