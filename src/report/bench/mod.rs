//! Formats the results of a load test as a page of text, with one column per transport.

mod json;

pub(crate) use json::json;

use super::page::Page;
use super::{human, plural};
use crate::bench::{Bench, Failures, Load, Percentiles};
use crate::transport::Transport;
use std::time::Duration;

/// A latency statistic, such as a percentile: its label, its JSON key, and a function that returns its value.
type Percentile = (&'static str, &'static str, fn(Percentiles) -> Duration);

const PERCENTILES: [Percentile; 7] = [
    ("minimum", "min", |of| of.min),
    ("median", "p50", |of| of.p50),
    ("p90", "p90", |of| of.p90),
    ("p99", "p99", |of| of.p99),
    ("p99.9", "p99_9", |of| of.p999),
    ("maximum", "max", |of| of.max),
    ("mean", "mean", |of| of.mean),
];

/// A cause of failures: its label, and a function that returns how often it occurred. The JSON key is the label with
/// each blank replaced by `_`.
type FailureKind = (&'static str, fn(&Failures) -> u64);

const FAILURES: [FailureKind; 5] = [
    ("refused", |of| of.refused),
    ("reset", |of| of.reset),
    ("timed out", |of| of.timed_out),
    ("no whole line", |of| of.cut_short),
    ("no free port", |of| of.no_port),
];

/// Returns the complete page as text.
pub(crate) fn text(bench: &Bench) -> String {
    let mut page = Page::default();
    head(&mut page, bench);
    asked(&mut page, bench);
    show_exchanges(&mut page, bench);
    latencies(&mut page, bench);
    failures(&mut page, bench);
    client(&mut page, bench);
    page.finish()
}

fn head(page: &mut Page, bench: &Bench) {
    let options = &bench.options;
    let (duration, warm_up) = (seconds(options.duration), seconds(options.warm_up));
    let each = if options.transports.len() > 1 { " over each transport" } else { "" };
    page.paragraph(
        0,
        &format!("Load on {}: {duration}{each}, after a warm-up of {warm_up}.", bench.target),
    );
    if bench.interrupted {
        page.paragraph(0, "Ended early: these are the results until then.");
    }
    page.line("");
    let name = |load: &Load| match load.transport {
        Transport::Tcp => "TCP: a stream",
        Transport::Udp => "UDP: datagrams",
    };
    let mut names = bench.loads.iter().map(name);
    page.transport_heads(names.next().unwrap_or_default(), names.next().unwrap_or_default());
}

fn asked(page: &mut Page, bench: &Bench) {
    let options = &bench.options;
    page.heading("SETTINGS");
    row(page, bench, "server", |load| load.peer.to_string());
    row(page, bench, "concurrency", |load| {
        let sockets = options.concurrency.get().into();
        match load.transport {
            Transport::Tcp => plural(sockets, "connection"),
            Transport::Udp => {
                let window = options.window.get().into();
                format!("{}, {} each", plural(sockets, "socket"), plural(window, "question"))
            }
        }
    });
    row(page, bench, "next exchange", |_| match options.rate {
        Some(rate) => format!("fixed rate: {} per second", grouped(rate.get().into())),
        None => "when another one ends".to_owned(),
    });
}

fn show_exchanges(page: &mut Page, bench: &Bench) {
    page.heading("EXCHANGES");
    row(page, bench, "per second", |load| per_second(load.per_second()));
    row(page, bench, "started", |load| grouped(load.asked));
    row(page, bench, "answered", |load| grouped(load.answered));
    row(page, bench, "failed", |load| grouped(load.failures.count()));
    if has(bench, |load| load.transport == Transport::Udp) {
        let of_udp = |load: &Load, count: u64| match load.transport {
            Transport::Tcp => "–".to_owned(),
            Transport::Udp => grouped(count),
        };
        row(page, bench, "lost", |load| match load.lost {
            0 => of_udp(load, 0),
            lost => format!("{}, {}", of_udp(load, lost), share(lost, load.asked)),
        });
        row(page, bench, "late or extra", |load| of_udp(load, load.late));
    }
    if bench.options.rate.is_some() {
        row(page, bench, "never started", |load| match load.never_begun {
            0 => "0".to_owned(),
            count => format!("{}: no socket was free", grouped(count)),
        });
    }
    if bench.interrupted {
        row(page, bench, "unfinished", |load| grouped(load.unfinished));
    }
}

fn latencies(page: &mut Page, bench: &Bench) {
    let from = match bench.options.rate {
        Some(_) => "from the scheduled start of each exchange",
        None => "from the start of each exchange",
    };
    page.heading(&format!("LATENCY ({from})"));
    for (label, _, pick) in PERCENTILES {
        row(page, bench, label, |load| load.latencies.map_or("–".into(), |of| human(pick(of))));
    }
}

fn failures(page: &mut Page, bench: &Bench) {
    if !has(bench, |load| load.failures.count() > 0) {
        return;
    }
    page.heading("CAUSES OF FAILURE");
    for (label, pick) in FAILURES {
        if has(bench, |load| pick(&load.failures) > 0) {
            row(page, bench, label, |load| grouped(pick(&load.failures)));
        }
    }
    if has(bench, |load| !load.failures.other.is_empty()) {
        row(page, bench, "other", |load| {
            let other = load.failures.other.iter();
            let lines = other.map(|(words, count)| format!("{}: {words}", grouped(*count)));
            lines.collect::<Vec<_>>().join("\n")
        });
    }
    if has(bench, |load| load.failures.no_port > 0) {
        let hint = "This host ran out of ports for clients. After a connection that this host \
                    closed first, its port is in use for another minute. Lower --rate, or widen \
                    net.ipv4.ip_local_port_range.";
        page.paragraph(0, hint);
    }
}

/// A note below the results: the condition under which it is shown, and its text.
type Note = (fn(&Load) -> bool, &'static str);

/// If the client used more than this fraction of a processor, the page says that the client used one processor
/// completely. The missing fraction may be measurement noise.
const WHOLE_PROCESSOR: f64 = 0.9;

fn client(page: &mut Page, bench: &Bench) {
    page.heading("THE CLIENT");
    row(page, bench, "processor time", |load| {
        format!("{:.0} % of one processor", load.processor_share() * 100.0)
    });
    let notes: [Note; 3] = [
        (
            |load| load.processor_share() > WHOLE_PROCESSOR,
            "The client used a whole processor, so the client may have limited the result: the \
             server may be able to answer more exchanges.",
        ),
        (
            |load| load.late > 0,
            "The client received late or extra datagrams. An answer does not name its question, \
             so some answers may be counted for the wrong question.",
        ),
        (
            |load| load.never_begun > 0,
            "Some scheduled exchanges could not start. Raise --concurrency, or lower --rate if \
             the server cannot keep up.",
        ),
    ];
    for (_, note) in notes.iter().filter(|(applies, _)| has(bench, applies)) {
        page.line("");
        page.paragraph(0, note);
    }
}

fn has(bench: &Bench, is_so: impl Fn(&Load) -> bool) -> bool {
    bench.loads.iter().any(is_so)
}

fn row(page: &mut Page, bench: &Bench, label: &str, cell: impl Fn(&Load) -> String) {
    let mut cells = bench.loads.iter().map(cell);
    page.transport_row(label, &cells.next().unwrap_or_default(), &cells.next().unwrap_or_default());
}

/// Formats a duration in seconds: `0.5 s`, `3 s`.
fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

fn per_second(rate: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number")]
    let whole = rate.round() as u64;
    if whole < 100 { format!("{rate:.1}") } else { grouped(whole) }
}

#[expect(clippy::cast_precision_loss, reason = "to two digits")]
fn share(part: u64, of: u64) -> String {
    format!("{:.2} %", part as f64 / of.max(1) as f64 * 100.0)
}

/// Separates groups of three digits with spaces, as in 12 345. A comma would mean a decimal point in some countries.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && digits.len() > 4 {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::BenchOptions;
    use crate::mentions::mentions;

    /// Formats the results of one second of load over UDP, during which the client used this much processor time.
    fn screen(processor: Duration) -> String {
        let load = Load {
            transport: Transport::Udp,
            peer: "127.0.0.1:13".parse().expect("address"),
            measured: Duration::from_secs(1),
            asked: 10,
            answered: 10,
            lost: 0,
            refused_at_once: false,
            failures: Failures::default(),
            unfinished: 0,
            never_begun: 0,
            late: 0,
            octets: 240,
            latencies: None,
            processor,
        };
        let target = "localhost".parse().expect("target");
        let options = BenchOptions::default();
        text(&Bench { target, options, loads: vec![load], interrupted: false })
    }

    #[test]
    fn a_client_that_used_a_whole_processor_says_that_it_may_be_the_limit() {
        let (busy, idle) = (screen(Duration::from_millis(950)), screen(Duration::from_millis(850)));
        mentions(&busy, &["95 % of one", "a whole processor"]);
        mentions(&idle, &["85 % of one"]);
        assert!(!idle.contains("a whole processor"), "{idle}");
    }

    #[test]
    fn numbers_of_five_or_more_digits_are_grouped() {
        assert_eq!([0, 999, 1000, 9999].map(grouped), ["0", "999", "1000", "9999"]);
        assert_eq!([10_000, 1_234_567].map(grouped), ["10 000", "1 234 567"]);
    }

    #[test]
    fn a_small_rate_has_a_fraction() {
        assert_eq!(
            [0.0, 3.25, 99.4, 99.6, 12_783.6].map(per_second),
            ["0.0", "3.2", "99.4", "100", "12 784"]
        );
        assert_eq!(share(63, 78_189), "0.08 %");
    }
}
