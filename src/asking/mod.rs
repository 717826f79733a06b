//! What the stream client and the datagram client share: the sockets of one question with the system calls
//! made on them, and how the question ends.

mod answer;
mod attempt;
mod error;
mod sockets;

pub use answer::Answer;
pub(crate) use answer::clock_at;
pub(crate) use attempt::Seconds;
pub use attempt::{Attempt, AttemptFailure};
pub(crate) use error::octets;
pub use error::{AskError, Interruption};
pub use sockets::Calls;
pub(crate) use sockets::{Poller, Sockets};

use std::net::SocketAddr;

/// Which addresses of a name to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
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
