//! `models.json`: its form, and the checks that turn it into a catalogue.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use slipstream_domain::{ModelId, ProviderId};

use super::{Capability, CatalogueError, Model, Price, Vendor};

/// The version and the providers of a catalogue.
pub(super) fn read(json: &str) -> Result<(String, Vec<Vendor>), CatalogueError> {
    let fault = |place: &str, fault: String| CatalogueError { place: place.to_owned(), fault };
    let file: CatalogueFile = serde_json::from_str(json).map_err(|e| fault("JSON", e.to_string()))?;
    if file.version.is_empty() || file.providers.is_empty() {
        return Err(fault("file", "needs a version and at least one provider".to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut vendors = Vec::with_capacity(file.providers.len());
    for entry in file.providers {
        let id = entry.id.clone();
        if !seen.insert(id.clone()) {
            return Err(fault(&id, "provider twice".to_owned()));
        }
        vendors.push(entry.check().map_err(|(model, f)| fault(&format!("{id}/{model}"), f))?);
    }
    Ok((file.version, vendors))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    version: String,
    providers: Vec<VendorEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VendorEntry {
    id: String,
    name: String,
    default: String,
    key_setting: Option<String>,
    models: Vec<ModelEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelEntry {
    id: String,
    name: String,
    can: BTreeSet<Capability>,
    context: Option<u64>,
    max_output: Option<u64>,
    price: Option<Price>,
}

/// The model (or `-`) and what is wrong with it.
type Fault = (String, String);

impl VendorEntry {
    fn check(self) -> Result<Vendor, Fault> {
        let id = ProviderId::parse(&self.id).map_err(|e| ("-".to_owned(), e.to_string()))?;
        let mut seen = BTreeSet::new();
        let mut models = Vec::with_capacity(self.models.len());
        for entry in self.models {
            let name = entry.id.clone();
            if !seen.insert(name.clone()) {
                return Err((name, "model twice".to_owned()));
            }
            models.push(Arc::new(entry.check(&id).map_err(|fault| (name, fault))?));
        }
        let default =
            models.iter().find(|model| model.id.as_str() == self.default && model.can(Capability::Chat));
        let Some(default) = default.cloned() else {
            return Err((self.default, "is the default, but not a chat model of this provider".to_owned()));
        };
        Ok(Vendor { id, name: self.name, key_setting: self.key_setting, default, models })
    }
}

impl ModelEntry {
    fn check(self, provider: &ProviderId) -> Result<Model, String> {
        let id = ModelId::parse(&self.id).map_err(|e| e.to_string())?;
        if self.context == Some(0) || self.max_output == Some(0) {
            return Err("context and max_output must be above 0".to_owned());
        }
        if let (Some(context), Some(max_output)) = (self.context, self.max_output)
            && max_output > context
        {
            return Err(format!("max_output {max_output} is above context {context}"));
        }
        Ok(Model {
            provider: provider.clone(),
            id,
            name: self.name,
            can: self.can,
            context: self.context,
            max_output: self.max_output,
            price: self.price,
        })
    }
}
