//! The table of a lab run's brief report: observations over TCP and UDP side by side. A row shows the prediction only
//! if the observation differs from it.

use super::phrases::{THEORY_PREDICTS, expected, value};
use super::{ending_of, observed};
use crate::duration::Unit;
use crate::lab::{Finding, Report, Verdict};
use crate::report::page::{BAD, Columns, GOOD, NOTE, PLAIN, Page, STRONG, WIDTH, wrap};
use crate::transport::Transport;
use anstyle::Style;
use std::cmp::Reverse;

/// Widths of the four columns: name and value for TCP, then name and value for UDP.
type Widths = [usize; 4];

/// Number of spaces between two columns.
const GAP: usize = 2;
/// Minimum width of a column.
const MIN_COLUMN_WIDTH: usize = 8;

/// An observation as text, with the style that shows its verdict.
struct Row {
    name: String,
    style: Style,
    value: String,
}

/// Writes the table.
pub(super) fn table(page: &mut Page, report: &Report) {
    let of = |transport| report.findings().iter().filter(move |it| it.transport() == transport);
    let row = |finding| row(finding, report.lab.time_unit);
    let sides = Transport::BOTH.map(|transport| of(transport).map(row).collect::<Vec<_>>());
    let widths = widths(&sides);
    let heads = Transport::BOTH.map(|transport| {
        let (_, ending) = ending_of(&of(transport));
        format!("{}: {ending}", observed::name(transport))
    });
    let halves = Columns(0, [widths[0] + GAP + widths[1], widths[2] + GAP + widths[3]]);
    page.row(&halves, [(STRONG, &heads[0]), (STRONG, &heads[1])]);
    let [tcp, udp] =
        [(&sides[0], 0), (&sides[1], 2)].map(|(rows, at)| lines(rows, widths[at], widths[at + 1]));
    for number in 0..tcp.len().max(udp.len()) {
        let empty = || (PLAIN, [String::new(), String::new()]);
        let [tcp, udp] = [&tcp, &udp].map(|it| it.get(number).cloned().unwrap_or_else(empty));
        let cells =
            [(PLAIN, &tcp.1[0]), (tcp.0, &tcp.1[1]), (PLAIN, &udp.1[0]), (udp.0, &udp.1[1])];
        page.row(&Columns(0, widths), cells.map(|(style, cell)| (style, &cell[..])));
    }
}

fn row(finding: &Finding, unit: Unit) -> Row {
    let observed = finding.observed().map_or("–".to_owned(), |it| value(it, unit));
    let differing =
        || format!("{observed}; {THEORY_PREDICTS} {}", expected(finding.expected(), unit));
    let (style, value) = match finding.verdict() {
        Verdict::AsPredicted => (GOOD, observed),
        Verdict::Differs => (BAD, differing()),
        Verdict::Observed => (PLAIN, observed),
        Verdict::Varies => (NOTE, differing()),
    };
    Row { name: finding.name().to_owned(), style, value }
}

/// Returns the lines of one half of the table (TCP or UDP), each with a name, a value, and the value's style.
fn lines(rows: &[Row], name: usize, value: usize) -> Vec<(Style, [String; 2])> {
    let one = |row: &Row| {
        let (names, values) = (wrap(&row.name, name), wrap(&row.value, value));
        let cell = |lines: &[String], number| lines.get(number).cloned().unwrap_or_default();
        let line = |number| (row.style, [cell(&names, number), cell(&values, number)]);
        (0..names.len().max(values.len())).map(line).collect::<Vec<_>>()
    };
    rows.iter().flat_map(one).collect()
}

/// Returns column widths that fit the page. If the table is too wide, narrows one column at a time by one character,
/// always the column where this adds the fewest lines.
fn widths(sides: &[Vec<Row>; 2]) -> Widths {
    let longest = |rows: &[Row], cell: fn(&Row) -> &String| {
        rows.iter().map(|row| cell(row).chars().count()).max().unwrap_or(0).max(MIN_COLUMN_WIDTH)
    };
    let [tcp, udp] =
        sides.each_ref().map(|rows| [longest(rows, |it| &it.name), longest(rows, |it| &it.value)]);
    let mut widths = [tcp[0], tcp[1], udp[0], udp[1]];
    while widths.iter().sum::<usize>() + 3 * GAP > WIDTH {
        let narrower = (0..4).filter(|at| widths[*at] > MIN_COLUMN_WIDTH).map(|at| {
            let mut narrower = widths;
            narrower[at] -= 1;
            narrower
        });
        let Some(best) =
            narrower.min_by_key(|it| (height(sides, *it), Reverse(it.iter().min().copied())))
        else {
            return widths;
        };
        widths = best;
    }
    widths
}

/// Returns the number of lines in the longer half, and the total number of lines in both halves.
fn height(sides: &[Vec<Row>; 2], widths: Widths) -> (usize, usize) {
    let tcp = lines(&sides[0], widths[0], widths[1]).len();
    let udp = lines(&sides[1], widths[2], widths[3]).len();
    (tcp.max(udp), tcp + udp)
}
