//! A question to a port on which nobody listens.

mod netns;

use crate::compare::closed_port;
use crate::duration::Unit;
use crate::lab::loopback::{
    ANY_PORT, CLIENT, PATIENCE, SILENCE_TIME, failed, octet_count, octets, open, outcome, recv,
    require_loopback, wait_until_ready,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, Obstacle, Prediction, Procedure, Run, Setting, never, no_values,
};
use crate::sys;
use crate::transport::Transport;
use nix::poll::PollFlags;
use socket2::{SockAddr, Socket};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = Lab {
    name: "refused",
    text: page!("refused"),
    time_unit: Unit::Milliseconds,
    procedures: &[
        Procedure {
            engine: Engine::Loopback,
            uses_seed: never,
            options: &[],
            values: no_values,
            predict,
            run,
        },
        netns::PROCEDURE,
    ],
};

const CONNECT: &str = "connect()";
const UNCONNECTED: &str = "recv(), not connected";
const ASKED_FOR: &str = "recv(), with IP_RECVERR";
const WAITED: &str = "silence, not connected";
const CONNECTED: &str = "recv(), connected";
const SENDS: &str = "three sends, connected";

/// Where its prediction has its place: after those of the socket without the option.
const ERRORS_POSITION: usize = 3;

const REFUSED: &str = "ECONNREFUSED";

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let mut predictions = vec![
        Prediction::is(tcp, CONNECT, REFUSED),
        Prediction::is(udp, UNCONNECTED, "EAGAIN"),
        Prediction::new(udp, WAITED, Expected::at_least(SILENCE_TIME))
            .varies("some systems end a wait a tick early"),
        Prediction::is(udp, CONNECTED, REFUSED).varies("a host need not send the ICMP message"),
        Prediction::is(udp, SENDS, format!("sent, {REFUSED}, sent"))
            .varies("a host need not send the ICMP message"),
    ];
    if sys::REPORTS_QUEUES {
        predictions.insert(ERRORS_POSITION, Prediction::is(udp, ASKED_FOR, REFUSED));
    }
    predictions
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let (closed, _reserved) =
        closed_port(Ipv4Addr::LOCALHOST.into()).map_err(failed("find a closed port"))?;
    let mut run = Run::default();
    stream(closed, &mut run)?;
    unconnected(closed, &mut run)?;
    if sys::REPORTS_QUEUES {
        with_errors(closed, &mut run)?;
    }
    connected(closed, &mut run)?;
    sends(closed, &mut run)?;
    Ok(run)
}

fn stream(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = open(Transport::Tcp).map_err(failed("open a socket"))?;
    let connect = || client.connect(&closed.into());
    let connected = recorder.call(CLIENT, "connect()", connect, |()| "connected".into());
    run.observe(Transport::Tcp, CONNECT, outcome(&connected, |()| "connected".into()));
    run.show(Transport::Tcp, "", recorder.trace());
    Ok(())
}

fn unconnected(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = datagrams()?;
    let (came, waited) = ask(&client, closed, &recorder)?;
    run.observe(Transport::Udp, WAITED, waited);
    run.observe(Transport::Udp, UNCONNECTED, came);
    run.show(Transport::Udp, "not connected", recorder.trace());
    Ok(())
}

/// The same with a socket that asks for errors.
fn with_errors(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = datagrams()?;
    let set = || sys::report_errors(&client);
    recorder
        .call(CLIENT, "setsockopt(IP_RECVERR)", set, |()| "set".into())
        .map_err(failed("set IP_RECVERR"))?;
    run.observe(Transport::Udp, ASKED_FOR, ask(&client, closed, &recorder)?.0);
    run.show(Transport::Udp, "not connected, IP_RECVERR", recorder.trace());
    Ok(())
}

/// Sends a question from a socket that is not connected: what the next receive returns, and after which time.
fn ask(
    client: &Socket,
    closed: SocketAddr,
    recorder: &Recorder,
) -> Result<(String, Duration), Obstacle> {
    let question = || client.send_to(&[], &closed.into());
    recorder
        .call(CLIENT, "sendto(0)", question, |sent| octets(*sent))
        .map_err(failed("send a datagram"))?;
    let waiting = Instant::now();
    let answer = recorder.call(CLIENT, "recvfrom(1024)", || recv(client, 1024), octet_count);
    Ok((outcome(&answer, |_| "an answer".into()), waiting.elapsed()))
}

fn connected(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = connect(closed, &recorder)?;
    recorder.send(CLIENT, &client, &[]).map_err(failed("send a datagram"))?;
    let answer = recorder.receive(CLIENT, &client, 1024);
    run.observe(Transport::Udp, CONNECTED, outcome(&answer, |_| "an answer".into()));
    run.show(Transport::Udp, "connected", recorder.trace());
    Ok(())
}

/// The second one has to tell of the first one's end, and sends nothing.
fn sends(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = connect(closed, &recorder)?;
    let send = || outcome(&recorder.send(CLIENT, &client, &[]), |_| "sent".into());
    let first = send();
    // Where no message comes, the next sends show it.
    wait_until_ready(&client, PollFlags::POLLERR, PATIENCE)
        .map_err(failed("wait for the ICMP message"))?;
    run.observe(Transport::Udp, SENDS, [first, send(), send()].join(", "));
    run.show(Transport::Udp, "connected, three sends", recorder.trace());
    Ok(())
}

/// A socket whose receives give up soon.
fn datagrams() -> Result<Socket, Obstacle> {
    let ready = || {
        let socket = open(Transport::Udp)?;
        socket.set_read_timeout(Some(SILENCE_TIME))?;
        socket.bind(&ANY_PORT.into())?;
        Ok(socket)
    };
    ready().map_err(failed("open a datagram socket"))
}

fn connect(closed: SocketAddr, recorder: &Recorder) -> Result<Socket, Obstacle> {
    let (socket, peer) = (datagrams()?, SockAddr::from(closed));
    let done = |(): &()| "done, no packet".into();
    recorder
        .call(CLIENT, "connect()", || socket.connect(&peer), done)
        .map_err(failed("connect a datagram socket"))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_stream_is_refused_and_a_datagram_only_where_the_socket_is_connected() {
        check::all_is_as_predicted(&LAB, LabOptions::default());
    }

    #[test]
    fn where_somebody_listens_it_is_not_as_predicted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut run = Run::default();
        stream(listener.local_addr().expect("bound"), &mut run).expect("tried");
        assert_eq!(run.observed[0].value, "connected".into());
    }
}
