//! Rate limits for datagrams: token buckets, in a table of fixed size.

use super::{Limits, Rate, Scope, Source};
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rate limits for datagrams, shared by all workers.
#[derive(Debug)]
pub(crate) struct Limiter {
    limits: Limits,
    start: Instant,
    source_interval: Option<TokenInterval>,
    total_interval: Option<TokenInterval>,
    /// Time at which the bucket for all sources together becomes full again, in nanoseconds since
    /// the start.
    total: AtomicU64,
    sources: Buckets,
}

impl Limiter {
    pub(crate) fn new(limits: Limits, start: Instant) -> Self {
        let source_interval = TokenInterval::of(limits.udp_per_source);
        let total_interval = TokenInterval::of(limits.udp_total);
        let (total, sources) = (AtomicU64::new(0), Buckets::new());
        Self { limits, start, source_interval, total_interval, total, sources }
    }

    /// Takes two tokens for a datagram from this address: one from its source's bucket and one from
    /// the bucket for all sources. If the source's bucket is empty, no token is taken from the
    /// other bucket. So one source cannot exhaust the limit for the others.
    pub(crate) fn take(&self, peer: SocketAddr, now: Instant) -> Result<(), Scope> {
        let Some(source) = self.limits.source(peer) else { return Ok(()) };
        // Times start at 1, because 0 marks a free entry in the table.
        let now = nanoseconds(now.saturating_duration_since(self.start)).saturating_add(1);
        self.sources.with_full_time(source, |full| {
            let after = spend(self.source_interval, *full, now).ok_or(Scope::Source)?;
            let total = |full| spend(self.total_interval, full, now);
            let relaxed = Ordering::Relaxed; // Relaxed suffices, because no other data depends on this number.
            self.total.fetch_update(relaxed, relaxed, total).map_err(|_| Scope::Total)?;
            *full = after;
            Ok(())
        })
    }
}

/// A [`Rate`] converted to nanoseconds.
#[derive(Clone, Copy, Debug)]
struct TokenInterval {
    /// Time until one token is added.
    token: u64,
    /// Time until an empty bucket is full again.
    depth: u64,
}

impl TokenInterval {
    /// Converts a rate. Returns `None` if the rate means "no limit".
    fn of(rate: Rate) -> Option<Self> {
        let second = nanoseconds(Duration::from_secs(1));
        let token = second.checked_div(rate.per_second.into())?;
        Some(Self { token, depth: token.saturating_mul(rate.burst.max(1).into()) })
    }
}

/// Takes a token at the time `now` from a bucket that would be full at the time `full`. Returns the
/// time at which the bucket then becomes full, or `None` if the bucket is empty. This is the
/// generic cell rate algorithm (ITU-T I.371, "virtual scheduling").
fn spend(interval: Option<TokenInterval>, full: u64, now: u64) -> Option<u64> {
    let Some(TokenInterval { token, depth }) = interval else { return Some(full) };
    let after = full.max(now).saturating_add(token);
    (after - now <= depth).then_some(after)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Fixed-size table of the sources' token buckets. An entry stores the time at which its bucket
/// becomes full again. A full bucket needs no entry.
///
/// Each source maps to one set of [`ENTRIES_PER_SET`] entries. A new source replaces the entry
/// whose bucket becomes full first, because losing that entry does the least harm. So time and
/// memory are constant, whatever clients send. The hash has a secret key, so no client can choose
/// which source it replaces.
#[derive(Debug)]
struct Buckets {
    /// Parts of the table, each with its own lock, so that workers rarely wait for each other.
    parts: [Mutex<Part>; PARTS],
    hash: RandomState,
}

/// Part of the table: sets of entries, stored as plain numbers. The kernel provides the memory
/// filled with zeros, and allocates a page only when it is first touched.
#[derive(Debug)]
struct Part {
    entries: Vec<Entry>,
    /// Index of the first entry of the first set. The index is chosen so that each set fills
    /// exactly one cache line. With thousands of sources, fetching that line is the main cost of a
    /// lookup.
    first: usize,
}

/// Entry in the table: a source's hash, and the time at which the source's bucket becomes full, in
/// nanoseconds. The time 0 marks a free entry. The entry stores the hash instead of the source
/// itself. Two sources with the same hash would share a bucket, but no client can find two such
/// sources.
type Entry = [u64; 2];
const ENTRIES_PER_SET: usize = 4;
const SETS: usize = 1 << 14;
/// Number of parts of the table. Each part has 128 KiB, which is large enough for malloc(3) to get
/// it directly from the kernel.
const PARTS: usize = 8;

impl Buckets {
    fn new() -> Self {
        let part = |_| Mutex::new(Part::new());
        Self { parts: std::array::from_fn(part), hash: RandomState::new() }
    }

    /// Calls `change` with the time at which a source's bucket becomes full. `change` may modify
    /// that time.
    fn with_full_time<T>(&self, source: Source, change: impl FnOnce(&mut u64) -> T) -> T {
        let hash = self.hash.hash_one(source);
        let set = usize::try_from(hash % SETS as u64).unwrap_or(0);
        let part = self.parts[set % PARTS].lock();
        let mut part = part.unwrap_or_else(PoisonError::into_inner);
        change(full_time_of(part.set(set / PARTS), hash))
    }
}

impl Part {
    fn new() -> Self {
        let entries = vec![[0; 2]; (SETS / PARTS + 1) * ENTRIES_PER_SET];
        let set_octets = ENTRIES_PER_SET * size_of::<Entry>();
        let first = entries.as_ptr().align_offset(set_octets).min(ENTRIES_PER_SET);
        Self { entries, first }
    }

    fn set(&mut self, number: usize) -> &mut [Entry] {
        &mut self.entries[self.first + number * ENTRIES_PER_SET..][..ENTRIES_PER_SET]
    }
}

/// Returns the time at which a source's bucket becomes full. If the source has no entry, replaces
/// the entry whose bucket becomes full first.
fn full_time_of(set: &mut [Entry], hash: u64) -> &mut u64 {
    let known = |[source, full]: &Entry| *full != 0 && *source == hash;
    let index = set.iter().position(known).unwrap_or_else(|| {
        let oldest = (0..set.len()).min_by_key(|index| set[*index][1]).unwrap_or(0);
        set[oldest] = [hash, 0];
        oldest
    });
    &mut set[index][1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, SocketAddrV6};

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

    /// Sends `tries` datagrams at the same moment, and returns the number of answered datagrams.
    fn taken(limiter: &Limiter, address: &str, now: Instant, tries: usize) -> usize {
        (0..tries).filter(|_| limiter.take(ip(address), now).is_ok()).count()
    }

    #[test]
    fn a_source_has_its_burst_and_then_its_rate() {
        let (limiter, start) = limiter(2, 5, 0);
        assert_eq!(taken(&limiter, "192.0.2.1", start, 20), 5);
        assert_eq!(limiter.take(ip("192.0.2.1"), start), Err(Scope::Source));
        assert_eq!(taken(&limiter, "192.0.2.1", start + SECOND, 20), 2);
        assert_eq!(taken(&limiter, "192.0.2.1", start + 60 * SECOND, 20), 5, "full again");
    }

    #[test]
    fn refused_datagrams_of_one_source_cost_the_others_no_token() {
        let (limiter, start) = limiter(1, 5, 8);
        assert_eq!(taken(&limiter, "192.0.2.1", start, 1000), 5);
        assert_eq!(taken(&limiter, "192.0.2.2", start, 3), 3);
        assert_eq!(limiter.take(ip("192.0.2.3"), start), Err(Scope::Total));
        // A datagram that the total limit rejects does not use up one of its source's tokens.
        assert_eq!(taken(&limiter, "192.0.2.3", start + SECOND, 9), 5);
    }

    #[test]
    fn a_source_is_a_prefix_of_the_address() {
        let (limiter, start) = limiter(1, 1, 0);
        assert_eq!(taken(&limiter, "2001:db8::1", start, 1), 1);
        assert_eq!(taken(&limiter, "2001:db8::ffff:1", start, 1), 0, "the same /64");
        assert_eq!(taken(&limiter, "2001:db8:0:1::1", start, 1), 1);
        assert_eq!(taken(&limiter, "192.0.2.1", start, 1), 1);
        assert_eq!(taken(&limiter, "::ffff:192.0.2.1", start, 1), 0, "IPv4-mapped IPv6");
        assert_eq!(taken(&limiter, "192.0.2.2", start, 1), 1);
        let all = Limits { prefix_v4: 0, prefix_v6: 0, ..Limits::default() };
        assert_eq!(all.source(ip("192.0.2.1")), all.source(ip("198.51.100.1")));
        let each = Limits { prefix_v6: 128, ..Limits::default() };
        assert_ne!(each.source(ip("2001:db8::1")), each.source(ip("2001:db8::2")));
    }

    #[test]
    fn neighbours_on_a_link_are_sources_of_their_own() {
        let (limiter, start) = limiter(1, 1, 0);
        for neighbour in ["fe80::1%2", "fe80::2%2", "fe80::1%3"] {
            assert_eq!(taken(&limiter, neighbour, start, 5), 1, "{neighbour}");
        }
    }

    #[test]
    fn loopback_is_limited_only_with_limit_loopback() {
        let (mut limiter, start) = limiter(1, 1, 1);
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(taken(&limiter, local, start, 1000), 1000);
        }
        limiter.limits.loopback = true;
        assert_eq!(taken(&limiter, "127.0.0.1", start, 1000), 1);
    }

    #[test]
    fn a_full_table_forgets_the_source_that_loses_least() {
        let (limiter, start) = limiter(1, 1000, 0);
        assert_eq!(taken(&limiter, "192.0.2.1", start, 2000), 1000);
        // There are more sources than entries in the table, and each sends one datagram.
        for number in 0..200_000u32 {
            let [a, b, c, d] = number.to_be_bytes();
            let _ = limiter.take(([a.wrapping_add(10), b, c, d], 40_000).into(), start);
        }
        assert_eq!(
            taken(&limiter, "192.0.2.1", start, 1),
            0,
            "its bucket is full last, so its entry stays"
        );
        let entries = |part: &Mutex<Part>| part.lock().expect("not poisoned").entries.len();
        let all = limiter.sources.parts.iter().map(entries).sum::<usize>();
        assert_eq!(all, (SETS + PARTS) * ENTRIES_PER_SET, "the table has not grown");
    }

    #[test]
    fn a_rate_of_0_means_no_limit() {
        let (limiter, start) = limiter(0, 0, 0);
        assert_eq!(taken(&limiter, "192.0.2.1", start, 10_000), 10_000);
    }
}
