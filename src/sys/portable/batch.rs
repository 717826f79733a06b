//! Receives and sends datagrams one at a time, because POSIX has no call for several datagrams.

use super::super::{Destination, MAX_BATCH_DATAGRAMS, MAX_CONTENT_OCTETS, Received};
use nix::sys::socket::{SockaddrStorage, recvfrom};
use socket2::SockRef;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};

/// Received datagrams, and the peers whose datagrams get a reply.
#[derive(Debug)]
pub(crate) struct Batch {
    received: Vec<Received>,
    /// First octets of each datagram's content.
    contents: Vec<[u8; MAX_CONTENT_OCTETS]>,
    answered: Vec<SocketAddr>,
}

impl Batch {
    pub(crate) fn new() -> Self {
        Self {
            received: Vec::with_capacity(MAX_BATCH_DATAGRAMS),
            contents: vec![[0; MAX_CONTENT_OCTETS]; MAX_BATCH_DATAGRAMS],
            answered: Vec::with_capacity(MAX_BATCH_DATAGRAMS),
        }
    }

    /// Receives up to `most` queued datagrams, but at most [`MAX_BATCH_DATAGRAMS`], and keeps the
    /// first [`MAX_CONTENT_OCTETS`] octets of each. Returns the number of datagrams received. A
    /// number below `most` means that the queue was empty or that an error occurred. Returns
    /// `WouldBlock` if no datagram is queued.
    pub(crate) fn receive(&mut self, socket: &impl AsFd, most: usize) -> io::Result<usize> {
        self.received.clear();
        self.answered.clear();
        while self.received.len() < most.min(MAX_BATCH_DATAGRAMS) {
            match receive_one(socket, &mut self.contents[self.received.len()]) {
                Ok(received) => self.received.push(received),
                // If the error persists, the next call returns it.
                Err(_) if !self.received.is_empty() => break,
                Err(error) => return Err(error),
            }
        }
        Ok(self.received.len())
    }

    /// Returns the datagram with this number from the last `receive`, counted from 0. Returns
    /// `None` if there is no such datagram.
    pub(crate) fn datagram(&self, number: usize) -> Option<Received> {
        self.received.get(number).copied()
    }

    /// Returns the length in octets of the datagram with this number from the last `receive`,
    /// counted from 0. The length is at most [`MAX_CONTENT_OCTETS`].
    pub(crate) fn octets(&self, number: usize) -> usize {
        self.received[number].octets
    }

    /// Calls `read` with the content of the datagram with this number, truncated to
    /// [`MAX_CONTENT_OCTETS`] octets.
    pub(crate) fn with_content<T>(&self, number: usize, read: impl FnOnce(&[u8]) -> T) -> T {
        read(&self.contents[number][..self.received[number].octets])
    }

    /// Queues a reply to the datagram with this number. The route chooses the source address of the
    /// reply.
    pub(crate) fn queue_reply(&mut self, number: usize, _: Option<Destination>) {
        self.answered.push(self.received[number].peer);
    }

    /// Sends all queued replies; each consists of the same octets. If a reply cannot be sent, calls
    /// `lost` with its peer and its error, and continues with the next reply.
    pub(crate) fn send_replies(
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

/// Receives one datagram. A datagram longer than the buffer is reported with a length of
/// [`MAX_CONTENT_OCTETS`] octets.
fn receive_one(socket: &impl AsFd, content: &mut [u8; MAX_CONTENT_OCTETS]) -> io::Result<Received> {
    let (octets, peer) = recvfrom::<SockaddrStorage>(socket.as_fd().as_raw_fd(), content)?;
    let peer = peer
        .as_ref()
        .and_then(source)
        .ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "datagram without a source"))?;
    Ok(Received { peer, octets, sent_to_many: false, destination: None })
}

fn source(peer: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = peer.as_sockaddr_in().map(|v4| SocketAddrV4::from(*v4).into());
    v4.or_else(|| peer.as_sockaddr_in6().map(|v6| SocketAddrV6::from(*v6).into()))
}
