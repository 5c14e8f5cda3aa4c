//! Imagen: `:predict` with a prompt, answered by whole pictures.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use slipstream_domain::FinishReason;

use crate::body::Put;
use crate::decode::{picture, protocol};
use crate::images::prompt;
use crate::{ChatRequest, Delta, ProviderError};

const SHAPES: [(u32, u32, &str); 5] =
    [(1, 1, "1:1"), (3, 4, "3:4"), (4, 3, "4:3"), (9, 16, "9:16"), (16, 9, "16:9")];

/// The body.
pub(super) fn body(request: &ChatRequest) -> Result<Value, ProviderError> {
    let mut parameters = Map::new();
    parameters.put("sampleCount", Some(1));
    parameters.put("aspectRatio", request.nearest_shape(&SHAPES));
    Ok(json!({ "instances": [{ "prompt": prompt(request)? }], "parameters": parameters }))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    predictions: Vec<Prediction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Prediction {
    mime_type: Option<String>,
    bytes_base64_encoded: Option<String>,
}

/// An answer without pictures is one whose pictures were all filtered.
pub(super) fn read(body: &[u8]) -> Result<Vec<Delta>, ProviderError> {
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|_| protocol("the provider sent pictures of an unknown form"))?;
    let pictures = answer.predictions.iter().filter_map(|prediction| {
        let mime = prediction.mime_type.as_deref().unwrap_or("image/png");
        Some(picture(mime, prediction.bytes_base64_encoded.as_deref()?))
    });
    let mut deltas = pictures.collect::<Result<Vec<_>, _>>()?;
    let reason = if deltas.is_empty() { FinishReason::ContentFilter } else { FinishReason::Stop };
    deltas.push(Delta::Finish { reason });
    Ok(deltas)
}
