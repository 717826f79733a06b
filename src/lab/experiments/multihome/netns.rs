//! A server's host with two addresses, asked at the second one: on the real kernel between two network namespaces.

use super::{A_REPLY, FROM, HEARS, LOCAL, OURS, OURS_FROM, ask_unconnected, source_of_reply};
use crate::lab::link::{CLIENT, SERVER};
use crate::lab::loopback::{
    PATIENCE, REPLY_OCTETS, answer, bind, ctime_reply, octet_count, octets, open, received, recv,
    within_timeout,
};
use crate::lab::netns::{
    ADDRESSES, Network, QUIET_TIME, SECOND_ADDRESS, client_socket, conditions, failed, procedure,
    reply_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Obstacle, Prediction, Procedure, Run, Setting};
use crate::reply::Reply;
use crate::transport::Transport::{Tcp, Udp};
use crate::transport::{PORT, Transport};
use socket2::Socket;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where the client asks.
const ASKED: SocketAddr = SocketAddr::new(IpAddr::V4(SECOND_ADDRESS), PORT);

pub(super) const PROCEDURE: Procedure = procedure(predict, run);

fn predict(_: &Setting) -> Vec<Prediction> {
    let [_, first] = ADDRESSES;
    vec![
        Prediction::is(Tcp, LOCAL, SECOND_ADDRESS.to_string()),
        Prediction::is(Tcp, HEARS, octets(REPLY_OCTETS)),
        Prediction::is(Tcp, OURS, A_REPLY),
        Prediction::is(Udp, HEARS, "EAGAIN"),
        Prediction::is(Udp, FROM, first.to_string()),
        Prediction::is(Udp, OURS, A_REPLY),
        Prediction::is(Udp, OURS_FROM, SECOND_ADDRESS.to_string()),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    let mut run = Run::default();
    careless_stream(setting, &mut run)?;
    ours(setting, Tcp, &mut run)?;
    careless_datagrams(setting, &mut run)?;
    ours(setting, Udp, &mut run)?;
    Ok(run)
}

fn network(setting: &Setting) -> Result<Network, Obstacle> {
    let network = Network::new(conditions(setting), setting)?;
    network.add_address(SECOND_ADDRESS)?;
    Ok(network)
}

/// Shows what has happened when all is quiet.
fn show(
    network: &Network,
    transport: Transport,
    part: &str,
    run: &mut Run,
) -> Result<(), Obstacle> {
    network.recorder.settle(QUIET_TIME + network.round_trip())?;
    run.show(transport, part, network.trace());
    Ok(())
}

const WILDCARD: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT);
const CARELESS: &str = "a careless server";

/// A server's socket, bound to the wildcard.
fn server(network: &Network, transport: Transport) -> Result<Socket, Obstacle> {
    network.on(SERVER, "bind to the wildcard", move |recorder| {
        let socket = open(transport)?;
        bind(recorder, transport, &socket, WILDCARD)?;
        Ok(socket)
    })
}

fn careless_stream(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let (network, reply) = (network(setting)?, ctime_reply()?);
    let timeout = PATIENCE + reply_timeout(setting);
    let listener = server(&network, Tcp)?;
    let serving = network.meanwhile(SERVER, "serve", move |recorder| {
        let stream = answer(recorder, SERVER, Tcp, &listener, &reply)?;
        let local = stream.map(|stream| stream.local_addr()).transpose()?;
        Ok(local.and_then(|local| local.as_socket()))
    })?;
    let reply = ask_stream(&network, timeout)?;
    let local = serving.wait(timeout).map_err(failed("serve"))?;
    run.saw(Tcp, LOCAL, local.map_or_else(String::new, |local| local.ip().to_string()));
    run.saw(Tcp, HEARS, reply);
    show(&network, Tcp, CARELESS, run)
}

fn careless_datagrams(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let (network, reply) = (network(setting)?, ctime_reply()?);
    let timeout = reply_timeout(setting);
    let socket = server(&network, Udp)?;
    let serving = network.meanwhile(SERVER, "serve", move |recorder| {
        (0..2).try_for_each(|_| answer_from_anywhere(recorder, &socket, &reply))
    })?;
    let (reply, source) = ask_datagrams(&network, timeout)?;
    serving.wait(PATIENCE + timeout).map_err(failed("serve"))?;
    run.saw(Udp, HEARS, reply);
    run.saw(Udp, FROM, source);
    show(&network, Udp, CARELESS, run)
}

/// Answers one datagram without a thought of where it was sent to.
fn answer_from_anywhere(recorder: &Recorder, socket: &Socket, reply: &Reply) -> io::Result<()> {
    let take = || {
        let (_, peer) = within_timeout(socket, || socket.recv_from(&mut [MaybeUninit::uninit()]))?;
        peer.as_socket().ok_or_else(|| io::ErrorKind::Other.into())
    };
    let peer = recorder.call(SERVER, "recvfrom()", take, |peer| format!("from {}", peer.ip()))?;
    let send = || socket.send_to(reply.octets(), &peer.into());
    recorder.call(SERVER, "sendto(26)", send, |sent| octets(*sent))?;
    Ok(())
}

/// The service of this program, which writes down no calls.
fn ours(setting: &Setting, transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let (network, timeout) = (network(setting)?, reply_timeout(setting));
    let _serving = network.serve_at(SERVER, WILDCARD)?;
    let came = |reply: String| if reply.ends_with("octets") { A_REPLY.into() } else { reply };
    match transport {
        Tcp => run.saw(Tcp, OURS, came(ask_stream(&network, PATIENCE + timeout)?)),
        Udp => {
            let (reply, source) = ask_datagrams(&network, timeout)?;
            run.saw(Udp, OURS, came(reply));
            run.saw(Udp, OURS_FROM, source);
        }
    }
    show(&network, transport, "daytime serve", run)
}

/// Asks over TCP: what the client receives.
fn ask_stream(network: &Network, timeout: Duration) -> Result<String, Obstacle> {
    network.on(CLIENT, "ask", move |recorder| {
        let socket = client_socket(Tcp, timeout)?;
        recorder.connect(CLIENT, &socket, ASKED)?;
        Ok(received(&recorder.receive(CLIENT, &socket, 512)))
    })
}

/// Asks from a connected socket, then from an unconnected one: what the first receives, and where the reply to the
/// second comes from.
fn ask_datagrams(network: &Network, timeout: Duration) -> Result<(String, String), Obstacle> {
    network.on(CLIENT, "ask over UDP", move |recorder| {
        let connected = client_socket(Udp, timeout)?;
        connected.connect(&ASKED.into())?;
        let send = || connected.send(&[]);
        recorder.call(CLIENT, "send(0), connected", send, |sent| octets(*sent))?;
        let take = || recv(&connected, 512);
        let reply = recorder.call(CLIENT, "recv(512), connected", take, octet_count);
        let unconnected = client_socket(Udp, timeout)?;
        ask_unconnected(recorder, &unconnected, ASKED)?;
        Ok((received(&reply), source_of_reply(recorder, &unconnected)))
    })
}
