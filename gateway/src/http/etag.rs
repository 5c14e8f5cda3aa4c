//! Entity tags (RFC 9110, 8.8.3) of whatever is answered as JSON: a client that shows the tag of what it has is told 304
//! instead of the same again. The tag is a hash of the answer, so it is right whatever the answer is made of; it saves the
//! way, not the work.

use axum::body::{Body, HttpBody, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// The largest answer that gets a tag, in bytes: beyond a full page of long messages.
const LARGEST: usize = 8 * 1024 * 1024;

/// Tags what comes out, and answers 304 where it is known.
pub(super) async fn tagged(request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let known = request.headers().get_all(header::IF_NONE_MATCH).iter().cloned().collect::<Vec<_>>();
    let response = next.run(request).await;
    if !reads || !may_be_tagged(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let tag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&Sha256::digest(&bytes)[..16]));
    if let Ok(value) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, value);
    }
    // It is the user's own, and asked for again each time.
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    if is_known(&known, &tag) {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// JSON that is there as a whole, and may be kept by its client.
fn may_be_tagged(response: &Response) -> bool {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    let is_whole = response.body().size_hint().exact().is_some_and(|size| size <= LARGEST as u64);
    response.status() == StatusCode::OK
        && is_json
        && is_whole
        && !response.headers().contains_key(header::CACHE_CONTROL)
}

/// Whether a client has it already; weak comparison, as `If-None-Match` demands.
fn is_known(shown: &[HeaderValue], tag: &str) -> bool {
    let lists = shown.iter().filter_map(|value| value.to_str().ok());
    lists
        .flat_map(|list| list.split(','))
        .map(str::trim)
        .any(|shown| shown == "*" || shown.strip_prefix("W/").unwrap_or(shown) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_may_show_one_tag_several_or_any() {
        let known = |text: &'static str| is_known(&[HeaderValue::from_static(text)], "\"abc\"");
        assert!(known("\"abc\"") && known("\"x\", \"abc\"") && known("W/\"abc\"") && known("*"));
        assert!(!known("abc") && !known("\"ab\"") && !known(""));
    }
}
