//! Queries a closed port over each transport, and records how the port responds.

use crate::client::{Answer, AskError, Client, Options};
use crate::transport::Transport;
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Time to wait for a response. On loopback, a response arrives within microseconds or never.
const SILENCE_TIMEOUT: Duration = Duration::from_millis(200);

/// How a port on which no service listens responds.
#[derive(Debug)]
#[non_exhaustive]
pub struct ClosedPort {
    /// The closed port, on a loopback address of this host.
    pub address: SocketAddr,
    /// How the closed port responds to a TCP connection.
    pub tcp: NoListener,
    /// How the closed port responds to a query from a connected UDP socket, the kind of socket that this program's
    /// client uses.
    pub udp_connected: NoListener,
    /// How the closed port responds to a query from an unconnected UDP socket.
    pub udp_unconnected: NoListener,
}

/// A closed port's response, as the client sees it.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoListener {
    /// `ECONNREFUSED`: the port responded with a reset over TCP, or with an ICMP message over UDP.
    Refused {
        /// Time from the query to the refusal.
        after: Duration,
    },
    /// The client received no response.
    Silence {
        /// Time that the client waited for a response.
        waited: Duration,
    },
    /// The system reported another error, or the port answered.
    Other {
        /// The system's error, or an error that says that the port answered.
        cause: io::Error,
    },
}

/// Queries a closed port and records its responses. The port is on the IPv4 loopback address if `like` is an IPv4
/// address, otherwise on the IPv6 loopback address. No service uses this port over TCP or UDP.
pub(super) fn try_closed_port(client: &mut Client, like: SocketAddr) -> io::Result<ClosedPort> {
    let loopback: IpAddr = match like.ip().to_canonical() {
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let (address, _reserved) = closed_port(loopback)?;
    let options = Options { timeout: SILENCE_TIMEOUT, retries: 0, ..Options::default() };
    let mut ask = |transport| {
        let started = Instant::now();
        let asked = client.ask_addresses(&[address], transport, &options);
        of_answer(asked, started.elapsed())
    };
    Ok(ClosedPort {
        address,
        tcp: ask(Transport::Tcp),
        udp_connected: ask(Transport::Udp),
        udp_unconnected: ask_unconnected(address)
            .unwrap_or_else(|cause| NoListener::Other { cause }),
    })
}

/// Returns a port that is free for both transports, and a TCP socket that reserves it. The socket is bound but does not
/// listen, so the kernel still answers a SYN with a reset.
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

fn of_answer(asked: Result<Answer, AskError>, elapsed: Duration) -> NoListener {
    match asked {
        Ok(_) => NoListener::Other { cause: io::Error::other("got an answer") },
        Err(error) if error.is_refused() => NoListener::Refused { after: elapsed },
        Err(error) if error.is_timeout() => NoListener::Silence { waited: elapsed },
        Err(error) => NoListener::Other { cause: io::Error::other(error) },
    }
}

/// Sends a query from an unconnected socket. The kernel does not report ICMP errors to such a socket.
fn ask_unconnected(address: SocketAddr) -> io::Result<NoListener> {
    let socket = UdpSocket::bind(SocketAddr::new(address.ip(), 0))?;
    socket.set_read_timeout(Some(SILENCE_TIMEOUT))?;
    let started = Instant::now();
    socket.send_to(&[], address)?;
    Ok(match socket.recv_from(&mut [0; 64]) {
        Ok(_) => NoListener::Other { cause: io::Error::other("got an answer") },
        Err(cause) => match cause.kind() {
            ErrorKind::ConnectionRefused => NoListener::Refused { after: started.elapsed() },
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                NoListener::Silence { waited: started.elapsed() }
            }
            _ => NoListener::Other { cause },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_port_refuses_tcp_and_a_connected_udp_socket() {
        let mut client = Client::new().expect("client");
        let like = "127.0.0.1:13".parse().expect("address");
        let closed = try_closed_port(&mut client, like).expect("tried");
        assert!(matches!(closed.tcp, NoListener::Refused { .. }), "{closed:?}");
        assert!(matches!(closed.udp_connected, NoListener::Refused { .. }), "{closed:?}");
    }

    #[test]
    fn an_unconnected_udp_socket_gets_no_refusal() {
        let (address, _reserved) = closed_port(Ipv4Addr::LOCALHOST.into()).expect("a port");
        let reaction = ask_unconnected(address).expect("sent");
        let long = matches!(reaction, NoListener::Silence { waited } if waited >= SILENCE_TIMEOUT);
        assert!(long, "{reaction:?}");
    }
}
