//! What an answer's head says of the file behind it.

use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap};
use slipstream_commands::ports::SourceUrl;
use slipstream_domain::MediaType;

/// The media type, without parameters; `None` when the server does not know (`application/octet-stream`).
pub(crate) fn mime(headers: &HeaderMap) -> Option<MediaType> {
    let said = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let said = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    MediaType::parse(&said).ok().filter(|mime| *mime != MediaType::octet_stream())
}

/// The name to save it under, else the last part of the URL's path.
pub(crate) fn filename(headers: &HeaderMap, url: &SourceUrl) -> Option<String> {
    let disposition = headers.get(CONTENT_DISPOSITION).and_then(|value| value.to_str().ok());
    disposition.and_then(named).or_else(|| {
        let last = url.url().path_segments()?.next_back()?;
        Some(decoded(last)).filter(|name| !name.is_empty())
    })
}

/// The parameter `filename*` in UTF-8, else `filename` (RFC 6266, 4.3).
fn named(disposition: &str) -> Option<String> {
    let parameters =
        || disposition.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let value = |wanted: &str| {
        let found = parameters().find(|(name, _)| name.trim().eq_ignore_ascii_case(wanted));
        found.map(|(_, value)| value.trim())
    };
    let extended = value("filename*").and_then(|value| {
        let (charset, rest) = value.split_once('\'')?;
        let (_, text) = rest.split_once('\'')?;
        charset.eq_ignore_ascii_case("utf-8").then(|| decoded(text))
    });
    extended
        .or_else(|| value("filename").map(|name| name.trim_matches('"').to_owned()))
        .filter(|name| !name.is_empty())
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    fn headers(name: reqwest::header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn a_type_is_taken_without_its_parameters_and_unknown_is_no_type() {
        let said = |value: &str| mime(&headers(CONTENT_TYPE, value)).map(|mime| mime.to_string());
        assert_eq!(said("Text/HTML; charset=utf-8").as_deref(), Some("text/html"));
        assert_eq!(said("image/png").as_deref(), Some("image/png"));
        for unknown in ["application/octet-stream", "", "nonsense", "a/b/c"] {
            assert_eq!(said(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_name_is_what_the_server_says_else_the_end_of_the_path() {
        let url = SourceUrl::parse("https://example.com/a/Gr%C3%BC%C3%9Fe.png?x=y.pdf").unwrap();
        let name = |value: &str| filename(&headers(CONTENT_DISPOSITION, value), &url);
        assert_eq!(name("attachment; filename=\"photo 1.png\"").as_deref(), Some("photo 1.png"));
        assert_eq!(name("inline; filename=a.png; filename*=UTF-8''%C3%BC.png").as_deref(), Some("ü.png"));
        for nameless in ["attachment", "attachment; filename=\"\"", "attachment; filename*=x"] {
            assert_eq!(name(nameless).as_deref(), Some("Grüße.png"), "{nameless}");
        }
        let bare = SourceUrl::parse("https://example.com").unwrap();
        assert_eq!(filename(&HeaderMap::new(), &bare), None);
    }
}
