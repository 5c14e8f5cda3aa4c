//! When a chunk was sent, written into its text: sixteen hexadecimal digits of microseconds, then filling.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

/// Every chunk is as long, so that merged ones can be told apart: about five tokens.
pub(crate) const CHUNK_BYTES: usize = 24;
const DIGITS: usize = 16;
const FILLING: &str = " of tea ";

/// A chunk that is sent now.
pub(crate) fn stamped() -> String {
    format!("{:016x}{FILLING}", now())
}

/// How long ago each chunk in `text` was sent.
///
/// # Errors
/// The text does not consist of whole chunks: something was lost or came twice.
pub(crate) fn ages(text: &str) -> Result<Vec<Duration>> {
    let now = now();
    ensure!(text.is_ascii() && text.len().is_multiple_of(CHUNK_BYTES), "cut within a chunk: {text:?}");
    let chunks = (0..text.len()).step_by(CHUNK_BYTES).map(|at| &text[at..at + CHUNK_BYTES]);
    chunks
        .map(|chunk| {
            let (digits, filling) = chunk.split_at(DIGITS);
            ensure!(filling == FILLING, "not a chunk: {chunk:?}");
            let sent = u64::from_str_radix(digits, 16).with_context(|| format!("not a chunk: {chunk:?}"))?;
            Ok(Duration::from_micros(now.saturating_sub(sent)))
        })
        .collect()
}

/// The one clock that all processes of this machine share.
#[allow(clippy::disallowed_methods, reason = "measured across processes of one machine")]
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_chunks_are_told_apart_and_a_cut_one_is_noticed() {
        let text = stamped() + &stamped();
        assert_eq!(text.len(), 2 * CHUNK_BYTES);
        let ages = ages(&text).unwrap();
        assert!(ages.len() == 2 && ages.iter().all(|age| *age < Duration::from_secs(1)));
        assert!(super::ages(&text[1..]).is_err());
    }
}
