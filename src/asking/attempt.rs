//! An address that did not answer, and a description of the reason.

use crate::transport::Transport;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

/// An address that did not answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The transport over which the client sent its query.
    pub transport: Transport,
    /// The address that did not answer.
    pub peer: SocketAddr,
    /// The reason why the address did not answer.
    pub failure: AttemptFailure,
}

/// The reason why an address did not answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttemptFailure {
    /// No service listens at this address. The host reported this with a reset over TCP, or with an
    /// ICMP message over UDP.
    Refused,
    /// No answer arrived.
    Silent {
        /// Number of datagrams sent; 0 over TCP.
        questions: u32,
        /// Time that the client waited for this address.
        waited: Duration,
    },
    /// The timeout ended before the client queried this address.
    Untried,
    /// The query could not be sent, or the connection failed.
    Failed {
        /// The system call's error.
        cause: io::Error,
    },
}

impl Attempt {
    pub(crate) fn new(transport: Transport, peer: SocketAddr, failure: AttemptFailure) -> Self {
        Self { transport, peer, failure }
    }

    /// Returns an attempt that failed with this error.
    pub(crate) fn failed(transport: Transport, peer: SocketAddr, error: io::Error) -> Self {
        let failure = match error.kind() {
            ErrorKind::ConnectionRefused => AttemptFailure::Refused,
            _ => AttemptFailure::Failed { cause: error },
        };
        Self { transport, peer, failure }
    }

    /// Whether the client timed out before the address answered or refused. With a longer timeout,
    /// this address may answer.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.failure, AttemptFailure::Silent { .. } | AttemptFailure::Untried)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = self.peer;
        match (&self.failure, self.transport) {
            (AttemptFailure::Refused, Transport::Tcp) => write!(f, "connection refused by {peer}"),
            (AttemptFailure::Refused, Transport::Udp) => {
                write!(f, "{peer} says by ICMP that its UDP port is closed")
            }
            (AttemptFailure::Silent { waited, .. }, Transport::Tcp) => {
                write!(f, "no connection to {peer} within {}", Seconds(*waited))
            }
            (AttemptFailure::Silent { questions, waited }, Transport::Udp) => {
                let datagrams = if *questions == 1 { "datagram" } else { "datagrams" };
                write!(
                    f,
                    "no reply from {peer} to {questions} {datagrams} within {}",
                    Seconds(*waited)
                )
            }
            (AttemptFailure::Untried, _) => write!(f, "no time left to ask {peer}"),
            (AttemptFailure::Failed { cause }, _) => write!(f, "cannot ask {peer}: {cause}"),
        }
    }
}

/// Formats a duration in seconds with at most two decimals. A duration below 0.01 s gets as many
/// decimals as it needs.
pub(crate) struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            seconds if seconds >= 0.01 => write!(f, "{} s", (seconds * 100.0).round() / 100.0),
            seconds => write!(f, "{seconds} s"),
        }
    }
}
