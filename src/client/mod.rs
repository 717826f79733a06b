//! Asks a server, over either transport.

mod error;
mod target;

pub use error::{AskError, Attempt};
pub use target::{Target, TargetError};

use crate::calls::{Calls, Observer, Waiter};
use crate::reply::Printable;
use crate::tcp::client as tcp;
use crate::transport::{PORT, Transport};
use crate::udp::client as udp;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How to ask.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which addresses of a name to use.
    pub family: Family,
    /// The port, where the target names none.
    pub port: u16,
    /// For the whole of it: resolving the name, connecting, the reply.
    pub timeout: Duration,
    /// How often a datagram is sent again while nothing comes back, at most 10. Each wait is twice as
    /// long as the one before, and together they fill the timeout.
    pub retries: u32,
    /// The most octets of a reply that are taken. A stream that goes on is an error, a datagram is cut.
    pub limit: usize,
}

impl Default for Options {
    /// Port 13, both families, 5 seconds, 2 retries, 4096 octets.
    fn default() -> Self {
        Self {
            family: Family::Any,
            port: PORT,
            timeout: Duration::from_secs(5),
            retries: 2,
            limit: 4096,
        }
    }
}

impl Options {
    /// When an exchange that begins now has to be over.
    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout.min(LONGEST)
    }
}

/// Which addresses of a name to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// All of them.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Family {
    pub(crate) fn admits(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

/// What a server answered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Answer {
    /// The transport it came over.
    pub transport: Transport,
    /// Who answered.
    pub peer: SocketAddr,
    /// The octets, as they came and unchecked; show them with [`Answer::text`].
    pub octets: Vec<u8>,
    /// The datagram was longer than [`Options::limit`]; what is missing is lost.
    pub truncated: bool,
    /// TCP: from the start until the connection was there.
    pub connected_after: Option<Duration>,
    /// TCP: from the start until the end of the stream. UDP: from the first question to the answer; which
    /// of several questions it answers, RFC 867 does not tell.
    pub elapsed: Duration,
    /// Octets of each read that gave any.
    pub reads: Vec<usize>,
    /// Questions sent to the peer. TCP: 0, the server speaks first.
    pub questions: u32,
    /// The system calls it took, but for resolving the name.
    pub calls: Calls,
}

impl Answer {
    /// The line without its ending, safe for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        Printable::line(&self.octets).to_string()
    }
}

/// Asks a server once: over TCP by connecting and reading to the end of the stream, over UDP by an empty
/// datagram (RFC 867, "TCP Based Daytime Service" and "UDP Based Daytime Service").
///
/// Over TCP all addresses of a name are tried as RFC 8305 says, over UDP one after the other. An answer of
/// no octets is an answer: the server may not know the time (RFC 868 has it so).
///
/// # Errors
/// [`AskError`]: the name does not resolve, nobody is there, nothing or too much comes back.
///
/// See [`Server`](crate::Server) for an example that asks a real one.
pub fn ask(target: &Target, transport: Transport, options: &Options) -> Result<Answer, AskError> {
    Client::new()?.ask(target, transport, options)
}

/// A year: a longer timeout is as good as this, and its end may be no instant at all.
const LONGEST: Duration = Duration::from_hours(365 * 24);

/// Asks many times with what one question leaves behind.
#[derive(Debug)]
pub(crate) struct Client {
    waiter: Waiter,
}

impl Client {
    pub(crate) fn new() -> Result<Self, AskError> {
        Ok(Self { waiter: Waiter::new().map_err(AskError::Setup)? })
    }

    pub(crate) fn ask(
        &mut self,
        target: &Target,
        transport: Transport,
        options: &Options,
    ) -> Result<Answer, AskError> {
        let deadline = options.deadline();
        let addresses = target.resolve(options, deadline)?;
        log::debug!("{transport} {target}: addresses {addresses:?}");
        self.ask_addresses(&addresses, transport, options, deadline, &mut |_| {})
    }

    /// Asks addresses that are known already; `observe` sees the socket before it is closed.
    pub(crate) fn ask_addresses(
        &mut self,
        addresses: &[SocketAddr],
        transport: Transport,
        options: &Options,
        deadline: Instant,
        observe: &mut Observer,
    ) -> Result<Answer, AskError> {
        let mut calls = Calls::default();
        let (limit, waiter) = (options.limit, &mut self.waiter);
        match transport {
            Transport::Tcp => {
                let exchange =
                    tcp::exchange(addresses, deadline, limit, waiter, &mut calls, observe)
                        .map_err(|error| AskError::from_tcp(error, options))?;
                Ok(Answer::from_tcp(exchange, calls))
            }
            Transport::Udp => {
                let retries = options.retries;
                let exchange =
                    udp::exchange(addresses, retries, deadline, limit, waiter, &mut calls, observe)
                        .map_err(|error| AskError::from_udp(error, options))?;
                Ok(Answer::from_udp(exchange, calls))
            }
        }
    }
}

impl Answer {
    fn from_tcp(exchange: tcp::Exchange, calls: Calls) -> Self {
        Self {
            transport: Transport::Tcp,
            peer: exchange.peer,
            octets: exchange.octets,
            truncated: false,
            connected_after: Some(exchange.connected_after),
            elapsed: exchange.ended_after,
            reads: exchange.reads,
            questions: 0,
            calls,
        }
    }

    fn from_udp(exchange: udp::Exchange, calls: Calls) -> Self {
        Self {
            transport: Transport::Udp,
            peer: exchange.peer,
            reads: vec![exchange.octets.len()],
            octets: exchange.octets,
            truncated: exchange.truncated,
            connected_after: None,
            elapsed: exchange.answered_after,
            questions: exchange.questions,
            calls,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn the_largest_timeout_and_limit_there_are_do_no_harm() {
        let server = UdpSocket::bind("127.0.0.1:0").expect("loopback");
        let address = server.local_addr().expect("bound");
        let answering = std::thread::spawn(move || {
            let (_, peer) = server.recv_from(&mut []).expect("a question");
            server.send_to(b"noon\r\n", peer).expect("sent");
        });
        let options =
            Options { timeout: Duration::MAX, limit: usize::MAX, retries: 0, ..Options::default() };
        let answer = ask(&address.into(), Transport::Udp, &options).expect("answered");
        answering.join().expect("no panic");
        assert_eq!((answer.text().as_str(), answer.truncated), ("noon", false));
    }
}
