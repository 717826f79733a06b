//! Computes observations from the trace of an exchange, in the same way for every engine.

use super::link::{CLIENT, SERVER};
use super::packet::kind;
use crate::trace::{Event, Fate, HostId, Packet, Trace};
use std::time::Duration;

/// Counts the items; returns the count with its noun, such as `(3, "packet")`.
pub(super) fn count<T>(all: impl Iterator<Item = T>, of: &'static str) -> (u64, &'static str) {
    (all.map(|_| 1).sum(), of)
}

/// Returns the packets that a host sent.
pub(super) fn sent_by(trace: &Trace, host: HostId) -> impl Iterator<Item = (&Event, &Packet)> {
    trace.packets().filter(move |(event, _)| event.host == host)
}

/// Returns the server's packets that carry application data: the reply and its retransmissions.
pub(super) fn replies(trace: &Trace) -> impl Iterator<Item = (&Event, &Packet)> {
    trace.packets().filter(is_reply)
}

fn is_reply((event, packet): &(&Event, &Packet)) -> bool {
    event.host == SERVER && carries_octets(packet)
}

fn carries_octets(packet: &Packet) -> bool {
    kind(&packet.octets).octets() > 0
}

/// Returns the kind of packet that a host sent first, such as `SYN-ACK`, or `nothing` if the host sent no packet.
pub(super) fn first_packet(trace: &Trace, host: HostId) -> &'static str {
    sent_by(trace, host).next().map_or("nothing", |(_, packet)| kind(&packet.octets).words())
}

/// Returns the number of round trips up to the reply: how often a packet from the server directly follows a packet from
/// the client. Counting packets instead of measuring time gives the same result on a busy machine.
pub(super) fn round_trips(trace: &Trace) -> u64 {
    let packets: Vec<_> = trace.packets().collect();
    let reply = packets.iter().position(is_reply);
    let until = &packets[..reply.map_or(packets.len(), |reply| reply + 1)];
    let answers = |pair: &&[(&Event, _)]| pair[0].0.host == CLIENT && pair[1].0.host == SERVER;
    until.windows(2).filter(answers).map(|_| 1).sum()
}

/// Returns the time from sending the first packet until the reply arrives, or `None` if the reply did not arrive.
pub(super) fn time_to_the_answer(trace: &Trace) -> Option<Duration> {
    let came = replies(trace).find_map(|(_, packet)| arrival(packet))?;
    let (began, _) = trace.packets().next()?;
    Some(came.saturating_sub(began.at))
}

/// Returns the time at which the first copy of a packet arrived, or `None` if no copy arrived.
pub(super) fn arrival(packet: &Packet) -> Option<Duration> {
    match &packet.fate {
        Fate::Arrived(times) => times.first().copied(),
        Fate::Lost(_) | Fate::Seen => None,
    }
}

/// The packets that follow the first transmission of the server's reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AfterReply {
    /// Number of packets that the client sent after the server's first reply packet.
    pub client_packets: u64,
    /// Time from each transmission of the reply to the next one.
    pub waits: Vec<Duration>,
}

/// Describes the packets that follow the first reply. If the server sent no reply, the count is 0 and `waits` is empty.
pub(super) fn after_the_reply(trace: &Trace) -> AfterReply {
    let after = trace.packets().skip_while(|it| !is_reply(it));
    let client_packets = after.filter(|(event, _)| event.host == CLIENT).map(|_| 1).sum();
    let sent: Vec<Duration> = replies(trace).map(|(event, _)| event.at).collect();
    AfterReply {
        client_packets,
        waits: sent.windows(2).map(|two| two[1].saturating_sub(two[0])).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::{datagram, syn};
    use super::*;
    use crate::trace::Action;
    use std::net::SocketAddrV4;

    const MS: Duration = Duration::from_millis(1);

    fn trace(packets: &[(u32, HostId, &[u8], bool)]) -> Trace {
        let mut trace = Trace::default();
        for (at, host, octets, comes) in packets {
            let (at, to) = (*at * MS, if *host == SERVER { CLIENT } else { SERVER });
            let fate = if *comes { Fate::Arrived(vec![at + 20 * MS]) } else { Fate::Seen };
            let action = Action::Packet(Packet { to, octets: octets.to_vec(), fate });
            trace.push(Event { at, host: *host, action });
        }
        trace
    }

    fn addresses() -> (SocketAddrV4, SocketAddrV4) {
        ("10.0.0.1:50000".parse().expect("address"), "10.0.0.2:13".parse().expect("address"))
    }

    #[test]
    fn an_answer_is_timed_from_the_first_packet_and_one_that_never_came_has_no_time() {
        let (client, server) = addresses();
        let (question, reply) = (datagram(client, server, &[]), datagram(server, client, b"time"));
        let asked = (5, CLIENT, &question[..], true);
        let whole = trace(&[asked, (25, SERVER, &reply, true)]);
        assert_eq!((round_trips(&whole), time_to_the_answer(&whole)), (1, Some(40 * MS)));
        let lost = trace(&[asked, (25, SERVER, &reply, false)]);
        assert_eq!((round_trips(&lost), time_to_the_answer(&lost)), (1, None));
        assert_eq!((round_trips(&trace(&[asked])), first_packet(&lost, SERVER)), (0, "datagram"));
        assert_eq!(first_packet(&trace(&[asked]), SERVER), "nothing");
    }

    #[test]
    fn waits_are_from_one_sending_of_the_reply_to_the_next() {
        let (client, server) = addresses();
        let (syn, reply) = (syn(client, server), datagram(server, client, b"time"));
        let resent = trace(&[
            (0, CLIENT, &syn, true),
            (20, SERVER, &reply, false),
            (30, CLIENT, &syn, true),
            (120, SERVER, &reply, false),
            (320, SERVER, &reply, false),
        ]);
        let waits = vec![100 * MS, 200 * MS];
        assert_eq!(after_the_reply(&resent), AfterReply { client_packets: 1, waits });
        let none = AfterReply { client_packets: 0, waits: Vec::new() };
        assert_eq!(after_the_reply(&trace(&[(0, CLIENT, &syn, true)])), none);
    }
}
