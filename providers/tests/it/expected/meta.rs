//! What the goldens of meta come to.

use slipstream_domain::{ErrorClass, FinishReason};

use super::{Expected, ends};
use FinishReason::{Length, Other, Stop, ToolUse};

/// Streams that the vendor ends.
pub fn streams() -> Vec<Expected> {
    vec![
        ends("text", "Hello! How can I help you today?", Ok(Stop), Some([12, 0, 10, 0, 22])),
        ends("several_items", "One and two. Said at the end.", Ok(Stop), Some([12, 0, 9, 0, 21])),
        ends("length", "Once upon a time there was", Ok(Length), Some([30, 0, 16, 0, 46])),
        ends("finish_tool_calls", "I call.", Ok(ToolUse), Some([9, 0, 5, 0, 14])),
        ends("finish_new_word", "Hm", Ok(Other("bored".to_owned())), Some([9, 0, 1, 0, 10])),
        ends("unknown_events", "Known events only.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends("keep_alive", "Still here after a while.", Ok(Stop), Some([9, 0, 6, 0, 15])),
        ends("bom_crlf", "Windows line ends.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends(
            "utf8",
            "Grüße, мир! 日本語、한국어 🙂👩\u{200d}👩\u{200d}👧\u{200d}👦🏳\u{fe0f}\u{200d}🌈 e\u{301} 🧑🏽\u{200d}🚀 \u{fffd} ü",
            Ok(Stop),
            Some([11, 0, 44, 0, 55]),
        ),
        ends("empty", "", Ok(Stop), Some([9, 0, 0, 0, 9])),
        ends("usage_missing", "Uncounted.", Ok(Stop), None),
        ends("usage_floats", "Counted.", Ok(Stop), Some([9, 0, 3, 0, 12])),
        ends("error_event", "", Err(ErrorClass::Overloaded), None),
        ends("error_after_text", "Half an answer", Err(ErrorClass::Overloaded), None),
        ends("not_json", "Good so far", Err(ErrorClass::Protocol), None),
        ends("bad_utf8", "Good so far", Err(ErrorClass::Protocol), None),
    ]
}

/// Answers that are cut, fall silent, or are errors of HTTP.
pub fn broken() -> Vec<Expected> {
    vec![
        ends("ends_early", "The end never comes", Err(ErrorClass::Network), None),
        ends("cut_after_text", "The line breaks", Err(ErrorClass::Network), None),
        ends("cut_before_text", "", Err(ErrorClass::Network), None),
        ends("silence_after_text", "The line breaks", Err(ErrorClass::Timeout), None),
        ends("silence_before_text", "", Err(ErrorClass::Timeout), None),
        ends("502_html", "", Err(ErrorClass::Overloaded), None),
        ends("200_json", "", Err(ErrorClass::Protocol), None),
        ends("400_invalid", "", Err(ErrorClass::InvalidRequest), None),
        ends("401_invalid_key", "", Err(ErrorClass::Auth), None),
        ends("403_forbidden", "", Err(ErrorClass::Auth), None),
        ends("404_model", "", Err(ErrorClass::InvalidRequest), None),
        ends("422_unprocessable", "", Err(ErrorClass::InvalidRequest), None),
        ends("429_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("500", "", Err(ErrorClass::Overloaded), None),
        ends("503_unavailable", "", Err(ErrorClass::Overloaded), None),
    ]
}
