//! Where a client is, as the cookies tell that an edge network sets. Invents nothing: what is absent, or is no such thing,
//! stays absent.

use axum::http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use slipstream_domain::RequestMetadata;

/// Of one value, in bytes. The longest name of a place is shorter.
const MOST_BYTES: usize = 200;

/// What the cookies `city`, `country`, `region`, `postalCode`, `latlng` and `tz` say; `None` when there are none.
pub(crate) fn whereabouts(headers: &HeaderMap) -> Option<RequestMetadata> {
    let mut found = RequestMetadata::default();
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    for (name, value) in
        lines.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='))
    {
        let field = match name {
            "city" => &mut found.city,
            "country" => &mut found.country,
            "region" => &mut found.region,
            "postalCode" => &mut found.postal_code,
            "tz" => &mut found.tz,
            "latlng" => {
                if let Some((lat, lng)) = text(value).as_deref().and_then(place) {
                    (found.lat, found.lng) = (Some(lat), Some(lng));
                }
                continue;
            }
            _ => continue,
        };
        *field = text(value);
    }
    (found != RequestMetadata::default()).then_some(found)
}

fn text(value: &str) -> Option<String> {
    let decoded = percent_decode_str(value.trim_matches('"')).decode_utf8().ok()?;
    let decoded = decoded.trim();
    let is_one = (1..=MOST_BYTES).contains(&decoded.len()) && !decoded.chars().any(char::is_control);
    is_one.then(|| decoded.to_owned())
}

/// Degrees, `47.37,8.54`.
fn place(text: &str) -> Option<(f64, f64)> {
    let (lat, lng) = text.split_once(',')?;
    let (lat, lng): (f64, f64) = (lat.trim().parse().ok()?, lng.trim().parse().ok()?);
    (lat.abs() <= 90.0 && lng.abs() <= 180.0).then_some((lat, lng))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn told(cookies: &[&'static str]) -> Option<RequestMetadata> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        whereabouts(&headers)
    }

    #[test]
    fn cookies_tell_where_a_client_is_in_whatever_letters() {
        let told = told(&[
            "a=b; city=Z%C3%BCrich; country=CH",
            "latlng=47.37%2C8.54; tz=Europe%2FZurich; postalCode=8001",
        ]);
        let told = told.unwrap();
        assert_eq!((told.city.as_deref(), told.country.as_deref()), (Some("Zürich"), Some("CH")));
        assert_eq!((told.lat, told.lng), (Some(47.37), Some(8.54)));
        assert_eq!((told.tz.as_deref(), told.postal_code.as_deref()), (Some("Europe/Zurich"), Some("8001")));
        assert_eq!((told.region, told.locale), (None, None), "what is absent is not made up");
    }

    #[test]
    fn what_is_no_place_is_not_told() {
        for cookie in [
            "",
            "city=",
            "city=%20",
            "city=%ff",
            "city=a%00b",
            "latlng=here",
            "latlng=91,0",
            "latlng=NaN,0",
            "cit=y",
        ] {
            assert_eq!(told(&[cookie]), None, "{cookie}");
        }
        let long: &'static str = Box::leak(format!("city={}", "x".repeat(201)).into_boxed_str());
        assert_eq!(told(&[long]), None);
    }
}
