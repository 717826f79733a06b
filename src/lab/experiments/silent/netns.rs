//! Lab `silent` on the real kernel, between two network namespaces.

use super::{CLIENT_PACKETS, RECV, REPLY_RESENT, WAIT_GROWTH, observe};
use crate::lab::analysis::replies;
use crate::lab::link::{CLIENT, Conditions, Fault, SERVER};
use crate::lab::loopback::{PATIENCE, received};
use crate::lab::netns::{Network, conditions, connect, is_late, procedure, reply_timeout};
use crate::lab::{Expected, Obstacle, Prediction, Procedure, Results, Setting, Value};
use crate::transport::Transport::{self, Tcp, Udp};

/// Minimum predicted ratio of two consecutive waits. The kernel doubles the wait each time, but on a busy machine a
/// measured wait may be too long and the next one too short.
const MIN_GROWTH: f64 = 1.25;

/// Number of retransmissions that may be tail loss probes (RFC 8985, section 7.3). The waits double only after them.
const PROBES: usize = 1;

/// Number of retransmissions to wait for: the first may be a tail loss probe, and the next two show how the waits grow.
const REPETITIONS: usize = 3;

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(setting: &Setting) -> Vec<Prediction> {
    let none = |of| (0, of);
    // The client acknowledges the SYN-ACK again each time the server retransmits it.
    let after = (if is_late(setting) { 3 } else { 0 }, "packet");
    vec![
        Prediction::is(Tcp, RECV, "EAGAIN"),
        Prediction::new(Tcp, CLIENT_PACKETS, Expected::between(none("packet"), after)),
        Prediction::new(Tcp, REPLY_RESENT, Expected::at_least((2, "time"))),
        Prediction::new(Tcp, WAIT_GROWTH, Expected::at_least(Value::share(MIN_GROWTH))),
        Prediction::is(Udp, RECV, "EAGAIN"),
        Prediction::is(Udp, CLIENT_PACKETS, none("packet")),
        Prediction::is(Udp, REPLY_RESENT, none("time")),
    ]
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    Transport::BOTH.into_iter().try_for_each(|transport| cut(setting, transport, results))
}

fn cut(setting: &Setting, transport: Transport, results: &mut Results) -> Result<(), Obstacle> {
    let conditions = Conditions { fault: Fault::CutAtReply, ..conditions(setting) };
    let network = Network::new(conditions, setting)?;
    let _serving = network.serve(SERVER)?;
    let timeout = reply_timeout(setting);
    // The socket stays open until the trace ends, because closing it would send a packet.
    let (came, _socket) = network.on(CLIENT, "ask", move |recorder| {
        let client = connect(recorder, transport, timeout)?;
        if transport == Udp {
            client.socket.send(&[])?;
        }
        Ok((received(&client.receive(512)), client))
    })?;
    if transport == Tcp {
        network.recorder.wait(PATIENCE + 15 * network.round_trip(), |trace| {
            replies(trace).count() > REPETITIONS
        })?;
    }
    observe(results, transport, came, PROBES, network.trace());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::finding::compare;
    use crate::lab::{LabOptions, Verdict};
    use std::time::Duration;

    #[test]
    fn a_long_delay_shows_the_growth_of_the_waits_before_the_server_gives_up() {
        let delay = Some(Duration::from_millis(400));
        let setting = Setting { seed: 1, options: LabOptions { delay, ..LabOptions::default() } };
        let procedure = PROCEDURE;
        let run = match procedure.perform(&setting) {
            Err(Obstacle::Missing(missing)) => return eprintln!("skipped: {missing}"),
            run => run.expect("nothing is in the way"),
        };
        let findings = compare((procedure.predict)(&setting), &run.observed);
        assert_eq!(findings.len(), 7);
        for finding in findings {
            assert_eq!(finding.verdict, Verdict::AsPredicted, "{finding:?}");
        }
    }
}
