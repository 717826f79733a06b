//! A connection that somebody else has accepted: inetd, for a `stream nowait` service.

use super::Service;
use crate::metrics::Metrics;
use crate::responder::Responder;
use mio::Registry;
use mio::net::TcpStream;
use std::net::SocketAddr;
use std::time::Instant;

impl Service {
    /// Answers and drains it like one of our own.
    pub(crate) fn adopt(
        &mut self,
        stream: TcpStream,
        peer: SocketAddr,
        responder: &mut Responder,
        registry: &Registry,
        metrics: &Metrics,
    ) {
        self.answer(stream, peer, responder, registry, Instant::now(), metrics);
    }
}
