//! Gemini's Files API: a resumable upload in one piece, then a wait until the file can be used.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Method, Url};
use serde::Deserialize;
use serde_json::json;
use slipstream_domain::ErrorClass;

use super::API_KEY;
use crate::base_url::BaseUrl;
use crate::decode::protocol;
use crate::exchange::answered;
use crate::http::Http;
use crate::provider::UploadedFile;
use crate::{ApiKey, Attachment, ProviderError, Source};

/// Google keeps a file for 48 hours; the last one is left out, so that a file named at the start of a call is there.
const KEPT: Duration = Duration::from_hours(47);
/// How often, and how many times, a file that is being processed is looked at: half a minute in all.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOKS: u32 = 60;

#[derive(Deserialize)]
struct Uploaded {
    file: File,
}

#[derive(Deserialize)]
struct File {
    name: String,
    uri: String,
    state: Option<String>,
}

/// Uploads what `file` holds. Dropping it gives up; Google then forgets the upload by itself.
pub(super) async fn upload(
    http: Http,
    base: &BaseUrl,
    key: Option<&ApiKey>,
    file: &Attachment,
) -> Result<UploadedFile, ProviderError> {
    let result = upload_and_wait(&http, base, key, file).await;
    result.map_err(|error| error.without(key))
}

async fn upload_and_wait(
    http: &Http,
    base: &BaseUrl,
    key: Option<&ApiKey>,
    file: &Attachment,
) -> Result<UploadedFile, ProviderError> {
    let Source::Inline(bytes) = &file.source else { return Err(file.wrong_form()) };
    let place = begin(http, base.beside("upload", "files"), key, file, bytes.len()).await?;
    let mut headers = command("upload, finalize")?;
    headers.insert("x-goog-upload-offset", HeaderValue::from_static("0"));
    let response = http.send(Method::POST, place, headers, bytes.clone()).await?;
    let body = answered(http, response).await?;
    let Uploaded { mut file } = serde_json::from_slice(&body).map_err(|_| unreadable())?;
    for _ in 0..LOOKS {
        match file.state.as_deref() {
            Some("ACTIVE") | None => return Ok(UploadedFile { name: file.uri, kept_for: KEPT }),
            Some("FAILED") => {
                let message = "the provider could not process the file";
                return Err(ProviderError::new(ErrorClass::InvalidRequest, message));
            }
            Some(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let response = http.send(Method::GET, base.operation(&file.name), keyed(key)?, Vec::new()).await?;
        file = serde_json::from_slice(&answered(http, response).await?).map_err(|_| unreadable())?;
    }
    Err(ProviderError::new(ErrorClass::Timeout, "the provider took too long to process the file"))
}

/// Announces the file; answers where to send it. That address is secret enough by itself: the key does not go there.
async fn begin(
    http: &Http,
    url: Url,
    key: Option<&ApiKey>,
    file: &Attachment,
    length: usize,
) -> Result<Url, ProviderError> {
    let mut headers = command("start")?;
    headers.extend(keyed(key)?);
    headers.insert("x-goog-upload-protocol", HeaderValue::from_static("resumable"));
    headers.insert("x-goog-upload-header-content-length", HeaderValue::from(length));
    headers.insert("x-goog-upload-header-content-type", header(&file.mime)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let body = json!({ "file": { "display_name": file.name() } });
    let response = http.send(Method::POST, url, headers, body.to_string()).await?;
    let place = response.headers().get("x-goog-upload-url").and_then(|value| value.to_str().ok());
    let place = place.and_then(|place| Url::parse(place).ok());
    answered(http, response).await?;
    place.ok_or_else(unreadable)
}

fn keyed(key: Option<&ApiKey>) -> Result<HeaderMap, ProviderError> {
    let key = key.map(ApiKey::bare).transpose();
    let key = key.map_err(|error| ProviderError::new(ErrorClass::Auth, &error.to_string()))?;
    Ok(key.into_iter().map(|key| (API_KEY, key)).collect())
}

fn command(command: &str) -> Result<HeaderMap, ProviderError> {
    Ok(HeaderMap::from_iter([(HeaderName::from_static("x-goog-upload-command"), header(command)?)]))
}

fn header(text: &str) -> Result<HeaderValue, ProviderError> {
    HeaderValue::from_str(text)
        .map_err(|_| ProviderError::new(ErrorClass::InvalidRequest, "the file's type is not one"))
}

fn unreadable() -> ProviderError {
    protocol("the provider took a file in an unknown way")
}
