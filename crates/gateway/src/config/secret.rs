//! Secrets in a configuration: from a variable, from a file, or, with a warning, in place.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use larkline_client::Secret;
use serde_json::{Value as Json, json};

use super::decoder::Spot;
use super::field::Field;
use super::mask;
use super::placeholder;
use super::problem::Origin;
use super::section::A_TABLE;
use super::tree::{Node, Table};
use crate::both::{Both, both};

/// Longest secret file that is read: a key or token, not a document given by mistake.
const SECRET_BYTES_MAX: u64 = 64 * 1024;

impl Field for Secret {
    const KIND: &'static str = "secret";
    const HINT: Both = Both::of(
        "写 { env = \"NAME\" } 或 { file = \"path\" }",
        "write { env = \"NAME\" } or { file = \"path\" }",
    );

    fn read(spot: Spot<'_>) -> Option<Self> {
        let (text, remedy) = if let Some(table) = spot.node.as_table() {
            referenced(spot, table)?
        } else {
            spot.decoder.cover(spot.node);
            spot.decoder.open_secret(spot, &spot.node.origin);
            let remedy = match &spot.node.origin {
                Origin::Env { variable, .. } => set_it(variable),
                Origin::Default | Origin::File(_) | Origin::Flag(_) => Self::HINT,
            };
            (spot.text(&Both::of("密钥", "a secret"), Self::HINT)?.to_owned(), remedy)
        };
        match placeholder::in_secret(&text) {
            Some(what) => {
                let message = both!(zh: "密钥{what}", en: "the secret {what}"; what = what);
                spot.refuse(message, remedy)
            }
            None => {
                let secret = Self::new(text);
                spot.decoder.secrets.borrow_mut().push(secret.clone());
                Some(secret)
            }
        }
    }

    fn shown(&self) -> Json {
        json!(mask::MASK)
    }
}

/// A secret without which the gateway does its other work: one that is not there yet is no reason
/// to stop.
pub(super) enum Wanted {
    /// It is there.
    Given(Secret),
    /// It is not, and why; as the beginning of a sentence.
    Missing(Both),
}

impl Field for Wanted {
    const KIND: &'static str = Secret::KIND;
    const HINT: Both = Secret::HINT;

    fn read(spot: Spot<'_>) -> Option<Self> {
        match missing(spot) {
            Some(why) => Some(Self::Missing(why)),
            None => Secret::read(spot).map(Self::Given),
        }
    }

    fn shown(&self) -> Json {
        match self {
            Self::Given(secret) => secret.shown(),
            Self::Missing(_) => Json::Null,
        }
    }
}

/// Why what is referred to holds no secret; nothing for what is to be read, or is no reference.
fn missing(spot: Spot<'_>) -> Option<Both> {
    let table = spot.node.as_table().filter(|table| table.len() == 1)?;
    let named = |kind: &str| table.get(kind)?.node.as_text();
    let surroundings = &spot.decoder.surroundings;
    if let Some(name) = named("env") {
        return match surroundings.variable(name) {
            None => Some(not_set(name)),
            Some((value, _)) => placeholder::in_secret(value).map(
                |what| both!(zh: "`{name}` 的内容{what}", en: "what `{name}` holds {what}"; what = what),
            ),
        };
    }
    let SecretFile { path, .. } = SecretFile::find(spot, named("file")?);
    let shown = path.display();
    let size = match std::fs::metadata(&path) {
        Ok(meta) => meta.len(),
        Err(error) => return Some(unreadable(&path, &error)),
    };
    if size > SECRET_BYTES_MAX {
        return None;
    }
    let text = std::fs::read_to_string(&path).ok()?;
    placeholder::in_secret(text.trim_end_matches(['\r', '\n']))
        .map(|what| both!(zh: "{shown} 的内容{what}", en: "what {shown} holds {what}"; what = what))
}

/// Variables for a program. A value in place is ordinary text unless its name says that it is
/// a secret; what is referred to is treated as one. None is ever shown.
impl Field for BTreeMap<String, Secret> {
    const KIND: &'static str = "table of secrets";
    const HINT: Both = Both::of("写成 { NAME = \"value\" }", "write it as { NAME = \"value\" }");

    fn read(spot: Spot<'_>) -> Option<Self> {
        let Some(table) = spot.node.as_table() else {
            return spot.wrong_type(&A_TABLE, Self::HINT);
        };
        let value = |name: &str, node: &Node| match node.as_text() {
            Some(text) if !mask::sounds_secret(name) => Some(Secret::new(text)),
            Some(_) | None => Secret::read(Spot { node, ..spot }),
        };
        let read: Vec<Option<(String, Secret)>> = table
            .iter()
            .map(|(name, entry)| Some((name.clone(), value(name, &entry.node)?)))
            .collect();
        read.into_iter().collect()
    }

    fn shown(&self) -> Json {
        self.iter().map(|(name, secret)| (name.clone(), secret.shown())).collect()
    }
}

/// The secret that `{ env = … }` or `{ file = … }` points to, and what mends a wrong one.
fn referenced(spot: Spot<'_>, table: &Table) -> Option<(String, Both)> {
    let mut entries = table.iter();
    let (Some((kind, entry)), None) = (entries.next(), entries.next()) else {
        return spot
            .refuse(Both::of("一个密钥只能有一个来源", "a secret has one source"), Secret::HINT);
    };
    let source = String::read(spot.with(&entry.node))?;
    match kind.as_str() {
        "env" => match spot.decoder.surroundings.variable(&source) {
            Some((value, origin)) => {
                spot.decoder.open_secret(spot, &origin);
                Some((value.to_owned(), set_it(&source)))
            }
            None => spot.with(&entry.node).refuse(
                not_set(&source),
                both!(
                    zh: "在环境或 .env 中设置：{source}=…",
                    en: "set it in the environment or in .env: {source}=…"
                ),
            ),
        },
        "file" => {
            let file = SecretFile::find(spot, &source);
            let remedy = both!(
                zh: "把密钥写入 {file}，不要写别的",
                en: "write the secret, and nothing else, into {file}", file = file.path.display()
            );
            Some((read_file(spot.with(&entry.node), &file)?, remedy))
        }
        other => {
            // Perhaps the secret itself.
            spot.decoder.cover(&entry.node);
            spot.refuse(
                both!(
                    zh: "未知的密钥来源 `{other}`",
                    en: "unknown source `{other}` of a secret"
                ),
                Secret::HINT,
            )
        }
    }
}

fn set_it(variable: &str) -> Both {
    both!(zh: "把 {variable} 设为密钥本身", en: "set {variable} to the secret itself")
}

fn not_set(variable: &str) -> Both {
    both!(
        zh: "环境变量 `{variable}` 没有设置",
        en: "the environment variable `{variable}` is not set"
    )
}

fn unreadable(path: &Path, error: &std::io::Error) -> Both {
    both!(
        zh: "无法读取密钥文件 {path}：{error}",
        en: "the secret file {path} cannot be read: {error}", path = path.display()
    )
}

/// Where a secret file is read.
struct SecretFile {
    path: PathBuf,
    /// A service manager keeps it, and who may read it.
    kept: bool,
}

impl SecretFile {
    /// The file itself, or the copy that a service manager gave us of it. It is noted either way.
    fn find(spot: Spot<'_>, written: &str) -> Self {
        let surroundings = &spot.decoder.surroundings;
        let path = surroundings.path(written);
        spot.decoder.secret_files.borrow_mut().insert(path.clone());
        let given = surroundings.variable("CREDENTIALS_DIRECTORY");
        let copy = given.map(|(dir, _)| Path::new(dir).join(credential_name(&path)));
        match copy.filter(|copy| copy.is_file()) {
            Some(path) => Self { path, kept: true },
            None => Self { path, kept: false },
        }
    }
}

/// The name under which a service manager hands over a copy of a secret file (`LoadCredential=`):
/// its path, with everything but letters, digits, dots and hyphens as `_` and two hex digits.
pub fn credential_name(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let written = |&byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' => char::from(byte).to_string(),
        other => format!("_{other:02x}"),
    };
    bytes.map(written).collect()
}

fn read_file(spot: Spot<'_>, SecretFile { path, kept }: &SecretFile) -> Option<String> {
    let shown = path.display();
    let read = std::fs::metadata(path).and_then(|meta| {
        if meta.len() > SECRET_BYTES_MAX {
            return Err(std::io::Error::other(format!("larger than {SECRET_BYTES_MAX} bytes")));
        }
        std::fs::read_to_string(path)
    });
    match read {
        Ok(text) => {
            if let Some(mode) = open_mode(path).filter(|_| !kept) {
                spot.warn(
                    both!(
                        zh: "密钥文件 {shown} 其他用户可读（权限 {mode:04o}）",
                        en: "the secret file {shown} can be read by others (mode {mode:04o})"
                    ),
                    both!(zh: "执行 chmod 600 {shown}", en: "chmod 600 {shown}"),
                );
            }
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        Err(error) => spot.refuse(
            unreadable(path, &error),
            Both::of(
                "把密钥写入该文件，不要写别的，并只让其所有者可读",
                "write the secret, and nothing else, into that file, readable by its owner alone",
            ),
        ),
    }
}

/// The permission bits of a file that others than its owner may read, write or run.
pub(super) fn open_mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}
