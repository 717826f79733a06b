//! A question to a port on which nobody listens.

use crate::compare::closed_port;
use crate::lab::loopback::{
    CLIENT, Notebook, PATIENCE, SILENCE, anywhere, failed, name, octets, open, present, recv, taken,
};
use crate::lab::netns::runs::refused as netns;
use crate::lab::{
    Engine, Expected, Lab, Next, Obstacle, Prediction, Procedure, Run, Setting, Theory,
};
use crate::transport::Transport;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::{SockAddr, Socket, Type};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsFd;
use std::time::Instant;

pub(super) static LAB: Lab = Lab {
    name: "refused",
    question: "What does a client hear when nobody is there?",
    theory: &[
        Theory {
            says: "a SYN to a port without a listener is answered by a reset, and the open fails at once: \
                   connection refused",
            source: "RFC 9293, section 3.10.7.1",
        },
        Theory {
            says: "a host should answer a datagram to such a port by ICMP \"port unreachable\"",
            source: "RFC 1122, section 3.2.2.1",
        },
        Theory {
            says: "UDP must pass that message on to the application",
            source: "RFC 1122, section 4.1.3.3",
        },
        Theory {
            says: "the error is asynchronous: it comes after the send has succeeded, and a socket hears of it \
                   only if it is connected",
            source: "Stevens, UNP, volume 1, sections 8.9 and 8.11",
        },
        Theory {
            says: "\"all fatal errors will be passed to the user as an error return even when the socket is \
                   not connected\": what was measured here is otherwise",
            source: "Linux, udp(7)",
        },
    ],
    lesson: "A stream says that nobody is there. A datagram socket says it only when it is connected, and one \
             call too late; otherwise all a client can do is to stop waiting.",
    elsewhere: "BSD does the same for connected sockets. Firewalls often drop the SYN or the ICMP message, and \
                hosts limit how many of them they send: then both transports are silent.",
    next: &[
        Next {
            command: "daytime query 127.0.0.1 --port 9 --proto both",
            watch: "The client of this suite connects its datagram socket, so it is refused \
                    over both transports, without a wait.",
        },
        Next {
            command: "daytime compare",
            watch: "Its last part tries the same on a port of this host, with that client.",
        },
        Next {
            command: "strace -e trace=network daytime lab run refused",
            watch: "The calls as the kernel has them: compare the errors with the trace.",
        },
    ],
    procedures: &[
        Procedure { engine: Engine::Loopback, knobs: &[], method, predict, run },
        netns::PROCEDURE,
    ],
};

const CONNECT: &str = "connect()";
const UNCONNECTED: &str = "recv(), not connected";
const WAITED: &str = "silence, not connected";
const CONNECTED: &str = "recv(), connected";
const SENDS: &str = "three sends, connected";

const REFUSED: &str = "ECONNREFUSED";

fn method(_: &Setting) -> String {
    format!(
        "A free port of 127.0.0.1 is taken and kept from others, but nobody listens on it. Over TCP the client \
         connects. Over UDP it sends an empty datagram and waits {} ms for the answer, first from a socket that \
         is not connected, then from one that is; and from another connected one it sends three times.",
        SILENCE.as_millis()
    )
}

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    vec![
        Prediction::is(tcp, CONNECT, REFUSED),
        Prediction::is(udp, UNCONNECTED, "EAGAIN"),
        Prediction::new(udp, WAITED, Expected::AtLeast(SILENCE.into()))
            .varies("some systems end a wait a tick early"),
        Prediction::is(udp, CONNECTED, REFUSED).varies("a host need not send the ICMP message"),
        Prediction::is(udp, SENDS, format!("sent, {REFUSED}, sent"))
            .varies("a host need not send the ICMP message"),
    ]
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    present()?;
    let (closed, _reserved) =
        closed_port(Ipv4Addr::LOCALHOST.into()).map_err(failed("find a closed port"))?;
    let mut run = Run::default();
    stream(closed, &mut run)?;
    unconnected(closed, &mut run)?;
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
    let question = || client.send_to(&[], &closed.into());
    notebook
        .call(CLIENT, "sendto(0)", question, |sent| octets(*sent))
        .map_err(failed("send a datagram"))?;
    let waiting = Instant::now();
    let answer = notebook.call(CLIENT, "recvfrom(1024)", || recv(&client, 1024), taken);
    run.saw(Transport::Udp, WAITED, waiting.elapsed());
    run.saw(Transport::Udp, UNCONNECTED, outcome(answer.as_ref(), "an answer"));
    run.show(Transport::Udp, "not connected", notebook.finish());
    Ok(())
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
