//! What the goldens of openai come to.

use slipstream_domain::{ErrorClass, FinishReason};

use super::{Expected, ends, thinks};
use FinishReason::{ContentFilter, Length, Refusal, Stop};

/// Streams that the vendor ends.
pub fn streams() -> Vec<Expected> {
    vec![
        ends("text", "Hello! How can I help you today?", Ok(Stop), Some([36, 0, 10, 0, 46])),
        thinks(
            "thinking",
            "**Weighing the question**\n\nThe user asks why the sky is blue.\n\n**Choosing an explanation**\n\nRayleigh \
         scattering, in one paragraph.",
            "The sky is blue because air scatters short wavelengths more than long ones. This is called Rayleigh scattering.",
            Ok(Stop),
            Some([58, 0, 312, 256, 370]),
        ),
        thinks(
            "several_items",
            "First I look at the parts.\n\nNow the rest.",
            "Part one: done.\n\nPart two: done.\n\nAnd a remark.",
            Ok(Stop),
            Some([40, 0, 90, 30, 130]),
        ),
        thinks("thinking_text", "Two and two make four.", "4", Ok(Stop), Some([12, 0, 9, 7, 21])),
        ends(
            "search",
            "Rust 1.85 stabilised the 2024 edition ([blog.rust-lang.org](https://blog.rust-lang.org/2025/02/20/Rust-1.85.0/)).",
            Ok(Stop),
            Some([305, 256, 61, 0, 366]),
        ),
        ends("refusal", "I'm sorry, but I can't help with that.", Ok(Refusal), Some([80, 0, 12, 0, 92])),
        ends("length", "Once upon a time there was", Ok(Length), Some([30, 0, 16, 0, 46])),
        ends("content_filter", "The recipe begins with", Ok(ContentFilter), Some([30, 0, 5, 0, 35])),
        ends("image", "Here it is.", Ok(Stop), Some([50, 0, 20, 0, 70])),
        ends("unknown_events", "Known events only.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends("keep_alive", "Still here after a while.", Ok(Stop), Some([9, 0, 6, 0, 15])),
        ends("bom_crlf", "Windows line ends.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends(
            "utf8",
            "Grüße, мир! 日本語、한국어 🙂👩\u{200d}👩\u{200d}👧\u{200d}👦🏳\u{fe0f}\u{200d}🌈 e\u{301} 🧑🏽\u{200d}🚀 🚀 \u{fffd} ü",
            Ok(Stop),
            Some([11, 0, 44, 0, 55]),
        ),
        ends("empty", "", Ok(Stop), Some([9, 0, 0, 0, 9])),
        ends("error_event", "", Err(ErrorClass::Overloaded), None),
        ends("error_after_text", "Half an answer", Err(ErrorClass::Overloaded), None),
        ends("error_nested", "", Err(ErrorClass::RateLimited), None),
        ends("failed", "", Err(ErrorClass::RateLimited), Some([12, 0, 0, 0, 12])),
        ends("failed_flagged", "", Err(ErrorClass::ContentFiltered), None),
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
        ends("200_json", "", Err(ErrorClass::Protocol), None),
        ends("400_moderation", "", Err(ErrorClass::ContentFiltered), None),
        ends("400_context", "", Err(ErrorClass::InvalidRequest), None),
        ends("400_flagged", "", Err(ErrorClass::ContentFiltered), None),
        ends("400_unsupported", "", Err(ErrorClass::InvalidRequest), None),
        ends("401_invalid_key", "", Err(ErrorClass::Auth), None),
        ends("403_country", "", Err(ErrorClass::Auth), None),
        ends("404_model", "", Err(ErrorClass::InvalidRequest), None),
        ends("429_quota", "", Err(ErrorClass::Quota), None),
        ends("429_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("429_rate_limit_long", "", Err(ErrorClass::RateLimited), None),
        ends("500", "", Err(ErrorClass::Overloaded), None),
        ends("502_html", "", Err(ErrorClass::Overloaded), None),
        ends("503_overloaded", "", Err(ErrorClass::Overloaded), None),
        ends("504_timeout", "", Err(ErrorClass::Timeout), None),
    ]
}
