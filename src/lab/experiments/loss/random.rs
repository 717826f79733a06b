//! Runs exchanges with random loss, and counts the successful ones.

use super::{TRIES, conditions, received, service, time_without_loss, timeout_of_all_tries};
use crate::lab::analysis::count as count_of;
use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::sim::{Asker, Network, StreamClient, StreamService};
use crate::lab::{Expected, Prediction, Results, Setting, Value};
use crate::transport::Transport::{Tcp, Udp};
use rand_pcg::Pcg64Mcg;
use rand_pcg::rand_core::{Rng, SeedableRng};
use std::iter;
use std::time::Duration;

pub(super) const RECEIVED_WHOLE: &str = "random: whole replies";
pub(super) const RECEIVED_IN_PART: &str = "random: partial replies";
pub(super) const WITHOUT_REPLY: &str = "random: without a reply";
pub(super) const PACKETS_LOST: &str = "random: packets lost";
const MEDIAN: &str = "random: median time";
pub(super) const ONE_TRY: &str = "random: reply in 1 try";
pub(super) const FOUR_TRIES: &str = "random: reply in 4 tries";

/// Nouns for the counts over TCP.
const PACKET: &str = "packet";
const REPLY: &str = "reply";
const CLIENTS: &str = "client";

/// Shown instead of the median if no client received a reply.
const NO_REPLY: &str = "no reply";

/// Maximum number of exchanges over TCP. One such exchange takes as much computing time as a hundred exchanges over
/// UDP.
const MAX_STREAMS: u32 = 100;
/// Time after which a client over TCP gives up. This deadline leaves time for many retransmissions.
const TCP_DEADLINE: Duration = Duration::from_hours(24);
/// Maximum loss probability for which the lab predicts that TCP recovers from every loss within [`TCP_DEADLINE`]. Even
/// with the longest delay, retransmissions are at most a minute apart, so the prediction fails for only one seed in a
/// million.
const MAX_REPAIRED_LOSS: f64 = 0.5;

/// The lab predicts that a result never occurs if the result's probability is below this limit.
const MAX_CHANCE: f64 = 1e-9;

pub(super) fn count(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(1000)
}

pub(super) fn streams(setting: &Setting) -> u32 {
    count(setting).min(MAX_STREAMS)
}

pub(super) fn predict(setting: &Setting) -> Vec<Prediction> {
    let Conditions { loss, duplicate, .. } = conditions(setting);
    let once = (1.0 - loss).powi(2) * (1.0 + duplicate * loss);
    let after_retries = 1.0 - (1.0 - once).powi(TRIES.cast_signed());
    let mut predictions = predict_streams(setting);
    predictions.push(share(ONE_TRY, once, setting));
    predictions.push(share(FOUR_TRIES, after_retries, setting));
    predictions
}

/// Predicts the exchanges over TCP if TCP recovers from all losses, or if the link drops every packet. For a loss
/// probability in between, no formula gives the number of clients that give up, so the lab observes this number without
/// predicting it.
fn predict_streams(setting: &Setting) -> Vec<Prediction> {
    let (share, all) = (conditions(setting).loss, u64::from(streams(setting)));
    let count = |count, of| Expected::is((count, of));
    let (whole, none, median) = match share {
        ..=MAX_REPAIRED_LOSS => {
            (count(all, REPLY), count(0, CLIENTS), Expected::at_least(time_without_loss(setting)))
        }
        ..1.0 => (Expected::OBSERVE, Expected::OBSERVE, Expected::OBSERVE),
        _ => (count(0, REPLY), count(all, CLIENTS), Expected::is(NO_REPLY)),
    };
    // Each exchange takes at least seven packets.
    let all_pass = (1.0 - share).powf(7.0 * f64::from(streams(setting)));
    let lost = match share {
        ..=0.0 => count(0, PACKET),
        _ if all_pass < MAX_CHANCE => Expected::at_least((1, PACKET)),
        _ => Expected::OBSERVE,
    };
    vec![
        Prediction::new(Tcp, PACKETS_LOST, lost),
        Prediction::new(Tcp, RECEIVED_WHOLE, whole),
        Prediction::new(Tcp, RECEIVED_IN_PART, count(0, REPLY)),
        Prediction::new(Tcp, WITHOUT_REPLY, none),
        Prediction::new(Tcp, MEDIAN, median),
    ]
}

/// Predicts that a share differs from its probability by at most five standard errors plus five exchanges. The five
/// exchanges matter for small counts, whose errors are not normally distributed: with a million seeds, no share
/// differed by more. The test over 10 000 fixed seeds allows three standard errors.
fn share(what: &'static str, probability: f64, setting: &Setting) -> Prediction {
    if probability <= 0.0 || probability >= 1.0 {
        return Prediction::is(Udp, what, Value::share(probability));
    }
    let error = (probability * (1.0 - probability) / f64::from(count(setting))).sqrt();
    let far = 5.0 * error + 5.0 / f64::from(count(setting));
    let at = |deviation: f64| Value::share((probability + deviation).clamp(0.0, 1.0));
    Prediction::new(Udp, what, Expected::between(at(-far), at(far)))
}

pub(super) fn run(setting: &Setting, results: &mut Results) {
    let seeds = || seeds(setting.seed);
    observe_streams(setting, seeds().take(streams(setting) as usize), results);
    for (what, tries) in [(ONE_TRY, 1), (FOUR_TRIES, TRIES)] {
        let answered = answered(setting, tries, seeds().take(count(setting) as usize));
        results.observe(Udp, what, Value::share(f64::from(answered) / f64::from(count(setting))));
    }
}

/// Returns a random seed for each exchange, so that runs with neighbouring seeds have no exchange in common.
fn seeds(seed: u64) -> impl Iterator<Item = u64> {
    let mut random = Pcg64Mcg::seed_from_u64(seed);
    iter::repeat_with(move || random.next_u64())
}

fn observe_streams(setting: &Setting, seeds: impl Iterator<Item = u64>, results: &mut Results) {
    let mut lost = 0;
    let mut ended = Vec::new();
    for seed in seeds {
        let (received, time, packets) = run_tcp_exchange(setting, seed);
        lost += packets;
        ended.push((received, time));
    }
    results.observe(Tcp, PACKETS_LOST, (lost, PACKET));
    for (what, which, of) in [
        (RECEIVED_WHOLE, super::WHOLE, REPLY),
        (RECEIVED_IN_PART, super::PART, REPLY),
        (WITHOUT_REPLY, super::NOTHING, CLIENTS),
    ] {
        let all = ended.iter().filter(|(received, _)| *received == which);
        results.observe(Tcp, what, count_of(all, of));
    }
    let mut times: Vec<Duration> = ended.into_iter().filter_map(|(_, time)| time).collect();
    times.sort_unstable();
    let median = times.get(times.len() / 2).copied();
    results.observe(Tcp, MEDIAN, median.map_or(NO_REPLY.into(), Value::from));
}

/// Runs one exchange. Returns how much of the reply arrived, when its first octet arrived, and the number of lost
/// packets.
fn run_tcp_exchange(setting: &Setting, seed: u64) -> (&'static str, Option<Duration>, u64) {
    let mut network = Network::new(conditions(setting), seed);
    let mut client = StreamClient::new(Duration::ZERO, TCP_DEADLINE, 50_000);
    let mut service = StreamService::default();
    network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], TCP_DEADLINE);
    (received(&client.octets), client.answered, network.lost)
}

/// Runs one exchange for each seed. Returns how many of them get a reply.
fn answered(setting: &Setting, tries: u32, seeds: impl Iterator<Item = u64>) -> u32 {
    let (conditions, timeout) =
        (conditions(setting), timeout_of_all_tries(setting, Duration::from_secs(15)));
    let is_answered = |seed| {
        let mut network = Network::new(conditions.clone(), seed);
        let (mut client, mut service) = (Asker::new(1, tries - 1, timeout), service());
        network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], timeout);
        client.answers.first().is_some_and(Option::is_some)
    };
    seeds.filter(|seed| is_answered(*seed)).map(|_| 1).sum()
}

#[cfg(test)]
mod tests {
    use super::super::LAB;
    use super::*;
    use crate::lab::experiments::tests::as_predicted;
    use crate::lab::{Engine, LabOptions};
    use std::time::Instant;

    fn setting(loss: f64, duplicate: f64, reorder: f64) -> Setting {
        let [loss, duplicate, reorder] = [loss, duplicate, reorder].map(|it| Some(100.0 * it));
        Setting {
            seed: 0,
            options: LabOptions { duplicate, loss, reorder, ..LabOptions::default() },
        }
    }

    #[test]
    fn few_exchanges_are_within_the_predicted_range() {
        for (loss, count) in [(0.0, 10), (0.01, 100), (0.1, 10), (0.5, 1), (0.9, 20), (1.0, 10)] {
            for seed in 0..50 {
                let options = LabOptions {
                    loss: Some(100.0 * loss),
                    count: Some(count),
                    ..LabOptions::default()
                };
                as_predicted(&LAB, Engine::Sim, seed * 104_729, options);
            }
        }
    }

    #[test]
    fn neighbouring_seeds_have_no_exchange_in_common() {
        let of = |seed| seeds(seed).take(1000).collect::<std::collections::HashSet<_>>();
        let (one, next) = (of(1), of(2));
        assert_eq!((one.len(), one.intersection(&next).count()), (1000, 0));
    }

    #[test]
    fn over_tcp_this_reply_arrives_whole_or_not_at_all_with_every_fault() {
        for loss in [0.0, 0.1, 0.3, 0.5, 0.6, 0.9, 0.99, 1.0] {
            for (duplicate, reorder) in [(0.0, 0.0), (0.5, 0.5), (1.0, 0.0), (0.0, 1.0)] {
                let Setting { seed, options } = setting(loss, duplicate, reorder);
                as_predicted(&LAB, Engine::Sim, seed, LabOptions { count: Some(20), ..options });
            }
        }
    }

    #[test]
    fn clients_that_give_up_are_predicted_where_tcp_repairs_every_loss_or_nothing_passes() {
        let predicted = |loss| {
            let predictions = predict(&setting(loss, 0.0, 0.0));
            let none =
                predictions.into_iter().find(|it| it.what == WITHOUT_REPLY).expect("predicted");
            none.expected
        };
        let clients = |count| Expected::is((count, CLIENTS));
        assert_eq!([0.0, 0.3, 0.5].map(predicted), [clients(0), clients(0), clients(0)]);
        assert_eq!([0.6, 0.9999].map(predicted), [Expected::OBSERVE, Expected::OBSERVE]);
        assert_eq!(predicted(1.0), clients(100));
    }

    /// Allows three standard errors: for 97 of 100 choices of seeds, all eight figures stay within this limit. These
    /// seeds are fixed, so the test cannot fail by chance.
    #[test]
    fn over_10_000_seeds_the_share_answered_agrees_with_the_formulas() {
        let (started, mut all) = (Instant::now(), 0);
        for (loss, duplicate) in [(0.1_f64, 0.0), (0.3, 0.0), (0.5, 0.0), (0.3, 0.5)] {
            let once = (1.0 - loss).powi(2) * (1.0 + duplicate * loss);
            let after_retries = 1.0 - (1.0 - once).powi(TRIES.cast_signed());
            for (tries, probability) in [(1, once), (TRIES, after_retries)] {
                let count = 10_000_u32;
                let answered =
                    answered(&setting(loss, duplicate, duplicate), tries, 0..count.into());
                let share = f64::from(answered) / f64::from(count);
                let error = (probability * (1.0 - probability) / f64::from(count)).sqrt();
                let off = (share - probability) / error;
                assert!(off.abs() < 3.0, "{loss} {tries}: {share}, not {probability}: {off}");
                all += count;
            }
        }
        println!("{all} exchanges in {:?}", started.elapsed()); // not asserted, because the time depends on the machine
    }
}
