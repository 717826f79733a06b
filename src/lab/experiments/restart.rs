//! Lab `restart`: a server ends and is restarted at once on the same port.

use crate::lab::loopback::{
    ANY_PORT, CLIENT, CallError, PATIENCE, RecordedSocket, SERVER, ask, ctime_reply, outcome,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Expected, Lab, Obstacle, Prediction, Procedure, Results, Setting};
use crate::reply::Reply;
use crate::sys;
use crate::trace::HostId;
use crate::transport::Transport::{self, Tcp, Udp};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

pub(super) static LAB: Lab = lab!("restart", [PROCEDURE], Seconds);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run);

/// Which of the server's two runs set `SO_REUSEADDR` on their listener.
#[derive(Clone, Copy, Debug)]
struct Reuse {
    earlier: bool,
    later: bool,
    /// Name of the finding: the second run's bind(2) result if the server closes the connection first.
    label: &'static str,
    /// Which of the two runs set the option, as text for the title of a ladder diagram.
    on: &'static str,
}

const REUSES: [Reuse; 4] = [
    Reuse { earlier: false, later: false, label: "rebind, REUSEADDR: none", on: "neither" },
    Reuse { earlier: true, later: false, label: "rebind, REUSEADDR: 1st", on: "1st run" },
    Reuse { earlier: false, later: true, label: "rebind, REUSEADDR: 2nd", on: "2nd run" },
    Reuse { earlier: true, later: true, label: "rebind, REUSEADDR: both", on: "both" },
];

const TIME_WAIT_SERVER_FIRST: &str = "TIME-WAIT, server first";
const TIME_LEFT: &str = "time left of TIME-WAIT";
const REBIND_CLIENT_FIRST: &str = "rebind, client first";
const TIME_WAIT_CLIENT_FIRST: &str = "TIME-WAIT, client first";
const CLIENT_PORT: &str = "bind() to client's port";
const ALL_CASES: &str = "rebind, all 8 cases";
const BOUND: &str = "bound";
const IN_USE: &str = "EADDRINUSE";

/// Predicted range of the time left in TIME-WAIT. Linux keeps a connection in this state for 60 seconds
/// (`TCP_TIMEWAIT_LEN`), of which a few may pass before the lab reads the state.
const TIME_WAIT_LEFT: [Duration; 2] = [Duration::from_secs(50), Duration::from_mins(1)];

fn predict(_: &Setting) -> Vec<Prediction> {
    let rebind = |reuse: Reuse| {
        let outcome = if reuse.earlier && reuse.later { BOUND } else { IN_USE };
        let prediction = Prediction::is(Tcp, reuse.label, outcome);
        if reuse.later && !reuse.earlier {
            return prediction.varies("some systems ask only the later socket");
        }
        prediction
    };
    let mut predictions = REUSES.map(rebind).to_vec();
    let lists_time_wait = sys::time_waits().is_some();
    if lists_time_wait {
        let [least, most] = TIME_WAIT_LEFT;
        predictions.push(Prediction::is(Tcp, TIME_WAIT_SERVER_FIRST, "server"));
        predictions.push(Prediction::new(Tcp, TIME_LEFT, Expected::between(least, most)));
    }
    predictions.push(Prediction::is(Tcp, REBIND_CLIENT_FIRST, bound_of(4, 4)));
    if lists_time_wait {
        predictions.push(Prediction::is(Tcp, TIME_WAIT_CLIENT_FIRST, "client"));
    }
    let others = "some systems let a client's port be bound again";
    predictions.extend([
        Prediction::is(Tcp, CLIENT_PORT, IN_USE).varies(others),
        Prediction::is(Udp, ALL_CASES, bound_of(8, 8)),
    ]);
    predictions
}

/// Formats the number of successful binds: `bound, 4 of 4`.
fn bound_of(bound: usize, of: usize) -> String {
    format!("{BOUND}, {bound} of {of}")
}

fn host_name(host: HostId) -> &'static str {
    if host == SERVER { "server" } else { "client" }
}

fn run(_: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    server_first(results)?;
    client_first(results)?;
    datagram_cases(results)
}

fn server_first(results: &mut Results) -> Result<(), Obstacle> {
    for (number, reuse) in REUSES.into_iter().enumerate() {
        let Case { recorder, ends, rebind } = try_out(Tcp, SERVER, reuse)?;
        results.observe(Tcp, reuse.label, outcome(&rebind, BOUND));
        if let (0, Some((at, left))) = (number, time_wait(ends)) {
            results.observe(Tcp, TIME_WAIT_SERVER_FIRST, at);
            results.observe(Tcp, TIME_LEFT, left);
        }
        // In a diagram, a case in which only one of the two runs sets the option would look like the first case. So
        // these cases appear in the table, but get no diagram.
        if reuse.earlier == reuse.later {
            results.keep_trace(Tcp, &title(SERVER, reuse), recorder.trace());
        }
    }
    Ok(())
}

fn client_first(results: &mut Results) -> Result<(), Obstacle> {
    let mut bound = 0;
    for (number, reuse) in REUSES.into_iter().enumerate() {
        let Case { recorder, ends, rebind } = try_out(Tcp, CLIENT, reuse)?;
        bound += usize::from(rebind.is_ok());
        // The report draws only the first case: the others differ only in the options set.
        if number == 0 {
            if let Some((at, _)) = time_wait(ends) {
                results.observe(Tcp, TIME_WAIT_CLIENT_FIRST, at);
            }
            let client = RecordedSocket::open(&recorder, CLIENT, Tcp)?;
            let bind = |socket: &Socket| socket.bind(&ends.client.into());
            let rebind = client.call("bind(), the client's port", bind, |()| BOUND.into());
            results.observe(Tcp, CLIENT_PORT, outcome(&rebind, BOUND));
            results.keep_trace(Tcp, &title(CLIENT, reuse), recorder.trace());
        }
    }
    results.observe(Tcp, REBIND_CLIENT_FIRST, bound_of(bound, REUSES.len()));
    Ok(())
}

fn datagram_cases(results: &mut Results) -> Result<(), Obstacle> {
    let (mut tried, mut bound) = (0, 0);
    for closes_first in [SERVER, CLIENT] {
        for reuse in REUSES {
            let Case { recorder, rebind, .. } = try_out(Udp, closes_first, reuse)?;
            if tried == 0 {
                results.keep_trace(Udp, &title(closes_first, reuse), recorder.trace());
            }
            tried += 1;
            bound += usize::from(rebind.is_ok());
        }
    }
    results.observe(Udp, ALL_CASES, bound_of(bound, tried));
    Ok(())
}

fn title(closes_first: HostId, reuse: Reuse) -> String {
    format!("{} closes first, SO_REUSEADDR on {}", host_name(closes_first), reuse.on)
}

/// Result of one case: the connection's addresses, and the result of the second run's bind(2).
struct Case {
    recorder: Recorder,
    ends: Ends,
    rebind: Result<(), CallError>,
}

/// Addresses of a connection's two ends.
#[derive(Clone, Copy)]
struct Ends {
    client: SocketAddr,
    server: SocketAddr,
}

/// Runs one case: serves one client, closes the server's socket, and binds a new server socket to the same port.
fn try_out(transport: Transport, closes_first: HostId, reuse: Reuse) -> Result<Case, Obstacle> {
    let recorder = Recorder::on_loopback();
    let server = server_socket(transport, reuse.earlier, &recorder)?;
    server.serve_at(ANY_PORT)?;
    let at = server.local_address()?;
    let client = ask(&recorder, CLIENT, transport, at)?;
    let ends = Ends { client: client.local_address()?, server: at };
    let _open = exchange(client, &server, closes_first, &ctime_reply()?)?;
    server.close();
    let next = server_socket(transport, reuse.later, &recorder)?;
    let rebind = next.serve_at(at);
    Ok(Case { recorder, ends, rebind })
}

/// Serves one client and closes both ends, in the order that `closes_first` sets. Over UDP, if the server closes first,
/// the client's socket stays open and the function returns it.
fn exchange(
    client: RecordedSocket,
    server: &RecordedSocket,
    closes_first: HostId,
    reply: &Reply,
) -> Result<Option<RecordedSocket>, CallError> {
    let connection = server.answer(reply)?;
    if let (Some(stream), SERVER) = (&connection, closes_first) {
        stream.shutdown()?;
        client.receive_within(PATIENCE)?;
    }
    client.receive_within(PATIENCE)?;
    if connection.is_none() && closes_first == SERVER {
        return Ok(Some(client));
    }
    client.close();
    if let Some(stream) = connection {
        // Waits for the client's FIN. If the server closed first, its TIME-WAIT begins now.
        stream.receive_within(PATIENCE)?;
        if closes_first == CLIENT {
            stream.shutdown()?;
            wait_until_over(&stream)?;
        }
    }
    Ok(None)
}

fn server_socket(
    transport: Transport,
    reuse: bool,
    recorder: &Recorder,
) -> Result<RecordedSocket, CallError> {
    let socket = RecordedSocket::open(recorder, SERVER, transport)?;
    if reuse {
        socket.reuse_address()?;
    }
    Ok(socket)
}

/// Waits until the peer has acknowledged the last FIN. From then on, the socket no longer reports a peer address.
fn wait_until_over(stream: &RecordedSocket) -> Result<(), CallError> {
    let started = Instant::now();
    while stream.socket.peer_addr().is_ok() {
        if started.elapsed() > PATIENCE {
            return Err(CallError::of("close()")(io::ErrorKind::TimedOut.into()));
        }
        thread::yield_now();
    }
    Ok(())
}

/// Maximum number of times that the lab reads the kernel's list of connections. One read may miss an entry while the
/// list changes.
const MAX_READS: usize = 16;

/// Returns which side has the connection in TIME-WAIT, and the time left in this state; `None` if the system does not
/// list such connections. Compares the addresses of both ends, because the server's port may earlier have been a
/// client's port.
fn time_wait(Ends { client, server }: Ends) -> Option<(&'static str, Duration)> {
    for _ in 0..MAX_READS {
        let mut known = sys::time_waits()?.into_iter();
        let found = known.find_map(|it| match (it.local, it.remote) {
            ends if ends == (server, client) => Some((host_name(SERVER), it.left)),
            ends if ends == (client, server) => Some((host_name(CLIENT), it.left)),
            _ => None,
        });
        if found.is_some() {
            return found;
        }
    }
    Some(("nowhere", Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_port_is_free_if_the_client_closed_first_or_both_runs_set_the_option() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "setsockopt(SO_REUSEADDR)"), "{:?}", run.parts);
        assert_eq!(run.parts.len(), 4);
    }
}
