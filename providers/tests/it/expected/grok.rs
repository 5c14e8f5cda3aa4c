//! What the goldens of grok come to.

use slipstream_domain::{ErrorClass, FinishReason};

use super::{Expected, ends, thinks};
use FinishReason::{ContentFilter, Length, Refusal, Stop};

/// Streams that the vendor ends.
pub fn streams() -> Vec<Expected> {
    vec![
        ends("text", "Hello! How can I help you today?", Ok(Stop), Some([12, 0, 10, 0, 22])),
        thinks(
            "thinking",
            "The user asks why the sky is blue. Rayleigh scattering, in one paragraph.",
            "The sky is blue because air scatters short wavelengths more than long ones.",
            Ok(Stop),
            Some([12, 0, 97, 80, 109]),
        ),
        thinks(
            "thinking_repeated",
            "The user asks why the sky is blue. Rayleigh scattering, in one paragraph.",
            "Because of scattering.",
            Ok(Stop),
            Some([12, 0, 87, 80, 99]),
        ),
        thinks("thinking_text", "Two and two make four.", "4", Ok(Stop), Some([12, 0, 9, 7, 21])),
        thinks(
            "several_items",
            "First I look at the parts.\n\nNow the rest.",
            "Part one.\n\nPart two.",
            Ok(Stop),
            Some([40, 0, 60, 30, 100]),
        ),
        ends("search", "Rust 1.85 stabilised the 2024 edition.", Ok(Stop), Some([305, 256, 61, 20, 366])),
        ends("refusal", "I can't help with that.", Ok(Refusal), Some([20, 0, 7, 0, 27])),
        ends("length", "Once upon a time there was", Ok(Length), Some([30, 0, 16, 0, 46])),
        ends("content_filter", "The recipe begins with", Ok(ContentFilter), Some([30, 0, 5, 0, 35])),
        ends("usage_reasoning_apart", "Counted beside.", Ok(Stop), Some([32, 6, 119, 110, 151])),
        ends("usage_missing", "Uncounted.", Ok(Stop), None),
        ends("unknown_events", "Known events only.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends("keep_alive", "Still here after a while.", Ok(Stop), Some([9, 0, 6, 0, 15])),
        thinks(
            "utf8",
            "Думаю 🤔…",
            "Grüße, мир! 日本語、한국어 🙂👩\u{200d}👩\u{200d}👧\u{200d}👦🏳\u{fe0f}\u{200d}🌈 e\u{301} 🧑🏽\u{200d}🚀 \u{fffd} ü",
            Ok(Stop),
            Some([11, 0, 44, 4, 55]),
        ),
        ends("bom_crlf", "Windows line ends.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends("empty", "", Ok(Stop), Some([9, 0, 0, 0, 9])),
        ends("error_event", "", Err(ErrorClass::Overloaded), None),
        ends("error_after_text", "Half an answer", Err(ErrorClass::Overloaded), None),
        ends("failed", "", Err(ErrorClass::RateLimited), Some([12, 0, 0, 0, 12])),
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
        ends("400_invalid_key", "", Err(ErrorClass::Auth), None),
        ends("400_invalid", "", Err(ErrorClass::InvalidRequest), None),
        ends("401_no_key", "", Err(ErrorClass::Auth), None),
        ends("403_permission", "", Err(ErrorClass::Auth), None),
        ends("403_no_credits", "", Err(ErrorClass::Quota), None),
        ends("404_model", "", Err(ErrorClass::InvalidRequest), None),
        ends("410_search_parameters", "", Err(ErrorClass::InvalidRequest), None),
        ends("415_media_type", "", Err(ErrorClass::InvalidRequest), None),
        ends("422_unprocessable", "", Err(ErrorClass::InvalidRequest), None),
        ends("429_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("429_spending_limit", "", Err(ErrorClass::Quota), None),
        ends("500", "", Err(ErrorClass::Overloaded), None),
        ends("503_overloaded", "", Err(ErrorClass::Overloaded), None),
    ]
}
