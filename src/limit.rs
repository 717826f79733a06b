//! How much one source may ask, and everybody together: token buckets, in a table of bounded size.
//!
//! A source is a prefix, because whoever has one IPv6 address has all of its /64.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

/// What the services take from strangers. Loopback is no stranger, unless [`Limits::loopback`] says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens that come back in a second; 0 is no limit.
    pub per_second: u32,
    /// Tokens that it holds, one at least.
    pub burst: u32,
}

/// A source: the beginning of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source([u64; 2]);

impl Limits {
    /// The source that an address belongs to; `None` if it is not limited.
    pub(crate) fn source(&self, peer: SocketAddr) -> Option<Source> {
        let address = peer.ip().to_canonical();
        if address.is_loopback() && !self.loopback {
            return None;
        }
        let (bits, prefix) = match address {
            IpAddr::V4(v4) => (v4.to_ipv6_mapped(), 96 + u32::from(self.prefix_v4.min(32))),
            // Every host on a link has this prefix, and every link (RFC 4291, 2.5.6).
            IpAddr::V6(v6) if v6.is_unicast_link_local() => (on_link(v6, peer), 128),
            IpAddr::V6(v6) => (v6, u32::from(self.prefix_v6.min(128))),
        };
        Some(Source::of(bits, prefix))
    }
}

/// A link-local address with the number of its link, in the bits that are 0 in all of them.
fn on_link(address: Ipv6Addr, peer: SocketAddr) -> Ipv6Addr {
    let SocketAddr::V6(peer) = peer else { return address };
    Ipv6Addr::from_bits(address.to_bits() | u128::from(peer.scope_id()) << 64)
}

impl Source {
    fn of(address: Ipv6Addr, prefix: u32) -> Self {
        let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
        let bits = (address.to_bits() & mask).to_be_bytes();
        let (high, low) = bits.split_at(8);
        let half = |octets: &[u8]| octets.iter().fold(0, |all, octet| all << 8 | u64::from(*octet));
        Self([half(high), half(low)])
    }
}

/// The limits on datagrams.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    start: Instant,
    total: u64,
    sources: Buckets,
}

/// Why a datagram is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooMuch {
    /// From its source.
    Source,
    /// In all.
    Total,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, start: Instant) -> Self {
        Self { limits, start, total: 0, sources: Buckets::new() }
    }

    /// Takes a token for a datagram from this address. What one source has no token for takes none from
    /// the others, so that it cannot lock them out.
    pub(crate) fn take(&mut self, peer: SocketAddr, now: Instant) -> Result<(), TooMuch> {
        let Some(source) = self.limits.source(peer) else { return Ok(()) };
        // From 1 on: 0 marks a place in the table that is free.
        let now = nanoseconds(now.saturating_duration_since(self.start)).saturating_add(1);
        let full = self.sources.full_at(source);
        let source = self.limits.udp_per_source.spend(*full, now).ok_or(TooMuch::Source)?;
        self.total = self.limits.udp_total.spend(self.total, now).ok_or(TooMuch::Total)?;
        *full = source;
        Ok(())
    }
}

impl Rate {
    /// When a bucket is full again after a token is taken from it now, given when it would be full without;
    /// `None` if it is empty (the generic cell rate algorithm, ITU-T I.371, "virtual scheduling").
    fn spend(self, full: u64, now: u64) -> Option<u64> {
        let Some(token) = nanoseconds(Duration::from_secs(1)).checked_div(self.per_second.into())
        else {
            return Some(full); // no limit
        };
        let after = full.max(now).saturating_add(token);
        let deepest = token.saturating_mul(self.burst.max(1).into());
        (after - now <= deepest).then_some(after)
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A bucket for each source, as far as the table has room: a bucket is the moment when it is full again, and
/// one that is full already need not be remembered.
///
/// Each source has [`WAYS`] places where it may stand; a new one takes the place whose bucket is full first,
/// which loses least. So it takes constant time and memory whatever strangers send, and the hash has a
/// secret key, so that nobody can choose whom to push out.
#[derive(Debug)]
struct Buckets {
    /// Two words of the source, then when it is full, in nanoseconds; 0 if nobody is there. As plain arrays
    /// because those come zeroed from the kernel, which gives no memory for what nobody has touched.
    places: Vec<[u64; 3]>,
    hash: RandomState,
}

const WAYS: usize = 4;
const SETS: usize = 1 << 14;

impl Buckets {
    fn new() -> Self {
        Self { places: vec![[0; 3]; SETS * WAYS], hash: RandomState::new() }
    }

    /// The place for a source, in which it may have to be written first.
    fn full_at(&mut self, source: Source) -> &mut u64 {
        let Source([high, low]) = source;
        let set = usize::try_from(self.hash.hash_one(source) % SETS as u64).unwrap_or(0) * WAYS;
        let places = &mut self.places[set..set + WAYS];
        let known = |place: &[u64; 3]| place[2] != 0 && place[..2] == [high, low];
        let index = places.iter().position(known).unwrap_or_else(|| {
            let oldest = (0..WAYS).min_by_key(|index| places[*index][2]).unwrap_or(0);
            places[oldest] = [high, low, 0];
            oldest
        });
        &mut places[index][2]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddrV6;

    const SECOND: Duration = Duration::from_secs(1);

    fn limiter(per_second: u32, burst: u32, total: u32) -> (Limiter, Instant) {
        let start = Instant::now();
        let limits = Limits {
            udp_per_source: Rate { per_second, burst },
            udp_total: Rate { per_second: total, burst: total },
            ..Limits::default()
        };
        (Limiter::new(limits, start), start)
    }

    fn ip(text: &str) -> SocketAddr {
        let (address, link) = text.split_once('%').unwrap_or((text, "0"));
        match address.parse().expect("address") {
            IpAddr::V4(v4) => (v4, 40_000).into(),
            IpAddr::V6(v6) => {
                SocketAddrV6::new(v6, 40_000, 0, link.parse().expect("a number")).into()
            }
        }
    }

    /// How many of so many datagrams at one moment are answered.
    fn taken(limiter: &mut Limiter, address: &str, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.take(ip(address), now).is_ok()).count()
    }

    #[test]
    fn a_source_has_its_burst_and_then_its_rate() {
        let (mut limiter, start) = limiter(2, 5, 0);
        assert_eq!(taken(&mut limiter, "192.0.2.1", start, 20), 5);
        assert_eq!(limiter.take(ip("192.0.2.1"), start), Err(TooMuch::Source));
        assert_eq!(taken(&mut limiter, "192.0.2.1", start + SECOND, 20), 2);
        assert_eq!(taken(&mut limiter, "192.0.2.1", start + 60 * SECOND, 20), 5, "full again");
    }

    #[test]
    fn what_one_source_asks_in_vain_costs_the_others_nothing() {
        let (mut limiter, start) = limiter(1, 5, 8);
        assert_eq!(taken(&mut limiter, "192.0.2.1", start, 1000), 5);
        assert_eq!(taken(&mut limiter, "192.0.2.2", start, 3), 3);
        assert_eq!(limiter.take(ip("192.0.2.3"), start), Err(TooMuch::Total));
        // Nor is a token of its own lost to the limit of all.
        assert_eq!(taken(&mut limiter, "192.0.2.3", start + SECOND, 9), 5);
    }

    #[test]
    fn a_source_is_a_prefix_of_the_address() {
        let (mut limiter, start) = limiter(1, 1, 0);
        assert_eq!(taken(&mut limiter, "2001:db8::1", start, 1), 1);
        assert_eq!(taken(&mut limiter, "2001:db8::ffff:1", start, 1), 0, "the same /64");
        assert_eq!(taken(&mut limiter, "2001:db8:0:1::1", start, 1), 1);
        assert_eq!(taken(&mut limiter, "192.0.2.1", start, 1), 1);
        assert_eq!(taken(&mut limiter, "::ffff:192.0.2.1", start, 1), 0, "IPv4 in IPv6's form");
        assert_eq!(taken(&mut limiter, "192.0.2.2", start, 1), 1);
        let all = Limits { prefix_v4: 0, prefix_v6: 0, ..Limits::default() };
        assert_eq!(all.source(ip("192.0.2.1")), all.source(ip("198.51.100.1")));
        let each = Limits { prefix_v6: 128, ..Limits::default() };
        assert_ne!(each.source(ip("2001:db8::1")), each.source(ip("2001:db8::2")));
    }

    #[test]
    fn neighbours_on_a_link_are_sources_of_their_own() {
        let (mut limiter, start) = limiter(1, 1, 0);
        for neighbour in ["fe80::1%2", "fe80::2%2", "fe80::1%3"] {
            assert_eq!(taken(&mut limiter, neighbour, start, 5), 1, "{neighbour}");
        }
    }

    #[test]
    fn loopback_is_not_limited_unless_told() {
        let (mut limiter, start) = limiter(1, 1, 1);
        for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(taken(&mut limiter, own, start, 1000), 1000);
        }
        limiter.limits.loopback = true;
        assert_eq!(taken(&mut limiter, "127.0.0.1", start, 1000), 1);
    }

    #[test]
    fn a_table_that_is_full_forgets_the_source_that_loses_least() {
        let (mut limiter, start) = limiter(1, 1000, 0);
        assert_eq!(taken(&mut limiter, "192.0.2.1", start, 2000), 1000);
        // More sources than it has room for, one datagram each.
        for number in 0..200_000u32 {
            let [a, b, c, d] = number.to_be_bytes();
            let _ = limiter.take(([a.wrapping_add(10), b, c, d], 40_000).into(), start);
        }
        assert_eq!(taken(&mut limiter, "192.0.2.1", start, 1), 0, "it owes most, so it stays");
        assert_eq!(limiter.sources.places.len(), SETS * WAYS);
    }

    #[test]
    fn no_rate_is_no_limit() {
        let (mut limiter, start) = limiter(0, 0, 0);
        assert_eq!(taken(&mut limiter, "192.0.2.1", start, 10_000), 10_000);
    }
}
