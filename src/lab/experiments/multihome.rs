//! Lab `multihome`: a client queries a host with two addresses at the second address.

mod netns;

use crate::lab::loopback::{
    CLIENT, CallError, PATIENCE, REPLY_OCTETS, RecordedSocket, SERVER, SILENCE_TIME, ctime_reply,
    is_local, octets, outcome_with, received, start_service,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, Obstacle, Prediction, Procedure, Results, Setting};
use crate::sys;
use crate::transport::Transport::{self, Tcp, Udp};
use socket2::Socket;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Observed result if the service sends a reply in any syntax.
const A_REPLY: &str = "a reply";

pub(super) static LAB: Lab = lab!("multihome", [PROCEDURE, netns::PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run);

/// Server address to which the client sends its queries. The client's own address is [`ASKER`].
const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ASKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

const SOCKET_AT: &str = "careless: local address";
const RECEIVES: &str = "careless: client gets";
const REPLY_FROM: &str = "careless: reply is from";
const SERVICE_REPLY: &str = "daytime serve: reply";
const SERVICE_FROM: &str = "daytime serve: sent from";

fn predict(_: &Setting) -> Vec<Prediction> {
    let (service_reply, service_from) = if sys::TELLS_DESTINATIONS {
        (A_REPLY, ASKED.to_string())
    } else {
        // The reply's source is not the address to which the socket is connected, so the socket does not receive the
        // reply.
        ("EAGAIN", "EAGAIN".to_owned())
    };
    vec![
        Prediction::is(Tcp, SOCKET_AT, ASKED.to_string()),
        Prediction::is(Tcp, RECEIVES, octets(REPLY_OCTETS)),
        Prediction::is(Tcp, SERVICE_REPLY, A_REPLY),
        Prediction::is(Udp, RECEIVES, "EAGAIN"),
        Prediction::is(Udp, REPLY_FROM, Ipv4Addr::LOCALHOST.to_string()),
        Prediction::is(Udp, SERVICE_REPLY, service_reply),
        Prediction::is(Udp, SERVICE_FROM, service_from),
    ]
}

fn run(_: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    for address in [ASKED, ASKER] {
        require_address(address)?;
    }
    for transport in Transport::BOTH {
        careless(transport, results)?;
        ask_service(transport, results)?;
    }
    Ok(())
}

fn require_address(address: Ipv4Addr) -> Result<(), Obstacle> {
    if is_local(address.into()) {
        return Ok(());
    }
    let how = format!(
        "`ip address add {address}/8 dev lo` adds it on Linux, `ifconfig lo0 alias {address}` on BSD"
    );
    Err(Obstacle::Missing(format!("{address} is not an address of this host; {how}")))
}

const ANY_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

fn careless(transport: Transport, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let server = RecordedSocket::open(&recorder, SERVER, transport)?;
    server.serve_at(ANY_ADDRESS)?;
    let (at, reply) = (SocketAddr::from((ASKED, server.local_address()?.port())), ctime_reply()?);
    let connected = client(&recorder, transport)?;
    connected.ask(at)?;
    let patience = match server.answer(&reply)? {
        Some(stream) => {
            results.observe(transport, SOCKET_AT, stream.local_address()?.ip().to_string());
            PATIENCE
        }
        None => SILENCE_TIME,
    };
    results.observe(transport, RECEIVES, received(&connected.receive_within(patience)));
    if transport == Udp {
        let unconnected = client(&recorder, transport)?;
        ask_unconnected(&unconnected, at)?;
        server.answer(&reply)?;
        results.observe(transport, REPLY_FROM, source_of_reply(&unconnected));
    }
    results.keep_trace(transport, "a careless server", recorder.trace());
    Ok(())
}

/// Queries this crate's own service. The trace shows only the client's calls, because the service does not record its
/// own.
fn ask_service(transport: Transport, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let service = start_service(transport, ANY_ADDRESS)?;
    let at = SocketAddr::from((ASKED, service.bound()[0].address.port()));
    let connected = client(&recorder, transport)?;
    connected.ask(at)?;
    let comes = transport == Tcp || sys::TELLS_DESTINATIONS;
    let reply = connected.receive_within(if comes { PATIENCE } else { SILENCE_TIME });
    let is_line = reply.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
    results.observe(
        transport,
        SERVICE_REPLY,
        if is_line { A_REPLY.into() } else { received(&reply) },
    );
    if transport == Udp {
        let unconnected = client(&recorder, transport)?;
        ask_unconnected(&unconnected, at)?;
        results.observe(transport, SERVICE_FROM, source_of_reply(&unconnected));
    }
    // Over TCP the client makes the same calls as with the careless server, so the report does not draw them again.
    if transport == Udp {
        results.keep_trace(transport, "daytime serve", recorder.trace());
    }
    Ok(())
}

fn client(recorder: &Recorder, transport: Transport) -> Result<RecordedSocket, CallError> {
    let socket = RecordedSocket::open(recorder, CLIENT, transport)?;
    socket.bind(SocketAddr::from((ASKER, 0)))?;
    Ok(socket)
}

/// Sends a query from an unconnected socket, which receives datagrams from any address.
fn ask_unconnected(client: &RecordedSocket, at: SocketAddr) -> Result<usize, CallError> {
    let send = |socket: &Socket| socket.send_to(&[], &at.into());
    client.call(&format!("sendto({})", at.ip()), send, |sent| octets(*sent))
}

/// Receives the reply and returns its source address, or the error's name if the receive fails.
fn source_of_reply(client: &RecordedSocket) -> String {
    let reply = client.receive_from("recvfrom(1024)", |(_, peer)| format!("from {}", peer.ip()));
    outcome_with(&reply, |(_, peer)| peer.ip().to_string())
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_careless_server_answers_from_another_address_and_the_service_from_the_one_asked() {
        match require_address(ASKED) {
            Ok(()) => {
                let run = check::all_is_as_predicted(&LAB, LabOptions::default());
                assert!(check::is_shown(&run, "connect(127.0.0.2)"), "{:?}", run.parts);
            }
            Err(missing) => eprintln!("skipped: {missing}"),
        }
    }
}
