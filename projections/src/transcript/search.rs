//! Messages by what they say: the best matches of a user's own first, each with where it matches. Words are matched as they
//! are written, whatever the language; of a message's first [`INDEXED`] characters.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use slipstream_domain::{ConversationId, MessageId, Role, Timestamp, UserId};

use super::{Transcript, role};
use crate::error::QueryError;
use crate::followed::timestamp;
use crate::page::{MAX_PAGE, NotACursor, rows_for};
use crate::read_models::ReadModels;

/// How many characters of a message can be found; the migration says why. The queries below have the number, too: only the
/// index' own expression is looked up in the index.
pub const INDEXED: usize = 100_000;

/// What begins and ends a match in what `PostgreSQL` gives back: private use characters (Unicode, 23.5), which texts have no
/// use for. Where one has, a match is shown where there is none.
const MATCH: (char, char) = ('\u{E000}', '\u{E001}');

/// A message that matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where it is.
    pub conversation: ConversationId,
    /// Which.
    pub message: MessageId,
    /// Who wrote it.
    pub role: Role,
    /// When it was said or requested.
    pub created_at: Timestamp,
    /// A part of it around what matches.
    pub snippet: Vec<Piece>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Never empty.
    pub text: String,
    /// Whether it is what was looked for.
    pub matches: bool,
}

/// A place in the matches: after the last one of a page. Opaque to clients: base64url of how well it matches and where it
/// stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoundCursor {
    rank: f32,
    position: i64,
}

/// The user's messages that match, the best first, and of equals the newest; and where the next page begins. `words` are as
/// in a web search: all of them, `"a phrase"`, `or`, `-without`. Nothing matches what has no words.
///
/// # Errors
/// See [`QueryError`].
pub async fn search(
    models: &ReadModels,
    user: UserId,
    words: &str,
    after: Option<FoundCursor>,
    limit: usize,
) -> Result<(Vec<Found>, Option<FoundCursor>), QueryError> {
    let mut tx = models.read::<Transcript>().await?;
    let rows = sqlx::query!(
        r#"WITH wanted AS (SELECT websearch_to_tsquery('simple', $2) AS words), found AS (
               SELECT m.message_id, m.conversation_id, m.role, m.created_at, m.position, m.text, words,
                      ts_rank(to_tsvector('simple', left(coalesce(m.text, ''), 100000)), words) AS rank
               FROM message AS m, wanted
               WHERE to_tsvector('simple', left(coalesce(m.text, ''), 100000))
                         || array_to_tsvector(ARRAY[coalesce(m.owner_id::text, '-')])
                     @@ (words && format('%L', $1::uuid)::tsquery)
                 AND m.owner_id = $1 AND numnode(words) > 0
           ), best AS (
               SELECT * FROM found WHERE $3::real IS NULL OR (rank, position) < ($3, $4::bigint)
               ORDER BY rank DESC, position DESC LIMIT $5
           )
           SELECT message_id AS "message_id!", conversation_id AS "conversation_id!", role AS "role!",
                  created_at AS "created_at!", position AS "position!", rank AS "rank!",
                  ts_headline('simple', left(text, 100000), words,
                              'StartSel=' || $6 || ', StopSel=' || $7 || ', MaxFragments=2, MinWords=8, MaxWords=24')
                      AS "snippet!"
           FROM best ORDER BY rank DESC, position DESC"#,
        user.as_uuid(),
        words,
        after.map(|after| after.rank),
        after.map(|after| after.position),
        rows_for(limit),
        MATCH.0.to_string(),
        MATCH.1.to_string()
    );
    let mut rows = rows.fetch_all(&mut *tx).await?;
    let limit = limit.clamp(1, MAX_PAGE);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| FoundCursor { rank: row.rank, position: row.position });
    let found = rows.into_iter().map(|row| {
        Ok(Found {
            conversation: ConversationId::from_uuid(row.conversation_id),
            message: MessageId::from_uuid(row.message_id),
            role: role(&row.role)?,
            created_at: timestamp(row.created_at),
            snippet: pieces(&row.snippet),
        })
    });
    Ok((found.collect::<Result<_, QueryError>>()?, next))
}

fn pieces(snippet: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut matches = false;
    for part in snippet.split_inclusive([MATCH.0, MATCH.1]) {
        let text = part.trim_end_matches([MATCH.0, MATCH.1]);
        if !text.is_empty() {
            pieces.push(Piece { text: text.to_owned(), matches });
        }
        matches = part.ends_with(MATCH.0);
    }
    pieces
}

impl fmt::Display for FoundCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.rank.to_bits().to_be_bytes()[..], &self.position.to_be_bytes()[..]].concat();
        f.write_str(&URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for FoundCursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Self, NotACursor> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| NotACursor)?;
        let (rank, position) = bytes.split_first_chunk::<4>().ok_or(NotACursor)?;
        let position = i64::from_be_bytes(position.try_into().map_err(|_| NotACursor)?);
        let rank = f32::from_bits(u32::from_be_bytes(*rank));
        if rank.is_finite() && position >= 0 { Ok(Self { rank, position }) } else { Err(NotACursor) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_falls_into_pieces_that_match_and_pieces_that_do_not() {
        let piece = |text: &str, matches| Piece { text: text.into(), matches };
        assert_eq!(
            pieces("an \u{E000}old\u{E001} \u{E000}pond\u{E001}"),
            [piece("an ", false), piece("old", true), piece(" ", false), piece("pond", true)]
        );
        assert_eq!(pieces("nothing"), [piece("nothing", false)]);
        assert_eq!(pieces(""), []);
    }

    #[test]
    fn a_cursor_reads_back_from_its_text_and_what_is_none_is_refused() {
        let cursor = FoundCursor { rank: 0.060_792_71, position: 1 << 40 };
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
        for wrong in ["", "AAAA", "AAAAAAAAAAA", "f8AAAAAAAAAAAAAB", "%%%%"] {
            assert_eq!(wrong.parse::<FoundCursor>(), Err(NotACursor), "{wrong:?}");
        }
    }
}
