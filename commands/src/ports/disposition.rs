//! What a browser does with a download, and under which name.

use std::fmt::Write;

/// What a browser does with a download (RFC 6266).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// Shows it, if it can.
    Inline {
        /// The name it is saved under.
        filename: String,
    },
    /// Saves it.
    Attachment {
        /// The name it is saved under.
        filename: String,
    },
}

impl Disposition {
    /// The value of `Content-Disposition`: the name in ASCII for old clients, and in full as RFC 8187 (once 5987) writes
    /// it. Visible ASCII whatever the name holds.
    #[must_use]
    pub fn header(&self) -> String {
        let (kind, filename) = match self {
            Self::Inline { filename } => ("inline", filename),
            Self::Attachment { filename } => ("attachment", filename),
        };
        let plain: String = filename.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
        let mut header = format!("{kind}; filename=\"{plain}\"");
        if plain != *filename {
            header.push_str("; filename*=UTF-8''");
            for byte in filename.bytes() {
                if is_attr_char(byte) {
                    header.push(char::from(byte));
                } else {
                    // Writing to a String cannot fail.
                    write!(header, "%{byte:02X}").unwrap_or_default();
                }
            }
        }
        header
    }
}

/// What may stand between quotes without being taken for something else.
fn is_plain(c: char) -> bool {
    (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\' | '%' | '/')
}

/// RFC 8187, 3.2.1.
fn is_attr_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$&+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(filename: &str) -> String {
        Disposition::Attachment { filename: filename.into() }.header()
    }

    #[test]
    fn a_plain_name_is_written_once() {
        assert_eq!(header("my report.pdf"), r#"attachment; filename="my report.pdf""#);
    }

    #[test]
    fn any_other_name_is_written_twice_and_cannot_break_out() {
        assert_eq!(
            header("Grüße \"€\"\r\nX: y.pdf"),
            "attachment; filename=\"Gr__e _____X: y.pdf\"; \
             filename*=UTF-8''Gr%C3%BC%C3%9Fe%20%22%E2%82%AC%22%0D%0AX%3A%20y.pdf"
        );
    }
}
