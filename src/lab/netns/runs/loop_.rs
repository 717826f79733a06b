//! Lab `loop`: a packet with a forged source.

use super::super::super::experiments::loop_::{
    ACCEPTED, GUARDED, PACKETS, SERVER_ANSWERS, UNGUARDED, VICTIM_ANSWERS, observe_datagrams,
    observe_stream,
};
use super::super::super::link::{CLIENT, Conditions, FORGER, SERVER};
use super::super::super::loopback::PATIENCE;
use super::super::super::{Expected, Obstacle, Prediction, Procedure, Run, Setting};
use super::super::failed;
use super::super::network::{Network, address};
use super::super::recorder::Sent;
use super::{QUIET, exactly, procedure};
use crate::duration::short;
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

pub(in crate::lab) const PROCEDURE: Procedure = procedure(method, predict, run);

fn method(_: &Setting) -> String {
    format!(
        "A packet is put on the link to the server that has the client's address and port 13 as its source. Over TCP \
         it is a SYN, to the real server. Over UDP it is an empty datagram, first where both hosts answer \
         whatever comes, for up to {} or {ENOUGH} datagrams, then to the real services.",
        short(LONG_ENOUGH)
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let delay = conditions(setting).delay;
    // Half of what there is time for, if packets are slow.
    let in_time = LONG_ENOUGH.as_micros() / delay.as_micros().max(1) / 2;
    let many = u64::try_from(in_time).unwrap_or(u64::MAX).clamp(1, LEAST);
    vec![
        Prediction::is(Tcp, SERVER_ANSWERS, "SYN-ACK"),
        Prediction::is(Tcp, VICTIM_ANSWERS, "RST"),
        Prediction::new(Tcp, PACKETS, exactly(setting, 3, "packet")),
        Prediction::is(Tcp, ACCEPTED, (0, "connection")),
        Prediction::new(Udp, UNGUARDED, Expected::AtLeast((many, "datagram").into())),
        Prediction::is(Udp, GUARDED, (1, "datagram")),
    ]
}

/// A busy machine makes fewer of them in a second than the thousands that an idle one does.
const LEAST: u64 = 100;

fn run(setting: &Setting) -> Result<Run, Obstacle> {
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
    network.recorder.wait(PATIENCE + 2 * network.round_trip(), |packets| packets.len() >= 3)?;
    network.recorder.settle(QUIET + network.round_trip())?;
    let accepted = server.metrics.count(Event::TcpAccepted);
    observe_stream(run, network.trace_with_forger(), accepted);
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
    let waited = network.recorder.wait(LONG_ENOUGH, |packets| packets.len() >= ENOUGH);
    stopped.store(true, Ordering::Relaxed);
    waited?;
    for service in services {
        service.wait(PATIENCE).map_err(failed("serve"))?;
    }
    observe_datagrams(run, UNGUARDED, network.trace_with_forger());
    Ok(())
}

type Service = super::super::namespace::Pending<()>;

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
    let came = |sent: &Sent| sent.from == FORGER && sent.arrived().is_some();
    network.recorder.wait(PATIENCE + network.round_trip(), |packets| packets.iter().any(came))?;
    network.recorder.settle(2 * QUIET + network.round_trip())?;
    observe_datagrams(run, GUARDED, network.trace_with_forger());
    Ok(())
}
