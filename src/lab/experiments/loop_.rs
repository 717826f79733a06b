//! A packet with a forged source.

use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::netns::runs::loop_ as netns;
use crate::lab::packet::{empty_datagram, kind, syn};
use crate::lab::sim::{
    self, Application, DatagramService, Network, Policy, StreamService, address,
};
use crate::lab::{Engine, Expected, Knob, Lab, Prediction, Procedure, Run, Setting, Theory};
use crate::trace::{HostId, Trace};
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "loop",
    question: "What does one packet with a forged source do?",
    theory: &[
        Theory {
            says: "Two services that answer whatever comes answer each other for ever.",
            source: "CERT CA-1996-01; CVE-2024-2169",
        },
        Theory {
            says: "A handshake needs an answer from the address it was begun with; whoever did not begin it \
                   answers with a reset.",
            source: "RFC 9293, section 3.5; RFC 4953",
        },
    ],
    lesson: "UDP cannot tell a forged question from a true one, so a service must not answer who may be a service. \
             TCP finds out before it says a word.",
    elsewhere: "Firewalls and routers that refuse forged sources (RFC 2827).",
    procedures: &[
        Procedure {
            engine: Engine::Sim,
            knobs: &[Knob::Delay.within(0..=60_000)],
            method,
            predict,
            run: |setting| Ok(run(setting)),
        },
        netns::PROCEDURE,
    ],
};

fn method(setting: &Setting) -> String {
    let delay = conditions(setting).delay;
    format!(
        "Both hosts serve on port 13. One packet reaches the server with the other's address and port as its \
         source: a SYN, then an empty datagram, without a guard and with it. A packet takes {delay:?}, and \
         the datagrams are counted for {WATCHED:?}."
    )
}

/// How long the loop is watched. It has no end of its own.
const WATCHED: Duration = Duration::from_secs(1);
/// A loop of a thousand packets is no drawing: so many events show it.
const SHOWN: usize = 24;

fn conditions(setting: &Setting) -> Conditions {
    let mut conditions = sim::conditions(&setting.knobs, Duration::from_millis(1));
    conditions.delay = conditions.delay.max(Duration::from_micros(100)); // 10 000 datagrams at most
    conditions
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    // One is sent at the beginning, and one each time that one has arrived.
    let legs = WATCHED.as_micros() / conditions(setting).delay.as_micros() + 1;
    let legs = u64::try_from(legs).unwrap_or(u64::MAX);
    let many =
        Prediction::is(Udp, "datagrams between services without a guard", (legs, "datagram"));
    // Where the reset takes longer than that, the SYN-ACK is repeated.
    let packets = if sim::repeats_in_vain(&conditions(setting)) {
        Expected::AtLeast((3, "packet").into())
    } else {
        Expected::Is((3, "packet").into())
    };
    vec![
        Prediction::is(Tcp, "what the server answers", "SYN-ACK"),
        Prediction::is(Tcp, "what the victim answers", "RST"),
        Prediction::new(Tcp, "packets", packets),
        Prediction::is(Tcp, "connections accepted", (0, "connection")),
        many,
        Prediction::is(Udp, "datagrams where the guard is", (1, "datagram")),
    ]
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    let mut services = [StreamService::default(), StreamService::default()];
    let [victim, server] = &mut services;
    let until = WATCHED + 10 * conditions(setting).delay;
    let trace = forge(setting, syn(address(CLIENT), address(SERVER)), victim, server, until);
    run.saw(Tcp, "what the server answers", first(&trace, SERVER));
    run.saw(Tcp, "what the victim answers", first(&trace, CLIENT));
    run.saw(Tcp, "packets", (trace.packets().map(|_| 1).sum(), "packet"));
    run.saw(Tcp, "connections accepted", (services[1].accepted, "connection"));
    run.show(Tcp, "", trace);
    for (policy, what, name) in [
        (Policy::Everybody, "datagrams between services without a guard", "without a guard"),
        (Policy::Guarded, "datagrams where the guard is", "with the guard"),
    ] {
        let service = |host| DatagramService::new(address(host).into(), policy, Duration::ZERO);
        let (mut victim, mut server) = (service(CLIENT), service(SERVER));
        let mut trace = forge(
            setting,
            empty_datagram(address(CLIENT), address(SERVER)),
            &mut victim,
            &mut server,
            WATCHED,
        );
        run.saw(Udp, what, (trace.packets().map(|_| 1).sum(), "datagram"));
        trace.events.truncate(SHOWN);
        run.show(Udp, name, trace);
    }
    run
}

/// Has a packet come to the server that seems to be the victim's.
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

/// What the first segment is that a host has sent.
fn first(trace: &Trace, host: HostId) -> &'static str {
    let packet = trace.packets().find(|(event, _)| event.host == host);
    packet.map_or("nothing", |(_, packet)| kind(&packet.octets).words())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;
    use crate::lab::experiments::check::as_predicted;

    #[test]
    fn services_without_a_guard_answer_each_other_and_those_with_one_do_not() {
        for seed in 0..50 {
            as_predicted(&LAB, Engine::Sim, seed, Knobs::default());
        }
        for milliseconds in [0, 7, 300, 501, 2000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, Knobs { delay, ..Knobs::default() });
        }
    }
}
