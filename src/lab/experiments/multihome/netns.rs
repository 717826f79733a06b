//! Lab `multihome` on the real kernel, between two network namespaces.

use super::{
    A_REPLY, RECEIVES, REPLY_FROM, SERVICE_FROM, SERVICE_REPLY, SOCKET_AT, ask_unconnected,
    source_of_reply,
};
use crate::lab::link::{CLIENT, SERVER};
use crate::lab::loopback::{
    CallError, PATIENCE, REPLY_OCTETS, RecordedSocket, ctime_reply, octet_count, octets, received,
    recv,
};
use crate::lab::netns::{
    ADDRESSES, Network, QUIET_TIME, SECOND_ADDRESS, client_socket, conditions, failed, procedure,
    reply_timeout,
};
use crate::lab::{Obstacle, Prediction, Procedure, Results, Setting};
use crate::reply::Reply;
use crate::transport::Transport::{Tcp, Udp};
use crate::transport::{PORT, Transport};
use socket2::Socket;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Server address to which the client sends its queries.
const ASKED: SocketAddr = SocketAddr::new(IpAddr::V4(SECOND_ADDRESS), PORT);

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(_: &Setting) -> Vec<Prediction> {
    let [_, first] = ADDRESSES;
    vec![
        Prediction::is(Tcp, SOCKET_AT, SECOND_ADDRESS.to_string()),
        Prediction::is(Tcp, RECEIVES, octets(REPLY_OCTETS)),
        Prediction::is(Tcp, SERVICE_REPLY, A_REPLY),
        Prediction::is(Udp, RECEIVES, "EAGAIN"),
        Prediction::is(Udp, REPLY_FROM, first.to_string()),
        Prediction::is(Udp, SERVICE_REPLY, A_REPLY),
        Prediction::is(Udp, SERVICE_FROM, SECOND_ADDRESS.to_string()),
    ]
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    careless_stream(setting, results)?;
    ask_service(setting, Tcp, results)?;
    careless_datagrams(setting, results)?;
    ask_service(setting, Udp, results)
}

fn network(setting: &Setting) -> Result<Network, Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    network.add_address(SECOND_ADDRESS)?;
    Ok(network)
}

/// Waits until no more packets are under way, and adds the trace to the results, so that the report draws it.
fn show(
    network: &Network,
    transport: Transport,
    part: &str,
    results: &mut Results,
) -> Result<(), Obstacle> {
    network.recorder.settle(QUIET_TIME + network.round_trip())?;
    results.keep_trace(transport, part, network.trace());
    Ok(())
}

const WILDCARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);
const CARELESS: &str = "a careless server";

/// Returns a server's socket, bound to the wildcard address.
fn server(network: &Network, transport: Transport) -> Result<RecordedSocket, Obstacle> {
    network.on(SERVER, "bind to the wildcard", move |recorder| {
        let socket = RecordedSocket::open(recorder, SERVER, transport)?;
        socket.serve_at(WILDCARD)?;
        Ok(socket)
    })
}

fn careless_stream(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let (network, reply) = (network(setting)?, ctime_reply()?);
    let timeout = PATIENCE + reply_timeout(setting);
    let listener = server(&network, Tcp)?;
    let serving = network.meanwhile(SERVER, "serve", move |_| {
        let stream = listener.answer(&reply)?;
        Ok(stream.map(|stream| stream.local_address()).transpose()?)
    })?;
    let reply = ask_stream(&network, timeout)?;
    let local = serving.wait(timeout).map_err(failed("serve"))?;
    results.observe(Tcp, SOCKET_AT, local.map_or_else(String::new, |local| local.ip().to_string()));
    results.observe(Tcp, RECEIVES, reply);
    show(&network, Tcp, CARELESS, results)
}

fn careless_datagrams(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let (network, reply) = (network(setting)?, ctime_reply()?);
    let timeout = reply_timeout(setting);
    let socket = server(&network, Udp)?;
    let serving = network.meanwhile(SERVER, "serve", move |_| {
        Ok((0..2).try_for_each(|_| answer_from_anywhere(&socket, &reply))?)
    })?;
    let (reply, source) = ask_datagrams(&network, timeout)?;
    serving.wait(PATIENCE + timeout).map_err(failed("serve"))?;
    results.observe(Udp, RECEIVES, reply);
    results.observe(Udp, REPLY_FROM, source);
    show(&network, Udp, CARELESS, results)
}

/// Replies to one datagram with `sendto`, so that the kernel chooses the source address of the reply.
fn answer_from_anywhere(server: &RecordedSocket, reply: &Reply) -> Result<(), CallError> {
    let from = |(_, peer): &(usize, SocketAddr)| format!("from {}", peer.ip());
    let (_, peer) = server.receive_from("recvfrom()", from)?;
    server.send_to(reply.octets(), peer)?;
    Ok(())
}

/// Queries this crate's own service. The trace shows none of the service's calls, because the service does not record
/// them.
fn ask_service(
    setting: &Setting,
    transport: Transport,
    results: &mut Results,
) -> Result<(), Obstacle> {
    let (network, timeout) = (network(setting)?, reply_timeout(setting));
    let _serving = network.serve_at(SERVER, WILDCARD)?;
    let came = |reply: String| if reply.ends_with("octets") { A_REPLY.into() } else { reply };
    match transport {
        // Over TCP the packets are the same as with the careless server, so the report does not draw them again.
        Tcp => {
            results.observe(Tcp, SERVICE_REPLY, came(ask_stream(&network, PATIENCE + timeout)?));
            Ok(())
        }
        Udp => {
            let (reply, source) = ask_datagrams(&network, timeout)?;
            results.observe(Udp, SERVICE_REPLY, came(reply));
            results.observe(Udp, SERVICE_FROM, source);
            show(&network, Udp, "daytime serve", results)
        }
    }
}

/// Queries the server over TCP. Returns the result of the client's receive.
fn ask_stream(network: &Network, timeout: Duration) -> Result<String, Obstacle> {
    network.on(CLIENT, "ask", move |recorder| {
        let client = client_socket(recorder, Tcp, timeout)?;
        client.connect(ASKED)?;
        Ok(received(&client.receive(512)))
    })
}

/// Sends a query from a connected socket, then another from an unconnected one. Returns the result of the first
/// receive, and the source address of the reply to the second query.
fn ask_datagrams(network: &Network, timeout: Duration) -> Result<(String, String), Obstacle> {
    network.on(CLIENT, "ask over UDP", move |recorder| {
        let connected = client_socket(recorder, Udp, timeout)?;
        connected.socket.connect(&ASKED.into())?;
        let send = |client: &Socket| client.send(&[]);
        connected.call("send(0), connected", send, |sent| octets(*sent))?;
        let receive = |client: &Socket| recv(client, 512);
        let reply = connected.call("recv(512), connected", receive, octet_count);
        let unconnected = client_socket(recorder, Udp, timeout)?;
        ask_unconnected(&unconnected, ASKED)?;
        Ok((received(&reply), source_of_reply(&unconnected)))
    })
}
