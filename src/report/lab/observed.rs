//! The table of predictions, observations and verdicts.

use super::phrases::{self, THEORY_PREDICTS, expected, value};
use crate::duration::Unit;
use crate::lab::{Finding, Verdict};
use crate::report::page::{BAD, Columns, GOOD, NOTE, PLAIN, Page, STRONG, wrap};
use crate::transport::Transport;
use anstyle::Style;

const WHAT: usize = 24;
const COLUMNS: Columns<4> = Columns(2, [WHAT, 17, 17, 14]);

const VALUES: Columns<2> = Columns(2, [WHAT + 8, 44]);

/// Writes the table, with the rows for TCP above those for UDP.
pub(super) fn observed(page: &mut Page, findings: &[Finding], unit: Unit) {
    page.heading("OBSERVED");
    for transport in Transport::BOTH {
        let mut its = findings.iter().filter(|it| it.prediction.transport == transport).peekable();
        if its.peek().is_some() {
            let heads = [name(transport), THEORY_PREDICTS, "observed", "verdict"];
            page.row(&COLUMNS, heads.map(|head| (STRONG, head)));
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
            row(page, &COLUMNS, [plain[0], plain[1], plain[2], (style, &verdict)]);
        }
    }
}

/// Writes the observed values alone, for a student who has not seen the program's predictions yet. The rows for
/// TCP are above those for UDP, as in the table.
pub(super) fn values(page: &mut Page, findings: &[Finding], unit: Unit) {
    page.heading("OBSERVED");
    let of = |transport| findings.iter().filter(move |it| it.transport() == transport);
    for finding in Transport::BOTH.into_iter().flat_map(of) {
        let label = row_name(finding);
        let seen = finding.observed().map_or("–".to_owned(), |it| value(it, unit));
        page.row(&VALUES, [(PLAIN, &label), (PLAIN, &seen)]);
    }
}

/// Returns the name of a finding's row in the table of values. Sentences quote it.
pub(super) fn row_name(finding: &Finding) -> String {
    format!("{}: {}", name(finding.transport()), finding.name())
}

pub(crate) fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    }
}

/// Writes a row. If the name takes several lines, the other cells begin on the last of these lines.
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
    use crate::lab::{Prediction, Value};

    #[test]
    fn the_table_fits_80_columns() {
        let tcp = Prediction::is(Transport::Tcp, "reads to the end", (1, "read"));
        let udp = Prediction::is(Transport::Udp, "datagrams", (26, "datagram"))
            .varies("another system may throw some away");
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
                "  TCP                       theory predicts    observed           verdict",
                "  reads to the end          1 read             3 reads            differs: 2 too",
                "                                                                  many",
                "  UDP                       theory predicts    observed           verdict",
                "  datagrams                 26 datagrams       24 datagrams       varies here:",
                "                                                                  another system",
                "                                                                  may throw some",
                "                                                                  away",
            ]
        );
        assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
    }

    #[test]
    fn the_values_for_tcp_are_above_those_for_udp() {
        let finding = |transport, name| Finding {
            prediction: Prediction::is(transport, name, (1, "read")),
            observed: Some((1, "read").into()),
            verdict: Verdict::AsPredicted,
        };
        let [tcp, udp] = Transport::BOTH;
        let findings = [finding(tcp, "first"), finding(udp, "other"), finding(tcp, "last")];
        let screen = plain(|page| values(page, &findings, Unit::Milliseconds));
        let labels: Vec<&str> = screen.lines().skip(2).filter_map(|it| it.get(2..12)).collect();
        assert_eq!(labels, ["TCP: first", "TCP: last ", "UDP: other"], "{screen}");
    }

    #[test]
    fn the_values_of_a_long_name_are_on_its_last_line() {
        let name = "a name that is longer than its column is wide";
        let prediction = Prediction::is(Transport::Tcp, name, "a line");
        let finding =
            Finding { prediction, observed: Some("a line".into()), verdict: Verdict::AsPredicted };
        let screen = plain(|page| observed(page, &[finding], Unit::Milliseconds));
        assert_eq!(
            screen.lines().skip(3).collect::<Vec<_>>(),
            [
                "  a name that is longer",
                "  than its column is wide   a line             a line             as predicted"
            ]
        );
    }

    fn plain(draw: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::default();
        draw(&mut page);
        anstream::adapter::strip_str(&page.finish()).to_string()
    }
}
