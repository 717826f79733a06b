//! Losses that are drawn: of a packet that is chosen, so that all else is certain.

use super::{Came, TRIES, all_tries, conditions, service, unhurt};
use crate::lab::link::{CLIENT, Conditions, Fault, SERVER};
use crate::lab::seen::time_to_the_answer;
use crate::lab::sim::{self, Asker, Network, StreamClient, StreamService};
use crate::lab::{Expected, Prediction, Run, Setting};
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

/// The packets of an exchange over TCP: SYN, SYN-ACK, ACK, and the reply with the FIN.
const SYN: u32 = 1;
const REPLY: u32 = 4;
/// Over UDP.
const QUESTION: u32 = 1;

pub(super) const SYN_REPLY: &str = "reply if the SYN is lost";
pub(super) const SYN_TIME: &str = "time if the SYN is lost";
const DATA_REPLY: &str = "reply if it is lost once";
const DATA_TIME: &str = "time if it is lost once";
pub(super) const ONE_TRY: &str = "question lost, one try";
pub(super) const RETRY: &str = "question lost, a retry";

/// What is lost, with the names of what is observed of it.
struct Lost {
    part: &'static str,
    reply: &'static str,
    time: &'static str,
    drop: Vec<u32>,
    /// Of what a number does not find, since other packets come more than once.
    fault: Fault,
}

/// Over TCP.
fn of_streams(setting: &Setting) -> Vec<Lost> {
    let lost = |part, reply, time, drop: &[u32], fault| Lost {
        part,
        reply,
        time,
        drop: drop.to_vec(),
        fault,
    };
    match &setting.knobs.drop[..] {
        [] => vec![
            lost("SYN lost", SYN_REPLY, SYN_TIME, &[SYN], Fault::None),
            lost("reply lost", DATA_REPLY, DATA_TIME, &[], Fault::LoseReply),
        ],
        asked => vec![lost("", "reply", "time to the reply", asked, Fault::None)],
    }
}

/// Over UDP, with one try and with several: what is observed is how many replies come.
fn of_datagrams(setting: &Setting) -> ([&'static str; 2], &[u32]) {
    match &setting.knobs.drop[..] {
        [] => ([ONE_TRY, RETRY], &[QUESTION]),
        asked => (["replies, one try", "replies, retries"], asked),
    }
}

/// Without chance, but with what comes twice or late.
fn chosen(setting: &Setting, drop: &[u32], fault: Fault) -> Conditions {
    Conditions { loss: 0.0, drop: drop.to_vec(), fault, ..conditions(setting) }
}

pub(super) fn predict(setting: &Setting) -> Vec<Prediction> {
    let mut predictions = Vec::new();
    for lost in of_streams(setting) {
        predictions.push(Prediction::is(Tcp, lost.reply, Came::Whole.words()));
        predictions.push(Prediction::new(Tcp, lost.time, time(setting, &lost)));
    }
    let (names, drop) = of_datagrams(setting);
    for (name, tries) in names.into_iter().zip([1, TRIES]) {
        let [fewest, most] = replies(&chosen(setting, drop, Fault::None), 1, tries);
        let expected = Expected::range((fewest, "reply"), (most, "reply"));
        predictions.push(Prediction::new(Udp, name, expected));
    }
    predictions
}

/// Repaired by the first timer that runs out, and by no other, if one packet is lost and the others come once and in
/// order.
fn time(setting: &Setting, lost: &Lost) -> Expected {
    let conditions = chosen(setting, &lost.drop, lost.fault);
    let timeout = match (lost.fault, &lost.drop[..]) {
        (Fault::LoseReply, _) | (_, [REPLY]) => Some(measured_timeout(conditions.delay)),
        // A lost ACK is not missed by the client, which has nothing more to send; the server repeats its SYN-ACK.
        (_, [number]) if *number < REPLY => Some(sim::FIRST_TIMEOUT),
        (_, [_]) => Some(Duration::ZERO), // the answer is there
        _ => None,
    };
    let is_steady = conditions.duplicate <= 0.0 && conditions.reorder <= 0.0;
    match timeout.filter(|_| is_steady && !sim::repeats_in_vain(&conditions)) {
        Some(timeout) => Expected::Is((unhurt(setting) + timeout).into()),
        // Whatever else happens, nothing does before the SYN has come.
        None if lost.drop == [SYN] => {
            Expected::AtLeast((unhurt(setting) + sim::FIRST_TIMEOUT).into())
        }
        None => Expected::AtLeast(unhurt(setting).into()),
    }
}

/// How long a stack waits that has measured one round trip R: R + 4·R/2, a second at least (RFC 6298,
/// sections 2.2 and 2.4). `smoltcp` reckons in whole milliseconds, each half of them too.
fn measured_timeout(delay: Duration) -> Duration {
    let round_trip = u64::try_from((2 * delay).as_millis()).unwrap_or(u64::MAX);
    let timeout = round_trip.saturating_add((round_trip / 2).saturating_mul(4));
    Duration::from_millis(timeout).max(sim::FIRST_TIMEOUT)
}

/// The fewest replies and the most that come to one of so many tries, whose question has this number. A question
/// that comes twice is answered twice; whether it does is left to chance.
fn replies(conditions: &Conditions, question: u32, tries: u32) -> [u64; 2] {
    let is_lost = |number| conditions.drop.contains(&number);
    if tries == 0 {
        return [0, 0];
    }
    if is_lost(question) {
        return replies(conditions, question + 1, tries - 1);
    }
    let [fewest, most] = copies(conditions);
    let outcome = |answers: u32| {
        let came =
            (1..=answers).filter(|answer| !is_lost(question + answer)).map(|_| 1).sum::<u64>();
        match came {
            0 => replies(conditions, question + answers + 1, tries - 1),
            came => [came * u64::from(fewest), came * u64::from(most)],
        }
    };
    let [[low, some], [others, high]] = [fewest, most].map(outcome);
    [low.min(others), some.max(high)]
}

/// How often a packet comes that is not lost.
fn copies(conditions: &Conditions) -> [u32; 2] {
    [1 + u32::from(conditions.duplicate >= 1.0), 1 + u32::from(conditions.duplicate > 0.0)]
}

pub(super) fn run(setting: &Setting, run: &mut Run) {
    for lost in of_streams(setting) {
        stream(setting, &lost, run);
    }
    let (names, drop) = of_datagrams(setting);
    for (name, (tries, part)) in names.into_iter().zip([(1, "one try"), (TRIES, "a retry")]) {
        let timeout = all_tries(setting, Duration::from_secs(3));
        let (mut client, mut service) = (Asker::new(1, tries - 1, timeout), service());
        let conditions = chosen(setting, drop, Fault::None);
        let until = timeout + 10 * conditions.delay;
        let network = Network::new(conditions, setting.seed).traced();
        let trace = network.exchange(&mut client, &mut service, until);
        run.saw(Udp, name, (client.received, "reply"));
        run.show(Udp, part, trace);
    }
}

fn stream(setting: &Setting, lost: &Lost, run: &mut Run) {
    let conditions = chosen(setting, &lost.drop, lost.fault);
    let patience = patience(&conditions);
    let mut network = Network::new(conditions, setting.seed).traced();
    let mut client = StreamClient::new(Duration::ZERO, patience, 50_000);
    let mut service = StreamService::default();
    network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], patience);
    let trace = network.into_trace();
    run.saw(Tcp, lost.reply, Came::of(&client.octets).words());
    if let Some(time) = time_to_the_answer(&trace) {
        run.saw(Tcp, lost.time, time);
    }
    run.show(Tcp, lost.part, trace);
}

/// A client gives up after this. Waits double up to a minute, so no packet that is lost costs more.
fn patience(conditions: &Conditions) -> Duration {
    let lost = u32::try_from(conditions.drop.len()).unwrap_or(u32::MAX).saturating_add(2);
    Duration::from_mins(2).saturating_mul(lost) + 100 * conditions.delay
}

#[cfg(test)]
mod tests {
    use super::super::LAB;
    use super::*;
    use crate::lab::experiments::check::as_predicted;
    use crate::lab::packet::kind;
    use crate::lab::{Engine, Knobs, Outcome, Part};
    use crate::trace::Fate;

    fn few() -> Knobs {
        Knobs { count: Some(10), ..Knobs::default() }
    }

    fn run(seed: u64, knobs: Knobs) -> Outcome {
        as_predicted(&LAB, Engine::Sim, seed, knobs)
    }

    /// What the link has lost.
    fn lost(part: &Part) -> Vec<&'static str> {
        let packets = part.trace.packets().map(|(_, packet)| packet);
        let lost = packets.filter(|packet| matches!(packet.fate, Fate::Lost(_)));
        lost.map(|packet| kind(&packet.octets).words()).collect()
    }

    #[test]
    fn every_loss_is_repaired_by_tcp_and_by_udp_only_where_somebody_asks_again() {
        for seed in 0..50 {
            let outcome = run(seed, few());
            let all: Vec<_> = outcome.parts.iter().map(|part| (&*part.name, lost(part))).collect();
            let expected = [
                ("SYN lost", vec!["SYN"]),
                ("reply lost", vec!["FIN"]), // which rides on it
                ("one try", vec!["datagram"]),
                ("a retry", vec!["datagram"]),
            ];
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn what_is_lost_is_what_is_said_where_packets_come_twice_and_late() {
        for seed in 0..50 {
            let knobs = Knobs { duplicate: Some(50.0), reorder: Some(50.0), ..few() };
            for part in &run(seed, knobs).parts {
                let replies = part.trace.packets().filter(|(event, packet)| {
                    event.host == SERVER && kind(&packet.octets).octets() > 0
                });
                let first = replies.map(|(_, packet)| &packet.fate).next();
                let is_lost = first.is_some_and(|fate| matches!(fate, Fate::Lost(_)));
                assert_eq!(lost(part).len(), 1, "{}", part.name);
                assert_eq!(is_lost, part.name == "reply lost", "{}", part.name);
            }
        }
    }

    #[test]
    fn a_knob_at_zero_is_as_one_that_was_not_turned() {
        let setting = |knobs| Setting { seed: 1, knobs };
        let zero = Knobs { duplicate: Some(0.0), reorder: Some(0.0), ..few() };
        assert_eq!(predict(&setting(zero)), predict(&setting(few())));
    }

    #[test]
    fn replies_that_come_twice_are_counted() {
        let knobs = Knobs { duplicate: Some(100.0), ..few() };
        let replies = |outcome: &Outcome, what| {
            let finding = outcome.findings.iter().find(|it| it.prediction.what == what);
            finding.and_then(|finding| finding.observed.clone())
        };
        let outcome = run(1, knobs);
        // A question that comes twice is answered twice, and each answer comes twice.
        assert_eq!(replies(&outcome, RETRY), Some((4, "reply").into()));
        assert_eq!(replies(&outcome, ONE_TRY), Some((0, "reply").into()));
    }

    #[test]
    fn whatever_comes_twice_or_late_and_whatever_is_lost() {
        for (duplicate, reorder) in
            [(100.0, 0.0), (0.0, 100.0), (50.0, 0.0), (0.0, 50.0), (50.0, 50.0)]
        {
            let knobs = Knobs { duplicate: Some(duplicate), reorder: Some(reorder), ..few() };
            for seed in 0..10 {
                run(seed, knobs.clone());
                for last in 1..8 {
                    run(seed, Knobs { drop: vec![last], ..knobs.clone() });
                    run(seed, Knobs { drop: (1..=last).collect(), ..knobs.clone() });
                }
            }
            let delay = Some(Duration::from_mins(1));
            run(1, Knobs { delay, ..knobs });
        }
    }

    #[test]
    fn whatever_the_delay_and_the_packets_that_are_lost() {
        let milliseconds = [
            0.0, 0.0005, 100.0, 166.5, 167.0, 167.5, 170.0, 200.5, 240.0, 250.5, 260.0, 333.9,
            350.5, 400.0, 400.7, 499.0, 499.75, 500.0, 501.0, 600.0, 2000.0, 60_000.0,
        ];
        for milliseconds in milliseconds {
            let delay = Some(Duration::from_secs_f64(milliseconds / 1e3));
            run(5, Knobs { delay, ..few() });
        }
        for last in 1..12 {
            run(5, Knobs { drop: vec![last], ..few() });
            run(5, Knobs { drop: (1..=last).collect(), ..few() });
        }
        run(u64::MAX, few());
    }
}
