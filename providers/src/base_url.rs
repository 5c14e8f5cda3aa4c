//! Where a vendor's API is. Vendors' own SDKs differ on whether a base URL holds the version, so both forms are taken.

use reqwest::Url;

/// A vendor's base URL: http or https, without its version path, without user, query or fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseUrl(Url);

/// Text that cannot be a base URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a base URL must be http:// or https:// with a host, without user name, password, query or fragment, for example https://api.openai.com/v1"
)]
pub struct BaseUrlError;

impl BaseUrl {
    /// `version` is the vendor's version path (`v1`), which `text` may end with.
    ///
    /// # Errors
    /// Not a plain http or https URL.
    pub(crate) fn parse(text: &str, version: &str) -> Result<Self, BaseUrlError> {
        let mut url = Url::parse(text.trim()).map_err(|_| BaseUrlError)?;
        let plain = matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            return Err(BaseUrlError);
        }
        let path = url.path().trim_end_matches('/');
        let path = path.strip_suffix(version).filter(|rest| rest.ends_with('/')).unwrap_or(path);
        let path = format!("{}/{version}/", path.trim_end_matches('/'));
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of an operation that has `folder` before the version path, as Google's uploads have.
    pub(crate) fn beside(&self, folder: &str, name: &str) -> Url {
        let mut url = self.0.clone();
        let path = self.0.path().trim_end_matches('/');
        let (before, version) = path.rsplit_once('/').unwrap_or(("", path));
        url.set_path(&format!("{before}/{folder}/{version}/{name}"));
        url
    }

    /// The URL of one operation, `responses` for example.
    pub(crate) fn operation(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{name}", self.0.path()));
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_with_or_without_its_version_is_the_same() {
        let operation = |text| BaseUrl::parse(text, "v1").unwrap().operation("responses").to_string();
        for text in ["http://h:1", "http://h:1/", "http://h:1/v1", " http://h:1/v1/ "] {
            assert_eq!(operation(text), "http://h:1/v1/responses");
        }
        for text in ["https://h/openai", "https://h/openai/v1"] {
            assert_eq!(operation(text), "https://h/openai/v1/responses");
        }
        assert_eq!(operation("https://h/apiv1"), "https://h/apiv1/v1/responses");
    }

    #[test]
    fn a_folder_may_stand_before_the_version() {
        let beside = |text| BaseUrl::parse(text, "v1beta").unwrap().beside("upload", "files").to_string();
        assert_eq!(beside("http://h:1"), "http://h:1/upload/v1beta/files");
        assert_eq!(beside("https://h/gemini/v1beta"), "https://h/gemini/upload/v1beta/files");
    }

    #[test]
    fn a_base_that_could_hold_a_secret_or_is_no_web_address_is_refused() {
        for text in [
            "",
            "api.openai.com",
            "ftp://h/",
            "https://key@h/",
            "https://u:p@h/",
            "https://h/?key=1",
            "file:///x",
        ] {
            assert_eq!(BaseUrl::parse(text, "v1"), Err(BaseUrlError), "{text}");
        }
    }
}
