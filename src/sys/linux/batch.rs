//! Many datagrams with one system call: `recvmmsg(2)` and `sendmmsg(2)`.
//!
//! One of the places with `unsafe` code of our own: `docs/ARCHITECTURE.md`, "Where unsafe code is", has the
//! reason. It rests on one invariant: the headers' pointers lead into vectors of the same batch, which
//! never grow and live as long, and whose elements are [`Cell`]s, which may change behind a pointer.
#![expect(unsafe_code, reason = "nix's recvmmsg(2) cannot be called again with control messages")]

use super::super::{Destination, Received};
use super::address::{self, Address, Control};
use nix::errno::Errno;
use nix::libc::{
    MSG_DONTWAIT, MSG_TRUNC, c_int, c_uint, c_void, iovec, mmsghdr, recvmmsg, sendmmsg,
};
use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::iter;
use std::mem;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::ptr;

/// Datagrams as they were received, and the answers to some of them. All is set up once: a batch costs
/// its two system calls and no memory.
#[derive(Debug)]
pub(crate) struct Batch {
    /// Where each datagram comes from, and where its answer goes.
    peers: Vec<Cell<Address>>,
    /// What the kernel tells of where it was sent to.
    destinations: Vec<Cell<Control>>,
    /// Where its answer leaves from.
    sources: Vec<Cell<Control>>,
    /// The octets of all answers.
    line: Vec<Cell<iovec>>,
    incoming: Vec<mmsghdr>,
    outgoing: Vec<mmsghdr>,
    /// How many `incoming` holds.
    received: usize,
    /// Which of them each of `outgoing` answers.
    answered: Vec<usize>,
}

// SAFETY: the pointers lead into memory that is this batch's alone and goes with it.
unsafe impl Send for Batch {}

impl Batch {
    /// The most datagrams that are taken at once.
    pub(crate) const MOST: usize = 64;

    pub(crate) fn new() -> Self {
        let nowhere = iovec { iov_base: ptr::null_mut(), iov_len: 0 };
        let mut batch = Self {
            peers: vec![Cell::new(Address::default()); Self::MOST],
            destinations: vec![Cell::new(Control::default()); Self::MOST],
            sources: vec![Cell::new(Control::default()); Self::MOST],
            line: vec![Cell::new(nowhere)],
            incoming: iter::repeat_with(empty_header).take(Self::MOST).collect(),
            outgoing: iter::repeat_with(empty_header).take(Self::MOST).collect(),
            received: Self::MOST, // so that the first `receive` gives all of them their lengths
            answered: Vec::with_capacity(Self::MOST),
        };
        // No room for octets: the kernel throws them away and tells how many they were.
        for (index, mmsghdr { msg_hdr, .. }) in batch.incoming.iter_mut().enumerate() {
            msg_hdr.msg_name = batch.peers[index].as_ptr().cast();
            msg_hdr.msg_control = batch.destinations[index].as_ptr().cast();
        }
        for mmsghdr { msg_hdr, .. } in &mut batch.outgoing {
            msg_hdr.msg_iov = batch.line[0].as_ptr();
            msg_hdr.msg_iovlen = 1;
        }
        batch
    }

    /// Takes the datagrams that wait, [`Self::MOST`] at most; their octets are thrown away. If it is fewer,
    /// no more were waiting. `WouldBlock` when none waits.
    pub(crate) fn receive(&mut self, socket: &impl AsRawFd) -> io::Result<usize> {
        for mmsghdr { msg_hdr, .. } in &mut self.incoming[..self.received] {
            msg_hdr.msg_namelen = address::ROOM;
            msg_hdr.msg_controllen = address::CONTROL_ROOM as _;
        }
        self.received = 0;
        self.answered.clear();
        // The length is the datagram's own, not what was taken of it.
        let flags = MSG_DONTWAIT | MSG_TRUNC;
        let (headers, most) = (self.incoming.as_mut_ptr(), Self::MOST as c_uint);
        // SAFETY: there are so many headers, and their pointers are valid by the invariant.
        let received =
            unsafe { recvmmsg(socket.as_raw_fd(), headers, most, flags as _, ptr::null_mut()) };
        self.received = count(received)?;
        Ok(self.received)
    }

    /// A datagram of the last `receive`, by its number from 0; `None` if it has no source.
    pub(crate) fn datagram(&self, number: usize) -> Option<Received> {
        let mmsghdr { msg_hdr, msg_len } = &self.incoming[..self.received][number];
        let peer = self.peers[number].get().read(msg_hdr.msg_namelen as usize)?;
        let mut received =
            Received { peer, octets: *msg_len as usize, sent_to_many: false, destination: None };
        if msg_hdr.msg_controllen > 0 {
            self.destinations[number].get().note(msg_hdr.msg_controllen as usize, &mut received);
        }
        Some(received)
    }

    /// Adds an answer to a datagram of the last `receive`, from an address of this host if one is given.
    pub(crate) fn answer(&mut self, number: usize, from: Option<Destination>) {
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

    /// Sends every answer that was added, with these octets. One that cannot leave is told to `lost`, with
    /// whom it was for, and costs the others nothing: `sendmmsg(2)` stops before it, and then fails with it.
    pub(crate) fn send(
        &mut self,
        socket: &impl AsRawFd,
        octets: &[u8],
        mut lost: impl FnMut(SocketAddr, &io::Error),
    ) {
        let base = octets.as_ptr().cast_mut().cast::<c_void>(); // the kernel only reads them
        self.line[0].set(iovec { iov_base: base, iov_len: octets.len() });
        let mut first = 0;
        while let Some(answers @ [_, ..]) = self.outgoing[..self.answered.len()].get_mut(first..) {
            let (headers, all) = (answers.as_mut_ptr(), answers.len() as c_uint);
            // SAFETY: there are so many headers, their pointers are valid by the invariant, and the octets
            // are borrowed.
            let sent = unsafe { sendmmsg(socket.as_raw_fd(), headers, all, MSG_DONTWAIT as _) };
            match count(sent) {
                Ok(sent) => first += sent.max(1), // it is never 0, and must not keep us here
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

fn empty_header() -> mmsghdr {
    // SAFETY: it is plain numbers and pointers, which may be null; a literal cannot name musl's padding.
    unsafe { mem::zeroed() }
}

fn count(returned: c_int) -> io::Result<usize> {
    Ok(usize::try_from(Errno::result(returned)?).unwrap_or(0))
}
