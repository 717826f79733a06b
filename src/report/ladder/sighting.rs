//! Formats a captured packet for `daytime wire`: as a row in the list of all packets, and as a row in its
//! conversation's ladder.

use super::layout::Layout;
use super::rows::Arrow;
use super::{PLAIN, text};
use crate::reply::Printable;
use crate::trace::{Fate, Host, HostId};
use crate::wire::Captured;
use crate::wire::conversation::{PacketRole, Side};
use crate::wire::decode::Decoded;
use std::time::Duration;

/// Width in columns of a row.
const WIDTH: usize = 80;
/// Maximum number of comments to show for one packet. A packet in a capture file may have millions of comments.
const MAX_COMMENTS: usize = 8;

const CLIENT: HostId = HostId(0);
const SERVER: HostId = HostId(1);

/// A captured packet and its role in its conversation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sighting<'a> {
    pub role: &'a PacketRole,
    pub packet: &'a Decoded,
    pub captured: &'a Captured,
    /// Nanoseconds since the capture's first packet; negative if the packet is older.
    pub since_ns: i64,
    pub fate: &'a Fate,
}

/// Returns the two hosts that every conversation's ladder shows: client and server.
pub(super) fn hosts() -> [Host; 2] {
    ["client", "server"].map(|name| Host { name: name.to_owned(), addresses: Vec::new() })
}

impl Sighting<'_> {
    /// Returns this packet's row in the list of all packets, with the name of its conversation. Above a conversation's
    /// first row is the conversation's title. The packet's comments are below the row.
    ///
    /// The text always contains colour codes. The output stream removes them if they are not wanted.
    pub(crate) fn row(&self) -> String {
        let time = format!("{:.3}", in_unit(self.since_ns, 1e6));
        let name = format!("{} {}", self.role.transport, self.role.number);
        let name_begin = time.len().max(11) + 2;
        let client = name_begin + name.len().max(7) + 2;
        let layout = Layout::of_conversation(name_begin - 1, client, WIDTH);
        let mut lines = Vec::new();
        if self.role.is_first {
            lines = layout.head(&hosts(), &self.title());
        }
        let first = lines.len();
        layout.arrow(&self.arrow(), &mut lines);
        if let Some(line) = lines.get_mut(first) {
            line.put_before(name_begin - 2, &time, PLAIN);
            line.put(name_begin, &name, PLAIN);
        }
        for comment in self.shown_comments() {
            layout.note(&comment, &mut lines);
        }
        text(&lines)
    }

    /// Returns the first [`MAX_COMMENTS`] comments and, if there are more, a line with their number.
    fn shown_comments(&self) -> Vec<String> {
        let comments = || self.comments().filter(|comment| !comment.is_empty());
        let mut shown: Vec<String> = comments().take(MAX_COMMENTS).collect();
        match comments().count() {
            all if all > MAX_COMMENTS => {
                shown.push(format!("… and {} more comments", all - MAX_COMMENTS));
            }
            _ => {}
        }
        shown
    }

    /// Returns the packet's comments, safe to print. Omits the comment that merely says that the packet was captured
    /// here, because that is true of every packet.
    pub(crate) fn comments(&self) -> impl Iterator<Item = String> {
        let seen = Fate::Seen.words(Duration::ZERO).into_bytes();
        let others = self.captured.comments.iter().filter(move |comment| **comment != seen);
        others.map(|comment| Printable(comment).to_string())
    }

    /// Returns the conversation's title: its number, the client, the server, and the interface on which it was
    /// captured.
    pub(super) fn title(&self) -> String {
        let PacketRole { transport, number, client, server, .. } = self.role;
        let name = self.captured.interface.as_ref().and_then(|it| it.name.as_deref());
        let on = name.map(|name| format!(", on {}", Printable(name))).unwrap_or_default();
        format!("{transport} {number}: {client} → {server}{on}")
    }

    pub(super) fn arrow(&self) -> Arrow {
        let (from, to) = match self.role.to {
            Side::Client => (SERVER, CLIENT),
            Side::Server => (CLIENT, SERVER),
        };
        let arrow = Arrow::of(self.packet, from, to, self.role.is_retransmission);
        match self.role.third_party {
            // A third party, such as a router that reports an error, has no line in the diagram, so the text below the
            // arrow names it.
            Some(third_party) if !self.role.is_retransmission => {
                Arrow { payload: format!("says {third_party}"), ..arrow }
            }
            _ => arrow,
        }
    }
}

/// Converts nanoseconds to another unit, which is `unit` nanoseconds long.
#[expect(clippy::cast_precision_loss, reason = "nanoseconds of a quarter year are exact")]
pub(crate) fn in_unit(nanoseconds: i64, unit: f64) -> f64 {
    nanoseconds as f64 / unit
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::mentions::mentions;
    use crate::transport::Transport;
    use crate::wire::decode::{Content, Endpoint, Flags};

    pub(crate) fn end(text: &str) -> Endpoint {
        let socket: std::net::SocketAddr = text.parse().expect("an address");
        Endpoint { address: socket.ip(), port: Some(socket.port()) }
    }

    pub(crate) fn role(to: Side) -> PacketRole {
        PacketRole {
            number: 3,
            is_first: false,
            transport: Transport::Tcp,
            client: end("[2001:db8::1]:40000"),
            server: end("[2001:db8::2]:13"),
            to,
            third_party: None,
            is_retransmission: false,
        }
    }

    pub(crate) fn segment(flags: Flags, payload: &[u8]) -> Decoded {
        let (payload, carried) = (payload.to_vec(), payload.len());
        let content = Content::Tcp { flags, sequence: 1, acknowledgement: 2, window: 3, payload };
        let (source, destination) = (end("[2001:db8::1]:40000"), end("[2001:db8::2]:13"));
        Decoded {
            source,
            destination,
            protocol: 6,
            content,
            octets: 60,
            carried,
            fragment_of: None,
        }
    }

    pub(crate) fn captured(comments: &[&[u8]]) -> Captured {
        let comments = comments.iter().map(|comment| comment.to_vec()).collect();
        Captured { at: None, octets: Vec::new(), interface: None, comments }
    }

    const SINCE: i64 = 12_500_021_000;

    fn row(since_ns: i64, role: &PacketRole, packet: &Decoded, comments: &[&[u8]]) -> String {
        let (captured, fate) = (&captured(comments), &Fate::Seen);
        Sighting { role, packet, captured, since_ns, fate }.row()
    }

    /// Returns the lines of `text` without colour codes.
    fn plain(text: &str) -> Vec<String> {
        anstream::adapter::strip_str(text).to_string().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_new_conversation_is_introduced_and_its_packet_drawn() {
        let first = PacketRole { is_first: true, ..role(Side::Server) };
        let drawn = plain(&row(SINCE, &first, &segment(Flags::SYN, b""), &[]));
        let expected = [
            "tcp 3: [2001:db8::1]:40000 → [2001:db8::2]:13",
            "         ms           client                                              server",
            "  12500.021  tcp 3    │── SYN ────────────────────────────────────────────────▶│",
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn what_comes_back_has_its_payload_and_its_comments_below_it_escaped() {
        let line = segment(Flags::FIN | Flags::ACK, b"noon\x1b[2J\r\n");
        let comments = [&b"seen here"[..], b"lost", b"by\x1bchance"];
        let drawn = plain(&row(SINCE, &role(Side::Client), &line, &comments));
        let expected = [
            "  12500.021  tcp 3    │◀───────────────────────────────────── 10 octets, FIN ──│",
            "                      │                                      \"noon\\x1b[2J\\r\\n\" │",
            "                      │ lost                                                   │",
            "                      │ by\\x1bchance                                           │",
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn no_row_is_wider_than_80_columns() {
        let long = "[2001:db8:1111:2222:3333:4444:5555:6666]:40000";
        let worst = PacketRole {
            number: 123_456,
            is_first: true,
            client: end(long),
            server: end(long),
            third_party: Some(end(long).address),
            ..role(Side::Client)
        };
        let payload = segment(Flags(0xff), &[b'x'; 512]);
        let drawn = plain(&row(1_000_000_000_000_000, &worst, &payload, &[&[b'y'; 90]]));
        assert_eq!(drawn.len(), 7, "{drawn:?}");
        for line in &drawn[..3] {
            assert!(line.chars().count() <= 80, "{line}");
        }
        for line in &drawn[3..] {
            assert_eq!(line.chars().count(), 80, "{line}");
        }
        let reply = &plain(&row(SINCE, &role(Side::Client), &payload, &[]))[1];
        assert!(reply.contains("│ \"…xxx") && reply.chars().count() == 80, "{reply}");
    }

    #[test]
    fn colour_tells_the_way_and_what_is_wrong() {
        let colour = |role: &PacketRole, flags| {
            let text = row(SINCE, role, &segment(flags, b""), &[]);
            ["32", "36", "33", "31"].map(|it| text.contains(&format!("\x1b[{it}m")))
        };
        let retransmission = PacketRole { is_retransmission: true, ..role(Side::Client) };
        assert_eq!(colour(&role(Side::Client), Flags::SYN), [true, false, false, false]);
        assert_eq!(colour(&role(Side::Server), Flags::SYN), [false, true, false, false]);
        assert_eq!(colour(&retransmission, Flags::SYN), [false, false, true, false]);
        assert_eq!(colour(&retransmission, Flags::RST), [false, false, false, true]);
    }

    #[test]
    fn many_comments_are_a_few_and_their_number_and_a_long_one_keeps_its_beginning() {
        let long = format!("\"sent\" {}", "again ".repeat(20));
        let mut comments = vec![long.as_bytes()];
        comments.extend([&b"more"[..]; 1000]);
        comments.extend([&b""[..]; 1000]);
        let syn = segment(Flags::SYN, b"");
        let drawn = plain(&row(SINCE, &role(Side::Client), &syn, &comments));
        assert_eq!(drawn.len(), 1 + MAX_COMMENTS + 1, "{drawn:?}");
        assert!(drawn[1].contains("│ \"sent\" again again"), "{drawn:?}");
        mentions(&drawn[MAX_COMMENTS + 1], &["993 more comments"]);
        assert!(drawn.iter().all(|line| line.chars().count() <= WIDTH), "{drawn:?}");
    }

    #[test]
    fn what_a_file_has_out_of_order_was_before_the_first() {
        let drawn = plain(&row(-1_500_000, &role(Side::Server), &segment(Flags::SYN, b""), &[]));
        assert!(drawn[0].starts_with("     -1.500  tcp 3"), "{drawn:?}");
    }
}
