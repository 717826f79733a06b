//! How one address failed, in words.

use crate::transport::Transport;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

/// One address and why it did not answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The transport.
    pub transport: Transport,
    /// The address.
    pub peer: SocketAddr,
    /// Why there is no answer from it.
    pub failure: AttemptFailure,
}

/// Why one address did not answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum AttemptFailure {
    /// No service listens there, says its host: TCP by a reset, UDP by an ICMP message.
    Refused,
    /// Nothing came back.
    Silent {
        /// Datagrams sent; 0 over TCP.
        questions: u32,
        /// How long the address had.
        waited: Duration,
    },
    /// Its turn had not come when the time was over.
    Untried,
    /// It could not be asked.
    Failed {
        /// The system's error.
        cause: io::Error,
    },
}

impl Attempt {
    pub(crate) fn new(transport: Transport, peer: SocketAddr, failure: AttemptFailure) -> Self {
        Self { transport, peer, failure }
    }

    /// An attempt that this error ended.
    pub(crate) fn failed(transport: Transport, peer: SocketAddr, error: io::Error) -> Self {
        let failure = match error.kind() {
            ErrorKind::ConnectionRefused => AttemptFailure::Refused,
            _ => AttemptFailure::Failed { cause: error },
        };
        Self { transport, peer, failure }
    }

    /// Whether the address may still answer: the time was over first.
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
                    "silence from {peer} after {questions} {datagrams} in {}",
                    Seconds(*waited)
                )
            }
            (AttemptFailure::Untried, _) => write!(f, "no time was left for {peer}"),
            (AttemptFailure::Failed { cause }, _) => write!(f, "cannot ask {peer}: {cause}"),
        }
    }
}

/// A duration in seconds, to two digits after the point, or as many as it takes to show any.
pub(crate) struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            seconds if seconds >= 0.01 => write!(f, "{} s", (seconds * 100.0).round() / 100.0),
            seconds => write!(f, "{seconds} s"),
        }
    }
}
