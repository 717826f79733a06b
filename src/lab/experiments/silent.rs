//! Lab `silent`: what each end notices if the link is cut before the reply arrives.

#[cfg(all(feature = "client", feature = "server"))]
mod netns;

use crate::duration::short;
use crate::lab::analysis::{AfterReply, after_the_reply, count};
use crate::lab::link::{Conditions, Fault, SERVER};
use crate::lab::sim::{
    self, Asker, DatagramService, End, Network, Policy, StreamClient, StreamService, address,
};
use crate::lab::{
    Engine, Expected, Lab, LabOption, Prediction, Procedure, Results, Setting, Value,
};
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = lab!(
    "silent",
    [
        PROCEDURE,
        #[cfg(all(feature = "client", feature = "server"))]
        netns::PROCEDURE
    ]
);

const PROCEDURE: Procedure = Procedure::new(Engine::Sim, predict, |setting, results| {
    run(setting, results);
    Ok(())
})
.with(&[LabOption::Delay.within(0..=60_000)], |setting| {
    let [delay, deadline] = [conditions(setting).delay, deadline(setting)].map(short);
    vec![("delay", delay), ("deadline", deadline)]
});

const RECV: &str = "client's recv()";
const CLIENT_PACKETS: &str = "client packets after cut";
const REPLY_RESENT: &str = "reply retransmissions";
const WAIT_GROWTH: &str = "wait / previous wait";

/// Returns the time at which the client gives up.
fn deadline(setting: &Setting) -> Duration {
    Duration::from_secs(10) + 10 * conditions(setting).delay
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let none = Value::from((0, "packet"));
    // The client acknowledges each retransmitted SYN-ACK, even after the link is cut.
    let of_stream = if sim::repeats_in_vain(&conditions(setting)) {
        Expected::at_least(none.clone())
    } else {
        Expected::is(none.clone())
    };
    vec![
        Prediction::is(Tcp, RECV, "EAGAIN"),
        Prediction::new(Tcp, CLIENT_PACKETS, of_stream),
        Prediction::new(Tcp, REPLY_RESENT, Expected::at_least((2, "time"))),
        Prediction::new(Tcp, WAIT_GROWTH, growth_expected(setting)),
        Prediction::is(Udp, RECV, "EAGAIN"),
        Prediction::is(Udp, CLIENT_PACKETS, none),
        Prediction::is(Udp, REPLY_RESENT, (0, "time")),
    ]
}

/// Predicts the ratio of two consecutive waits between retransmissions: 2, or less if a wait reaches its limit of one
/// minute.
fn growth_expected(setting: &Setting) -> Expected {
    // Each wait is twice the previous one, so the last wait before the deadline is shorter than half of the time until
    // the deadline.
    if deadline(setting) / 2 < Duration::from_mins(1) {
        Expected::is(Value::share(2.0))
    } else {
        Expected::between(Value::share(1.0), Value::share(2.0))
    }
}

fn run(setting: &Setting, results: &mut Results) {
    let deadline = deadline(setting);

    let mut client = StreamClient::new(Duration::ZERO, deadline, 50_000);
    let mut service = StreamService::default();
    let trace = network(setting).exchange(&mut client, &mut service, deadline);
    let gave_up = client.octets.is_empty() && client.end == Some(End::TimedOut);
    observe(results, Tcp, recv(gave_up), NO_PROBE, trace);

    let mut client = Asker::new(1, 0, deadline);
    let local = address(SERVER).into();
    let mut service = DatagramService::new(local, Policy::Guarded, Duration::ZERO);
    let trace = network(setting).exchange(&mut client, &mut service, deadline);
    observe(results, Udp, recv(client.answers == [None]), NO_PROBE, trace);
}

fn recv(gave_up: bool) -> &'static str {
    if gave_up { "EAGAIN" } else { "a reply" }
}

fn conditions(setting: &Setting) -> Conditions {
    let conditions = sim::conditions(&setting.options, Duration::from_millis(20));
    Conditions { fault: Fault::CutAtReply, ..conditions }
}

fn network(setting: &Setting) -> Network {
    Network::new(conditions(setting), setting.seed).traced()
}

/// Number of tail loss probes that a simulated host sends before its first retransmission timeout.
const NO_PROBE: usize = 0;

/// Records the findings from a trace, in the same way for both engines, and the result of the client's receive. Leaves
/// out the waits before the first `probes` retransmissions, because the retransmission timer does not set them.
fn observe(
    results: &mut Results,
    transport: Transport,
    recv: impl Into<Value>,
    probes: usize,
    trace: Trace,
) {
    let AfterReply { client_packets, waits } = after_the_reply(&trace);
    results.observe(transport, RECV, recv);
    results.observe(transport, CLIENT_PACKETS, (client_packets, "packet"));
    results.observe(transport, REPLY_RESENT, count(waits.iter(), "time"));
    let timed = waits.get(probes..).unwrap_or_default();
    if let Some(growth) = growth(timed) {
        results.observe(transport, WAIT_GROWTH, Value::share(growth));
    }
    results.keep_trace(transport, "", trace);
}

/// Divides each wait by the wait before it, and returns the smallest ratio. If each wait is twice the previous one, the
/// ratio is exactly 2.
fn growth(waits: &[Duration]) -> Option<f64> {
    let growths = waits.windows(2).map(|two| two[1].div_duration_f64(two[0]));
    growths.reduce(f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use crate::lab::experiments::tests::as_predicted;
    use crate::trace::{Fate, Loss};

    #[test]
    fn the_smallest_growth_of_the_waits_is_reported() {
        let growth = |seconds: &[u64]| {
            growth(&seconds.iter().map(|it| Duration::from_secs(*it)).collect::<Vec<_>>())
        };
        assert_eq!((growth(&[1, 2, 4]), growth(&[1, 3, 3])), (Some(2.0), Some(1.0)));
        assert_eq!((growth(&[1]), growth(&[])), (None, None));
    }

    #[test]
    fn a_doubled_wait_has_a_ratio_of_exactly_two() {
        for nanoseconds in (1..2_000_000_000).step_by(1_234_567) {
            let wait = Duration::from_nanos(nanoseconds);
            assert_eq!(growth(&[wait, 2 * wait, 4 * wait]), Some(2.0), "{wait:?}");
        }
    }

    #[test]
    fn a_delay_with_a_fraction_of_a_millisecond_is_as_predicted() {
        let delay = Some(Duration::from_micros(427_415));
        as_predicted(&LAB, Engine::Sim, 1, LabOptions { delay, ..LabOptions::default() });
    }

    #[test]
    fn the_client_receives_nothing_and_only_the_server_repeats_over_tcp() {
        for seed in 0..50 {
            let outcome = as_predicted(&LAB, Engine::Sim, seed, LabOptions::default());
            for part in outcome.parts {
                let cut = |fate: &Fate| *fate == Fate::Lost(Loss::Cut);
                assert!(part.trace.packets().any(|(_, packet)| cut(&packet.fate)), "it was cut");
            }
        }
        for milliseconds in [0, 400, 501, 2000, 10_000, 11_000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, LabOptions { delay, ..LabOptions::default() });
        }
    }
}
