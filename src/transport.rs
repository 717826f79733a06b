//! The two transports RFC 867 defines the service on, and their port.

use std::fmt;

/// The port RFC 867 gives to the service, on both transports.
pub const PORT: u16 = 13;

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transport {
    /// A stream (RFC 793); RFC 867, "TCP Based Daytime Service".
    Tcp,
    /// Datagrams (RFC 768); RFC 867, "UDP Based Daytime Service".
    Udp,
}

impl Transport {
    /// Both, in the RFC's order.
    pub const BOTH: [Self; 2] = [Self::Tcp, Self::Udp];
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}
