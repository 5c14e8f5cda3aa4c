//! The settings, out of the environment. Read once at the start; nothing else in the program looks there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::anyhow;
use secrecy::SecretString;
use slipstream_domain::ProviderId;

/// Provider, the variable with its key, the variable with its base URL (`07-identity-and-keys`, `05-providers`).
const PROVIDERS: [(&str, &str, &str); 6] = [
    ("openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"),
    ("gemini", "GOOGLE_API_KEY", "GEMINI_BASE_URL"),
    ("grok", "X_AI_KEY", "XAI_BASE_URL"),
    ("anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL"),
    ("meta", "LLAMA_API_KEY", "LLAMA_BASE_URL"),
    ("vercel", "V0_API_KEY", "V0_BASE_URL"),
];

/// Every setting.
#[derive(Debug)]
pub(crate) struct Config {
    /// The PostgreSQL to use instead of a private one.
    pub(crate) database_url: Option<SecretString>,
    /// What e-mail addresses are hashed with; `dev` makes one in its data folder when it is not set.
    pub(crate) email_pepper: Option<SecretString>,
    /// The operator's provider keys.
    pub(crate) keys: BTreeMap<ProviderId, SecretString>,
    /// Where providers are spoken to, when not at the vendor's own address.
    pub(crate) base_urls: BTreeMap<ProviderId, String>,
    /// Where PostgreSQL's programs are looked for.
    pub(crate) path: Option<OsString>,
    /// The folder that data goes to unless one is named; `None` when nothing says where that is.
    pub(crate) data_dir: Option<PathBuf>,
}

impl Config {
    /// Takes the settings from `variable`, which answers the value of an environment variable. An empty value is none.
    ///
    /// # Errors
    /// A value that is not UTF-8; the error names its variable.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<OsString>) -> anyhow::Result<Self> {
        let text = |name: &str| match variable(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value).filter(|value| !value.is_empty())),
            Some(Err(_)) => Err(anyhow!("{name} is not UTF-8")),
        };
        let (mut keys, mut base_urls) = (BTreeMap::new(), BTreeMap::new());
        for (provider, key, base_url) in PROVIDERS {
            let provider = ProviderId::parse(provider)?;
            if let Some(key) = text(key)? {
                keys.insert(provider.clone(), SecretString::from(key));
            }
            if let Some(base_url) = text(base_url)? {
                base_urls.insert(provider, base_url);
            }
        }
        let root = nix::unistd::Uid::effective().is_root();
        let (xdg, home) = (variable("XDG_DATA_HOME"), variable("HOME"));
        Ok(Self {
            database_url: text("DATABASE_URL")?.map(SecretString::from),
            email_pepper: text("EMAIL_PEPPER")?.map(SecretString::from),
            keys,
            base_urls,
            path: variable("PATH"),
            data_dir: slipstream_postgres::default_data_dir(root, xdg.as_deref(), home.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn read(set: &[(&str, &str)]) -> Config {
        let find =
            |name: &str| set.iter().find(|(set, _)| *set == name).map(|(_, value)| OsString::from(value));
        Config::read(find).unwrap()
    }

    #[test]
    fn each_provider_has_its_own_variables() {
        let config = read(&[("X_AI_KEY", "xai-1"), ("OPENAI_BASE_URL", "http://127.0.0.1:1")]);
        let grok = ProviderId::parse("grok").unwrap();
        assert_eq!(config.keys[&grok].expose_secret(), "xai-1");
        assert_eq!(config.base_urls[&ProviderId::parse("openai").unwrap()], "http://127.0.0.1:1");
    }

    #[test]
    fn an_empty_variable_is_as_good_as_none() {
        assert!(read(&[("DATABASE_URL", "")]).database_url.is_none());
    }

    #[test]
    fn a_secret_is_not_printed() {
        let config = read(&[("OPENAI_API_KEY", "sk-planted"), ("DATABASE_URL", "postgres://u:planted@h/d")]);
        assert!(!format!("{config:?}").contains("planted"));
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_no_text_is_refused_by_name() {
        use std::os::unix::ffi::OsStringExt;
        let error = Config::read(|name| (name == "EMAIL_PEPPER").then(|| OsString::from_vec(vec![0xFF])))
            .unwrap_err();
        assert_eq!(error.to_string(), "EMAIL_PEPPER is not UTF-8");
    }
}
