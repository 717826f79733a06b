//! A comparison as a page: TCP in one column, UDP in the other.

use super::page::Page;
use super::{human, plural};
use crate::client::AskError;
use crate::compare::{
    Comparison, Latencies, Leftover, MAX_FAILURES, NoListener, Phase, Provenance, Side,
};
use std::time::Duration;

/// The whole screen.
pub(crate) fn text(comparison: &Comparison) -> String {
    let mut page = Page::default();
    head(&mut page, comparison);
    reply(&mut page, comparison);
    wire(&mut page, comparison);
    client(&mut page, comparison);
    latency(&mut page, comparison);
    closed_port(&mut page, comparison);
    leftover(&mut page, comparison);
    page.finish()
}

fn head(page: &mut Page, comparison: &Comparison) {
    let Comparison { target, count, .. } = comparison;
    let server = if comparison.local_server { " (a server of its own)" } else { "" };
    let times = plural((*count).into(), "time");
    page.paragraph(0, &format!("The same question to {target}{server}, {times} each."));
    page.line("");
    page.transport_heads("TCP: a stream", "UDP: datagrams");
}

fn reply(page: &mut Page, comparison: &Comparison) {
    page.heading("THE REPLY");
    sides(page, comparison, "server's line", |side| shortened(side.answer.text()));
    sides(page, comparison, "octets", |side| {
        let cut = if side.answer.truncated { ", cut: the datagram was longer" } else { "" };
        format!("{}{cut}", side.answer.octets.len())
    });
    sides(page, comparison, "from", |side| side.answer.peer.to_string());
}

/// Cuts a reply to what three rows hold; it may have 4096 octets.
fn shortened(line: String) -> String {
    const MAX_CHARACTERS: usize = 80;
    match line.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{} …", &line[..end]),
        None => line,
    }
}

fn wire(page: &mut Page, comparison: &Comparison) {
    page.heading("ON THE WIRE (IP packets, both ways; measured, if not marked derived)");
    let row = |page: &mut Page, label: &str, pick: fn(&Side) -> Phase, tcp: &str, udp: &str| {
        let cell = |side: &Side, words: &str| format!("{}\n{words}", packets(pick(side)));
        each(page, comparison, label, |side| cell(side, tcp), |side| cell(side, udp));
    };
    row(
        page,
        "before the question",
        |side| side.phases.before,
        "SYN, SYN-ACK, ACK: connect takes a round trip",
        "connect only notes the peer",
    );
    row(
        page,
        "the exchange",
        |side| side.phases.exchange,
        fin_words(comparison),
        "an empty datagram asks, one answers",
    );
    row(
        page,
        "after it",
        |side| side.phases.after,
        "the client's ACK and FIN, the server's ACK",
        "nobody has to say goodbye",
    );
    row(page, "in all", |side| side.phases.total, "", "");
}

/// What the packets of a TCP exchange are. One holds the line and the FIN; a server that sends them apart
/// has each acknowledged.
fn fin_words(comparison: &Comparison) -> &'static str {
    match &comparison.tcp {
        Ok(side) if side.phases.exchange.packets > 1 => {
            "no question: the server's line, its FIN, ACKs for them"
        }
        _ => "no question: the server's line with its FIN",
    }
}

fn packets(phase: Phase) -> String {
    let source = match phase.provenance {
        Provenance::Derived => " (derived)",
        Provenance::Measured => "",
    };
    if phase.packets == 0 {
        return format!("nothing{source}");
    }
    format!("{}, {}{source}", plural(phase.packets, "packet"), plural(phase.octets, "octet"))
}

fn client(page: &mut Page, comparison: &Comparison) {
    page.heading("THE CLIENT");
    sides(page, comparison, "system calls (most often)", |side| {
        let names = side.calls.names();
        format!("{}: {}", names.len(), names.join(" "))
    });
    let tcp = |side: &Side| {
        let reads: Vec<String> = side.answer.reads.iter().map(ToString::to_string).collect();
        match reads.len() {
            0 => "one of 0, and nothing before it".to_owned(),
            1..=8 => format!("{} ({}), then one of 0", reads.len(), reads.join(", ")),
            many => format!("{many}, then one of 0"),
        }
    };
    let udp = |_: &Side| "1: a datagram comes whole or not at all".to_owned();
    each(page, comparison, "reads to the end", tcp, udp);
    let tcp = |_: &Side| "a read of 0 octets: the server's FIN".to_owned();
    let udp = |_: &Side| "the datagram's own length".to_owned();
    each(page, comparison, "how it knows the end", tcp, udp);
}

fn latency(page: &mut Page, comparison: &Comparison) {
    page.heading("LATENCY (socket opened to socket closed)");
    for (label, percent) in
        [("minimum", 0), ("median", 50), ("p90", 90), ("p99", 99), ("maximum", 100)]
    {
        sides(page, comparison, label, |side| {
            side.latencies.percentile(percent).map_or("–".into(), human)
        });
    }
    distribution(page, comparison);
    sides(page, comparison, "without an answer", |side| {
        let (failures, answered) = (u64::from(side.failures), side.latencies.sorted().len() as u64);
        let asked = failures + answered;
        if asked < comparison.count.into() {
            return format!("{failures} of {asked}; given up after {MAX_FAILURES} in a row");
        }
        format!("{failures} of {asked}")
    });
}

const BUCKETS: u32 = 8;
const MAX_BAR_COLUMNS: usize = 20;
/// Minimum number of latencies for a picture; of fewer the rows above say as much.
const MIN_LATENCIES: usize = 10;

/// One picture of both distributions: rows are ranges of equal ratio, bars are shares of the fullest.
fn distribution(page: &mut Page, comparison: &Comparison) {
    let of = |side: &Result<Side, AskError>| {
        side.as_ref().map_or_else(|_| Latencies::default(), |side| side.latencies.clone())
    };
    let both = [of(&comparison.tcp), of(&comparison.udp)];
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
            Some(bound) => format!("  to {}", human(*bound)),
            None => "  more".to_owned(),
        };
        page.transport_row(&label, &bar(*tcp), &bar(*udp));
    }
}

/// Upper bounds from the smallest latency to the larger 99th percentile, each the same multiple of the
/// one before. `None` if there are no latencies.
fn bounds(both: &[Latencies; 2]) -> Option<Vec<Duration>> {
    let least = both.iter().filter_map(|it| it.percentile(0)).min()?.as_secs_f64();
    let most = both.iter().filter_map(|it| it.percentile(99)).max()?.as_secs_f64();
    let ratio = (most / least.max(1e-9)).max(1.1).powf(1.0 / f64::from(BUCKETS - 1));
    let bound = |power| Duration::from_secs_f64(least * ratio.powf(f64::from(power)));
    Some((1..BUCKETS).map(bound).collect())
}

fn closed_port(page: &mut Page, comparison: &Comparison) {
    let closed = match &comparison.closed {
        Ok(closed) => closed,
        Err(error) => {
            page.heading("WHEN NOBODY LISTENS");
            page.paragraph(0, &format!("  could not be tried: {error}"));
            return;
        }
    };
    page.heading(&format!("WHEN NOBODY LISTENS (tried on {})", closed.address));
    let words = |reaction: &NoListener, how: &str| match reaction {
        NoListener::Refused { after } => format!("refused after {}, {how}", human(*after)),
        NoListener::Silence { waited } => format!("silence, for {}", human(*waited)),
        NoListener::Other(error) => error.to_string(),
    };
    let tcp = words(&closed.tcp, "by a reset (RST)");
    page.transport_row(
        "connected socket",
        &tcp,
        &words(&closed.udp_connected, "by an ICMP message"),
    );
    let unconnected = words(&closed.udp_unconnected, "by an ICMP message");
    page.transport_row("unconnected", "not possible", &unconnected);
}

fn leftover(page: &mut Page, comparison: &Comparison) {
    page.heading("LEFT BEHIND");
    sides(page, comparison, "in the kernel", |side| {
        match side.leftover {
            Leftover::Nothing => "nothing",
            Leftover::TimeWaitAtClient => "TIME_WAIT at the client, which closed first",
            Leftover::TimeWaitAtServer => "TIME_WAIT at the server, which closed first",
            Leftover::NotHere => "nothing on this host: TIME_WAIT is with who closed first",
            Leftover::Unknown => "not found: this system does not tell, or nothing is left",
        }
        .to_owned()
    });
}

/// A row with the same words for both, and what went wrong where there is no answer.
fn sides(page: &mut Page, comparison: &Comparison, label: &str, cell: impl Fn(&Side) -> String) {
    each(page, comparison, label, &cell, &cell);
}

fn each(
    page: &mut Page,
    comparison: &Comparison,
    label: &str,
    tcp: impl Fn(&Side) -> String,
    udp: impl Fn(&Side) -> String,
) {
    let tcp = comparison.tcp.as_ref().map_or("–".into(), tcp);
    let udp = comparison.udp.as_ref().map_or("–".into(), udp);
    page.transport_row(label, tcp.trim_end(), udp.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Family;
    use crate::compare::{CompareOptions, compare};

    fn sample() -> Comparison {
        let options = CompareOptions { count: 20, ..CompareOptions::default() };
        compare(None, &options, &mut |_, _| {}).expect("loopback")
    }

    #[test]
    fn the_whole_screen_fits_80_columns() {
        let text = anstream::adapter::strip_str(&text(&sample())).to_string();
        assert!(text.lines().count() > 30, "{text}");
        for line in text.lines() {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }

    #[test]
    fn a_side_without_an_answer_leaves_its_column_empty_and_the_other_whole() {
        let whole = sample();
        let error = AskError::NoAddress { host: "localhost".to_owned(), family: Family::V6 };
        let text = text(&Comparison { udp: Err(error), ..whole });
        assert!(text.contains("a read of 0 octets"), "{text}");
        assert!(!text.contains("the datagram's own length"), "{text}");
    }
}
