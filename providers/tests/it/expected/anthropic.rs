//! What the goldens of anthropic come to.

use slipstream_domain::{ErrorClass, FinishReason};

use super::{Expected, ends, thinks};
use FinishReason::{Length, Other, Pause, Refusal, Stop, ToolUse};

/// Streams that the vendor ends.
pub fn streams() -> Vec<Expected> {
    vec![
        ends("text", "Hello! How can I help you today?", Ok(Stop), Some([25, 0, 15, 0, 40])),
        thinks(
            "thinking",
            "The user asks why the sky is blue. Rayleigh scattering, in one paragraph.",
            "The sky is blue because air scatters short wavelengths more than long ones.",
            Ok(Stop),
            Some([25, 0, 88, 0, 113]),
        ),
        thinks("thinking_redacted", "Then in the open.", "Done.", Ok(Stop), Some([25, 0, 30, 0, 55])),
        thinks(
            "several_items",
            "First I look.\n\nNow the rest.",
            "Part one and part two. And a remark.",
            Ok(Stop),
            Some([25, 0, 40, 0, 65]),
        ),
        ends(
            "search",
            "I'll look that up.\n\nRust 1.85 stabilised the 2024 edition.",
            Ok(Stop),
            Some([561, 256, 61, 0, 622]),
        ),
        ends("search_failed", "I could not search.", Ok(Stop), Some([25, 0, 12, 0, 37])),
        ends("finish_pause", "I'll look that up.", Ok(Pause), Some([335, 200, 40, 0, 375])),
        ends("finish_stop_sequence", "One, two", Ok(Stop), Some([25, 0, 5, 0, 30])),
        ends("finish_tool_use", "Let me see.", Ok(ToolUse), Some([25, 0, 9, 0, 34])),
        ends("finish_new_word", "Hm", Ok(Other("bored".to_owned())), Some([25, 0, 2, 0, 27])),
        ends("refusal", "I can't help with that.", Ok(Refusal), Some([25, 0, 12, 0, 37])),
        ends("length", "Once upon a time there was", Ok(Length), Some([25, 0, 16, 0, 41])),
        ends("length_context", "Full", Ok(Length), Some([25, 0, 1, 0, 26])),
        ends("unknown_events", "Known events only.", Ok(Stop), Some([25, 0, 4, 0, 29])),
        ends("keep_alive", "Still here after a while.", Ok(Stop), Some([25, 0, 6, 0, 31])),
        ends("bom_crlf", "Windows line ends.", Ok(Stop), Some([25, 0, 4, 0, 29])),
        thinks(
            "utf8",
            "Думаю 🤔…",
            "Grüße, мир! 日本語、한국어 🙂👩\u{200d}👩\u{200d}👧\u{200d}👦🏳\u{fe0f}\u{200d}🌈 e\u{301} 🧑🏽\u{200d}🚀 \u{fffd} ü",
            Ok(Stop),
            Some([25, 0, 44, 0, 69]),
        ),
        ends("empty", "", Ok(Stop), Some([25, 0, 2, 0, 27])),
        ends("usage_only_at_start", "No later counts.", Ok(Stop), Some([25, 0, 7, 0, 32])),
        ends("usage_cached", "Cached.", Ok(Stop), Some([3004, 2000, 3, 0, 3007])),
        ends("error_event", "", Err(ErrorClass::Overloaded), None),
        ends("error_after_text", "Half an answer", Err(ErrorClass::Overloaded), None),
        ends("error_rate_limit", "", Err(ErrorClass::RateLimited), None),
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
        ends("400_credit", "", Err(ErrorClass::Quota), None),
        ends("401_invalid_key", "", Err(ErrorClass::Auth), None),
        ends("402_billing", "", Err(ErrorClass::Quota), None),
        ends("403_permission", "", Err(ErrorClass::Auth), None),
        ends("404_model", "", Err(ErrorClass::InvalidRequest), None),
        ends("413_too_large", "", Err(ErrorClass::InvalidRequest), None),
        ends("429_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("500", "", Err(ErrorClass::Overloaded), None),
        ends("504_timeout", "", Err(ErrorClass::Timeout), None),
        ends("529_overloaded", "", Err(ErrorClass::Overloaded), None),
    ]
}
