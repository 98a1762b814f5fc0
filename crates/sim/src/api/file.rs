//! Uploads and downloads. Reference: open API, section 4.

use bytes::Bytes;
use larkline_proto::id::MessageId;
use serde_json::{Value, json};

use super::Context;
use super::reply::{Refusal, Reply, Result};
use crate::multipart::{self, Part};
use crate::world::StoredFile;

const IMAGE_BYTES_MAX: usize = 10 * 1024 * 1024;
const FILE_BYTES_MAX: usize = 30 * 1024 * 1024;
/// Uploads kept; the oldest goes. A day's run of tests uploads far fewer.
const FILES_MAX: usize = 1_000;

/// `POST /open-apis/im/v1/images`.
pub(super) fn upload_image(cx: &mut Context<'_>) -> Result {
    let parts = form(cx)?;
    if !matches!(field(&parts, "image_type").as_deref(), Some("message" | "avatar")) {
        return Err(Refusal::new(234_001, "Invalid request param: image_type."));
    }
    let image = binary(&parts, "image", IMAGE_BYTES_MAX)?;
    if content_type(&image.body) == "application/octet-stream" {
        return Err(Refusal::new(234_011, "Can't recognize the image format."));
    }
    let key = keep(cx, "img_v3_", true, image);
    Ok(Reply::Data(json!({ "image_key": key })))
}

/// `POST /open-apis/im/v1/files`.
pub(super) fn upload_file(cx: &mut Context<'_>) -> Result {
    let parts = form(cx)?;
    let kind = field(&parts, "file_type").unwrap_or_default();
    if !["opus", "mp4", "pdf", "doc", "xls", "ppt", "stream"].contains(&kind.as_str()) {
        return Err(Refusal::new(234_001, "Invalid request param: file_type."));
    }
    let Some(name) = field(&parts, "file_name").filter(|n| !n.is_empty()) else {
        return Err(Refusal::new(234_001, "Invalid request param: file_name."));
    };
    let mut file = binary(&parts, "file", FILE_BYTES_MAX)?.clone();
    file.file_name = Some(name);
    let key = keep(cx, "file_v3_", false, &file);
    Ok(Reply::Data(json!({ "file_key": key })))
}

/// `GET /open-apis/im/v1/images/:file_key`.
pub(super) fn own_image(cx: &mut Context<'_>) -> Result {
    own(cx, true)
}

/// `GET /open-apis/im/v1/files/:file_key`.
pub(super) fn own_file(cx: &mut Context<'_>) -> Result {
    own(cx, false)
}

fn own(cx: &Context<'_>, image: bool) -> Result {
    let file = cx.world.files.get(&cx.param("file_key")).filter(|f| f.image == image);
    let file = file.ok_or_else(|| Refusal::new(234_005, "The file has been deleted."))?;
    match file.owner == Some(cx.app) {
        true => Ok(download(file)),
        false => Err(Refusal::new(234_008, "The app is not the resource sender.")),
    }
}

/// `GET /open-apis/im/v1/messages/:message_id/resources/:file_key?type=`.
pub(super) fn resource(cx: &mut Context<'_>) -> Result {
    let image = match cx.call.query("type") {
        Some("image") => true,
        Some("file") => false,
        _ => return Err(Refusal::new(234_001, "Invalid request param: type.")),
    };
    let id = MessageId::new(cx.param("message_id"));
    let message = cx
        .world
        .messages
        .get(&id)
        .ok_or_else(|| Refusal::new(99_992_354, "message_id does not exist"))?;
    if message.recalled {
        return Err(Refusal::new(230_110, "Action unavailable as the message has been deleted."));
    }
    if !cx.world.chats.get(&message.chat).is_some_and(|c| c.bots.contains(&cx.app)) {
        return Err(Refusal::new(234_004, "The app is not in the chat."));
    }
    if message.msg_type == "interactive" || message.msg_type == "sticker" {
        return Err(Refusal::new(234_043, "Unsupported message type."));
    }
    let key = cx.param("file_key");
    let content: Value = serde_json::from_str(&message.received).unwrap_or_default();
    let file = cx.world.files.get(&key).filter(|f| f.image == image && mentions(&content, &key));
    let file = file.ok_or_else(|| Refusal::new(234_003, "File not in msg."))?;
    Ok(download(file))
}

/// Whether a received content carries this key anywhere.
fn mentions(content: &Value, key: &str) -> bool {
    match content {
        Value::String(text) => text == key,
        Value::Array(items) => items.iter().any(|v| mentions(v, key)),
        Value::Object(members) => members.values().any(|v| mentions(v, key)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn download(file: &StoredFile) -> Reply {
    Reply::Bytes {
        name: file.name.clone(),
        content_type: content_type(&file.bytes),
        bytes: file.bytes.clone(),
    }
}

fn form(cx: &Context<'_>) -> std::result::Result<Vec<Part>, Refusal> {
    let bad = || Refusal::new(234_001, "Invalid request param: the body is not a multipart form.");
    multipart::parse(cx.call.header("content-type"), &cx.call.body).ok_or_else(bad)
}

fn field(parts: &[Part], name: &str) -> Option<String> {
    let part = parts.iter().find(|p| p.name == name)?;
    String::from_utf8(part.body.to_vec()).ok()
}

fn binary<'a>(
    parts: &'a [Part],
    name: &str,
    most: usize,
) -> std::result::Result<&'a Part, Refusal> {
    let part = parts.iter().find(|p| p.name == name);
    let part =
        part.ok_or_else(|| Refusal::new(234_001, format!("Invalid request param: {name}.")))?;
    if part.body.is_empty() {
        return Err(Refusal::new(234_010, "File's size can't be 0."));
    }
    if part.body.len() > most {
        return Err(Refusal::new(234_006, "The file size exceed the max value."));
    }
    Ok(part)
}

fn keep(cx: &mut Context<'_>, prefix: &str, image: bool, part: &Part) -> String {
    if cx.world.files.len() >= FILES_MAX {
        cx.world.files.pop_first();
    }
    let key = format!("{prefix}{}", cx.world.uuid());
    let name = part.file_name.clone().unwrap_or_else(|| "file".to_owned());
    let file = StoredFile { owner: Some(cx.app), image, name, bytes: part.body.clone() };
    cx.world.files.insert(key.clone(), file);
    key
}

/// The type of a file by its beginning.
pub(crate) fn content_type(bytes: &Bytes) -> &'static str {
    const MAGIC: [(&[u8], &str); 8] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"BM", "image/bmp"),
        (b"RIFF", "image/webp"),
        (b"II*\0", "image/tiff"),
        (b"\0\0\x01\0", "image/x-icon"),
        (b"%PDF", "application/pdf"),
    ];
    let known = MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic));
    known.map_or("application/octet-stream", |(_, kind)| kind)
}
