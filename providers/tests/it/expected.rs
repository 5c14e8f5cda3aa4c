//! What each golden must come to. Read by the decoders' own tests as well as by those over HTTP.

use slipstream_domain::{ErrorClass, FinishReason};

// Said by path, because the decoders' tests take this file from another place.
#[path = "expected/anthropic.rs"]
mod anthropic;
#[path = "expected/compatible.rs"]
mod compatible;
#[path = "expected/gemini.rs"]
mod gemini;
#[path = "expected/grok.rs"]
mod grok;
#[path = "expected/meta.rs"]
mod meta;
#[path = "expected/openai.rs"]
mod openai;
#[path = "expected/vercel.rs"]
mod vercel;

/// What a golden comes to.
pub struct Expected {
    pub golden: &'static str,
    pub thinking: &'static str,
    pub text: &'static str,
    pub end: Result<FinishReason, ErrorClass>,
    /// Input, cached input, output, reasoning, total.
    pub usage: Option<[u64; 5]>,
}

/// What a model that makes pictures answers; its golden is named like it.
pub struct Picture {
    pub model: &'static str,
    pub mime: Option<&'static str>,
    pub text: &'static str,
    pub end: FinishReason,
    pub usage: Option<[u64; 5]>,
}

/// The goldens of one folder.
pub struct Vendor {
    /// The folder.
    pub name: &'static str,
    /// A model of the vendor's that thinks where it has one.
    pub model: &'static str,
    /// Streams that the vendor ends, well or with an error.
    pub streams: Vec<Expected>,
    /// Answers that are cut, fall silent, or are errors of HTTP.
    pub broken: Vec<Expected>,
}

impl Vendor {
    /// Its models that make pictures.
    pub fn pictures(&self) -> Vec<Picture> {
        let png = |model, usage| Picture {
            model,
            mime: Some("image/png"),
            text: "",
            end: FinishReason::Stop,
            usage,
        };
        match self.name {
            "openai" => vec![png("gpt-image-1", Some([15, 0, 4160, 0, 4175])), png("dall-e-3", None)],
            "gemini" => vec![
                Picture {
                    text: "A red square.",
                    ..png("gemini-2.0-flash-preview-image-generation", Some([10, 0, 1294, 0, 1304]))
                },
                png("imagen-4.0-generate-001", None),
                Picture {
                    mime: None,
                    end: FinishReason::ContentFilter,
                    ..png("imagen-4.0-fast-generate-001", None)
                },
            ],
            "grok" => vec![Picture { mime: Some("image/jpeg"), ..png("grok-2-image-1212", None) }],
            _ => Vec::new(),
        }
    }
}

pub fn vendors() -> Vec<Vendor> {
    macro_rules! vendor {
        ($name:ident, $model:literal) => {
            Vendor {
                name: stringify!($name),
                model: $model,
                streams: $name::streams(),
                broken: $name::broken(),
            }
        };
    }
    vec![
        vendor!(openai, "gpt-5-nano"),
        vendor!(gemini, "gemini-2.5-flash"),
        vendor!(grok, "grok-3-mini"),
        vendor!(anthropic, "claude-sonnet-4-20250514"),
        vendor!(meta, "Llama-3.3-70B-Instruct"),
        vendor!(vercel, "v0-1.5-md"),
        vendor!(compatible, "qwen3:8b"),
    ]
}

const fn ends(
    golden: &'static str,
    text: &'static str,
    end: Result<FinishReason, ErrorClass>,
    usage: Option<[u64; 5]>,
) -> Expected {
    Expected { golden, thinking: "", text, end, usage }
}

const fn thinks(
    golden: &'static str,
    thinking: &'static str,
    text: &'static str,
    end: Result<FinishReason, ErrorClass>,
    usage: Option<[u64; 5]>,
) -> Expected {
    Expected { golden, thinking, text, end, usage }
}
