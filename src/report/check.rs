//! A check as a table: what was tried, how it ended, and why.

use super::page::{BAD, Columns, GOOD, PLAIN, Page};
use crate::check::{Check, Probe, Verdict};

/// What was tried, the verdict and the reason.
const COLUMNS: Columns<3> = Columns(2, [20, 9, 45]);

/// The whole page.
pub(crate) fn text(check: &Check) -> String {
    let mut page = Page::default();
    page.line(format_args!("{}: does it keep RFC 867, is it a safe neighbour?", check.target));
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

/// Returns the heading above a probe, if the probe is the first of a group.
fn heading(probe: Probe) -> Option<&'static str> {
    Some(match probe {
        Probe::TcpIpv4 => "DOES IT ANSWER?",
        Probe::TcpCloses => "THE STREAM",
        Probe::UdpEmpty => "DATAGRAMS",
        Probe::OneLine => "THE LINE",
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
        Probe::TcpCloses => "closes by itself",
        Probe::TcpCrlfFirst => "after CR LF",
        Probe::Tcp64kFirst => "after 64 KiB",
        Probe::TcpHalfClose => "after a half-close",
        Probe::UdpEmpty => "empty",
        Probe::UdpOneOctet => "one octet",
        Probe::Udp1400Octets => "1400 octets",
        Probe::UdpPrivilegedPort => "from a port < 1024",
        Probe::UdpOwnPort => "from its own port",
        Probe::Amplification => "amplification",
        Probe::OneLine => "one line",
        Probe::PrintableAscii => "printable ASCII",
        Probe::Length => "length",
        Probe::NoLeak => "no leak",
        Probe::Syntax => "syntax",
        Probe::SameSyntax => "the same over both",
        Probe::Health => "health",
        Probe::Clock => "its clock",
    }
}
