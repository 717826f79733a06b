//! What an exchange puts on the wire and leaves behind: measured where the system tells, else derived
//! from the protocols, and marked so.
//!
//! The kernel counts the packets of the whole network namespace, not of one socket. So a few single
//! exchanges are looked at, and the smallest count that several of them agree on is taken: whatever
//! else goes on can only add. Where both ends are on this host, every packet is sent here once.

use super::GIVE_UP;
use crate::calls::Moment;
use crate::client::{Answer, AskError, Client, Options};
use crate::sys::{self, Traffic};
use crate::transport::Transport;
use socket2::SockRef;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::BorrowedFd;

/// Exchanges that are looked at one by one.
const PROBES: usize = 16;
/// How many of them have to agree for a count to be taken as measured.
const AGREEING: usize = 3;

/// Where a number comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// From the protocols: what Linux would put on the wire for such a reply.
    Derived,
    /// From the kernel's counters.
    Measured,
}

/// Packets and octets of one phase of an exchange, in both directions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phase {
    /// IP packets.
    pub packets: u64,
    /// Octets, IP headers included.
    pub octets: u64,
    /// Where the numbers come from.
    pub source: Source,
}

/// The phases of an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Phases {
    /// Until the client is connected.
    pub before: Phase,
    /// From then until the client has the whole reply.
    pub exchange: Phase,
    /// From then until the client has closed.
    pub after: Phase,
    /// All of them together. It may be measured where the kernel's counters could not be read between
    /// two phases.
    pub total: Phase,
}

/// What an exchange leaves behind in a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Leftover {
    /// Nothing: datagrams have no connection to remember.
    Nothing,
    /// The client remembers the connection (RFC 793, TIME-WAIT): it closed first.
    TimeWaitAtClient,
    /// The server remembers it: it closed first.
    TimeWaitAtServer,
    /// Nothing on this host, so it is with the server, on another.
    NotHere,
    /// This system does not tell, or nothing was found.
    Unknown,
}

/// Counters at the moments of one exchange.
#[derive(Clone, Copy, Debug)]
struct Counted {
    before: Traffic,
    replied: Traffic,
    closed: Traffic,
}

/// Looks at some exchanges with the peer that has answered. One without an answer tells nothing; after
/// [`GIVE_UP`] of them in a row the rest is left.
pub(super) fn probe(client: &mut Client, answer: &Answer, options: &Options) -> (Phases, Leftover) {
    let (peer, transport) = (answer.peer, answer.transport);
    let local = is_this_host(peer);
    let mut counted = Vec::with_capacity(PROBES);
    let mut leftover =
        if transport == Transport::Udp { Leftover::Nothing } else { Leftover::Unknown };
    let mut failed_in_a_row = 0;
    for _ in 0..if local { PROBES } else { 1 } {
        let Ok((counts, ends)) = look(client, peer, transport, options) else {
            failed_in_a_row += 1;
            if failed_in_a_row == GIVE_UP {
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
    let derived = derive(answer);
    (measure(&counted, derived), leftover)
}

/// One exchange with the counters read before it, at its moments, and after it.
fn look(
    client: &mut Client,
    peer: SocketAddr,
    transport: Transport,
    options: &Options,
) -> Result<(Option<Counted>, Option<Ends>), AskError> {
    let read = || sys::traffic(peer.ip().to_canonical());
    let (mut connected, mut replied, mut ends) = (None, None, None);
    let start = read();
    let mut observe = |moment: Moment, socket: BorrowedFd<'_>| match moment {
        Moment::Connected => {
            connected = read();
            ends = Ends::of(&SockRef::from(&socket));
        }
        Moment::Replied => replied = read(),
    };
    let deadline = options.deadline();
    client.ask_addresses(&[peer], transport, options, deadline, &mut observe)?;
    let counted = start.zip(connected).zip(replied.zip(read())).map(
        |((start, connected), (replied, closed))| Counted {
            before: since(connected, start),
            replied: since(replied, start),
            closed: since(closed, start),
        },
    );
    Ok((counted, ends))
}

fn since(now: Traffic, start: Traffic) -> Traffic {
    Traffic {
        packets: now.packets.saturating_sub(start.packets),
        octets: now.octets.saturating_sub(start.octets),
    }
}

/// The phases from the counts, each derived where the counts do not settle it.
fn measure(counted: &[Counted], derived: Phases) -> Phases {
    let settled = |pick: fn(&Counted) -> Traffic| settle(counted.iter().map(pick));
    let (Some(replied), Some(closed)) = (settled(|it| it.replied), settled(|it| it.closed)) else {
        return derived;
    };
    // A server on another CPU may answer before the counters are read. So more than the handshake counts as not settled; what follows from
    // the two others stays measured.
    let before = match settled(|it| it.before) {
        Some(before) if is_no_more_than(before, derived.before) => measured(before),
        _ => derived.before,
    };
    let exchange = Traffic {
        packets: replied.packets.saturating_sub(before.packets),
        octets: replied.octets.saturating_sub(before.octets),
    };
    Phases {
        before,
        exchange: Phase { source: before.source, ..measured(exchange) },
        after: measured(since(closed, replied)),
        total: measured(closed),
    }
}

fn is_no_more_than(count: Traffic, derived: Phase) -> bool {
    count.packets <= derived.packets && count.octets <= derived.octets
}

/// The smallest count, if enough probes agree on it.
fn settle(counts: impl Iterator<Item = Traffic> + Clone) -> Option<Traffic> {
    let least = counts.clone().min_by_key(|count| (count.packets, count.octets))?;
    (counts.filter(|count| *count == least).count() >= AGREEING).then_some(least)
}

fn measured(traffic: Traffic) -> Phase {
    Phase { packets: traffic.packets, octets: traffic.octets, source: Source::Measured }
}

/// What Linux sends for such a reply (RFC 791, RFC 8200, RFC 768, RFC 793): TCP with the timestamps
/// option (12 octets) and 20 octets of options on a SYN; the server's FIN riding on the line, the
/// client's ACK on its FIN.
fn derive(answer: &Answer) -> Phases {
    let ip = if answer.peer.ip().to_canonical().is_ipv4() { 20 } else { 40 };
    let reply = answer.octets.len() as u64;
    let phase = |packets, octets| Phase { packets, octets, source: Source::Derived };
    match answer.transport {
        Transport::Udp => {
            let header = ip + 8;
            let exchange = phase(2, header + header + reply);
            Phases { before: phase(0, 0), exchange, after: phase(0, 0), total: exchange }
        }
        Transport::Tcp => {
            let (syn, segment) = (ip + 20 + 20, ip + 20 + 12);
            let lines = reply.div_ceil(1500 - segment).max(1); // over Ethernet
            Phases {
                before: phase(3, syn + syn + segment),
                exchange: phase(lines, lines * segment + reply),
                after: phase(2, segment + segment),
                total: phase(5 + lines, 2 * syn + (3 + lines) * segment + reply),
            }
        }
    }
}

/// Both ends of a connection, as the kernel lists them.
#[derive(Clone, Copy, Debug)]
struct Ends {
    client: SocketAddr,
    /// Not always what was asked for: 0.0.0.0 becomes 127.0.0.1.
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

/// Which side of the connection, if any, this host remembers in TIME-WAIT.
fn time_wait(Ends { client, server }: Ends, local: bool) -> Leftover {
    let Some(waiting) = sys::time_waits() else { return Leftover::Unknown };
    let remembered = |local, remote| waiting.contains(&sys::TimeWait { local, remote });
    match (remembered(client, server), remembered(server, client)) {
        (true, _) => Leftover::TimeWaitAtClient,
        (_, true) => Leftover::TimeWaitAtServer,
        _ if !local => Leftover::NotHere,
        _ => Leftover::Unknown,
    }
}

/// True if the address is one of this host's: a socket can be bound to it.
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

    fn counted(before: u64, replied: u64, closed: u64) -> Counted {
        let of = |packets| traffic(packets, packets * 50);
        Counted { before: of(before), replied: of(replied), closed: of(closed) }
    }

    fn derived() -> Phases {
        let phase = |packets| Phase { packets, octets: packets * 60, source: Source::Derived };
        Phases { before: phase(3), exchange: phase(2), after: phase(2), total: phase(7) }
    }

    #[test]
    fn the_smallest_count_that_probes_agree_on_is_measured() {
        let good = counted(3, 5, 7);
        let counts = [good, counted(5, 9, 11), good, counted(5, 5, 7), good];
        let phases = measure(&counts, derived());
        let packets = [phases.before, phases.exchange, phases.after].map(|phase| phase.packets);
        assert_eq!(packets, [3, 2, 2]);
        assert_eq!(phases.total, measured(traffic(7, 350)));
    }

    #[test]
    fn a_server_quicker_than_the_counters_leaves_the_handshake_derived() {
        let counts = [counted(5, 5, 7); 4];
        let phases = measure(&counts, derived());
        assert_eq!(phases.before, derived().before);
        assert_eq!((phases.exchange.packets, phases.exchange.source), (2, Source::Derived));
        assert_eq!((phases.after.packets, phases.after.source), (2, Source::Measured));
        assert_eq!(phases.total, measured(traffic(7, 350)));
    }

    #[test]
    fn more_octets_than_a_handshake_has_are_not_the_handshakes() {
        let torn = Counted { before: traffic(3, 250), ..counted(3, 5, 7) };
        let phases = measure(&[torn; 4], derived());
        assert_eq!(phases.before, derived().before);
        let phases = measure(&[torn, counted(3, 5, 7), torn, counted(3, 5, 7)], derived());
        assert_eq!(phases.before, derived().before, "two that agree are not enough");
        let good = counted(3, 5, 7);
        assert_eq!(measure(&[torn, good, good, good], derived()).before, measured(good.before));
    }

    #[test]
    fn without_agreement_everything_is_derived() {
        let counts = [counted(3, 5, 7), counted(3, 6, 8), counted(3, 9, 9)];
        assert_eq!(measure(&counts, derived()), derived());
        assert_eq!(measure(&[], derived()), derived());
    }
}
