//! What was predicted, and what was observed, as tables.

use super::phrases::{self, expected, value};
use crate::duration::Unit;
use crate::lab::{Finding, Prediction, Verdict};
use crate::report::page::{BAD, Columns, GOOD, NOTE, PLAIN, Page, STRONG, wrap};
use crate::transport::Transport;
use anstyle::Style;

const WHAT: usize = 24;
const PREDICTED: Columns<2> = Columns(2, [WHAT, 52]);
const OBSERVED: Columns<4> = Columns(2, [WHAT, 17, 17, 14]);

/// What is predicted, before anything has run.
pub(super) fn predicted(page: &mut Page, predictions: &[Prediction], unit: Unit) {
    page.heading("PREDICTED");
    for transport in Transport::BOTH {
        let mut its = predictions.iter().filter(|it| it.transport == transport).peekable();
        if its.peek().is_some() {
            page.row(&PREDICTED, [(STRONG, name(transport)), (PLAIN, "")]);
        }
        for prediction in its {
            let expected = expected(&prediction.expected, unit);
            row(page, &PREDICTED, [(PLAIN, prediction.what), (PLAIN, &expected)]);
        }
    }
}

/// The same beside what was observed.
pub(super) fn observed(page: &mut Page, findings: &[Finding], unit: Unit) {
    page.heading("OBSERVED");
    for transport in Transport::BOTH {
        let mut its = findings.iter().filter(|it| it.prediction.transport == transport).peekable();
        if its.peek().is_some() {
            let heads = [name(transport), "predicted", "observed", "verdict"];
            page.row(&OBSERVED, heads.map(|head| (STRONG, head)));
        }
        for finding in its {
            let style = match finding.verdict {
                Verdict::AsPredicted => GOOD,
                Verdict::Differs => BAD,
                Verdict::Observed => Style::new(),
                Verdict::Varies => NOTE,
            };
            let seen = finding.observed.as_ref().map_or("–".to_owned(), |it| value(it, unit));
            let verdict = phrases::verdict(finding, unit);
            let predicted = expected(&finding.prediction.expected, unit);
            let plain = [finding.prediction.what, &predicted, &seen].map(|cell| (PLAIN, cell));
            row(page, &OBSERVED, [plain[0], plain[1], plain[2], (style, &verdict)]);
        }
    }
}

pub(super) fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

/// A row whose cells stand beside the last line of the first, so that a long name is read before what it has.
fn row<const N: usize>(page: &mut Page, columns: &Columns<N>, cells: [(Style, &str); N]) {
    let name = wrap(cells[0].1, WHAT);
    let mut cells = cells;
    let Some((last, above)) = name.split_last() else { return };
    for line in above {
        page.line(format_args!("  {line}"));
    }
    cells[0].1 = last;
    page.row(columns, cells);
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
            plain(|page| predicted(page, &[tcp.clone(), udp.clone()], Unit::Milliseconds)),
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
        let screen = plain(|page| observed(page, &findings, Unit::Milliseconds));
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
        let prediction = Prediction::is(Transport::Tcp, name, "a line");
        let screen = plain(|page| predicted(page, &[prediction], Unit::Milliseconds));
        assert_eq!(
            screen.lines().skip(3).collect::<Vec<_>>(),
            ["  a name that is longer", "  than its column is wide   a line"]
        );
    }

    fn plain(draw: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::default();
        draw(&mut page);
        anstream::adapter::strip_str(&page.finish()).to_string()
    }
}
