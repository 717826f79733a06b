//! Lab `share`: which of two servers on the same port gets a client.

use crate::lab::analysis;
use crate::lab::loopback::{
    ANY_PORT, CallError, PATIENCE, RecordedSocket, ask, ctime_reply, failed, octets, outcome,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting, Value,
};
use crate::listen::Listen;
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport::{self, Tcp, Udp};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::os::fd::AsFd;

pub(super) static LAB: Lab = lab!("share", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Count.within(0..=MAX_CLIENTS)], |setting| {
        vec![("count", count(setting).to_string())]
    });

/// Default number of clients for each transport and each socket option.
const CLIENTS: u32 = 200;
/// Maximum number of clients. Each client needs its own port, and a host has a limited number of them (Linux: 28 232).
const MAX_CLIENTS: u32 = 10_000;
/// With this number of clients or more, the lab predicts that each server gets at least one client. The probability
/// that one of the servers gets none of 64 clients is 1 in 2^63.
const CLIENTS_FOR_BOTH: u32 = 64;

const SECOND_BIND: &str = "REUSEADDR: 2nd bind()";
const SECOND_LISTEN: &str = "REUSEADDR: 2nd listen()";
const FIRST_TAKES: &str = "REUSEADDR: 1st server";
const LAST_TAKES: &str = "REUSEADDR: 2nd server";
const FIRST_SHARES: &str = "REUSEPORT: 1st server";
const LAST_SHARES: &str = "REUSEPORT: 2nd server";
const ASKED_OF_ONE: &str = "questions of one socket";
const MET_BY_ONE: &str = "servers met by 1 socket";
const THIRD_BIND: &str = "3rd bind(), no REUSEPORT";
const BOUND: &str = "bound";
/// Title of the ladder diagrams in which both servers share the port.
const BOTH_REUSEPORT: &str = "both with SO_REUSEPORT";
const IN_USE: &str = "EADDRINUSE";

/// Backlog of each listener. A small backlog is enough, because the clients connect one after the other.
const BACKLOG: u16 = 5;

const CLIENT: HostId = HostId(0);
const SERVERS: [HostId; 2] = [HostId(1), HostId(2)];

fn count(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(CLIENTS)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let count = count(setting);
    let few = u32::from(count >= CLIENTS_FOR_BOTH);
    let share = || Expected::between(clients(few), clients(count - few));
    let sharing = |transport| {
        [
            Prediction::new(transport, FIRST_SHARES, share()),
            Prediction::new(transport, LAST_SHARES, share()),
        ]
    };
    let mut predictions = vec![
        Prediction::is(Tcp, SECOND_BIND, BOUND),
        Prediction::is(Tcp, SECOND_LISTEN, IN_USE),
        Prediction::is(Udp, SECOND_BIND, BOUND),
        Prediction::is(Udp, FIRST_TAKES, clients(0)),
        Prediction::is(Udp, LAST_TAKES, clients(count)),
    ];
    predictions.extend(Transport::BOTH.into_iter().flat_map(sharing));
    predictions.push(Prediction::is(Tcp, THIRD_BIND, IN_USE));
    predictions.push(Prediction::is(Udp, ASKED_OF_ONE, (count.into(), "question")));
    predictions.push(Prediction::is(Udp, MET_BY_ONE, (u64::from(count > 0), "server")));
    predictions
}

fn clients(count: u32) -> Value {
    (u64::from(count), "client").into()
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    if !sys::SPREADS_CLIENTS {
        let why = "this system does not spread clients over sockets; try Linux";
        return Err(Obstacle::Missing(why.into()));
    }
    second_listen(results)?;
    observe_reuseaddr(count(setting), results)?;
    for transport in Transport::BOTH {
        observe_reuseport(transport, count(setting), results)?;
    }
    Ok(())
}

fn recorder() -> Recorder {
    Recorder::among(&["client", "first server", "second server"])
}

/// Binds two sockets with `SO_REUSEADDR` to the same free port. Returns `None` if the second bind fails.
fn two_sockets(
    transport: Transport,
    recorder: &Recorder,
    results: &mut Results,
) -> Result<Option<[RecordedSocket; 2]>, Obstacle> {
    let [first, second] = SERVERS.map(|host| {
        let server = RecordedSocket::open(recorder, host, transport)?;
        // This call is not recorded, because the ladder diagram's title names the option.
        server.unrecorded("setsockopt(SO_REUSEADDR)", |it| it.set_reuse_address(true))?;
        Ok::<_, CallError>(server)
    });
    let (first, second) = (first?, second?);
    let bind = |server: &RecordedSocket, at: SocketAddr| {
        server.call("bind()", |socket| socket.bind(&at.into()), |()| BOUND.into())
    };
    bind(&first, ANY_PORT)?;
    let second_bind = bind(&second, first.local_address()?);
    results.observe(transport, SECOND_BIND, outcome(&second_bind, BOUND));
    Ok(second_bind.ok().map(|()| [first, second]))
}

fn second_listen(results: &mut Results) -> Result<(), Obstacle> {
    let recorder = recorder();
    if let Some([first, second]) = two_sockets(Tcp, &recorder, results)? {
        first.listen(BACKLOG)?;
        results.observe(Tcp, SECOND_LISTEN, outcome(&second.listen(BACKLOG), "listening"));
    }
    results.keep_trace(Tcp, "both with SO_REUSEADDR", recorder.trace());
    Ok(())
}

fn observe_reuseaddr(count: u32, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = recorder();
    if let Some(servers) = two_sockets(Udp, &recorder, results)? {
        let [first, last] = serve(&servers, count)?;
        results.observe(Udp, FIRST_TAKES, clients(first));
        results.observe(Udp, LAST_TAKES, clients(last));
    }
    results.keep_trace(Udp, "both with SO_REUSEADDR", recorder.trace());
    Ok(())
}

fn observe_reuseport(
    transport: Transport,
    count: u32,
    results: &mut Results,
) -> Result<(), Obstacle> {
    let recorder = recorder();
    let servers = sharing(transport, &recorder)?;
    if transport == Tcp {
        let third = RecordedSocket::open(&recorder, SERVERS[0], transport)?;
        let at = servers[0].local_address()?.into();
        let third_bind = third.unrecorded("bind()", |socket| socket.bind(&at));
        results.observe(transport, THIRD_BIND, outcome(&third_bind, BOUND));
    }
    let [first, last] = serve(&servers, count)?;
    results.observe(transport, FIRST_SHARES, clients(first));
    results.observe(transport, LAST_SHARES, clients(last));
    if transport == Udp {
        one_socket(&servers, count, results)?;
    }
    results.keep_trace(transport, BOTH_REUSEPORT, recorder.trace());
    Ok(())
}

/// Opens two servers on the same free port, both with `SO_REUSEPORT`.
fn sharing(transport: Transport, recorder: &Recorder) -> Result<[RecordedSocket; 2], Obstacle> {
    let workers = NonZeroUsize::MIN.saturating_add(1);
    let opened = Listen::default()
        .backlog(BACKLOG)
        .open_all(&[(transport, ANY_PORT)], workers)
        .map_err(io::Error::other)
        .map_err(failed("open two sockets with SO_REUSEPORT"))?;
    let mut servers = Vec::new();
    for (host, listening) in SERVERS.into_iter().zip(opened.into_iter().flatten()) {
        let server = RecordedSocket::of(recorder, host, transport, listening.socket);
        server.set_nonblocking(false)?;
        match transport {
            Tcp => recorder.note(host, &format!("bind(), listen({BACKLOG})"), "listening"),
            Udp => recorder.note(host, "bind()", BOUND),
        }
        servers.push(server);
    }
    let one = |_| Obstacle::Missing("there is only one socket for two workers".into());
    servers.try_into().map_err(one)
}

/// Lets one client send `count` queries from the same socket, and records how many servers receive them.
fn one_socket(
    servers: &[RecordedSocket; 2],
    count: u32,
    results: &mut Results,
) -> Result<(), Obstacle> {
    let (at, reply) = (servers[0].local_address()?.into(), ctime_reply()?);
    let client = RecordedSocket::open(&servers[0].recorder, CLIENT, Udp)?;
    client.unrecorded("connect()", |socket| socket.connect(&at))?;
    let mut asked_by = [0_u64; 2];
    for _ in 0..count {
        let send = |socket: &Socket| socket.send(&[]);
        client.call("send(0), one socket", send, |sent| octets(*sent))?;
        let place = asked(servers)?;
        asked_by[place] += 1;
        servers[place].answer(&reply)?;
        client.receive_within(PATIENCE)?;
    }
    results.observe(Udp, ASKED_OF_ONE, (asked_by.iter().sum(), "question"));
    results.observe(
        Udp,
        MET_BY_ONE,
        analysis::count(asked_by.iter().filter(|it| **it > 0), "server"),
    );
    Ok(())
}

/// Lets this number of clients send one query each. Returns, for each server, how many clients received its reply.
fn serve(servers: &[RecordedSocket; 2], count: u32) -> Result<[u32; 2], Obstacle> {
    let RecordedSocket { recorder, transport, .. } = &servers[0];
    let (at, reply) = (servers[0].local_address()?, ctime_reply()?);
    let mut answered = [0; 2];
    for _ in 0..count {
        let client = ask(recorder, CLIENT, *transport, at)?;
        let place = asked(servers)?;
        servers[place].answer(&reply)?;
        // If a client gets no reply, the remaining clients are not tried: each of them would wait for the full timeout.
        let Ok(received) = client.receive_within(PATIENCE) else { break };
        answered[place] += u32::from(received == reply.octets());
    }
    Ok(answered)
}

/// Waits until one of the two servers has a query or a connection. Returns the server's index.
fn asked(servers: &[RecordedSocket; 2]) -> Result<usize, Obstacle> {
    let mut both = servers.each_ref().map(|it| PollFd::new(it.socket.as_fd(), PollFlags::POLLIN));
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
    fn with_reuseaddr_the_last_socket_gets_all_datagrams_and_with_reuseport_each_gets_some() {
        if sys::SPREADS_CLIENTS {
            let run = check::all_is_as_predicted(&LAB, LabOptions::default());
            for part in run.parts.iter().filter(|part| part.name == BOTH_REUSEPORT) {
                let receives = |event: &&Event| matches!(&event.action, Action::Call { call, .. } if call == "recv(1024)");
                let receives = part.trace.events.iter().filter(receives).count();
                let asked_by_one = if part.transport == Udp { 200 } else { 0 };
                assert_eq!(receives, 200 + asked_by_one, "each client is in the trace");
            }
            assert!(check::is_shown(&run, "bind(), listen(5)"), "{:?}", run.parts);
        }
    }

    #[test]
    fn no_clients_and_few_clients_are_as_predicted() {
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
