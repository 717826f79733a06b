//! A server that has time for one client at a time, and a client that takes all of it.

use crate::duration::Unit;
use crate::lab::loopback::{
    ANY_PORT, PATIENCE, REPLY_OCTETS, answer, ask, ctime_reply, failed, local_address, octets,
    open, received, require_loopback, start_service,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, never,
};
use crate::reply::Reply;
use crate::trace::HostId;
use crate::transport::Transport;
use socket2::Socket;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = Lab {
    name: "hold",
    text: page!("hold"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Count.within(0..=MAX_IDLE_CLIENTS)],
        values: |setting| vec![("count", idle(setting).to_string())],
        predict,
        run,
    }],
};

/// Idle clients unless told otherwise.
const IDLE_CLIENTS: u32 = 1;
/// Every system has a queue for so many.
const MAX_IDLE_CLIENTS: u32 = 16;

const CONNECTS: &str = "connect() takes";
const RECEIVES: &str = "the next client receives";
const LATER: &str = "once the idle are gone";
const ANSWERED: &str = "time to its reply";
const OURS: &str = "daytime serve: receives";
const OURS_AFTER: &str = "daytime serve: in";

/// How long the next client waits before the idle ones go. What takes less was not held up by them.
const NEXT_CLIENT_WAIT: Duration = Duration::from_millis(500);

const IDLER: HostId = HostId(0);
const NEXT: HostId = HostId(1);
const SERVER: HostId = HostId(2);

fn idle(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(IDLE_CLIENTS)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let idle = idle(setting);
    let at_once = || Expected::between(Duration::ZERO, NEXT_CLIENT_WAIT);
    let (held, later, answered) = match idle {
        0 => (octets(REPLY_OCTETS), octets(0), at_once()),
        _ => ("EAGAIN".into(), octets(REPLY_OCTETS), Expected::at_least(NEXT_CLIENT_WAIT)),
    };
    vec![
        Prediction::new(tcp, CONNECTS, at_once()),
        Prediction::is(tcp, RECEIVES, held),
        Prediction::is(tcp, LATER, later),
        Prediction::new(tcp, ANSWERED, answered).varies("some systems end a wait a tick early"),
        Prediction::is(tcp, OURS, "a reply"),
        Prediction::new(tcp, OURS_AFTER, at_once()),
        Prediction::is(udp, RECEIVES, octets(REPLY_OCTETS)),
        Prediction::new(udp, ANSWERED, at_once()),
        Prediction::is(udp, OURS, "a reply"),
        Prediction::new(udp, OURS_AFTER, at_once()),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let mut run = Run::default();
    for transport in Transport::BOTH {
        iterative(transport, idle(setting), &mut run)?;
        hold_service(transport, idle(setting), &mut run)?;
    }
    Ok(run)
}

fn recorder() -> Recorder {
    Recorder::among(&["idle client", "next client", "server"])
}

fn iterative(transport: Transport, idle: u32, run: &mut Run) -> Result<(), Obstacle> {
    let server = open(transport).map_err(failed("open a socket"))?;
    let ready = || {
        server.bind(&ANY_PORT.into())?;
        if transport == Transport::Tcp { server.listen(128) } else { Ok(()) }
    };
    ready().map_err(failed("open a server"))?;
    let (at, line) = (local_address(&server)?, ctime_reply()?);
    let recorder = recorder();
    let clients = idle + 1;
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve_in_turn(transport, &server, &line, clients, &recorder));
        let asked = ask_after(transport, at, idle, &recorder, run);
        let outcome = serving.join().unwrap_or_else(|_| Err(io::ErrorKind::Other.into()));
        asked?;
        outcome.map_err(failed("serve"))
    })?;
    run.show(transport, "one client at a time", recorder.short_trace());
    Ok(())
}

/// The iterative server: takes nobody else until a client has closed.
fn serve_in_turn(
    transport: Transport,
    server: &Socket,
    line: &Reply,
    clients: u32,
    recorder: &Recorder,
) -> io::Result<()> {
    for _ in 0..clients {
        // A client that has gone while it waited may have left an error: that is its own affair.
        match answer(recorder, SERVER, transport, server, line) {
            Ok(Some(stream)) => {
                let _ = stream.shutdown(Shutdown::Write);
                let _ = recorder.receive_within(SERVER, &stream, PATIENCE);
                recorder.close(SERVER, stream);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(())
}

/// Has the idle clients ask and stay, and another one after them.
fn ask_after(
    transport: Transport,
    at: SocketAddr,
    idle: u32,
    recorder: &Recorder,
    run: &mut Run,
) -> Result<(), Obstacle> {
    let held = hold(transport, at, idle, recorder).map_err(failed("hold the server"))?;
    let started = Instant::now();
    let next = ask(recorder, NEXT, transport, at).map_err(failed("ask the server"))?;
    if transport == Transport::Tcp {
        run.observe(transport, CONNECTS, started.elapsed());
    }
    // An answer that is to come is waited for as long as it takes.
    let silent = transport == Transport::Tcp && idle > 0;
    let receipt =
        recorder.receive_within(NEXT, &next, if silent { NEXT_CLIENT_WAIT } else { PATIENCE });
    let mut answered = receipt.as_ref().ok().map(|_| started.elapsed());
    run.observe(transport, RECEIVES, received(&receipt));
    for socket in held {
        recorder.close(IDLER, socket);
    }
    if transport == Transport::Tcp {
        let later = recorder.receive_within(NEXT, &next, PATIENCE);
        answered = answered.or_else(|| later.is_ok().then(|| started.elapsed()));
        run.observe(transport, LATER, received(&later));
    }
    if let Some(after) = answered {
        run.observe(transport, ANSWERED, after);
    }
    recorder.close(NEXT, next);
    Ok(())
}

/// Idle clients, the first of which is being served.
fn hold(
    transport: Transport,
    at: SocketAddr,
    idle: u32,
    recorder: &Recorder,
) -> io::Result<Vec<Socket>> {
    let mut held = Vec::new();
    for number in 0..idle {
        let socket = ask(recorder, IDLER, transport, at)?;
        if number == 0 {
            recorder.receive_within(IDLER, &socket, PATIENCE)?;
        }
        held.push(socket);
    }
    Ok(held)
}

fn hold_service(transport: Transport, idle: u32, run: &mut Run) -> Result<(), Obstacle> {
    let service = start_service(transport, ANY_PORT)?;
    let recorder = recorder();
    let _held = hold(transport, service.bound()[0].address, idle, &recorder)
        .map_err(failed("hold the service"))?;
    let started = Instant::now();
    let next = ask(&recorder, NEXT, transport, service.bound()[0].address)
        .map_err(failed("ask the service"))?;
    let receipt = recorder.receive_within(NEXT, &next, PATIENCE);
    run.observe(transport, OURS_AFTER, started.elapsed());
    let is_line = receipt.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
    run.observe(transport, OURS, if is_line { "a reply".into() } else { received(&receipt) });
    run.show(transport, "daytime serve", recorder.short_trace());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn an_idle_client_holds_a_stream_server_and_no_datagram_server() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "recvfrom()"), "{:?}", run.parts);
    }

    #[test]
    fn with_none_and_with_many_idle_clients_it_is_as_predicted() {
        for count in [0, 2, 5, MAX_IDLE_CLIENTS] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { count: Some(count), ..LabOptions::default() },
            );
        }
    }
}
