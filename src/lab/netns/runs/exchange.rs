//! Lab `exchange`: what one answer costs.

use super::super::super::link::{CLIENT, SERVER};
use super::super::super::loopback::failed;
use super::super::super::{Engine, Expected, Knob, Obstacle, Prediction, Procedure, Run, Setting};
use super::super::network::Network;
use super::super::process::within;
use super::super::recorder::Sent;
use super::{QUIET, conditions, count, delay, exactly, of_server};
use crate::transport::Transport;
use std::io;
use std::time::Duration;

pub(in crate::lab) const PROCEDURE: Procedure = Procedure {
    engine: Engine::Netns,
    knobs: &[Knob::Delay.within(0..=1000)],
    method,
    predict,
    run,
};

fn method(setting: &Setting) -> String {
    format!(
        "The real server runs on one host and the real client asks it once from the other, {} ms away; every packet \
         between them is written down.",
        delay(setting).as_millis()
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let round_trip = 2 * conditions(setting).delay;
    let both = |transport, packets, trips: u64| {
        let least = round_trip * u32::try_from(trips).unwrap_or(u32::MAX);
        [
            Prediction::new(transport, "packets", packets),
            Prediction::new(transport, "round trips", exactly(setting, trips, "round trip")),
            Prediction::new(transport, "time to the answer", Expected::AtLeast(least.into())),
        ]
    };
    // How many acknowledgements ride on something else is up to the kernel and its timers.
    let stream = match exactly(setting, 6, "packet") {
        Expected::Is(fewest) => Expected::Between(fewest, (9, "packet").into()),
        more => more,
    };
    let datagram = Expected::Is((2, "packet").into());
    [both(Transport::Tcp, stream, 2), both(Transport::Udp, datagram, 1)].concat()
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    within("exchange", setting)
}

pub(super) fn inside(setting: &Setting) -> Result<Run, Obstacle> {
    let mut run = Run::default();
    for transport in Transport::BOTH {
        exchange(setting, transport, &mut run)?;
    }
    Ok(run)
}

fn exchange(setting: &Setting, transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let _serving = network.serve(SERVER)?;
    let answer = network.ask(transport)?;
    answer.map_err(|error| failed("ask the server")(io::Error::other(error)))?;
    network.recorder.settle(QUIET + network.round_trip())?;
    let packets = network.recorder.packets();
    run.saw(transport, "packets", count(packets.iter(), "packet"));
    run.saw(transport, "round trips", (round_trips(&packets), "round trip"));
    run.saw(transport, "time to the answer", time_to_answer(&packets));
    run.show(transport, "", network.trace());
    Ok(())
}

/// How often the server answered the client, up to the packet with the reply: counted from who spoke
/// after whom, since a busy machine makes any time longer.
fn round_trips(packets: &[Sent]) -> u64 {
    let reply = packets.iter().position(|sent| sent.from == SERVER && sent.carries_octets());
    let until = &packets[..reply.map_or(packets.len(), |reply| reply + 1)];
    let answers = |pair: &&[Sent]| pair[0].from == CLIENT && pair[1].from == SERVER;
    until.windows(2).filter(answers).map(|_| 1).sum()
}

/// From the client's first packet until the reply was there.
fn time_to_answer(packets: &[Sent]) -> Duration {
    let came = of_server(packets).find(|sent| sent.carries_octets()).and_then(Sent::arrived);
    let began = packets.first().map(|sent| sent.at);
    came.zip(began).map(|(came, began)| came.saturating_sub(began)).unwrap_or_default()
}
