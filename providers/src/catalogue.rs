//! The model catalogue: data, read and checked at start. Knows names, abilities, limits and prices; nothing
//! of how a vendor is spoken to.

mod file;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use slipstream_domain::{ModelId, ProviderId, TokenUsage};

/// Every provider and model, in the order in which they are offered.
#[derive(Debug, Clone)]
pub struct Catalogue {
    version: String,
    vendors: Vec<Vendor>,
}

/// A provider as the catalogue has it.
#[derive(Debug, Clone)]
pub struct Vendor {
    /// Its id on the wire.
    pub id: ProviderId,
    /// Its name for people.
    pub name: String,
    /// The setting that holds the operator's key, `OPENAI_API_KEY` for example. None: it needs no key.
    pub key_setting: Option<String>,
    /// Where an OpenAI-compatible endpoint of the operator's is; none for the providers this version knows by name.
    pub base_url: Option<String>,
    /// The model taken when a request names none.
    pub default: Arc<Model>,
    /// The model that finds titles: a cheap one that does not think long.
    pub titles: Arc<Model>,
    /// All its models.
    pub models: Vec<Arc<Model>>,
}

/// A model and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Who runs it.
    pub provider: ProviderId,
    /// The vendor's name of it.
    pub id: ModelId,
    /// Its name for people.
    pub name: String,
    /// What it can do.
    pub can: BTreeSet<Capability>,
    /// The tokens of input and output together. None: not known.
    pub context: Option<u64>,
    /// The most tokens of an answer, reasoning included. None: not known.
    pub max_output: Option<u64>,
    /// None: not known, and then a cost is not stated.
    pub price: Option<Price>,
    /// How its thinking is asked for. None: it does not think, or thinks by itself and takes no word about it.
    pub thinking: Option<ThinkingControl>,
    /// Whether it takes a temperature and a `top_p`.
    pub sampling: bool,
}

/// How a model's thinking is asked for, in its vendor's API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ThinkingControl {
    /// By a number of tokens.
    Budget {
        /// The fewest it takes when it thinks.
        min: u64,
        /// The most.
        max: u64,
        /// Whether it can be told not to think.
        off: bool,
    },
    /// By a word: this one when the user wants to see it think, the other when not.
    Effort {
        /// `medium`, for example.
        on: String,
        /// `low`, for example: such models cannot be told not to think.
        off: String,
    },
    /// It thinks as much as it sees fit; asked for is only that it shows what it thinks.
    Adaptive,
}

/// What a model can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Answer in a chat.
    Chat,
    /// Reason before it answers.
    Thinking,
    /// Search the web.
    Search,
    /// Read pictures.
    ImageIn,
    /// Read PDF files.
    PdfIn,
    /// Make pictures.
    ImageOut,
}

/// Prices in millionths of a US dollar per million tokens, as the vendor's price list has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Input read anew.
    pub input: u64,
    /// Input read from the vendor's cache. None: no cheaper than other input.
    pub cached: Option<u64>,
    /// Output, reasoning included.
    pub output: u64,
    /// What a long request costs instead, all of it. None: the same.
    pub long: Option<LongPrice>,
}

/// The price of a request with much input, in the same unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPrice {
    /// It holds for more input tokens than this.
    pub over: u64,
    /// As [`Price::input`].
    pub input: u64,
    /// As [`Price::cached`].
    pub cached: Option<u64>,
    /// As [`Price::output`].
    pub output: u64,
}

impl Price {
    /// The cost in millionths of a US dollar, rounded up.
    #[must_use]
    pub fn cost_micro_usd(&self, usage: &TokenUsage) -> u64 {
        let (input, cached, output) = match self.long {
            Some(long) if usage.input > long.over => (long.input, long.cached, long.output),
            Some(_) | None => (self.input, self.cached, self.output),
        };
        let from_cache = usage.cached_input.min(usage.input);
        let parts = [
            (usage.input - from_cache, input),
            (from_cache, cached.unwrap_or(input)),
            (usage.output, output),
        ];
        let sum: u128 = parts.iter().map(|(tokens, price)| u128::from(*tokens) * u128::from(*price)).sum();
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

impl Model {
    /// Whether it has the ability.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.can.contains(&capability)
    }
}

/// A catalogue that contradicts itself.
#[derive(Debug, thiserror::Error)]
#[error("model catalogue: {place}: {fault}")]
pub struct CatalogueError {
    place: String,
    fault: String,
}

/// A provider or model the catalogue does not have, with what the caller may have meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownModel {
    /// No such provider.
    #[error("provider {given} is not known; did you mean {nearest}? Known providers: {known}")]
    Provider {
        /// What was asked for.
        given: ProviderId,
        /// The most similar name.
        nearest: ProviderId,
        /// All of them, separated by commas.
        known: String,
    },
    /// The provider has no such model.
    #[error("model {given} of provider {provider} is not known; {instead}")]
    Model {
        /// Whose model.
        provider: ProviderId,
        /// What was asked for.
        given: ModelId,
        /// What may be meant.
        instead: Instead,
    },
    /// The model exists, but does not chat.
    #[error("model {given} of provider {provider} is not a chat model; {default} is")]
    NotForChat {
        /// Whose model.
        provider: ProviderId,
        /// What was asked for.
        given: ModelId,
        /// The provider's default.
        default: ModelId,
    },
}

/// What may be meant by a model that its provider does not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Instead {
    /// The model is another provider's.
    #[error("it is a model of {0}")]
    Of(ProviderId),
    /// No provider has it; this is the most similar chat model of the one asked.
    #[error("did you mean {0}?")]
    Like(ModelId),
}

impl Catalogue {
    /// The catalogue this version ships.
    ///
    /// # Errors
    /// As [`Catalogue::parse`]; a test keeps the shipped file right.
    pub fn shipped() -> Result<Self, CatalogueError> {
        Self::parse(include_str!("../models.json"))
    }

    /// Reads and checks a catalogue.
    ///
    /// # Errors
    /// Not of the form of `models.json`; an id twice or malformed; a default or a model for titles that is missing or does not chat; a limit
    /// of 0 or a `max_output` above `context`. The error names the place.
    pub fn parse(json: &str) -> Result<Self, CatalogueError> {
        Self { version: String::new(), vendors: Vec::new() }.extended(json)
    }

    /// This catalogue with the operator's on top, of the same form. A provider that is here already gets the models (one
    /// of the same id is replaced where it stands, others come last), and the default, the model for titles, name and key
    /// setting where given. A
    /// new one must have a `base_url` and is spoken to as OpenAI-compatible (Ollama, vLLM, LM Studio, `LiteLLM`).
    ///
    /// # Errors
    /// As [`Catalogue::parse`]; a `base_url` for a provider that is spoken to by name.
    pub fn extended(self, json: &str) -> Result<Self, CatalogueError> {
        let (version, vendors) = file::read(json, self.vendors)?;
        let version = if self.version.is_empty() { version } else { format!("{}+{version}", self.version) };
        Ok(Self { version, vendors })
    }

    /// Which catalogue this is; recorded with every cost.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All providers, the first being the one offered first.
    #[must_use]
    pub fn vendors(&self) -> &[Vendor] {
        &self.vendors
    }

    /// One provider.
    #[must_use]
    pub fn vendor(&self, provider: &ProviderId) -> Option<&Vendor> {
        self.vendors.iter().find(|vendor| vendor.id == *provider)
    }

    /// One model.
    #[must_use]
    pub fn model(&self, provider: &ProviderId, model: &ModelId) -> Option<&Arc<Model>> {
        self.vendor(provider)?.models.iter().find(|entry| entry.id == *model)
    }

    /// The model taken when a request names none.
    #[must_use]
    pub fn default_model(&self, provider: &ProviderId) -> Option<&Arc<Model>> {
        self.vendor(provider).map(|vendor| &vendor.default)
    }

    /// The chat model a request means: the one named, else the provider's default.
    ///
    /// # Errors
    /// The provider or model is unknown, or the model does not chat; each names what would be right.
    pub fn chat_model(
        &self,
        provider: &ProviderId,
        model: Option<&ModelId>,
    ) -> Result<&Arc<Model>, UnknownModel> {
        let vendor = self.vendor(provider).ok_or_else(|| self.unknown_provider(provider))?;
        let Some(id) = model else { return Ok(&vendor.default) };
        match vendor.models.iter().find(|entry| entry.id == *id) {
            Some(entry) if entry.can(Capability::Chat) => Ok(entry),
            Some(_) => Err(UnknownModel::NotForChat {
                provider: provider.clone(),
                given: id.clone(),
                default: vendor.default.id.clone(),
            }),
            None => Err(self.unknown_model(vendor, id)),
        }
    }

    fn unknown_provider(&self, given: &ProviderId) -> UnknownModel {
        let ids = self.vendors.iter().map(|vendor| &vendor.id);
        let known = ids.clone().map(ProviderId::as_str).collect::<Vec<_>>().join(", ");
        let nearest = ids.max_by(|a, b| {
            similarity(a.as_str(), given.as_str()).total_cmp(&similarity(b.as_str(), given.as_str()))
        });
        UnknownModel::Provider { given: given.clone(), nearest: nearest.unwrap_or(given).clone(), known }
    }

    fn unknown_model(&self, vendor: &Vendor, given: &ModelId) -> UnknownModel {
        let chat = |vendor: &Vendor| vendor.chat_models().any(|id| id == given);
        let instead = match self.vendors.iter().find(|other| chat(other)) {
            Some(other) => Instead::Of(other.id.clone()),
            None => Instead::Like(vendor.nearest(given).clone()),
        };
        UnknownModel::Model { provider: vendor.id.clone(), given: given.clone(), instead }
    }
}

impl Vendor {
    fn chat_models(&self) -> impl Iterator<Item = &ModelId> {
        self.models.iter().filter(|model| model.can(Capability::Chat)).map(|model| &model.id)
    }

    fn nearest(&self, given: &ModelId) -> &ModelId {
        let nearest = self.chat_models().max_by(|a, b| {
            similarity(a.as_str(), given.as_str()).total_cmp(&similarity(b.as_str(), given.as_str()))
        });
        nearest.unwrap_or(&self.default.id)
    }
}

fn similarity(a: &str, b: &str) -> f64 {
    strsim::jaro_winkler(&a.to_ascii_lowercase(), &b.to_ascii_lowercase())
}
