//! Lab `multihome`: the server's host has two addresses, and is asked at the second one.

use super::super::super::experiments::multihome::{FROM, HEARS, LOCAL, OURS, OURS_FROM};
use super::super::super::link::{CLIENT, SERVER};
use super::super::super::loopback::{LINE, PATIENCE, in_time, line};
use super::super::super::{Obstacle, Prediction, Procedure, Run, Setting};
use super::super::network::{Network, address};
use super::super::recorder::Recorder;
use super::super::{ADDRESSES, SECOND, failed};
use super::{QUIET, conditions, delay, octets, patience, procedure, told};
use crate::duration::short;
use crate::reply::Reply;
use crate::trace::Trace;
use crate::transport::Transport::{Tcp, Udp};
use crate::transport::{PORT, Transport};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

/// Where the client asks.
const ASKED: SocketAddrV4 = SocketAddrV4::new(SECOND, PORT);

pub(in crate::lab) const PROCEDURE: Procedure = procedure(method, predict, run);

fn method(setting: &Setting) -> String {
    let [client, first] = ADDRESSES;
    format!(
        "The server's host has two addresses, {first} and {SECOND}; the client at {client}, {} away, asks the second \
         one. The first server is bound to the wildcard and knows only recvfrom and sendto; the second one is the \
         service of this program, bound to the wildcard as well. Over UDP both are asked from a connected socket, \
         which waits {}, and from an unconnected one, which receives from any address.",
        delay(setting),
        short(patience(setting))
    )
}

fn predict(_: &Setting) -> Vec<Prediction> {
    let [_, first] = ADDRESSES;
    vec![
        Prediction::is(Tcp, LOCAL, SECOND.to_string()),
        Prediction::is(Tcp, HEARS, octets(&LINE)),
        Prediction::is(Tcp, OURS, A_REPLY),
        Prediction::is(Udp, HEARS, "EAGAIN"),
        Prediction::is(Udp, FROM, first.to_string()),
        Prediction::is(Udp, OURS, A_REPLY),
        Prediction::is(Udp, OURS_FROM, SECOND.to_string()),
    ]
}

const A_REPLY: &str = "a reply";

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
    network.add_address(SECOND)?;
    Ok(network)
}

/// With both addresses of the server's host.
fn trace(network: &Network) -> Trace {
    let mut trace = network.trace();
    trace.hosts[SERVER.0].addresses.push(SECOND.into());
    trace
}

const WILDCARD: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT);
const CARELESS: &str = "a careless server";

fn careless_stream(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let (network, limit, line) = (network(setting)?, PATIENCE + patience(setting), line()?);
    let listener = network.on(SERVER, "listen", |recorder| {
        recorder.call(
            SERVER,
            "bind(0.0.0.0), listen",
            || TcpListener::bind(WILDCARD),
            |_| "listening".into(),
        )
    })?;
    let serving = network.meanwhile(SERVER, "serve", move |recorder| {
        let accepted =
            recorder.call(SERVER, "accept()", || listener.accept(), |_| "a client".into());
        let (mut stream, _) = accepted?;
        recorder.call(SERVER, "send(26)", || stream.write(line.octets()), octets)?;
        stream.local_addr()
    })?;
    let heard = network.on(CLIENT, "ask", move |recorder| {
        let stream = ask_stream(recorder, limit)?;
        let read = || in_time(&stream, || (&stream).read(&mut [0; 512]));
        Ok(told(&recorder.call(CLIENT, "recv(512)", read, octets), octets))
    })?;
    let local = serving.wait(limit).map_err(failed("serve"))?;
    run.saw(Tcp, LOCAL, local.ip().to_string());
    run.saw(Tcp, HEARS, heard);
    network.recorder.settle(QUIET + network.round_trip())?;
    run.show(Tcp, CARELESS, trace(&network));
    Ok(())
}

fn careless_datagrams(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let (network, limit, line) = (network(setting)?, patience(setting), line()?);
    let socket = network.on(SERVER, "bind", |recorder| {
        let bind = || UdpSocket::bind(WILDCARD);
        let socket = recorder.call(SERVER, "bind(0.0.0.0)", bind, |_| "bound".into())?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(socket)
    })?;
    let serving = network.meanwhile(SERVER, "serve", move |recorder| {
        for _ in 0..2 {
            answer(recorder, &socket, &line)?;
        }
        Ok(())
    })?;
    let (heard, from) = ask_datagrams(&network, limit)?;
    serving.wait(PATIENCE + limit).map_err(failed("serve"))?;
    run.saw(Udp, HEARS, heard);
    run.saw(Udp, FROM, from);
    network.recorder.settle(QUIET + network.round_trip())?;
    run.show(Udp, CARELESS, trace(&network));
    Ok(())
}

/// Answers one datagram without a thought of where it was sent to.
fn answer(recorder: &Recorder, socket: &UdpSocket, line: &Reply) -> io::Result<()> {
    let take = || in_time(socket, || socket.recv_from(&mut [0; 512]));
    let from = |(_, peer): &(usize, SocketAddr)| format!("from {}", peer.ip());
    let (_, peer) = recorder.call(SERVER, "recvfrom()", take, from)?;
    recorder.call(SERVER, "sendto(26)", || socket.send_to(line.octets(), peer), octets)?;
    Ok(())
}

/// The service of this program, which writes down no calls.
fn ours(setting: &Setting, transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let (network, limit) = (network(setting)?, patience(setting));
    let _serving = network.serve_at(SERVER, WILDCARD)?;
    let came = |heard: String| if heard.ends_with("octets") { A_REPLY.into() } else { heard };
    match transport {
        Tcp => {
            let heard = network.on(CLIENT, "ask", move |recorder| {
                let stream = ask_stream(recorder, PATIENCE + limit)?;
                let read = || in_time(&stream, || (&stream).read(&mut [0; 512]));
                Ok(told(&recorder.call(CLIENT, "recv(512)", read, octets), octets))
            })?;
            run.saw(Tcp, OURS, came(heard));
        }
        Udp => {
            let (heard, from) = ask_datagrams(&network, limit)?;
            run.saw(Udp, OURS, came(heard));
            run.saw(Udp, OURS_FROM, from);
        }
    }
    network.recorder.settle(QUIET + network.round_trip())?;
    run.show(transport, "daytime serve", trace(&network));
    Ok(())
}

fn ask_stream(recorder: &Recorder, limit: Duration) -> io::Result<TcpStream> {
    let connect = || TcpStream::connect_timeout(&ASKED.into(), limit);
    let call = format!("connect({SECOND})");
    let stream = recorder.call(CLIENT, &call, connect, |_| "connected".into())?;
    stream.set_read_timeout(Some(limit))?;
    Ok(stream)
}

/// Asks from a connected socket, then from an unconnected one: what the first receives, and where the reply to the
/// second comes from.
fn ask_datagrams(network: &Network, limit: Duration) -> Result<(String, String), Obstacle> {
    network.on(CLIENT, "ask over UDP", move |recorder| {
        let open = || {
            let socket = UdpSocket::bind((*address(CLIENT).ip(), 0))?;
            socket.set_read_timeout(Some(limit))?;
            io::Result::Ok(socket)
        };
        let connected = open()?;
        connected.connect(ASKED)?;
        recorder.call(CLIENT, "send(0), connected", || connected.send(&[]), octets)?;
        let take = || in_time(&connected, || connected.recv(&mut [0; 512]));
        let heard = told(&recorder.call(CLIENT, "recv(512), connected", take, octets), octets);
        let socket = open()?;
        let send = || socket.send_to(&[], ASKED);
        recorder.call(CLIENT, &format!("sendto({SECOND})"), send, octets)?;
        let take = || Ok(in_time(&socket, || socket.recv_from(&mut [0; 512]))?.1.ip());
        let from = recorder.call(CLIENT, "recvfrom(512)", take, |peer| format!("from {peer}"));
        Ok((heard, told(&from, ToString::to_string)))
    })
}
