//! Lab `hold`: how an idle client blocks a server that serves one client at a time.

use crate::lab::loopback::{
    ANY_PORT, CallError, PATIENCE, REPLY_OCTETS, RecordedSocket, ask, ctime_reply, octets,
    received, start_service,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting,
};
use crate::reply::Reply;
use crate::trace::HostId;
use crate::transport::Transport::{self, Tcp, Udp};
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = lab!("hold", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Count.within(0..=MAX_IDLE_CLIENTS)], |setting| {
        vec![("count", idle(setting).to_string())]
    });

/// Default number of idle clients.
const IDLE_CLIENTS: u32 = 1;
/// Maximum number of idle clients. Any system can queue this number of connections.
const MAX_IDLE_CLIENTS: u32 = 16;

const CONNECT_TIME: &str = "next client's connect()";
const NEXT_RECEIVES: &str = "the next client receives";
const LATER_RECEIVES: &str = "after idle clients close";
const REPLY_TIME: &str = "next client's wait";
const SERVICE_REPLY: &str = "daytime serve: reply";
const SERVICE_TIME: &str = "daytime serve: time";

/// Time that the next client waits while the idle clients keep their connections open. A reply that arrives sooner
/// shows that the idle clients do not delay the next client.
const NEXT_CLIENT_WAIT: Duration = Duration::from_millis(500);

const IDLE_CLIENT: HostId = HostId(0);
const NEXT_CLIENT: HostId = HostId(1);
const SERVER: HostId = HostId(2);

fn idle(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(IDLE_CLIENTS)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let at_once = || Expected::between(Duration::ZERO, NEXT_CLIENT_WAIT);
    let has_idle = idle(setting) > 0;
    let (held, answered) = if has_idle {
        ("EAGAIN".into(), Expected::at_least(NEXT_CLIENT_WAIT))
    } else {
        (octets(REPLY_OCTETS), at_once())
    };
    let mut predictions = vec![
        Prediction::new(Tcp, CONNECT_TIME, at_once()),
        Prediction::is(Tcp, NEXT_RECEIVES, held),
        Prediction::new(Tcp, REPLY_TIME, answered).varies("some systems end a wait a tick early"),
        Prediction::is(Tcp, SERVICE_REPLY, "a reply"),
        Prediction::new(Tcp, SERVICE_TIME, at_once()),
        Prediction::is(Udp, NEXT_RECEIVES, octets(REPLY_OCTETS)),
        Prediction::new(Udp, REPLY_TIME, at_once()),
        Prediction::is(Udp, SERVICE_REPLY, "a reply"),
        Prediction::new(Udp, SERVICE_TIME, at_once()),
    ];
    if has_idle {
        predictions.insert(2, Prediction::is(Tcp, LATER_RECEIVES, octets(REPLY_OCTETS)));
    }
    predictions
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    for transport in Transport::BOTH {
        iterative(transport, idle(setting), results)?;
        hold_service(transport, idle(setting), results)?;
    }
    Ok(())
}

fn recorder() -> Recorder {
    Recorder::among(&["idle client", "next client", "server"])
}

fn iterative(transport: Transport, idle: u32, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = recorder();
    let server = RecordedSocket::open(&recorder, SERVER, transport)?;
    server.unrecorded("bind(), listen(128)", |socket| {
        socket.bind(&ANY_PORT.into())?;
        if transport == Tcp { socket.listen(128) } else { Ok(()) }
    })?;
    let (at, reply) = (server.local_address()?, ctime_reply()?);
    thread::scope(|scope| {
        let serving = scope.spawn(|| serve_in_turn(&server, &reply, idle + 1));
        let asked = ask_after(transport, at, idle, &recorder, results);
        let panicked = |_| Err(CallError::of("accept()")(io::ErrorKind::Other.into()));
        let outcome = serving.join().unwrap_or_else(panicked);
        asked?;
        outcome
    })?;
    results.keep_trace(transport, "one client at a time", recorder.short_trace());
    Ok(())
}

/// Runs an iterative server, which accepts the next client only after the current one has closed its connection.
fn serve_in_turn(server: &RecordedSocket, reply: &Reply, clients: u32) -> Result<(), CallError> {
    for number in 1..=clients {
        // A client that closed while it was queued may cause an error here; the server goes on with the next client.
        match server.answer(reply) {
            // The trace ends with the last reply, so the last connection is closed without recording it.
            Ok(Some(stream)) if number == clients => drop(stream),
            Ok(Some(stream)) => {
                let _ = stream.socket.shutdown(Shutdown::Write);
                let _ = stream.receive_within(PATIENCE);
                stream.close();
            }
            Err(error) if error.cause.kind() == io::ErrorKind::WouldBlock => return Err(error),
            Ok(None) | Err(_) => {}
        }
    }
    Ok(())
}

/// Lets the idle clients connect or send their queries and keep their sockets open. Then lets the next client send its
/// query, and records that client's results.
fn ask_after(
    transport: Transport,
    at: SocketAddr,
    idle: u32,
    recorder: &Recorder,
    results: &mut Results,
) -> Result<(), CallError> {
    let held = hold(transport, at, idle, recorder)?;
    let started = Instant::now();
    let next = ask(recorder, NEXT_CLIENT, transport, at)?;
    if transport == Tcp {
        results.observe(transport, CONNECT_TIME, started.elapsed());
    }
    // If theory predicts a reply, the client waits for it with the long timeout.
    let is_held = transport == Tcp && idle > 0;
    let reply = next.receive_within(if is_held { NEXT_CLIENT_WAIT } else { PATIENCE });
    let mut answered = reply.is_ok().then(|| started.elapsed());
    results.observe(transport, NEXT_RECEIVES, received(&reply));
    held.into_iter().for_each(RecordedSocket::close);
    if is_held {
        let later = next.receive_within(PATIENCE);
        answered = answered.or_else(|| later.is_ok().then(|| started.elapsed()));
        results.observe(transport, LATER_RECEIVES, received(&later));
    }
    if let Some(after) = answered {
        results.observe(transport, REPLY_TIME, after);
    }
    Ok(())
}

/// Starts the idle clients. Each connects or sends a query, and keeps its socket open; only the first receives its
/// reply.
fn hold(
    transport: Transport,
    at: SocketAddr,
    idle: u32,
    recorder: &Recorder,
) -> Result<Vec<RecordedSocket>, CallError> {
    let mut held = Vec::new();
    for number in 0..idle {
        let client = ask(recorder, IDLE_CLIENT, transport, at)?;
        if number == 0 {
            client.receive_within(PATIENCE)?;
        }
        held.push(client);
    }
    Ok(held)
}

fn hold_service(transport: Transport, idle: u32, results: &mut Results) -> Result<(), Obstacle> {
    let service = start_service(transport, ANY_PORT)?;
    let (recorder, at) = (recorder(), service.bound()[0].address);
    let _held = hold(transport, at, idle, &recorder)?;
    let started = Instant::now();
    let reply = ask(&recorder, NEXT_CLIENT, transport, at)?.receive_within(PATIENCE);
    results.observe(transport, SERVICE_TIME, started.elapsed());
    let is_line = reply.as_ref().is_ok_and(|octets| octets.ends_with(b"\r\n"));
    results.observe(
        transport,
        SERVICE_REPLY,
        if is_line { "a reply".into() } else { received(&reply) },
    );
    results.keep_trace(transport, "daytime serve", recorder.short_trace());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn an_idle_client_holds_a_stream_server_but_no_datagram_server() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "recvfrom()"), "{:?}", run.parts);
    }

    #[test]
    fn no_idle_client_and_many_are_as_predicted() {
        for count in [0, 2, 5, MAX_IDLE_CLIENTS] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { count: Some(count), ..LabOptions::default() },
            );
        }
    }
}
