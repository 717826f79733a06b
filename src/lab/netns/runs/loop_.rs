//! Lab `loop`: a packet with a forged source.

use super::super::super::link::{CLIENT, Conditions, SERVER};
use super::super::super::loopback::{PATIENCE, failed};
use super::super::super::{Engine, Expected, Knob, Obstacle, Prediction, Procedure, Run, Setting};
use super::super::network::{FORGER, Network, address};
use super::super::process::within;
use super::{QUIET, count, exactly, of_client, of_server};
use crate::lab::packet::{empty_datagram, syn};
use crate::metrics::Event;
use crate::trace::HostId;
use crate::transport::Transport::{Tcp, Udp};
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The loop has no end of its own; after so many datagrams, or so long, it is made to end.
const ENOUGH: usize = 1000;
const LONG_ENOUGH: Duration = Duration::from_secs(1);

/// Longer than a service needs to see that it has to stop.
const TICK: Duration = Duration::from_millis(50);

pub(in crate::lab) const PROCEDURE: Procedure = Procedure {
    engine: Engine::Netns,
    knobs: &[Knob::Delay.within(0..=1000)],
    method,
    predict,
    run,
};

fn method(_: &Setting) -> String {
    format!(
        "A packet is put on the link to the server that has the client's address and port 13 as its source. Over TCP \
         it is a SYN, to the real server. Over UDP it is an empty datagram, first where both hosts answer \
         whatever comes, for up to {LONG_ENOUGH:?} or {ENOUGH} datagrams, then to the real services."
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let delay = conditions(setting).delay;
    // Half of what there is time for, if packets are slow.
    let in_time = LONG_ENOUGH.as_micros() / delay.as_micros().max(1) / 2;
    let many = u64::try_from(in_time).unwrap_or(u64::MAX).clamp(1, LEAST);
    vec![
        Prediction::is(Tcp, "the server answers", "SYN-ACK"),
        Prediction::is(Tcp, "the victim answers", "RST"),
        Prediction::new(Tcp, "packets", exactly(setting, 3, "packet")),
        Prediction::is(Tcp, "connections accepted", (0, "connection")),
        Prediction::new(Udp, "without a guard", Expected::AtLeast((many, "datagram").into())),
        Prediction::is(Udp, "with the guard", (1, "datagram")),
    ]
}

/// A busy machine makes fewer of them in a second than the thousands that an idle one does.
const LEAST: u64 = 100;

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    within("loop", setting)
}

pub(super) fn inside(setting: &Setting) -> Result<Run, Obstacle> {
    let mut run = Run::default();
    stream(setting, &mut run)?;
    unguarded(setting, &mut run)?;
    guarded(setting, &mut run)?;
    Ok(run)
}

/// As fast as it goes, since the question is how many there are.
fn conditions(setting: &Setting) -> Conditions {
    Conditions::of(&setting.knobs, Duration::ZERO)
}

/// To the server, with the victim's address as its source.
fn stream(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let (_victim, server) = (network.serve(CLIENT)?, network.serve(SERVER)?);
    network.forge(SERVER, syn(address(CLIENT), address(SERVER)))?;
    network
        .recorder
        .wait("a reset", PATIENCE + 2 * network.round_trip(), |packets| packets.len() >= 3)?;
    network.recorder.settle(QUIET + network.round_trip())?;
    let packets = network.recorder.packets();
    let accepted = server.metrics.count(Event::TcpAccepted);
    run.saw(Tcp, "the server answers", super::first(of_server(&packets)));
    run.saw(Tcp, "the victim answers", super::first(of_client(&packets)));
    run.saw(Tcp, "packets", count(packets.iter(), "packet"));
    run.saw(Tcp, "connections accepted", (accepted, "connection"));
    run.show(Tcp, "", network.trace_with_forger());
    Ok(())
}

/// Two services as the first ones were: whatever comes is answered.
fn unguarded(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let stopped = Arc::new(AtomicBool::new(false));
    let mut services = Vec::new();
    for host in [CLIENT, SERVER] {
        services.push(start_unguarded(&network, host, Arc::clone(&stopped))?);
    }
    network.forge(SERVER, empty_datagram(address(CLIENT), address(SERVER)))?;
    let enough = network.recorder.wait("enough", LONG_ENOUGH, |packets| packets.len() >= ENOUGH);
    stopped.store(true, Ordering::Relaxed);
    match enough {
        Err(Obstacle::TooLate(..)) | Ok(()) => {}
        failed => return failed,
    }
    for service in services {
        service.wait(PATIENCE).map_err(failed("serve"))?;
    }
    let packets = network.recorder.packets();
    let what = "without a guard";
    run.saw(Udp, what, count(packets.iter(), "datagram"));
    run.show(Udp, "without a guard", beginning(network.trace_with_forger()));
    Ok(())
}

/// A thousand packets are no drawing: the first dozen shows it.
fn beginning(mut trace: crate::trace::Trace) -> crate::trace::Trace {
    trace.events.truncate(12);
    trace
}

type Service = super::super::host::Pending<()>;

fn start_unguarded(
    network: &Network,
    host: HostId,
    stopped: Arc<AtomicBool>,
) -> Result<Service, Obstacle> {
    let socket = network.on(host, "bind port 13", move |_| {
        let socket = UdpSocket::bind(address(host))?;
        socket.set_read_timeout(Some(TICK))?;
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

/// The real services.
fn guarded(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let _services = (network.serve(CLIENT)?, network.serve(SERVER)?);
    network.forge(SERVER, empty_datagram(address(CLIENT), address(SERVER)))?;
    let came = |sent: &super::Sent| sent.from == FORGER && sent.arrived().is_some();
    network.recorder.wait("the forged datagram", PATIENCE + network.round_trip(), |packets| {
        packets.iter().any(came)
    })?;
    network.recorder.settle(2 * QUIET + network.round_trip())?;
    let packets = network.recorder.packets();
    run.saw(Udp, "with the guard", count(packets.iter(), "datagram"));
    run.show(Udp, "with the guard", network.trace_with_forger());
    Ok(())
}
