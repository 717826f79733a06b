//! Formats the result of `daytime check` as a table: each probe, its verdict and the reason.

use super::page::{BAD, Columns, GOOD, PLAIN, Page};
use crate::check::{Check, Probe, Verdict};

/// Widths of the columns: the probe, its verdict and the reason.
const COLUMNS: Columns<3> = Columns(2, [20, 9, 45]);

/// Returns the complete table as text.
pub(crate) fn text(check: &Check) -> String {
    let mut page = Page::default();
    page.line(format_args!("Does {} follow RFC 867, and is it safe from abuse?", check.target));
    for finding in &check.findings {
        if let Some(heading) = heading(finding.probe) {
            page.heading(heading);
        }
        let verdict = match finding.verdict {
            Verdict::Pass => (GOOD, "pass"),
            Verdict::Fail => (BAD, "fail"),
            Verdict::NotTried => (PLAIN, "not tried"),
        };
        let (title, reason) = (title(finding.probe), (PLAIN, finding.reason.as_str()));
        page.row(&COLUMNS, [(PLAIN, title), verdict, reason]);
    }
    let [pass, fail, not_tried] =
        [Verdict::Pass, Verdict::Fail, Verdict::NotTried].map(|verdict| check.count(verdict));
    page.line(format_args!("\n{pass} passed, {fail} failed, {not_tried} not tried"));
    page.finish()
}

/// Returns the heading above a probe; `None` unless the probe is the first of its group.
fn heading(probe: Probe) -> Option<&'static str> {
    Some(match probe {
        Probe::TcpIpv4 => "DOES IT ANSWER?",
        Probe::TcpCloses => "TCP: HOW THE STREAM ENDS",
        Probe::UdpEmpty => "UDP: WHICH QUESTIONS GET AN ANSWER",
        Probe::OneLine => "THE REPLY",
        Probe::Syntax => "THE TIME",
        _ => return None,
    })
}

fn title(probe: Probe) -> &'static str {
    match probe {
        Probe::TcpIpv4 => "TCP over IPv4",
        Probe::TcpIpv6 => "TCP over IPv6",
        Probe::UdpIpv4 => "UDP over IPv4",
        Probe::UdpIpv6 => "UDP over IPv6",
        Probe::TcpCloses => "server closes",
        Probe::TcpCrlfFirst => "client sends CR LF",
        Probe::Tcp64kFirst => "client sends 64 KiB",
        Probe::TcpHalfClose => "client half-closes",
        Probe::UdpEmpty => "empty question",
        Probe::UdpOneOctet => "1 octet",
        Probe::Udp1400Octets => "1400 octets",
        Probe::UdpPrivilegedPort => "from a port < 1024",
        Probe::UdpOwnPort => "from the same port",
        Probe::Amplification => "amplification",
        Probe::OneLine => "one line",
        Probe::PrintableAscii => "printable ASCII",
        Probe::Length => "length",
        Probe::NoLeak => "no leaked memory",
        Probe::Syntax => "syntax",
        Probe::SameSyntax => "same over TCP, UDP",
        Probe::Health => "health",
        Probe::Clock => "clock",
    }
}
