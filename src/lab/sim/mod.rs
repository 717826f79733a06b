//! The engine `sim`: two hosts with `smoltcp` stacks on a simulated link, in virtual time. The same setting gives the
//! same trace, to the octet, on every system and without privileges.
//!
//! The network and the two TCP/IP stacks are simulated. The services and the clients ([`stream`], [`datagram`]) make
//! the same decisions as this crate's real services and clients (which reply to send, which datagrams the guard
//! permits, when the UDP client retries), but on `smoltcp` sockets.
//!
//! This engine differs from Linux in four ways. It sends the FIN together with the data. It waits at least a second
//! before the first retransmission. It has a fixed number of listening sockets instead of a backlog. It closes a
//! connection that has unread input with a FIN, not with an RST.

mod datagram;
mod device;
mod host;
mod network;
mod stream;

pub(crate) use datagram::{Answer, Asker, Policy, Service as DatagramService};
pub(crate) use network::{Application, Network, address, conditions};
pub(crate) use stream::{Client as StreamClient, End, Service as StreamService};

use super::Part;
use super::link::Conditions;
use crate::clock::{Clock, Reading};
use crate::duration::short;
use crate::responder::Responder;
use crate::syntax::{Syntax, Zone};
use crate::trace::{Action, Event};
use chrono::DateTime;
use std::time::Duration;

/// Time that the simulated server's clock shows when a simulation begins: the time in RFC 867's second example.
const BEGINNING: i64 = 381_513_541; // 1982-02-02 15:59:01 UTC

/// Retransmission timeout before a host has measured the round-trip time (RFC 6298, section 2.1), and the timeout's
/// minimum afterwards (section 2.4).
pub(crate) const FIRST_TIMEOUT: Duration = Duration::from_secs(1);

/// Time that a connection stays in TIME-WAIT in this engine: `smoltcp`'s `CLOSE_DELAY`.
pub(crate) const TIME_WAIT: Duration = Duration::from_secs(10);

/// Returns remarks on the differences between this engine and a real host that the traces of these parts show.
pub(crate) fn remarks(parts: &[Part]) -> Vec<String> {
    let is_time_wait =
        |event: &Event| matches!(&event.action, Action::State(_, state) if state == "TIME-WAIT");
    let is_drawn = parts.iter().flat_map(|part| &part.trace.events).any(is_time_wait);
    let remark = || {
        let here = short(TIME_WAIT);
        format!(
            "TIME-WAIT lasts {here} on this simulator. RFC 9293, sections 3.4.2 and 3.6.1, requires 4 minutes: \
             twice the maximum segment lifetime, which is 2 minutes. Linux waits 60 s."
        )
    };
    is_drawn.then(remark).into_iter().collect()
}

/// Returns whether a round trip takes at least [`FIRST_TIMEOUT`]. If so, hosts retransmit a SYN although it is not
/// lost, and labs cannot predict an exact number of packets.
pub(crate) fn repeats_in_vain(conditions: &Conditions) -> bool {
    2 * conditions.delay >= FIRST_TIMEOUT
}

/// Returns the reply that the real service would send at this virtual time.
fn reply_at(now: Duration) -> Option<Vec<u8>> {
    let seconds = i64::try_from(now.as_secs()).ok()?;
    let utc = DateTime::from_timestamp(BEGINNING + seconds, now.subsec_nanos())?;
    let clock = Clock::Fixed(Reading::at(utc));
    let responder = Responder::new(clock, Syntax::default(), Zone::UTC, false);
    Some(responder.form()?.octets().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use crate::lab::link::{CLIENT, Fault, SERVER};
    use crate::mentions::mentions;
    use crate::trace::{Fate, Loss, Packet, Trace};

    const MS: Duration = Duration::from_millis(1);

    fn plain() -> Conditions {
        Conditions::of(&LabOptions::default(), 20 * MS)
    }

    /// Runs a complete exchange over TCP; returns the octets received and the trace.
    fn stream(conditions: Conditions, seed: u64) -> (Vec<u8>, Trace) {
        let mut network = Network::new(conditions, seed).traced();
        let mut client = StreamClient::new(Duration::ZERO, 100_000 * MS, 50_000);
        let mut service = StreamService::default();
        network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], 200_000 * MS);
        (client.octets, network.into_trace())
    }

    fn fates(trace: &Trace) -> Vec<&Fate> {
        trace.packets().map(|(_, packet)| &packet.fate).collect()
    }

    /// Runs 20 seeds. Asserts that TCP always delivers the complete reply, and that the fault occurs with at least 10
    /// of the seeds.
    fn happens(conditions: &Conditions, has_happened: fn(&Trace) -> bool) {
        let whole = reply_at(Duration::ZERO).expect("a line").len();
        let mut happened = 0;
        for seed in 0..20 {
            let (octets, trace) = stream(conditions.clone(), seed);
            assert_eq!(octets.len(), whole, "seed {seed}: TCP repairs it");
            happened += u32::from(has_happened(&trace));
        }
        assert!(happened >= 10, "{happened} of 20: {conditions:?}");
    }

    #[test]
    fn a_reply_has_the_virtual_time() {
        let reply =
            |seconds| String::from_utf8(reply_at(Duration::from_secs(seconds)).expect("a time"));
        assert_eq!(reply(0).expect("ASCII"), "Tuesday, February 2, 1982 15:59:01-UTC\r\n");
        assert_eq!(reply(61).expect("ASCII"), "Tuesday, February 2, 1982 16:00:02-UTC\r\n");
    }

    #[test]
    fn a_delay_is_at_least_one_microsecond_and_a_whole_number() {
        let delay = |nanoseconds| {
            let options = LabOptions {
                delay: Some(Duration::from_nanos(nanoseconds)),
                ..LabOptions::default()
            };
            conditions(&options, MS).delay.as_nanos()
        };
        assert_eq!([0, 1, 1500, 2000].map(delay), [1000, 1000, 1000, 2000]);
    }

    /// Checks both hosts' first states in an exchange, and the time at which each state begins.
    #[test]
    fn a_state_is_recorded_when_it_begins() {
        let (_, trace) = stream(plain(), 1);
        let states = |host| {
            let of_host = move |event: &&Event| event.host == host;
            trace.events.iter().filter(of_host).filter_map(|event| match &event.action {
                Action::State(_, state) => Some((event.at.as_millis(), state.as_str())),
                Action::Call { .. } | Action::Packet(_) => None,
            })
        };
        let client = [(0, "SYN-SENT"), (40, "ESTABLISHED"), (80, "CLOSE-WAIT"), (80, "LAST-ACK")];
        assert!(states(CLIENT).eq(client.into_iter().chain([(120, "CLOSED")])), "{trace:?}");
        let server = [(20, "SYN-RECEIVED"), (60, "ESTABLISHED"), (60, "FIN-WAIT-1")];
        let end = [(100, "FIN-WAIT-2"), (100, "TIME-WAIT")];
        assert!(states(SERVER).take(5).eq(server.into_iter().chain(end)), "{trace:?}");
    }

    #[test]
    fn packets_are_lost_by_chance_and_repaired() {
        let lost = |trace: &Trace| fates(trace).contains(&&Fate::Lost(Loss::Chance));
        happens(&Conditions { loss: 0.3, ..plain() }, lost);
    }

    #[test]
    fn packets_are_duplicated() {
        let twice = |trace: &Trace| {
            fates(trace).iter().any(|fate| matches!(fate, Fate::Arrived(times) if times.len() == 2))
        };
        happens(&Conditions { duplicate: 0.5, ..plain() }, twice);
        assert!(!twice(&stream(plain(), 1).1), "nothing comes twice unless it is asked for");
    }

    #[test]
    fn packets_overtake_others() {
        let first = |packet: &Packet| match &packet.fate {
            Fate::Arrived(times) => Some(times[0]),
            Fate::Lost(_) | Fate::Seen => None,
        };
        let overtaken = |trace: &Trace| {
            let of_client: Vec<_> = trace
                .packets()
                .filter(|(event, _)| event.host == CLIENT)
                .filter_map(|(_, packet)| first(packet))
                .collect();
            of_client.windows(2).filter(|pair| pair[0] > pair[1]).count()
        };
        let late = Conditions { reorder: 0.5, ..plain() };
        let all: usize = (0..50).map(|seed| overtaken(&stream(late.clone(), seed).1)).sum();
        let none: usize = (0..50).map(|seed| overtaken(&stream(plain(), seed).1)).sum();
        assert!(all > 0 && none == 0, "{all} {none}");
    }

    #[test]
    fn the_chosen_packets_are_lost_in_an_exchange() {
        let (_, trace) = stream(Conditions { drop: vec![1, 4], ..plain() }, 1);
        let lost: Vec<_> = fates(&trace)
            .into_iter()
            .enumerate()
            .filter(|(_, fate)| matches!(fate, Fate::Lost(_)))
            .map(|(place, fate)| (place + 1, fate.clone()))
            .collect();
        let ordered = |number| Fate::Lost(Loss::Ordered(number));
        assert_eq!(lost, [(1, ordered(1)), (4, ordered(4))]);
    }

    #[test]
    fn a_reply_that_is_lost_once_arrives_the_second_time() {
        let (octets, trace) = stream(Conditions { fault: Fault::LoseReply, ..plain() }, 1);
        assert_eq!(octets, reply_at(80 * MS).expect("a line"));
        let fates = fates(&trace);
        let lost: Vec<_> = fates.iter().filter(|fate| matches!(fate, Fate::Lost(_))).collect();
        assert_eq!(lost, [&&Fate::Lost(Loss::Reply)]);
    }

    #[test]
    fn a_link_that_is_cut_passes_no_packet() {
        let (octets, trace) = stream(Conditions { fault: Fault::CutAtReply, ..plain() }, 1);
        assert!(octets.is_empty());
        let fates = fates(&trace);
        let cut =
            fates.iter().position(|fate| **fate == Fate::Lost(Loss::Cut)).expect("it was cut");
        assert!(cut >= 3 && fates[cut..].iter().all(|fate| **fate == Fate::Lost(Loss::Cut)));
    }

    #[test]
    fn every_packet_is_under_way_for_the_delay() {
        let (_, trace) = stream(plain(), 1);
        let mut packets = 0;
        for (event, packet) in trace.packets() {
            assert_eq!(packet.fate, Fate::Arrived(vec![event.at + 20 * MS]));
            packets += 1;
        }
        assert_eq!(packets, 7);
    }

    #[test]
    fn without_random_faults_every_seed_gives_the_same_octets() {
        for certain in [
            plain(),
            Conditions { loss: 1.0, ..plain() },
            Conditions { duplicate: 1.0, reorder: 1.0, drop: vec![2], ..plain() },
        ] {
            assert!(!certain.is_random());
            assert_eq!(stream(certain.clone(), 1), stream(certain, 2));
        }
        for [loss, duplicate, reorder] in [[0.5, 0.0, 1.0], [0.0, 0.5, 0.0], [0.0, 0.0, 0.5]] {
            let open = Conditions { loss, duplicate, reorder, ..plain() };
            assert!(open.is_random());
            let first = stream(open.clone(), 0);
            assert!((1..20).any(|seed| stream(open.clone(), seed) != first), "{open:?}");
        }
    }

    #[test]
    fn time_wait_lasts_as_long_as_the_remark_says() {
        let (_, trace) = stream(plain(), 1);
        let when = |wanted: &str| {
            let is = |event: &&Event| {
                event.host == SERVER
                    && matches!(&event.action, Action::State(_, state) if state == wanted)
            };
            trace.events.iter().find(is).expect("the state").at
        };
        assert_eq!(when("CLOSED"), when("TIME-WAIT") + TIME_WAIT);
        let (transport, name) = (crate::transport::Transport::Tcp, String::new());
        let part = |trace| [Part { transport, name: name.clone(), trace }];
        assert_eq!(remarks(&part(Trace::default())), [""; 0]);
        let remarks = remarks(&part(trace.clone()));
        mentions(&remarks[0], &["TIME-WAIT", &format!("{} s", TIME_WAIT.as_secs())]);
    }

    #[test]
    fn the_same_seed_gives_the_same_octets_and_another_one_others() {
        let lossy = Conditions { loss: 0.3, duplicate: 0.2, reorder: 0.2, ..plain() };
        for seed in 0..20 {
            assert_eq!(stream(lossy.clone(), seed), stream(lossy.clone(), seed));
        }
        assert_ne!(stream(lossy.clone(), 1).1, stream(lossy, 2).1);
    }

    /// Compares a checksum over the packets and their times with a fixed value. The checksum must be the same in debug
    /// and release builds, and on all machines.
    #[test]
    fn the_octets_of_a_seed_are_these() {
        let lossy = Conditions { loss: 0.3, ..plain() };
        let (_, trace) = stream(lossy, 867);
        // FNV-1a (the IETF's draft-eastlake-fnv); any checksum would do.
        let octets = trace.packets().flat_map(|(event, packet)| {
            let at = u64::try_from(event.at.as_nanos()).expect("short").to_be_bytes();
            at.into_iter().chain(packet.octets.clone())
        });
        let sum = octets.fold(0xcbf2_9ce4_8422_2325_u64, |sum, octet| {
            (sum ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)
        });
        assert_eq!((trace.packets().count(), sum), (9, 6_230_060_452_965_283_817));
    }
}
