//! The datagrams that are not the usual question.

use super::observed::{Datagrams, Reply, Tried};
use super::ready::{FOLLOW_UP_TIME, ready};
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Ports below 1024 to ask from, the first of them that is free: no service is registered for these.
const PRIVILEGED_PORTS: std::ops::RangeInclusive<u16> = 1008..=1023;

/// Asks from any port.
pub(super) fn ask(peer: SocketAddr, question: &[u8], timeout: Duration) -> io::Result<Datagrams> {
    let socket = UdpSocket::bind(SocketAddr::new(unspecified(peer), 0))?;
    exchange(&socket, peer, question, timeout)
}

/// Asks from a port below 1024.
pub(super) fn ask_from_privileged_port(
    peer: SocketAddr,
    timeout: Duration,
) -> Tried<io::Result<Datagrams>> {
    let mut why = ErrorKind::AddrInUse.into();
    for port in PRIVILEGED_PORTS.rev().filter(|port| *port != peer.port()) {
        match UdpSocket::bind(SocketAddr::new(unspecified(peer), port)) {
            Ok(socket) => return Ok(exchange(&socket, peer, &[], timeout)),
            Err(error) => why = error,
        }
        if why.kind() != ErrorKind::AddrInUse {
            break;
        }
    }
    Err(match why.kind() {
        ErrorKind::PermissionDenied => "needs root, to ask from a port below 1024".to_owned(),
        _ => format!("no port from 1008 to 1023 can be had: {why}"),
    })
}

/// Asks from the service's own port.
pub(super) fn ask_from_service_port(
    peer: SocketAddr,
    timeout: Duration,
) -> Tried<io::Result<Datagrams>> {
    let port = peer.port();
    match UdpSocket::bind(SocketAddr::new(other_local_address(peer), port)) {
        Ok(socket) => Ok(exchange(&socket, peer, &[], timeout)),
        Err(error) => Err(match error.kind() {
            ErrorKind::PermissionDenied => format!("needs root, to ask from port {port}"),
            ErrorKind::AddrInUse => format!("port {port} is taken on this host"),
            _ => format!("cannot ask from port {port}: {error}"),
        }),
    }
}

/// An address to ask this peer from at the same port. All of 127/8 is this host, so with a server on one
/// of its addresses another one is free.
fn other_local_address(peer: SocketAddr) -> IpAddr {
    match peer.ip() {
        IpAddr::V4(Ipv4Addr::LOCALHOST) => Ipv4Addr::new(127, 0, 0, 2).into(),
        IpAddr::V4(v4) if v4.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        _ => unspecified(peer),
    }
}

fn unspecified(peer: SocketAddr) -> IpAddr {
    match peer {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// One question and all that comes back for it.
fn exchange(
    socket: &UdpSocket,
    peer: SocketAddr,
    question: &[u8],
    timeout: Duration,
) -> io::Result<Datagrams> {
    socket.connect(peer)?;
    let started = Instant::now();
    socket.send(question)?;
    let reply = receive(socket.as_fd(), started + timeout)?;
    let further = match reply {
        Reply::Octets(_) => further(socket.as_fd()),
        Reply::Refused | Reply::Silence => 0,
    };
    let source_port = socket.local_addr()?.port();
    Ok(Datagrams { source_port, questions: 1, reply, further, listened: started.elapsed() })
}

/// Receives one datagram, unless `until` comes first.
fn receive(socket: BorrowedFd, until: Instant) -> io::Result<Reply> {
    let mut buffer = vec![0; u16::MAX.into()];
    while ready(socket, PollFlags::POLLIN, until)? {
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => {
                buffer.truncate(length);
                return Ok(Reply::Octets(buffer));
            }
            Err(Errno::ECONNREFUSED) => return Ok(Reply::Refused),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Reply::Silence)
}

/// How many more datagrams come to a socket within [`FOLLOW_UP_TIME`].
pub(super) fn further(socket: BorrowedFd) -> usize {
    let until = Instant::now() + FOLLOW_UP_TIME;
    let mut count = 0;
    while Instant::now() < until {
        match receive(socket, until) {
            Ok(Reply::Octets(_)) => count += 1,
            Ok(Reply::Refused) => {}
            Ok(Reply::Silence) | Err(_) => break,
        }
    }
    count
}
