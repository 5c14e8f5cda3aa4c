//! The model catalogue: what this version ships, with the operator's own on top, and the keys of the providers in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use secrecy::SecretString;
use slipstream_domain::ProviderId;
use slipstream_providers::Catalogue;

use super::{Config, ConfigError};

/// The environment, and what a secret store fills in, for keys whose variables only the catalogue names. Not shown.
pub(super) struct Variables(pub(super) Vec<(OsString, OsString)>, pub(super) BTreeMap<String, SecretString>);

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Variables(…)")
    }
}

impl Config {
    /// The catalogue that holds.
    ///
    /// # Errors
    /// The operator's file cannot be read, or contradicts itself; the error names the place.
    pub(crate) fn catalogue(&self) -> Result<Catalogue, ConfigError> {
        let shipped = Catalogue::shipped().map_err(|error| ConfigError::Other(error.to_string()))?;
        let Some(path) = &self.catalogue_file else { return Ok(shipped) };
        let unreadable = |source| ConfigError::Unreadable { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        shipped.extended(&text).map_err(|error| ConfigError::Catalogue { path: path.clone(), error })
    }

    /// The operator's provider keys: those that are set, and those in the variables that the catalogue names.
    ///
    /// # Errors
    /// A variable that is not UTF-8.
    pub(crate) fn keys(
        &self,
        catalogue: &Catalogue,
    ) -> Result<BTreeMap<ProviderId, SecretString>, ConfigError> {
        let mut keys = self.keys.clone();
        for vendor in catalogue.vendors().iter().filter(|vendor| !self.keys.contains_key(&vendor.id)) {
            let Some(name) = &vendor.key_setting else { continue };
            let found = self.variables.0.iter().find(|(known, value)| known == &**name && !value.is_empty());
            let key = match found {
                Some((_, value)) => value.to_str().ok_or_else(|| ConfigError::NotUtf8(name.clone()))?.into(),
                None => match self.variables.1.get(&**name) {
                    Some(filled_in) => filled_in.clone(),
                    None => continue,
                },
            };
            keys.insert(vendor.id.clone(), key);
        }
        Ok(keys)
    }
}
