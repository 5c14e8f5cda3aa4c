//! `models.json` and the operator's catalogue: their form, and the checks that turn them into a catalogue.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use slipstream_domain::{ModelId, ProviderId};

use super::{Capability, CatalogueError, Model, Price, ThinkingControl, Vendor};
use crate::base_url::BaseUrl;

/// The version and the providers of a catalogue on top of `vendors`.
pub(super) fn read(json: &str, mut vendors: Vec<Vendor>) -> Result<(String, Vec<Vendor>), CatalogueError> {
    let fault = |place: &str, fault: String| CatalogueError { place: place.to_owned(), fault };
    let file: CatalogueFile = serde_json::from_str(json).map_err(|e| fault("JSON", e.to_string()))?;
    if file.version.is_empty() || file.providers.is_empty() {
        return Err(fault("file", "needs a version and at least one provider".to_owned()));
    }
    // Only the shipped catalogue stands on nothing; its providers are spoken to by name.
    let shipped = vendors.is_empty();
    let mut seen = BTreeSet::new();
    for entry in file.providers {
        let id = entry.id.clone();
        if !seen.insert(id.clone()) {
            return Err(fault(&id, "provider twice".to_owned()));
        }
        let place = vendors.iter().position(|vendor| vendor.id.as_str() == id);
        let vendor = entry.on(place.map(|n| &vendors[n]), shipped);
        let vendor = vendor.map_err(|(model, f)| fault(&format!("{id}/{model}"), f))?;
        match place {
            Some(n) => vendors[n] = vendor,
            None => vendors.push(vendor),
        }
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
    name: Option<String>,
    default: Option<String>,
    titles: Option<String>,
    key_setting: Option<String>,
    base_url: Option<String>,
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
    thinking: Option<ThinkingControl>,
    #[serde(default = "yes")]
    sampling: bool,
}

const fn yes() -> bool {
    true
}

/// The model (or `-`) and what is wrong with it.
type Fault = (String, String);

impl VendorEntry {
    fn on(self, known: Option<&Vendor>, shipped: bool) -> Result<Vendor, Fault> {
        let general = |fault: String| ("-".to_owned(), fault);
        let id = ProviderId::parse(&self.id).map_err(|e| general(e.to_string()))?;
        let by_name = known.is_some_and(|vendor| vendor.base_url.is_none());
        match &self.base_url {
            Some(_) if by_name => {
                return Err(general(
                    "has an address of its own, which a setting changes, not base_url".to_owned(),
                ));
            }
            Some(url) => drop(BaseUrl::parse(url, "v1").map_err(|e| general(e.to_string()))?),
            None if known.is_none() && !shipped => {
                return Err(general("is not known by name, so it needs a base_url".to_owned()));
            }
            None => {}
        }
        let models = merged(&id, known.map_or_else(Vec::new, |vendor| vendor.models.clone()), self.models)?;
        let default = match (self.default, known, models.first()) {
            (Some(default), _, _) => default,
            (None, Some(vendor), _) => vendor.default.id.to_string(),
            (None, None, Some(first)) => first.id.to_string(),
            (None, None, None) => return Err(general("has no models".to_owned())),
        };
        let titles = self.titles.or_else(|| known.map(|vendor| vendor.titles.id.to_string()));
        let titles = titles.unwrap_or_else(|| default.clone());
        let default = chat_model(&models, default, "is the default")?;
        let titles = chat_model(&models, titles, "is to find titles")?;
        let name = self.name.or_else(|| known.map(|vendor| vendor.name.clone())).unwrap_or(self.id);
        let key_setting = self.key_setting.or_else(|| known.and_then(|vendor| vendor.key_setting.clone()));
        let base_url = self.base_url.or_else(|| known.and_then(|vendor| vendor.base_url.clone()));
        Ok(Vendor { id, name, key_setting, base_url, default, titles, models })
    }
}

fn chat_model(models: &[Arc<Model>], id: String, role: &str) -> Result<Arc<Model>, Fault> {
    let found = models.iter().find(|model| model.id.as_str() == id && model.can(Capability::Chat));
    found.cloned().ok_or_else(|| (id, format!("{role}, but not a chat model of this provider")))
}

/// `models` with `entries` in the places of those of the same id, or at the end.
fn merged(
    provider: &ProviderId,
    mut models: Vec<Arc<Model>>,
    entries: Vec<ModelEntry>,
) -> Result<Vec<Arc<Model>>, Fault> {
    let mut seen = BTreeSet::new();
    for entry in entries {
        let name = entry.id.clone();
        if !seen.insert(name.clone()) {
            return Err((name, "model twice".to_owned()));
        }
        let model = Arc::new(entry.check(provider).map_err(|fault| (name, fault))?);
        match models.iter_mut().find(|known| known.id == model.id) {
            Some(known) => *known = model,
            None => models.push(model),
        }
    }
    Ok(models)
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
        if self.thinking.is_some() && !self.can.contains(&Capability::Thinking) {
            return Err("says how it thinks, but cannot".to_owned());
        }
        if let Some(ThinkingControl::Budget { min, max, .. }) = self.thinking
            && (min > max || self.max_output.is_some_and(|max_output| min >= max_output))
        {
            return Err(format!("thinking needs min ≤ max and min < max_output, not {min} to {max}"));
        }
        Ok(Model {
            provider: provider.clone(),
            id,
            name: self.name,
            can: self.can,
            context: self.context,
            max_output: self.max_output,
            price: self.price,
            thinking: self.thinking,
            sampling: self.sampling,
        })
    }
}
