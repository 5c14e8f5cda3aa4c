//! The model catalogue as the gateway asks it: do these names exist?

use std::sync::Arc;

use slipstream_domain::values::TextError;
use slipstream_domain::{ModelId, ProviderId};
use slipstream_gateway::UnknownName;
use slipstream_providers::{Catalogue, UnknownModel};

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

    fn resolve(provider: &str, model: Option<&str>) -> Result<String, UnknownName> {
        let names = Names(Arc::new(Catalogue::shipped().unwrap()));
        names.resolve(provider, model).map(|(provider, model)| format!("{provider}/{model}"))
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
}
