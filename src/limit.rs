//! Abuse limits: limits per source, and limits for all sources together. The workers of a server
//! share these limits.
//!
//! A source is an address prefix rather than a single address, because an IPv6 host usually has all
//! addresses of a /64 prefix.

mod connections;
mod limiter;

pub(crate) use connections::{ConnectionLimit, Room};
pub(crate) use limiter::Limiter;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

options! {
    /// Abuse limits: the rate at which the server answers datagrams, and the number of connections
    /// that it keeps open. Clients on loopback are limited only if [`Limits::loopback`] is set.
    ///
    /// ```
    /// let limits = daytime::server::Limits::default().tcp_per_source(8).loopback(true);
    /// assert_eq!((limits.tcp_per_source, limits.tcp_total, limits.loopback), (8, 4096, true));
    /// ```
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Limits {
        /// Maximum rate at which the server answers datagrams from one source.
        pub udp_per_source: Rate,
        /// Maximum rate at which the server answers datagrams from all sources together.
        pub udp_total: Rate,
        /// Maximum number of connections that one source keeps open. A connection above the limit
        /// gets its reply and is closed at once.
        pub tcp_per_source: u32,
        /// Maximum number of connections that all sources together keep open. A connection above
        /// the limit gets its reply and is closed at once.
        pub tcp_total: u32,
        /// Prefix length of an IPv4 source, at most 32 bits.
        pub prefix_v4: u8,
        /// Prefix length of an IPv6 source, at most 128 bits.
        pub prefix_v6: u8,
        /// Whether to limit sources on loopback too.
        pub loopback: bool,
    }
}

impl Default for Limits {
    /// Returns the default limits, which suffice for a classroom whose hosts share one address.
    /// With these limits, all UDP replies together need at most about 4 Mbit/s.
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

/// Rate limit as a token bucket, which is full at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rate {
    /// Tokens added per second; 0 means no limit.
    pub per_second: u32,
    /// Maximum number of tokens in the bucket; 0 counts as 1.
    pub burst: u32,
}

/// Scope of a limit that was reached: one source, or all sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The limit per source.
    Source,
    /// The limit for all sources together.
    Total,
}

/// Source of datagrams or connections: a prefix of the IPv6 address. An IPv4 address is mapped to
/// IPv6 first (RFC 4291, 2.5.5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source(u128);

impl Limits {
    /// Returns the source that an address belongs to; `None` if the source is not limited.
    pub(crate) fn source(&self, peer: SocketAddr) -> Option<Source> {
        let address = peer.ip().to_canonical();
        if address.is_loopback() && !self.loopback {
            return None;
        }
        Some(Source(match address {
            // An IPv4 address is masked as 32 bits, because a 128-bit shift takes several times as
            // many instructions.
            IpAddr::V4(v4) => {
                let host_bits = 32_u32.saturating_sub(self.prefix_v4.into());
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).to_ipv6_mapped().to_bits()
            }
            // All hosts on all links share the link-local prefix (RFC 4291, 2.5.6), so here the
            // source is the complete address together with its link.
            IpAddr::V6(v6) if v6.is_unicast_link_local() => on_link(v6, peer).to_bits(),
            IpAddr::V6(v6) => {
                let host_bits = 128_u32.saturating_sub(self.prefix_v6.into());
                v6.to_bits() & u128::MAX.checked_shl(host_bits).unwrap_or(0)
            }
        }))
    }
}

/// Stores the link's number in a link-local address, in bits that are 0 in every link-local
/// address.
fn on_link(address: Ipv6Addr, peer: SocketAddr) -> Ipv6Addr {
    let SocketAddr::V6(peer) = peer else { return address };
    Ipv6Addr::from_bits(address.to_bits() | u128::from(peer.scope_id()) << 64)
}
