//! Numbers with a meaning and a range.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A number outside its range.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{what} must be {right}")]
pub struct NumberError {
    /// The value's name on the wire.
    pub what: &'static str,
    /// What would be right.
    pub right: &'static str,
}

/// How often a generation has been taken by a worker: 1 for the first owner. A write of a lower epoch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The first owner's.
    pub const FIRST: Self = Self(1);

    /// The epoch of the owner after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// The number of a delta within its generation, gapless from 1. 0 stands for "before the first".
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first delta.
    pub const START: Self = Self(0);

    /// The number after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for Seq {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Sampling temperature, 0 to 2 (the widest range among the vendors; an adapter narrows it where its vendor demands).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Temperature(f64);

impl Temperature {
    /// # Errors
    /// Not a finite number from 0 to 2.
    pub fn parse(value: f64) -> Result<Self, NumberError> {
        let fits = value.is_finite() && (0.0..=2.0).contains(&value);
        fits.then_some(Self(value)).ok_or(NumberError { what: "temperature", right: "a number from 0 to 2" })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// Nucleus sampling mass, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct TopP(f64);

impl TopP {
    /// # Errors
    /// Not a finite number from 0 to 1.
    pub fn parse(value: f64) -> Result<Self, NumberError> {
        let fits = value.is_finite() && (0.0..=1.0).contains(&value);
        fits.then_some(Self(value)).ok_or(NumberError { what: "topP", right: "a number from 0 to 1" })
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

/// The most tokens a reply may have; the model's own limit still applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct MaxTokens(u32);

impl MaxTokens {
    /// # Errors
    /// Not a whole number from 1 to 10 000 000.
    pub fn parse(value: u64) -> Result<Self, NumberError> {
        let error = NumberError { what: "maxTokens", right: "a whole number from 1 to 10000000" };
        match u32::try_from(value) {
            Ok(tokens @ 1..=10_000_000) => Ok(Self(tokens)),
            Ok(_) | Err(_) => Err(error),
        }
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// What a request may set of a model's parameters. Absent means the vendor's default.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    /// Sampling temperature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<Temperature>,
    /// Nucleus sampling mass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_p: Option<TopP>,
    /// The most tokens of the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<MaxTokens>,
    /// Whether the model is to think before it answers, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_thinking: Option<bool>,
    /// Whether the model may search the web, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_web_search: Option<bool>,
    /// How large a picture is to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture_size: Option<PictureSize>,
}

impl Params {
    /// These, and where they say nothing, what `others` say.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            temperature: self.temperature.or(others.temperature),
            top_p: self.top_p.or(others.top_p),
            max_tokens: self.max_tokens.or(others.max_tokens),
            enable_thinking: self.enable_thinking.or(others.enable_thinking),
            enable_web_search: self.enable_web_search.or(others.enable_web_search),
            picture_size: self.picture_size.or(others.picture_size),
        }
    }
}

/// A picture's size in pixels; a vendor makes its nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PictureSize {
    width: u32,
    height: u32,
}

impl PictureSize {
    /// # Errors
    /// A side that is not a whole number from 1 to 16384.
    pub fn parse(width: u64, height: u64) -> Result<Self, NumberError> {
        Ok(Self { width: side("width", width)?, height: side("height", height)? })
    }

    /// Pixels from left to right.
    #[must_use]
    pub const fn width(self) -> u32 {
        self.width
    }

    /// Pixels from top to bottom.
    #[must_use]
    pub const fn height(self) -> u32 {
        self.height
    }
}

fn side(what: &'static str, pixels: u64) -> Result<u32, NumberError> {
    match u32::try_from(pixels) {
        Ok(pixels @ 1..=16_384) => Ok(pixels),
        Ok(_) | Err(_) => Err(NumberError { what, right: "a whole number from 1 to 16384" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_infinite_temperature_is_refused_by_name() {
        let error = Temperature::parse(f64::INFINITY).unwrap_err();
        assert_eq!(error.to_string(), "temperature must be a number from 0 to 2");
    }

    #[test]
    fn the_ends_of_each_range_belong_to_it() {
        assert!(Temperature::parse(0.0).is_ok() && Temperature::parse(2.0).is_ok());
        assert!(TopP::parse(0.0).is_ok() && TopP::parse(1.0).is_ok() && TopP::parse(1.01).is_err());
        assert!(
            MaxTokens::parse(0).is_err()
                && MaxTokens::parse(1).is_ok()
                && MaxTokens::parse(u64::MAX).is_err()
        );
    }

    #[test]
    fn what_is_said_goes_before_what_holds_otherwise_even_if_it_is_a_no() {
        let own = Params { enable_web_search: Some(false), ..Params::default() };
        let temperature = Temperature::parse(0.5).ok();
        let others = Params { temperature, enable_web_search: Some(true), ..Params::default() };
        let both = own.or(others);
        assert_eq!((both.enable_web_search, both.temperature), (Some(false), temperature));
    }

    #[test]
    fn a_picture_has_two_sides_and_the_wrong_one_is_named() {
        assert_eq!(PictureSize::parse(1024, 0).unwrap_err().what, "height");
        assert_eq!(PictureSize::parse(16_385, 1).unwrap_err().what, "width");
        assert_eq!(PictureSize::parse(1, 16_384).map(PictureSize::height), Ok(16_384));
    }
}
