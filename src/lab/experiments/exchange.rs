//! What one answer costs.

use crate::lab::link::{CLIENT, Conditions, SERVER, carries_octets};
use crate::lab::netns::runs::exchange as netns;
use crate::lab::sim::{
    self, Asker, DatagramService, Network, Policy, StreamClient, StreamService, address,
};
use crate::lab::{Engine, Expected, Knob, Lab, Prediction, Procedure, Run, Setting, Theory, Value};
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "exchange",
    question: "What does one answer cost?",
    theory: &[
        Theory {
            says: "A connection is opened by three segments before the first octet may be used.",
            source: "RFC 9293, section 3.5",
        },
        Theory {
            says: "Each side closes its half with a FIN that the other acknowledges.",
            source: "RFC 9293, section 3.6; Stevens, TCP/IP Illustrated 1, chapter 18.6",
        },
        Theory {
            says: "A datagram is sent without any procedure before it: one to ask, one to answer.",
            source: "RFC 768; RFC 867",
        },
    ],
    lesson: "The stream's order and repair cost a round trip before the answer and three packets for each \
             of the datagram's.",
    elsewhere: "Linux sends the FIN in a segment of its own where a server calls send and then close: 8 \
                packets. Acknowledgements may ride on other segments.",
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
    format!("One exchange over each transport; a packet takes {delay:?} from host to host.")
}

/// Long enough for every answer and every farewell, whatever the delay.
fn enough(setting: &Setting) -> Duration {
    100 * conditions(setting).delay + Duration::from_secs(1)
}

fn conditions(setting: &Setting) -> Conditions {
    sim::conditions(&setting.knobs, Duration::from_millis(20))
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let conditions = conditions(setting);
    let expected = |transport, value: Value| match transport {
        Tcp if sim::repeats_in_vain(&conditions) => Expected::AtLeast(value),
        Tcp | Udp => Expected::Is(value),
    };
    let both = |transport, packets: u64, trips: u32| {
        let new = |what, value| Prediction::new(transport, what, expected(transport, value));
        [
            new("packets", (packets, "packet").into()),
            new("round trips to the answer", (u64::from(trips), "round trip").into()),
            Prediction::is(transport, "time to the answer", 2 * trips * conditions.delay),
        ]
    };
    [both(Tcp, 7, 2), both(Udp, 2, 1)].concat()
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    let (deadline, network) = (enough(setting), || network(setting));

    let mut client = StreamClient::new(Duration::ZERO, deadline, 50_000);
    let mut service = StreamService::default();
    let trace = network().exchange(&mut client, &mut service, deadline);
    observe(&mut run, Tcp, trace, client.answered);

    let mut client = Asker::new(1, 0, deadline);
    let local = address(SERVER).into();
    let mut service = DatagramService::new(local, Policy::Guarded, Duration::ZERO);
    let trace = network().exchange(&mut client, &mut service, deadline);
    let came = client.answers.first().cloned().flatten().map(|(at, _)| at);
    observe(&mut run, Udp, trace, came);
    run
}

fn network(setting: &Setting) -> Network {
    Network::new(conditions(setting), setting.seed).traced()
}

fn observe(run: &mut Run, transport: Transport, trace: Trace, came: Option<Duration>) {
    run.saw(transport, "packets", (trace.packets().map(|_| 1).sum(), "packet"));
    run.saw(transport, "round trips to the answer", (round_trips(&trace), "round trip"));
    run.saw(transport, "time to the answer", came.unwrap_or_default());
    run.show(transport, "", trace);
}

/// How often the server answered the client, up to the packet with the reply.
fn round_trips(trace: &Trace) -> u64 {
    let packets: Vec<_> = trace.packets().collect();
    let is_reply = |from: _, octets: &[u8]| from == SERVER && carries_octets(octets);
    let reply = packets.iter().position(|(event, it)| is_reply(event.host, &it.octets));
    let until = &packets[..reply.map_or(packets.len(), |reply| reply + 1)];
    let answers =
        |pair: &&[(&crate::trace::Event, _)]| pair[0].0.host == CLIENT && pair[1].0.host == SERVER;
    until.windows(2).filter(answers).map(|_| 1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;
    use crate::lab::experiments::check::as_predicted;

    #[test]
    fn an_answer_costs_what_was_predicted_whatever_the_seed_and_the_delay() {
        for seed in 0..50 {
            as_predicted(&LAB, Engine::Sim, seed, Knobs::default());
        }
        for nanoseconds in [0, 1500, 300_000_000, 500_000_000, 600_000_000, 60_000_000_000] {
            let delay = Some(Duration::from_nanos(nanoseconds));
            as_predicted(&LAB, Engine::Sim, 1, Knobs { delay, ..Knobs::default() });
        }
    }
}
