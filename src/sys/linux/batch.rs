//! Sends and receives many datagrams per system call: `recvmmsg(2)` and `sendmmsg(2)`.
//!
//! `docs/decisions/building.md`, "Where unsafe code is", explains why this file has `unsafe` code. The code relies on
//! one invariant. Every pointer in a header refers to an element of a vector in the same batch. These vectors never
//! grow, and live as long as the headers. The elements are [`Cell`]s, so the kernel may change them through a pointer.
#![expect(unsafe_code, reason = "nix's recvmmsg(2) cannot be called again with control messages")]

use super::super::{Destination, MAX_BATCH_DATAGRAMS, MAX_CONTENT_OCTETS, Received};
use super::address::{self, Address, Control};
use nix::errno::Errno;
use nix::libc::{
    MSG_DONTWAIT, MSG_TRUNC, c_uint, c_void, iovec, mmsghdr, msghdr, recvfrom, recvmmsg, sendmmsg,
    sendto,
};
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::iter;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;

/// Received datagrams, and the replies to some of them. All memory is allocated in advance, so a batch costs only one
/// system call to receive and one to send.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Source address of each datagram, to which the reply goes.
    peers: Vec<Cell<Address>>,
    /// Control messages that hold the destination of each datagram.
    destinations: Vec<Cell<Control>>,
    /// Control messages that set the source address of each reply.
    sources: Vec<Cell<Control>>,
    /// First octets of each datagram's content.
    contents: Vec<Cell<[u8; MAX_CONTENT_OCTETS]>>,
    /// Address and length of each buffer in `contents`, which show the kernel where to store the content.
    content_places: Vec<Cell<iovec>>,
    /// Address and length of the buffer that holds the reply. All datagrams of a batch get the same reply.
    reply: Vec<Cell<iovec>>,
    incoming: Vec<mmsghdr>,
    outgoing: Vec<mmsghdr>,
    /// Number of datagrams in `incoming`.
    received: usize,
    /// For each header in `outgoing`, the number of the datagram that it answers.
    answered: Vec<usize>,
}

// SAFETY: every pointer refers to heap memory that only this batch owns. Moving the batch does not move that memory.
unsafe impl Send for Batch {}

impl Batch {
    pub(crate) fn new() -> Self {
        let nowhere = iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut batch = Self {
            peers: vec![Cell::new(Address::default()); MAX_BATCH_DATAGRAMS],
            destinations: vec![Cell::new(Control::default()); MAX_BATCH_DATAGRAMS],
            sources: vec![Cell::new(Control::default()); MAX_BATCH_DATAGRAMS],
            contents: vec![Cell::new([0; MAX_CONTENT_OCTETS]); MAX_BATCH_DATAGRAMS],
            content_places: vec![Cell::new(nowhere); MAX_BATCH_DATAGRAMS],
            reply: vec![Cell::new(nowhere)],
            incoming: iter::repeat_with(empty_header).take(MAX_BATCH_DATAGRAMS).collect(),
            outgoing: iter::repeat_with(empty_header).take(MAX_BATCH_DATAGRAMS).collect(),
            // With this maximum, the first `receive` sets the lengths in all headers.
            received: MAX_BATCH_DATAGRAMS,
            answered: Vec::with_capacity(MAX_BATCH_DATAGRAMS),
        };
        for (index, mmsghdr { msg_hdr, .. }) in batch.incoming.iter_mut().enumerate() {
            let content = batch.contents[index].as_ptr().cast();
            batch.content_places[index]
                .set(iovec { iov_base: content, iov_len: MAX_CONTENT_OCTETS });
            msg_hdr.msg_iov = batch.content_places[index].as_ptr();
            msg_hdr.msg_iovlen = 1;
            msg_hdr.msg_name = batch.peers[index].as_ptr().cast();
            msg_hdr.msg_control = batch.destinations[index].as_ptr().cast();
        }
        for mmsghdr { msg_hdr, .. } in &mut batch.outgoing {
            msg_hdr.msg_iov = batch.reply[0].as_ptr();
            msg_hdr.msg_iovlen = 1;
        }
        batch
    }

    /// Receives up to `most` queued datagrams, but at most [`MAX_BATCH_DATAGRAMS`], and keeps the first
    /// [`MAX_CONTENT_OCTETS`] octets of each. Returns the number of datagrams received. A number below `most` means
    /// that the queue was empty or that an error occurred. The kernel reports such an error with a separate readiness
    /// event. Returns `WouldBlock` if no datagram is queued.
    ///
    /// If `most` is 1, this calls `recvfrom(2)`, which is cheaper but does not report the destination.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd, most: usize) -> io::Result<usize> {
        for mmsghdr { msg_hdr, .. } in &mut self.incoming[..self.received] {
            msg_hdr.msg_namelen = address::MAX_ADDRESS_OCTETS;
            msg_hdr.msg_controllen = address::MAX_CONTROL_OCTETS as _;
        }
        self.received = 0;
        self.answered.clear();
        // MSG_TRUNC makes the kernel return the length of the whole datagram, even if the buffer is shorter.
        let (socket, flags) = (socket.as_raw_fd(), MSG_DONTWAIT | MSG_TRUNC);
        let headers = &mut self.incoming[..most.min(MAX_BATCH_DATAGRAMS)];
        if let [header] = headers {
            let msghdr { msg_name, msg_namelen, msg_controllen, .. } = &mut header.msg_hdr;
            let (name, length) = (msg_name.cast(), &raw mut *msg_namelen);
            let content = self.contents[0].as_ptr().cast();
            // SAFETY: the pointers to the address and to the content buffer refer to vectors of this batch, which
            // outlive the call.
            let octets =
                unsafe { recvfrom(socket, content, MAX_CONTENT_OCTETS, flags, name, length) };
            let octets = Errno::result(octets)?;
            header.msg_len = c_uint::try_from(octets).unwrap_or(c_uint::MAX);
            *msg_controllen = 0;
            self.received = 1;
        } else {
            let (headers, all) = (headers.as_mut_ptr(), number(headers));
            // SAFETY: `all` is the number of headers in the slice. The headers' pointers refer to vectors of this
            // batch, which outlive the call.
            let received = unsafe { recvmmsg(socket, headers, all, flags as _, ptr::null_mut()) };
            self.received = Errno::result(received)?.unsigned_abs() as usize;
        }
        Ok(self.received)
    }

    /// Returns the datagram with this number from the last `receive`, counted from 0. Returns `None` if the datagram
    /// has no source address.
    pub(crate) fn datagram(&self, number: usize) -> Option<Received> {
        let mmsghdr { msg_hdr, msg_len } = &self.incoming[..self.received][number];
        let peer = self.peers[number].get().read(msg_hdr.msg_namelen as usize)?;
        let mut received =
            Received { peer, octets: *msg_len as usize, sent_to_many: false, destination: None };
        if msg_hdr.msg_controllen > 0 {
            self.destinations[number]
                .get()
                .read_control(msg_hdr.msg_controllen as _, &mut received);
        }
        Some(received)
    }

    /// Returns the full length in octets of the datagram with this number from the last `receive`, counted from 0.
    pub(crate) fn octets(&self, number: usize) -> usize {
        self.incoming[..self.received][number].msg_len as usize
    }

    /// Calls `read` with the content of the datagram with this number, truncated to [`MAX_CONTENT_OCTETS`] octets.
    pub(crate) fn with_content<T>(&self, number: usize, read: impl FnOnce(&[u8]) -> T) -> T {
        match self.octets(number) {
            0 => read(&[]), // Most queries are empty, so this path saves a copy.
            length => read(&self.contents[number].get()[..length.min(MAX_CONTENT_OCTETS)]),
        }
    }

    /// Queues a reply to the datagram with this number. If `from` is given, the reply leaves from that address.
    pub(crate) fn queue_reply(&mut self, number: usize, from: Option<Destination>) {
        let to = &self.incoming[..self.received][number].msg_hdr;
        let header = &mut self.outgoing[self.answered.len()].msg_hdr;
        (header.msg_name, header.msg_namelen) = (to.msg_name, to.msg_namelen);
        (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
        if let Some(from) = from {
            let (control, length) = Control::from(from);
            self.sources[number].set(control);
            header.msg_control = self.sources[number].as_ptr().cast();
            header.msg_controllen = length as _;
        }
        self.answered.push(number);
    }

    /// Sends all queued replies; each consists of `octets`. If a reply cannot be sent, calls `lost` with its peer and
    /// its error, and continues with the next reply. `sendmmsg(2)` stops before such a reply, and the next call returns
    /// the error.
    pub(crate) fn send_replies(
        &mut self,
        socket: &impl AsRawFd,
        octets: &[u8],
        mut lost: impl FnMut(SocketAddr, &io::Error),
    ) {
        // The pointer may be mutable, because the kernel only reads through it.
        let base = octets.as_ptr().cast_mut().cast::<c_void>();
        self.reply[0].set(iovec { iov_base: base, iov_len: octets.len() });
        let mut first = 0;
        while let Some(answers @ [_, ..]) = self.outgoing[..self.answered.len()].get_mut(first..) {
            match send_some(socket.as_raw_fd(), answers) {
                Ok(sent) => first += sent,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    let datagram = self.datagram(self.answered[first]);
                    if let Some(Received { peer, .. }) = datagram {
                        lost(peer, &error);
                    }
                    first += 1;
                }
            }
        }
        self.answered.clear();
    }
}

/// Sends as many of these replies as the system accepts, but at least the first. Returns the number of replies sent, or
/// the error for the first reply.
///
/// The pointers in `answers` must be valid during the call.
fn send_some(socket: RawFd, answers: &mut [mmsghdr]) -> io::Result<usize> {
    if let [mmsghdr { msg_hdr: answer, .. }] = answers
        && answer.msg_control.is_null()
    {
        let (name, length) = (answer.msg_name.cast(), answer.msg_namelen);
        // SAFETY: the caller guarantees valid pointers, and the system call only reads through them.
        let sent = unsafe {
            let reply = *answer.msg_iov;
            sendto(socket, reply.iov_base, reply.iov_len, MSG_DONTWAIT, name, length)
        };
        return Ok(Errno::result(sent).map(|_| 1)?);
    }
    let (headers, all) = (answers.as_mut_ptr(), number(answers));
    // SAFETY: `all` is the number of headers in the slice, and the caller guarantees valid pointers.
    let sent = unsafe { sendmmsg(socket, headers, all, MSG_DONTWAIT as _) };
    Ok(Errno::result(sent)?.unsigned_abs() as usize)
}

/// Returns the number of headers as the type that the system calls take. The number is at most [`MAX_BATCH_DATAGRAMS`].
fn number(headers: &[mmsghdr]) -> c_uint {
    c_uint::try_from(headers.len()).unwrap_or(0)
}

fn empty_header() -> mmsghdr {
    // SAFETY: the struct has only numbers and pointers, and null pointers are permitted. A struct literal is not
    // possible, because it cannot name musl's padding.
    unsafe { mem::zeroed() }
}

#[cfg(test)]
mod tests {
    use super::super::ask_for_destination;
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, UdpSocket};
    use std::time::Duration;

    fn loopback() -> UdpSocket {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        socket
    }

    /// Returns sockets, each of which has sent one query. On loopback, the queries have already arrived.
    fn clients(server: &UdpSocket, number: usize) -> Vec<UdpSocket> {
        let clients: Vec<_> = (0..number).map(|_| loopback()).collect();
        for client in &clients {
            client.connect(server.local_addr().expect("bound")).expect("connected");
            client.send(b"?").expect("sent");
        }
        clients
    }

    fn reply_to(client: &UdpSocket) -> Vec<u8> {
        let mut octets = [0; 64];
        let length = client.recv(&mut octets).expect("an answer");
        octets[..length].to_vec()
    }

    #[test]
    fn a_reply_that_cannot_be_sent_is_reported_and_the_others_are_sent() {
        let server = loopback();
        let clients = clients(&server, 4);
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&server, MAX_BATCH_DATAGRAMS).expect("there"), 4);
        let foreign = Destination { address: Ipv4Addr::new(192, 0, 2, 1).into(), interface: 0 };
        for (number, from) in [(0, None), (1, Some(foreign)), (3, None)] {
            batch.queue_reply(number, from);
        }
        let mut lost = Vec::new();
        batch.send_replies(&server, b"the line", |peer, error| {
            lost.push((peer, error.raw_os_error()));
        });
        let unlucky = clients[1].local_addr().expect("bound");
        assert_eq!(lost.len(), 1, "{lost:?}");
        assert_eq!(lost[0].0, unlucky);
        assert_eq!([reply_to(&clients[0]), reply_to(&clients[3])], [b"the line", b"the line"]);
        for silent in [&clients[1], &clients[2]] {
            silent.set_nonblocking(true).expect("set");
            silent.recv(&mut [0; 64]).expect_err("nothing was sent");
        }
    }

    #[test]
    fn a_receive_returns_one_datagram_on_request_and_64_at_most() {
        let server = loopback();
        let _clients = clients(&server, MAX_BATCH_DATAGRAMS + 2);
        let mut batch = Batch::new();
        assert_eq!(batch.receive(&server, 1).expect("there"), 1);
        let one = batch.datagram(0).expect("it has a source");
        assert_eq!((one.octets, one.destination), (1, None));
        assert_eq!(batch.receive(&server, usize::MAX).expect("there"), MAX_BATCH_DATAGRAMS);
        assert!((0..MAX_BATCH_DATAGRAMS).all(|number| batch.datagram(number).is_some()));
        assert_eq!(batch.receive(&server, MAX_BATCH_DATAGRAMS).expect("there"), 1);
        let nothing = batch.receive(&server, 1).expect_err("none is left");
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_slot_that_held_an_ipv6_datagram_reports_the_destination_of_an_ipv4_one() {
        // If this host has no IPv6, there is nothing to test.
        let Ok(server) = UdpSocket::bind("[::]:0") else { return };
        ask_for_destination(&server, server.local_addr().expect("bound").ip()).expect("asked");
        let port = server.local_addr().expect("bound").port();
        let mut batch = Batch::new();
        for asked in ["::1", "127.0.0.7", "::1", "127.0.0.8"] {
            let asked: IpAddr = asked.parse().expect("an address");
            let any = if asked.is_ipv6() { "[::1]:0" } else { "127.0.0.1:0" };
            let Ok(client) = UdpSocket::bind(any) else { return };
            client.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
            client.connect((asked, port)).expect("connected"); // A connected socket receives only from this address.
            client.send(b"").expect("sent");
            server.peek_from(&mut [0]).expect("it is there");
            assert_eq!(batch.receive(&server, MAX_BATCH_DATAGRAMS).expect("there"), 1);
            let received = batch.datagram(0).expect("it has a source");
            assert!(!received.sent_to_many);
            assert_eq!(received.destination.expect("a destination").address, asked);
            batch.queue_reply(0, received.destination);
            batch.send_replies(&server, b"here", |peer, error| panic!("{peer}: {error}"));
            assert_eq!(reply_to(&client), b"here");
        }
    }
}
