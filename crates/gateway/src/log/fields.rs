//! The fields of a line for people: `message name="value" number=1`, as the default writes them, in
//! a fraction of its time. A busy gateway writes several lines an event.
//!
//! Words of others (the platform's, a handler's) cannot steer the terminal they are read in.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// Writes fields without styles.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PlainFields;

impl<'writer> FormatFields<'writer> for PlainFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'writer>, fields: R) -> fmt::Result {
        let mut line = Line { writer, outcome: Ok(()), is_first: true };
        fields.record(&mut line);
        line.outcome
    }
}

struct Line<'writer> {
    writer: Writer<'writer>,
    outcome: fmt::Result,
    is_first: bool,
}

impl Line<'_> {
    fn field(&mut self, field: &Field, value: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_ok() {
            self.outcome = self.named(field.name()).and_then(|()| value(&mut self.writer));
        }
    }

    fn named(&mut self, name: &str) -> fmt::Result {
        if !std::mem::take(&mut self.is_first) {
            self.writer.write_char(' ')?;
        }
        if name == "message" {
            return Ok(());
        }
        self.writer.write_str(name.strip_prefix("r#").unwrap_or(name))?;
        self.writer.write_char('=')
    }
}

impl Visit for Line<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Nothing in it needs an escape: most ids are so.
        let is_plain = value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\');
        self.field(field, |writer| {
            if field.name() == "message" {
                return Unsteering(writer).write_str(value);
            }
            if !is_plain {
                return write!(writer, "{value:?}");
            }
            writer.write_char('"')?;
            writer.write_str(value)?;
            writer.write_char('"')
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field, |writer| write!(Unsteering(writer), "{value:?}"));
    }
}

/// Shows control characters that terminals obey instead of passing them on.
struct Unsteering<W>(W);

/// A text for a terminal that is not to obey it.
pub fn unsteering(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    // A string takes whatever is written.
    fmt::Write::write_str(&mut Unsteering(&mut shown), text).ok();
    shown
}

impl<W: fmt::Write> fmt::Write for Unsteering<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let obeyed = |c| matches!(c, '\x07' | '\x08' | '\x0c' | '\r' | '\x1b' | '\x7f'..='\u{9f}');
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| obeyed(*c)) {
            self.0.write_str(&rest[..at])?;
            match u32::from(c) {
                code @ 0..0x80 => write!(self.0, "\\x{code:02x}")?,
                code => write!(self.0, "\\u{{{code:x}}}")?,
            }
            rest = &rest[at + c.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex, MutexGuard};

    use tracing_subscriber::fmt::format::DefaultFields;
    use tracing_subscriber::fmt::{FormatFields, MakeWriter};

    use super::PlainFields;

    #[derive(Clone, Default)]
    struct Out(Arc<Mutex<Vec<u8>>>);

    impl Out {
        fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap()
        }
    }

    impl io::Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.bytes().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Out {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn subscriber<F>(fields: F, out: &Out) -> impl tracing::Subscriber + Send + Sync
    where
        F: for<'writer> FormatFields<'writer> + Send + Sync + 'static,
    {
        tracing_subscriber::fmt()
            .fmt_fields(fields)
            .with_writer(out.clone())
            .without_time()
            .with_ansi(false)
            .finish()
    }

    fn written<F>(fields: F) -> String
    where
        F: for<'writer> FormatFields<'writer> + Send + Sync + 'static,
    {
        let out = Out::default();
        tracing::subscriber::with_default(subscriber(fields, &out), || {
            let span = tracing::info_span!("link", app_id = %"cli_1", chat = "oc_1");
            span.in_scope(|| tracing::info!(app = "main", count = 3, sure = true, "received"));
            tracing::warn!(text = "你好 \"you\"\n\u{7}", path = r"C:\x", "with {}", "words");
            tracing::warn!("{}", "\x1b[31mred\x07\x08\x0c\x7f\u{9b}2J 好");
            tracing::info!(none = Option::<u32>::None, some = ?Some("x"), ratio = 0.5, name = %"p q");
        });
        let bytes = out.bytes().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_field_steers_the_terminal() {
        let out = Out::default();
        let subscriber = subscriber(PlainFields, &out);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(error = %"\x1b]0;title", text = "\x1b", "\u{9b}2J");
        });
        let line = String::from_utf8(out.bytes().clone()).unwrap();
        assert!(line.ends_with("\\u{9b}2J error=\\x1b]0;title text=\"\\u{1b}\"\n"), "{line}");
    }

    #[test]
    fn a_line_is_written_as_the_default_writes_it() {
        let lines = written(PlainFields);
        assert_eq!(lines, written(DefaultFields::new()));
        assert!(lines.contains("received app=\"main\" count=3 sure=true"), "{lines}");
    }
}
