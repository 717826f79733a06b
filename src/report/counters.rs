//! The counters of a server: for Prometheus, and for the log.

use crate::metrics::{Event, Kind, Metrics};
use crate::transport::{IpVersion, Transport};
use std::fmt::Write;

/// Everything in the text format of Prometheus, version 0.0.4
/// (<https://prometheus.io/docs/instrumenting/exposition_formats/>). All names and labels are our own words,
/// so nothing has to be escaped; all values are whole.
pub(crate) fn prometheus(metrics: &Metrics, started: Option<i64>) -> String {
    let mut page = String::with_capacity(8192);
    for (family, about, pick) in COUNTERS {
        let _ = writeln!(page, "# HELP {family} {about}\n# TYPE {family} counter");
        for event in Event::ALL {
            let Some(label) = pick(event.kind()) else { continue };
            for version in IpVersion::BOTH {
                let transport = event.transport();
                let _ = write!(page, "{family}{{transport=\"{transport}\",family=\"{version}\"");
                if let Some((name, value)) = label {
                    let _ = write!(page, ",{name}=\"{value}\"");
                }
                let _ = writeln!(page, "}} {}", metrics.count_over(event, version));
            }
        }
    }
    open_connections(&mut page, metrics);
    let version = env!("CARGO_PKG_VERSION");
    gauge(&mut page, "daytime_build_info", "Always 1; what runs is in the labels.");
    let _ = writeln!(page, "daytime_build_info{{version=\"{version}\"}} 1");
    if let Some(started) = started {
        let about = "When the service started, in seconds since 1970-01-01 00:00:00 UTC.";
        gauge(&mut page, "process_start_time_seconds", about);
        let _ = writeln!(page, "process_start_time_seconds {started}");
    }
    page
}

/// The label of an event of this kind, beside transport and family; `None` for one of another kind.
type Pick = fn(Kind) -> Option<Option<(&'static str, &'static str)>>;

/// Name, explanation, and which events it counts.
const COUNTERS: [(&str, &str, Pick); 5] = [
    ("daytime_arrivals_total", "Connections accepted and datagrams received.", |kind| {
        matches!(kind, Kind::Arrival).then_some(None)
    }),
    (
        "daytime_exchanges_total",
        "Connections and datagrams that were sent the whole reply.",
        |kind| matches!(kind, Kind::Exchange).then_some(None),
    ),
    ("daytime_ignored_total", "Connections and datagrams that got no reply, by reason.", |kind| {
        if let Kind::Ignored(reason) = kind { Some(Some(("reason", reason))) } else { None }
    }),
    ("daytime_connections_ended_total", "How connections ended.", |kind| {
        if let Kind::Ended(how) = kind { Some(Some(("how", how))) } else { None }
    }),
    ("daytime_errors_total", "Calls of the system that failed, by kind.", |kind| {
        if let Kind::Error(kind) = kind { Some(Some(("kind", kind))) } else { None }
    }),
];

fn open_connections(page: &mut String, metrics: &Metrics) {
    gauge(page, "daytime_open_connections", "Connections that are open now.");
    for version in IpVersion::BOTH {
        let open = metrics.open_connections(version);
        let labels = format_args!("transport=\"{}\",family=\"{version}\"", Transport::Tcp);
        let _ = writeln!(page, "daytime_open_connections{{{labels}}} {open}");
    }
}

fn gauge(page: &mut String, family: &str, about: &str) {
    let _ = writeln!(page, "# HELP {family} {about}\n# TYPE {family} gauge");
}

/// The same for a log: a line for each transport and version of IP, with those that are not 0.
pub(crate) fn lines(metrics: &Metrics) -> Vec<String> {
    let both = |transport| IpVersion::BOTH.map(|version| line(metrics, transport, version));
    Transport::BOTH.into_iter().flat_map(both).collect()
}

fn line(metrics: &Metrics, transport: Transport, version: IpVersion) -> String {
    let mut line = format!("{transport} {version}:");
    for event in Event::ALL.into_iter().filter(|event| event.transport() == transport) {
        let count = metrics.count_over(event, version);
        let _ = match event.kind() {
            Kind::Arrival => write!(line, " arrivals {count}"),
            Kind::Exchange => write!(line, ", exchanges {count}"),
            _ if count == 0 => continue,
            Kind::Ignored(reason) => write!(line, ", ignored {reason} {count}"),
            Kind::Ended(how) => write!(line, ", ended {how} {count}"),
            Kind::Error(kind) => write!(line, ", error {kind} {count}"),
        };
    }
    if transport == Transport::Tcp {
        let _ = write!(line, ", open {}", metrics.open_connections(version));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Metrics {
        let metrics = Metrics::default();
        for event in [Event::TcpAccepted, Event::TcpAnswered, Event::UdpNoMemory] {
            metrics.worker(0).add(event, IpVersion::V4);
        }
        metrics.worker(0).opened(IpVersion::V4);
        for event in [Event::UdpReceived, Event::UdpReceived, Event::UdpPortZero] {
            metrics.worker(0).add(event, IpVersion::V6);
        }
        metrics
    }

    #[test]
    fn every_event_is_one_sample_for_each_version_of_ip() {
        let page = prometheus(&some(), Some(1_700_000_000));
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), 2 * Event::ALL.len() + 2 + 2);
        for (place, sample) in samples.iter().enumerate() {
            let (name, _) = sample.rsplit_once(' ').expect("a value");
            let before = &samples[..place];
            assert!(before.iter().all(|it| it.rsplit_once(' ').expect("a value").0 != name));
        }
        for sample in [
            r#"daytime_arrivals_total{transport="tcp",family="ipv4"} 1"#,
            r#"daytime_arrivals_total{transport="udp",family="ipv6"} 2"#,
            r#"daytime_exchanges_total{transport="tcp",family="ipv4"} 1"#,
            r#"daytime_ignored_total{transport="udp",family="ipv6",reason="port-zero"} 1"#,
            r#"daytime_connections_ended_total{transport="tcp",family="ipv4",how="peer"} 0"#,
            r#"daytime_errors_total{transport="udp",family="ipv4",kind="no-memory"} 1"#,
            r#"daytime_open_connections{transport="tcp",family="ipv4"} 1"#,
            r#"daytime_open_connections{transport="tcp",family="ipv6"} 0"#,
            concat!("daytime_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
            "process_start_time_seconds 1700000000",
        ] {
            assert!(samples.contains(&sample), "no {sample} in {page}");
        }
    }

    #[test]
    fn the_log_has_a_line_for_each_transport_and_version_with_what_is_not_0() {
        assert_eq!(
            lines(&some()),
            [
                "tcp ipv4: arrivals 1, exchanges 1, open 1",
                "tcp ipv6: arrivals 0, exchanges 0, open 0",
                "udp ipv4: arrivals 0, exchanges 0, error no-memory 1",
                "udp ipv6: arrivals 2, exchanges 0, ignored port-zero 1",
            ]
        );
    }
}
