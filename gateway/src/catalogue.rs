//! What the gateway needs of the model catalogue: whether a name exists, and what there is to choose from.

use serde::Serialize;
use slipstream_domain::{ModelId, ProviderId};
use utoipa::ToSchema;

/// The providers and models that can be asked.
pub trait Catalogue: Send + Sync {
    /// The provider and model a request means; the provider's default model when it names none.
    ///
    /// # Errors
    /// A name nobody has.
    fn resolve(&self, provider: &str, model: Option<&str>) -> Result<(ProviderId, ModelId), UnknownName>;

    /// The model of this name that makes pictures, and who runs it: requests for pictures name no provider.
    ///
    /// # Errors
    /// Nobody has such a model, or it makes no pictures.
    fn resolve_picture_model(&self, model: &str) -> Result<(ProviderId, ModelId), UnknownName>;

    /// All of them, in the order in which they are offered. A provider is `usable` when it needs no key.
    fn models(&self) -> Models;
}

/// A provider or model that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct UnknownName {
    /// The field it stood in: `provider` or `model`.
    pub field: &'static str,
    /// Begins with the field's name and says which names are right, the nearest first.
    pub message: String,
}

/// What there is to choose from, as clients get it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Models {
    /// Which catalogue this is; recorded with every cost.
    pub catalogue_version: String,
    /// What to offer first: this provider, and its default model.
    #[schema(value_type = String)]
    pub default_provider: ProviderId,
    /// The providers.
    pub providers: Vec<ProviderModels>,
}

/// A provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderModels {
    /// Its id in requests.
    #[schema(value_type = String)]
    pub id: ProviderId,
    /// Its name for people.
    pub name: String,
    /// Whether it answers itself: it needs no key, or there is one. The simulated provider answers in place of any other.
    pub usable: bool,
    /// The model taken when a request names none.
    #[schema(value_type = String)]
    pub default_model: ModelId,
    /// Its models.
    pub models: Vec<ModelInfo>,
}

/// A model. What is absent is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelInfo {
    /// Its id in requests.
    #[schema(value_type = String)]
    pub id: ModelId,
    /// Its name for people.
    pub name: String,
    /// What it can do: `chat`, `thinking`, `search`, `image_in`, `pdf_in`, `image_out`.
    pub capabilities: Vec<&'static str>,
    /// The tokens of input and output together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub context: Option<u64>,
    /// The most tokens of an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_output: Option<u64>,
    /// What it costs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub price: Option<ModelPrice>,
}

/// Prices in millionths of a US dollar per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelPrice {
    /// Of input.
    pub input: u64,
    /// Of input out of the vendor's cache; absent when it is no cheaper.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cached_input: Option<u64>,
    /// Of output, reasoning included.
    pub output: u64,
    /// What all of a request costs instead when it has more input than so many tokens; absent when it makes no difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub long: Option<LongPrice>,
}

/// Prices of a request with much input, in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "the names are those of the price above")]
pub struct LongPrice {
    /// They hold for more input tokens than this.
    pub over: u64,
    pub input: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub cached_input: Option<u64>,
    pub output: u64,
}
