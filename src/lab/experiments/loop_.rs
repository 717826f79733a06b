//! Lab `loop`: what one packet with a forged source address causes.

#[cfg(all(feature = "client", feature = "server"))]
mod netns;

use crate::duration::short;
use crate::lab::analysis::{count, first_packet};
use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::packet::{empty_datagram, syn};
use crate::lab::sim::{
    self, Application, DatagramService, Network, Policy, StreamService, address,
};
use crate::lab::{Engine, Expected, Lab, LabOption, Prediction, Procedure, Results, Setting};
use crate::trace::Trace;
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = lab!(
    "loop",
    [
        PROCEDURE,
        #[cfg(all(feature = "client", feature = "server"))]
        netns::PROCEDURE
    ]
);

/// The trace keeps every datagram. The option's minimum delay of 1 ms limits the number of datagrams to about a
/// thousand.
const PROCEDURE: Procedure = Procedure::new(Engine::Sim, predict, |setting, results| {
    run(setting, results);
    Ok(())
})
.with(&[LabOption::Delay.within(1..=60_000)], |setting| {
    vec![("delay", short(conditions(setting).delay))]
});

const SERVER_ANSWERS: &str = "server's answer";
const VICTIM_ANSWERS: &str = "victim's answer";
const PACKETS: &str = "packets in all";
const ACCEPTED: &str = "connections accepted";
const UNGUARDED: &str = "datagrams without guard";
const GUARDED: &str = "datagrams with guard";

/// Time for which the lab counts datagrams. The loop itself would never end.
const OBSERVATION_TIME: Duration = Duration::from_secs(1);

fn conditions(setting: &Setting) -> Conditions {
    sim::conditions(&setting.options, Duration::from_millis(1))
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    // The forger sends one datagram, and each datagram that arrives triggers another one.
    let legs = OBSERVATION_TIME.as_micros() / conditions(setting).delay.as_micros() + 1;
    let legs = u64::try_from(legs).unwrap_or(u64::MAX);
    // If the victim's reset arrives after the retransmission timeout, the server has already retransmitted the SYN-ACK.
    let packets = if sim::repeats_in_vain(&conditions(setting)) {
        Expected::at_least((3, "packet"))
    } else {
        Expected::is((3, "packet"))
    };
    vec![
        Prediction::is(Tcp, SERVER_ANSWERS, "SYN-ACK"),
        Prediction::is(Tcp, VICTIM_ANSWERS, "RST"),
        Prediction::new(Tcp, PACKETS, packets),
        Prediction::is(Tcp, ACCEPTED, (0, "connection")),
        Prediction::is(Udp, UNGUARDED, (legs, "datagram")),
        Prediction::is(Udp, GUARDED, (1, "datagram")),
    ]
}

fn run(setting: &Setting, results: &mut Results) {
    let mut services = [StreamService::default(), StreamService::default()];
    let [victim, server] = &mut services;
    let until = OBSERVATION_TIME + 10 * conditions(setting).delay;
    let trace = forge(setting, syn(address(CLIENT), address(SERVER)), victim, server, until);
    observe_stream(results, trace, services[1].accepted);
    for (policy, what) in [(Policy::Unguarded, UNGUARDED), (Policy::Guarded, GUARDED)] {
        let service = |host| DatagramService::new(address(host).into(), policy, Duration::ZERO);
        let (mut victim, mut server) = (service(CLIENT), service(SERVER));
        let forged = empty_datagram(address(CLIENT), address(SERVER));
        let trace = forge(setting, forged, &mut victim, &mut server, OBSERVATION_TIME);
        observe_datagrams(results, what, trace);
    }
}

/// Records the findings for a forged SYN, in the same way for both engines. `accepted` is the number of connections
/// that the server accepted.
fn observe_stream(results: &mut Results, trace: Trace, accepted: u64) {
    results.observe(Tcp, SERVER_ANSWERS, first_packet(&trace, SERVER));
    results.observe(Tcp, VICTIM_ANSWERS, first_packet(&trace, CLIENT));
    results.observe(Tcp, PACKETS, count(trace.packets(), "packet"));
    results.observe(Tcp, ACCEPTED, (accepted, "connection"));
    results.keep_trace(Tcp, "", trace);
}

/// Records the number of datagrams sent after one forged datagram, including the forged one.
fn observe_datagrams(results: &mut Results, what: &str, trace: Trace) {
    results.observe(Udp, what, count(trace.packets(), "datagram"));
    results.keep_trace(Udp, what, trace);
}

/// Sends the server a packet whose forged source is the victim's address, and runs both hosts. Returns the trace.
fn forge(
    setting: &Setting,
    forged: Vec<u8>,
    victim: &mut dyn Application,
    server: &mut dyn Application,
    until: Duration,
) -> Trace {
    let mut network = Network::new(conditions(setting), setting.seed).traced();
    network.forge(forged);
    network.exchange(victim, server, until)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use crate::lab::experiments::tests::as_predicted;
    use crate::trace::Action;

    #[test]
    fn every_datagram_that_is_counted_is_kept() {
        let outcome = as_predicted(&LAB, Engine::Sim, 1, LabOptions::default());
        let kept = |name| {
            let part = outcome.parts.iter().find(|part| part.name == name).expect("a part");
            part.trace.packets().count()
        };
        assert_eq!((kept(UNGUARDED), kept(GUARDED)), (1001, 1));
    }

    /// RFC 9293, section 3.10.7.4: a reset in SYN-RECEIVED returns a passive open to LISTEN.
    #[test]
    fn the_victims_reset_returns_the_server_to_listen() {
        let outcome = as_predicted(&LAB, Engine::Sim, 1, LabOptions::default());
        let part = outcome.parts.iter().find(|part| part.transport == Tcp).expect("a part");
        let states = part.trace.events.iter().filter_map(|event| match &event.action {
            Action::State(_, state) => Some(state.as_str()),
            Action::Call { .. } | Action::Packet(_) => None,
        });
        assert!(states.eq(["SYN-RECEIVED", "LISTEN"]), "{:?}", part.trace);
    }

    #[test]
    fn services_without_a_guard_answer_each_other_and_those_with_one_do_not() {
        for seed in 0..50 {
            let outcome = as_predicted(&LAB, Engine::Sim, seed, LabOptions::default());
            for part in &outcome.parts {
                let names: Vec<&str> = part.trace.hosts.iter().map(|host| &*host.name).collect();
                assert_eq!(names, ["victim", "server", "forger"]);
            }
        }
        for milliseconds in [1, 7, 300, 501, 2000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, LabOptions { delay, ..LabOptions::default() });
        }
    }
}
