//! The two transports RFC 867 defines the service on, and their port.

use std::fmt;
use std::net::IpAddr;

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

/// A transport in JSON, as it is printed; a derived form would become a part of the API.
#[cfg(feature = "lab")]
pub(crate) mod by_name {
    use super::Transport;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "so it is called")]
    pub(crate) fn serialize<S: Serializer>(it: &Transport, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(it)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Transport, D::Error> {
        let name = String::deserialize(from)?;
        let named = |it: &Transport| it.to_string() == name;
        Transport::BOTH.into_iter().find(named).ok_or_else(|| D::Error::custom("no transport"))
    }
}

/// A version of the Internet Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IpVersion {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

impl IpVersion {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The one that packets to this address have: an IPv4 address in IPv6's form is reached over IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for IpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::V4 => "ipv4",
            Self::V6 => "ipv6",
        })
    }
}
