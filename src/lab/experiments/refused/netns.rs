//! Lab `refused` on the real kernel, between two network namespaces.

use super::{CONNECT, CONNECTED, UNCONNECTED, WITH_IP_RECVERR};
use crate::lab::analysis::{arrival, count, first_packet};
use crate::lab::link::{CLIENT, SERVER};
use crate::lab::loopback::{PATIENCE, octet_count, octets, outcome, received, recv};
use crate::lab::netns::{
    Network, address, client_socket, conditions, connect, procedure, reply_timeout,
};
use crate::lab::packet::{Kind, kind};
use crate::lab::{Obstacle, Prediction, Procedure, Results, Setting};
use crate::trace::{Packet, Trace};
use crate::transport::Transport::{Tcp, Udp};
use ClientSocket::{Connected, Reporting, Unconnected};
use socket2::Socket;
use std::net::SocketAddr;
use std::time::Duration;

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(_: &Setting) -> Vec<Prediction> {
    let icmp = "ICMP port unreachable";
    vec![
        Prediction::is(Tcp, CONNECT, "ECONNREFUSED"),
        Prediction::is(Tcp, "packet sent back", "RST"),
        Prediction::is(Udp, UNCONNECTED, "EAGAIN"),
        Prediction::is(Udp, WITH_IP_RECVERR, "ECONNREFUSED"),
        Prediction::is(Udp, CONNECTED, "ECONNREFUSED"),
        Prediction::is(Udp, "packet sent back", icmp),
        Prediction::is(Udp, "ICMP messages received", (3, "message")),
    ]
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    stream(setting, results)?;
    datagram(setting, results)
}

fn stream(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    let timeout = reply_timeout(setting);
    let connected = network.on(CLIENT, "connect", move |recorder| {
        let connect = || connect(recorder, Tcp, timeout);
        let connected = recorder.call(CLIENT, "connect()", connect, |_| "connected".into());
        Ok(outcome(&connected, "connected"))
    })?;
    results.observe(Tcp, CONNECT, connected);
    let trace = network.trace();
    results.observe(Tcp, "packet sent back", first_packet(&trace, SERVER));
    results.keep_trace(Tcp, "", trace);
    Ok(())
}

fn datagram(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    for (socket, what) in
        [(Unconnected, UNCONNECTED), (Reporting, WITH_IP_RECVERR), (Connected, CONNECTED)]
    {
        let before = unreachable(&network.trace()).count();
        results.observe(Udp, what, ask(&network, socket, reply_timeout(setting))?);
        // Waits for the ICMP message: only if it has arrived does the socket's silence show that the socket ignored it.
        network.recorder.wait(PATIENCE + network.round_trip(), |trace| {
            unreachable(trace).skip(before).any(|it| arrival(it).is_some())
        })?;
    }
    let trace = network.trace();
    results.observe(Udp, "packet sent back", first_packet(&trace, SERVER));
    results.observe(Udp, "ICMP messages received", count(unreachable(&trace), "message"));
    results.keep_trace(Udp, "", trace);
    Ok(())
}

/// Returns the ICMP messages in the trace that report a closed port.
fn unreachable(trace: &Trace) -> impl Iterator<Item = &Packet> {
    let packets = trace.packets().map(|(_, packet)| packet);
    packets.filter(|packet| kind(&packet.octets) == Kind::PortUnreachable)
}

/// Kind of datagram socket that the client uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientSocket {
    Connected,
    /// Unconnected, with `IP_RECVERR`: the socket reports ICMP errors.
    Reporting,
    Unconnected,
}

/// Sends an empty datagram to the closed port. Returns the result of the next receive.
fn ask(network: &Network, socket: ClientSocket, timeout: Duration) -> Result<String, Obstacle> {
    network.on(CLIENT, "ask over UDP", move |recorder| {
        let client = match socket {
            Connected => connect(recorder, Udp, timeout)?,
            Reporting | Unconnected => client_socket(recorder, Udp, timeout)?,
        };
        if socket == Reporting {
            client.report_errors()?;
        }
        if socket == Connected {
            let send = |client: &Socket| client.send(&[]);
            client.call("send(0), connected", send, |sent| octets(*sent))?;
            let receive = |client: &Socket| recv(client, 1024);
            return Ok(received(&client.call("recv(1024), connected", receive, octet_count)));
        }
        let at = SocketAddr::from(address(SERVER)).into();
        let send = |client: &Socket| client.send_to(&[], &at);
        client.call("sendto(0), unconnected", send, |sent| octets(*sent))?;
        let answer =
            client.receive_from("recvfrom(1024), unconnected", |(length, _)| octets(*length));
        Ok(outcome(&answer, "an answer"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::{LabOptions, Value};

    #[test]
    fn a_missing_message_is_an_observation_and_the_run_goes_on() {
        // The link drops packet 1 of each exchange. TCP retransmits its SYN, but the UDP client does not retransmit its
        // first query, so one ICMP message is missing.
        let options = LabOptions { drop: vec![1], ..LabOptions::default() };
        let procedure = PROCEDURE;
        let run = match procedure.perform(&Setting { seed: 1, options }) {
            Err(Obstacle::Missing(missing)) => return eprintln!("skipped: {missing}"),
            run => run.expect("nothing is in the way"),
        };
        let observed = run.observed.into_iter().map(|it| (it.transport, it.what, it.value));
        let refused = || Value::from("ECONNREFUSED");
        let expected = [
            (Tcp, CONNECT, refused()),
            (Tcp, "packet sent back", "RST".into()),
            (Udp, UNCONNECTED, "EAGAIN".into()),
            (Udp, WITH_IP_RECVERR, refused()),
            (Udp, CONNECTED, refused()),
            (Udp, "packet sent back", "ICMP port unreachable".into()),
            (Udp, "ICMP messages received", (2, "message").into()),
        ];
        assert!(observed.eq(expected.map(|(over, what, value)| (over, what.to_owned(), value))));
    }
}
