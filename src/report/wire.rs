//! Formats the packets that `daytime wire` prints as JSON, and the summary below them.

use super::ladder::Sighting;
use super::ladder::sighting::in_unit;
use super::packet::label;
use super::{joined, plural};
use crate::reply::Printable;
use crate::transport::Transport;
use crate::wire::conversation::Side;
use crate::wire::decode::{Content, Decoded};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};
use std::time::Duration;

/// Returns a packet as a JSON object.
pub(crate) fn json(seen: &Sighting) -> Value {
    let Sighting { role, packet, captured, .. } = *seen;
    let interface = captured.interface.as_ref();
    let about = json!({
        "time": captured.at.and_then(time),
        "since_first_us": in_unit(seen.since_ns, 1e3),
        "interface": interface.map(|it| it.id.passed.unwrap_or(it.id.number)),
        "exchange": role.number,
        "transport": role.transport.to_string(),
        "client": role.client.to_string(),
        "server": role.server.to_string(),
        "to": if role.to == Side::Server { "server" } else { "client" },
        "what": label(packet),
        "octets": packet.octets,
    });
    let retransmission = (role.transport == Transport::Tcp)
        .then(|| json!({ "retransmission": role.is_retransmission }));
    let reporter = role.third_party.map(|it| json!({ "reported_by": it.to_string() }));
    let name = interface.and_then(|it| it.name.as_deref());
    let name = name.map(|name| json!({ "interface_name": Printable(name).to_string() }));
    let comments: Vec<String> = seen.comments().collect();
    let comments = (!comments.is_empty()).then(|| json!({ "comments": comments }));
    let (segment, payload) = (segment(packet), payload(packet));
    joined([Some(about), segment, payload, retransmission, reporter, name, comments])
}

fn segment(packet: &Decoded) -> Option<Value> {
    let Content::Tcp { flags, sequence, acknowledgement, window, .. } = packet.content else {
        return None;
    };
    Some(json!({
        "flags": flags.to_string(),
        "sequence": sequence,
        "acknowledgement": acknowledgement,
        "window": window,
    }))
}

/// Returns a segment's or datagram's payload: the number of octets sent, and the captured octets as text.
fn payload(packet: &Decoded) -> Option<Value> {
    let (Content::Tcp { payload, .. } | Content::Udp { payload }) = &packet.content else {
        return None;
    };
    let text = Printable(payload).to_string();
    Some(json!({ "payload_octets": packet.carried, "payload": text }))
}

fn time(at: Duration) -> Option<String> {
    let time = DateTime::from_timestamp(i64::try_from(at.as_secs()).ok()?, at.subsec_nanos())?;
    Some(time.to_rfc3339_opts(SecondsFormat::Nanos, true))
}

/// Returns the summary: the number of packets, the number of exchanges, and the time that passed.
pub(crate) fn summary(packets: u64, exchanges: u64, lasted: Duration) -> String {
    let packets = plural(packets, "packet");
    let exchanges = plural(exchanges, "exchange");
    format!("{packets} of {exchanges} in {:.3} s\n", lasted.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ladder::sighting::tests::{captured, role, segment};
    use crate::trace::Fate;
    use crate::wire::decode::Flags;
    use crate::wire::{Interface, InterfaceId};

    #[test]
    fn an_object_has_all_values_of_a_packet() {
        let id = InterfaceId { number: 1, passed: None };
        let mut captured = captured(&[b"one", b"\x1b"]);
        captured.at = Some(Duration::new(1_795_255_200, 5));
        captured.interface = Some(Interface { id, name: Some(b"br\x1b0"[..].into()) });
        let packet = segment(Flags::SYN, b"");
        let (role, since_ns) = (role(Side::Server), 12_500_021_000);
        let fate = &Fate::Seen;
        let seen = Sighting { role: &role, packet: &packet, captured: &captured, since_ns, fate };
        let expected = json!({
            "time": "2026-11-21T10:00:00.000000005Z",
            "since_first_us": 12_500_021.0,
            "interface": 1,
            "interface_name": "br\\x1b0",
            "comments": ["one", "\\x1b"],
            "exchange": 3,
            "transport": "tcp",
            "client": "[2001:db8::1]:40000",
            "server": "[2001:db8::2]:13",
            "to": "server",
            "what": "SYN",
            "octets": 60,
            "flags": "SYN",
            "sequence": 1,
            "acknowledgement": 2,
            "window": 3,
            "payload_octets": 0,
            "payload": "",
            "retransmission": false,
        });
        assert_eq!(json(&seen), expected);
    }
}
