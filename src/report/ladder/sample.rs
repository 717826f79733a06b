//! Sample packets of a conversation, for tests.

use crate::transport::Transport;
use crate::wire::Captured;
use crate::wire::conversation::{PacketRole, Side};
use crate::wire::decode::{Decoded, End, Flags, Kind};

pub(crate) fn end(text: &str) -> End {
    let socket: std::net::SocketAddr = text.parse().expect("an address");
    End { address: socket.ip(), port: Some(socket.port()) }
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
    let kind = Kind::Tcp { flags, sequence: 1, acknowledgement: 2, window: 3, payload };
    let (source, destination) = (end("[2001:db8::1]:40000"), end("[2001:db8::2]:13"));
    Decoded { source, destination, kind, octets: 60, carried, fragment_of: None }
}

pub(crate) fn captured(comments: &[&[u8]]) -> Captured {
    let comments = comments.iter().map(|comment| comment.to_vec()).collect();
    Captured { at: None, octets: Vec::new(), interface: None, comments }
}
