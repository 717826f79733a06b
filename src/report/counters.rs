//! Formats a server's counters and gauges for Prometheus and for the log.

use crate::limit::{Limits, Rate};
use crate::metrics::{Event, Kind, Metrics, family, gauge};
use crate::transport::{IpVersion, Transport};
use std::fmt::Write;

/// Values that a server reports in addition to its counters: its start time, limits, clock state and open descriptors.
/// All are read at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    /// The server's start time in seconds since 1970.
    pub started: Option<i64>,
    pub limits: Limits,
    /// Whether the kernel reports that its clock is synchronised; `None` if the kernel does not report this.
    pub synchronised: Option<bool>,
    /// Number of open descriptors; `None` if the server could not count them when it started.
    pub open_descriptors: Option<u64>,
    pub max_descriptors: u64,
}

/// Returns the page for Prometheus, with all counters and gauges.
pub(crate) fn prometheus(metrics: &Metrics, gauges: &Gauges) -> String {
    let mut page = metrics.prometheus();
    limits(&mut page, &gauges.limits);
    let about = "Whether the kernel reports a clock that is synchronised to 5 seconds or better.";
    gauge(&mut page, "daytime_clock_synchronised", about, gauges.synchronised.map(u8::from));
    family(&mut page, "daytime_build_info", "gauge", "Always 1; the labels have the version.");
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(page, "daytime_build_info{{version=\"{version}\"}} 1");
    let about = "Number of open descriptors.";
    gauge(&mut page, "process_open_fds", about, gauges.open_descriptors);
    let about = "Maximum number of open descriptors.";
    gauge(&mut page, "process_max_fds", about, Some(gauges.max_descriptors));
    let about = "Start time of the server, in seconds since 1970-01-01 00:00:00 UTC.";
    gauge(&mut page, "process_start_time_seconds", about, gauges.started);
    page
}

/// Adds the configured limits to the page.
fn limits(page: &mut String, limits: &Limits) {
    let mut labelled = |name, about, label, samples: [(&str, u32); 2]| {
        family(page, name, "gauge", about);
        for (value, limit) in samples {
            let _ = writeln!(page, "{name}{{{label}=\"{value}\"}} {limit}");
        }
    };
    let scopes = |source, total| [("source", source), ("total", total)];
    let Limits { udp_per_source: source, udp_total: total, .. } = *limits;
    let about = "Maximum rate of answered datagrams per second; 0 means no limit.";
    let rates = scopes(source.per_second, total.per_second);
    labelled("daytime_udp_limit_per_second", about, "scope", rates);
    let about = "Maximum number of datagrams answered in a burst.";
    labelled("daytime_udp_limit_burst", about, "scope", scopes(source.burst, total.burst));
    let about = "Maximum number of open connections.";
    let connections = scopes(limits.tcp_per_source, limits.tcp_total);
    labelled("daytime_tcp_limit_connections", about, "scope", connections);
    let about = "Prefix length in bits that makes addresses one source.";
    let bits = [("ipv4", limits.prefix_v4.into()), ("ipv6", limits.prefix_v6.into())];
    labelled("daytime_source_prefix_bits", about, "family", bits);
    let about = "Whether the limits apply to sources on loopback.";
    gauge(page, "daytime_limits_loopback", about, Some(u8::from(limits.loopback)));
}

/// Returns the counters as log lines: one line for each transport and IP version. Omits counters that
/// are 0, except those of arrivals and exchanges.
pub(crate) fn lines(metrics: &Metrics) -> Vec<String> {
    let both = |transport| IpVersion::BOTH.map(|version| line(metrics, transport, version));
    Transport::BOTH.into_iter().flat_map(both).collect()
}

fn line(metrics: &Metrics, transport: Transport, version: IpVersion) -> String {
    let mut line = format!("{transport} {version}:");
    for event in Event::ALL.iter().filter(|event| event.transport() == transport) {
        let (reason, count) = (event.reason(), metrics.count_over(*event, version));
        let _ = match event.kind() {
            Kind::Arrival => write!(line, " arrivals {count}"),
            Kind::Exchange => write!(line, ", exchanges {count}"),
            _ if count == 0 => continue,
            Kind::Ignored => write!(line, ", ignored {reason} {count}"),
            Kind::Ended => write!(line, ", ended {reason} {count}"),
            Kind::Error => write!(line, ", error {reason} {count}"),
        };
    }
    if transport == Transport::Tcp {
        let _ = write!(line, ", open {}", metrics.open_connections(version));
    }
    line
}

/// Returns the gauges as log lines.
pub(crate) fn gauge_lines(gauges: &Gauges) -> [String; 3] {
    let Limits { udp_per_source, udp_total, tcp_per_source, tcp_total, .. } = gauges.limits;
    let Limits { prefix_v4, prefix_v6, loopback, .. } = gauges.limits;
    let rate = |Rate { per_second, burst }| match per_second {
        0 => "no limit".to_owned(),
        _ => format!("{per_second} per second after a burst of {burst}"),
    };
    let clock = match gauges.synchronised {
        Some(true) => "synchronised",
        Some(false) => "not synchronised",
        None => "unknown: the kernel does not report its synchronisation",
    };
    let open = gauges.open_descriptors.map_or("unknown".to_owned(), |open| open.to_string());
    [
        format!("clock: {clock}"),
        format!(
            "limits: udp {} per source, {} in total; tcp {tcp_per_source} open per source, \
             {tcp_total} in total; a source is a /{prefix_v4} of IPv4 or a /{prefix_v6} of IPv6; \
             loopback {}",
            rate(udp_per_source),
            rate(udp_total),
            if loopback { "limited" } else { "not limited" }
        ),
        format!("descriptors: {open} open, at most {}", gauges.max_descriptors),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::{each_mentions, mentions};

    fn gauges() -> Gauges {
        Gauges {
            started: Some(1_700_000_000),
            limits: Limits::default(),
            synchronised: Some(false),
            open_descriptors: Some(12),
            max_descriptors: 1024,
        }
    }

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
    fn every_event_has_one_sample_per_version_of_ip() {
        let page = prometheus(&some(), &gauges());
        let samples: Vec<_> = page.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples.len(), 2 * Event::ALL.len() + 2 + 9 + 5);
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
            "daytime_clock_synchronised 0",
            r#"daytime_udp_limit_per_second{scope="source"} 20"#,
            r#"daytime_udp_limit_per_second{scope="total"} 10000"#,
            r#"daytime_udp_limit_burst{scope="source"} 100"#,
            r#"daytime_tcp_limit_connections{scope="source"} 64"#,
            r#"daytime_tcp_limit_connections{scope="total"} 4096"#,
            r#"daytime_source_prefix_bits{family="ipv4"} 32"#,
            r#"daytime_source_prefix_bits{family="ipv6"} 64"#,
            "daytime_limits_loopback 0",
            "process_open_fds 12",
            "process_max_fds 1024",
        ] {
            assert!(samples.contains(&sample), "no {sample} in {page}");
        }
    }

    #[test]
    fn an_unknown_value_is_left_out() {
        let unknown =
            Gauges { started: None, synchronised: None, open_descriptors: None, ..gauges() };
        let page = prometheus(&some(), &unknown);
        for name in ["process_start_time", "daytime_clock_synchronised", "process_open_fds"] {
            assert!(!page.contains(name), "{page}");
        }
        assert!(page.contains("process_max_fds 1024\n"), "{page}");
        let [clock, _, descriptors] = gauge_lines(&unknown);
        mentions(&clock, &["clock", "unknown", "synchronisation"]);
        mentions(&descriptors, &["descriptors", "unknown", "at most 1024"]);
    }

    #[test]
    fn the_log_has_clock_limits_and_descriptors() {
        let udp_total = Rate { per_second: 0, burst: 1 };
        let limits = Limits { udp_total, loopback: true, ..Limits::default() };
        let lines = gauge_lines(&Gauges { limits, synchronised: Some(true), ..gauges() });
        let clauses: Vec<&str> = lines[1].split("; ").collect();
        each_mentions(
            clauses,
            &[
                &[
                    "limits",
                    "udp",
                    "20 per second",
                    "burst of 100",
                    "per source",
                    "no limit in total",
                ],
                &["tcp", "64 open per source", "4096 in total"],
                &["source", "/32 of IPv4", "/64 of IPv6"],
                &["loopback limited"],
            ],
        );
        assert_eq!(lines[0], "clock: synchronised");
        mentions(&lines[2], &["descriptors", "12 open", "at most 1024"]);
    }

    #[test]
    fn the_log_has_a_line_per_transport_and_version_without_counters_that_are_0() {
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
