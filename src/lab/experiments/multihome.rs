//! A host with two addresses, asked at the second one.

mod netns;

use crate::duration::Unit;
use crate::lab::loopback::{
    CLIENT, PATIENCE, REPLY_OCTETS, SERVER, SILENCE_TIME, answer, ask_from, bind, ctime_reply,
    failed, is_local, local_address, octets, open, outcome, received, require_loopback,
    start_service, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, Obstacle, Prediction, Procedure, Run, Setting, never, no_values};
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
            uses_seed: never,
            options: &[],
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

const LOCAL: &str = "careless: socket is at";
const RECEIVES: &str = "careless: client gets";
const FROM: &str = "careless: reply is from";
const OURS: &str = "daytime serve: answers";
const OURS_FROM: &str = "daytime serve: sent from";

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let (ask_service, ours_from) = if sys::TELLS_DESTINATIONS {
        (A_REPLY, ASKED.to_string())
    } else {
        ("EAGAIN", "EAGAIN".to_owned()) // it cannot see that the question came over loopback
    };
    vec![
        Prediction::is(tcp, LOCAL, ASKED.to_string()),
        Prediction::is(tcp, RECEIVES, octets(REPLY_OCTETS)),
        Prediction::is(tcp, OURS, A_REPLY),
        Prediction::is(udp, RECEIVES, "EAGAIN"),
        Prediction::is(udp, FROM, Ipv4Addr::LOCALHOST.to_string()),
        Prediction::is(udp, OURS, ask_service),
        Prediction::is(udp, OURS_FROM, ours_from),
    ]
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    for address in [ASKED, ASKER] {
        require_address(address)?;
    }
    let mut run = Run::default();
    for transport in Transport::BOTH {
        careless(transport, &mut run)?;
        ask_service(transport, &mut run)?;
    }
    Ok(run)
}

fn require_address(address: Ipv4Addr) -> Result<(), Obstacle> {
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
            run.observe(transport, LOCAL, local_address(&stream)?.ip().to_string());
            PATIENCE
        }
        None => SILENCE_TIME,
    };
    run.observe(
        transport,
        RECEIVES,
        received(&recorder.receive_within(CLIENT, &connected, patience)),
    );
    if transport == Transport::Udp {
        let unconnected = socket(&recorder, transport).map_err(failed("open a socket"))?;
        ask_unconnected(&recorder, &unconnected, at).map_err(failed("send a datagram"))?;
        answer(&recorder, SERVER, transport, &server, &line).map_err(failed("answer"))?;
        run.observe(transport, FROM, source_of_reply(&recorder, &unconnected));
    }
    run.show(transport, "a careless server", recorder.trace());
    Ok(())
}

/// Its calls are its own, so the trace has the client's only.
fn ask_service(transport: Transport, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let service = start_service(transport, SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))?;
    let at = SocketAddr::from((ASKED, service.bound()[0].address.port()));
    let connected = ask(&recorder, transport, at)?;
    let comes = transport == Transport::Tcp || sys::TELLS_DESTINATIONS;
    let patience = if comes { PATIENCE } else { SILENCE_TIME };
    let receipt = recorder.receive_within(CLIENT, &connected, patience);
    let is_line = receipt.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
    run.observe(transport, OURS, if is_line { A_REPLY.into() } else { received(&receipt) });
    if transport == Transport::Udp {
        let unconnected = socket(&recorder, transport).map_err(failed("open a socket"))?;
        ask_unconnected(&recorder, &unconnected, at).map_err(failed("send a datagram"))?;
        run.observe(transport, OURS_FROM, source_of_reply(&recorder, &unconnected));
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
    let receipt = recorder.call(CLIENT, "recvfrom(1024)", take, |peer| format!("from {peer}"));
    outcome(&receipt, IpAddr::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_careless_server_answers_from_another_address_and_ours_from_the_one_asked() {
        match require_address(ASKED) {
            Ok(()) => {
                let run = check::all_is_as_predicted(&LAB, LabOptions::default());
                assert!(check::is_shown(&run, "connect(127.0.0.2)"), "{:?}", run.parts);
            }
            Err(missing) => eprintln!("skipped: {missing}"),
        }
    }
}
