//! Tokens as every vendor counts them, made comparable.

use slipstream_domain::{TokenUsage, UsageSource};

/// A vendor's counts. What it does not report is 0, or none for the total.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// All input, cached included.
    pub(crate) input: u64,
    pub(crate) cached: u64,
    pub(crate) output: u64,
    pub(crate) reasoning: u64,
    pub(crate) total: Option<u64>,
}

impl Counts {
    /// Reasoning is part of the output. xAI counts it beside the output: then only the total tells, so a total that holds
    /// all three says that the reasoning was apart.
    pub(crate) fn usage(self) -> TokenUsage {
        let plain = self.input.saturating_add(self.output);
        let apart = self.reasoning > 0
            && self.total.is_some_and(|total| total >= plain.saturating_add(self.reasoning));
        let output = if apart { self.output.saturating_add(self.reasoning) } else { self.output };
        TokenUsage {
            input: self.input,
            cached_input: self.cached.min(self.input),
            output,
            reasoning: self.reasoning.min(output),
            total: self.total.unwrap_or_else(|| self.input.saturating_add(output)),
            source: UsageSource::Provider,
        }
    }
}

/// Both together, as one usage: of attempts or rounds that follow one another. Estimated if one of them is.
#[must_use]
pub fn sum_usage(a: TokenUsage, b: TokenUsage) -> TokenUsage {
    TokenUsage {
        input: a.input.saturating_add(b.input),
        cached_input: a.cached_input.saturating_add(b.cached_input),
        output: a.output.saturating_add(b.output),
        reasoning: a.reasoning.saturating_add(b.reasoning),
        total: a.total.saturating_add(b.total),
        source: if a.source == UsageSource::Estimated { a.source } else { b.source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasoning_is_counted_once_wherever_the_vendor_counts_it() {
        let within = Counts { input: 10, output: 50, reasoning: 30, total: Some(60), ..Counts::default() };
        let apart = Counts { output: 20, ..Counts { total: Some(60), ..within } };
        assert_eq!((within.usage().output, apart.usage().output), (50, 50));
        assert_eq!(Counts { total: None, ..within }.usage().total, 60);
    }
}
