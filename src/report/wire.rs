//! Packets that `wire` sees as JSON, and their sum.

use super::ladder::Sighting;
use super::packet::label;
use super::plural;
use crate::reply::Printable;
use crate::transport::Transport;
use crate::wire::conversation::Side;
use crate::wire::decode::{Decoded, Kind};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A packet as an object.
pub(crate) fn json(seen: &Sighting) -> Value {
    let Sighting { role, packet, captured, .. } = *seen;
    let interface = captured.interface.as_ref();
    let mut object = json!({
        "time": captured.at.map_or(Value::Null, time),
        "since_first_us": microseconds(seen.since_ns),
        "interface": interface.map(|it| it.id.passed.unwrap_or(it.id.number)),
        "exchange": role.number,
        "transport": role.transport.to_string(),
        "client": role.client.to_string(),
        "server": role.server.to_string(),
        "to": if role.to == Side::Server { "server" } else { "client" },
        "what": label(packet),
        "octets": packet.octets,
    });
    if let Value::Object(keys) = &mut object {
        keys.extend(inside(packet));
        if role.transport == Transport::Tcp {
            keys.insert("retransmission".to_owned(), role.is_retransmission.into());
        }
        if let Some(third_party) = role.third_party {
            keys.insert("said_by".to_owned(), third_party.to_string().into());
        }
        if let Some(name) = interface.and_then(|it| it.name.as_deref()) {
            keys.insert("interface_name".to_owned(), Printable(name).to_string().into());
        }
        let comments: Vec<String> = seen.comments().collect();
        if !comments.is_empty() {
            keys.insert("comments".to_owned(), comments.into());
        }
    }
    object
}

/// What is in the packet, as far as it is TCP or UDP.
fn inside(packet: &Decoded) -> Map<String, Value> {
    let mut keys = Map::new();
    if let Kind::Tcp { flags, sequence, acknowledgement, window, .. } = packet.kind {
        keys.insert("flags".to_owned(), flags.to_string().into());
        keys.insert("sequence".to_owned(), sequence.into());
        keys.insert("acknowledgement".to_owned(), acknowledgement.into());
        keys.insert("window".to_owned(), window.into());
    }
    if let Kind::Tcp { payload, .. } | Kind::Udp { payload } = &packet.kind {
        // As many as were sent; of those that follow a capture may have fewer.
        keys.insert("payload_octets".to_owned(), packet.carried.into());
        keys.insert("payload".to_owned(), Printable(payload).to_string().into());
    }
    keys
}

fn time(at: Duration) -> Value {
    let seconds = i64::try_from(at.as_secs()).ok();
    let time = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, at.subsec_nanos()));
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Nanos, true)).into()
}

#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a quarter year are exact")]
fn microseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e3
}

/// How it ended: how much was seen in which time.
pub(crate) fn summary(packets: u64, exchanges: u64, lasted: Duration) -> String {
    let packets = plural(packets, "packet");
    let exchanges = plural(exchanges, "exchange");
    format!("{packets} of {exchanges} in {:.3} s\n", lasted.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::ladder::sample::{captured, role, segment};
    use crate::trace::Fate;
    use crate::wire::decode::Flags;
    use crate::wire::{Interface, InterfaceId};

    #[test]
    fn an_object_has_what_the_row_has() {
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
