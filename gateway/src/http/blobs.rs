//! `PUT /blobs/…` and `GET /blobs/…`: uploads and downloads by URLs that this server has signed, for a store that has no
//! server of its own. Answers as S3 does where the web client looks. Whoever has the URL may; nobody else.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, TryStreamExt};
use slipstream_commands::ports::{
    Blob, BlobError, BlobMeta, BlobRead, BlobUrls, ByteRange, Grant, UrlRefusal, exactly,
};
use slipstream_domain::{BlobKey, MediaType};

use super::problem::Problem;
use crate::protocol::ErrorCode;
use crate::refusal::Refusal;
use crate::shared::Shared;

const VERSION: HeaderName = HeaderName::from_static("x-amz-version-id");

/// Serves one signed URL. No cookie counts here, so that any page may use what it has been given.
pub(super) async fn blob(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let mut response = match &shared.blob_urls {
        Some(urls) => {
            serve(&shared, urls.as_ref(), request).await.unwrap_or_else(IntoResponse::into_response)
        }
        None => Problem::not_found("This server keeps no files itself.").into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("ETag, x-amz-version-id, Content-Range, Accept-Ranges");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    response
}

async fn serve(shared: &Shared, urls: &dyn BlobUrls, request: Request) -> Result<Response, Problem> {
    let asked = match *request.method() {
        Method::OPTIONS => return Ok(preflight()),
        Method::PUT => "PUT",
        Method::GET | Method::HEAD => "GET",
        _ => return Err(Problem::method_not_allowed()),
    };
    let query = request.uri().query().unwrap_or_default();
    let range = request.headers().get(header::RANGE).and_then(|range| parse_range(range.to_str().ok()?));
    let with_body = request.method() != Method::HEAD;
    match urls.check(asked, request.uri().path(), query).map_err(forbidden)? {
        Grant::Upload { key, mime, size } => upload(shared, &key, &mime, size, request).await,
        Grant::Download { blob, disposition } => {
            download(shared, &blob, &disposition, range, with_body).await
        }
    }
}

fn forbidden(refusal: UrlRefusal) -> Problem {
    Refusal::new(ErrorCode::Forbidden, refusal.to_string()).into()
}

/// The Fetch standard, "CORS-preflight fetch".
fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "PUT, GET, HEAD"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "*, content-type, range"),
        (header::ACCESS_CONTROL_MAX_AGE, "3600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Takes exactly what was signed: the type and the length are refused before the first byte, and no byte more is read.
async fn upload(
    shared: &Shared,
    key: &BlobKey,
    mime: &MediaType,
    size: u64,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let given = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if given(header::CONTENT_TYPE).and_then(|text| MediaType::parse(text).ok()).as_ref() != Some(mime) {
        return Err(Refusal::new(ErrorCode::Forbidden, format!("the Content-Type must be {mime}")).into());
    }
    if given(header::CONTENT_LENGTH).is_some_and(|length| length.parse() != Ok(size)) {
        return Err(wrong_length(size));
    }
    let bytes = body.into_data_stream().map_err(std::io::Error::other).boxed();
    match shared.files.store().put(key, mime, exactly(size, bytes)).await {
        Ok(meta) => Ok((StatusCode::OK, headers_of(&meta)).into_response()),
        Err(BlobError::Source(_)) => Err(wrong_length(size)),
        Err(error) => Err(failed(&error)),
    }
}

fn wrong_length(size: u64) -> Problem {
    Problem::bad_request(format!("the body must have exactly {size} bytes"))
}

async fn download(
    shared: &Shared,
    blob: &Blob,
    disposition: &str,
    range: Option<ByteRange>,
    with_body: bool,
) -> Result<Response, Problem> {
    let read = match shared.files.store().get(blob, range).await {
        Ok(read) => read,
        Err(BlobError::OutOfRange { size }) => {
            let range = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, range).into_response());
        }
        Err(error) => return Err(failed(&error)),
    };
    let BlobRead { meta, range: part, bytes } = read;
    let mut headers = headers_of(&meta);
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    set(header::CONTENT_TYPE, meta.mime.as_str());
    set(header::CONTENT_LENGTH, &(part.end - part.start).to_string());
    set(header::CONTENT_DISPOSITION, disposition);
    set(header::ACCEPT_RANGES, "bytes");
    // A file is its owner's, and shown on our own origin: nothing in it may run here.
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox");
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "private, max-age=3600, immutable");
    let status = if range.is_some() {
        set(
            header::CONTENT_RANGE,
            &format!("bytes {}-{}/{}", part.start, part.end.saturating_sub(1), meta.size),
        );
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let body = if with_body { Body::from_stream(bytes) } else { Body::empty() };
    Ok((status, headers, body).into_response())
}

fn headers_of(meta: &BlobMeta) -> HeaderMap {
    let version = meta.version_id.as_deref().map(|version| (VERSION, version));
    let named = [(header::ETAG, meta.etag.as_str())].into_iter().chain(version);
    named.filter_map(|(name, value)| Some((name, HeaderValue::from_str(value).ok()?))).collect()
}

fn failed(error: &BlobError) -> Problem {
    match error {
        BlobError::NotFound => Problem::not_found("There is no such file."),
        BlobError::OutOfRange { .. } | BlobError::Source(_) | BlobError::Unavailable(_) => {
            tracing::warn!(error = error as &dyn std::error::Error, "a file cannot be served");
            Refusal::new(ErrorCode::Unavailable, "The file cannot be had for now; try again.").into()
        }
    }
}

/// One range of bytes; anything else is as if it had not been asked for (RFC 9110, 14.2).
fn parse_range(header: &str) -> Option<ByteRange> {
    let (first, last) = header.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", count) => Some(ByteRange::Last(count.parse().ok()?)),
        (first, "") => Some(ByteRange::From(first.parse().ok()?)),
        (first, last) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some(ByteRange::Between(first, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_understood_and_everything_else_passed_over() {
        assert_eq!(parse_range("bytes=0-4"), Some(ByteRange::Between(0, 4)));
        assert_eq!(parse_range("bytes=5-"), Some(ByteRange::From(5)));
        assert_eq!(parse_range("bytes=-5"), Some(ByteRange::Last(5)));
        for other in ["", "bytes=", "bytes=-", "bytes=4-0", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"] {
            assert_eq!(parse_range(other), None, "{other}");
        }
    }
}
