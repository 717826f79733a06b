//! The two transports RFC 867 defines the service on, and their port.

use std::net::IpAddr;

/// The port RFC 867 gives to the service, on both transports.
pub const PORT: u16 = 13;

named! {
    /// A transport protocol.
    ///
    /// ```
    /// use daytime::Transport;
    /// assert_eq!("udp".parse(), Ok(Transport::Udp));
    /// assert_eq!("sctp".parse::<Transport>(), Err(daytime::UnknownName));
    /// ```
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
    ///
    /// ```
    /// use daytime::IpVersion;
    /// assert_eq!(IpVersion::of("::1".parse()?), IpVersion::V6);
    /// assert_eq!(IpVersion::of("::ffff:192.0.2.1".parse()?), IpVersion::V4);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}
