//! Formats findings as CSV (RFC 4180), one per line. A run without findings gets one line that says why.

use super::phrases::{self, THEORY_PREDICTS, expected, value, verdict};
use super::{FinishedRun, ending};
use crate::duration::Unit;
use crate::lab::{Finding, Report, Value};
use crate::report::escaped;

/// One line of the table: each field with its column's name.
type Row = [(&'static str, String); 12];

/// Returns the table, with the column names in its first line.
pub(crate) fn csv(done: &[FinishedRun]) -> String {
    let rows: Vec<Row> = done.iter().flat_map(|it| rows(&it.report)).collect();
    let head = rows.first().map(|row| row.each_ref().map(|(name, _)| (*name).to_owned()));
    let fields = rows.iter().map(|row| row.each_ref().map(|(_, field)| quoted(field)));
    head.into_iter().chain(fields).map(|line| line.join(",") + "\n").collect()
}

/// Returns a field, in quotes if it contains a comma, a quote or a line ending.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

fn rows(report: &Report) -> Vec<Row> {
    match report.findings() {
        [] => vec![row(report, None)],
        findings => findings.iter().map(|finding| row(report, Some(finding))).collect(),
    }
}

/// Returns a finding's row, or, if `finding` is `None`, the row for a run without findings.
fn row(report: &Report, finding: Option<&Finding>) -> Row {
    let unit = report.lab.time_unit;
    let of = |field: fn(&Finding, Unit) -> String| finding.map(|it| field(it, unit));
    let observed = finding.and_then(Finding::observed);
    let (number, its_unit) = observed.map(|it| plain_number(it, unit)).unwrap_or_default();
    [
        ("lab", report.lab.name.to_owned()),
        ("engine", report.engine().to_string()),
        ("seed", report.seed().map_or_else(String::new, |seed| seed.to_string())),
        ("options", phrases::options(&report.setting.options).join(" ")),
        ("transport", of(|it, _| it.transport().to_string()).unwrap_or_default()),
        ("what", of(|it, _| escaped(it.name())).unwrap_or_default()),
        (THEORY_PREDICTS, of(|it, unit| expected(it.expected(), unit)).unwrap_or_default()),
        ("observed", observed.map(|it| value(it, unit)).unwrap_or_default()),
        ("number", number),
        ("unit", its_unit),
        ("verdict", of(verdict).unwrap_or_else(|| ending(report).1)),
        ("varies", finding.and_then(|it| it.prediction.varies).unwrap_or_default().to_owned()),
    ]
}

/// Returns an observed value as a number and a unit. For a string, both are empty.
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
    fn a_field_with_a_comma_a_quote_or_a_line_end_is_quoted() {
        let shown = ["42 octets", "a, b", "say \"no\"", "two\nlines"].map(quoted);
        assert_eq!(shown, ["42 octets", "\"a, b\"", "\"say \"\"no\"\"\"", "\"two\nlines\""]);
    }
}
