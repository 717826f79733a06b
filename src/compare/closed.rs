//! What each transport does when nobody listens, really tried.

use crate::client::{AskError, Attempt, Client, Family, Options};
use crate::transport::Transport;
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// How long silence is waited for here: loopback answers within microseconds or never.
const PATIENCE: Duration = Duration::from_millis(200);

/// How a port on which nobody listens answers.
#[derive(Debug)]
#[non_exhaustive]
pub struct Closed {
    /// The port that was tried, on a loopback address of this host.
    pub address: SocketAddr,
    /// Over TCP.
    pub tcp: Nobody,
    /// Over UDP from a connected socket, as this client's are.
    pub udp_connected: Nobody,
    /// Over UDP from a socket that is not connected.
    pub udp_unconnected: Nobody,
}

/// What comes back when nobody is there.
#[derive(Debug)]
#[non_exhaustive]
pub enum Nobody {
    /// `ECONNREFUSED`, after this long: a reset over TCP, an ICMP message over UDP.
    Refused(Duration),
    /// Nothing, for as long as was waited.
    Silence(Duration),
    /// Something else happened.
    Other(io::Error),
}

/// Tries a port on loopback, of the family of `like`, that is closed on both transports.
pub(super) fn try_closed_port(
    client: &mut Client,
    like: SocketAddr,
    options: &Options,
) -> io::Result<Closed> {
    let loopback: IpAddr = match like.ip().to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let (address, _reserved) = closed_port(loopback)?;
    let options = Options { family: Family::Any, timeout: PATIENCE, retries: 0, ..options.clone() };
    let mut ask = |transport| {
        let started = Instant::now();
        let deadline = options.deadline();
        let asked = client.ask_addresses(&[address], transport, &options, deadline, &mut |_| {});
        nobody(asked.map(drop), started.elapsed())
    };
    Ok(Closed {
        address,
        tcp: ask(Transport::Tcp),
        udp_connected: ask(Transport::Udp),
        udp_unconnected: ask_unconnected(address).unwrap_or_else(Nobody::Other),
    })
}

/// A port that is free on both transports. The TCP socket, bound but not listening, keeps it from being
/// taken meanwhile; a SYN to it is answered by a reset all the same.
pub(crate) fn closed_port(loopback: IpAddr) -> io::Result<(SocketAddr, Socket)> {
    let mut taken = ErrorKind::AddrInUse.into();
    for _ in 0..16 {
        let any = SocketAddr::new(loopback, 0);
        let reserved = Socket::new(Domain::for_address(any), Type::STREAM, None)?;
        reserved.bind(&any.into())?;
        let bound = reserved.local_addr()?.as_socket().ok_or(ErrorKind::Unsupported)?;
        match UdpSocket::bind(bound) {
            Ok(free) => {
                drop(free);
                return Ok((bound, reserved));
            }
            Err(error) => taken = error,
        }
    }
    Err(taken)
}

fn nobody(asked: Result<(), AskError>, elapsed: Duration) -> Nobody {
    match asked {
        Ok(()) => Nobody::Other(io::Error::other("somebody answered")),
        Err(AskError::NoAnswer { mut attempts, .. }) => match attempts.pop() {
            Some((_, Attempt::Refused)) => Nobody::Refused(elapsed),
            Some((_, Attempt::Failed(error))) => Nobody::Other(error),
            Some((_, Attempt::Silent { .. } | Attempt::Untried)) | None => Nobody::Silence(elapsed),
        },
        Err(error) => Nobody::Other(io::Error::other(error)),
    }
}

/// The same question from a socket that is not connected: the kernel has nobody to give an error to.
fn ask_unconnected(address: SocketAddr) -> io::Result<Nobody> {
    let socket = UdpSocket::bind(SocketAddr::new(address.ip(), 0))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let started = Instant::now();
    socket.send_to(&[], address)?;
    Ok(match socket.recv_from(&mut [0; 64]) {
        Ok(_) => Nobody::Other(io::Error::other("somebody answered")),
        Err(error) => match error.kind() {
            ErrorKind::ConnectionRefused => Nobody::Refused(started.elapsed()),
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Nobody::Silence(started.elapsed()),
            _ => Nobody::Other(error),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_refuses_a_stream_and_a_connected_datagram() {
        let mut client = Client::new().expect("client");
        let like = "127.0.0.1:13".parse().expect("address");
        let closed = try_closed_port(&mut client, like, &Options::default()).expect("tried");
        assert!(matches!(closed.tcp, Nobody::Refused(_)), "{closed:?}");
        assert!(matches!(closed.udp_connected, Nobody::Refused(_)), "{closed:?}");
    }

    #[test]
    fn a_datagram_from_an_unconnected_socket_meets_silence() {
        let (address, _reserved) = closed_port(Ipv4Addr::LOCALHOST.into()).expect("a port");
        let nobody = ask_unconnected(address).expect("sent");
        assert!(matches!(nobody, Nobody::Silence(waited) if waited >= PATIENCE), "{nobody:?}");
    }
}
