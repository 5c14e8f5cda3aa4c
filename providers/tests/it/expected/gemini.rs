//! What the goldens of gemini come to.

use slipstream_domain::{ErrorClass, FinishReason};

use super::{Expected, ends, thinks};
use FinishReason::{ContentFilter, Length, Other, Stop};

/// Streams that the vendor ends.
pub fn streams() -> Vec<Expected> {
    vec![
        ends("text", "Hello! How can I help you today?", Ok(Stop), Some([8, 0, 9, 0, 17])),
        thinks(
            "thinking",
            "**Weighing the question**\n\nThe user asks why the sky is blue.",
            "The sky is blue because air scatters short wavelengths more than long ones.",
            Ok(Stop),
            Some([9, 0, 81, 64, 90]),
        ),
        thinks(
            "several_items",
            "I think first.",
            "Part one and part two. And a remark.",
            Ok(Stop),
            Some([9, 0, 17, 5, 26]),
        ),
        ends("search", "Rust 1.85 stabilised the 2024 edition.", Ok(Stop), Some([132, 0, 51, 40, 183])),
        ends("search_citations", "As written elsewhere.", Ok(Stop), Some([5, 0, 4, 0, 9])),
        ends("image", "Here it is.", Ok(Stop), Some([10, 0, 1294, 0, 1304])),
        ends("length", "Once upon a time there was", Ok(Length), Some([7, 0, 16, 0, 23])),
        ends("content_filter", "The recipe begins with", Ok(ContentFilter), Some([7, 0, 5, 0, 12])),
        ends("content_filter_recitation", "It was the best of", Ok(ContentFilter), Some([7, 0, 5, 0, 12])),
        ends("content_filter_prohibited_content", "No", Ok(ContentFilter), Some([7, 0, 1, 0, 8])),
        ends("content_filter_blocklist", "No", Ok(ContentFilter), Some([7, 0, 1, 0, 8])),
        ends("content_filter_spii", "No", Ok(ContentFilter), Some([7, 0, 1, 0, 8])),
        ends("content_filter_prompt", "", Err(ErrorClass::ContentFiltered), Some([7, 0, 0, 0, 7])),
        ends(
            "finish_malformed_call",
            "I call",
            Ok(Other("MALFORMED_FUNCTION_CALL".to_owned())),
            Some([7, 0, 2, 0, 9]),
        ),
        ends("finish_language", "Hm", Ok(Other("LANGUAGE".to_owned())), Some([7, 0, 1, 0, 8])),
        ends("unknown_events", "Known events only.", Ok(Stop), Some([9, 0, 4, 0, 13])),
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
        ends("usage_after_finish", "Counted later.", Ok(Stop), Some([9, 0, 3, 0, 12])),
        ends("usage_cached", "Cached.", Ok(Stop), Some([3004, 2000, 3, 0, 3007])),
        ends("usage_missing", "Uncounted.", Ok(Stop), None),
        ends("error_event", "", Err(ErrorClass::Overloaded), None),
        ends("error_after_text", "Half an answer", Err(ErrorClass::Overloaded), Some([9, 0, 3, 0, 12])),
        ends("error_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("not_json", "Good so far", Err(ErrorClass::Protocol), Some([9, 0, 3, 0, 12])),
        ends("bad_utf8", "Good so far", Err(ErrorClass::Protocol), Some([9, 0, 3, 0, 12])),
    ]
}

/// Answers that are cut, fall silent, or are errors of HTTP.
pub fn broken() -> Vec<Expected> {
    vec![
        ends("ends_early", "The end never comes", Err(ErrorClass::Network), Some([9, 0, 3, 0, 12])),
        ends("cut_after_text", "The line breaks", Err(ErrorClass::Network), Some([9, 0, 3, 0, 12])),
        ends("cut_before_text", "", Err(ErrorClass::Network), None),
        ends("silence_after_text", "The line breaks", Err(ErrorClass::Timeout), Some([9, 0, 3, 0, 12])),
        ends("silence_before_text", "", Err(ErrorClass::Timeout), None),
        ends("502_html", "", Err(ErrorClass::Overloaded), None),
        ends("200_json", "", Err(ErrorClass::Protocol), None),
        ends("400_invalid", "", Err(ErrorClass::InvalidRequest), None),
        ends("400_invalid_key", "", Err(ErrorClass::Auth), None),
        ends("400_location", "", Err(ErrorClass::InvalidRequest), None),
        ends("400_array", "", Err(ErrorClass::InvalidRequest), None),
        ends("403_permission", "", Err(ErrorClass::Auth), None),
        ends("404_model", "", Err(ErrorClass::InvalidRequest), None),
        ends("429_rate_limit", "", Err(ErrorClass::RateLimited), None),
        ends("429_quota", "", Err(ErrorClass::Quota), None),
        ends("500", "", Err(ErrorClass::Overloaded), None),
        ends("503_overloaded", "", Err(ErrorClass::Overloaded), None),
        ends("504_deadline", "", Err(ErrorClass::Timeout), None),
    ]
}
