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
use crate::both::{Both, both};

/// A type that a key can have.
pub(super) trait Field: Sized {
    /// The type in words, as the reference page lists it.
    const KIND: &'static str;
    /// How such a value is written; said when it is missing or of the wrong type.
    const HINT: Both = Both::NOTHING;

    /// Reads it; `None` after a problem was noted.
    fn read(spot: Spot<'_>) -> Option<Self>;

    /// How `config show` prints it: never a secret.
    fn shown(&self) -> Json;
}

/// What most keys want.
pub(super) const A_STRING: Both = Both::of("字符串", "a string");

impl Field for String {
    const KIND: &'static str = "string";

    fn read(spot: Spot<'_>) -> Option<Self> {
        spot.text(&A_STRING, Self::HINT).map(str::to_owned)
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
            Some(_) | None => {
                spot.wrong_type(&Both::of(" true 或 false", "true or false"), Self::HINT)
            }
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
                    Some(Err(_)) => spot.refuse(
                        both!(
                            zh: "必须在 0 到 {most} 之间",
                            en: "must be between 0 and {most}", most = Self::MAX
                        ),
                        Both::NOTHING,
                    ),
                    None => spot.wrong_type(&Both::of("整数", "an integer"), Self::HINT),
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
    const HINT: Both = Both::of(
        "写成带单位的数字，如 \"500ms\"、\"30s\"、\"5m\"、\"2h\" 或 \"7d\"",
        "write a number with a unit, as \"500ms\", \"30s\", \"5m\", \"2h\" or \"7d\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("时长", "a duration"), Self::HINT)?;
        match parse_duration(text) {
            Some(duration) => Some(duration),
            None => spot.refuse(
                both!(zh: "`{text}` 不是时长", en: "`{text}` is not a duration"),
                Self::HINT,
            ),
        }
    }

    fn shown(&self) -> Json {
        json!(print_duration(*self))
    }
}

impl Field for Bytes {
    const KIND: &'static str = "size";
    const HINT: Both = Both::of(
        "写成带单位的数字，如 \"512K\"、\"2M\" 或 \"1G\"（以 1024 为进位）",
        "write a number with a unit, as \"512K\", \"2M\" or \"1G\" (powers of 1024)",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        if let Value::Integer(number) = spot.node.value {
            return match u64::try_from(number) {
                Ok(bytes) => Some(Self(bytes)),
                Err(_) => spot.refuse(
                    Both::of(
                        "大小不能为负，也不能这么大",
                        "a size cannot be negative or this large",
                    ),
                    Self::HINT,
                ),
            };
        }
        let text = spot.text(&Both::of("大小", "a size"), Self::HINT)?;
        match parse_size(text) {
            Some(bytes) => Some(bytes),
            None => spot
                .refuse(both!(zh: "`{text}` 不是大小", en: "`{text}` is not a size"), Self::HINT),
        }
    }

    fn shown(&self) -> Json {
        json!(self.to_string())
    }
}

impl Field for PathBuf {
    const KIND: &'static str = "path";
    const HINT: Both = Both::of(
        "相对路径从配置文件所在目录算起，`~/` 是主目录",
        "relative paths start beside the file, `~/` is the home directory",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        match spot.text(&Both::of("路径", "a path"), Self::HINT)? {
            "" => spot.refuse(Both::of("路径为空", "the path is empty"), Self::HINT),
            text => Some(spot.decoder.surroundings.path(text)),
        }
    }

    fn shown(&self) -> Json {
        json!(self.display().to_string())
    }
}

impl Field for Url {
    const KIND: &'static str = "URL";
    const HINT: Both = Both::of("写成 \"https://host/path\"", "write it as \"https://host/path\"");

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of(" URL", "a URL"), Self::HINT)?;
        if let Some(what) = placeholder::in_text(text) {
            return spot
                .refuse(both!(zh: "URL {what}", en: "the URL {what}"; what = what), Self::HINT);
        }
        match Self::parse(text) {
            Ok(url) if url.has_host() && matches!(url.scheme(), "http" | "https") => Some(url),
            Ok(_) => spot.refuse(
                Both::of(
                    "URL 必须是带主机名的 http:// 或 https://",
                    "the URL must be http:// or https:// with a host",
                ),
                Self::HINT,
            ),
            Err(error) => {
                spot.refuse(both!(zh: "不是 URL：{error}", en: "not a URL: {error}"), Self::HINT)
            }
        }
    }

    fn shown(&self) -> Json {
        json!(redacted_url(self))
    }
}

impl Field for SocketAddr {
    const KIND: &'static str = "address";
    const HINT: Both = Both::of(
        "写成地址和端口，如 \"127.0.0.1:8420\"",
        "write address and port, as \"127.0.0.1:8420\"",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("地址", "an address"), Self::HINT)?;
        match text.parse() {
            Ok(address) => Some(address),
            Err(_) => spot.refuse(
                both!(
                    zh: "`{text}` 不是带端口的地址",
                    en: "`{text}` is not an address with a port"
                ),
                Self::HINT,
            ),
        }
    }

    fn shown(&self) -> Json {
        json!(self.to_string())
    }
}

macro_rules! platform_ids {
    ($($id:ty, $kind:literal, $prefix:literal, $zh:literal, $en:literal;)*) => {$(
        impl Field for $id {
            const KIND: &'static str = $kind;
            const HINT: Both = Both::of($zh, $en);

            fn read(spot: Spot<'_>) -> Option<Self> {
                let wanted = Both::of(concat!(" id `", $prefix, "…`"), concat!("an id `", $prefix, "…`"));
                let text = spot.text(&wanted, Self::HINT)?;
                if let Some(what) = placeholder::in_id(text) {
                    return spot.refuse(both!(zh: "id {what}", en: "the id {what}"; what = what), Self::HINT);
                }
                match text.strip_prefix($prefix) {
                    Some(rest) if !rest.is_empty() => Some(Self::new(text)),
                    Some(_) | None => {
                        let message = both!(
                            zh: "`{text}` 不以 `{prefix}` 开头",
                            en: "`{text}` does not start with `{prefix}`", prefix = $prefix
                        );
                        spot.refuse(message, Self::HINT)
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
    ChatId, "chat id", "oc_",
        "`larkline chats` 列出机器人见过的会话及其 oc_ id",
        "`larkline chats` lists the chats the bot has seen, with their oc_ ids";
    OpenId, "open id", "ou_",
        "给机器人发消息：网关的 `event received` 一行里有发送者的 ou_ id",
        "write to the bot: the gateway's line `event received` has the sender's ou_ id";
}

impl Field for AppId {
    const KIND: &'static str = "app id";
    const HINT: Both = Both::of(
        "开发者后台的“凭证与基础信息”里可以看到：`cli_` 加 16 个 0-9、a-f 的字符",
        "the developer console shows it under Credentials: `cli_` and 16 characters of 0-9 and a-f",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let text = spot.text(&Both::of("应用 id", "an app id"), Self::HINT)?;
        let id = Self::new(text);
        if !text.trim_start().starts_with("cli_") {
            // Perhaps the secret, swapped with the id.
            spot.decoder.cover(spot.node);
        }
        if let Some(what) = placeholder::in_id(text) {
            return spot.refuse(
                both!(zh: "应用 id {what}", en: "the app id {what}"; what = what),
                Self::HINT,
            );
        }
        if !id.is_well_formed() {
            let n = text.chars().count();
            let message = match text.starts_with("cli_") {
                true => both!(
                    zh: "`cli_…`（{n} 个字符）不是应用 id",
                    en: "`cli_…` ({n} characters) is not an app id"
                ),
                false => both!(
                    zh: "这 {n} 个字符不是应用 id",
                    en: "these {n} characters are not an app id"
                ),
            };
            return spot.refuse(message, Self::HINT);
        }
        Some(id)
    }

    fn shown(&self) -> Json {
        json!(self.as_str())
    }
}

/// Lists; from a variable they are separated by commas.
macro_rules! lists {
    ($($item:ty, $kind:literal, $zh:literal;)*) => {$(
        impl Field for Vec<$item> {
            const KIND: &'static str = $kind;
            const HINT: Both = <$item as Field>::HINT;

            fn read(spot: Spot<'_>) -> Option<Self> {
                read_list(spot, &Both::of($zh, concat!("a ", $kind)))
            }

            fn shown(&self) -> Json {
                self.iter().map(Field::shown).collect()
            }
        }
    )*};
}

lists! {
    String, "list of strings", "字符串列表";
    PathBuf, "list of paths", "路径列表";
    ChatId, "list of chat ids", "会话 id 列表";
    OpenId, "list of open ids", " open id 列表";
    Secret, "list of secrets", "密钥列表";
}

/// Reads every entry, so that each wrong one is named.
pub(super) fn read_list<T: Field>(spot: Spot<'_>, wanted: &Both) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = if let Some(items) = spot.node.as_list() {
        items.iter().map(|item| T::read(spot.with(item))).collect()
    } else if let Some(text) = spot.node.as_bare_text() {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(|part| read_part(spot, part)).collect()
    } else {
        let hint =
            Both::of("写在方括号里，如 [\"…\", \"…\"]", "write it in brackets, as [\"…\", \"…\"]");
        return spot.wrong_type(wanted, hint);
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
                match spot.text(&$crate::config::field::A_STRING, $crate::config::nearest::one_of(WORDS))? {
                    $($word => Some($value),)+
                    other => {
                        $crate::config::nearest::refuse_word(spot, other, WORDS)
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
