//! The counters in the text format of Prometheus, version 0.0.4
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
//!
//! All names and labels are fixed words of this suite, so none needs escaping. All values are whole
//! numbers.

use super::{Event, Kind, Metrics};
use crate::transport::{IpVersion, Transport};
use std::fmt::{Display, Write};

/// Families of counters. Each row holds the kind of event, the family's name and help text, and the
/// name of the label that holds the reason.
const FAMILIES: &[(Kind, &str, &str, &str)] = &[
    (Kind::Arrival, "daytime_arrivals_total", "Connections accepted and datagrams received.", ""),
    (
        Kind::Exchange,
        "daytime_exchanges_total",
        "Connections and datagrams that were sent the whole reply.",
        "",
    ),
    (
        Kind::Ignored,
        "daytime_ignored_total",
        "Connections and datagrams that got no reply, by reason.",
        "reason",
    ),
    (Kind::Ended, "daytime_connections_ended_total", "How connections ended.", "how"),
    (Kind::Error, "daytime_errors_total", "System calls that failed, by kind.", "kind"),
];

impl Metrics {
    /// Returns the counters and the number of open connections as a page for Prometheus. Serve it
    /// over HTTP as `text/plain; version=0.0.4`.
    ///
    /// ```
    /// let page = daytime::Metrics::default().prometheus();
    /// assert!(page.contains("# TYPE daytime_exchanges_total counter\n"));
    /// assert!(page.contains("daytime_exchanges_total{transport=\"udp\",family=\"ipv4\"} 0\n"));
    /// ```
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut page = String::with_capacity(16_384);
        for &(kind, name, about, label) in FAMILIES {
            family(&mut page, name, "counter", about);
            for event in Event::ALL.iter().filter(|event| event.kind() == kind) {
                self.samples(&mut page, *event, name, label);
            }
        }
        family(&mut page, "daytime_open_connections", "gauge", "Connections that are open now.");
        for version in IpVersion::BOTH {
            let open = self.open_connections(version);
            let labels = format_args!("transport=\"{}\",family=\"{version}\"", Transport::Tcp);
            let _ = writeln!(page, "daytime_open_connections{{{labels}}} {open}");
        }
        page
    }

    /// Writes the counts of an event, one line for each version of IP.
    fn samples(&self, page: &mut String, event: Event, family: &str, label: &str) {
        let (transport, reason) = (event.transport(), event.reason());
        for version in IpVersion::BOTH {
            let _ = write!(page, "{family}{{transport=\"{transport}\",family=\"{version}\"");
            if !label.is_empty() {
                let _ = write!(page, ",{label}=\"{reason}\"");
            }
            let _ = writeln!(page, "}} {}", self.count_over(event, version));
        }
    }
}

/// Writes the header of a metric family.
pub(crate) fn family(page: &mut String, name: &str, kind: &str, about: &str) {
    let _ = writeln!(page, "# HELP {name} {about}\n# TYPE {name} {kind}");
}

/// Writes a gauge without labels. Omits a gauge whose value is unknown, as Prometheus recommends.
pub(crate) fn gauge(page: &mut String, name: &str, about: &str, value: Option<impl Display>) {
    if let Some(value) = value {
        family(page, name, "gauge", about);
        let _ = writeln!(page, "{name} {value}");
    }
}
