//! Findings as CSV (RFC 4180), one a line; a run that gave none has a line of its own.

use super::words::{self, expected, value, verdict};
use super::{Done, ending};
use crate::lab::{Report, Value};
use crate::report::shown;

const HEAD: [&str; 12] = [
    "lab",
    "engine",
    "seed",
    "knobs",
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
pub(crate) fn csv(done: &[Done]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let rows = done.iter().flat_map(|it| rows(&it.report));
    let head = HEAD.map(str::to_owned);
    for row in std::iter::once(head).chain(rows) {
        // Writing to a Vec cannot fail, and every row has as many fields.
        let _ = writer.write_record(row);
    }
    writer.into_inner().map(|it| String::from_utf8_lossy(&it).into_owned()).unwrap_or_default()
}

fn rows(report: &Report) -> Vec<[String; 12]> {
    let run = [
        report.lab.name.into(),
        report.procedure.engine.to_string(),
        report.setting.seed.to_string(),
        words::knobs(&report.setting.knobs).join(" "),
    ];
    let with = |rest: [String; 8]| {
        let [lab, engine, seed, knobs] = run.clone();
        let [transport, what, predicted, observed, number, unit, verdict, varies] = rest;
        [
            lab, engine, seed, knobs, transport, what, predicted, observed, number, unit, verdict,
            varies,
        ]
    };
    let Ok(outcome) = &report.outcome else {
        let mut rest = [const { String::new() }; 8];
        rest[6] = ending(report).1;
        return vec![with(rest)];
    };
    let row = |finding: &crate::lab::Finding| {
        let prediction = &finding.prediction;
        let (number, unit) = finding.observed.as_ref().map(exact).unwrap_or_default();
        with([
            prediction.transport.to_string(),
            shown(prediction.what),
            expected(&prediction.expected),
            finding.observed.as_ref().map(value).unwrap_or_default(),
            number,
            unit,
            verdict(finding),
            prediction.varies.unwrap_or_default().to_owned(),
        ])
    };
    outcome.findings.iter().map(row).collect()
}

/// What was observed as a number with its unit, for a program to read; a text is none.
fn exact(value: &Value) -> (String, String) {
    match value {
        Value::Count(count, of) => (count.to_string(), of.clone()),
        Value::Share(share) => (share.to_string(), "share".to_owned()),
        Value::Text(_) => Default::default(),
        Value::Time(time) => (time.as_nanos().to_string(), "ns".to_owned()),
    }
}
