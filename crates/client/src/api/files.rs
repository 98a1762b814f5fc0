//! Calls that move files, each with its bound.

use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use larkline_proto::api::{Endpoint, FileKey, ImageKey};
use larkline_proto::id::MessageId;

use super::ApiClient;
use crate::api_error::{ApiError, ApiErrorKind};
use crate::call::{Answer, Call, Expects, Payload, Received, Upload, text_of};

/// The platform's limit for an image.
const IMAGE_BYTES_MAX: u64 = 10 << 20;
/// The platform's limit for a file.
const FILE_BYTES_MAX: u64 = 30 << 20;
/// Longest file name kept, as file systems have it.
const FILE_NAME_CHARS_MAX: usize = 120;

/// The platform's kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileType {
    /// Audio, which must be Opus.
    Opus,
    /// Video.
    Mp4,
    /// A PDF document.
    Pdf,
    /// A Word document.
    Doc,
    /// A spreadsheet.
    Xls,
    /// A presentation.
    Ppt,
    /// Anything else.
    Stream,
}

impl FileType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Mp4 => "mp4",
            Self::Pdf => "pdf",
            Self::Doc => "doc",
            Self::Xls => "xls",
            Self::Ppt => "ppt",
            Self::Stream => "stream",
        }
    }
}

/// A downloaded file.
#[derive(Clone, Debug)]
pub struct Download {
    /// Its bytes.
    pub bytes: Bytes,
    /// What the platform says it is; empty when it does not.
    pub content_type: String,
    /// Its name without any folder; the sender chose it, so do not trust its suffix.
    pub file_name: Option<String>,
}

impl ApiClient {
    /// Uploads an image for messages, 1 byte to 10 MB, and returns its key.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn upload_image(&self, name: &str, bytes: Bytes) -> Result<Answer<String>, ApiError> {
        let upload = Upload {
            fields: vec![("image_type", "message".to_owned())],
            file_field: "image",
            file_name: name.to_owned(),
            bytes,
        };
        let path = ["im", "v1", "images"];
        let call = self.upload(Endpoint::UploadImage, &path, upload, IMAGE_BYTES_MAX)?;
        Ok(self.data::<ImageKey>(call).await?.map(|key| key.image_key))
    }

    /// Uploads a file, 1 byte to 30 MB, and returns its key.
    ///
    /// # Errors
    /// [`ApiError`].
    pub async fn upload_file(
        &self,
        kind: FileType,
        name: &str,
        bytes: Bytes,
    ) -> Result<Answer<String>, ApiError> {
        let upload = Upload {
            fields: vec![("file_type", kind.as_str().to_owned()), ("file_name", name.to_owned())],
            file_field: "file",
            file_name: name.to_owned(),
            bytes,
        };
        let path = ["im", "v1", "files"];
        let call = self.upload(Endpoint::UploadFile, &path, upload, FILE_BYTES_MAX)?;
        Ok(self.data::<FileKey>(call).await?.map(|key| key.file_key))
    }

    /// Downloads an image of a message, or one inside a post.
    ///
    /// # Errors
    /// [`ApiError`]; `TooLarge` above `bytes_max`.
    pub async fn download_image(
        &self,
        message: &MessageId,
        image_key: &str,
        bytes_max: u64,
    ) -> Result<Answer<Download>, ApiError> {
        self.download(message, image_key, "image", bytes_max).await
    }

    /// Downloads a file, audio or video of a message.
    ///
    /// # Errors
    /// [`ApiError`]; `TooLarge` above `bytes_max`.
    pub async fn download_file(
        &self,
        message: &MessageId,
        file_key: &str,
        bytes_max: u64,
    ) -> Result<Answer<Download>, ApiError> {
        self.download(message, file_key, "file", bytes_max).await
    }

    async fn download(
        &self,
        message: &MessageId,
        key: &str,
        kind: &str,
        bytes_max: u64,
    ) -> Result<Answer<Download>, ApiError> {
        let path = ["im", "v1", "messages", message.as_str(), "resources", key];
        let mut call = self.bare(Endpoint::Download, Method::GET, &path)?;
        call.url.query_pairs_mut().append_pair("type", kind);
        call.expects = Expects::File { bytes_max };
        Ok(self.authorized(&call).await?.map(|Received { headers, body }| Download {
            bytes: body,
            content_type: text_of(&headers, &CONTENT_TYPE).unwrap_or_default().to_owned(),
            file_name: text_of(&headers, &CONTENT_DISPOSITION).and_then(file_name),
        }))
    }

    fn upload(
        &self,
        endpoint: Endpoint,
        path: &[&str],
        upload: Upload,
        bytes_max: u64,
    ) -> Result<Call, ApiError> {
        if upload.bytes.is_empty() {
            let detail = "the platform takes no empty file";
            return Err(ApiError::new(endpoint, ApiErrorKind::Input { detail }));
        }
        if upload.bytes.len() as u64 > bytes_max {
            return Err(ApiError::new(endpoint, ApiErrorKind::TooLarge { bytes_max }));
        }
        let url = self.inner.url(endpoint, path)?;
        let (method, payload) = (Method::POST, Payload::Upload(upload));
        Ok(Call { endpoint, method, url, payload, expects: Expects::Envelope })
    }
}

/// The file name of a `Content-Disposition`, `filename*` before `filename`, without folders.
fn file_name(disposition: &str) -> Option<String> {
    let parameter = |wanted: &str| {
        disposition.split(';').filter_map(|part| part.split_once('=')).find_map(|(name, value)| {
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"'))
        })
    };
    let encoded = parameter("filename*").and_then(|value| value.rsplit_once("''"));
    let whole = match encoded {
        Some((_charset, value)) => percent_decoded(value),
        None => percent_decoded(parameter("filename")?),
    };
    let last = whole.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String =
        last.chars().filter(|c| !c.is_control()).take(FILE_NAME_CHARS_MAX).collect();
    (!matches!(clean.as_str(), "" | "." | "..")).then_some(clean)
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let escaped = (byte == b'%').then(|| tail.get(..2)).flatten();
        let digits = escaped.and_then(|pair| std::str::from_utf8(pair).ok());
        match digits.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) => {
                bytes.push(value);
                rest = &tail[2..];
            }
            None => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_loses_its_folders_and_its_tricks() {
        let name = |text| file_name(text);
        assert_eq!(name(r#"attachment; filename="a b.txt""#).as_deref(), Some("a b.txt"));
        assert_eq!(
            name("attachment; filename=x; filename*=UTF-8''%E6%96%87%2E%2e.txt").as_deref(),
            Some("文...txt")
        );
        assert_eq!(name(r#"attachment; filename="../../etc/passwd""#).as_deref(), Some("passwd"));
        assert_eq!(name("attachment; filename*=UTF-8''%2e%2e%2f%2e%2e").as_deref(), None);
        assert_eq!(name(r#"attachment; filename="C:\x\y.exe""#).as_deref(), Some("y.exe"));
        assert_eq!(name("attachment; filename=50%").as_deref(), Some("50%"));
        assert_eq!(name("attachment").as_deref(), None);
    }
}
