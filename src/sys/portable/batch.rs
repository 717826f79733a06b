//! Datagrams one by one: POSIX has no call for many.

use super::super::{Destination, Received};
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::AsFd;

/// Datagrams as they were received, and whom of their senders to answer.
#[derive(Debug)]
pub(crate) struct Batch {
    received: Vec<Received>,
    answered: Vec<SocketAddr>,
}

impl Batch {
    /// The most datagrams that are taken at once.
    pub(crate) const MOST: usize = 64;

    pub(crate) fn new() -> Self {
        Self { received: Vec::with_capacity(Self::MOST), answered: Vec::with_capacity(Self::MOST) }
    }

    /// Takes datagrams that wait, so many at most and [`Self::MOST`] in any case; their octets are thrown
    /// away. If it is fewer, no more were waiting. `WouldBlock` when none waits.
    pub(crate) fn receive(&mut self, socket: &impl AsFd, most: usize) -> io::Result<usize> {
        self.received.clear();
        self.answered.clear();
        while self.received.len() < most.min(Self::MOST) {
            match receive_one(socket) {
                Ok(received) => self.received.push(received),
                // It comes up again with the next call, if it lasts.
                Err(_) if !self.received.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.received.len())
    }

    /// A datagram of the last `receive`, by its number from 0; `None` if it has no source.
    pub(crate) fn datagram(&self, number: usize) -> Option<Received> {
        self.received.get(number).copied()
    }

    /// Adds an answer to a datagram of the last `receive`. It leaves from the address that the route picks.
    pub(crate) fn answer(&mut self, number: usize, _: Option<Destination>) {
        self.answered.push(self.received[number].peer);
    }

    /// Sends every answer that was added, with these octets. One that cannot leave is told to `lost`, with
    /// whom it was for, and costs the others nothing.
    pub(crate) fn send(
        &mut self,
        socket: &impl AsFd,
        octets: &[u8],
        mut lost: impl FnMut(SocketAddr, &io::Error),
    ) {
        let socket = socket.as_fd();
        let socket = SockRef::from(&socket);
        for peer in self.answered.drain(..) {
            let sent = loop {
                match socket.send_to(octets, &peer.into()) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    sent => break sent,
                }
            };
            if let Err(error) = sent {
                lost(peer, &error);
            }
        }
    }
}

/// Of a long datagram the length is that of what fits into a reply, which is all that anybody asks of it.
fn receive_one(socket: &impl AsFd) -> io::Result<Received> {
    let mut octets = [MaybeUninit::uninit(); 512];
    let (octets, peer) = SockRef::from(&socket.as_fd()).recv_from(&mut octets)?;
    let peer = peer
        .as_socket()
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "datagram without a source"))?;
    Ok(Received { peer, octets, sent_to_many: false, destination: None })
}
