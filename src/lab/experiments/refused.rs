//! Lab `refused`: a query to a port on which no server listens.

mod netns;

use crate::compare::closed_port;
use crate::lab::loopback::{
    ANY_PORT, CLIENT, CallError, PATIENCE, RecordedSocket, SILENCE_TIME, failed, octets, outcome,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Expected, Lab, Obstacle, Prediction, Procedure, Results, Setting};
use crate::sys;
use crate::transport::Transport::{Tcp, Udp};
use nix::poll::PollFlags;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = lab!("refused", [PROCEDURE, netns::PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run);

const CONNECT: &str = "connect()";
const UNCONNECTED: &str = "recvfrom(), unconnected";
const WITH_IP_RECVERR: &str = "recvfrom(), IP_RECVERR";
const SILENCE: &str = "wait, unconnected";
const CONNECTED: &str = "recv(), connected";
const THREE_SENDS: &str = "three sends, connected";

const REFUSED: &str = "ECONNREFUSED";

fn predict(_: &Setting) -> Vec<Prediction> {
    let no_icmp = "a host need not send the ICMP message";
    let mut predictions = vec![
        Prediction::is(Tcp, CONNECT, REFUSED),
        Prediction::is(Udp, UNCONNECTED, "EAGAIN"),
        Prediction::new(Udp, SILENCE, Expected::at_least(SILENCE_TIME))
            .varies("some systems end a wait a tick early"),
    ];
    if sys::REPORTS_QUEUES {
        predictions.push(Prediction::is(Udp, WITH_IP_RECVERR, REFUSED));
    }
    predictions.push(Prediction::is(Udp, CONNECTED, REFUSED).varies(no_icmp));
    let sends = format!("sent, {REFUSED}, sent");
    predictions.push(Prediction::is(Udp, THREE_SENDS, sends).varies(no_icmp));
    predictions
}

fn run(_: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let (closed, _reserved) =
        closed_port(Ipv4Addr::LOCALHOST.into()).map_err(failed("find a closed port"))?;
    stream(closed, results)?;
    unconnected(closed, results)?;
    if sys::REPORTS_QUEUES {
        with_errors(closed, results)?;
    }
    connected(closed, results)?;
    sends(closed, results)
}

fn stream(closed: SocketAddr, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = RecordedSocket::open(&recorder, CLIENT, Tcp)?;
    let connected = client.connect_as("connect()", closed);
    results.observe(Tcp, CONNECT, outcome(&connected, "connected"));
    results.keep_trace(Tcp, "", recorder.trace());
    Ok(())
}

fn unconnected(closed: SocketAddr, results: &mut Results) -> Result<(), Obstacle> {
    let client = datagram_socket()?;
    let (received, waited) = ask(&client, closed)?;
    results.observe(Udp, SILENCE, waited);
    results.observe(Udp, UNCONNECTED, received);
    results.keep_trace(Udp, "unconnected", client.recorder.trace());
    Ok(())
}

/// Sends a query from an unconnected socket that has `IP_RECVERR` set.
fn with_errors(closed: SocketAddr, results: &mut Results) -> Result<(), Obstacle> {
    let client = datagram_socket()?;
    client.report_errors()?;
    results.observe(Udp, WITH_IP_RECVERR, ask(&client, closed)?.0);
    results.keep_trace(Udp, "unconnected, IP_RECVERR", client.recorder.trace());
    Ok(())
}

/// Sends a query from an unconnected socket. Returns the result of the next receive, and how long the receive took.
fn ask(client: &RecordedSocket, closed: SocketAddr) -> Result<(String, Duration), CallError> {
    client.send_to(&[], closed)?;
    let waiting = Instant::now();
    let answer = client.receive_from("recvfrom(1024)", |(length, _)| octets(*length));
    Ok((outcome(&answer, "an answer"), waiting.elapsed()))
}

fn connected(closed: SocketAddr, results: &mut Results) -> Result<(), Obstacle> {
    let client = connected_socket(closed)?;
    client.send(&[])?;
    results.observe(Udp, CONNECTED, outcome(&client.receive(1024), "an answer"));
    results.keep_trace(Udp, "connected", client.recorder.trace());
    Ok(())
}

/// Sends three times from a connected socket. The second send reports the ICMP error that the first one caused, and
/// sends nothing.
fn sends(closed: SocketAddr, results: &mut Results) -> Result<(), Obstacle> {
    let client = connected_socket(closed)?;
    let send = || outcome(&client.send(&[]), "sent");
    let first = send();
    // The result is ignored: if no ICMP message arrives, the results of the next sends show this.
    client.wait_until_ready(PollFlags::POLLERR, PATIENCE)?;
    results.observe(Udp, THREE_SENDS, [first, send(), send()].join(", "));
    results.keep_trace(Udp, "connected, three sends", client.recorder.trace());
    Ok(())
}

/// Returns a datagram socket with a short receive timeout.
fn datagram_socket() -> Result<RecordedSocket, CallError> {
    let client = RecordedSocket::open(&Recorder::on_loopback(), CLIENT, Udp)?;
    client.unrecorded("bind()", |socket| {
        socket.set_read_timeout(Some(SILENCE_TIME))?;
        socket.bind(&ANY_PORT.into())
    })?;
    Ok(client)
}

fn connected_socket(closed: SocketAddr) -> Result<RecordedSocket, CallError> {
    let client = datagram_socket()?;
    client.connect_as("connect()", closed)?;
    Ok(client)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_stream_is_refused_and_a_datagram_only_from_a_connected_socket() {
        check::all_is_as_predicted(&LAB, LabOptions::default());
    }

    #[test]
    fn a_port_with_a_listener_is_not_as_predicted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut results = Results::default();
        stream(listener.local_addr().expect("bound"), &mut results).expect("tried");
        assert_eq!(results.observed[0].value, "connected".into());
    }
}
