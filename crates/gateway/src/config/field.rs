//! Types a key can have: each says its name, reads itself, and shows itself.
//!
//! What is here has no meaning of its own beyond its type; types of the domain implement
//! [`Field`] beside their definition.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use larkline_client::{Secret, redacted_url};
use larkline_proto::id::{AppId, ChatId, OpenId};
use serde_json::{Value as Json, json};
use url::Url;

use super::decoder::Spot;
use super::placeholder;
use super::tree::Value;
use super::units::{Bytes, parse_duration, parse_size, print_duration};

/// A type that a key can have.
pub(super) trait Field: Sized {
    /// The type in words, as the reference page lists it.
    const KIND: &'static str;
    /// How such a value is written; said when it is missing or of the wrong type.
    const HINT: &'static str = "";

    /// Reads it; `None` after a problem was noted.
    fn read(spot: Spot<'_>) -> Option<Self>;

    /// How `config show` prints it: never a secret.
    fn shown(&self) -> Json;
}

impl Field for String {
    const KIND: &'static str = "string";

    fn read(spot: Spot<'_>) -> Option<Self> {
        spot.text("a string", Self::HINT).map(str::to_owned)
    }

    fn shown(&self) -> Json {
        json!(self)
    }
}

impl Field for bool {
    const KIND: &'static str = "true or false";

    fn read(spot: Spot<'_>) -> Option<Self> {
        if let Value::Boolean(value) = spot.node.value {
            return Some(value);
        }
        match spot.node.as_bare_text() {
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            Some(_) | None => spot.wrong_type("true or false", Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(self)
    }
}

macro_rules! integers {
    ($($int:ty),*) => {$(
        impl Field for $int {
            const KIND: &'static str = "integer";

            fn read(spot: Spot<'_>) -> Option<Self> {
                let number = if let Value::Integer(number) = spot.node.value {
                    Some(number)
                } else {
                    spot.node.as_bare_text().and_then(|text| text.trim().parse::<i128>().ok())
                };
                match number.map(Self::try_from) {
                    Some(Ok(number)) => Some(number),
                    Some(Err(_)) => spot.refuse(format!("must be between 0 and {}", Self::MAX), ""),
                    None => spot.wrong_type("an integer", Self::HINT),
                }
            }

            fn shown(&self) -> Json {
                json!(self)
            }
        }
    )*};
}

integers!(u32, usize);

impl Field for Duration {
    const KIND: &'static str = "duration";
    const HINT: &'static str =
        "write a number with a unit, as \"500ms\", \"30s\", \"5m\", \"2h\" or \"7d\"";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("a duration", Self::HINT)?;
        match parse_duration(text) {
            Some(duration) => Some(duration),
            None => spot.refuse(format!("`{text}` is not a duration"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(print_duration(*self))
    }
}

impl Field for Bytes {
    const KIND: &'static str = "size";
    const HINT: &'static str =
        "write a number with a unit, as \"512K\", \"2M\" or \"1G\" (powers of 1024)";

    fn read(spot: Spot<'_>) -> Option<Self> {
        if let Value::Integer(number) = spot.node.value {
            return match u64::try_from(number) {
                Ok(bytes) => Some(Self(bytes)),
                Err(_) => spot.refuse("a size cannot be negative or this large", Self::HINT),
            };
        }
        let text = spot.text("a size", Self::HINT)?;
        match parse_size(text) {
            Some(bytes) => Some(bytes),
            None => spot.refuse(format!("`{text}` is not a size"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(self.to_string())
    }
}

impl Field for PathBuf {
    const KIND: &'static str = "path";
    const HINT: &'static str = "relative paths start beside the file, `~/` is the home directory";

    fn read(spot: Spot<'_>) -> Option<Self> {
        match spot.text("a path", Self::HINT)? {
            "" => spot.refuse("the path is empty", Self::HINT),
            text => Some(spot.decoder.surroundings.path(text)),
        }
    }

    fn shown(&self) -> Json {
        json!(self.display().to_string())
    }
}

impl Field for Url {
    const KIND: &'static str = "URL";
    const HINT: &'static str = "write it as \"https://host/path\"";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("a URL", Self::HINT)?;
        if let Some(what) = placeholder::in_text(text) {
            return spot.refuse(format!("the URL {what}"), Self::HINT);
        }
        match Self::parse(text) {
            Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => Some(url),
            Ok(_) => spot.refuse("the URL must be http:// or https:// with a host", Self::HINT),
            Err(error) => spot.refuse(format!("not a URL: {error}"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(redacted_url(self))
    }
}

impl Field for SocketAddr {
    const KIND: &'static str = "address";
    const HINT: &'static str = "write address and port, as \"127.0.0.1:8420\"";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("an address", Self::HINT)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => spot.refuse(format!("`{text}` is not an address with a port"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(self.to_string())
    }
}

macro_rules! platform_ids {
    ($($id:ty, $kind:literal, $prefix:literal, $hint:literal;)*) => {$(
        impl Field for $id {
            const KIND: &'static str = $kind;
            const HINT: &'static str = $hint;

            fn read(spot: Spot<'_>) -> Option<Self> {
                let text = spot.text(concat!("an id `", $prefix, "…`"), Self::HINT)?;
                if let Some(what) = placeholder::in_id(text) {
                    return spot.refuse(format!("the id {what}"), Self::HINT);
                }
                match text.strip_prefix($prefix) {
                    Some(rest) if !rest.is_empty() => Some(Self::new(text)),
                    Some(_) | None => {
                        spot.refuse(format!("`{text}` does not start with `{}`", $prefix), Self::HINT)
                    }
                }
            }

            fn shown(&self) -> Json {
                json!(self.as_str())
            }
        }
    )*};
}

platform_ids! {
    ChatId, "chat id", "oc_", "`larkline chats` lists the chats the bot has seen, with their oc_ ids";
    OpenId, "open id", "ou_", "write to the bot: the gateway's line `event received` has the sender's ou_ id";
}

impl Field for AppId {
    const KIND: &'static str = "app id";
    const HINT: &'static str =
        "the developer console shows it under Credentials: `cli_` and 16 characters of 0-9 and a-f";

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text("an app id", Self::HINT)?;
        let id = Self::new(text);
        if let Some(what) = placeholder::in_id(text) {
            return spot.refuse(format!("the app id {what}"), Self::HINT);
        }
        if !id.is_well_formed() {
            return spot.refuse(format!("`{text}` is not an app id"), Self::HINT);
        }
        Some(id)
    }

    fn shown(&self) -> Json {
        json!(self.as_str())
    }
}

/// Lists; from a variable they are separated by commas.
macro_rules! lists {
    ($($item:ty, $kind:literal;)*) => {$(
        impl Field for Vec<$item> {
            const KIND: &'static str = $kind;
            const HINT: &'static str = <$item as Field>::HINT;

            fn read(spot: Spot<'_>) -> Option<Self> {
                read_list(spot, $kind)
            }

            fn shown(&self) -> Json {
                self.iter().map(Field::shown).collect()
            }
        }
    )*};
}

lists! {
    String, "list of strings";
    PathBuf, "list of paths";
    ChatId, "list of chat ids";
    OpenId, "list of open ids";
    Secret, "list of secrets";
}

/// Reads every entry, so that each wrong one is named.
pub(super) fn read_list<T: Field>(spot: Spot<'_>, wanted: &str) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = if let Some(items) = spot.node.as_list() {
        items.iter().map(|item| T::read(spot.with(item))).collect()
    } else if let Some(text) = spot.node.as_bare_text() {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| read_part(spot, part)).collect()
    } else {
        let hint = "write it in brackets, as [\"…\", \"…\"]";
        return spot.wrong_type(&format!("a {wanted}"), hint);
    };
    read.into_iter().collect()
}

fn read_part<T: Field>(spot: Spot<'_>, part: &str) -> Option<T> {
    let node =
        super::tree::Node { value: Value::Text(part.to_owned()), origin: spot.node.origin.clone() };
    T::read(Spot { decoder: spot.decoder, node: &node, path: spot.path })
}

/// An enum that a key names by words.
macro_rules! choices {
    ($type:ty, $kind:literal, { $($word:literal => $value:expr),+ $(,)? }) => {
        impl $crate::config::field::Field for $type {
            const KIND: &'static str = $kind;

            fn read(spot: $crate::config::decoder::Spot<'_>) -> Option<Self> {
                const WORDS: &[&str] = &[$($word),+];
                match spot.text("a string", &$crate::config::field::one_of(WORDS))? {
                    $($word => Some($value),)+
                    other => {
                        let hint = match $crate::config::nearest::nearest(other, WORDS.iter().copied()) {
                            Some(word) => format!("did you mean \"{word}\"?"),
                            None => $crate::config::field::one_of(WORDS),
                        };
                        spot.refuse(format!("unknown value `{other}`"), &hint)
                    }
                }
            }

            fn shown(&self) -> serde_json::Value {
                let word = [$(($word, $value)),+].into_iter().find(|(_, value)| value == self);
                serde_json::Value::from(word.map(|(word, _)| word))
            }
        }
    };
}
pub(super) use choices;

/// `one of "a", "b"`.
pub(super) fn one_of(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("one of {}", quoted.join(", "))
}
