//! How much one source may ask, and all sources together. The workers of a server share their limits.
//!
//! A source is a prefix, because a host with one IPv6 address has all of its /64.

mod connections;
mod limiter;

pub(crate) use connections::{ConnectionLimit, Room};
pub(crate) use limiter::Limiter;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

options! {
    /// Abuse limits: how much clients may ask. Clients on loopback have no limits, unless [`Limits::loopback`] is set.
    ///
    /// ```
    /// let limits = daytime::server::Limits::default().tcp_per_source(8).loopback(true);
    /// assert_eq!((limits.tcp_per_source, limits.tcp_total, limits.loopback), (8, 4096, true));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Limits {
        /// Datagrams answered to one source.
        pub udp_per_source: Rate,
        /// Datagrams answered to all together.
        pub udp_total: Rate,
        /// Connections of one source that are kept open at the same time. Any more have their reply and are
        /// closed at once.
        pub tcp_per_source: u32,
        /// Connections that are kept open at the same time, likewise.
        pub tcp_total: u32,
        /// How many bits of an IPv4 address make a source, at most 32.
        pub prefix_v4: u8,
        /// How many bits of an IPv6 address make a source, at most 128.
        pub prefix_v6: u8,
        /// Limit sources on loopback too.
        pub loopback: bool,
    }
}

impl Default for Limits {
    /// A classroom behind one address fits, and what is answered in all is no more than about 4 Mbit/s.
    fn default() -> Self {
        Self {
            udp_per_source: Rate { per_second: 20, burst: 100 },
            udp_total: Rate { per_second: 10_000, burst: 10_000 },
            tcp_per_source: 64,
            tcp_total: 4096,
            prefix_v4: 32,
            prefix_v6: 64,
            loopback: false,
        }
    }
}

/// Tokens of a bucket. It begins full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Tokens that come back in a second; 0 is no limit.
    pub per_second: u32,
    /// Tokens that it holds, one at least.
    pub burst: u32,
}

/// Which limit is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// That of the source.
    Source,
    /// That of all sources together.
    Total,
}

/// A source: the beginning of an IPv6 address, or of an IPv4 address as IPv6 maps it (RFC 4291, 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(u128);

impl Limits {
    /// The source that an address belongs to; `None` if it is not limited.
    pub(crate) fn source(&self, peer: SocketAddr) -> Option<Source> {
        let address = peer.ip().to_canonical();
        if address.is_loopback() && !self.loopback {
            return None;
        }
        let (address, bits, prefix) = match address {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 32, self.prefix_v4),
            // Every host on a link has this prefix, and every link (RFC 4291, 2.5.6).
            IpAddr::V6(v6) if v6.is_unicast_link_local() => (on_link(v6, peer), 128, 128),
            IpAddr::V6(v6) => (v6, 128, self.prefix_v6),
        };
        let host_bits = u32::saturating_sub(bits, prefix.into());
        let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
        Some(Source(address.to_bits() & mask))
    }
}

/// A link-local address with the number of its link, in the bits that are 0 in all of them.
fn on_link(address: Ipv6Addr, peer: SocketAddr) -> Ipv6Addr {
    let SocketAddr::V6(peer) = peer else { return address };
    Ipv6Addr::from_bits(address.to_bits() | u128::from(peer.scope_id()) << 64)
}
