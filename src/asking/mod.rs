//! Code that the TCP client and the UDP client share: the sockets of one query, the record of
//! its system calls, and its result.

mod answer;
mod attempt;
mod error;
mod question;

pub use answer::Answer;
pub(crate) use answer::clock_at;
pub(crate) use attempt::Seconds;
pub use attempt::{Attempt, AttemptFailure};
pub(crate) use error::octets;
pub use error::{AskError, Interruption};
pub use question::Calls;
pub(crate) use question::{Poller, Question};

use std::fmt;
use std::net::SocketAddr;

/// Address families that the client uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// Addresses of both families.
    #[default]
    Any,
    /// IPv4 addresses only.
    V4,
    /// IPv6 addresses only.
    V6,
}

/// Writes `IPv4`, `IPv6`, or `IPv4 or IPv6`.
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Any => "IPv4 or IPv6",
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
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
