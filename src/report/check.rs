//! A check as a table: what was tried, how it ended, and why.

use super::table::{HEADING, wrap};
use crate::check::{Check, Finding, Probe, Verdict};
use anstyle::{AnsiColor, Style};
use std::fmt::Write;

const TITLE: usize = 20;
const VERDICT: usize = 9;
/// 80 columns in all.
const REASON: usize = 80 - 2 - TITLE - 2 - VERDICT - 2;

const PASS: Style = AnsiColor::Green.on_default();
const FAIL: Style = AnsiColor::Red.on_default().bold();

/// The whole screen.
pub(crate) fn text(check: &Check) -> String {
    let mut screen = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(screen, "{}: does it keep RFC 867, is it a safe neighbour?", check.target);
    let mut group = "";
    for finding in &check.findings {
        let its = heading(finding.probe);
        if its != group {
            let _ = writeln!(screen, "\n{HEADING}{its}{HEADING:#}");
            group = its;
        }
        row(&mut screen, finding);
    }
    let count = |verdict| check.count(verdict);
    let (pass, fail, not) = (count(Verdict::Pass), count(Verdict::Fail), count(Verdict::NotTried));
    let _ = writeln!(screen, "\n{pass} passed, {fail} failed, {not} not tried");
    screen
}

/// The heading a probe stands under.
fn heading(probe: Probe) -> &'static str {
    match probe {
        Probe::TcpIpv4 | Probe::TcpIpv6 | Probe::UdpIpv4 | Probe::UdpIpv6 => "DOES IT ANSWER?",
        Probe::TcpCloses | Probe::TcpCrlfFirst | Probe::Tcp64kFirst | Probe::TcpHalfClose => {
            "THE STREAM"
        }
        Probe::UdpEmpty
        | Probe::UdpOneOctet
        | Probe::Udp1400Octets
        | Probe::UdpPrivilegedPort
        | Probe::UdpOwnPort
        | Probe::Amplification => "DATAGRAMS",
        Probe::OneLine | Probe::PrintableAscii | Probe::Length | Probe::NoLeak => "THE LINE",
        Probe::Syntax | Probe::SameSyntax | Probe::Health | Probe::Clock => "THE TIME",
    }
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

fn row(screen: &mut String, finding: &Finding) {
    let (style, verdict) = match finding.verdict {
        Verdict::Pass => (PASS, "pass"),
        Verdict::Fail => (FAIL, "fail"),
        Verdict::NotTried => (Style::new(), "not tried"),
    };
    let pad = VERDICT - verdict.len();
    let verdict = format!("{style}{verdict}{style:#}{:pad$}", "");
    let reason = wrap(&finding.reason, REASON);
    let first = reason.first().map_or("", String::as_str);
    let _ = writeln!(screen, "  {:TITLE$}  {verdict}  {first}", title(finding.probe));
    for more in reason.iter().skip(1) {
        let _ = writeln!(screen, "{:indent$}{more}", "", indent = 80 - REASON);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_title_fits_its_column_and_each_heading_comes_once() {
        for probe in Probe::ALL {
            assert!(title(*probe).len() <= TITLE, "{probe}");
        }
        let mut headings: Vec<_> = Probe::ALL.iter().map(|probe| heading(*probe)).collect();
        headings.dedup();
        assert_eq!(headings.len(), 5, "{headings:?}");
    }
}
