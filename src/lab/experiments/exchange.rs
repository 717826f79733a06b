//! Lab `exchange`: how many packets and how much time one reply costs.

#[cfg(all(feature = "client", feature = "server"))]
mod netns;

use crate::duration::short;
use crate::lab::analysis::{count, round_trips, time_to_the_answer};
use crate::lab::link::{Conditions, SERVER};
use crate::lab::sim::{
    self, Asker, DatagramService, Network, Policy, StreamClient, StreamService, address,
};
use crate::lab::{
    Engine, Expected, Lab, LabOption, Prediction, Procedure, Results, Setting, Value,
};
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = lab!(
    "exchange",
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
    vec![("delay", short(conditions(setting).delay))]
});

const PACKETS: &str = "packets sent";
const ROUND_TRIPS: &str = "round trips to the reply";
const TIME: &str = "time to the reply";

/// Returns a run time that is long enough, at any delay, for the reply, the close of the connection, and TIME-WAIT.
fn run_time(setting: &Setting) -> Duration {
    100 * conditions(setting).delay + Duration::from_secs(1) + sim::TIME_WAIT
}

fn conditions(setting: &Setting) -> Conditions {
    sim::conditions(&setting.options, Duration::from_millis(20))
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let conditions = conditions(setting);
    let expected = |transport, value: Value| match transport {
        Tcp if sim::repeats_in_vain(&conditions) => Expected::at_least(value),
        Tcp | Udp => Expected::is(value),
    };
    let both = |transport, packets: u64, trips: u32| {
        let new = |what, value| Prediction::new(transport, what, expected(transport, value));
        [
            new(PACKETS, (packets, "packet").into()),
            new(ROUND_TRIPS, (u64::from(trips), "round trip").into()),
            Prediction::is(transport, TIME, 2 * trips * conditions.delay),
        ]
    };
    [both(Tcp, 7, 2), both(Udp, 2, 1)].concat()
}

fn run(setting: &Setting, results: &mut Results) {
    let (deadline, network) = (run_time(setting), || network(setting));

    let mut client = StreamClient::new(Duration::ZERO, deadline, 50_000);
    let mut service = StreamService::default();
    let trace = network().exchange(&mut client, &mut service, deadline);
    observe(results, Tcp, trace);

    let mut client = Asker::new(1, 0, deadline);
    let local = address(SERVER).into();
    let mut service = DatagramService::new(local, Policy::Guarded, Duration::ZERO);
    let trace = network().exchange(&mut client, &mut service, deadline);
    observe(results, Udp, trace);
}

fn network(setting: &Setting) -> Network {
    Network::new(conditions(setting), setting.seed).traced()
}

/// Records the findings from a trace, in the same way for both engines.
fn observe(results: &mut Results, transport: Transport, trace: Trace) {
    results.observe(transport, PACKETS, count(trace.packets(), "packet"));
    results.observe(transport, ROUND_TRIPS, (round_trips(&trace), "round trip"));
    if let Some(time) = time_to_the_answer(&trace) {
        results.observe(transport, TIME, time);
    }
    results.keep_trace(transport, "", trace);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use crate::lab::experiments::tests::as_predicted;
    use crate::trace::{Action, Event};

    #[test]
    fn without_a_reply_there_is_no_time_to_the_reply() {
        let mut results = Results::default();
        observe(&mut results, Udp, Trace::default());
        let observed: Vec<&str> = results.observed.iter().map(|it| &*it.what).collect();
        assert_eq!(observed, [PACKETS, ROUND_TRIPS]);
    }

    #[test]
    fn the_drawing_shows_the_end_of_time_wait() {
        for milliseconds in [0, 20, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            let options = LabOptions { delay, ..LabOptions::default() };
            let outcome = as_predicted(&LAB, Engine::Sim, 1, options);
            let mut events = outcome.parts[0].trace.events.iter();
            let closed = Action::State(Tcp, "CLOSED".into());
            let is_end = |event: &Event| event.host == SERVER && event.action == closed;
            assert!(events.any(is_end), "{milliseconds} ms: {:?}", outcome.parts[0].trace);
        }
    }

    #[test]
    fn the_cost_of_a_reply_is_as_predicted_for_every_seed_and_delay() {
        for seed in 0..50 {
            as_predicted(&LAB, Engine::Sim, seed, LabOptions::default());
        }
        for nanoseconds in [0, 1500, 300_000_000, 500_000_000, 600_000_000, 60_000_000_000] {
            let delay = Some(Duration::from_nanos(nanoseconds));
            as_predicted(&LAB, Engine::Sim, 1, LabOptions { delay, ..LabOptions::default() });
        }
    }
}
