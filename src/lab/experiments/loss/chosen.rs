//! The exchanges that the report draws. Their link drops only chosen packets, never random ones.

use super::{TRIES, WHOLE, conditions, received, service, time_without_loss, timeout_of_all_tries};
use crate::lab::analysis::time_to_the_answer;
use crate::lab::link::{CLIENT, Conditions, Fault, SERVER};
use crate::lab::packet::{Kind, kind};
use crate::lab::sim::{self, Asker, Network, StreamClient, StreamService};
use crate::lab::{Expected, Prediction, Results, Setting};
use crate::trace::{Fate, Trace};
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

/// Packet numbers in an exchange over TCP. The exchange begins with SYN (1), SYN-ACK (2), ACK (3), and the reply with
/// the FIN (4).
const SYN: u32 = 1;
const REPLY: u32 = 4;
/// Packet numbers in an exchange over UDP.
const QUESTION: u32 = 1;
const ANSWER: u32 = 2;

const LOST: &str = "chosen: packet lost";
const RECEIVED: &str = "chosen: reply received";
const TIME: &str = "chosen: time to reply";
const DATA_RECEIVED: &str = "reply lost: received";
const DATA_TIME: &str = "reply lost: time";
const ONE_TRY: &str = "chosen: replies, 1 try";
const RETRY: &str = "chosen: replies, 4 tries";

/// An exchange over TCP: the packets that its link drops, and the names of its part of the report and of its findings.
struct Lost {
    part: &'static str,
    reply: &'static str,
    time: &'static str,
    drop: Vec<u32>,
    /// Selects the reply by its content rather than by its number, because duplicates would shift the numbers.
    fault: Fault,
}

/// Returns the exchanges over TCP. In the first exchange the link drops the SYN, or the packets that `--drop` selects;
/// the findings have the same names in both cases.
fn lost_over_tcp(setting: &Setting) -> Vec<Lost> {
    let chosen = |part, drop: &[u32]| Lost {
        part,
        reply: RECEIVED,
        time: TIME,
        drop: drop.to_vec(),
        fault: Fault::None,
    };
    let reply = Lost {
        part: "reply lost",
        reply: DATA_RECEIVED,
        time: DATA_TIME,
        drop: Vec::new(),
        fault: Fault::LoseReply,
    };
    match &setting.options.drop[..] {
        [] => vec![chosen("SYN lost", &[SYN]), reply],
        asked => vec![chosen("", asked)],
    }
}

/// Returns the title of the UDP exchange's diagram, and the numbers of the packets that the link drops in that
/// exchange. With `--drop` the title is empty, because the user may have chosen any packets.
fn lost_over_udp(setting: &Setting) -> (&'static str, &[u32]) {
    match &setting.options.drop[..] {
        [] => ("question lost", &[QUESTION]),
        asked => ("", asked),
    }
}

/// Lists the kinds of the packets that the link dropped, such as `SYN, reply`, or `nothing`.
fn lost_packets(trace: &Trace) -> String {
    let lost = trace.packets().filter(|(_, packet)| matches!(packet.fate, Fate::Lost(_)));
    let words = lost.map(|(event, packet)| match kind(&packet.octets) {
        kind if event.host == SERVER && kind.octets() > 0 => "reply",
        Kind::Datagram(_) => "question",
        kind => kind.words(),
    });
    let words: Vec<&str> = words.collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
}

/// Returns the conditions of a link without random loss, but with the duplicates and late packets that the options set.
fn without_chance(setting: &Setting, drop: &[u32], fault: Fault) -> Conditions {
    Conditions { loss: 0.0, drop: drop.to_vec(), fault, ..conditions(setting) }
}

pub(super) fn predict(setting: &Setting) -> Vec<Prediction> {
    let expected_loss = |packet: &str| match &setting.options.drop[..] {
        [] => Expected::is(packet),
        _ => Expected::OBSERVE,
    };
    let mut predictions = vec![
        Prediction::new(Tcp, LOST, expected_loss("SYN")),
        Prediction::new(Udp, LOST, expected_loss("question")),
    ];
    for lost in lost_over_tcp(setting) {
        predictions.push(Prediction::is(Tcp, lost.reply, WHOLE));
        predictions.push(Prediction::new(Tcp, lost.time, expected_time(setting, &lost)));
    }
    for (name, tries) in [(ONE_TRY, 1), (RETRY, TRIES)] {
        predictions.push(Prediction::new(Udp, name, expected_replies(setting, tries)));
    }
    predictions
}

/// Predicts the time to the reply. One lost packet costs the timeout after which a host retransmits it (RFC 6298). For
/// any other losses, and with duplicates or late packets, the lab predicts only the minimum: two round trips.
fn expected_time(setting: &Setting, lost: &Lost) -> Expected {
    let conditions = without_chance(setting, &lost.drop, lost.fault);
    let is_steady = conditions.duplicate <= 0.0 && conditions.reorder <= 0.0;
    let timeout = match (lost.fault, &lost.drop[..]) {
        _ if !is_steady || sim::repeats_in_vain(&conditions) => None,
        (Fault::LoseReply, _) | (_, [REPLY]) => Some(measured_timeout(conditions.delay)),
        // If the handshake's ACK is lost, the server retransmits its SYN-ACK; the client has no data to send and
        // notices nothing.
        (_, [number]) if *number < REPLY => Some(sim::FIRST_TIMEOUT),
        (_, [_]) => Some(Duration::ZERO), // a loss after the reply has arrived costs no time
        _ => None,
    };
    let least = time_without_loss(setting);
    timeout.map_or_else(|| Expected::at_least(least), |timeout| Expected::is(least + timeout))
}

/// Returns the retransmission timeout after one measured round trip R: R + 4·R/2, but at least a second (RFC 6298,
/// sections 2.2 and 2.4). `smoltcp` rounds both terms down to whole milliseconds.
fn measured_timeout(delay: Duration) -> Duration {
    let round_trip = u64::try_from((2 * delay).as_millis()).unwrap_or(u64::MAX);
    let timeout = round_trip.saturating_add((round_trip / 2).saturating_mul(4));
    Duration::from_millis(timeout).max(sim::FIRST_TIMEOUT)
}

/// Predicts how many replies a client receives. If the query or the reply is lost, the first try gets no reply. The
/// retry gets one reply, or up to four if packets are duplicated. For other combinations of options the lab predicts
/// nothing.
fn expected_replies(setting: &Setting, tries: u32) -> Expected {
    let is_duplicated = conditions(setting).duplicate > 0.0;
    let replies = |count| Expected::is((count, "reply"));
    match (&setting.options.drop[..], tries) {
        ([], 1) => replies(0),
        ([], _) if is_duplicated => Expected::between((1, "reply"), (4, "reply")),
        _ if is_duplicated => Expected::OBSERVE,
        ([QUESTION | ANSWER], 1) => replies(0),
        ([] | [_], _) => replies(1),
        _ => Expected::OBSERVE,
    }
}

pub(super) fn run(setting: &Setting, results: &mut Results) {
    for lost in lost_over_tcp(setting) {
        run_tcp_exchange(setting, &lost, results);
    }
    let (part, drop) = lost_over_udp(setting);
    for (name, tries) in [(ONE_TRY, 1), (RETRY, TRIES)] {
        let timeout = timeout_of_all_tries(setting, Duration::from_secs(3));
        let (mut client, mut service) = (Asker::new(1, tries - 1, timeout), service());
        let conditions = without_chance(setting, drop, Fault::None);
        let until = timeout + 10 * conditions.delay;
        let network = Network::new(conditions, setting.seed).traced();
        let trace = network.exchange(&mut client, &mut service, until);
        if tries == 1 {
            results.observe(Udp, LOST, lost_packets(&trace));
        }
        results.observe(Udp, name, (client.received, "reply"));
        // The report draws only the exchange with retries, because it begins exactly like the exchange with one try.
        if tries > 1 {
            results.keep_trace(Udp, part, trace);
        }
    }
}

fn run_tcp_exchange(setting: &Setting, lost: &Lost, results: &mut Results) {
    let conditions = without_chance(setting, &lost.drop, lost.fault);
    let patience = patience(&conditions);
    let mut network = Network::new(conditions, setting.seed).traced();
    let mut client = StreamClient::new(Duration::ZERO, patience, 50_000);
    let mut service = StreamService::default();
    network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], patience);
    let trace = network.into_trace();
    if lost.fault == Fault::None {
        results.observe(Tcp, LOST, lost_packets(&trace));
    }
    results.observe(Tcp, lost.reply, received(&client.octets));
    if let Some(time) = time_to_the_answer(&trace) {
        results.observe(Tcp, lost.time, time);
    }
    results.keep_trace(Tcp, lost.part, trace);
}

/// Returns the time after which the client gives up: two minutes for each packet that `--drop` selects and for two
/// more, plus 100 one-way delays. This is long enough, because timeouts double up to a minute, so each lost packet
/// costs at most a minute.
fn patience(conditions: &Conditions) -> Duration {
    let lost = u32::try_from(conditions.drop.len()).unwrap_or(u32::MAX).saturating_add(2);
    Duration::from_mins(2).saturating_mul(lost) + 100 * conditions.delay
}

#[cfg(test)]
mod tests {
    use super::super::LAB;
    use super::*;
    use crate::lab::experiments::tests::as_predicted;
    use crate::lab::finding::find;
    use crate::lab::{Engine, LabOptions, Outcome, Part};

    fn few() -> LabOptions {
        LabOptions { count: Some(10), ..LabOptions::default() }
    }

    fn run(seed: u64, options: LabOptions) -> Outcome {
        as_predicted(&LAB, Engine::Sim, seed, options)
    }

    /// Returns the kinds of the packets that the link dropped.
    fn lost(part: &Part) -> Vec<&'static str> {
        let packets = part.trace.packets().map(|(_, packet)| packet);
        let lost = packets.filter(|packet| matches!(packet.fate, Fate::Lost(_)));
        lost.map(|packet| kind(&packet.octets).words()).collect()
    }

    #[test]
    fn every_loss_is_repaired_by_tcp_and_over_udp_only_by_a_client_that_asks_again() {
        for seed in 0..50 {
            let outcome = run(seed, few());
            let all: Vec<_> = outcome.parts.iter().map(|part| (&*part.name, lost(part))).collect();
            let expected = [
                ("SYN lost", vec!["SYN"]),
                ("reply lost", vec!["FIN"]), // the segment with the reply also carries the FIN
                ("question lost", vec!["datagram"]),
            ];
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn with_duplicates_and_late_packets_the_chosen_packet_is_lost() {
        for seed in 0..50 {
            let options = LabOptions { duplicate: Some(50.0), reorder: Some(50.0), ..few() };
            for part in &run(seed, options).parts {
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
    fn a_finding_has_the_same_name_for_every_choice_of_lost_packets() {
        let names = |drop| {
            let setting = Setting { seed: 1, options: LabOptions { drop, ..few() } };
            let predictions = predict(&setting).into_iter();
            predictions.map(|it| (it.transport, it.what)).collect::<Vec<_>>()
        };
        let mut unset = names(Vec::new());
        // If the user chooses the packets to drop, the lab skips the second exchange (the one that loses the reply).
        unset.retain(|(_, what)| ![DATA_RECEIVED, DATA_TIME].contains(what));
        assert_eq!(names(vec![2]), unset);
    }

    #[test]
    fn the_table_names_the_lost_packets() {
        let lost = |drop| {
            let outcome = run(1, LabOptions { drop, ..few() });
            let of = |transport| find(&outcome.findings, transport, LOST)?.observed().cloned();
            [of(Tcp), of(Udp)].map(|value| value.expect("observed").to_string())
        };
        assert_eq!(lost(vec![]), ["SYN", "question"]);
        assert_eq!(lost(vec![2]), ["SYN-ACK", "reply"]);
        assert_eq!(lost(vec![4, 6]), ["reply, ACK", "nothing"]);
    }

    #[test]
    fn a_drawing_of_chosen_packets_names_no_packet() {
        let outcome = run(1, LabOptions { drop: vec![2], ..few() });
        let names: Vec<&str> = outcome.parts.iter().map(|part| &*part.name).collect();
        assert_eq!(names, ["", ""], "packet 2 is the SYN-ACK over TCP and the reply over UDP");
    }

    #[test]
    fn an_option_at_zero_predicts_the_same_as_an_unset_one() {
        let setting = |options| Setting { seed: 1, options };
        let zero = LabOptions { duplicate: Some(0.0), reorder: Some(0.0), ..few() };
        assert_eq!(predict(&setting(zero)), predict(&setting(few())));
    }

    #[test]
    fn duplicated_replies_are_counted() {
        let options = LabOptions { duplicate: Some(100.0), ..few() };
        let replies = |outcome: &Outcome, what| {
            let finding = outcome.findings.iter().find(|it| it.prediction.what == what);
            finding.and_then(|finding| finding.observed.clone())
        };
        let outcome = run(1, options);
        // A duplicated query gets two replies, and each reply is duplicated.
        assert_eq!(replies(&outcome, RETRY), Some((4, "reply").into()));
        assert_eq!(replies(&outcome, ONE_TRY), Some((0, "reply").into()));
    }

    #[test]
    fn every_mix_of_duplicates_late_and_lost_packets_is_as_predicted() {
        for (duplicate, reorder) in
            [(100.0, 0.0), (0.0, 100.0), (50.0, 0.0), (0.0, 50.0), (50.0, 50.0)]
        {
            let options =
                LabOptions { duplicate: Some(duplicate), reorder: Some(reorder), ..few() };
            for seed in 0..10 {
                run(seed, options.clone());
                for last in 1..8 {
                    run(seed, LabOptions { drop: vec![last], ..options.clone() });
                    run(seed, LabOptions { drop: (1..=last).collect(), ..options.clone() });
                }
            }
            let delay = Some(Duration::from_mins(1));
            run(1, LabOptions { delay, ..options });
        }
    }

    #[test]
    fn every_delay_and_every_choice_of_lost_packets_is_as_predicted() {
        let milliseconds = [
            0.0, 0.0005, 100.0, 166.5, 167.0, 167.5, 170.0, 200.5, 240.0, 250.5, 260.0, 333.9,
            350.5, 400.0, 400.7, 499.0, 499.75, 500.0, 501.0, 600.0, 2000.0, 60_000.0,
        ];
        for milliseconds in milliseconds {
            let delay = Some(Duration::from_secs_f64(milliseconds / 1e3));
            run(5, LabOptions { delay, ..few() });
        }
        for last in 1..12 {
            run(5, LabOptions { drop: vec![last], ..few() });
            run(5, LabOptions { drop: (1..=last).collect(), ..few() });
        }
        run(u64::MAX, few());
    }
}
