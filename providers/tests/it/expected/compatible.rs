//! What the goldens of compatible come to.

use slipstream_domain::{ErrorClass, FinishReason};

use super::{Expected, ends, thinks};
use FinishReason::{ContentFilter, Length, Other, Refusal, Stop, ToolUse};

/// Streams that the vendor ends.
pub fn streams() -> Vec<Expected> {
    vec![
        ends("text", "Hello! How can I help you today?", Ok(Stop), Some([12, 0, 10, 0, 22])),
        thinks(
            "thinking",
            "The user asks why the sky is blue.",
            "The sky is blue because air scatters short wavelengths more than long ones.",
            Ok(Stop),
            Some([12, 0, 97, 80, 109]),
        ),
        thinks("several_items", "Hm.", "The first choice.", Ok(Stop), Some([12, 0, 10, 0, 22])),
        ends("length", "Once upon a time there was", Ok(Length), Some([30, 0, 16, 0, 46])),
        ends("content_filter", "The recipe begins with", Ok(ContentFilter), Some([30, 0, 5, 0, 35])),
        ends("finish_tool_calls", "I call.", Ok(ToolUse), None),
        ends("unknown_events", "Known events only.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        ends("unknown_events_null", "Nulls are nothing.", Ok(Stop), Some([9, 0, 0, 0, 9])),
        ends("keep_alive", "Still here after a while.", Ok(Stop), Some([9, 0, 6, 0, 15])),
        ends("bom_crlf", "Windows line ends.", Ok(Stop), Some([9, 0, 4, 0, 13])),
        thinks(
            "utf8",
            "Думаю 🤔…",
            "Grüße, мир! 日本語、한국어 🙂👩\u{200d}👩\u{200d}👧\u{200d}👦🏳\u{fe0f}\u{200d}🌈 e\u{301} 🧑🏽\u{200d}🚀 \u{fffd} ü",
            Ok(Stop),
            Some([11, 0, 44, 4, 55]),
        ),
        ends("empty", "", Ok(Stop), Some([9, 0, 0, 0, 9])),
        ends("usage_missing", "Uncounted.", Ok(Stop), None),
        ends("error_event", "", Err(ErrorClass::Overloaded), None),
        ends("error_after_text", "Half an answer", Err(ErrorClass::Overloaded), None),
        ends("not_json", "Good so far", Err(ErrorClass::Protocol), None),
        ends("bad_utf8", "Good so far", Err(ErrorClass::Protocol), None),
        thinks(
            "thinking_repeated",
            "The user asks why the sky is blue. Rayleigh scattering, in one paragraph.",
            "Because of scattering.",
            Ok(Stop),
            None,
        ),
        ends("search", "Rust 1.85 stabilised the 2024 edition.", Ok(Stop), None),
        ends("refusal", "I can't help with that.", Ok(Refusal), None),
        ends("usage_with_finish", "Counted.", Ok(Stop), Some([9, 4, 3, 0, 12])),
        ends("usage_in_every_chunk", "One two", Ok(Stop), Some([9, 0, 2, 0, 11])),
        ends("usage_x_groq", "Counted.", Ok(Stop), Some([9, 0, 3, 0, 12])),
        ends("usage_reasoning_apart", "Counted beside.", Ok(Stop), Some([32, 6, 119, 110, 151])),
        ends("finish_none", "No word about it", Ok(Other("none".to_owned())), None),
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
        ends("400_vllm", "", Err(ErrorClass::InvalidRequest), None),
        ends("401_litellm", "", Err(ErrorClass::Auth), None),
        ends("404_ollama", "", Err(ErrorClass::InvalidRequest), None),
        ends("422_fastapi", "", Err(ErrorClass::InvalidRequest), None),
        ends("429_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("500", "", Err(ErrorClass::Overloaded), None),
        ends("503_loading", "", Err(ErrorClass::Overloaded), None),
    ]
}
