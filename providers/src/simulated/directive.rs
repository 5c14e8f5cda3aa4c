//! `[[chunks=200 delay_ms=20 bytes=20 thinking=10 fail_after=50 error=overloaded]]`: how the simulated provider is told
//! what to answer. Every field may be left out.

use std::fmt::Write as _;
use std::time::Duration;

use slipstream_domain::ErrorClass;

/// A parsed directive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// Deltas of text.
    pub chunks: usize,
    /// The wait before each delta.
    pub delay: Duration,
    /// Bytes of each delta.
    pub bytes: usize,
    /// Deltas of thinking, before the text.
    pub thinking: usize,
    /// Deltas of text after which it fails. `error` alone means 0: before the text.
    pub fail_after: Option<usize>,
    /// How it fails.
    pub error: ErrorClass,
}

/// A directive that cannot be followed; the text says which field and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectiveError {
    /// No such field.
    #[error("the directive has no field {field:?}; its fields are {}, error", NUMBERS.map(|f| f.name).join(", "))]
    UnknownField {
        /// What was written.
        field: String,
    },
    /// The same field again.
    #[error("the directive has {field} twice; give it once")]
    Twice {
        /// Which.
        field: &'static str,
    },
    /// Not a number of that field's range.
    #[error("{field} of the directive must be a whole number from {min} to {max}, not {given:?}")]
    Number {
        /// Which.
        field: &'static str,
        /// The least.
        min: usize,
        /// The most.
        max: usize,
        /// What was written.
        given: String,
    },
    /// Not an error class.
    #[error("error of the directive must be one of {}, not {given:?}", CLASSES.map(ErrorClass::as_str).join(", "))]
    Class {
        /// What was written.
        given: String,
    },
    /// The answer would be too long.
    #[error("(chunks + thinking) × bytes of the directive must be at most {max}, not {given}")]
    TooLong {
        /// The most bytes.
        max: usize,
        /// What was asked for.
        given: usize,
    },
}

/// A field that is a number, with its range and what it is when left out.
#[derive(Debug, Clone, Copy)]
struct NumberField {
    name: &'static str,
    min: usize,
    max: usize,
    default: Option<usize>,
}

const CHUNKS: NumberField = NumberField { name: "chunks", min: 1, max: 100_000, default: Some(20) };
const DELAY_MS: NumberField = NumberField { name: "delay_ms", min: 0, max: 60_000, default: Some(20) };
const BYTES: NumberField = NumberField { name: "bytes", min: 1, max: 65_536, default: Some(20) };
const THINKING: NumberField = NumberField { name: "thinking", min: 0, max: 100_000, default: Some(0) };
const FAIL_AFTER: NumberField = NumberField { name: "fail_after", min: 0, max: 100_000, default: None };
const NUMBERS: [NumberField; 5] = [CHUNKS, DELAY_MS, BYTES, THINKING, FAIL_AFTER];
const ERROR: &str = "error";
/// What it fails with when `fail_after` stands alone.
const DEFAULT_CLASS: ErrorClass = ErrorClass::Overloaded;

const CLASSES: [ErrorClass; 9] = [
    ErrorClass::Auth,
    ErrorClass::Quota,
    ErrorClass::RateLimited,
    ErrorClass::Overloaded,
    ErrorClass::InvalidRequest,
    ErrorClass::ContentFiltered,
    ErrorClass::Timeout,
    ErrorClass::Network,
    ErrorClass::Protocol,
];

impl Directive {
    /// The wait before each delta when a directive says nothing, or there is none.
    pub const DEFAULT_DELAY: Duration = Duration::from_millis(20);
    /// The longest answer, thinking included, in bytes.
    pub const MAX_BYTES: usize = 8 * 1024 * 1024;

    /// The first directive of a prompt. Double brackets around anything without a `name=value` are ordinary text.
    ///
    /// # Errors
    /// An unknown field, a field twice, a value outside its range, or an answer too long.
    pub fn find(prompt: &str) -> Result<Option<Self>, DirectiveError> {
        let inners =
            prompt.split("[[").skip(1).filter_map(|rest| rest.split_once("]]")).map(|(inner, _)| inner);
        let mut directives = inners.filter(|inner| inner.split_whitespace().any(|word| word.contains('=')));
        directives.next().map(Self::parse).transpose()
    }

    fn parse(inner: &str) -> Result<Self, DirectiveError> {
        let mut numbers: [Option<usize>; NUMBERS.len()] = [None; NUMBERS.len()];
        let mut error = None;
        for word in inner.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            if name == ERROR {
                if error.replace(class(value)?).is_some() {
                    return Err(DirectiveError::Twice { field: ERROR });
                }
                continue;
            }
            let Some(at) = NUMBERS.iter().position(|field| field.name == name) else {
                return Err(DirectiveError::UnknownField { field: name.to_owned() });
            };
            if numbers[at].replace(NUMBERS[at].parse(value)?).is_some() {
                return Err(DirectiveError::Twice { field: NUMBERS[at].name });
            }
        }
        for (number, field) in numbers.iter_mut().zip(NUMBERS) {
            *number = number.or(field.default);
        }
        let [chunks, delay_ms, bytes, thinking, fail_after] = numbers;
        let directive = Self {
            chunks: chunks.unwrap_or_default(),
            delay: Duration::from_millis(delay_ms.unwrap_or_default() as u64),
            bytes: bytes.unwrap_or_default(),
            thinking: thinking.unwrap_or_default(),
            fail_after: fail_after.or(error.map(|_| 0)),
            error: error.unwrap_or(DEFAULT_CLASS),
        };
        let given = (directive.chunks + directive.thinking) * directive.bytes;
        if given > Self::MAX_BYTES {
            return Err(DirectiveError::TooLong { max: Self::MAX_BYTES, given });
        }
        Ok(directive)
    }

    /// The whole text of an answer that does not fail: `1 2 3 …`, so that a lost or repeated piece shows.
    #[must_use]
    pub fn text(&self) -> String {
        counting("", self.chunks * self.bytes)
    }

    /// The whole thinking: `t1 t2 t3 …`.
    #[must_use]
    pub fn thinking_text(&self) -> String {
        counting("t", self.thinking * self.bytes)
    }
}

impl NumberField {
    fn parse(self, value: &str) -> Result<usize, DirectiveError> {
        let number = value.parse().ok().filter(|number| (self.min..=self.max).contains(number));
        number.ok_or_else(|| DirectiveError::Number {
            field: self.name,
            min: self.min,
            max: self.max,
            given: value.to_owned(),
        })
    }
}

fn class(value: &str) -> Result<ErrorClass, DirectiveError> {
    let class = CLASSES.into_iter().find(|class| class.as_str() == value);
    class.ok_or_else(|| DirectiveError::Class { given: value.to_owned() })
}

/// Numbers from 1, each after `prefix` and before a space, cut to `bytes`.
fn counting(prefix: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut number = 1u64;
    while text.len() < bytes {
        // Writing to a String cannot fail.
        if write!(text, "{prefix}{number} ").is_err() {
            break;
        }
        number += 1;
    }
    text.truncate(bytes);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(prompt: &str) -> Directive {
        Directive::find(prompt).unwrap().unwrap()
    }

    #[test]
    fn a_directive_may_stand_anywhere_and_leave_fields_out() {
        let directive = found("tell me [[x]] a story [[chunks=2 bytes=3]] please");
        assert_eq!((directive.chunks, directive.bytes, directive.thinking), (2, 3, 0));
        assert_eq!(directive.delay, Directive::DEFAULT_DELAY);
        assert_eq!(directive.text(), "1 2 3 ");
        assert_eq!(found("[[thinking=2 bytes=4]]").thinking_text(), "t1 t2 t3");
    }

    #[test]
    fn ordinary_double_brackets_are_no_directive() {
        for prompt in ["", "hello", "see [[Some Page]]", "[[", "[[chunks=1", "]] [[ ]]"] {
            assert_eq!(Directive::find(prompt), Ok(None), "{prompt}");
        }
    }

    #[test]
    fn an_error_alone_fails_before_the_text_and_a_place_alone_is_an_overload() {
        let alone = found("[[error=quota]]");
        assert_eq!((alone.fail_after, alone.error), (Some(0), ErrorClass::Quota));
        let place = found("[[fail_after=5]]");
        assert_eq!((place.fail_after, place.error), (Some(5), ErrorClass::Overloaded));
        assert_eq!(found("[[chunks=5]]").fail_after, None);
    }

    #[test]
    fn a_bad_directive_names_the_field_and_what_is_right() {
        for (prompt, says) in [
            ("[[chunks=0]]", "chunks of the directive must be a whole number from 1 to 100000, not \"0\""),
            (
                "[[delay_ms=-1]]",
                "delay_ms of the directive must be a whole number from 0 to 60000, not \"-1\"",
            ),
            ("[[chunks=5 bytes]]", "bytes of the directive must be a whole number from 1 to 65536, not \"\""),
            (
                "[[speed=9]]",
                "no field \"speed\"; its fields are chunks, delay_ms, bytes, thinking, fail_after, error",
            ),
            ("[[chunks=1 chunks=2]]", "chunks twice"),
            ("[[error=bad]]", "must be one of auth, quota, rate_limited"),
            ("[[chunks=100000 bytes=65536]]", "must be at most 8388608, not 6553600000"),
        ] {
            let error = Directive::find(prompt).unwrap_err().to_string();
            assert!(error.contains(says), "{prompt} gave: {error}");
        }
    }
}
