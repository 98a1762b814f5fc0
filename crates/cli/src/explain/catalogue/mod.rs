//! What is known about errors: our own codes, the platform's numbers, and the words of other programs
//! that people search for. Data alone; `docs/errors/strings.md` is written from it.

mod api;
mod cards;
mod handlers;
mod link;
mod local;
mod messages;
mod network;
mod refusals;

use larkline_gateway::words::Lang;

/// An error that is known.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Codes and numbers that mean it.
    pub(super) codes: &'static [&'static str],
    /// Fragments of texts that mean it, in small letters.
    pub(super) texts: &'static [&'static str],
    pub(super) zh: Words,
    pub(super) en: Words,
    /// Its place in `docs/errors/`.
    pub(super) page: &'static str,
}

/// What is said about an error in one language.
#[derive(Debug)]
pub(crate) struct Words {
    pub(crate) meaning: &'static str,
    pub(crate) remedy: &'static str,
}

impl Entry {
    /// What is said about it in a language.
    pub(crate) fn words(&self, lang: Lang) -> &Words {
        lang.either(&self.zh, &self.en)
    }
}

/// Everything, in the order of the document.
pub(super) fn all() -> impl Iterator<Item = &'static Entry> {
    let parts = [
        network::ENTRIES,
        link::ENTRIES,
        refusals::ENTRIES,
        api::ENTRIES,
        messages::ENTRIES,
        cards::ENTRIES,
        handlers::ENTRIES,
        local::ENTRIES,
    ];
    parts.into_iter().flatten()
}
