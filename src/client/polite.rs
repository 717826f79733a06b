//! Keeps successive queries to a public server 4 seconds apart. The functions that compute a pause use no sockets and
//! do not sleep.

use super::{AskError, Options, Pace};
use crate::udp::client::Retries;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The minimum time between two queries to one public address. "All users should ensure that their software NEVER
/// queries a server more frequently than once every 4 seconds" (NIST, <https://tf.nist.gov/tf-cgi/servers.cgi>).
const MIN_INTERVAL: Duration = Duration::from_secs(4);

/// Whether a server at this address may belong to other people. Every address counts as public except loopback,
/// link-local and private addresses (RFC 1122, 3.2.1.3; RFC 3927; RFC 4291, 2.5; RFC 1918; RFC 4193).
///
/// If in doubt, an address counts as public, because an unnecessary pause does no harm. 100.64.0.0/10 (RFC 6598) is
/// used between a provider and its customers, so its servers have many users. A multicast address reaches many hosts.
/// The documentation ranges belong to no host, so tests can use them. An unspecified address reaches this host, so it
/// is not public.
pub(crate) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            !(v4.is_loopback() || v4.is_unspecified() || v4.is_link_local() || v4.is_private())
        }
        IpAddr::V6(v6) => {
            let unicast = v6.is_unicast_link_local() || v6.is_unique_local();
            !(v6.is_loopback() || v6.is_unspecified() || unicast)
        }
    }
}

/// Returns the first public address, unless the pace is `Off`. A client must not query a public address
/// in a tight loop. All addresses are checked, because the client may use any of them.
pub(crate) fn off_limits(addresses: &[SocketAddr], options: &Options) -> Option<IpAddr> {
    let mut public = addresses.iter().map(SocketAddr::ip).filter(|ip| is_public(*ip));
    public.next().filter(|_| options.pace != Pace::Off)
}

/// Returns the canonical form of an address: an IPv6 address that embeds an IPv4 address becomes that IPv4 address. The
/// embedding address is IPv4-mapped (RFC 4291, 2.5.5.2) or has the well-known prefix of a translator (RFC 6052).
pub(super) fn canonical_ip(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)).into()
            }
            _ => address.to_canonical(),
        },
        IpAddr::V4(_) => address,
    }
}

/// Returns the retry rules for these options.
pub(super) fn retries(options: &Options) -> Retries {
    let min_interval = if options.pace == Pace::Off { |_| Duration::ZERO } else { min_interval };
    Retries { max: options.retries, min_interval }
}

/// Returns the minimum time between two queries to this address.
fn min_interval(address: IpAddr) -> Duration {
    if is_public(address) { MIN_INTERVAL } else { Duration::ZERO }
}

/// Waits until every one of `addresses` may be queried. Returns the length of the wait.
///
/// # Errors
/// Returns [`AskError::TooSoon`] if an address was queried too recently and the pace is [`Pace::Refuse`].
pub(crate) fn await_turn(addresses: &[SocketAddr], pace: Pace) -> Result<Duration, AskError> {
    if !addresses.iter().any(|address| is_public(address.ip())) {
        // Loopback addresses need no pause, and programs query them in tight loops, so this path takes no lock.
        return Ok(Duration::ZERO);
    }
    let started = Instant::now();
    let mut waited = Duration::ZERO;
    // Checks again after each pause, because another thread may have queried one of these addresses.
    while pace != Pace::Off
        && let Some((address, retry_after)) = asked().longest_pause(addresses, Instant::now())
    {
        if pace == Pace::Refuse {
            return Err(AskError::TooSoon { address, retry_after });
        }
        let (apart, left) = (MIN_INTERVAL.as_secs(), retry_after.as_secs_f64());
        log::info!(
            "public address {address} was asked less than {apart} s ago: waiting {left:.1} s"
        );
        thread::sleep(retry_after);
        waited = started.elapsed();
    }
    Ok(waited)
}

/// Records that an exchange in which these addresses were queried has ended.
pub(crate) fn note_asked(peers: &[SocketAddr]) {
    // Loopback addresses are not recorded, and programs query them in tight loops, so this path takes no lock.
    if peers.iter().any(|peer| is_public(peer.ip())) {
        asked().note(peers, Instant::now());
    }
}

/// The public addresses that this process has queried. The list is global, so a program that calls [`ask`](super::ask)
/// in a loop also pauses between queries to one address.
static ASKED: Mutex<Asked> = Mutex::new(Asked(Vec::new()));

fn asked() -> MutexGuard<'static, Asked> {
    // A panic in another thread cannot leave the list half-written, so a poisoned lock is harmless.
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Time at which the last exchange with each public address ended. The port is ignored, because the rule applies to the
/// whole server.
///
/// The interval counts from the end of the exchange, because the answer proves that the query had arrived. So the next
/// query arrives at least 4 seconds later, whatever the network delays are.
#[derive(Debug)]
struct Asked(Vec<(IpAddr, Instant)>);

impl Asked {
    /// Returns the address with the longest remaining pause, and the remaining time. Returns `None` if all addresses
    /// may be queried now.
    fn longest_pause(&self, addresses: &[SocketAddr], now: Instant) -> Option<(IpAddr, Duration)> {
        let wanted = |ip: &IpAddr| addresses.iter().any(|it| canonical_ip(it.ip()) == *ip);
        let known = self.0.iter().filter(|(ip, _)| wanted(ip));
        let left = known.map(|(ip, at)| (*ip, (*at + MIN_INTERVAL).saturating_duration_since(now)));
        left.filter(|(_, left)| !left.is_zero()).max_by_key(|(_, left)| *left)
    }

    fn note(&mut self, peers: &[SocketAddr], now: Instant) {
        let public = peers.iter().map(SocketAddr::ip).filter(|ip| is_public(*ip));
        for ip in public.map(canonical_ip) {
            self.0.retain(|(known, at)| *known != ip && *at + MIN_INTERVAL > now);
            self.0.push((ip, now));
        }
    }
}

/// Records that a query was sent to this address `ago` before now.
#[cfg(test)]
pub(super) fn note_asked_before(peer: SocketAddr, ago: Duration) {
    asked().note(&[peer], Instant::now().checked_sub(ago).expect("the host is up for longer"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| SocketAddr::new(text.parse().expect("address"), 13)).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("address")
    }

    #[test]
    fn addresses_of_this_host_or_network_are_not_public() {
        for local in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "169.254.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.254",
            "192.168.1.1",
            "::1",
            "::",
            "fe80::1",
            "febf::1",
            "fc00::1",
            "fdff::1",
            "::ffff:10.0.0.1",
            "::ffff:127.0.0.1",
        ] {
            assert!(!is_public(ip(local)), "{local}");
        }
    }

    #[test]
    fn all_other_addresses_are_public() {
        for public in [
            "132.163.97.1", // a NIST server
            "192.0.2.1",
            "198.51.100.1",
            "100.64.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "2610:20:6f97:97::4", // a NIST server
            "2001:db8::1",
            "fec0::1",
            "ff02::1",
            "::ffff:192.0.2.1",
            "64:ff9b::a00:1",
        ] {
            assert!(is_public(ip(public)), "{public}");
        }
    }

    #[test]
    fn a_public_address_is_not_asked_for_4_seconds() {
        let (start, peer) = (Instant::now(), addresses(&["192.0.2.1"]));
        let mut asked = Asked(Vec::new());
        assert_eq!(asked.longest_pause(&peer, start), None);
        asked.note(&peer, start);
        assert_eq!(asked.longest_pause(&peer, start), Some((ip("192.0.2.1"), 4 * SECOND)));
        assert_eq!(asked.longest_pause(&peer, start + 3 * SECOND), Some((ip("192.0.2.1"), SECOND)));
        assert_eq!(asked.longest_pause(&peer, start + 4 * SECOND), None);
    }

    #[test]
    fn the_pause_counts_from_the_last_exchange() {
        let (start, peer) = (Instant::now(), addresses(&["2001:db8::1"]));
        let mut asked = Asked(Vec::new());
        asked.note(&peer, start);
        asked.note(&peer, start + 2 * SECOND);
        assert_eq!(
            asked.longest_pause(&peer, start + 5 * SECOND),
            Some((ip("2001:db8::1"), SECOND))
        );
    }

    #[test]
    fn another_port_or_the_ipv6_form_is_the_same_server() {
        let now = Instant::now();
        let mut asked = Asked(Vec::new());
        asked.note(&addresses(&["::ffff:192.0.2.1"]), now);
        let other_port = ["192.0.2.1:9999".parse().expect("address")];
        assert!(asked.longest_pause(&other_port, now).is_some());
        assert!(asked.longest_pause(&addresses(&["64:ff9b::c000:201"]), now).is_some(), "by NAT64");
    }

    #[test]
    fn a_pause_is_needed_if_one_of_the_addresses_was_asked() {
        let now = Instant::now();
        let mut asked = Asked(Vec::new());
        asked.note(&addresses(&["192.0.2.1"]), now);
        asked.note(&addresses(&["192.0.2.2"]), now + SECOND);
        assert_eq!(asked.longest_pause(&addresses(&["192.0.2.3"]), now + SECOND), None);
        let all = addresses(&["192.0.2.3", "192.0.2.2", "192.0.2.1"]);
        assert_eq!(asked.longest_pause(&all, now + SECOND), Some((ip("192.0.2.2"), 4 * SECOND)));
    }

    #[test]
    fn the_pace_decides_whether_an_early_question_is_refused() {
        // Uses a documentation address that no other test uses, because the process remembers each address that it has
        // queried.
        let peer = addresses(&["203.0.113.77"]);
        assert_eq!(await_turn(&peer, Pace::Refuse).expect("never asked"), Duration::ZERO);
        note_asked(&peer);
        assert_eq!(await_turn(&peer, Pace::Off).expect("no pause"), Duration::ZERO);
        let refused = await_turn(&peer, Pace::Refuse);
        let Err(AskError::TooSoon { address, retry_after }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(address, peer[0].ip());
        assert!((SECOND..=4 * SECOND).contains(&retry_after), "{retry_after:?}");
    }

    #[test]
    fn the_reported_pause_is_the_time_waited() {
        let peer = addresses(&["203.0.113.78"]);
        assert_eq!(await_turn(&peer, Pace::Wait).expect("never asked"), Duration::ZERO);
        note_asked_before(peer[0], Duration::from_millis(3950));
        let waited = await_turn(&peer, Pace::Wait).expect("a pause");
        assert!((Duration::from_millis(25)..SECOND).contains(&waited), "{waited:?}");
    }

    #[test]
    fn only_public_addresses_are_remembered_and_only_for_4_seconds() {
        let now = Instant::now();
        let mut asked = Asked(Vec::new());
        asked.note(&addresses(&["127.0.0.1", "10.0.0.1", "192.0.2.1"]), now);
        assert_eq!(asked.0.len(), 1);
        asked.note(&addresses(&["192.0.2.2"]), now + 4 * SECOND);
        assert_eq!(asked.0, [(ip("192.0.2.2"), now + 4 * SECOND)]);
    }

    #[test]
    fn one_public_address_among_others_is_refused_unless_the_pace_is_off() {
        let addresses = addresses(&["127.0.0.1", "2001:db8::1", "192.0.2.1"]);
        let polite = Options::default();
        let impolite = Options::default().pace(Pace::Off);
        let first: IpAddr = "2001:db8::1".parse().expect("address");
        assert_eq!(off_limits(&addresses, &polite), Some(first));
        assert_eq!(off_limits(&addresses[..1], &polite), None);
        assert_eq!(off_limits(&addresses, &impolite), None);
    }
}
