//! One key of a section: typed, bounded, noted with its origin and the reason it is as it is.
//!
//! The reason stands where the key is read, so it is written once: the reference page
//! (`docs/configuration.md`) is made from it.

use std::ops::RangeInclusive;

use serde_json::Value as Json;

use super::decoder::{Setting, Spot};
use super::field::Field;
use super::problem::{Class, Origin};
use super::section::Section;
use crate::both::{Both, both};

/// A key about to be read; nothing is asked for until one of its methods is called.
#[must_use = "a key that is not read stays unknown"]
pub(super) struct Key<'s, 'd> {
    pub(super) section: &'s mut Section<'d>,
    pub(super) name: &'static str,
    pub(super) why: &'static str,
    pub(super) bounds: Option<(Json, Json)>,
}

impl Key<'_, '_> {
    /// A field that must be there. `None` after a problem was noted.
    pub(super) fn required<T: Field>(self) -> Option<T> {
        self.required_or(T::HINT)
    }

    /// The same, with more to say than how such a value is written when it is missing.
    pub(super) fn required_or<T: Field>(self, hint: Both) -> Option<T> {
        if !self.section.has(self.name) {
            self.record::<T>(None);
            let wanted = both!(zh: "缺少 `{name}`", en: "`{name}` is missing", name = self.name);
            self.section.refuse("", wanted, hint);
        }
        self.read()
    }

    /// A field that may be absent.
    pub(super) fn optional<T: Field>(self) -> Option<T> {
        if !self.section.has(self.name) {
            self.record::<T>(None);
        }
        self.read()
    }

    /// A field with a default.
    pub(super) fn or<T: Field>(self, default: T) -> T {
        if !self.section.has(self.name) {
            self.record(Some(&default));
        }
        self.read().unwrap_or(default)
    }

    /// A field with a default, inside bounds.
    pub(super) fn within<T: Field + PartialOrd>(
        mut self,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> T {
        self.bounds = Some((bounds.start().shown(), bounds.end().shown()));
        if !self.section.has(self.name) {
            self.record(Some(&default));
        }
        self.read_within(&bounds).unwrap_or(default)
    }

    /// A field that may be absent, inside bounds.
    pub(super) fn optional_within<T: Field + PartialOrd>(
        mut self,
        bounds: RangeInclusive<T>,
    ) -> Option<T> {
        self.bounds = Some((bounds.start().shown(), bounds.end().shown()));
        if !self.section.has(self.name) {
            self.record::<T>(None);
        }
        self.read_within(&bounds)
    }

    /// Asks for a key whose value nobody needs: it counts as known, and is checked by nobody.
    pub(super) fn tolerate<T: Field>(self) {
        self.record::<T>(None);
        self.section.ignore(self.name);
    }

    fn read_within<T: Field + PartialOrd>(self, bounds: &RangeInclusive<T>) -> Option<T> {
        let (path, origin) = self.section.locate(self.name);
        let decoder = self.section.decoder;
        let value = self.read::<T>()?;
        if !bounds.contains(&value) {
            let message = both!(
                zh: "{value} 不在 {least} 到 {most} 的范围内",
                en: "{value} is outside of {least} to {most}",
                value = value.shown(), least = bounds.start().shown(), most = bounds.end().shown()
            );
            decoder.problem(Class::Value, &path, message, Both::NOTHING, &origin);
        }
        Some(value)
    }

    fn read<T: Field>(self) -> Option<T> {
        self.section.ignore(self.name);
        let node = self.section.node(self.name)?;
        let path = self.section.join(self.name);
        let value = T::read(Spot { decoder: self.section.decoder, node, path: &path })?;
        self.record(Some(&value));
        Some(value)
    }

    fn record<T: Field>(&self, value: Option<&T>) {
        let setting = Setting {
            path: self.section.join(self.name),
            pattern: self.section.pattern(self.name),
            kind: T::KIND,
            bounds: self.bounds.clone(),
            why: self.why,
            value: value.map_or(Json::Null, Field::shown),
            origin: self.section.node(self.name).map_or(Origin::Default, |n| n.origin.clone()),
        };
        self.section.decoder.settings.borrow_mut().push(setting);
    }
}
