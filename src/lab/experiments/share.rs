//! Two servers on the same port.

use crate::duration::Unit;
use crate::lab::analysis;
use crate::lab::loopback::{
    ANY_PORT, PATIENCE, answer, ask, ctime_reply, failed, local_address, open, outcome,
    require_loopback,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, Value, never,
};
use crate::listen::Listen;
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;

pub(super) static LAB: Lab = Lab {
    name: "share",
    text: page!("share"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Count.within(0..=MAX_CLIENTS)],
        values: |setting| vec![("count", count(setting).to_string())],
        predict,
        run,
    }],
};

/// Clients, over each transport and for each option, unless told otherwise.
const CLIENTS: u32 = 200;
/// There are as many ports, about, that clients may have.
const MAX_CLIENTS: u32 = 10_000;
/// With so many clients, none comes to one of the two by chance once in 2^63 runs.
const CLIENTS_FOR_BOTH: u32 = 64;

const BIND: &str = "REUSEADDR: 2nd bind()";
const LISTEN: &str = "REUSEADDR: 2nd listen()";
const FIRST_TAKES: &str = "REUSEADDR: 1st answers";
const LAST_TAKES: &str = "REUSEADDR: 2nd answers";
const FIRST_SHARES: &str = "REUSEPORT: 1st answers";
const LAST_SHARES: &str = "REUSEPORT: 2nd answers";
const BOTH_SHARE: &str = "REUSEPORT: both answer";
const ASKED_OF_ONE: &str = "questions of one socket";
const MET_BY_ONE: &str = "servers met by 1 socket";
const THIRD_BIND: &str = "3rd bind() without it";
const IN_USE: &str = "EADDRINUSE";

const CLIENT: HostId = HostId(0);
const SERVERS: [HostId; 2] = [HostId(1), HostId(2)];

fn count(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(CLIENTS)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let count = count(setting);
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let few = u32::from(count >= CLIENTS_FOR_BOTH);
    let share = || Expected::between(clients(few), clients(count - few));
    let mut predictions = vec![
        Prediction::is(tcp, BIND, "bound"),
        Prediction::is(tcp, LISTEN, IN_USE),
        Prediction::is(udp, BIND, "bound"),
        Prediction::is(udp, FIRST_TAKES, clients(0)),
        Prediction::is(udp, LAST_TAKES, clients(count)),
    ];
    for transport in Transport::BOTH {
        predictions.extend([
            Prediction::new(transport, FIRST_SHARES, share()),
            Prediction::new(transport, LAST_SHARES, share()),
            Prediction::is(transport, BOTH_SHARE, clients(count)),
            Prediction::is(transport, THIRD_BIND, IN_USE),
        ]);
    }
    let met = u64::from(count > 0);
    predictions.push(Prediction::is(udp, ASKED_OF_ONE, (count.into(), "question")));
    predictions.push(Prediction::is(udp, MET_BY_ONE, (met, "server")));
    predictions
}

fn clients(count: u32) -> Value {
    (u64::from(count), "client").into()
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    if !sys::SPREADS_CLIENTS {
        let why = "this system does not spread clients over sockets; try Linux";
        return Err(Obstacle::Missing(why.into()));
    }
    let mut run = Run::default();
    second_listen(&mut run)?;
    observe_reuseaddr(count(setting), &mut run)?;
    for transport in Transport::BOTH {
        observe_reuseport(transport, count(setting), &mut run)?;
    }
    one_socket(count(setting), &mut run)?;
    Ok(run)
}

fn recorder() -> Recorder {
    Recorder::among(&["client", "first server", "second server"])
}

/// Two sockets with `SO_REUSEADDR`, bound to the same free port, if the second one's bind is not refused.
fn two_sockets(
    transport: Transport,
    recorder: &Recorder,
    run: &mut Run,
) -> Result<Option<[Socket; 2]>, Obstacle> {
    let reusing = |server: HostId| {
        let socket = open(transport)?;
        let set = || socket.set_reuse_address(true);
        recorder.call(server, "setsockopt(SO_REUSEADDR)", set, |()| "set".into())?;
        Ok(socket)
    };
    let open = |server| reusing(server).map_err(failed("open a socket"));
    let [first, second] = [open(SERVERS[0])?, open(SERVERS[1])?];
    let bind = |server, socket: &Socket, at: SocketAddr| {
        recorder.call(server, "bind()", || socket.bind(&at.into()), |()| "bound".into())
    };
    bind(SERVERS[0], &first, ANY_PORT).map_err(failed("bind to a free port"))?;
    let second_bind = bind(SERVERS[1], &second, local_address(&first)?);
    run.observe(transport, BIND, outcome(&second_bind, |()| "bound".into()));
    Ok(second_bind.ok().map(|()| [first, second]))
}

fn second_listen(run: &mut Run) -> Result<(), Obstacle> {
    let recorder = recorder();
    if let Some(servers) = two_sockets(Transport::Tcp, &recorder, run)? {
        let listen = |number: usize| {
            let listen = || servers[number].listen(5);
            recorder.call(SERVERS[number], "listen(5)", listen, |()| "listening".into())
        };
        listen(0).map_err(failed("listen"))?;
        run.observe(Transport::Tcp, LISTEN, outcome(&listen(1), |()| "listening".into()));
    }
    run.show(Transport::Tcp, "SO_REUSEADDR", recorder.trace());
    Ok(())
}

fn observe_reuseaddr(count: u32, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = recorder();
    if let Some(servers) = two_sockets(Transport::Udp, &recorder, run)? {
        let answered = serve(Transport::Udp, &servers, count, &recorder)?;
        run.observe(Transport::Udp, FIRST_TAKES, clients(answered[0]));
        run.observe(Transport::Udp, LAST_TAKES, clients(answered[1]));
    }
    run.show(Transport::Udp, "SO_REUSEADDR", recorder.trace());
    Ok(())
}

fn observe_reuseport(transport: Transport, count: u32, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = recorder();
    let servers = sharing(transport, &recorder)?;
    let stranger = open(transport).map_err(failed("open a socket"))?;
    let binding = stranger.bind(&local_address(&servers[0])?.into());
    run.observe(transport, THIRD_BIND, outcome(&binding, |()| "bound".into()));
    let answered = serve(transport, &servers, count, &recorder)?;
    run.observe(transport, FIRST_SHARES, clients(answered[0]));
    run.observe(transport, LAST_SHARES, clients(answered[1]));
    run.observe(transport, BOTH_SHARE, clients(answered[0] + answered[1]));
    run.show(transport, "SO_REUSEPORT", recorder.trace());
    Ok(())
}

/// Two servers on the same free port, both with `SO_REUSEPORT`.
fn sharing(transport: Transport, recorder: &Recorder) -> Result<[Socket; 2], Obstacle> {
    let workers = NonZeroUsize::MIN.saturating_add(1);
    let opened = Listen::default()
        .open_all(&[(transport, ANY_PORT)], workers)
        .map_err(io::Error::other)
        .map_err(failed("open two sockets with SO_REUSEPORT"))?;
    let sockets: Vec<Socket> = opened.into_iter().flatten().map(|it| it.socket).collect();
    let servers: [Socket; 2] = sockets
        .try_into()
        .map_err(|_| Obstacle::Missing("there is only one socket for two workers".into()))?;
    for (server, socket) in SERVERS.into_iter().zip(&servers) {
        socket.set_nonblocking(false).map_err(failed("have a socket wait"))?;
        recorder.note(server, "setsockopt(SO_REUSEPORT), bind()", "bound");
    }
    Ok(servers)
}

/// A client that asks often, always from the same socket: how many servers its questions come to.
fn one_socket(count: u32, run: &mut Run) -> Result<(), Obstacle> {
    let (recorder, udp) = (recorder(), Transport::Udp);
    let servers = sharing(udp, &recorder)?;
    let (at, line) = (local_address(&servers[0])?, ctime_reply()?);
    let client = open(udp).map_err(failed("open a socket"))?;
    let connect = || client.connect(&at.into());
    recorder.call(CLIENT, "connect()", connect, |()| "done".into()).map_err(failed("connect"))?;
    let mut asked_by = [0_u64; 2];
    for _ in 0..count {
        recorder.send(CLIENT, &client, &[]).map_err(failed("ask"))?;
        let place = asked(&servers)?;
        asked_by[place] += 1;
        let answered = answer(&recorder, SERVERS[place], udp, &servers[place], &line);
        answered.map_err(failed("answer"))?;
        recorder.receive_within(CLIENT, &client, PATIENCE).map_err(failed("receive the reply"))?;
    }
    run.observe(udp, ASKED_OF_ONE, (asked_by.iter().sum(), "question"));
    run.observe(udp, MET_BY_ONE, analysis::count(asked_by.iter().filter(|it| **it > 0), "server"));
    run.show(udp, "one client socket, SO_REUSEPORT", recorder.trace());
    Ok(())
}

/// Has so many clients ask, and tells how many of them heard the line of each server.
fn serve(
    transport: Transport,
    servers: &[Socket; 2],
    count: u32,
    recorder: &Recorder,
) -> Result<[u32; 2], Obstacle> {
    let at = local_address(&servers[0])?;
    let line = ctime_reply()?;
    let mut answered = [0; 2];
    for _ in 0..count {
        let client = ask(recorder, CLIENT, transport, at).map_err(failed("ask"))?;
        let place = asked(servers)?;
        let server = SERVERS[place];
        let stream = answer(recorder, server, transport, &servers[place], &line);
        if let Some(stream) = stream.map_err(failed("answer"))? {
            recorder.close(server, stream);
        }
        // Who hears nothing has waited long enough for all that would come after.
        let Ok(reply) = recorder.receive_within(CLIENT, &client, PATIENCE) else { break };
        answered[place] += u32::from(reply == line.octets());
    }
    Ok(answered)
}

/// Waits until a client is at one of the two, and tells at which.
fn asked(servers: &[Socket; 2]) -> Result<usize, Obstacle> {
    let mut both = [0, 1].map(|place| PollFd::new(servers[place].as_fd(), PollFlags::POLLIN));
    let patience = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::ZERO);
    poll(&mut both, patience).map_err(io::Error::from).map_err(failed("wait for a client"))?;
    let place = both.iter().position(|it| it.any().unwrap_or(false));
    place.ok_or_else(|| Obstacle::TooLate("a question".into(), PATIENCE))
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;
    use crate::trace::{Action, Event};

    #[test]
    fn reuseaddr_gives_all_datagrams_to_the_last_and_reuseport_some_to_each() {
        if sys::SPREADS_CLIENTS {
            let run = check::all_is_as_predicted(&LAB, LabOptions::default());
            for part in run.parts.iter().filter(|part| part.name == "SO_REUSEPORT") {
                let receives = |event: &&Event| matches!(&event.action, Action::Call { call, .. } if call == "recv(1024)");
                let receives = part.trace.events.iter().filter(receives).count();
                assert_eq!(receives, 200, "each client is in the trace");
            }
        }
    }

    #[test]
    fn with_no_and_with_few_clients_it_is_as_predicted() {
        for count in [0, 1, 3, CLIENTS_FOR_BOTH, 301] {
            if sys::SPREADS_CLIENTS {
                check::all_is_as_predicted(
                    &LAB,
                    LabOptions { count: Some(count), ..LabOptions::default() },
                );
            }
        }
    }
}
