//! The link is cut before the reply comes.

use crate::lab::link::{CLIENT, Conditions, Fault, SERVER, carries_octets};
use crate::lab::netns::runs::silent as netns;
use crate::lab::sim::{
    self, Asker, DatagramService, Network, Policy, StreamClient, StreamService, address,
};
use crate::lab::{Engine, Expected, Knob, Lab, Prediction, Procedure, Run, Setting, Theory, Value};
use crate::trace::{HostId, Trace};
use crate::transport::Transport::{self, Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "silent",
    question: "What does a client notice when the link is cut before the reply comes?",
    theory: &[
        Theory {
            says: "Whoever has nothing to send sends nothing: an idle connection may outlive the network \
                   below it for ever, unless keep-alives are asked for.",
            source: "RFC 9293, section 3.8.4; Stevens, TCP/IP Illustrated 1, chapter 23",
        },
        Theory {
            says: "Whoever has sent something unacknowledged sends it again, each time after twice the wait.",
            source: "RFC 6298, section 5",
        },
        Theory {
            says: "A datagram that is lost is lost in silence.",
            source: "RFC 768; Stevens, UNP 1, chapter 8.9",
        },
    ],
    lesson: "To a reader a cut link and a slow server are the same silence. Only a deadline of its own ends it.",
    elsewhere: "How often and for how long the server repeats; keep-alives where they are on by default.",
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

/// When the client gives up.
const DEADLINE: Duration = Duration::from_secs(10);

fn method(setting: &Setting) -> String {
    let delay = conditions(setting).delay;
    format!(
        "The link, on which a packet takes {delay:?}, is cut when the server's reply is put on it; the client \
         reads until its deadline."
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let after = "packets of the client after the cut";
    let none = Value::from((0, "packet"));
    let again = Expected::AtLeast((1, "repetition").into());
    let both = |transport, expected| {
        [Prediction::is(transport, "recv", "silence"), Prediction::new(transport, after, expected)]
    };
    // A SYN-ACK that comes twice is acknowledged twice.
    let of_stream = if sim::repeats_in_vain(&conditions(setting)) {
        Expected::AtLeast(none.clone())
    } else {
        Expected::Is(none.clone())
    };
    let mut predictions = both(Tcp, of_stream).to_vec();
    predictions.push(Prediction::new(Tcp, "repetitions of the reply", again));
    predictions.extend(both(Udp, Expected::Is(none)));
    predictions.push(Prediction::is(Udp, "repetitions of the reply", (0, "repetition")));
    predictions
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    let deadline = DEADLINE + 10 * conditions(setting).delay;

    let mut client = StreamClient::new(Duration::ZERO, deadline, 50_000);
    let mut service = StreamService::default();
    let trace = network(setting).exchange(&mut client, &mut service, deadline);
    observe(&mut run, Tcp, trace, client.octets.is_empty());

    let mut client = Asker::new(1, 0, deadline);
    let local = address(SERVER).into();
    let mut service = DatagramService::new(local, Policy::Guarded, Duration::ZERO);
    let trace = network(setting).exchange(&mut client, &mut service, deadline);
    observe(&mut run, Udp, trace, client.answers == [None]);
    run
}

fn conditions(setting: &Setting) -> Conditions {
    let conditions = sim::conditions(&setting.knobs, Duration::from_millis(20));
    Conditions { fault: Fault::CutAtReply, ..conditions }
}

fn network(setting: &Setting) -> Network {
    Network::new(conditions(setting), setting.seed).traced()
}

fn observe(run: &mut Run, transport: Transport, trace: Trace, is_silent: bool) {
    let (of_client, replies) = after_the_cut(&trace);
    run.saw(transport, "recv", if is_silent { "silence" } else { "a reply" });
    run.saw(transport, "packets of the client after the cut", (of_client, "packet"));
    run.saw(transport, "repetitions of the reply", (replies, "repetition"));
    run.show(transport, "", trace);
}

/// How many packets the client sent after the first with the reply, and how often that was sent again.
fn after_the_cut(trace: &Trace) -> (u64, u64) {
    let is_reply = |host: HostId, octets: &[u8]| host == SERVER && carries_octets(octets);
    let mut after =
        trace.packets().skip_while(|(event, packet)| !is_reply(event.host, &packet.octets));
    let _reply = after.next();
    let (of_client, of_server): (Vec<_>, Vec<_>) = after.partition(|(it, _)| it.host == CLIENT);
    let again = of_server.iter().filter(|(it, packet)| is_reply(it.host, &packet.octets));
    (of_client.iter().map(|_| 1).sum(), again.map(|_| 1).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;
    use crate::lab::experiments::check::as_predicted;
    use crate::trace::{Fate, Loss};

    #[test]
    fn the_client_hears_nothing_and_only_the_server_repeats_over_tcp() {
        for seed in 0..50 {
            let outcome = as_predicted(&LAB, Engine::Sim, seed, Knobs::default());
            for part in outcome.parts {
                let cut = |fate: &Fate| *fate == Fate::Lost(Loss::Cut);
                assert!(part.trace.packets().any(|(_, packet)| cut(&packet.fate)), "it was cut");
            }
        }
        for milliseconds in [0, 400, 501, 2000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, Knobs { delay, ..Knobs::default() });
        }
    }
}
