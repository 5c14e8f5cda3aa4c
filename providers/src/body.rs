//! What the bodies of several vendors have in common. A field that is not known or not supported is not there at all.

use serde::Serialize;
use serde_json::{Map, Value};
use slipstream_domain::{Temperature, TopP};

use crate::catalogue::ThinkingControl;
use crate::{Capability, ChatRequest};

/// The tokens of thinking a model is allowed when the answer leaves room for them.
const USUAL_BUDGET: u64 = 8192;

/// Adds a field that has a value.
pub(crate) trait Put {
    fn put(&mut self, name: &str, value: Option<impl Serialize>);
}

impl Put for Map<String, Value> {
    fn put(&mut self, name: &str, value: Option<impl Serialize>) {
        // Nothing that goes into a body fails to become JSON: numbers, texts, and values that are JSON already.
        if let Some(value) = value.and_then(|value| serde_json::to_value(value).ok()) {
            self.insert(name.to_owned(), value);
        }
    }
}

impl ChatRequest {
    /// The most tokens of the answer: what was asked for, within what the model can.
    pub(crate) fn max_tokens(&self) -> Option<u64> {
        let asked = u64::from(self.params.max_tokens?.get());
        Some(asked.min(self.model.max_output.or(self.model.context).unwrap_or(u64::MAX)))
    }

    pub(crate) fn temperature(&self) -> Option<f64> {
        self.params.temperature.filter(|_| self.model.sampling).map(Temperature::get)
    }

    pub(crate) fn top_p(&self) -> Option<f64> {
        self.params.top_p.filter(|_| self.model.sampling).map(TopP::get)
    }

    /// What the vendor calls the shape that is nearest to the one the user wants; each offer is (width, height, name).
    pub(crate) fn nearest_shape<'a>(&self, offers: &[(u32, u32, &'a str)]) -> Option<&'a str> {
        let size = self.params.picture_size?;
        let shape = |width: u32, height: u32| (f64::from(width) / f64::from(height)).ln();
        let wanted = shape(size.width(), size.height());
        let distance = |offer: &(u32, u32, &str)| (shape(offer.0, offer.1) - wanted).abs();
        offers.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map(|offer| offer.2)
    }

    /// Whether the model is to search: the user wants it and it can.
    pub(crate) fn searches(&self) -> bool {
        self.web_search && self.model.can(Capability::Search)
    }

    /// The word for how much the model is to think, if it takes one.
    pub(crate) fn effort(&self) -> Option<&str> {
        match self.model.thinking.as_ref()? {
            ThinkingControl::Effort { on, off } => Some(if self.thinking { on } else { off }),
            ThinkingControl::Budget { .. } | ThinkingControl::Adaptive => None,
        }
    }

    /// The tokens of thinking within an answer of so many, at most half of it where the model's least allows that; none
    /// when the user wants no thinking, the model cannot be given a budget, or its least leaves nothing of the answer.
    pub(crate) fn thinking_budget(&self, answer: u64) -> Option<u64> {
        match self.model.thinking.as_ref().filter(|_| self.thinking)? {
            ThinkingControl::Budget { min, max, .. } => {
                let budget = USUAL_BUDGET.min(*max).min(answer / 2).max(*min);
                (budget < answer).then_some(budget)
            }
            ThinkingControl::Effort { .. } | ThinkingControl::Adaptive => None,
        }
    }
}
