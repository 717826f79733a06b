//! Lab `loop` on the real kernel, between two network namespaces.

use super::{
    ACCEPTED, GUARDED, PACKETS, SERVER_ANSWERS, UNGUARDED, VICTIM_ANSWERS, observe_datagrams,
    observe_stream,
};
use crate::lab::analysis::{arrival, sent_by};
use crate::lab::link::{CLIENT, Conditions, FORGER, SERVER};
use crate::lab::loopback::PATIENCE;
use crate::lab::netns::{Network, Pending, QUIET_TIME, address, exactly, failed, procedure};
use crate::lab::packet::{empty_datagram, syn};
use crate::lab::{Expected, Obstacle, Prediction, Procedure, Results, Setting};
use crate::metrics::Event;
use crate::trace::{HostId, Trace};
use crate::transport::Transport::{Tcp, Udp};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Number of datagrams after which the lab stops the loop. The lab also stops the loop after [`MAX_LOOP_TIME`], because
/// the loop would never end by itself.
const MAX_LOOP_DATAGRAMS: usize = 1000;
const MAX_LOOP_TIME: Duration = Duration::from_secs(1);

/// Read timeout, after which the service checks whether it must stop.
const READ_TIMEOUT: Duration = Duration::from_millis(50);

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(setting: &Setting) -> Vec<Prediction> {
    let delay = conditions(setting).delay;
    // The longer the delay, the fewer datagrams the loop can send within MAX_LOOP_TIME. The lab predicts at least half
    // of that number.
    let in_time = MAX_LOOP_TIME.as_micros() / delay.as_micros().max(1) / 2;
    let many = u64::try_from(in_time).unwrap_or(u64::MAX).clamp(1, MIN_LOOP_DATAGRAMS);
    vec![
        Prediction::is(Tcp, SERVER_ANSWERS, "SYN-ACK"),
        Prediction::is(Tcp, VICTIM_ANSWERS, "RST"),
        Prediction::new(Tcp, PACKETS, exactly(setting, 3, "packet")),
        Prediction::is(Tcp, ACCEPTED, (0, "connection")),
        Prediction::new(Udp, UNGUARDED, Expected::at_least((many, "datagram"))),
        Prediction::is(Udp, GUARDED, (1, "datagram")),
    ]
}

/// Upper limit on the predicted minimum number of datagrams. An idle machine sends thousands per second, a busy one
/// fewer.
const MIN_LOOP_DATAGRAMS: u64 = 100;

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    stream(setting, results)?;
    unguarded(setting, results)?;
    guarded(setting, results)
}

/// Returns link conditions with a default delay of 0, so that the loop sends as many datagrams as possible.
fn conditions(setting: &Setting) -> Conditions {
    Conditions::of(&setting.options, Duration::ZERO)
}

/// Sends the server a SYN whose forged source is the victim's address.
fn stream(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let (_victim, server) = (network.serve(CLIENT)?, network.serve(SERVER)?);
    network.forge(syn(address(CLIENT), address(SERVER)))?;
    network
        .recorder
        .wait(PATIENCE + 2 * network.round_trip(), |trace| trace.packets().count() >= 3)?;
    network.recorder.settle(QUIET_TIME + network.round_trip())?;
    let accepted = server.metrics.count(Event::TcpAccepted);
    observe_stream(results, network.trace(), accepted);
    Ok(())
}

/// Runs two services without a guard, which reply to every datagram.
fn unguarded(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let mut services = Vec::new();
    for host in [CLIENT, SERVER] {
        services.push(start_unguarded(&network, host, Arc::clone(&stopped))?);
    }
    network.forge(empty_datagram(address(CLIENT), address(SERVER)))?;
    let waited =
        network.recorder.wait(MAX_LOOP_TIME, |trace| trace.packets().count() >= MAX_LOOP_DATAGRAMS);
    stopped.store(true, Ordering::Relaxed);
    waited?;
    for service in services {
        service.wait(PATIENCE).map_err(failed("serve"))?;
    }
    observe_datagrams(results, UNGUARDED, network.trace());
    Ok(())
}

fn start_unguarded(
    network: &Network,
    host: HostId,
    stopped: Arc<AtomicBool>,
) -> Result<Pending<()>, Obstacle> {
    let socket = network.on(host, "bind port 13", move |_| {
        let socket = UdpSocket::bind(address(host))?;
        socket.set_read_timeout(Some(READ_TIMEOUT))?;
        Ok(socket)
    })?;
    network.meanwhile(host, "serve", move |_| {
        let reply = b"Tuesday, February 22, 1982 17:37:43-PST\r\n";
        while !stopped.load(Ordering::Relaxed) {
            if let Ok((_, peer)) = socket.recv_from(&mut [0; 512]) {
                socket.send_to(reply, peer)?;
            }
        }
        Ok(())
    })
}

/// Runs two instances of the real service, whose guard decides which datagrams to answer.
fn guarded(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let _services = (network.serve(CLIENT)?, network.serve(SERVER)?);
    network.forge(empty_datagram(address(CLIENT), address(SERVER)))?;
    let came = |trace: &Trace| sent_by(trace, FORGER).any(|(_, it)| arrival(it).is_some());
    network.recorder.wait(PATIENCE + network.round_trip(), came)?;
    network.recorder.settle(2 * QUIET_TIME + network.round_trip())?;
    observe_datagrams(results, GUARDED, network.trace());
    Ok(())
}
