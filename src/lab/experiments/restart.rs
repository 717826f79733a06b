//! A server that ends and is started again at once, on the same port.

use crate::client::{self, Options};
use crate::duration::Unit;
use crate::lab::loopback::{
    ANY_PORT, CLIENT, PATIENCE, SERVER, answer, ask, bind, ctime_reply, failed, local_address,
    open, outcome, require_loopback, start_service,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, Obstacle, Prediction, Procedure, Run, Setting, never, no_values,
};
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport;
use socket2::Socket;
use std::io;
use std::net::{Shutdown, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = Lab {
    name: "restart",
    text: page!("restart"),
    time_unit: Unit::Seconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[],
        values: no_values,
        predict,
        run,
    }],
};

/// One way to end and to begin again.
struct Case {
    closes_first: HostId,
    /// Which of the two listeners have `SO_REUSEADDR`.
    reuse: Reuse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reuse {
    Neither,
    Earlier,
    Later,
    Both,
}

impl Reuse {
    const ALL: [Self; 4] = [Self::Neither, Self::Earlier, Self::Later, Self::Both];

    /// What bind says to the later one, where the server has closed first.
    const fn label(self) -> &'static str {
        match self {
            Self::Neither => "SO_REUSEADDR on neither",
            Self::Earlier => "SO_REUSEADDR on 1st run",
            Self::Later => "SO_REUSEADDR on 2nd run",
            Self::Both => "SO_REUSEADDR on both",
        }
    }

    fn earlier(self) -> bool {
        matches!(self, Self::Earlier | Self::Both)
    }

    fn later(self) -> bool {
        matches!(self, Self::Later | Self::Both)
    }
}

const REMEMBERS: &str = "TIME-WAIT, server first";
const LEFT: &str = "time left of TIME-WAIT";
const CLIENT_FIRST: &str = "rebind, client first";
const CLIENT_REMEMBERS: &str = "TIME-WAIT, client first";
const CLIENT_PORT: &str = "client's port, bind()";
const BINDS: &str = "the same 8 cases";
const OURS: &str = "daytime serve, again";
const BOUND: &str = "bound";
const IN_USE: &str = "EADDRINUSE";

/// Linux remembers for 60 seconds (`TCP_TIMEWAIT_LEN`), of which a moment is over when it is asked.
const TIME_WAIT_LEFT: [Duration; 2] = [Duration::from_secs(50), Duration::from_mins(1)];

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let mut predictions: Vec<Prediction> = Reuse::ALL
        .into_iter()
        .map(|reuse| {
            let outcome = if reuse == Reuse::Both { BOUND } else { IN_USE };
            let prediction = Prediction::is(tcp, reuse.label(), outcome);
            match reuse {
                Reuse::Later => prediction.varies("some systems ask only the later socket"),
                Reuse::Neither | Reuse::Earlier | Reuse::Both => prediction,
            }
        })
        .collect();
    let lists_time_wait = sys::time_waits().is_some();
    if lists_time_wait {
        let [least, most] = TIME_WAIT_LEFT;
        predictions.push(Prediction::is(tcp, REMEMBERS, "server"));
        predictions.push(Prediction::new(tcp, LEFT, Expected::between(least, most)));
    }
    predictions.push(Prediction::is(tcp, CLIENT_FIRST, bound_of(4, 4)));
    if lists_time_wait {
        predictions.push(Prediction::is(tcp, CLIENT_REMEMBERS, "client"));
    }
    let others = "some systems let a client's port be bound again";
    predictions.push(Prediction::is(tcp, CLIENT_PORT, IN_USE).varies(others));
    predictions.push(Prediction::is(tcp, OURS, BOUND));
    predictions.push(Prediction::is(udp, BINDS, bound_of(8, 8)));
    predictions.push(Prediction::is(udp, OURS, BOUND));
    predictions
}

/// `bound, 4 of 4`.
fn bound_of(bound: usize, of: usize) -> String {
    format!("{BOUND}, {bound} of {of}")
}

fn party(host: HostId) -> &'static str {
    if host == SERVER { "server" } else { "client" }
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let mut run = Run::default();
    server_first(&mut run)?;
    client_first(&mut run)?;
    datagram_cases(&mut run)?;
    for transport in Transport::BOTH {
        run.observe(transport, OURS, restart_ours(transport)?);
    }
    Ok(run)
}

fn server_first(run: &mut Run) -> Result<(), Obstacle> {
    let tcp = Transport::Tcp;
    for reuse in Reuse::ALL {
        let case = Case { closes_first: SERVER, reuse };
        let recorder = Recorder::on_loopback();
        let CaseOutcome { ends, rebind } = case.try_out(tcp, &recorder)?;
        run.observe(tcp, reuse.label(), outcome(&rebind, |()| BOUND.into()));
        if let (Reuse::Neither, Some((at, left))) = (reuse, time_wait(ends)) {
            run.observe(tcp, REMEMBERS, at);
            run.observe(tcp, LEFT, left);
        }
        run.show(tcp, &case.title(), recorder.trace());
    }
    Ok(())
}

fn client_first(run: &mut Run) -> Result<(), Obstacle> {
    let (tcp, mut bound) = (Transport::Tcp, 0);
    for reuse in Reuse::ALL {
        let case = Case { closes_first: CLIENT, reuse };
        let recorder = Recorder::on_loopback();
        let CaseOutcome { ends, rebind } = case.try_out(tcp, &recorder)?;
        bound += usize::from(rebind.is_ok());
        if reuse == Reuse::Neither {
            if let Some((at, _)) = time_wait(ends) {
                run.observe(tcp, CLIENT_REMEMBERS, at);
            }
            run.observe(tcp, CLIENT_PORT, rebind_client_port(ends.client, &recorder)?);
            // One is enough to look at: the others differ in the options only.
            run.show(tcp, &case.title(), recorder.trace());
        }
    }
    run.observe(tcp, CLIENT_FIRST, bound_of(bound, Reuse::ALL.len()));
    Ok(())
}

/// Returns the result of `bind` to the client's old port, whose connection the client closed first.
fn rebind_client_port(port: SocketAddr, recorder: &Recorder) -> Result<String, Obstacle> {
    let client = open(Transport::Tcp).map_err(failed("open a socket"))?;
    let bind = || client.bind(&port.into());
    let rebind = recorder.call(CLIENT, "bind(), its port again", bind, |()| BOUND.into());
    Ok(outcome(&rebind, |()| BOUND.into()))
}

fn datagram_cases(run: &mut Run) -> Result<(), Obstacle> {
    let (mut tried, mut bound) = (0, 0);
    for closes_first in [SERVER, CLIENT] {
        for reuse in Reuse::ALL {
            let case = Case { closes_first, reuse };
            let recorder = Recorder::on_loopback();
            let CaseOutcome { rebind, .. } = case.try_out(Transport::Udp, &recorder)?;
            if tried == 0 {
                run.show(Transport::Udp, &case.title(), recorder.trace());
            }
            tried += 1;
            bound += usize::from(rebind.is_ok());
        }
    }
    run.observe(Transport::Udp, BINDS, bound_of(bound, tried));
    Ok(())
}

/// The end of a case: where the connection was, and what bind said to the next server.
struct CaseOutcome {
    ends: Ends,
    rebind: io::Result<()>,
}

/// The two ends of a connection.
#[derive(Clone, Copy)]
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

impl Case {
    fn title(&self) -> String {
        format!("{} closes first, {}", party(self.closes_first), self.reuse.label())
    }

    fn try_out(&self, transport: Transport, recorder: &Recorder) -> Result<CaseOutcome, Obstacle> {
        let server = server_socket(transport, self.reuse.earlier(), recorder)
            .map_err(failed("open a socket"))?;
        bind(recorder, transport, &server, ANY_PORT).map_err(failed("bind to a free port"))?;
        let at = local_address(&server)?;
        let exchanged = self.exchange(transport, &server, at, recorder);
        let (client, _open) = exchanged.map_err(failed("have the first exchange"))?;
        recorder.close(SERVER, server);
        let next = server_socket(transport, self.reuse.later(), recorder)
            .map_err(failed("open a socket"))?;
        let ends = Ends { client, server: at };
        Ok(CaseOutcome { ends, rebind: bind(recorder, transport, &next, at) })
    }

    /// One question and answer, and both ends closed; but over UDP a client that does not close first is
    /// left open. Where the client was, and its socket if that is so.
    fn exchange(
        &self,
        transport: Transport,
        server: &Socket,
        at: SocketAddr,
        recorder: &Recorder,
    ) -> io::Result<(SocketAddr, Option<Socket>)> {
        let client = ask(recorder, CLIENT, transport, at)?;
        let client_address = client.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let line = ctime_reply().map_err(io::Error::other)?;
        let stream = answer(recorder, SERVER, transport, server, &line)?;
        match (stream, self.closes_first) {
            (Some(stream), SERVER) => {
                shutdown(&stream, recorder)?;
                recorder.receive_within(CLIENT, &client, PATIENCE)?;
                recorder.receive_within(CLIENT, &client, PATIENCE)?;
                recorder.close(CLIENT, client);
                // The client's FIN has come: from now on TIME-WAIT.
                recorder.receive_within(SERVER, &stream, PATIENCE)?;
                recorder.close(SERVER, stream);
            }
            (Some(stream), _) => {
                recorder.receive_within(CLIENT, &client, PATIENCE)?;
                recorder.close(CLIENT, client);
                recorder.receive_within(SERVER, &stream, PATIENCE)?;
                shutdown(&stream, recorder)?;
                wait_until_over(&stream)?;
                recorder.close(SERVER, stream);
            }
            (None, closes_first) => {
                recorder.receive_within(CLIENT, &client, PATIENCE)?;
                if closes_first == SERVER {
                    return Ok((client_address, Some(client)));
                }
                recorder.close(CLIENT, client);
            }
        }
        Ok((client_address, None))
    }
}

/// A server's socket, with `SO_REUSEADDR` if so wanted.
fn server_socket(transport: Transport, reuse: bool, recorder: &Recorder) -> io::Result<Socket> {
    let socket = open(transport)?;
    if reuse {
        let set = || socket.set_reuse_address(true);
        recorder.call(SERVER, "setsockopt(SO_REUSEADDR)", set, |()| "set".into())?;
    }
    Ok(socket)
}

fn shutdown(stream: &Socket, recorder: &Recorder) -> io::Result<()> {
    let shutdown = || stream.shutdown(Shutdown::Write);
    recorder.call(SERVER, "shutdown(SHUT_WR)", shutdown, |()| "FIN sent".into())
}

/// Until the other side has acknowledged the last FIN: the connection is gone then, and has no peer.
fn wait_until_over(stream: &Socket) -> io::Result<()> {
    let started = Instant::now();
    while stream.peer_addr().is_ok() {
        if started.elapsed() > PATIENCE {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::yield_now();
    }
    Ok(())
}

/// Looks at the kernel's list more than once: while others change it, entries may be missed.
const MAX_READS: usize = 16;

/// Which side has the connection in TIME-WAIT, and for how long; `None` where the system does not tell. Both
/// ends count: the server's port may be the one that a client had in an earlier run.
fn time_wait(Ends { client, server }: Ends) -> Option<(&'static str, Duration)> {
    for _ in 0..MAX_READS {
        let mut known = sys::time_waits()?.into_iter();
        let found = known.find_map(|it| match (it.local, it.remote) {
            ends if ends == (server, client) => Some((party(SERVER), it.left)),
            ends if ends == (client, server) => Some((party(CLIENT), it.left)),
            _ => None,
        });
        if found.is_some() {
            return found;
        }
    }
    Some(("nowhere", Duration::ZERO))
}

/// What our own service says when it is started on the port that it has just left.
fn restart_ours(transport: Transport) -> Result<String, Obstacle> {
    let first = start_service(transport, ANY_PORT)?;
    let at = first.bound()[0].address;
    client::ask(&at.into(), transport, &Options::default())
        .map_err(io::Error::other)
        .map_err(failed("ask the service"))?;
    drop(first);
    Ok(match start_service(transport, at) {
        Ok(_) => BOUND.into(),
        Err(Obstacle::Failed(_, cause)) => cause.to_string(),
        Err(other) => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_port_is_free_again_where_the_client_closed_first_or_both_runs_have_the_option() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "setsockopt(SO_REUSEADDR)"), "{:?}", run.parts);
        assert_eq!(run.parts.len(), 6);
    }

    #[test]
    fn a_server_that_still_runs_is_not_as_predicted() {
        let running = start_service(Transport::Tcp, ANY_PORT);
        let running = running.expect("loopback");
        let rebind = start_service(Transport::Tcp, running.bound()[0].address).err();
        assert!(matches!(rebind, Some(Obstacle::Failed(..))), "{rebind:?}");
    }
}
