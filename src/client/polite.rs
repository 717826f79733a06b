//! How long a public server is left alone between two questions: a decision without sockets, and the
//! waiting it asks for.

use super::{AskError, Options, Pace};
use crate::udp::client::Retries;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// "All users should ensure that their software NEVER queries a server more frequently than once every 4
/// seconds" (NIST, <https://tf.nist.gov/tf-cgi/servers.cgi>).
const MIN_INTERVAL: Duration = Duration::from_secs(4);

/// True if the server may belong to others than its user: any address but loopback, link-local and private
/// ones (RFC 1122, 3.2.1.3; RFC 3927; RFC 4291, 2.5; RFC 1918; RFC 4193).
///
/// In doubt it is public, since a needless pause does no harm. 100.64.0.0/10 (RFC 6598) lies between a
/// provider and its customers, so its servers have many users; multicast reaches many at once; and the
/// documentation's ranges belong to no host, so tests can use them. An unspecified address reaches this host.
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

/// The address for which asking without a pause is refused, any that may be asked: which one answers is
/// known only when it has been asked.
pub(crate) fn off_limits(addresses: &[SocketAddr], options: &Options) -> Option<IpAddr> {
    let mut public = addresses.iter().map(SocketAddr::ip).filter(|ip| is_public(*ip));
    public.next().filter(|_| options.pace != Pace::Off)
}

/// One form for all addresses of one server's interface: IPv4, where an IPv6 address stands for it, be it
/// mapped (RFC 4291, 2.5.5.2) or reached through a translator (RFC 6052, the well-known prefix).
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

/// How datagrams are repeated: at the pace of these options.
pub(super) fn retries(options: &Options) -> Retries {
    let min_interval = if options.pace == Pace::Off { |_| Duration::ZERO } else { min_interval };
    Retries { max: options.retries, min_interval }
}

/// The time that has to be between two questions to this address.
fn min_interval(address: IpAddr) -> Duration {
    if is_public(address) { MIN_INTERVAL } else { Duration::ZERO }
}

/// Returns once all of `addresses` may be asked, with how long that took.
///
/// # Errors
/// [`AskError::TooSoon`]: one of them has to be left alone, and the pace is to refuse then.
pub(crate) fn await_turn(addresses: &[SocketAddr], pace: Pace) -> Result<Duration, AskError> {
    if !addresses.iter().any(|address| is_public(address.ip())) {
        return Ok(Duration::ZERO); // loopback is asked in tight loops: no lock for it
    }
    let started = Instant::now();
    let mut waited = Duration::ZERO;
    // Again after a pause: another thread may have asked meanwhile.
    while pace != Pace::Off
        && let Some((address, retry_after)) = asked().longest_pause(addresses, Instant::now())
    {
        if pace == Pace::Refuse {
            return Err(AskError::TooSoon { address, retry_after });
        }
        let (apart, left) = (MIN_INTERVAL.as_secs(), retry_after.as_secs_f64());
        log::info!("{address} is public and was asked within {apart} s: waiting {left:.1} s");
        thread::sleep(retry_after);
        waited = started.elapsed();
    }
    Ok(waited)
}

/// Notes that an exchange in which these addresses were asked is over.
pub(crate) fn note_asked(peers: &[SocketAddr]) {
    // Loopback is asked in tight loops: no lock for it.
    if peers.iter().any(|peer| is_public(peer.ip())) {
        asked().note(peers, Instant::now());
    }
}

/// What this process has asked: a loop around [`ask`](super::ask) is as polite as `query`.
static ASKED: Mutex<Asked> = Mutex::new(Asked(Vec::new()));

fn asked() -> MutexGuard<'static, Asked> {
    // A panic in another thread cannot leave a list of times half written.
    ASKED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// When the last exchange with each public address was over. A port does not count: the rule is for the
/// server.
///
/// Its end counts, not its beginning: the answer proves that the question had arrived, so the next one
/// arrives at least as much later, however long either was under way.
#[derive(Debug)]
struct Asked(Vec<(IpAddr, Instant)>);

impl Asked {
    /// Which of `addresses` has to be left alone longest, and how long; `None` if all may be asked.
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

/// Notes that this peer was asked this long ago.
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
    fn what_belongs_to_whoever_asks_is_not_public() {
        for own in [
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
            assert!(!is_public(ip(own)), "{own}");
        }
    }

    #[test]
    fn everything_else_is_public() {
        for public in [
            "132.163.97.1", // one of NIST's
            "192.0.2.1",
            "198.51.100.1",
            "100.64.0.1",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "2610:20:6f97:97::4", // one of NIST's
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
    fn a_public_address_is_left_alone_for_4_seconds() {
        let (start, peer) = (Instant::now(), addresses(&["192.0.2.1"]));
        let mut asked = Asked(Vec::new());
        assert_eq!(asked.longest_pause(&peer, start), None);
        asked.note(&peer, start);
        assert_eq!(asked.longest_pause(&peer, start), Some((ip("192.0.2.1"), 4 * SECOND)));
        assert_eq!(asked.longest_pause(&peer, start + 3 * SECOND), Some((ip("192.0.2.1"), SECOND)));
        assert_eq!(asked.longest_pause(&peer, start + 4 * SECOND), None);
    }

    #[test]
    fn the_last_question_counts() {
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
    fn neither_another_port_nor_the_ipv6_form_makes_it_another_server() {
        let now = Instant::now();
        let mut asked = Asked(Vec::new());
        asked.note(&addresses(&["::ffff:192.0.2.1"]), now);
        let other_port = ["192.0.2.1:9999".parse().expect("address")];
        assert!(asked.longest_pause(&other_port, now).is_some());
        assert!(asked.longest_pause(&addresses(&["64:ff9b::c000:201"]), now).is_some(), "by NAT64");
    }

    #[test]
    fn other_addresses_do_not_wait_but_one_of_several_is_enough() {
        let now = Instant::now();
        let mut asked = Asked(Vec::new());
        asked.note(&addresses(&["192.0.2.1"]), now);
        asked.note(&addresses(&["192.0.2.2"]), now + SECOND);
        assert_eq!(asked.longest_pause(&addresses(&["192.0.2.3"]), now + SECOND), None);
        let all = addresses(&["192.0.2.3", "192.0.2.2", "192.0.2.1"]);
        assert_eq!(asked.longest_pause(&all, now + SECOND), Some((ip("192.0.2.2"), 4 * SECOND)));
    }

    #[test]
    fn an_address_is_asked_too_soon_only_where_the_pace_says_so() {
        // Documentation's, and no other test's: the process remembers it.
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
    fn a_pause_is_as_long_as_it_was_waited() {
        let peer = addresses(&["203.0.113.78"]);
        assert_eq!(await_turn(&peer, Pace::Wait).expect("never asked"), Duration::ZERO);
        note_asked_before(peer[0], Duration::from_millis(3950));
        let waited = await_turn(&peer, Pace::Wait).expect("a pause");
        assert!((Duration::from_millis(25)..SECOND).contains(&waited), "{waited:?}");
    }

    #[test]
    fn own_addresses_are_not_remembered_and_others_no_longer_than_needed() {
        let now = Instant::now();
        let mut asked = Asked(Vec::new());
        asked.note(&addresses(&["127.0.0.1", "10.0.0.1", "192.0.2.1"]), now);
        assert_eq!(asked.0.len(), 1);
        asked.note(&addresses(&["192.0.2.2"]), now + 4 * SECOND);
        assert_eq!(asked.0, [(ip("192.0.2.2"), now + 4 * SECOND)]);
    }

    #[test]
    fn one_public_address_among_others_is_refused_unless_told() {
        let addresses = addresses(&["127.0.0.1", "2001:db8::1", "192.0.2.1"]);
        let polite = Options::default();
        let impolite = Options::default().pace(Pace::Off);
        let first: IpAddr = "2001:db8::1".parse().expect("address");
        assert_eq!(off_limits(&addresses, &polite), Some(first));
        assert_eq!(off_limits(&addresses[..1], &polite), None);
        assert_eq!(off_limits(&addresses, &impolite), None);
    }
}
