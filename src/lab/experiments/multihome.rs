//! A host with two addresses, asked at the second one.

use crate::lab::loopback::{
    CLIENT, LINE, Notebook, PATIENCE, SERVER, SILENCE, answer, ask, bind, bound, failed, hear,
    kind, line, octets, open, service, told,
};
use crate::lab::{Engine, Lab, Obstacle, Prediction, Procedure, Run, Setting, Theory};
use crate::listen::Listen;
use crate::reply::Reply;
use crate::sys::{self, Batch, Received};
use crate::transport::Transport;
use socket2::{Socket, Type};
use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;

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
            source: "Stevens, UNP, volume 1, sections 8.8 and 22.2",
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
    lesson: "recvfrom and sendto are not enough for a server at the wildcard: they lose the address that was \
             asked, and a careful client drops the answer.",
    elsewhere: "It needs a second address on loopback: Linux has all of 127.0.0.0/8, other systems 127.0.0.1 only. \
                Where IP_PKTINFO is missing, IP_RECVDSTADDR or a socket for each address does the same.",
    procedures: &[Procedure { engine: Engine::Loopback, knobs: &[], method, predict, run }],
};

/// The client's, and what a route on loopback has as source unless told otherwise.
const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// The address that is asked.
const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

const LOCAL: &str = "the accepted socket is at";
const HEARS: &str = "the connected client hears";
const FROM: &str = "a client that is not connected hears from";
const OURS: &str = "from daytime serve the connected one hears";
const OURS_FROM: &str = "and the one that is not connected hears from";

fn method(_: &Setting) -> String {
    format!(
        "A server is bound to the wildcard 0.0.0.0, on a port that the kernel chooses, and asked at {ASKED} from \
         {HERE}. The first one knows only recvfrom and sendto; the second one is the service of this program, over \
         UDP without its guard, which drops what comes from loopback to the wildcard. Over UDP both are asked \
         from a connected socket, which waits {} ms for the first one, and from one that takes what anybody \
         sends.",
        SILENCE.as_millis()
    )
}

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let known = sys::TELLS_DESTINATIONS;
    let ours = if known { octets(LINE) } else { "EAGAIN".into() };
    let ours_from = if known { ASKED } else { HERE };
    vec![
        Prediction::is(tcp, LOCAL, ASKED.to_string()),
        Prediction::is(tcp, HEARS, octets(LINE)),
        Prediction::is(tcp, OURS, "a line"),
        Prediction::is(udp, HEARS, "EAGAIN"),
        Prediction::is(udp, FROM, HERE.to_string()),
        Prediction::is(udp, OURS, ours),
        Prediction::is(udp, OURS_FROM, ours_from.to_string()),
    ]
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    second_address()?;
    let mut run = Run::default();
    for transport in Transport::BOTH {
        careless(transport, &mut run)?;
        ours(transport, &mut run)?;
    }
    Ok(run)
}

fn second_address() -> Result<(), Obstacle> {
    let probe = open(Type::DGRAM).map_err(failed("open a socket"))?;
    probe.bind(&SocketAddr::from((ASKED, 0)).into()).map_err(|error| {
        let how = "it needs a second address on loopback; `ifconfig lo0 alias 127.0.0.2` adds it";
        Obstacle::Missing(format!("{ASKED} cannot be bound here ({error}): {how}"))
    })
}

fn careless(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let server = open(kind(transport)).map_err(failed("open a socket"))?;
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    bind(&mut notebook, transport, &server, anywhere).map_err(failed("bind to the wildcard"))?;
    let (at, line) = (SocketAddr::from((ASKED, bound(&server)?.port())), line()?);
    let client = ask(&mut notebook, CLIENT, transport, at).map_err(failed("ask"))?;
    let stream = answer(&mut notebook, SERVER, transport, &server, &line);
    let patience = match stream.map_err(failed("answer"))? {
        Some(stream) => {
            run.saw(transport, LOCAL, bound(&stream)?.ip().to_string());
            PATIENCE
        }
        None => SILENCE,
    };
    run.saw(transport, HEARS, told(&hear(&mut notebook, CLIENT, &client, patience)));
    if transport == Transport::Udp {
        let client = ask_unconnected(&mut notebook, at)?;
        answer(&mut notebook, SERVER, transport, &server, &line).map_err(failed("answer"))?;
        run.saw(transport, FROM, hear_from(&mut notebook, &client)?.to_string());
    }
    run.show(transport, "a careless server", notebook.finish());
    Ok(())
}

/// The service over TCP. Over UDP its socket and its calls, without its guard: that one drops what comes
/// from a loopback address to the wildcard, for in a network such a source is forged.
fn ours(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let wildcard = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    if transport == Transport::Tcp {
        let service = service(transport, wildcard)?;
        let at = SocketAddr::from((ASKED, service.address.port()));
        let client = ask(&mut notebook, CLIENT, transport, at).map_err(failed("ask"))?;
        let heard = hear(&mut notebook, CLIENT, &client, PATIENCE);
        let is_line = heard.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
        run.saw(transport, OURS, if is_line { "a line".into() } else { told(&heard) });
    } else {
        let mut service = Datagrams::open(wildcard)?;
        let at = SocketAddr::from((ASKED, bound(&service.socket)?.port()));
        let client = ask(&mut notebook, CLIENT, transport, at).map_err(failed("ask"))?;
        service.answer(&mut notebook)?;
        let patience = if sys::TELLS_DESTINATIONS { PATIENCE } else { SILENCE };
        run.saw(transport, OURS, told(&hear(&mut notebook, CLIENT, &client, patience)));
        let client = ask_unconnected(&mut notebook, at)?;
        service.answer(&mut notebook)?;
        run.saw(transport, OURS_FROM, hear_from(&mut notebook, &client)?.to_string());
    }
    run.show(transport, "daytime serve", notebook.finish());
    Ok(())
}

/// A socket of the datagram service, and what it receives and sends with.
struct Datagrams {
    socket: Socket,
    batch: Batch,
    line: Reply,
}

impl Datagrams {
    fn open(at: SocketAddr) -> Result<Self, Obstacle> {
        let opened = Listen::default()
            .open_all(&[(Transport::Udp, at)], NonZeroUsize::MIN)
            .map_err(io::Error::other)
            .map_err(failed("bind to the wildcard"))?;
        let nothing = || Obstacle::Missing("no socket could be opened".into());
        let socket = opened.into_iter().flatten().next().ok_or_else(nothing)?.socket;
        let wait = socket.set_nonblocking(false);
        wait.and_then(|()| socket.set_read_timeout(Some(PATIENCE))).map_err(failed("wait"))?;
        Ok(Self { socket, batch: Batch::new(), line: line()? })
    }

    /// Answers one question.
    fn answer(&mut self, notebook: &mut Notebook) -> Result<(), Obstacle> {
        let Self { socket, batch, line } = self;
        let receive = || {
            socket.peek(&mut [MaybeUninit::uninit(); 1])?;
            batch.receive(socket, Batch::MOST)?;
            batch.datagram(0).ok_or_else(|| io::ErrorKind::NotFound.into())
        };
        let to = |received: &Received| match received.destination {
            Some(destination) => format!("sent to {}", destination.address),
            None => "sent to this host".into(),
        };
        let received = notebook.call(SERVER, "recvmmsg()", receive, to);
        let received = received.map_err(failed("receive a question"))?;
        batch.answer(0, received.destination);
        let send = || {
            let mut failure = Ok(());
            batch.send(socket, line.octets(), |_, error| failure = Err(error.kind().into()));
            failure
        };
        let from = |(): &()| to(&received).replace("sent to", "from");
        notebook.call(SERVER, "sendmmsg()", send, from).map_err(failed("send an answer"))
    }
}

/// Has a client ask from a socket that takes what anybody sends.
fn ask_unconnected(notebook: &mut Notebook, at: SocketAddr) -> Result<Socket, Obstacle> {
    let client = open(Type::DGRAM).map_err(failed("open a socket"))?;
    client.bind(&SocketAddr::from((HERE, 0)).into()).map_err(failed("bind a socket"))?;
    let send = || client.send_to(&[], &at.into());
    notebook
        .call(CLIENT, &format!("sendto({})", at.ip()), send, |sent| octets(*sent))
        .map_err(failed("send a datagram"))?;
    Ok(client)
}

fn hear_from(notebook: &mut Notebook, client: &Socket) -> Result<IpAddr, Obstacle> {
    let take = || {
        let (_, peer) = client.recv_from(&mut [MaybeUninit::uninit(); 1024])?;
        peer.as_socket().map(|peer| peer.ip()).ok_or_else(|| io::ErrorKind::Other.into())
    };
    notebook
        .call(CLIENT, "recvfrom(1024)", take, |peer| format!("from {peer}"))
        .map_err(failed("receive a datagram"))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn a_careless_server_answers_from_another_address_and_ours_from_the_one_asked() {
        match second_address() {
            Ok(()) => {
                let run = check::all_is_as_predicted(&LAB, Knobs::default());
                assert!(check::is_shown(&run, "connect(127.0.0.2)"), "{:?}", run.parts);
            }
            Err(missing) => eprintln!("skipped: {missing}"),
        }
    }
}
