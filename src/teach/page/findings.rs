//! The table that compares the predictions of theory with the run's results.

use crate::duration::Unit;
use crate::lab::{Finding, Report, Verdict};
use crate::report::lab::observed::name;
use crate::report::lab::phrases::{self, expected, value};
use crate::transport::Transport;

/// The findings for one transport.
#[derive(Debug)]
pub(super) struct Group {
    pub class: String,
    pub name: &'static str,
    pub rows: Vec<Row>,
}

/// One finding.
#[derive(Debug)]
pub(super) struct Row {
    pub class: &'static str,
    pub what: &'static str,
    pub predicted: String,
    pub observed: String,
    /// A sign before the verdict, so that the verdict is not shown by colour alone.
    pub mark: &'static str,
    pub verdict: String,
}

/// Returns the findings, TCP before UDP.
pub(super) fn groups(report: &Report) -> Vec<Group> {
    let of = |transport: Transport| {
        let own = report.findings().iter().filter(|it| it.transport() == transport);
        let rows = own.map(|it| row(it, report.lab.time_unit)).collect();
        Group { class: transport.to_string(), name: name(transport), rows }
    };
    Transport::BOTH.map(of).into_iter().filter(|group| !group.rows.is_empty()).collect()
}

fn row(finding: &Finding, unit: Unit) -> Row {
    let (class, mark) = match finding.verdict() {
        Verdict::AsPredicted => ("ok", "✓"),
        Verdict::Differs => ("no", "✗"),
        Verdict::Observed => ("seen", "•"),
        Verdict::Varies => ("varies", "~"),
    };
    Row {
        class,
        what: finding.name(),
        predicted: expected(finding.expected(), unit),
        observed: finding.observed().map_or_else(|| "–".to_owned(), |it| value(it, unit)),
        mark,
        verdict: phrases::verdict(finding, unit),
    }
}
