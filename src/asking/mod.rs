//! What the stream client and the datagram client share: the sockets of one question with the system calls
//! made on them, and how the question ends.

mod attempt;
mod sockets;

pub(crate) use attempt::Seconds;
pub use attempt::{Attempt, AttemptFailure};
pub use sockets::Calls;
pub(crate) use sockets::{Observer, Poller, Sockets};

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What a peer sent, and when.
#[derive(Debug)]
pub(crate) struct Received {
    pub peer: SocketAddr,
    pub octets: Vec<u8>,
    /// Octets of each read, without one that gave none.
    pub reads: Vec<usize>,
    /// The datagram was longer than the limit; the rest is lost.
    pub truncated: bool,
    /// Datagrams sent to the peer.
    pub questions: u32,
    /// TCP: from the start to the connection.
    pub connected_after: Option<Duration>,
    /// From the start to the end of the reply, or until it was broken off.
    pub elapsed: Duration,
    /// The window in which the server must have looked at its clock.
    pub round_trip: Duration,
    /// The end of that window.
    pub arrived: Instant,
}

/// Why there is no reply, or not all of it.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// No address answered.
    NoAnswer(Vec<Attempt>),
    /// TCP: the stream stopped short of its end. The octets received may be the whole line or a part of it.
    Incomplete(Box<Received>, Interruption),
}

/// What stops a stream short of its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Interruption {
    /// The server had not ended the stream by the deadline.
    #[error("no end of the stream within {}", Seconds(*timeout))]
    Timeout {
        /// [`Options::timeout`](crate::Options::timeout).
        timeout: Duration,
    },
    /// The stream went on beyond the limit.
    #[error("more than the limit of {limit} octets")]
    Limit {
        /// [`Options::limit`](crate::Options::limit).
        limit: usize,
    },
    /// The connection broke.
    #[error(transparent)]
    Broken(io::Error),
}
