//! The two transports of RFC 867, and their port.

use std::net::IpAddr;

/// Port that RFC 867 assigns to the service, for both transports.
pub const PORT: u16 = 13;

named! {
    /// Transport protocol.
    ///
    /// ```
    /// use daytime::Transport;
    /// assert_eq!("udp".parse(), Ok(Transport::Udp));
    /// assert_eq!("sctp".parse::<Transport>(), Err(daytime::UnknownName));
    /// ```
    pub enum Transport {
        /// TCP, a stream (RFC 793); RFC 867, "TCP Based Daytime Service".
        Tcp = "tcp",
        /// UDP, datagrams (RFC 768); RFC 867, "UDP Based Daytime Service".
        Udp = "udp",
    }
}

impl Transport {
    /// Both transports, in the order of RFC 867.
    pub const BOTH: [Self; 2] = [Self::Tcp, Self::Udp];
}

named! {
    /// Version of the Internet Protocol.
    pub enum IpVersion {
        /// IPv4 (RFC 791).
        V4 = "ipv4",
        /// IPv6 (RFC 8200).
        V6 = "ipv6",
    }
}

impl IpVersion {
    /// Both versions.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// Returns the version of IP that carries packets to this address. An IPv4-mapped IPv6 address
    /// means IPv4.
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
