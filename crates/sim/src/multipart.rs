//! `multipart/form-data`, as far as uploads need it: whole parts out of a whole body.

use bytes::Bytes;

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) body: Bytes,
}

/// The parts of a body; `None` when it is no form or is cut short.
pub(crate) fn parse(content_type: &str, body: &Bytes) -> Option<Vec<Part>> {
    let boundary = content_type.strip_prefix("multipart/form-data")?.split_once("boundary=")?.1;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let delimiter = format!("\r\n--{boundary}");
    let opening = &delimiter.as_bytes()[2..];
    let mut at = find(body, opening, 0)? + opening.len();
    let mut parts = Vec::new();
    while !body[at..].starts_with(b"--") {
        let head = at + 2;
        let head_end = find(body, b"\r\n\r\n", at)?;
        let end = find(body, delimiter.as_bytes(), head_end)?;
        let lines =
            String::from_utf8_lossy(body.get(head..head_end).unwrap_or_default()).into_owned();
        let start = (head_end + 4).min(end);
        parts.push(Part {
            name: parameter(&lines, "name")?,
            file_name: parameter(&lines, "filename"),
            body: body.slice(start..end),
        });
        at = end + delimiter.len();
    }
    Some(parts)
}

/// A quoted or bare parameter of the part's `Content-Disposition`.
fn parameter(head: &str, name: &str) -> Option<String> {
    let is_it = |l: &&str| l.to_ascii_lowercase().starts_with("content-disposition:");
    let line = head.split("\r\n").find(is_it)?;
    let mut values = line.split(';').filter_map(|p| p.trim().split_once('='));
    values.find(|(key, _)| *key == name).map(|(_, value)| value.trim_matches('"').to_owned())
}

fn find(body: &[u8], needle: &[u8], from: usize) -> Option<usize> {
    let tail = body.get(from..)?;
    tail.windows(needle.len()).position(|w| w == needle).map(|n| from + n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=xyz";

    #[test]
    fn fields_and_files_come_out_whole() {
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"image_type\"\r\n\r\nmessage\r\n\
                    --xyz\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\n\
                    Content-Type: image/png\r\n\r\n\r\n--x\r\n--xyz--\r\n";
        let parts = parse(TYPE, &Bytes::from(body)).unwrap();
        assert_eq!(parts[0].body, "message");
        assert_eq!(parts[1].file_name.as_deref(), Some("a.png"));
        assert_eq!(parts[1].body, "\r\n--x");
    }

    #[test]
    fn a_body_that_is_cut_short_is_refused() {
        let body = "--xyz\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\nabc";
        assert_eq!(parse(TYPE, &Bytes::from(body)), None);
        assert_eq!(parse(TYPE, &Bytes::from("--xyz")), None);
        assert_eq!(parse("application/json", &Bytes::from("{}")), None);
    }
}
