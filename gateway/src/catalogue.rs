//! What the gateway needs of the model catalogue: whether a name exists.

use slipstream_domain::{ModelId, ProviderId};

/// The providers and models that can be asked.
pub trait Catalogue: Send + Sync {
    /// The provider and model a request means; the provider's default model when it names none.
    ///
    /// # Errors
    /// A name nobody has.
    fn resolve(&self, provider: &str, model: Option<&str>) -> Result<(ProviderId, ModelId), UnknownName>;
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
