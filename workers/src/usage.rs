//! What a reply took and cost. A vendor's own numbers are kept; where it gave none, they are estimated from the text.

use slipstream_domain::{Cost, Part, TokenUsage, UsageSource};
use slipstream_projections::Output;
use slipstream_providers::{Catalogue, Model, estimate_tokens, sum_usage};

/// What a reply took, over all who were asked for it.
#[derive(Debug, Default)]
pub(crate) struct Bill {
    pub(crate) attempts: u32,
    pub(crate) usage: Option<TokenUsage>,
    /// Known when that of all usage is.
    pub(crate) cost: Option<Cost>,
}

impl Bill {
    /// What one of them took, at its own price: a model may cost more for a long question than for two short ones.
    pub(crate) fn add(&mut self, usage: TokenUsage, cost: Option<Cost>) {
        (self.usage, self.cost) = match self.usage {
            None => (Some(usage), cost),
            Some(before) => {
                let both = self.cost.take().zip(cost);
                let cost = both.map(|(a, b)| Cost { micro_usd: a.micro_usd + b.micro_usd, ..b });
                (Some(sum_usage(before, usage)), cost)
            }
        };
    }
}

/// The text of one part of a reply.
pub(crate) fn text_of(outputs: &[Output], part: Part) -> String {
    outputs.iter().filter(|output| output.run.part == part).map(|output| output.run.text.as_str()).collect()
}

/// An estimate: `input` tokens asked with, and the reply's own.
pub(crate) fn estimated(input: u64, outputs: &[Output]) -> TokenUsage {
    let reasoning = estimate_tokens(&text_of(outputs, Part::Thinking));
    let output = reasoning + estimate_tokens(&text_of(outputs, Part::Text));
    let total = input + output;
    TokenUsage { input, cached_input: 0, output, reasoning, total, source: UsageSource::Estimated }
}

/// What that costs at the model's prices; `None` when they are not known.
pub(crate) fn cost(usage: &TokenUsage, model: &Model, catalogue: &Catalogue) -> Option<Cost> {
    let micro_usd = model.price.as_ref()?.cost_micro_usd(usage);
    Some(Cost { micro_usd, catalogue_version: catalogue.version().to_owned() })
}

#[cfg(test)]
mod tests {
    use slipstream_domain::{Run, Seq};

    use super::*;

    #[test]
    fn a_cost_is_stated_only_when_all_of_it_is_known() {
        let cost = |micro_usd| Some(Cost { micro_usd, catalogue_version: "1".into() });
        let bill = |costs: &[Option<Cost>]| {
            let mut bill = Bill::default();
            for cost in costs {
                bill.add(estimated(10, &[]), cost.clone());
            }
            (bill.usage.map(|usage| usage.total), bill.cost.map(|cost| cost.micro_usd))
        };
        assert_eq!(bill(&[cost(3)]), (Some(10), Some(3)));
        assert_eq!(bill(&[cost(2), cost(3)]), (Some(20), Some(5)));
        assert_eq!(bill(&[None, cost(3)]), (Some(20), None));
        assert_eq!(bill(&[]), (None, None));
    }

    #[test]
    fn an_estimate_counts_thinking_as_output_and_says_that_it_is_one() {
        let output = |seq, part, text: &str| Output {
            run: Run::delta(Seq(seq), part, 0, text.into()),
            thinking_ms: None,
        };
        let outputs = [output(1, Part::Thinking, "12345678"), output(2, Part::Text, "1234")];
        let expected = TokenUsage {
            input: 10,
            cached_input: 0,
            output: 3,
            reasoning: 2,
            total: 13,
            source: UsageSource::Estimated,
        };
        assert_eq!(estimated(10, &outputs), expected);
    }
}
