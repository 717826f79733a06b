//! The two transports RFC 867 defines the service on, and their port.

use std::net::IpAddr;

/// The port RFC 867 gives to the service, on both transports.
pub const PORT: u16 = 13;

named! {
    /// A transport protocol.
    pub enum Transport {
        /// A stream (RFC 793); RFC 867, "TCP Based Daytime Service".
        Tcp = "tcp",
        /// Datagrams (RFC 768); RFC 867, "UDP Based Daytime Service".
        Udp = "udp",
    }
}

impl Transport {
    /// Both, in the RFC's order.
    pub const BOTH: [Self; 2] = [Self::Tcp, Self::Udp];
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
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

named! {
    /// A version of the Internet Protocol.
    pub enum IpVersion {
        /// RFC 791.
        V4 = "ipv4",
        /// RFC 8200.
        V6 = "ipv6",
    }
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
