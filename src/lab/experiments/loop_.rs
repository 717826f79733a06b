//! A packet with a forged source.

mod netns;

use crate::duration::{Unit, short};
use crate::lab::lesson::{tcp, udp};
use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::packet::{empty_datagram, syn};
use crate::lab::seen::{count, first};
use crate::lab::sim::{
    self, Application, DatagramService, Network, Policy, StreamService, address,
};
use crate::lab::{
    Engine, Expected, Knob, Lab, Lesson, Must, Next, Prediction, Procedure, Run, Setting, Theory,
    draws_nothing,
};
use crate::trace::Trace;
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "loop",
    question: "What does one packet with a forged source do?",
    theory: &[
        Theory {
            says: "two services that answer whatever comes answer each other for ever",
            source: "CERT CA-1996-01; CVE-2024-2169",
        },
        Theory {
            says: "a handshake needs an answer from the address it was begun with; whoever did not begin it \
                   answers with a reset",
            source: "RFC 9293, section 3.5; RFC 4953",
        },
    ],
    lessons: &[
        Lesson {
            says: "UDP cannot tell a forged question from a true one: without a guard one packet made two \
                   services answer each other, and nothing ended it.",
            rests_on: &[udp(UNGUARDED, Must::BeAbove(2)), udp(GUARDED, Must::Number(1))],
        },
        Lesson {
            says: "The guard prevents the loop: a service must not answer what may be another service.",
            rests_on: &[udp(UNGUARDED, Must::BeAbove(2)), udp(GUARDED, Must::Number(1))],
        },
        Lesson {
            says: "Without a guard the server answered the forged question, but its reply was still on its way when \
                   the count ended. A shorter delay shows the loop.",
            rests_on: &[udp(UNGUARDED, Must::Number(2)), udp(GUARDED, Must::Number(1))],
        },
        Lesson {
            says: "The forged datagram was still on its way when the count ended. A shorter delay shows the loop.",
            rests_on: &[udp(UNGUARDED, Must::Number(1))],
        },
        Lesson {
            says: "TCP finds out before it sends a reply: the host with the forged address answered the \
                   SYN-ACK with a reset, and the server accepted nothing.",
            rests_on: &[tcp(VICTIM_ANSWERS, Must::Be("RST")), tcp(ACCEPTED, Must::Number(0))],
        },
    ],
    elsewhere: "A packet with a forged source does not come so far where firewalls and routers refuse it \
                (RFC 2827).",
    next: &[
        Next {
            command: "daytime lab run loop --delay 10",
            watch: "Ten times slower, ten times fewer, and still without an end.",
        },
        Next {
            command: "daytime lab run loop --engine netns",
            watch: "Real sockets and a raw one that forges, on a network that nobody else is \
                    on.",
        },
        Next {
            command: "daytime check HOST",
            watch: "Does a server of yours answer who may be a service?",
        },
    ],
    time_unit: Unit::Milliseconds,
    programs: &[],
    procedures: &[
        Procedure {
            engine: Engine::Sim,
            draws: draws_nothing,
            // Every datagram is kept, and this makes a thousand of them at most.
            knobs: &[Knob::Delay.within(1..=60_000)],
            method,
            predict,
            run: |setting| Ok(run(setting)),
        },
        netns::PROCEDURE,
    ],
};

const SERVER_ANSWERS: &str = "the server answers";
const VICTIM_ANSWERS: &str = "the victim answers";
const PACKETS: &str = "packets";
const ACCEPTED: &str = "connections accepted";
const UNGUARDED: &str = "without a guard";
const GUARDED: &str = "with the guard";

fn method(setting: &Setting) -> String {
    let (delay, watched) = (short(conditions(setting).delay), short(WATCHED));
    format!(
        "Both hosts serve on port 13. One packet reaches the server with the other's address and port as its \
         source: a SYN, then an empty datagram, without a guard and with it. A packet takes {delay}, and \
         the datagrams are counted for {watched}."
    )
}

/// How long the loop is watched. It has no end of its own.
const WATCHED: Duration = Duration::from_secs(1);

fn conditions(setting: &Setting) -> Conditions {
    sim::conditions(&setting.knobs, Duration::from_millis(1))
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    // One is sent at the beginning, and one each time that one has arrived.
    let legs = WATCHED.as_micros() / conditions(setting).delay.as_micros() + 1;
    let legs = u64::try_from(legs).unwrap_or(u64::MAX);
    // Where the reset takes longer than that, the SYN-ACK is repeated.
    let packets = if sim::repeats_in_vain(&conditions(setting)) {
        Expected::AtLeast((3, "packet").into())
    } else {
        Expected::Is((3, "packet").into())
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

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    let mut services = [StreamService::default(), StreamService::default()];
    let [victim, server] = &mut services;
    let until = WATCHED + 10 * conditions(setting).delay;
    let trace = forge(setting, syn(address(CLIENT), address(SERVER)), victim, server, until);
    observe_stream(&mut run, trace, services[1].accepted);
    for (policy, what) in [(Policy::Everybody, UNGUARDED), (Policy::Guarded, GUARDED)] {
        let service = |host| DatagramService::new(address(host).into(), policy, Duration::ZERO);
        let (mut victim, mut server) = (service(CLIENT), service(SERVER));
        let forged = empty_datagram(address(CLIENT), address(SERVER));
        let trace = forge(setting, forged, &mut victim, &mut server, WATCHED);
        observe_datagrams(&mut run, what, trace);
    }
    run
}

/// What a trace shows of a forged SYN, on whatever engine, and how many connections the server has accepted.
fn observe_stream(run: &mut Run, trace: Trace, accepted: u64) {
    run.saw(Tcp, SERVER_ANSWERS, first(&trace, SERVER));
    run.saw(Tcp, VICTIM_ANSWERS, first(&trace, CLIENT));
    run.saw(Tcp, PACKETS, count(trace.packets(), "packet"));
    run.saw(Tcp, ACCEPTED, (accepted, "connection"));
    run.show(Tcp, "", trace);
}

/// What it shows of a forged datagram.
fn observe_datagrams(run: &mut Run, what: &str, trace: Trace) {
    run.saw(Udp, what, count(trace.packets(), "datagram"));
    run.show(Udp, what, trace);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;
    use crate::lab::experiments::check::as_predicted;

    #[test]
    fn every_datagram_that_is_counted_is_kept() {
        let outcome = as_predicted(&LAB, Engine::Sim, 1, Knobs::default());
        let kept = |name| {
            let part = outcome.parts.iter().find(|part| part.name == name).expect("a part");
            part.trace.packets().count()
        };
        assert_eq!((kept(UNGUARDED), kept(GUARDED)), (1001, 1));
    }

    #[test]
    fn services_without_a_guard_answer_each_other_and_those_with_one_do_not() {
        for seed in 0..50 {
            let outcome = as_predicted(&LAB, Engine::Sim, seed, Knobs::default());
            for part in &outcome.parts {
                let names: Vec<&str> = part.trace.hosts.iter().map(|host| &*host.name).collect();
                assert_eq!(names, ["victim", "server", "forger"]);
            }
        }
        for milliseconds in [1, 7, 300, 501, 2000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, Knobs { delay, ..Knobs::default() });
        }
    }
}
