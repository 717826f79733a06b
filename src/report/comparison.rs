//! Formats the result of `daytime compare` as a page of text, with one column for TCP and one for UDP.

use super::page::Page;
use super::{human, plural};
use crate::compare::{
    Comparison, Latencies, Leftover, MAX_FAILURES, NoListener, Phase, Provenance, Side,
};
use std::time::Duration;

/// A comparison as tables, for the text and for the page.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    /// A sentence with the server's name and the number of queries.
    pub head: String,
    pub sections: Vec<Section>,
}

/// A table with a column for each transport.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub heading: String,
    /// The reason why the section is empty; an empty string if the section has rows.
    pub note: String,
    pub rows: Vec<Row>,
}

/// A row of a table. A line feed in a cell begins a new line.
#[derive(Debug)]
pub(crate) struct Row {
    pub label: String,
    pub tcp: String,
    pub udp: String,
    /// Whether the cells begin with bars made of `#` characters.
    pub is_chart: bool,
}

impl Tables {
    fn heading(&mut self, heading: &str) {
        self.sections.push(Section { heading: heading.to_owned(), ..Section::default() });
    }

    /// Adds a row to the last section.
    fn row(&mut self, label: &str, tcp: &str, udp: &str) {
        if let Some(section) = self.sections.last_mut() {
            let [label, tcp, udp] = [label, tcp, udp].map(str::to_owned);
            section.rows.push(Row { label, tcp, udp, is_chart: false });
        }
    }

    /// Adds a row of a bar chart to the last section.
    fn chart_row(&mut self, label: &str, tcp: &str, udp: &str) {
        self.row(label, tcp, udp);
        let row = self.sections.last_mut().and_then(|it| it.rows.last_mut());
        if let Some(row) = row {
            row.is_chart = true;
        }
    }
}

/// Returns the tables of a comparison.
pub(crate) fn tables(comparison: &Comparison) -> Tables {
    let mut tables = Tables { head: head(comparison), ..Tables::default() };
    reply(&mut tables, comparison);
    wire(&mut tables, comparison);
    client(&mut tables, comparison);
    latency(&mut tables, comparison);
    closed_port(&mut tables, comparison);
    leftover(&mut tables, comparison);
    tables
}

/// Returns the complete page as text.
pub(crate) fn text(comparison: &Comparison) -> String {
    let tables = tables(comparison);
    let mut page = Page::default();
    page.paragraph(0, &tables.head);
    page.line("");
    page.transport_heads("TCP: a stream", "UDP: datagrams");
    for Section { heading, note, rows } in &tables.sections {
        page.heading(heading);
        if !note.is_empty() {
            page.paragraph(0, &format!("  {note}"));
        }
        for Row { label, tcp, udp, .. } in rows {
            page.transport_row(label, tcp, udp);
        }
    }
    page.finish()
}

fn head(comparison: &Comparison) -> String {
    let Comparison { target, count, .. } = comparison;
    let server = if comparison.local_server { " (a local server)" } else { "" };
    let times = plural((*count).into(), "time");
    format!("Asked {target}{server} {times} over each transport.")
}

fn reply(tables: &mut Tables, comparison: &Comparison) {
    tables.heading("THE REPLY");
    sides(tables, comparison, "text", |side| shortened(side.answer.text()));
    sides(tables, comparison, "length", |side| {
        let cut = if side.answer.truncated { ", cut: the datagram was longer" } else { "" };
        format!("{}{cut}", plural(side.answer.octets.len() as u64, "octet"))
    });
    sides(tables, comparison, "server", |side| side.answer.peer.to_string());
}

/// Cuts a reply so that it fits into three rows of its column. A reply can be up to 4096 octets long.
fn shortened(line: String) -> String {
    const MAX_CHARACTERS: usize = 80;
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

fn wire(tables: &mut Tables, comparison: &Comparison) {
    tables.heading(if has_derived(comparison) {
        "ON THE WIRE (IP packets in both directions; measured, unless marked derived)"
    } else {
        "ON THE WIRE (IP packets in both directions, as measured)"
    });
    let row = |tables: &mut Tables, label: &str, pick: fn(&Side) -> Phase, tcp: &str, udp: &str| {
        let cell = |side: &Side, words: &str| format!("{}\n{words}", packets(pick(side)));
        each(tables, comparison, label, |side| cell(side, tcp), |side| cell(side, udp));
    };
    row(
        tables,
        "connect",
        |side| side.phases.before,
        "SYN, SYN-ACK, ACK: one round trip",
        "only stores the server's address",
    );
    row(
        tables,
        "question, reply",
        |side| side.phases.exchange,
        fin_words(comparison),
        "an empty question, and the reply",
    );
    row(
        tables,
        "close",
        |side| side.phases.after,
        "the client's ACK and FIN, the server's ACK",
        "there is no connection to close",
    );
    row(tables, "total", |side| side.phases.total, "", "");
}

fn has_derived(Comparison { tcp, udp, .. }: &Comparison) -> bool {
    let sides = [tcp, udp].into_iter().filter_map(|side| side.as_ref().ok());
    let phases = sides.flat_map(|Side { phases, .. }| {
        [phases.before, phases.exchange, phases.after, phases.total]
    });
    phases.into_iter().any(|phase| phase.provenance == Provenance::Derived)
}

/// Names the packets of the TCP exchange. One segment can carry both the reply and the FIN. If the server sends them in
/// two segments, the client acknowledges each segment.
fn fin_words(comparison: &Comparison) -> &'static str {
    match &comparison.tcp {
        Ok(side) if side.phases.exchange.packets > 1 => {
            "no question: reply, FIN, and an ACK for each"
        }
        _ => "no question: the reply, with the server's FIN",
    }
}

fn packets(phase: Phase) -> String {
    let source = match phase.provenance {
        Provenance::Derived => " (derived)",
        Provenance::Measured => "",
    };
    if phase.packets == 0 {
        return format!("no packets{source}");
    }
    format!("{}, {}{source}", plural(phase.packets, "packet"), plural(phase.octets, "octet"))
}

fn client(tables: &mut Tables, comparison: &Comparison) {
    tables.heading("THE CLIENT");
    sides(tables, comparison, "usual system calls", |side| {
        let names = side.calls.names();
        format!("{}: {}", names.len(), names.join(" "))
    });
    let tcp = |side: &Side| {
        let reads: Vec<String> = side.answer.reads.iter().map(ToString::to_string).collect();
        match reads.len() {
            0 => "1: 0 octets".to_owned(),
            1..=8 => format!("{}: {} and 0 octets", reads.len() + 1, reads.join(", ")),
            many => format!("{}, the last of 0 octets", many + 1),
        }
    };
    let udp = |_: &Side| "1: a datagram arrives whole or not at all".to_owned();
    each(tables, comparison, "reads", tcp, udp);
    let tcp = |_: &Side| "a read of 0 octets, after the server's FIN".to_owned();
    let udp = |_: &Side| "the length of the datagram".to_owned();
    each(tables, comparison, "end found by", tcp, udp);
}

fn latency(tables: &mut Tables, comparison: &Comparison) {
    tables.heading("LATENCY (from opening the socket to closing it)");
    for (label, percent) in
        [("minimum", 0), ("median", 50), ("p90", 90), ("p99", 99), ("maximum", 100)]
    {
        sides(tables, comparison, label, |side| {
            side.latencies.percentile(percent).map_or("–".into(), human)
        });
    }
    distribution(tables, comparison);
    sides(tables, comparison, "no answer", |side| {
        let (failures, answered) = (u64::from(side.failures), side.latencies.sorted().len() as u64);
        let asked = failures + answered;
        if asked < comparison.count.into() {
            return format!("{failures} of {asked}; stopped after {MAX_FAILURES} in a row");
        }
        format!("{failures} of {asked}")
    });
}

const BUCKETS: u32 = 8;
const MAX_BAR_COLUMNS: usize = 20;
/// Minimum number of latencies for which the page shows a bar chart. For fewer, the percentiles are enough.
const MIN_LATENCIES: usize = 10;

/// Draws the latency distributions of both transports as bar charts. Each row is a range of latencies; each upper bound
/// is a constant multiple of the previous one. The range with the most latencies has the longest bar.
fn distribution(tables: &mut Tables, comparison: &Comparison) {
    let both = [&comparison.tcp, &comparison.udp].map(|side| {
        side.as_ref().map_or_else(|_| Latencies::default(), |side| side.latencies.clone())
    });
    if both.iter().all(|latencies| latencies.sorted().len() < MIN_LATENCIES) {
        return;
    }
    let Some(bounds) = bounds(&both) else { return };
    let counts = both.each_ref().map(|latencies| latencies.counts(&bounds));
    let fullest = counts.iter().flatten().copied().max().unwrap_or(1).max(1);
    let bar = |count: usize| match count {
        0 => String::new(),
        _ => format!("{} {count}", "#".repeat((count * MAX_BAR_COLUMNS).div_ceil(fullest))),
    };
    let [tcp, udp] = &counts;
    for (row, (tcp, udp)) in tcp.iter().zip(udp).enumerate() {
        let label = match bounds.get(row) {
            Some(bound) => format!("  up to {}", human(*bound)),
            None => "  more".to_owned(),
        };
        tables.chart_row(&label, &bar(*tcp), &bar(*udp));
    }
}

/// Returns the upper bounds of the ranges, which run from the smallest latency to the larger of the two 99th
/// percentiles. Each bound is a constant multiple of the previous one. Returns `None` if there are no latencies.
fn bounds(both: &[Latencies; 2]) -> Option<Vec<Duration>> {
    let least = both.iter().filter_map(|it| it.percentile(0)).min()?.as_secs_f64();
    let most = both.iter().filter_map(|it| it.percentile(99)).max()?.as_secs_f64();
    let ratio = (most / least.max(1e-9)).max(1.1).powf(1.0 / f64::from(BUCKETS - 1));
    let bound = |power| Duration::from_secs_f64(least * ratio.powf(f64::from(power)));
    Some((1..BUCKETS).map(bound).collect())
}

fn closed_port(tables: &mut Tables, comparison: &Comparison) {
    let closed = match &comparison.closed {
        Ok(closed) => closed,
        Err(error) => {
            tables.heading("IF NO SERVER LISTENS");
            if let Some(section) = tables.sections.last_mut() {
                section.note = format!("cannot reserve a closed port: {error}");
            }
            return;
        }
    };
    tables.heading(&format!("IF NO SERVER LISTENS (tried on {})", closed.address));
    let words = |reaction: &NoListener, how: &str| match reaction {
        NoListener::Refused { after } => format!("refused after {}, {how}", human(*after)),
        NoListener::Silence { waited } => format!("no reaction for {}", human(*waited)),
        NoListener::Other { cause } => cause.to_string(),
    };
    let tcp = words(&closed.tcp, "by a reset (RST)");
    tables.row("connected socket", &tcp, &words(&closed.udp_connected, "by an ICMP message"));
    let unconnected = words(&closed.udp_unconnected, "by an ICMP message");
    tables.row("unconnected socket", "not possible: TCP has to connect", &unconnected);
}

fn leftover(tables: &mut Tables, comparison: &Comparison) {
    tables.heading("STATE LEFT IN THE KERNEL");
    sides(tables, comparison, "after the close", |side| {
        match side.leftover {
            Leftover::Nothing => "none: UDP has no connections",
            Leftover::TimeWaitAtClient => "TIME_WAIT at the client, which closed first",
            Leftover::TimeWaitAtServer => "TIME_WAIT at the server, which closed first",
            Leftover::NotHere => "none on this host: the end that closed first has TIME_WAIT",
            Leftover::Unknown => "unknown: no TIME_WAIT found, or this system does not list it",
        }
        .to_owned()
    });
}

/// Adds a row and formats both transports' cells with the same function. A transport without an answer gets a dash.
fn sides(
    tables: &mut Tables,
    comparison: &Comparison,
    label: &str,
    cell: impl Fn(&Side) -> String,
) {
    each(tables, comparison, label, &cell, &cell);
}

fn each(
    tables: &mut Tables,
    comparison: &Comparison,
    label: &str,
    tcp: impl Fn(&Side) -> String,
    udp: impl Fn(&Side) -> String,
) {
    let tcp = comparison.tcp.as_ref().map_or("–".into(), tcp);
    let udp = comparison.udp.as_ref().map_or("–".into(), udp);
    tables.row(label, tcp.trim_end(), udp.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{AskError, Family};
    use crate::compare::{CompareOptions, compare};

    fn sample() -> Comparison {
        let options = CompareOptions { count: 20, ..CompareOptions::default() };
        compare(None, &options, &mut |_, _| {}).expect("loopback")
    }

    #[test]
    fn the_whole_page_fits_80_columns() {
        let text = anstream::adapter::strip_str(&text(&sample())).to_string();
        assert!(text.lines().count() > 30, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }

    #[test]
    fn a_transport_without_an_answer_gets_dashes_and_the_other_column_stays() {
        let whole = sample();
        let error = AskError::NoAddress { host: "localhost".to_owned(), family: Family::V6 };
        let text = text(&Comparison { udp: Err(error), ..whole });
        let text = anstream::adapter::strip_str(&text).to_string();
        let end = text.lines().find(|line| line.contains("end found by")).expect("the row");
        assert!(end.contains(" 0 octets") && end.ends_with(" –"), "{text}");
    }
}
