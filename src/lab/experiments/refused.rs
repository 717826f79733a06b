//! A question to a port on which nobody listens.

use crate::compare::closed_port;
use crate::duration::Unit;
use crate::lab::loopback::{
    CLIENT, Notebook, PATIENCE, SILENCE, anywhere, failed, name, octets, open, present, recv, taken,
};
use crate::lab::netns::runs::refused as netns;
use crate::lab::{
    Engine, Expected, Lab, Obstacle, Prediction, Procedure, Run, Setting, draws_nothing, no_values,
};
use crate::sys;
use crate::transport::Transport;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = Lab {
    name: "refused",
    text: page!("refused"),
    time_unit: Unit::Milliseconds,
    procedures: &[
        Procedure {
            engine: Engine::Loopback,
            draws: draws_nothing,
            knobs: &[],
            values: no_values,
            predict,
            run,
        },
        netns::PROCEDURE,
    ],
};

pub(in crate::lab) const CONNECT: &str = "connect()";
pub(in crate::lab) const UNCONNECTED: &str = "recv(), not connected";
pub(in crate::lab) const ASKED_FOR: &str = "recv(), with IP_RECVERR";
const WAITED: &str = "silence, not connected";
pub(in crate::lab) const CONNECTED: &str = "recv(), connected";
const SENDS: &str = "three sends, connected";

/// Where its prediction has its place: after those of the socket without the option.
const WITH_ERRORS: usize = 3;

const REFUSED: &str = "ECONNREFUSED";

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let mut predictions = vec![
        Prediction::is(tcp, CONNECT, REFUSED),
        Prediction::is(udp, UNCONNECTED, "EAGAIN"),
        Prediction::new(udp, WAITED, Expected::AtLeast(SILENCE.into()))
            .varies("some systems end a wait a tick early"),
        Prediction::is(udp, CONNECTED, REFUSED).varies("a host need not send the ICMP message"),
        Prediction::is(udp, SENDS, format!("sent, {REFUSED}, sent"))
            .varies("a host need not send the ICMP message"),
    ];
    if sys::QUEUES_ARE_TOLD {
        predictions.insert(WITH_ERRORS, Prediction::is(udp, ASKED_FOR, REFUSED));
    }
    predictions
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    present()?;
    let (closed, _reserved) =
        closed_port(Ipv4Addr::LOCALHOST.into()).map_err(failed("find a closed port"))?;
    let mut run = Run::default();
    stream(closed, &mut run)?;
    unconnected(closed, &mut run)?;
    if sys::QUEUES_ARE_TOLD {
        with_errors(closed, &mut run)?;
    }
    connected(closed, &mut run)?;
    sends(closed, &mut run)?;
    Ok(run)
}

fn stream(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let client = open(Type::STREAM).map_err(failed("open a socket"))?;
    let connect = || client.connect(&closed.into());
    let connected = notebook.call(CLIENT, "connect()", connect, |()| "connected".into());
    run.saw(Transport::Tcp, CONNECT, outcome(connected.as_ref(), "connected"));
    run.show(Transport::Tcp, "", notebook.finish());
    Ok(())
}

fn unconnected(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let client = datagrams()?;
    let (came, waited) = ask(&client, closed, &mut notebook)?;
    run.saw(Transport::Udp, WAITED, waited);
    run.saw(Transport::Udp, UNCONNECTED, came);
    run.show(Transport::Udp, "not connected", notebook.finish());
    Ok(())
}

/// The same with a socket that asks for errors.
fn with_errors(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let client = datagrams()?;
    let set = || sys::report_errors(&client);
    notebook
        .call(CLIENT, "setsockopt(IP_RECVERR)", set, |()| "set".into())
        .map_err(failed("set IP_RECVERR"))?;
    run.saw(Transport::Udp, ASKED_FOR, ask(&client, closed, &mut notebook)?.0);
    run.show(Transport::Udp, "not connected, IP_RECVERR", notebook.finish());
    Ok(())
}

/// Sends a question from a socket that is not connected: what the next receive returns, and after which time.
fn ask(
    client: &Socket,
    closed: SocketAddr,
    notebook: &mut Notebook,
) -> Result<(String, Duration), Obstacle> {
    let question = || client.send_to(&[], &closed.into());
    notebook
        .call(CLIENT, "sendto(0)", question, |sent| octets(*sent))
        .map_err(failed("send a datagram"))?;
    let waiting = Instant::now();
    let answer = notebook.call(CLIENT, "recvfrom(1024)", || recv(client, 1024), taken);
    Ok((outcome(answer.as_ref(), "an answer"), waiting.elapsed()))
}

fn connected(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let client = connect(closed, &mut notebook)?;
    send(&client, &mut notebook).map_err(failed("send a datagram"))?;
    let answer = notebook.call(CLIENT, "recv(1024)", || recv(&client, 1024), taken);
    run.saw(Transport::Udp, CONNECTED, outcome(answer.as_ref(), "an answer"));
    run.show(Transport::Udp, "connected", notebook.finish());
    Ok(())
}

/// The second one has to tell of the first one's end, and sends nothing.
fn sends(closed: SocketAddr, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let client = connect(closed, &mut notebook)?;
    let mut outcomes = vec![outcome(send(&client, &mut notebook).as_ref(), "sent")];
    wait_for_error(&client).map_err(failed("wait for the ICMP message"))?;
    for _ in 0..2 {
        outcomes.push(outcome(send(&client, &mut notebook).as_ref(), "sent"));
    }
    run.saw(Transport::Udp, SENDS, outcomes.join(", "));
    run.show(Transport::Udp, "connected, three sends", notebook.finish());
    Ok(())
}

/// A socket whose receives give up soon.
fn datagrams() -> Result<Socket, Obstacle> {
    let ready = || {
        let socket = open(Type::DGRAM)?;
        socket.set_read_timeout(Some(SILENCE))?;
        socket.bind(&anywhere())?;
        Ok(socket)
    };
    ready().map_err(failed("open a datagram socket"))
}

fn connect(closed: SocketAddr, notebook: &mut Notebook) -> Result<Socket, Obstacle> {
    let (socket, peer) = (datagrams()?, SockAddr::from(closed));
    let done = |(): &()| "done, no packet".into();
    notebook
        .call(CLIENT, "connect()", || socket.connect(&peer), done)
        .map_err(failed("connect a datagram socket"))?;
    Ok(socket)
}

fn send(client: &Socket, notebook: &mut Notebook) -> io::Result<usize> {
    notebook.call(CLIENT, "send(0)", || client.send(&[]), |sent| octets(*sent))
}

/// Returns at the latest when patience is over: where no message comes, the next sends show it.
fn wait_for_error(socket: &Socket) -> io::Result<()> {
    let mut sockets = [PollFd::new(socket.as_fd(), PollFlags::POLLERR)];
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::ZERO);
    poll(&mut sockets, patience)?;
    Ok(())
}

fn outcome<T>(made: Result<&T, &io::Error>, good: &str) -> String {
    made.map_or_else(name, |_| good.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn a_stream_is_refused_and_a_datagram_only_where_the_socket_is_connected() {
        check::all_is_as_predicted(&LAB, Knobs::default());
    }

    #[test]
    fn where_somebody_listens_it_is_not_as_predicted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let mut run = Run::default();
        stream(listener.local_addr().expect("bound"), &mut run).expect("tried");
        assert_eq!(run.observed[0].value, "connected".into());
    }
}
