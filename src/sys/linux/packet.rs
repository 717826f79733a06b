//! Packet sockets: sockets that receive copies of packets (packet(7)).

use super::super::SeenPacket;
use super::filter;
use nix::libc::{self, ETH_P_ALL, c_int};
use nix::sys::socket::sockopt::{RcvBufForce, ReceiveTimestampns};
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, UnknownCmsg, getsockopt, recvmsg, setsockopt,
};
use nix::sys::time::TimeSpec;
use nix::{cmsg_space, getsockopt_impl, setsockopt_impl, sockopt_impl};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, ErrorKind, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// Size of the receive buffer in octets. Without CAP_NET_ADMIN the kernel caps the size at
/// `net.core.rmem_max`.
const RECEIVE_BUFFER: usize = 8 << 20;

sockopt_impl!(
    /// `PACKET_STATISTICS`: number of received packets, and number of packets dropped because the
    /// buffer was full (packet(7)). nix lacks this option.
    Statistics, GetOnly, libc::SOL_PACKET, libc::PACKET_STATISTICS, libc::tpacket_stats
);

sockopt_impl!(
    /// `PACKET_AUXDATA`: makes the kernel report metadata of each packet (packet(7)). nix lacks
    /// this option.
    AuxiliaryData, SetOnly, libc::SOL_PACKET, libc::PACKET_AUXDATA, bool
);

/// Socket that receives a copy of each IP packet that the filter keeps, in both directions.
pub(crate) struct PacketSocket {
    socket: Socket,
    control: Vec<u8>,
}

impl PacketSocket {
    /// Opens a non-blocking socket for packets on these ports, on all interfaces or only on the
    /// interface `only`. Needs CAP_NET_RAW.
    pub(crate) fn open(only: Option<u32>, ports: &[u16]) -> io::Result<Self> {
        // Only a socket for all protocols receives outgoing packets. SOCK_DGRAM makes the kernel
        // remove the link header.
        let protocol = Protocol::from(c_int::from(network_order(ETH_P_ALL)));
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER)
            .or_else(|_| socket.set_recv_buffer_size(RECEIVE_BUFFER))?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        setsockopt(&socket, AuxiliaryData, &true)?;
        let mut opened = Self { socket, control: cmsg_space!(TimeSpec, libc::tpacket_auxdata) };
        // The filter selects the interface, because bind(2) cannot name an interface that has no
        // link address.
        opened.close()?;
        opened.discard()?;
        opened.socket.attach_filter(&filter::capture_filter(only, ports))?;
        Ok(opened)
    }

    /// Discards packets that arrived before the filter was set.
    fn discard(&mut self) -> io::Result<()> {
        loop {
            match self.receive(&mut []) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                received => received?,
            };
        }
        self.lost().map(drop)
    }

    /// Stops receiving. Packets that are already queued can still be read.
    pub(crate) fn close(&self) -> io::Result<()> {
        self.socket.attach_filter(&filter::DROP_ALL)
    }

    /// Reads a packet, starting with its IP header.
    pub(crate) fn receive(&mut self, room: &mut [u8]) -> io::Result<SeenPacket> {
        let mut slices = [IoSliceMut::new(room)];
        let control = Some(&mut self.control[..]);
        let message =
            recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut slices, control, MsgFlags::empty())?;
        let (mut at, mut has_checksum) = (Duration::ZERO, true);
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::ScmTimestampns(time) => at = time.into(),
                ControlMessageOwned::Unknown(control) if is_auxiliary(&control) => {
                    has_checksum = status(&control.data_bytes) & libc::TP_STATUS_CSUMNOTREADY == 0;
                }
                _ => {}
            }
        }
        let link = message.address.ok_or(ErrorKind::InvalidData)?;
        let interface = u32::try_from(link.ifindex()).unwrap_or_default();
        Ok(SeenPacket { octets: message.bytes, at, interface, has_checksum })
    }

    /// Returns the number of packets that were dropped since the last call because the buffer was
    /// full.
    pub(crate) fn lost(&self) -> io::Result<u32> {
        Ok(getsockopt(&self.socket, Statistics)?.tp_drops)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn is_auxiliary(control: &UnknownCmsg) -> bool {
    let header = &control.cmsg_header;
    (header.cmsg_level, header.cmsg_type) == (libc::SOL_PACKET, libc::PACKET_AUXDATA)
}

/// Returns the status word, which is the first field of `tpacket_auxdata`.
fn status(auxiliary: &[u8]) -> u32 {
    auxiliary.first_chunk().copied().map_or(0, u32::from_ne_bytes)
}

/// Converts a protocol number to network byte order, as packet(7) requires.
fn network_order(protocol: c_int) -> u16 {
    u16::try_from(protocol).unwrap_or_default().to_be()
}
