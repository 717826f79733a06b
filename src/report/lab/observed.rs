//! What was predicted, and what was observed, as tables.

use super::words::{self, expected, value};
use super::{BAD, GOOD, NOTE, STRONG, heading};
use crate::duration::Unit;
use crate::lab::{Finding, Prediction, Verdict};
use crate::report::table::wrap;
use crate::transport::Transport;
use anstyle::Style;
use std::fmt::Write;

/// Columns with their gaps: 80 in all.
const WHAT: usize = 24;
const CELL: usize = 17;
const VERDICT: usize = 80 - 2 - WHAT - 2 - CELL - 2 - CELL - 2;

/// What is predicted, before anything has run.
pub(super) fn predicted(predictions: &[Prediction], unit: Unit) -> String {
    let mut screen = String::new();
    heading(&mut screen, "PREDICTED");
    for transport in Transport::BOTH {
        let mut its = predictions.iter().filter(|it| it.transport == transport).peekable();
        if its.peek().is_some() {
            let _ = writeln!(screen, "  {STRONG}{}{STRONG:#}", name(transport));
        }
        for prediction in its {
            let cells = [prediction.what, &expected(&prediction.expected, unit)];
            row(&mut screen, &cells, &[WHAT, 80 - 2 - WHAT - 2], Style::new());
        }
    }
    screen
}

/// The same beside what was observed.
pub(super) fn observed(findings: &[Finding], unit: Unit) -> String {
    let mut screen = String::new();
    heading(&mut screen, "OBSERVED");
    for transport in Transport::BOTH {
        let mut its = findings.iter().filter(|it| it.prediction.transport == transport).peekable();
        if its.peek().is_some() {
            let columns = format!(
                "  {:WHAT$}  {:CELL$}  {:CELL$}  verdict",
                name(transport),
                "predicted",
                "observed"
            );
            let _ = writeln!(screen, "{STRONG}{columns}{STRONG:#}");
        }
        for finding in its {
            let style = match finding.verdict {
                Verdict::AsPredicted => GOOD,
                Verdict::Differs => BAD,
                Verdict::Varies => NOTE,
            };
            let seen = finding.observed.as_ref().map_or("–".to_owned(), |it| value(it, unit));
            let verdict = words::verdict(finding, unit);
            let predicted = expected(&finding.prediction.expected, unit);
            let cells = [finding.prediction.what, &predicted, &seen, &verdict];
            row(&mut screen, &cells, &[WHAT, CELL, CELL, VERDICT], style);
        }
    }
    screen
}

fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

/// A row of cells, each wrapped in its column; the last has the style. The others stand beside the last line of
/// the first, so that a long name is read before what it has.
fn row(screen: &mut String, cells: &[&str], widths: &[usize], last: Style) {
    let cells: Vec<Vec<String>> =
        cells.iter().zip(widths).map(|(cell, width)| wrap(cell, *width)).collect();
    let above = |column: usize| if column > 0 { cells[0].len().saturating_sub(1) } else { 0 };
    let lines = cells.iter().enumerate().map(|(column, cell)| above(column) + cell.len());
    for line in 0..lines.max().unwrap_or_default() {
        let mut text = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            let part = line.checked_sub(above(column)).and_then(|line| cell.get(line));
            let part = part.map_or("", String::as_str);
            if column + 1 < cells.len() {
                let _ = write!(text, "  {part:width$}");
            } else if !part.is_empty() {
                let _ = write!(text, "  {last}{part}{last:#}");
            }
        }
        let _ = writeln!(screen, "{}", text.trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Value;

    #[test]
    fn predictions_and_what_came_of_them_stand_in_columns_of_80() {
        let tcp = Prediction::is(Transport::Tcp, "reads to the end", (1, "read"));
        let udp = Prediction::is(Transport::Udp, "datagrams", (26, "datagram"))
            .varies("another system may throw some away");
        assert_eq!(
            plain(&predicted(&[tcp.clone(), udp.clone()], Unit::Milliseconds)),
            "\n\
             PREDICTED\n  \
               TCP\n  \
               reads to the end          1 read\n  \
               UDP\n  \
               datagrams                 26 datagrams\n"
        );
        let finding = |prediction: &Prediction, observed: Value, verdict| Finding {
            prediction: prediction.clone(),
            observed: Some(observed),
            verdict,
        };
        let findings = [
            finding(&tcp, (3, "read").into(), Verdict::Differs),
            finding(&udp, (24, "datagram").into(), Verdict::Varies),
        ];
        let screen = plain(&observed(&findings, Unit::Milliseconds));
        assert_eq!(
            screen.lines().collect::<Vec<_>>(),
            [
                "",
                "OBSERVED",
                "  TCP                       predicted          observed           verdict",
                "  reads to the end          1 read             3 reads            differs: 2 too",
                "                                                                  many",
                "  UDP                       predicted          observed           verdict",
                "  datagrams                 26 datagrams       24 datagrams       varies here:",
                "                                                                  another system",
                "                                                                  may throw some",
                "                                                                  away",
            ]
        );
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    }

    #[test]
    fn what_is_predicted_stands_beside_the_end_of_a_long_name() {
        let name = "a name that is longer than its column is wide";
        let screen = plain(&predicted(
            &[Prediction::is(Transport::Tcp, name, "a line")],
            Unit::Milliseconds,
        ));
        assert_eq!(
            screen.lines().skip(3).collect::<Vec<_>>(),
            ["  a name that is longer", "  than its column is wide   a line"]
        );
    }

    fn plain(screen: &str) -> String {
        anstream::adapter::strip_str(screen).to_string()
    }
}
