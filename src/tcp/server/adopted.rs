//! A connection that somebody else has accepted: inetd, for a `stream nowait` service.

use super::{Round, Service};
use mio::net::TcpStream;
use std::net::SocketAddr;

impl Service {
    /// Answers and drains it like one of our own.
    pub(crate) fn adopt(&mut self, stream: TcpStream, peer: SocketAddr, round: &mut Round) {
        self.answer(stream, peer, round);
    }
}
