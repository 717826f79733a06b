//! Packets as they come, a line for each: the client on the left, the server on the right.

use super::packet::{self, label, quoted};
use super::plural;
use crate::reply::Printable;
use crate::trace::Fate;
use crate::transport::Transport;
use crate::wire::Captured;
use crate::wire::decode::{Decoded, Flags, Kind};
use crate::wire::talk::{Said, Side};
use anstyle::{AnsiColor, Style};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::time::Duration;

/// Columns of a line.
const WIDTH: usize = 80;

/// Comments of a packet; a file may have millions of one.
const MOST_COMMENTS: usize = 8;

const TO_SERVER: Style = AnsiColor::Cyan.on_default();
const TO_CLIENT: Style = AnsiColor::Green.on_default();
/// Said once more.
const REPEAT: Style = AnsiColor::Yellow.on_default();
/// RST and ICMP errors.
const BAD: Style = AnsiColor::Red.on_default();
const PALE: Style = Style::new().dimmed();

/// A packet, so long after the first: one line; before it, who is who, if its exchange is new; below it what
/// the packet carries, and what a file says of it.
///
/// Colour is written always; the terminal's stream takes it off where it is not wanted.
pub(crate) fn lines(since_ns: i64, said: &Said, packet: &Decoded, comments: &[Vec<u8>]) -> String {
    let mut lines = String::new();
    if said.is_first {
        introduce(&mut lines, said);
    }
    let time = format!("{:>11.6}", microseconds(since_ns) / 1e6);
    let name = format!("{:7}", name(said));
    let before = time.len() + name.len() + 4;
    let room = WIDTH.saturating_sub(before + 2);
    let (style, arrow) = (style(said, packet), arrow(said, packet, room));
    push(&mut lines, &format!("{PALE}{time}{PALE:#}  {name}  │{style}{arrow}{style:#}│"));
    let mut below = |style: Style, text: &str| {
        let text = format!("{:room$}", format!(" {} ", packet::cut_end(text, room - 2)));
        push(&mut lines, &format!("{:before$}│{style}{text}{style:#}│", ""));
    };
    if let Kind::Tcp { payload, .. } | Kind::Udp { payload } = &packet.kind
        && !payload.is_empty()
    {
        let quoted = packet::cut(&quoted(payload), room);
        let inner = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
        below(Style::new(), inner.unwrap_or(&quoted));
    }
    if let Some(third) = said.third {
        below(BAD, &format!("says {third}"));
    }
    let mut told = told(comments).filter(|comment| !comment.is_empty());
    for comment in told.by_ref().take(MOST_COMMENTS) {
        below(PALE, &comment);
    }
    match told.count() {
        0 => {}
        more => below(PALE, &format!("… and {more} more comments")),
    }
    lines
}

/// What comments say, safe to show. That a packet was seen goes without saying here.
fn told(comments: &[Vec<u8>]) -> impl Iterator<Item = String> {
    let seen = Fate::Seen.words(Duration::ZERO).into_bytes();
    let told = comments.iter().filter(move |comment| **comment != seen);
    told.map(|comment| Printable(comment).to_string())
}

fn push(lines: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "{line}");
}

/// Two long addresses take two lines.
fn introduce(lines: &mut String, said: &Said) {
    let Said { client, server, .. } = said;
    let name = name(said);
    let line = format!("{name}  {client} asks {server}");
    if line.len() <= WIDTH {
        push(lines, &line);
    } else {
        push(lines, &format!("{name}  {client}"));
        push(lines, &format!("{:1$}  asks {server}", "", name.len()));
    }
}

/// Such as `tcp 3`.
fn name(said: &Said) -> String {
    format!("{} {}", said.transport, said.number)
}

fn style(said: &Said, packet: &Decoded) -> Style {
    match packet.kind {
        Kind::Icmp { .. } => BAD,
        Kind::Tcp { flags, .. } if flags.contains(Flags::RST) => BAD,
        _ if said.is_repeat => REPEAT,
        _ if said.to == Side::Server => TO_SERVER,
        _ => TO_CLIENT,
    }
}

/// Over the whole room: `─── SYN ────▶`.
fn arrow(said: &Said, packet: &Decoded, room: usize) -> String {
    let mut what = label(packet);
    if said.is_repeat {
        what += " (retransmission)";
    }
    let line = format!("─── {} ", packet::cut(&what, room - 6));
    match said.to {
        Side::Server => format!("{line:─<0$}▶", room - 1),
        Side::Client => format!("◀{line:─<0$}", room - 1),
    }
}

/// The same as an object for scripts.
pub(crate) fn json(since_ns: i64, said: &Said, packet: &Decoded, captured: &Captured) -> Value {
    let interface = captured.interface.as_ref();
    let mut object = json!({
        "time": captured.at.map_or(Value::Null, time),
        "since_first_us": microseconds(since_ns),
        "interface": interface.map(|it| it.id.passed.unwrap_or(it.id.number)),
        "exchange": said.number,
        "transport": said.transport.to_string(),
        "client": said.client.to_string(),
        "server": said.server.to_string(),
        "to": if said.to == Side::Server { "server" } else { "client" },
        "what": label(packet),
        "octets": packet.octets,
    });
    if let Value::Object(keys) = &mut object {
        keys.extend(inside(packet));
        if said.transport == Transport::Tcp {
            keys.insert("retransmission".to_owned(), said.is_repeat.into());
        }
        if let Some(third) = said.third {
            keys.insert("said_by".to_owned(), third.to_string().into());
        }
        if let Some(name) = interface.and_then(|it| it.name.as_deref()) {
            keys.insert("interface_name".to_owned(), Printable(name).to_string().into());
        }
        let comments: Vec<String> = told(&captured.comments).collect();
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
    use crate::wire::decode::End;
    use crate::wire::{Interface, InterfaceId};

    fn end(text: &str) -> End {
        let socket: std::net::SocketAddr = text.parse().expect("an address");
        End { address: socket.ip(), port: Some(socket.port()) }
    }

    fn said(to: Side) -> Said {
        Said {
            number: 3,
            is_first: false,
            transport: Transport::Tcp,
            client: end("[2001:db8::1]:40000"),
            server: end("[2001:db8::2]:13"),
            to,
            third: None,
            is_repeat: false,
        }
    }

    fn segment(flags: Flags, payload: &[u8]) -> Decoded {
        let (payload, carried) = (payload.to_vec(), payload.len());
        let kind = Kind::Tcp { flags, sequence: 1, acknowledgement: 2, window: 3, payload };
        let (source, destination) = (end("[2001:db8::1]:40000"), end("[2001:db8::2]:13"));
        Decoded { source, destination, kind, octets: 60, carried, fragment_of: None }
    }

    /// Without colour.
    fn plain(text: &str) -> Vec<String> {
        anstream::adapter::strip_str(text).to_string().lines().map(str::to_owned).collect()
    }

    const SINCE: i64 = 12_500_021_000;

    #[test]
    fn a_new_exchange_is_introduced_and_its_packet_drawn() {
        let first = Said { is_first: true, ..said(Side::Server) };
        let drawn = plain(&lines(SINCE, &first, &segment(Flags::SYN, b""), &[]));
        let expected = [
            "tcp 3  [2001:db8::1]:40000 asks [2001:db8::2]:13",
            "  12.500021  tcp 3    │─── SYN ───────────────────────────────────────────────▶│",
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn what_comes_back_has_its_payload_below_it_escaped() {
        let line = segment(Flags::FIN | Flags::ACK, b"noon\x1b[2J\r\n");
        let repeat = Said { is_repeat: true, ..said(Side::Client) };
        let drawn = plain(&lines(
            SINCE,
            &repeat,
            &line,
            &[b"seen here".to_vec(), b"lost".to_vec(), b"by\x1bchance".to_vec()],
        ));
        let expected = [
            "  12.500021  tcp 3    │◀─── 10 octets, FIN (retransmission) ───────────────────│",
            "                      │ noon\\x1b[2J\\r\\n                                        │",
            "                      │ lost                                                   │",
            "                      │ by\\x1bchance                                           │",
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn no_line_is_wider_than_80_columns() {
        let long = "[2001:db8:1111:2222:3333:4444:5555:6666]:40000";
        let worst = Said {
            number: 123_456,
            is_first: true,
            client: end(long),
            server: end(long),
            third: Some(end(long).address),
            is_repeat: true,
            ..said(Side::Client)
        };
        let payload = segment(Flags(0xff), &[b'x'; 512]);
        let since_ns = 1_000_000_000_000_000;
        let text = lines(since_ns, &worst, &payload, &[vec![b'y'; 90]]);
        let drawn = plain(&text);
        assert_eq!(drawn.len(), 6);
        for line in &drawn[..2] {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for line in &drawn[2..] {
            assert_eq!(line.chars().count(), 80, "{line}");
        }
        assert!(drawn[3].contains("│ …xxx"), "{}", drawn[3]);
    }

    #[test]
    fn colour_tells_the_way_and_what_is_wrong() {
        let colour = |said: &Said, flags| {
            let text = lines(SINCE, said, &segment(flags, b""), &[]);
            ["32", "36", "33", "31"].map(|it| text.contains(&format!("\x1b[{it}m")))
        };
        let repeat = Said { is_repeat: true, ..said(Side::Client) };
        assert_eq!(colour(&said(Side::Client), Flags::SYN), [true, false, false, false]);
        assert_eq!(colour(&said(Side::Server), Flags::SYN), [false, true, false, false]);
        assert_eq!(colour(&repeat, Flags::SYN), [false, false, true, false]);
        assert_eq!(colour(&repeat, Flags::RST), [false, false, false, true]);
    }

    #[test]
    fn many_comments_are_a_few_and_their_number_and_a_long_one_keeps_its_beginning() {
        let mut comments = vec![format!("\"sent\" {}", "again ".repeat(20)).into_bytes()];
        comments.extend(vec![b"more".to_vec(); 1000]);
        comments.extend(vec![Vec::new(); 1000]);
        let drawn = plain(&lines(SINCE, &said(Side::Client), &segment(Flags::SYN, b""), &comments));
        assert_eq!(drawn.len(), 1 + MOST_COMMENTS + 1, "{drawn:?}");
        assert!(drawn[1].contains("│ \"sent\" again again"), "{drawn:?}");
        assert!(drawn[MOST_COMMENTS + 1].contains("… and 993 more comments"), "{drawn:?}");
        assert!(drawn.iter().all(|line| line.chars().count() <= WIDTH), "{drawn:?}");
    }

    #[test]
    fn what_a_file_has_out_of_order_was_before_the_first() {
        let drawn = plain(&lines(-1_500_000, &said(Side::Server), &segment(Flags::SYN, b""), &[]));
        assert!(drawn[0].starts_with("  -0.001500  tcp 3"), "{drawn:?}");
    }

    #[test]
    fn an_object_has_what_the_line_has() {
        let captured = Captured {
            at: Some(Duration::new(1_795_255_200, 5)),
            octets: Vec::new(),
            interface: Some(Interface {
                id: InterfaceId { number: 1, passed: None },
                name: Some(b"br\x1b0"[..].into()),
            }),
            comments: vec![b"one".to_vec(), b"\x1b".to_vec()],
        };
        let packet = segment(Flags::SYN, b"");
        let object = json(SINCE, &said(Side::Server), &packet, &captured);
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
        assert_eq!(object, expected);
    }
}
