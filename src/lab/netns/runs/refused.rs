//! Lab `refused`: no server listens.

use super::super::super::experiments::refused::{ASKED_FOR, CONNECT, CONNECTED, UNCONNECTED};
use super::super::super::link::{CLIENT, SERVER};
use super::super::super::loopback::{PATIENCE, in_time};
use super::super::super::{Obstacle, Prediction, Procedure, Run, Setting};
use super::super::network::{Network, address};
use super::{Peer, conditions, connect, datagram_socket, delay, octets, patience, procedure, told};
use crate::duration::short;
use crate::lab::packet::{Kind, kind};
use crate::lab::seen::{count, first};
use crate::sys;
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

pub(in crate::lab) const PROCEDURE: Procedure = procedure(method, predict, run);

fn method(setting: &Setting) -> String {
    format!(
        "No server listens on port 13 of the server's host, {} away. Over TCP the client connects. Over UDP it sends \
         an empty datagram and waits {} for the reply: from a socket that is not connected, from such a socket with \
         IP_RECVERR set, and from a connected one.",
        delay(setting),
        short(patience(setting))
    )
}

fn predict(_: &Setting) -> Vec<Prediction> {
    let icmp = "ICMP port unreachable";
    vec![
        Prediction::is(Tcp, CONNECT, "ECONNREFUSED"),
        Prediction::is(Tcp, "what comes back", "RST"),
        Prediction::is(Udp, UNCONNECTED, "EAGAIN"),
        Prediction::is(Udp, ASKED_FOR, "ECONNREFUSED"),
        Prediction::is(Udp, CONNECTED, "ECONNREFUSED"),
        Prediction::is(Udp, "what comes back", icmp),
        Prediction::is(Udp, "ICMP messages", (3, "message")),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    let mut run = Run::default();
    stream(setting, &mut run)?;
    datagram(setting, &mut run)?;
    Ok(run)
}

fn stream(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let (network, limit) = (Network::new(conditions(setting), setting)?, patience(setting));
    let connected = network.on(CLIENT, "connect", move |recorder| {
        let connect = || connect(limit);
        Ok(told(&recorder.call(CLIENT, "connect()", connect, |_| "connected".into()), |_| {
            "connected".into()
        }))
    })?;
    run.saw(Tcp, CONNECT, connected);
    let trace = network.trace();
    run.saw(Tcp, "what comes back", first(&trace, SERVER));
    run.show(Tcp, "", trace);
    Ok(())
}

fn datagram(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let (network, limit) = (Network::new(conditions(setting), setting)?, patience(setting));
    let ways = [
        (Peer::Unconnected, Errors::Default, UNCONNECTED),
        (Peer::Unconnected, Errors::Reported, ASKED_FOR),
        (Peer::Connected, Errors::Default, CONNECTED),
    ];
    for (peer, errors, what) in ways {
        let before = network.recorder.count();
        run.saw(Udp, what, ask(&network, peer, errors, limit)?);
        // Silence is only remarkable if the message has come.
        network.recorder.wait(PATIENCE + network.round_trip(), |packets| {
            let mut new = packets.iter().skip(before);
            new.any(|sent| sent.kind() == Kind::PortUnreachable && sent.arrived().is_some())
        })?;
    }
    let trace = network.trace();
    let icmp = trace.packets().filter(|(_, it)| kind(&it.octets) == Kind::PortUnreachable);
    run.saw(Udp, "what comes back", first(&trace, SERVER));
    run.saw(Udp, "ICMP messages", count(icmp, "message"));
    run.show(Udp, "", trace);
    Ok(())
}

/// Whether a socket asks for the errors of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errors {
    Default,
    /// `IP_RECVERR` is set.
    Reported,
}

/// Sends an empty datagram to the closed port and waits for what comes of it.
fn ask(network: &Network, peer: Peer, errors: Errors, limit: Duration) -> Result<String, Obstacle> {
    network.on(CLIENT, "ask over UDP", move |recorder| {
        let (socket, server) = (datagram_socket(limit, peer)?, address(SERVER));
        if errors == Errors::Reported {
            let set = || sys::report_errors(&socket);
            recorder.call(CLIENT, "setsockopt(IP_RECVERR)", set, |()| "set".into())?;
        }
        let name = match peer {
            Peer::Connected => "connected",
            Peer::Unconnected => "unconnected",
        };
        let send = || match peer {
            Peer::Connected => socket.send(&[]),
            Peer::Unconnected => socket.send_to(&[], server),
        };
        recorder.call(CLIENT, &format!("send(), {name}"), send, octets)?;
        let receive = || in_time(&socket, || socket.recv(&mut [0; 64]));
        Ok(told(&recorder.call(CLIENT, &format!("recv(), {name}"), receive, octets), octets))
    })
}
