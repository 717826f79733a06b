//! Counts the packets in an exchange, and finds the connection state that remains in a kernel. Numbers that the system
//! does not report are derived from the protocols, and marked as derived.
//!
//! The kernel counts packets for the whole network namespace, not for each socket. Other traffic can only add packets,
//! so a probe observes several exchanges and uses the smallest count, provided that at least [`MIN_AGREEING`] exchanges
//! have it. If both ends are on this host, each packet is counted once, when it is sent.

use super::MAX_FAILURES;
use crate::client::{Answer, AskError, Client, Options};
use crate::sys::{self, Traffic};
use crate::transport::Transport;
use socket2::SockRef;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

/// Number of exchanges that a probe observes.
const PROBES: usize = 16;
/// Minimum number of exchanges that must have the smallest packet count. If fewer have it, the count is derived from
/// the protocols instead of measured.
const MIN_AGREEING: usize = 3;
/// Timeout for connecting to this host, needed because a firewall may drop the SYN.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

named! {
    /// How a number was obtained.
    #[non_exhaustive]
    pub enum Provenance {
        /// Derived from the protocols: what Linux would send for a reply of this length.
        Derived = "derived",
        /// Measured with the kernel's counters.
        Measured = "measured",
    }
}

/// Packets and octets in one phase of an exchange, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phase {
    /// Number of IP packets.
    pub packets: u64,
    /// Number of octets, including IP headers.
    pub octets: u64,
    /// How both numbers were obtained: measured or derived.
    pub provenance: Provenance,
}

/// An exchange's phases and their total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Traffic until the client is connected.
    pub before: Phase,
    /// Traffic from then until the client has received the complete reply.
    pub exchange: Phase,
    /// Traffic from then until the client has closed the socket.
    pub after: Phase,
    /// Sum of all phases. The sum may be measured even if a single phase is derived.
    pub total: Phase,
}

named! {
    /// State that an exchange leaves in a kernel.
    #[non_exhaustive]
    pub enum Leftover {
        /// No state: UDP has no connections.
        Nothing = "nothing",
        /// A connection in TIME-WAIT at the client, which closed first (RFC 9293, section 3.3.2).
        TimeWaitAtClient = "time-wait at client",
        /// A connection in TIME-WAIT at the server, which closed first.
        TimeWaitAtServer = "time-wait at server",
        /// No state on this host. The server is on another host, which keeps the connection in TIME-WAIT if it closed
        /// first.
        NotHere = "nothing on this host",
        /// Unknown: this system does not list its connections, or the exchange's connection is not in the list.
        Unknown = "unknown",
    }
}

/// An exchange's traffic until the reply was received, and until the socket was closed.
#[derive(Clone, Copy, Debug)]
struct Counted {
    replied: Traffic,
    closed: Traffic,
}

/// Observes several exchanges with the peer that answered. Ignores exchanges without an answer, and stops after
/// [`MAX_FAILURES`] of them in a row.
pub(super) fn probe(client: &mut Client, answer: &Answer, options: &Options) -> (Phases, Leftover) {
    let (peer, transport) = (answer.peer, answer.transport);
    let local = is_this_host(peer);
    let mut counted = Vec::with_capacity(PROBES);
    let mut leftover =
        if transport == Transport::Udp { Leftover::Nothing } else { Leftover::Unknown };
    let mut failed_in_a_row = 0;
    for _ in 0..if local { PROBES } else { 1 } {
        let Ok((counts, ends)) = observe_exchange(client, peer, transport, options) else {
            failed_in_a_row += 1;
            if failed_in_a_row == MAX_FAILURES {
                break;
            }
            continue;
        };
        failed_in_a_row = 0;
        counted.extend(counts.filter(|_| local));
        if transport == Transport::Tcp && leftover == Leftover::Unknown {
            leftover = ends.map_or(Leftover::Unknown, |ends| time_wait(ends, local));
        }
    }
    let connecting = if local { connecting(peer, transport) } else { Vec::new() };
    (measure(&connecting, &counted, derive(answer)), leftover)
}

/// Counts the packets sent and received while a client connects to the peer's address. Over TCP, connects to a local
/// listener that never accepts, because the peer itself might send its reply before the counters are read.
fn connecting(peer: SocketAddr, transport: Transport) -> Vec<Traffic> {
    let mut address = peer;
    address.set_port(0);
    let Ok(silent) = TcpListener::bind(address) else { return Vec::new() };
    let read = || sys::traffic(peer.ip().to_canonical());
    let measure_connect = || {
        let start = read()?;
        let _open: OwnedFd = match transport {
            Transport::Tcp => {
                let silent = silent.local_addr().ok()?;
                TcpStream::connect_timeout(&silent, CONNECT_TIMEOUT).ok()?.into()
            }
            Transport::Udp => {
                let socket = UdpSocket::bind(address).ok()?;
                socket.connect(peer).ok()?;
                socket.into()
            }
        };
        Some(since(read()?, start))
    };
    (0..PROBES).map_while(|_| measure_connect()).collect()
}

/// Runs one exchange, and reads the kernel's counters before it, after the reply, and after the close.
fn observe_exchange(
    client: &mut Client,
    peer: SocketAddr,
    transport: Transport,
    options: &Options,
) -> Result<(Option<Counted>, Option<Ends>), AskError> {
    let read = || sys::traffic(peer.ip().to_canonical());
    let (start, deadline) = (read(), options.deadline()?);
    let (_, socket) = client.exchange(&[peer], transport, options, deadline)?;
    let replied = read();
    let ends = Ends::of(&SockRef::from(&socket));
    drop(socket);
    let counted = start.zip(replied).zip(read()).map(|((start, replied), closed)| Counted {
        replied: since(replied, start),
        closed: since(closed, start),
    });
    Ok((counted, ends))
}

fn since(now: Traffic, start: Traffic) -> Traffic {
    Traffic {
        packets: now.packets.saturating_sub(start.packets),
        octets: now.octets.saturating_sub(start.octets),
    }
}

/// Calculates the phases from the counts. If too few exchanges have the smallest count, a phase is derived from the
/// protocols instead.
fn measure(connecting: &[Traffic], counted: &[Counted], derived: Phases) -> Phases {
    let settled = |pick: fn(&Counted) -> Traffic| agreed_count(counted.iter().map(pick));
    let (Some(replied), Some(closed)) = (settled(|it| it.replied), settled(|it| it.closed)) else {
        return derived;
    };
    let before = agreed_count(connecting.iter().copied()).map_or(derived.before, measured);
    let exchange = Traffic {
        packets: replied.packets.saturating_sub(before.packets),
        octets: replied.octets.saturating_sub(before.octets),
    };
    Phases {
        before,
        exchange: Phase { provenance: before.provenance, ..measured(exchange) },
        after: measured(since(closed, replied)),
        total: measured(closed),
    }
}

/// Returns the smallest count if at least [`MIN_AGREEING`] exchanges have it, otherwise `None`.
fn agreed_count(counts: impl Iterator<Item = Traffic> + Clone) -> Option<Traffic> {
    let least = counts.clone().min_by_key(|count| (count.packets, count.octets))?;
    (counts.filter(|count| *count == least).count() >= MIN_AGREEING).then_some(least)
}

fn measured(traffic: Traffic) -> Phase {
    Phase { packets: traffic.packets, octets: traffic.octets, provenance: Provenance::Measured }
}

/// Derives the packets that Linux sends for a reply of this length (RFC 791, RFC 8200, RFC 768, RFC 9293). Over TCP, a
/// SYN has 20 octets of options and other segments have 12 (timestamps). The server's FIN is in the same segment as the
/// reply, and the client's ACK in the same segment as its FIN.
fn derive(answer: &Answer) -> Phases {
    let ip = if answer.peer.ip().to_canonical().is_ipv4() { 20 } else { 40 };
    let reply = answer.octets.len() as u64;
    let phase = |packets, octets| Phase { packets, octets, provenance: Provenance::Derived };
    match answer.transport {
        Transport::Udp => {
            let header = ip + 8;
            let exchange = phase(2, header + header + reply);
            Phases { before: phase(0, 0), exchange, after: phase(0, 0), total: exchange }
        }
        Transport::Tcp => {
            let (syn, segment) = (ip + 20 + 20, ip + 20 + 12);
            let lines = reply.div_ceil(1500 - segment).max(1); // number of segments that carry the reply over Ethernet
            Phases {
                before: phase(3, syn + syn + segment),
                exchange: phase(lines, lines * segment + reply),
                after: phase(2, segment + segment),
                total: phase(5 + lines, 2 * syn + (3 + lines) * segment + reply),
            }
        }
    }
}

/// A connection's two addresses, as the kernel lists them.
#[derive(Clone, Copy, Debug)]
struct Ends {
    client: SocketAddr,
    /// The server's address in the kernel's list. For the target 0.0.0.0, this is 127.0.0.1.
    server: SocketAddr,
}

impl Ends {
    fn of(socket: &SockRef<'_>) -> Option<Self> {
        let canonical = |it: SocketAddr| SocketAddr::new(it.ip().to_canonical(), it.port());
        let client = socket.local_addr().ok()?.as_socket()?;
        let server = socket.peer_addr().ok()?.as_socket()?;
        Some(Self { client: canonical(client), server: canonical(server) })
    }
}

/// Finds out which end of the connection this host lists in TIME-WAIT.
fn time_wait(Ends { client, server }: Ends, local: bool) -> Leftover {
    let Some(waiting) = sys::time_waits() else { return Leftover::Unknown };
    let remembered =
        |local, remote| waiting.iter().any(|it| (it.local, it.remote) == (local, remote));
    match (remembered(client, server), remembered(server, client)) {
        (true, _) => Leftover::TimeWaitAtClient,
        (_, true) => Leftover::TimeWaitAtServer,
        _ if !local => Leftover::NotHere,
        _ => Leftover::Unknown,
    }
}

/// Whether the address belongs to this host. A socket can be bound only to such an address.
fn is_this_host(peer: SocketAddr) -> bool {
    let mut address = peer;
    address.set_port(0);
    UdpSocket::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traffic(packets: u64, octets: u64) -> Traffic {
        Traffic { packets, octets }
    }

    fn of(packets: u64) -> Traffic {
        traffic(packets, packets * 50)
    }

    fn counted(replied: u64, closed: u64) -> Counted {
        Counted { replied: of(replied), closed: of(closed) }
    }

    fn derived() -> Phases {
        let phase =
            |packets| Phase { packets, octets: packets * 60, provenance: Provenance::Derived };
        Phases { before: phase(3), exchange: phase(2), after: phase(2), total: phase(7) }
    }

    #[test]
    fn the_smallest_count_of_several_probes_is_measured() {
        let good = counted(5, 7);
        let counts = [good, counted(9, 11), good, counted(5, 9), good];
        let phases = measure(&[of(3), of(4), of(3), of(3)], &counts, derived());
        let packets = [phases.before, phases.exchange, phases.after].map(|phase| phase.packets);
        assert_eq!(packets, [3, 2, 2]);
        assert_eq!(phases.total, measured(traffic(7, 350)));
    }

    #[test]
    fn without_enough_equal_counts_handshake_and_exchange_are_derived() {
        let phases = measure(&[of(3), of(4), of(3)], &[counted(5, 7); 4], derived());
        assert_eq!(phases.before, derived().before);
        assert_eq!((phases.exchange.packets, phases.exchange.provenance), (2, Provenance::Derived));
        assert_eq!((phases.after.packets, phases.after.provenance), (2, Provenance::Measured));
        assert_eq!(phases.total, measured(traffic(7, 350)));
    }

    #[test]
    fn counts_of_equal_packets_and_different_octets_are_not_equal() {
        let odd = [traffic(3, 150), traffic(3, 250), traffic(3, 350)];
        assert_eq!(measure(&odd, &[counted(5, 7); 4], derived()).before, derived().before);
    }

    #[test]
    fn without_enough_equal_totals_every_phase_is_derived() {
        let counts = [counted(5, 7), counted(6, 8), counted(9, 9)];
        assert_eq!(measure(&[of(3); 4], &counts, derived()), derived());
        assert_eq!(measure(&[], &[], derived()), derived());
    }

    #[test]
    fn connecting_takes_a_handshake_over_tcp() {
        let peer = SocketAddr::from(([127, 0, 0, 1], 9));
        let counted = connecting(peer, Transport::Tcp);
        // A system without counters returns no counts. Other tests send packets at the same time, so only the minimum
        // is certain.
        assert_eq!(counted.is_empty(), sys::traffic(peer.ip()).is_none());
        assert!(counted.iter().all(|it| it.packets >= 3), "{counted:?}");
    }
}
