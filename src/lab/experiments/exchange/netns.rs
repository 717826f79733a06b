//! Lab `exchange` on the real kernel, between two network namespaces.

use super::{PACKETS, ROUND_TRIPS, TIME, observe};
use crate::lab::link::SERVER;
use crate::lab::netns::{Network, QUIET_TIME, conditions, exactly, is_late, procedure};
use crate::lab::{Expected, Obstacle, Prediction, Procedure, Results, Setting};
use crate::transport::Transport;

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(setting: &Setting) -> Vec<Prediction> {
    let round_trip = 2 * conditions(setting).delay;
    let both = |transport, packets, trips: u64| {
        let least = round_trip * u32::try_from(trips).unwrap_or(u32::MAX);
        [
            Prediction::new(transport, PACKETS, packets),
            Prediction::new(transport, ROUND_TRIPS, exactly(setting, trips, "round trip")),
            Prediction::new(transport, TIME, Expected::at_least(least)),
        ]
    };
    // How many acknowledgements travel with other packets depends on the kernel and its timers.
    let fewest = (6, "packet");
    let stream = if is_late(setting) {
        Expected::at_least(fewest)
    } else {
        Expected::between(fewest, (9, "packet"))
    };
    let datagram = Expected::is((2, "packet"));
    [both(Transport::Tcp, stream, 2), both(Transport::Udp, datagram, 1)].concat()
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    Transport::BOTH.into_iter().try_for_each(|transport| exchange(setting, transport, results))
}

fn exchange(
    setting: &Setting,
    transport: Transport,
    results: &mut Results,
) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let _serving = network.serve(SERVER)?;
    // If the reply is missing, the trace shows this, so the error is not needed.
    let _answer = network.ask(transport)?;
    network.recorder.settle(QUIET_TIME + network.round_trip())?;
    observe(results, transport, network.trace());
    Ok(())
}
