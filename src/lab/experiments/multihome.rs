//! A host with two addresses, asked at the second one.

mod netns;

use crate::duration::Unit;
use crate::lab::lesson::{tcp, udp};
use crate::lab::loopback::{
    CLIENT, PATIENCE, REPLY_OCTETS, SERVER, SILENCE, answer, ask_from, bind, ctime_reply, failed,
    is_local, local_address, octets, open, outcome, received, require_loopback, start_service,
    within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Lab, Lesson, Must, Next, Obstacle, Prediction, Procedure, Run, Setting, Theory,
    draws_nothing,
};
use crate::sys;
use crate::transport::Transport;
use socket2::Socket;
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Of a service whose reply may be in any syntax.
const A_REPLY: &str = "a reply";

pub(super) static LAB: Lab = Lab {
    name: "multihome",
    question: "Who answers, if a host has several addresses?",
    theory: &[
        Theory {
            says: "a connection is two addresses and two ports, so every segment of it leaves from the address \
                   that was asked",
            source: "RFC 9293, section 3.3.1",
        },
        Theory {
            says: "a host with several addresses should answer a datagram from the address that it was sent to",
            source: "RFC 1122, section 4.1.3.5",
        },
        Theory {
            says: "to do that, a server bound to the wildcard must ask for the destination of each datagram, or \
                   bind one socket for each address",
            source: "Stevens, UNP, volume 1, sections 8.8, 22.2 and 22.6",
        },
        Theory {
            says: "IP_PKTINFO tells the destination with the datagram, and sets the source of an answer",
            source: "Linux, ip(7)",
        },
        Theory {
            says: "a connected UDP socket gets only what its peer sent",
            source: "Stevens, UNP, volume 1, section 8.11",
        },
    ],
    lessons: &[
        Lesson {
            says: "A connection has fixed addresses: over TCP the reply came from the address that was asked.",
            rests_on: &[tcp(HEARS, Must::Be("26 octets"))],
        },
        Lesson {
            says: "For a UDP server on the wildcard, recvfrom and sendto are not enough: they lose the address \
                   that was asked, the reply leaves from another one, and a connected client never receives \
                   it.",
            rests_on: &[udp(HEARS, Must::Be("EAGAIN")), udp(FROM, Must::BeAsPredicted)],
        },
        Lesson {
            says: "A UDP server that reads the destination of each question (IP_PKTINFO) answers from there.",
            rests_on: &[udp(OURS, Must::Be(A_REPLY)), udp(OURS_FROM, Must::BeAsPredicted)],
        },
    ],
    elsewhere: "On loopback the lab needs a second address there: Linux has all of 127.0.0.0/8, other systems have \
                127.0.0.1 only. Where IP_PKTINFO is missing, IP_RECVDSTADDR or a socket for each address does the \
                same.",
    next: &[
        Next {
            command: "daytime lab run multihome --explain",
            watch: "Find the call in which the careless server loses the address that was \
                    asked.",
        },
        Next {
            command: "daytime lab run multihome --engine netns",
            watch: "The server's host has two addresses of its own, and the packets are drawn. Whose \
                    address does the careless reply have, and what does the client's host send \
                    back?",
        },
    ],
    time_unit: Unit::Milliseconds,
    programs: &[],
    procedures: &[
        Procedure {
            engine: Engine::Loopback,
            draws: draws_nothing,
            knobs: &[],
            method,
            predict,
            run,
        },
        netns::PROCEDURE,
    ],
};

/// The address that the careless server is asked at, and the one of its client.
const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ASKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

const LOCAL: &str = "careless: socket is at";
const HEARS: &str = "careless: client gets";
const FROM: &str = "careless: reply is from";
const OURS: &str = "daytime serve: answers";
const OURS_FROM: &str = "daytime serve: sent from";

fn method(_: &Setting) -> String {
    format!(
        "A server is bound to the wildcard 0.0.0.0, on a port that the kernel chooses, and asked at {ASKED}. The \
         first server knows only recvfrom and sendto. The second one is the service of this program. The client is \
         at {ASKER}. Over UDP it asks both from a connected socket, which waits {} ms for the careless one, and from an unconnected one, which receives \
         from any address.",
        SILENCE.as_millis()
    )
}

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let (ours, ours_from) = if sys::TELLS_DESTINATIONS {
        (A_REPLY, ASKED.to_string())
    } else {
        ("EAGAIN", "EAGAIN".to_owned()) // it cannot see that the question came over loopback
    };
    vec![
        Prediction::is(tcp, LOCAL, ASKED.to_string()),
        Prediction::is(tcp, HEARS, octets(REPLY_OCTETS)),
        Prediction::is(tcp, OURS, A_REPLY),
        Prediction::is(udp, HEARS, "EAGAIN"),
        Prediction::is(udp, FROM, Ipv4Addr::LOCALHOST.to_string()),
        Prediction::is(udp, OURS, ours),
        Prediction::is(udp, OURS_FROM, ours_from),
    ]
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    for address in [ASKED, ASKER] {
        present_at(address)?;
    }
    let mut run = Run::default();
    for transport in Transport::BOTH {
        careless(transport, &mut run)?;
        ours(transport, &mut run)?;
    }
    Ok(run)
}

fn present_at(address: Ipv4Addr) -> Result<(), Obstacle> {
    if is_local(address.into()) {
        return Ok(());
    }
    let how = format!(
        "`ip address add {address}/8 dev lo` adds it on Linux, `ifconfig lo0 alias {address}` on BSD"
    );
    Err(Obstacle::Missing(format!("{address} is no address of this host; {how}")))
}

fn careless(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let server = open(transport).map_err(failed("open a socket"))?;
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    bind(&recorder, transport, &server, anywhere).map_err(failed("bind to the wildcard"))?;
    let (at, line) = (SocketAddr::from((ASKED, local_address(&server)?.port())), ctime_reply()?);
    let connected = ask(&recorder, transport, at)?;
    let stream = answer(&recorder, SERVER, transport, &server, &line);
    let patience = match stream.map_err(failed("answer"))? {
        Some(stream) => {
            run.saw(transport, LOCAL, local_address(&stream)?.ip().to_string());
            PATIENCE
        }
        None => SILENCE,
    };
    run.saw(transport, HEARS, received(&recorder.receive_within(CLIENT, &connected, patience)));
    if transport == Transport::Udp {
        let unconnected = socket(&recorder, transport).map_err(failed("open a socket"))?;
        ask_unconnected(&recorder, &unconnected, at).map_err(failed("send a datagram"))?;
        answer(&recorder, SERVER, transport, &server, &line).map_err(failed("answer"))?;
        run.saw(transport, FROM, source_of_reply(&recorder, &unconnected));
    }
    run.show(transport, "a careless server", recorder.trace());
    Ok(())
}

/// Its calls are its own, so the trace has the client's only.
fn ours(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let service = start_service(transport, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let at = SocketAddr::from((ASKED, service.address.port()));
    let connected = ask(&recorder, transport, at)?;
    let comes = transport == Transport::Tcp || sys::TELLS_DESTINATIONS;
    let patience = if comes { PATIENCE } else { SILENCE };
    let heard = recorder.receive_within(CLIENT, &connected, patience);
    let is_line = heard.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
    run.saw(transport, OURS, if is_line { A_REPLY.into() } else { received(&heard) });
    if transport == Transport::Udp {
        let unconnected = socket(&recorder, transport).map_err(failed("open a socket"))?;
        ask_unconnected(&recorder, &unconnected, at).map_err(failed("send a datagram"))?;
        run.saw(transport, OURS_FROM, source_of_reply(&recorder, &unconnected));
    }
    run.show(transport, "daytime serve", recorder.trace());
    Ok(())
}

fn socket(recorder: &Recorder, transport: Transport) -> io::Result<Socket> {
    let socket = open(transport)?;
    let bind = || socket.bind(&SocketAddr::from((ASKER, 0)).into());
    recorder.call(CLIENT, &format!("bind({ASKER})"), bind, |()| "bound".into())?;
    Ok(socket)
}

/// Asks from a connected socket.
fn ask(recorder: &Recorder, transport: Transport, at: SocketAddr) -> Result<Socket, Obstacle> {
    let socket = socket(recorder, transport).map_err(failed("open a socket"))?;
    ask_from(recorder, CLIENT, transport, &socket, at).map_err(failed("ask"))?;
    Ok(socket)
}

/// Asks from a socket that receives from any address.
fn ask_unconnected(recorder: &Recorder, socket: &Socket, at: SocketAddr) -> io::Result<usize> {
    let send = || socket.send_to(&[], &at.into());
    recorder.call(CLIENT, &format!("sendto({})", at.ip()), send, |sent| octets(*sent))
}

/// The address from which the answer came, or why there is none.
fn source_of_reply(recorder: &Recorder, client: &Socket) -> String {
    let take = || {
        let mut room = [MaybeUninit::uninit(); 1024];
        let (_, peer) = within_timeout(client, || client.recv_from(&mut room))?;
        peer.as_socket().map(|peer| peer.ip()).ok_or_else(|| io::ErrorKind::Other.into())
    };
    let heard = recorder.call(CLIENT, "recvfrom(1024)", take, |peer| format!("from {peer}"));
    outcome(&heard, IpAddr::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn a_careless_server_answers_from_another_address_and_ours_from_the_one_asked() {
        match present_at(ASKED) {
            Ok(()) => {
                let run = check::all_is_as_predicted(&LAB, Knobs::default());
                assert!(check::is_shown(&run, "connect(127.0.0.2)"), "{:?}", run.parts);
            }
            Err(missing) => eprintln!("skipped: {missing}"),
        }
    }
}
