//! Why there is no answer, in words that say what failed and on which address.

use super::{Answer, Family, Options};
use crate::tcp::client::{NotConnected, Stop, TcpError};
use crate::transport::Transport;
use crate::udp::client::UdpError;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The system has no address for the name.
    #[error("cannot resolve {host}")]
    Unresolved {
        /// The name.
        host: String,
        /// What the resolver said.
        #[source]
        cause: io::Error,
    },
    /// The host has addresses, but none of the family asked for.
    #[error("{host} has no {} address", if *family == Family::V4 { "IPv4" } else { "IPv6" })]
    NoAddress {
        /// The name or address.
        host: String,
        /// The family.
        family: Family,
    },
    /// No address answered.
    #[error("{}", Attempts(attempts, *transport, *timeout))]
    NoAnswer {
        /// The transport.
        transport: Transport,
        /// How long the client tried, in all.
        timeout: Duration,
        /// Each address and how it ended.
        attempts: Vec<(SocketAddr, Attempt)>,
    },
    /// TCP: connected, but the stream stopped short of its end.
    #[error("the answer of {} is incomplete: {} came", partial.peer, Octets(partial.octets.len()))]
    Incomplete {
        /// What had come until then, perhaps nothing, with its timing.
        partial: Box<Answer>,
        /// What stopped it.
        #[source]
        cause: Interruption,
    },
    /// The client could not set up its own waiting.
    #[error("cannot set up the client")]
    Setup(#[source] io::Error),
}

/// What stops a stream short of its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The server had not ended the stream by the deadline.
    #[error("no end of the stream within {}", Seconds(*timeout))]
    Timeout {
        /// How long the client tried, in all.
        timeout: Duration,
    },
    /// The stream went on beyond the limit.
    #[error("more than the limit of {limit} octets")]
    Limit {
        /// [`Options::limit`].
        limit: usize,
    },
    /// The connection broke.
    #[error(transparent)]
    Broken(io::Error),
}

impl Interruption {
    fn new(stop: Stop, options: &Options) -> Self {
        match stop {
            Stop::Deadline => Self::Timeout { timeout: options.timeout },
            Stop::Limit => Self::Limit { limit: options.limit },
            Stop::Broken(cause) => Self::Broken(cause),
        }
    }
}

/// How one address failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Attempt {
    /// It said that nobody is there: TCP by a reset, UDP by an ICMP message.
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
    Failed(io::Error),
}

impl Attempt {
    fn from_error(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            _ => Self::Failed(error),
        }
    }
}

impl AskError {
    pub(super) fn from_tcp(error: TcpError, options: &Options) -> Self {
        let timeout = options.timeout;
        match error {
            TcpError::NotConnected(NotConnected { failed, silent, untried }) => {
                let failed = failed.into_iter().map(|(peer, e)| (peer, Attempt::from_error(e)));
                let silent = silent
                    .into_iter()
                    .map(|(peer, waited)| (peer, Attempt::Silent { questions: 0, waited }));
                let untried = untried.into_iter().map(|peer| (peer, Attempt::Untried));
                let attempts = failed.chain(silent).chain(untried).collect();
                Self::NoAnswer { transport: Transport::Tcp, timeout, attempts }
            }
            TcpError::Incomplete(exchange, stop) => Self::Incomplete {
                partial: Box::new(Answer::from_partial(*exchange, &stop)),
                cause: Interruption::new(stop, options),
            },
        }
    }

    pub(super) fn from_udp(error: UdpError, options: &Options) -> Self {
        let failed = error.failed.into_iter().map(|(peer, e)| (peer, Attempt::from_error(e)));
        let silent = error
            .silent
            .into_iter()
            .map(|(peer, questions, waited)| (peer, Attempt::Silent { questions, waited }));
        let attempts = failed.chain(silent).collect();
        Self::NoAnswer { transport: Transport::Udp, timeout: options.timeout, attempts }
    }
}

/// `connection refused by A; no answer from B …`.
struct Attempts<'a>(&'a [(SocketAddr, Attempt)], Transport, Duration);

impl fmt::Display for Attempts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(attempts, transport, timeout) = self;
        if attempts.is_empty() {
            return write!(f, "no time was left to ask within {}", Seconds(*timeout));
        }
        for (number, (peer, attempt)) in attempts.iter().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            match (attempt, transport) {
                (Attempt::Refused, Transport::Tcp) => write!(f, "connection refused by {peer}")?,
                (Attempt::Refused, Transport::Udp) => {
                    write!(f, "{peer} says by ICMP that its UDP port is closed")?;
                }
                (Attempt::Silent { waited, .. }, Transport::Tcp) => {
                    write!(f, "no connection to {peer} within {}", Seconds(*waited))?;
                }
                (Attempt::Silent { questions, waited }, Transport::Udp) => {
                    let datagrams = if *questions == 1 { "datagram" } else { "datagrams" };
                    write!(f, "silence from {peer} after {questions} {datagrams}")?;
                    write!(f, " in {}", Seconds(*waited))?;
                }
                (Attempt::Untried, _) => write!(f, "no time was left for {peer}")?,
                (Attempt::Failed(error), _) => write!(f, "cannot ask {peer}: {error}")?,
            }
        }
        Ok(())
    }
}

/// A duration in seconds, to two digits after the point, or as many as it takes to show any.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_secs_f64() {
            seconds if seconds >= 0.01 => write!(f, "{} s", (seconds * 100.0).round() / 100.0),
            seconds => write!(f, "{seconds} s"),
        }
    }
}

struct Octets(usize);

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, if self.0 == 1 { "octet" } else { "octets" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> SocketAddr {
        text.parse().expect("address")
    }

    #[test]
    fn each_address_is_named_with_how_it_failed() {
        let attempts = vec![
            (peer("[::1]:13"), Attempt::Refused),
            (peer("127.0.0.1:13"), Attempt::Failed(ErrorKind::NetworkUnreachable.into())),
            (
                peer("127.0.0.2:13"),
                Attempt::Silent { questions: 0, waited: Duration::from_secs(1) },
            ),
            (peer("127.0.0.3:13"), Attempt::Untried),
        ];
        let timeout = Duration::from_millis(1500);
        let error = AskError::NoAnswer { transport: Transport::Tcp, timeout, attempts };
        assert_eq!(
            error.to_string(),
            "connection refused by [::1]:13; cannot ask 127.0.0.1:13: network unreachable; \
             no connection to 127.0.0.2:13 within 1 s; no time was left for 127.0.0.3:13"
        );
    }

    #[test]
    fn silence_over_udp_is_told_as_silence() {
        let timeout = Duration::from_millis(5001);
        let silent = Attempt::Silent { questions: 3, waited: timeout };
        let attempts = vec![(peer("127.0.0.1:13"), silent)];
        let error = AskError::NoAnswer { transport: Transport::Udp, timeout, attempts };
        assert_eq!(error.to_string(), "silence from 127.0.0.1:13 after 3 datagrams in 5 s");
    }
}
