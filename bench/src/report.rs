//! What was measured, beside its target: as JSON and as a table.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

/// The result of a suite.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) suite: &'static str,
    pub(crate) machine: Value,
    pub(crate) rows: Vec<Row>,
}

/// One line of the table.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) work: String,
    /// The median of the rounds.
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
    /// Everything else that is known of it.
    pub(crate) details: Value,
}

/// What is wanted (`09-targets`).
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
}

impl Row {
    pub(crate) fn new(
        work: impl Into<String>,
        value: f64,
        unit: &'static str,
        target: Option<Target>,
        details: Value,
    ) -> Self {
        let met = target.map(|target| match target {
            Target::AtLeast(least) => value >= least,
            Target::AtMost(most) => value <= most,
        });
        Self { work: work.into(), value, unit, target, met, details }
    }
}

impl Report {
    pub(crate) fn table(&self) -> String {
        let width = self.rows.iter().map(|row| row.work.chars().count()).max().unwrap_or(0);
        let mut table = String::new();
        for row in &self.rows {
            let target = match row.target {
                Some(Target::AtLeast(least)) => format!("≥ {}", number(least)),
                Some(Target::AtMost(most)) => format!("≤ {}", number(most)),
                None => String::new(),
            };
            let verdict = match row.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            // Writing into a text cannot fail.
            let _infallible = writeln!(
                table,
                "{:width$}  {:>10} {:<14} {target:>9}  {verdict}",
                row.work,
                number(row.value),
                row.unit
            );
        }
        table
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        1000.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}

/// The median; 0 of nothing.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.get(middle) {
        None => 0.0,
        Some(upper) if values.len() % 2 == 1 => *upper,
        Some(upper) => f64::midpoint(values[middle - 1], *upper),
    }
}

/// A count as a number to reckon with.
#[allow(clippy::cast_precision_loss, reason = "counts of a benchmark are far below 2^52")]
pub(crate) fn count(n: impl TryInto<u64>) -> f64 {
    n.try_into().map_or(0.0, |n: u64| n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_two_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
    }

    #[test]
    fn a_row_says_whether_its_target_is_met() {
        let row = |target| Row::new("work", 2.0, "×", Some(target), Value::Null);
        assert_eq!(row(Target::AtLeast(1.5)).met, Some(true));
        assert_eq!(row(Target::AtMost(1.5)).met, Some(false));
        let report = Report { suite: "s", machine: Value::Null, rows: vec![row(Target::AtMost(1.5))] };
        assert!(report.table().ends_with("≤ 1.50  MISSED\n"), "{}", report.table());
    }
}
