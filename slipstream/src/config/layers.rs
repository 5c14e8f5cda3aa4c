//! Where settings come from: the file and the environment, each as a layer over the defaults. Refuses names that mean
//! nothing.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use secrecy::ExposeSecret;

use super::Secret;
use super::error::{ConfigError, did_you_mean};
use super::keys::{KEYS, Key, Kind, OWN_PREFIX, key};

/// Variables with our prefix that are no settings: those of the test suite.
const NOT_OURS: &str = "SLIPSTREAM_TEST_";

/// Some settings, and where they stand.
pub(super) struct Layer {
    place: String,
    settings: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.place.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.settings.clone()))
    }
}

/// The layer of a TOML file.
///
/// # Errors
/// It cannot be read, is no TOML, or has a name in it that means nothing.
pub(super) fn file(path: &Path) -> Result<Layer, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let text = std::fs::read_to_string(path).map_err(unreadable)?;
    let settings: Dict = Toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        ConfigError::NotToml {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            message: error.message().to_owned(),
        }
    })?;
    let layer = Layer { place: path.display().to_string(), settings };
    layer.check(&layer.settings, "")?;
    Ok(layer)
}

/// A layer for each variable that is set; later ones go over earlier ones. An empty value is none.
///
/// # Errors
/// A value that is not UTF-8; a name with our prefix that means nothing.
pub(super) fn environment(variables: &[(OsString, OsString)]) -> Result<Vec<Layer>, ConfigError> {
    for (name, _) in variables {
        let name = name.to_string_lossy();
        if name.starts_with(OWN_PREFIX) && !name.starts_with(NOT_OURS) {
            known_variable(&name)?;
        }
    }
    let find = |wanted: &str| variables.iter().find(|(name, _)| name == wanted);
    let mut layers = Vec::new();
    for key in &KEYS {
        // Ours is the more particular one.
        for name in key.variable.map(str::to_owned).into_iter().chain([key.own_variable()]) {
            if let Some((_, value)) = find(&name).filter(|(_, value)| !value.is_empty()) {
                layers.push(variable(key, name, value)?);
            }
        }
    }
    Ok(layers)
}

/// A layer for each setting that a secret store has, by the same names as variables. What it has beside that is for others.
/// A value is read as that of a variable is; the ends of lines of a PEM text may be written as `\n`.
pub(super) fn secret(secret: &Secret) -> Vec<Layer> {
    let mut layers = Vec::new();
    for key in &KEYS {
        for name in key.variable.map(str::to_owned).into_iter().chain([key.own_variable()]) {
            if let Some(text) =
                secret.fields.get(&name).map(ExposeSecret::expose_secret).filter(|text| !text.is_empty())
            {
                let text =
                    if text.contains("-----BEGIN ") { text.replace("\\n", "\n") } else { text.to_owned() };
                let place = format!("{name} in {}", secret.place);
                layers.push(Layer { place, settings: nested(key.path, value(key, &text)) });
            }
        }
    }
    layers
}

fn known_variable(name: &str) -> Result<(), ConfigError> {
    let own: Vec<String> = KEYS.iter().map(Key::own_variable).collect();
    if own.iter().any(|known| known == name) {
        return Ok(());
    }
    let nearest = did_you_mean(name, own.iter().map(String::as_str));
    Err(ConfigError::Unknown { place: "environment".to_owned(), name: name.to_owned(), nearest })
}

fn variable(key: &Key, name: String, text: &OsStr) -> Result<Layer, ConfigError> {
    let text = text.to_str().ok_or_else(|| ConfigError::NotUtf8(name.clone()))?;
    Ok(Layer { place: name, settings: nested(key.path, value(key, text)) })
}

fn value(key: &Key, text: &str) -> Value {
    match key.kind {
        Kind::Text | Kind::Secret | Kind::Address | Kind::LogFormat => Value::from(text),
        // What is neither stays text, and is refused as such.
        Kind::Count | Kind::Number | Kind::Port => {
            text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from)
        }
        Kind::Flag => text.parse::<bool>().map_or_else(|_| Value::from(text), Value::from),
        Kind::Texts | Kind::Addresses => Value::from(text.split(',').map(str::trim).collect::<Vec<_>>()),
    }
}

/// `a.b.c = value` as dictionaries.
fn nested(path: &str, value: Value) -> Dict {
    match path.split_once('.') {
        Some((section, rest)) => Dict::from([(section.to_owned(), Value::from(nested(rest, value)))]),
        None => Dict::from([(path.to_owned(), value)]),
    }
}

impl Layer {
    /// Every name must be a setting's, or a section's that is one.
    fn check(&self, settings: &Dict, within: &str) -> Result<(), ConfigError> {
        for (name, value) in settings {
            let path = format!("{within}{name}");
            let section = format!("{path}.");
            if key(&path).is_some() {
                continue;
            }
            if !KEYS.iter().any(|key| key.path.starts_with(&section)) {
                let nearest = did_you_mean(&path, names());
                return Err(ConfigError::Unknown { place: self.place.clone(), name: path, nearest });
            }
            match value.as_dict() {
                Some(settings) => self.check(settings, &section)?,
                None => return Err(ConfigError::Section { place: self.place.clone(), name: path }),
            }
        }
        Ok(())
    }
}

/// The names of all settings and of the sections they stand in.
fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().flat_map(|key| {
        let sections = key.path.match_indices('.').map(|(dot, _)| &key.path[..dot]);
        sections.chain([key.path])
    })
}
