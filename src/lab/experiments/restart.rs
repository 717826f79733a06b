//! A server that ends and is started again at once, on the same port.

use crate::client::{self, Options};
use crate::lab::loopback::{
    CLIENT, Notebook, PATIENCE, SERVER, answer, ask, bind, bound, close, failed, hear, kind, line,
    name, open, service,
};
use crate::lab::{Engine, Lab, Obstacle, Prediction, Procedure, Run, Setting, Theory, Value};
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport;
use socket2::Socket;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::thread;
use std::time::Instant;

pub(super) static LAB: Lab = Lab {
    name: "restart",
    question: "Can a server be started again at once?",
    theory: &[
        Theory {
            says: "the side that closes first remembers the connection for twice the maximum segment \
                   lifetime: TIME-WAIT",
            source: "RFC 9293, section 3.6; Stevens, UNP, volume 1, section 2.7",
        },
        Theory {
            says: "a server of Daytime closes first, so it is the server that remembers",
            source: "RFC 867, \"TCP Based Daytime Service\"",
        },
        Theory {
            says: "every TCP server should set SO_REUSEADDR before bind, or it cannot be started again while \
                   a connection of its last run is left",
            source: "Stevens, UNP, volume 1, section 7.5",
        },
        Theory {
            says: "a socket may be bound there as long as none listens, if SO_REUSEADDR is set; that the \
                   earlier socket, too, must have had it set is said nowhere, and measured here",
            source: "Linux, socket(7)",
        },
        Theory {
            says: "UDP has no connections, so there is nothing to remember",
            source: "RFC 768",
        },
    ],
    lesson: "Set SO_REUSEADDR on every TCP listener, from its first run on. Or let the client close first: \
             then TIME-WAIT is where it hurts nobody.",
    elsewhere: "FreeBSD and its kin ask the later socket only. Linux remembers for 60 s, others for up to 4 \
                minutes. On Windows SO_REUSEADDR means something else: it lets another program take the port.",
    procedures: &[Procedure { engine: Engine::Loopback, knobs: &[], method, predict, run }],
};

/// One way to end and to begin again.
struct Case {
    name: &'static str,
    closes_first: HostId,
    /// `SO_REUSEADDR` on the listener that ends.
    earlier: bool,
    /// `SO_REUSEADDR` on the one that comes after it.
    later: bool,
}

const fn case(name: &'static str, closes_first: HostId, earlier: bool, later: bool) -> Case {
    Case { name, closes_first, earlier, later }
}

const CASES: [Case; 8] = [
    case("server closed first, option on no run", SERVER, false, false),
    case("server closed first, option on run 1", SERVER, true, false),
    case("server closed first, option on run 2", SERVER, false, true),
    case("server closed first, option on both", SERVER, true, true),
    case("client closed first, option on no run", CLIENT, false, false),
    case("client closed first, option on run 1", CLIENT, true, false),
    case("client closed first, option on run 2", CLIENT, false, true),
    case("client closed first, option on both", CLIENT, true, true),
];

const REMEMBERS: [(&str, HostId); 2] = [
    ("server closed first, TIME-WAIT is at the", SERVER),
    ("client closed first, TIME-WAIT is at the", CLIENT),
];
const BINDS: &str = "the same 8 cases";
const OURS: &str = "daytime serve, again at once";
const BOUND: &str = "bound";

fn method(_: &Setting) -> String {
    "A server on a fresh port answers one client, and one of the two closes first. Then the server ends, and \
     another binds the same port at once. Each of them sets SO_REUSEADDR or does not, which makes eight cases, \
     each with a port of its own. At last the service of this program is started, asked, stopped, and started \
     on its old port."
        .into()
}

fn predict(_: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let mut predictions: Vec<Prediction> = CASES
        .iter()
        .map(|case| {
            let free = case.closes_first == CLIENT || (case.earlier && case.later);
            let outcome = if free { BOUND } else { "EADDRINUSE" };
            Prediction::is(tcp, case.name, outcome).varies("some systems ask only the later socket")
        })
        .collect();
    if sys::time_waits().is_some() {
        let at = REMEMBERS.map(|(what, host)| Prediction::is(tcp, what, party(host)));
        predictions.extend(at);
    }
    predictions.push(Prediction::is(tcp, OURS, BOUND));
    predictions.push(Prediction::is(udp, BINDS, binds(CASES.len())));
    predictions.push(Prediction::is(udp, OURS, BOUND));
    predictions
}

fn binds(count: usize) -> Value {
    Value::Count(count as u64, "bind".into())
}

fn party(host: HostId) -> &'static str {
    if host == SERVER { "server" } else { "client" }
}

fn run(_: &Setting) -> Result<Run, Obstacle> {
    let mut run = Run::default();
    let mut datagram_binds = 0;
    for (number, case) in CASES.iter().enumerate() {
        for transport in Transport::BOTH {
            let mut notebook = Notebook::new();
            let Ended { ends, again } = case.try_out(transport, &mut notebook)?;
            if transport == Transport::Udp {
                datagram_binds += usize::from(again.is_ok());
                if number == 0 {
                    run.show(transport, case.name, notebook.finish());
                }
                continue;
            }
            let outcome = again.as_ref().map_or_else(name, |()| BOUND.into());
            run.saw(transport, case.name, outcome);
            if let (false, false, Some(host)) = (case.earlier, case.later, who_remembers(ends)) {
                let what = REMEMBERS.iter().find(|(_, first)| *first == case.closes_first);
                run.saw(transport, what.map_or("", |(what, _)| what), host);
            }
            // Each outcome once is enough to look at: the others differ in the options only.
            if [0, 3, 4].contains(&number) {
                run.show(transport, case.name, notebook.finish());
            }
        }
    }
    run.saw(Transport::Udp, BINDS, binds(datagram_binds));
    for transport in Transport::BOTH {
        run.saw(transport, OURS, restart_ours(transport)?);
    }
    Ok(run)
}

/// The end of a case: where the connection was, and what bind said to the next server.
struct Ended {
    ends: Ends,
    again: io::Result<()>,
}

/// The two ends of a connection.
#[derive(Clone, Copy)]
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

impl Case {
    fn try_out(&self, transport: Transport, notebook: &mut Notebook) -> Result<Ended, Obstacle> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = reusing(transport, self.earlier, notebook).map_err(failed("open a socket"))?;
        bind(notebook, transport, &server, anywhere).map_err(failed("bind to a free port"))?;
        let at = bound(&server)?;
        let exchanged = self.exchange(transport, &server, at, notebook);
        let (client, _open) = exchanged.map_err(failed("have the first exchange"))?;
        close(notebook, SERVER, server);
        let next = reusing(transport, self.later, notebook).map_err(failed("open a socket"))?;
        let ends = Ends { client, server: at };
        Ok(Ended { ends, again: bind(notebook, transport, &next, at) })
    }

    /// One question and answer, and both ends closed; but over UDP a client that does not close first is
    /// left open. Where the client was, and its socket if that is so.
    fn exchange(
        &self,
        transport: Transport,
        server: &Socket,
        at: SocketAddr,
        notebook: &mut Notebook,
    ) -> io::Result<(SocketAddr, Option<Socket>)> {
        let client = ask(notebook, CLIENT, transport, at)?;
        let own = client.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
        let line = line().map_err(io::Error::other)?;
        let stream = answer(notebook, SERVER, transport, server, &line)?;
        match (stream, self.closes_first) {
            (Some(stream), SERVER) => {
                shutdown(&stream, notebook)?;
                hear(notebook, CLIENT, &client, PATIENCE)?;
                hear(notebook, CLIENT, &client, PATIENCE)?;
                close(notebook, CLIENT, client);
                // The client's FIN has come: from now on TIME-WAIT.
                hear(notebook, SERVER, &stream, PATIENCE)?;
                close(notebook, SERVER, stream);
            }
            (Some(stream), _) => {
                hear(notebook, CLIENT, &client, PATIENCE)?;
                close(notebook, CLIENT, client);
                hear(notebook, SERVER, &stream, PATIENCE)?;
                shutdown(&stream, notebook)?;
                wait_until_over(&stream)?;
                close(notebook, SERVER, stream);
            }
            (None, closes_first) => {
                hear(notebook, CLIENT, &client, PATIENCE)?;
                if closes_first == SERVER {
                    return Ok((own, Some(client)));
                }
                close(notebook, CLIENT, client);
            }
        }
        Ok((own, None))
    }
}

/// A server's socket, with `SO_REUSEADDR` if so wanted.
fn reusing(transport: Transport, reuse: bool, notebook: &mut Notebook) -> io::Result<Socket> {
    let socket = open(kind(transport))?;
    if reuse {
        let set = || socket.set_reuse_address(true);
        notebook.call(SERVER, "setsockopt(SO_REUSEADDR)", set, |()| "set".into())?;
    }
    Ok(socket)
}

fn shutdown(stream: &Socket, notebook: &mut Notebook) -> io::Result<()> {
    let shutdown = || stream.shutdown(Shutdown::Write);
    notebook.call(SERVER, "shutdown(SHUT_WR)", shutdown, |()| "FIN sent".into())
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
const LOOKS: usize = 16;

/// Which side has the connection in TIME-WAIT; `None` where the system does not tell. Both ends count: the
/// server's port may be the one that a client had in an earlier run.
fn who_remembers(Ends { client, server }: Ends) -> Option<&'static str> {
    for _ in 0..LOOKS {
        let mut known = sys::time_waits()?.into_iter();
        let found = known.find_map(|it| match (it.local, it.remote) {
            ends if ends == (server, client) => Some(party(SERVER)),
            ends if ends == (client, server) => Some(party(CLIENT)),
            _ => None,
        });
        if found.is_some() {
            return found;
        }
    }
    Some("nowhere")
}

/// What our own service says when it is started on the port that it has just left.
fn restart_ours(transport: Transport) -> Result<String, Obstacle> {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let first = service(transport, anywhere)?;
    let at = first.address;
    client::ask(&at.into(), transport, &Options::default())
        .map_err(io::Error::other)
        .map_err(failed("ask the service"))?;
    drop(first);
    Ok(match service(transport, at) {
        Ok(_) => BOUND.into(),
        Err(Obstacle::Failed(_, cause)) => cause.to_string(),
        Err(other) => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn a_port_is_free_again_where_the_client_closed_first_or_both_runs_have_the_option() {
        let run = check::all_is_as_predicted(&LAB, Knobs::default());
        assert!(check::is_shown(&run, "setsockopt(SO_REUSEADDR)"), "{:?}", run.parts);
        assert_eq!(run.parts.len(), 4);
    }

    #[test]
    fn a_server_that_still_runs_is_not_as_predicted() {
        let running = service(Transport::Tcp, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let running = running.expect("loopback");
        let again = service(Transport::Tcp, running.address).err();
        assert!(matches!(again, Some(Obstacle::Failed(..))), "{again:?}");
    }
}
