//! The model catalogue as the gateway asks it: do these names exist, and what is there to choose from?

use std::sync::Arc;

use slipstream_domain::values::TextError;
use slipstream_domain::{ModelId, ProviderId};
use slipstream_gateway::{LongPrice, ModelInfo, ModelPrice, Models, ProviderModels, UnknownName};
use slipstream_providers::{Capability, Catalogue, Model, Price, UnknownModel, Vendor};

/// The catalogue, for the gateway.
pub(crate) struct Names(pub(crate) Arc<Catalogue>);

impl slipstream_gateway::Catalogue for Names {
    fn resolve(&self, provider: &str, model: Option<&str>) -> Result<(ProviderId, ModelId), UnknownName> {
        let provider = ProviderId::parse(provider).map_err(|error| malformed("provider", &error))?;
        let model = model.map(ModelId::parse).transpose().map_err(|error| malformed("model", &error))?;
        match self.0.chat_model(&provider, model.as_ref()) {
            Ok(found) => Ok((provider, found.id.clone())),
            Err(error) => Err(UnknownName { field: field(&error), message: error.to_string() }),
        }
    }

    fn resolve_picture_model(&self, model: &str) -> Result<(ProviderId, ModelId), UnknownName> {
        let id = ModelId::parse(model).map_err(|error| malformed("model", &error))?;
        let all = || self.0.vendors().iter().flat_map(|vendor| &vendor.models);
        let painters = || all().filter(|model| model.can(Capability::ImageOut));
        if let Some(found) = painters().find(|model| model.id == id) {
            return Ok((found.provider.clone(), found.id.clone()));
        }
        let what = if all().any(|model| model.id == id) { "makes no pictures" } else { "is not known" };
        let right: Vec<_> = painters().map(|model| model.id.as_str()).collect();
        let message = format!("model {id} {what}; these make pictures: {}", right.join(", "));
        Err(UnknownName { field: "model", message })
    }

    fn models(&self) -> Models {
        offered(&self.0, |_| false)
    }
}

/// All that there is to choose from, when these providers have a key.
pub(crate) fn offered(catalogue: &Catalogue, has_key: impl Fn(&ProviderId) -> bool) -> Models {
    let vendors = catalogue.vendors();
    let provider = |vendor: &Vendor| ProviderModels {
        id: vendor.id.clone(),
        name: vendor.name.clone(),
        usable: vendor.key_setting.is_none() || has_key(&vendor.id),
        default_model: vendor.default.id.clone(),
        models: vendor.models.iter().map(|model| info(model)).collect(),
    };
    Models {
        catalogue_version: catalogue.version().to_owned(),
        default_provider: vendors.first().map_or_else(ProviderId::simulated, |vendor| vendor.id.clone()),
        providers: vendors.iter().map(provider).collect(),
    }
}

fn info(model: &Model) -> ModelInfo {
    ModelInfo {
        id: model.id.clone(),
        name: model.name.clone(),
        capabilities: model.can.iter().copied().map(word).collect(),
        context: model.context,
        max_output: model.max_output,
        price: model.price.map(price),
    }
}

const fn word(capability: Capability) -> &'static str {
    match capability {
        Capability::Chat => "chat",
        Capability::Thinking => "thinking",
        Capability::Search => "search",
        Capability::ImageIn => "image_in",
        Capability::PdfIn => "pdf_in",
        Capability::ImageOut => "image_out",
    }
}

fn price(price: Price) -> ModelPrice {
    let Price { input, cached, output, long } = price;
    let long = long.map(|long| LongPrice {
        over: long.over,
        input: long.input,
        cached_input: long.cached,
        output: long.output,
    });
    ModelPrice { input, cached_input: cached, output, long }
}

fn malformed(field: &'static str, error: &TextError) -> UnknownName {
    UnknownName { field, message: error.to_string() }
}

fn field(error: &UnknownModel) -> &'static str {
    match error {
        UnknownModel::Provider { .. } => "provider",
        UnknownModel::Model { .. } | UnknownModel::NotForChat { .. } => "model",
    }
}

#[cfg(test)]
mod tests {
    use slipstream_gateway::Catalogue as _;

    use super::*;

    fn names() -> Names {
        Names(Arc::new(Catalogue::shipped().unwrap()))
    }

    fn resolve(provider: &str, model: Option<&str>) -> Result<String, UnknownName> {
        names().resolve(provider, model).map(|(provider, model)| format!("{provider}/{model}"))
    }

    #[test]
    fn a_provider_without_a_model_means_its_default() {
        assert_eq!(resolve("openai", None).unwrap(), "openai/gpt-5-nano");
        assert_eq!(
            resolve("anthropic", Some("claude-opus-4-20250514")).unwrap(),
            "anthropic/claude-opus-4-20250514"
        );
    }

    #[test]
    fn a_name_nobody_has_is_refused_with_the_nearest_that_somebody_has() {
        let provider = resolve("opnai", None).unwrap_err();
        assert_eq!(provider.field, "provider");
        assert!(provider.message.contains("did you mean openai"), "{provider}");
        let model = resolve("openai", Some("gpt-5-nanoo")).unwrap_err();
        assert_eq!(model.field, "model");
        assert!(model.message.contains("did you mean gpt-5-nano"), "{model}");
        assert_eq!(resolve("Open AI", None).unwrap_err().field, "provider");
    }

    #[test]
    fn a_picture_is_asked_of_who_runs_the_model_and_a_model_that_makes_none_is_refused() {
        let paints = |model: &str| names().resolve_picture_model(model);
        assert_eq!(paints("grok-2-image-1212").unwrap().0.as_str(), "grok");
        let refused = paints("gpt-5-nano").unwrap_err().message;
        assert!(
            refused.starts_with("model gpt-5-nano makes no pictures; these make pictures: gpt-image-1,"),
            "{refused}"
        );
        assert!(
            paints("gpt-image-9").unwrap_err().message.starts_with("model gpt-image-9 is not known; these")
        );
    }

    #[test]
    fn providers_that_need_no_key_or_have_one_are_usable() {
        let models = offered(&Catalogue::shipped().unwrap(), |id| id.as_str() == "grok");
        let usable: Vec<_> = models.providers.iter().filter(|provider| provider.usable).collect();
        assert_eq!(
            usable.iter().map(|provider| provider.id.as_str()).collect::<Vec<_>>(),
            ["grok", "simulated"]
        );
        let nano = &models.providers[0].models[2];
        assert_eq!(
            (nano.id.as_str(), nano.context, nano.price.unwrap().input),
            ("gpt-5-nano", Some(400_000), 50_000)
        );
    }
}
