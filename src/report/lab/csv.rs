//! Findings as CSV (RFC 4180), one a line; a run that gave none has a line of its own.

use super::phrases::{self, expected, value, verdict};
use super::{FinishedRun, ending};
use crate::duration::Unit;
use crate::lab::{Report, Value};
use crate::report::escaped;

const HEADER: [&str; 12] = [
    "lab",
    "engine",
    "seed",
    "options",
    "transport",
    "what",
    "predicted",
    "observed",
    "number",
    "unit",
    "verdict",
    "varies",
];

/// The table with its head.
pub(crate) fn csv(done: &[FinishedRun]) -> String {
    let rows = done.iter().flat_map(|it| rows(&it.report));
    let lines = std::iter::once(HEADER.map(str::to_owned)).chain(rows);
    lines.map(|fields| fields.map(quoted).join(",") + "\n").collect()
}

/// A field, in quotes where it needs them.
fn quoted(field: String) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field
    }
}

fn rows(report: &Report) -> Vec<[String; 12]> {
    let unit = report.lab.time_unit;
    let run = [
        report.lab.name.into(),
        report.procedure.engine.to_string(),
        report.seed().map_or_else(String::new, |seed| seed.to_string()),
        phrases::options(&report.setting.options).join(" "),
    ];
    let with = |rest: [String; 8]| {
        let mut fields = run.iter().cloned().chain(rest);
        std::array::from_fn(|_| fields.next().unwrap_or_default())
    };
    let Ok(outcome) = &report.outcome else {
        let mut rest = [const { String::new() }; 8];
        rest[6] = ending(report).1;
        return vec![with(rest)];
    };
    let row = |finding: &crate::lab::Finding| {
        let prediction = &finding.prediction;
        let plain_number = finding.observed.as_ref().map(|it| plain_number(it, unit));
        let (number, number_unit) = plain_number.unwrap_or_default();
        with([
            prediction.transport.to_string(),
            escaped(prediction.what),
            expected(&prediction.expected, unit),
            finding.observed.as_ref().map(|it| value(it, unit)).unwrap_or_default(),
            number,
            number_unit,
            verdict(finding, unit),
            prediction.varies.unwrap_or_default().to_owned(),
        ])
    };
    outcome.findings.iter().map(row).collect()
}

/// What was observed as a number with its unit, for a program to read; a text has neither.
fn plain_number(value: &Value, unit: Unit) -> (String, String) {
    match value {
        Value::Count { count, of } => (count.to_string(), of.clone()),
        Value::Share { share } => (share.to_string(), "share".to_owned()),
        Value::Text { .. } => Default::default(),
        Value::Time { time } => (unit.plain_number(*time), unit.name().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_quoted_where_it_would_end_another() {
        let shown = ["42 octets", "a, b", "say \"no\"", "two\nlines"].map(|it| quoted(it.into()));
        assert_eq!(shown, ["42 octets", "\"a, b\"", "\"say \"\"no\"\"\"", "\"two\nlines\""]);
    }
}
