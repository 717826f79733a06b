//! Turns the observations of a server into findings. This module uses no sockets.

mod datagram;
mod line;
mod reach;
mod stream;
mod time;

use super::finding::{Finding, Judgement};
use super::observed::Observed;
use super::probe::Probe;
use crate::asking::octets;
use crate::transport::{IpVersion, Transport};
use std::time::Duration;

/// Returns one finding for each probe, in the order of [`Probe::ALL`].
pub(super) fn all(seen: &Observed) -> Vec<Finding> {
    Probe::ALL.iter().map(|probe| judge_one(*probe, seen).on(*probe)).collect()
}

fn judge_one(probe: Probe, seen: &Observed) -> Judgement {
    judge(probe, seen).unwrap_or_else(Judgement::not_tried)
}

/// Judges one probe. If the probe was not tried, returns the reason as the error.
fn judge(probe: Probe, seen: &Observed) -> Result<Judgement, &String> {
    Ok(match probe {
        Probe::TcpIpv4 => reach::reach(seen, Transport::Tcp, IpVersion::V4),
        Probe::TcpIpv6 => reach::reach(seen, Transport::Tcp, IpVersion::V6),
        Probe::UdpIpv4 => reach::reach(seen, Transport::Udp, IpVersion::V4),
        Probe::UdpIpv6 => reach::reach(seen, Transport::Udp, IpVersion::V6),
        Probe::TcpCloses => stream::closes(seen),
        Probe::TcpCrlfFirst => stream::answered_early_input(seen.line_end_first.as_ref()?, seen),
        Probe::Tcp64kFirst => stream::answered_early_input(seen.long_input_first.as_ref()?, seen),
        Probe::TcpHalfClose => stream::answered_early_input(seen.half_close.as_ref()?, seen),
        Probe::UdpEmpty => datagram::empty(seen),
        Probe::UdpOneOctet => datagram::answered(seen.one_octet.as_ref()?, seen),
        Probe::Udp1400Octets => datagram::answered(seen.long.as_ref()?, seen),
        Probe::UdpPrivilegedPort => datagram::silence(seen.privileged_port.as_ref()?),
        Probe::UdpOwnPort => datagram::silence(seen.service_port.as_ref()?),
        Probe::Amplification => datagram::amplification(seen),
        Probe::OneLine => line::one_line(seen),
        Probe::PrintableAscii => line::printable(seen),
        Probe::Length => line::length(seen),
        Probe::NoLeak => line::no_leak(seen),
        Probe::Syntax => time::syntax(seen),
        Probe::SameSyntax => time::same_syntax(seen),
        Probe::Health => time::health(seen),
        Probe::Clock => time::clock(seen),
    })
}

#[expect(clippy::cast_precision_loss, reason = "durations here are far below 104 days")]
fn microseconds(duration: Duration) -> f64 {
    // Converts from nanoseconds, because a float holds whole nanoseconds exactly for up to 104
    // days.
    duration.as_nanos() as f64 / 1e3
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

/// Returns the transport's name in capitals: `TCP`, `UDP`.
pub(super) fn over(transport: Transport) -> String {
    transport.name().to_uppercase()
}

/// Returns the IP version in its usual spelling: `IPv4`, `IPv6`.
fn ip(version: IpVersion) -> String {
    version.name().replace("ip", "IP")
}

#[cfg(test)]
pub(super) mod sample;
