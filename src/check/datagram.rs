//! Sends the unusual queries over UDP: those with content, and those from a service's port.

use super::observed::{Datagrams, Reply, Tried};
use super::ready::{FOLLOW_UP_TIME, ready};
use nix::errno::Errno;
use nix::poll::PollFlags;
use nix::sys::socket::{MsgFlags, recv};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::{Duration, Instant};

/// Privileged ports without a registered service, used as source ports. The client uses the highest one that is free.
const PRIVILEGED_PORTS: std::ops::RangeInclusive<u16> = 1008..=1023;

/// Sends `question` from a port that the kernel chooses.
pub(super) fn ask(peer: SocketAddr, question: &[u8], timeout: Duration) -> io::Result<Datagrams> {
    let socket = UdpSocket::bind(SocketAddr::new(unspecified(peer), 0))?;
    exchange(&socket, peer, question, timeout)
}

/// Sends an empty datagram from a port below 1024.
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
        _ => format!("cannot bind a port from 1008 to 1023: {why}"),
    })
}

/// Sends an empty datagram from a source port with the same number as the server's port.
pub(super) fn ask_from_service_port(
    peer: SocketAddr,
    timeout: Duration,
) -> Tried<io::Result<Datagrams>> {
    let port = peer.port();
    match UdpSocket::bind(SocketAddr::new(other_local_address(peer), port)) {
        Ok(socket) => Ok(exchange(&socket, peer, &[], timeout)),
        Err(error) => Err(match error.kind() {
            ErrorKind::PermissionDenied => format!("needs root, to ask from port {port}"),
            ErrorKind::AddrInUse => format!("port {port} of this host is in use"),
            _ => format!("cannot ask from port {port}: {error}"),
        }),
    }
}

/// Returns a local address on which the server's port number is probably free. All of 127/8 belongs to this host, so a
/// server on one loopback address leaves its port free on the others.
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

/// Sends one query, then receives the reply and any further datagrams.
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

/// Receives one datagram. Returns [`Reply::Silence`] if none arrives before `until`.
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

/// Counts the further datagrams that a socket receives within [`FOLLOW_UP_TIME`].
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
