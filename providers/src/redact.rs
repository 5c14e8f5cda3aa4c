//! Takes keys, tokens and account ids out of a vendor's error text, before anyone sees it. Vendors quote the key they
//! were sent ("Incorrect API key provided: sk-proj-…").

/// What stands where a secret stood.
pub(crate) const REDACTED: &str = "[redacted]";

/// The most characters of a vendor's text that are kept.
const MAX_CHARS: usize = 500;

/// How keys, tokens and account ids of the vendors begin.
const PREFIXES: [&str; 12] =
    ["sk-", "sk_", "pk-", "rk-", "xai-", "AIza", "LLM|", "v1:", "org-", "proj_", "sess-", "eyJ"];

/// Length from which a word of letters and digits is taken for a secret whatever it begins with. Request ids
/// (`req_` and 32 hexadecimal digits) are shorter, so that they stay useful.
const LONG: usize = 40;

/// The text without secrets and control characters, at most 500 characters long. Works on words: a word that looks
/// like a secret, or follows `Bearer`, is replaced whole.
pub(crate) fn redact(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(MAX_CHARS * 4));
    let mut after_bearer = false;
    let mut rest = text;
    while !rest.is_empty() {
        let word_end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(word_end);
        if !word.is_empty() {
            // A full stop that ends a sentence is not part of the secret.
            let bare = word.trim_end_matches('.');
            if (after_bearer && !is_plain(bare)) || is_secret(bare) {
                out.push_str(REDACTED);
                out.push_str(&word[bare.len()..]);
            } else {
                out.push_str(word);
            }
            after_bearer = bare.eq_ignore_ascii_case("bearer");
        }
        let gap_end = tail.find(is_word).unwrap_or(tail.len());
        out.extend(tail[..gap_end].chars().map(|c| if c.is_control() { ' ' } else { c }));
        rest = &tail[gap_end..];
    }
    match out.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &out[..end]),
        None => out,
    }
}

/// The characters of which keys and tokens consist, and the `*` with which vendors mask them.
fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '|' | '.' | '*' | '+' | '~' | ':')
}

fn is_secret(word: &str) -> bool {
    let mixed = word.bytes().any(|b| b.is_ascii_digit()) && word.bytes().any(|b| b.is_ascii_alphabetic());
    word.contains("***")
        || (word.len() >= LONG && mixed)
        || PREFIXES.iter().any(|prefix| word.len() >= prefix.len() + 6 && contains_at_boundary(word, prefix))
}

/// An English word, as in "missing bearer authentication".
fn is_plain(word: &str) -> bool {
    word.len() < 16 && word.bytes().all(|b| b.is_ascii_lowercase())
}

/// Whether `prefix` begins the word or follows a `:` or another character that is no letter or digit.
fn contains_at_boundary(word: &str, prefix: &str) -> bool {
    word.match_indices(prefix).any(|(at, _)| !word[..at].ends_with(|c: char| c.is_ascii_alphanumeric()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_are_taken_out_and_the_sentence_stays() {
        for (text, clean) in [
            (
                "Incorrect API key provided: sk-proj-****MxYA. You can find",
                "Incorrect API key provided: [redacted]. You can find",
            ),
            ("Authorization: Bearer abc.def", "Authorization: Bearer [redacted]"),
            ("Missing bearer or basic authentication", "Missing bearer or basic authentication"),
            ("bad key=xai-abcdefgh12, sorry", "bad key=[redacted], sorry"),
            ("LLM|1234567890123|abcdef is blocked", "[redacted] is blocked"),
            ("key:AIzaSyA1234567 gone", "[redacted] gone"),
            ("in organization org-H9rGLigVW0aT on tokens", "in organization [redacted] on tokens"),
            (
                "model gpt-4o-2024-08-06 at req_0123456789abcdef0123456789abcdef",
                "model gpt-4o-2024-08-06 at req_0123456789abcdef0123456789abcdef",
            ),
            ("a task-based risk-free sk- word", "a task-based risk-free sk- word"),
        ] {
            assert_eq!(redact(text), clean);
        }
    }

    #[test]
    fn a_long_text_is_cut_and_control_characters_become_spaces() {
        assert_eq!(redact(&"é ".repeat(5000)).chars().count(), MAX_CHARS + 1);
        assert_eq!(redact("a\r\n\0b"), "a   b");
    }
}
