//! The few fields of an X.509 certificate that an operator wants named.
//!
//! Verification is rustls' business; this walk decides nothing, it only puts names into a
//! message. Hence so little of it: no extensions, no keys, and `None` for whatever is odd.

/// Longest name part kept; real ones are below 64 (RFC 5280, `ub-common-name`).
const NAME_CHARS_MAX: usize = 64;

const TAG_INTEGER: u8 = 0x02;
const TAG_OID: u8 = 0x06;
const TAG_UTC_TIME: u8 = 0x17;
const TAG_GENERALIZED_TIME: u8 = 0x18;
const TAG_BMP_STRING: u8 = 0x1e;
const TAG_SEQUENCE: u8 = 0x30;
const TAG_SET: u8 = 0x31;
const TAG_VERSION: u8 = 0xa0;

const OID_COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const OID_ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];

/// What a certificate says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// `CN=…, O=…` of who signed it; `unnamed` when it has neither.
    pub(crate) issuer: String,
    /// `CN=…, O=…` of its holder.
    pub(crate) subject: String,
    /// Issuer and holder are the same name.
    pub(crate) self_signed: bool,
    /// End of validity, seconds since 1970.
    pub(crate) not_after: Option<i64>,
}

/// Reads a DER certificate; `None` when it is not one.
pub(crate) fn identity(der: &[u8]) -> Option<Identity> {
    let mut certificate = Der(Der(der).expect(TAG_SEQUENCE)?);
    let mut fields = Der(certificate.expect(TAG_SEQUENCE)?);
    if fields.peek() == Some(TAG_VERSION) {
        fields.next()?;
    }
    fields.expect(TAG_INTEGER)?;
    fields.expect(TAG_SEQUENCE)?;
    let issuer = fields.expect(TAG_SEQUENCE)?;
    let mut validity = Der(fields.expect(TAG_SEQUENCE)?);
    let subject = fields.expect(TAG_SEQUENCE)?;
    validity.next()?;
    let not_after = validity.next().and_then(|(tag, text)| unix_seconds(tag, text));
    Some(Identity {
        issuer: name(issuer),
        subject: name(subject),
        self_signed: issuer == subject,
        not_after,
    })
}

/// A cursor over DER: each step yields a tag and its contents.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (length, rest) = if length < 0x80 {
            (usize::from(length), rest)
        } else {
            // Three length bytes reach 16 MiB, more than a handshake carries.
            let count = usize::from(length & 0x7f);
            if !(1..=3).contains(&count) {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            (bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().and_then(|(tag, contents)| (tag == wanted).then_some(contents))
    }
}

fn name(parts: &[u8]) -> String {
    let mut text = String::new();
    let mut parts = Der(parts);
    while let Some(part) = parts.expect(TAG_SET) {
        let mut part = Der(part);
        while let Some((label, value)) = part.expect(TAG_SEQUENCE).and_then(attribute) {
            if !text.is_empty() {
                text.push_str(", ");
            }
            text.push_str(label);
            text.push_str(&value);
        }
    }
    if text.is_empty() { "unnamed".to_owned() } else { text }
}

fn attribute(der: &[u8]) -> Option<(&'static str, String)> {
    let mut der = Der(der);
    let oid = der.expect(TAG_OID)?;
    let (tag, value) = der.next()?;
    let label = if oid == OID_COMMON_NAME {
        "CN="
    } else if oid == OID_ORGANIZATION {
        "O="
    } else {
        return None;
    };
    let text = if tag == TAG_BMP_STRING {
        let units: Vec<u16> = value
            .chunks_exact(2)
            .map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1]))
            .collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(value).into_owned()
    };
    // The peer chose this text and it goes into a log line.
    let clean = text.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    Some((label, clean))
}

fn unix_seconds(tag: u8, text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match tag {
        TAG_UTC_TIME => {
            let (year, rest) = text.split_at_checked(2)?;
            let year: i64 = year.parse().ok()?;
            // RFC 5280 §4.1.2.5.1: two digits mean 1950 to 2049.
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        TAG_GENERALIZED_TIME => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (two(0)?, two(2)?);
    if !(1..=12).contains(&month) {
        return None;
    }
    Some(((days_since_1970(year, month, day) * 24 + two(4)?) * 60 + two(6)?) * 60 + two(8)?)
}

/// Days from 1970-01-01, Gregorian; the year is counted from March so that the leap day is
/// its last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::new(vec!["host".to_owned()]).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, "小 CA\n");
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Corp");
        params.not_after = rcgen::date_time_ymd(2031, 3, 1);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_and_end_of_a_real_certificate_are_read() {
        let found = identity(&sample()).unwrap();
        assert_eq!(found.issuer, "CN=小 CA, O=Corp");
        assert_eq!(found.subject, found.issuer);
        assert!(found.self_signed);
        assert_eq!(found.not_after, Some(1_930_089_600));
    }

    #[test]
    fn a_certificate_cut_or_changed_anywhere_never_panics() {
        let whole = sample();
        for at in 0..whole.len() {
            let _ = identity(&whole[..at]);
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = identity(&changed);
            }
        }
    }

    #[test]
    fn times_of_both_forms_and_both_sides_of_1970_are_read() {
        assert_eq!(unix_seconds(TAG_UTC_TIME, b"491231235959Z"), Some(2_524_607_999));
        assert_eq!(unix_seconds(TAG_UTC_TIME, b"500101000000Z"), Some(-631_152_000));
        assert_eq!(unix_seconds(TAG_GENERALIZED_TIME, b"20240229000000Z"), Some(1_709_164_800));
        assert_eq!(unix_seconds(TAG_GENERALIZED_TIME, b"20241301000000Z"), None);
        assert_eq!(unix_seconds(TAG_UTC_TIME, b"short"), None);
    }
}
