//! A mail as its writer sees it, and as bytes.

use lettre::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use super::error::MailError;
use crate::clock;

/// Has other machines not answer it.
const AUTO_SUBMITTED: HeaderName = HeaderName::new_from_ascii_str("Auto-Submitted");

/// A mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The same for every attempt at the same mail; the part of the `Message-ID` before the `@`.
    pub id: String,
    /// To whom; all see each other.
    pub to: Vec<Mailbox>,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

impl Mail {
    /// As it goes over the wire.
    pub(super) fn to_bytes(&self, from: &Mailbox) -> Result<Vec<u8>, MailError> {
        let mut message = Message::builder()
            .message_id(Some(format!("<{}@{}>", self.id, from.email.domain())))
            .date(clock::now())
            .from(from.clone())
            .subject(self.subject.clone());
        for to in &self.to {
            message = message.to(to.clone());
        }
        let mut message = message.header(ContentType::TEXT_PLAIN).body(self.text.clone())?;
        let value = HeaderValue::new(AUTO_SUBMITTED, "auto-generated".to_owned());
        message.headers_mut().insert_raw(value);
        Ok(message.formatted())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_keeps_its_id_and_no_line_of_its_subject_becomes_a_header() {
        let mail = Mail {
            id: "n1".to_owned(),
            to: vec!["ops@example.com".parse().unwrap()],
            subject: "告警\r\nBcc: thief@example.com".to_owned(),
            text: "连接断开\n.\nend".to_owned(),
        };
        let from = "larkline <bot@example.com>".parse().unwrap();
        let text = String::from_utf8(mail.to_bytes(&from).unwrap()).unwrap();
        assert!(text.contains("Message-ID: <n1@example.com>\r\n"), "{text}");
        assert!(text.contains("Auto-Submitted: auto-generated\r\n"), "{text}");
        assert!(!text.contains("\nBcc:"), "{text}");
        assert!(text.is_ascii(), "{text}");
    }
}
