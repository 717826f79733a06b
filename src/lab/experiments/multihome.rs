//! A host with two addresses, asked at the second one.

use crate::duration::Unit;
use crate::lab::loopback::{
    CLIENT, LINE, Notebook, PATIENCE, SERVER, SILENCE, answer, ask_from, bind, bound, failed, hear,
    in_time, is_here, kind, line, name, octets, open, present, service, told,
};
use crate::lab::netns::runs::multihome as netns;
use crate::lab::{
    Engine, Lab, Obstacle, Prediction, Procedure, Run, Setting, draws_nothing, no_values,
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
    text: page!("multihome"),
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

/// The address that the careless server is asked at, and the one of its client.
const ASKED: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ASKER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

pub(in crate::lab) const LOCAL: &str = "careless: socket is at";
pub(in crate::lab) const HEARS: &str = "careless: client gets";
pub(in crate::lab) const FROM: &str = "careless: reply is from";
pub(in crate::lab) const OURS: &str = "daytime serve: answers";
pub(in crate::lab) const OURS_FROM: &str = "daytime serve: sent from";

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let (ours, ours_from) = if sys::TELLS_DESTINATIONS {
        (A_REPLY, ASKED.to_string())
    } else {
        ("EAGAIN", "EAGAIN".to_owned()) // it cannot see that the question came over loopback
    };
    vec![
        Prediction::is(tcp, LOCAL, ASKED.to_string()),
        Prediction::is(tcp, HEARS, octets(LINE)),
        Prediction::is(tcp, OURS, A_REPLY),
        Prediction::is(udp, HEARS, "EAGAIN"),
        Prediction::is(udp, FROM, Ipv4Addr::LOCALHOST.to_string()),
        Prediction::is(udp, OURS, ours),
        Prediction::is(udp, OURS_FROM, ours_from),
    ]
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    present()?;
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
    if is_here(address.into()) {
        return Ok(());
    }
    let how = format!(
        "`ip address add {address}/8 dev lo` adds it on Linux, `ifconfig lo0 alias {address}` on BSD"
    );
    Err(Obstacle::Missing(format!("{address} is no address of this host; {how}")))
}

fn careless(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let server = open(kind(transport)).map_err(failed("open a socket"))?;
    let anywhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    bind(&mut notebook, transport, &server, anywhere).map_err(failed("bind to the wildcard"))?;
    let (at, line) = (SocketAddr::from((ASKED, bound(&server)?.port())), line()?);
    let connected = ask(&mut notebook, transport, at)?;
    let stream = answer(&mut notebook, SERVER, transport, &server, &line);
    let patience = match stream.map_err(failed("answer"))? {
        Some(stream) => {
            run.saw(transport, LOCAL, bound(&stream)?.ip().to_string());
            PATIENCE
        }
        None => SILENCE,
    };
    run.saw(transport, HEARS, told(&hear(&mut notebook, CLIENT, &connected, patience)));
    if transport == Transport::Udp {
        let unconnected = ask_unconnected(&mut notebook, at)?;
        answer(&mut notebook, SERVER, transport, &server, &line).map_err(failed("answer"))?;
        run.saw(transport, FROM, hear_from(&mut notebook, &unconnected));
    }
    run.show(transport, "a careless server", notebook.finish());
    Ok(())
}

/// Its calls are its own, so the trace has the client's only.
fn ours(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let mut notebook = Notebook::new();
    let service = service(transport, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let at = SocketAddr::from((ASKED, service.bound()[0].address.port()));
    let connected = ask(&mut notebook, transport, at)?;
    let comes = transport == Transport::Tcp || sys::TELLS_DESTINATIONS;
    let patience = if comes { PATIENCE } else { SILENCE };
    let heard = hear(&mut notebook, CLIENT, &connected, patience);
    let is_line = heard.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
    run.saw(transport, OURS, if is_line { A_REPLY.into() } else { told(&heard) });
    if transport == Transport::Udp {
        let unconnected = ask_unconnected(&mut notebook, at)?;
        run.saw(transport, OURS_FROM, hear_from(&mut notebook, &unconnected));
    }
    run.show(transport, "daytime serve", notebook.finish());
    Ok(())
}

fn socket(notebook: &mut Notebook, transport: Transport) -> io::Result<Socket> {
    let socket = open(kind(transport))?;
    let bind = || socket.bind(&SocketAddr::from((ASKER, 0)).into());
    notebook.call(CLIENT, &format!("bind({ASKER})"), bind, |()| "bound".into())?;
    Ok(socket)
}

/// Asks from a connected socket.
fn ask(notebook: &mut Notebook, transport: Transport, at: SocketAddr) -> Result<Socket, Obstacle> {
    let socket = socket(notebook, transport).map_err(failed("open a socket"))?;
    ask_from(notebook, CLIENT, transport, &socket, at).map_err(failed("ask"))?;
    Ok(socket)
}

/// Asks from a socket that receives from any address.
fn ask_unconnected(notebook: &mut Notebook, at: SocketAddr) -> Result<Socket, Obstacle> {
    let socket = socket(notebook, Transport::Udp).map_err(failed("open a socket"))?;
    let send = || socket.send_to(&[], &at.into());
    notebook
        .call(CLIENT, &format!("sendto({})", at.ip()), send, |sent| octets(*sent))
        .map_err(failed("send a datagram"))?;
    Ok(socket)
}

/// The address from which the answer came, or why there is none.
fn hear_from(notebook: &mut Notebook, client: &Socket) -> String {
    let take = || {
        let mut room = [MaybeUninit::uninit(); 1024];
        let (_, peer) = in_time(client, || client.recv_from(&mut room))?;
        peer.as_socket().map(|peer| peer.ip()).ok_or_else(|| io::ErrorKind::Other.into())
    };
    let heard = notebook.call(CLIENT, "recvfrom(1024)", take, |peer| format!("from {peer}"));
    heard.as_ref().map_or_else(name, IpAddr::to_string)
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
