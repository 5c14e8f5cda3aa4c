//! Lists in pages: how many rows, and where the next page begins.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use slipstream_eventlog::Position;

/// The most rows of a page; who asks for more gets these.
pub const MAX_PAGE: usize = 200;

/// Some rows of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in the list's order.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    pub next: Option<Cursor>,
}

/// A place in a list: after the last row of a page. Opaque to clients: base64url (RFC 4648, without padding) of the
/// row's key in the list's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(Position);

/// Text that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cursor must be the one that came with an earlier page, unchanged; leave it out for the first page")]
pub struct NotACursor;

impl Cursor {
    pub(crate) fn position(self) -> i64 {
        self.0.get()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.get().to_be_bytes()))
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok().and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
        let position = i64::from_be_bytes(bytes.ok_or(NotACursor)?);
        if position >= 0 { Ok(Self(Position::new(position))) } else { Err(NotACursor) }
    }
}

/// How many rows to select for a page of `limit`: one more, which tells whether there is a next page.
pub(crate) fn rows_for(limit: usize) -> i64 {
    i64::try_from(limit.clamp(1, MAX_PAGE)).unwrap_or(1) + 1
}

/// The page in `rows` (selected with [`rows_for`]), each with its key.
pub(crate) fn page<T>(limit: usize, mut rows: Vec<(i64, T)>) -> Page<T> {
    let limit = limit.clamp(1, MAX_PAGE);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|(key, _)| Cursor(Position::new(*key)));
    Page { items: rows.into_iter().map(|(_, item)| item).collect(), next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_from_its_text() {
        let cursor = Cursor(Position::new(1 << 40));
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        assert_eq!(cursor.to_string().len(), 11);
    }

    #[test]
    fn what_is_no_cursor_is_refused_and_the_error_says_what_would_be_right() {
        for wrong in ["", "home", "12", "AAAAAAAAAAA=", "__________8", "AAAAAAAAAAAA", "%%%%%%%%%%%"] {
            assert_eq!(wrong.parse::<Cursor>(), Err(NotACursor), "{wrong:?}");
        }
        assert!(NotACursor.to_string().contains("earlier page"));
    }

    #[test]
    fn only_a_page_with_rows_after_it_has_a_cursor() {
        let rows = |n: i64| (1..=n).map(|key| (key, key)).collect::<Vec<_>>();
        assert_eq!(page(2, rows(3)), Page { items: vec![1, 2], next: Some(Cursor(Position::new(2))) });
        assert_eq!(page(2, rows(2)), Page { items: vec![1, 2], next: None });
        assert_eq!(rows_for(0), 2);
        assert_eq!(rows_for(usize::MAX), 201);
    }
}
