//! What a reply took and cost. A vendor's own numbers are kept; where it gave none, they are estimated from the text.

use slipstream_domain::{Cost, Part, TokenUsage, UsageSource};
use slipstream_projections::Output;
use slipstream_providers::{Catalogue, Model, estimate_tokens};

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
