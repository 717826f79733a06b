//! A client that talks to a server that does not listen.

use crate::duration::Unit;
use crate::lab::loopback::{
    CLIENT, LINE, Notebook, PATIENCE, Pair, SERVER, failed, in_time, line, name, octets, open,
    present, recv, taken, wait_for,
};
use crate::lab::netns::runs::unread as netns;
use crate::lab::{Engine, Knob, Lab, Obstacle, Prediction, Procedure, Run, Setting, draws_nothing};
use crate::server::{Config, Server};
use crate::syntax::Syntax;
use crate::trace::Trace;
use crate::transport::Transport;
use socket2::{Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Instant;

pub(super) static LAB: Lab = Lab {
    name: "unread",
    text: page!("unread"),
    time_unit: Unit::Milliseconds,
    procedures: &[
        Procedure {
            engine: Engine::Loopback,
            draws: draws_nothing,
            knobs: &[Knob::Count.within(1..=MOST)],
            values: |setting| vec![("count", count(setting).to_string())],
            predict,
            run,
        },
        netns::PROCEDURE,
    ],
};

const COUNT: u32 = 50;
const MOST: u32 = 1000;

/// What the client says.
const TALK: &[u8] = b"hello";

const CLOSED: &str = "closed with input unread";
const DRAINED: &str = "shut down and drained";
const ANY_INPUT: &str = "with all input ignored";

fn count(setting: &Setting) -> u32 {
    setting.knobs.count.unwrap_or(COUNT)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let count = count(setting);
    let all = |then: &str| format!("{count} × {}, then {then}", octets(LINE));
    let thrown_away = "BSD and Windows throw away what came before the reset";
    vec![
        Prediction::is(tcp, CLOSED, all("ECONNRESET")).varies(thrown_away),
        Prediction::is(tcp, DRAINED, all(END)),
        Prediction::is(udp, CLOSED, all("EAGAIN")),
        Prediction::is(udp, ANY_INPUT, all("EAGAIN")),
    ]
}

/// What a read of no octets means on a stream.
const END: &str = "the end";

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    present()?;
    let addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
    let config = Config { addresses, syntax: Syntax::Ctime, ..Config::default() };
    let server = Server::bind(config).map_err(io::Error::other);
    let service = server.and_then(Server::spawn).map_err(failed("start a server"))?;
    let mut run = Run::default();
    for transport in Transport::BOTH {
        let (trace, seen) = repeat(setting, || careless(transport))?;
        run.saw(transport, CLOSED, seen);
        run.show(transport, CLOSED, trace);
        let what = if transport == Transport::Tcp { DRAINED } else { ANY_INPUT };
        let (trace, seen) = repeat(setting, || polite(transport, service.bound()[0].address))?;
        run.saw(transport, what, seen);
        run.show(transport, what, trace);
    }
    Ok(run)
}

/// The first trace, and how often the client saw what: `50 × 26 octets, then the end`.
fn repeat(
    setting: &Setting,
    exchange: impl Fn() -> Result<(Trace, String), Obstacle>,
) -> Result<(Trace, String), Obstacle> {
    let (mut first, mut tally) = (None, BTreeMap::<String, u32>::new());
    let started = Instant::now();
    for _ in 0..count(setting) {
        if started.elapsed() > PATIENCE {
            return Err(Obstacle::TooLate("the end of all exchanges".into(), PATIENCE));
        }
        let (trace, seen) = exchange()?;
        first.get_or_insert(trace);
        *tally.entry(seen).or_default() += 1;
    }
    let seen: Vec<String> =
        tally.into_iter().map(|(seen, times)| format!("{times} × {seen}")).collect();
    Ok((first.unwrap_or_default(), seen.join("; ")))
}

/// The server answers and closes while something is unread.
fn careless(transport: Transport) -> Result<(Trace, String), Obstacle> {
    let mut notebook = Notebook::new();
    let Pair { client, server } = Pair::new(transport, &mut notebook)?;
    talk(&client, &mut notebook)?;
    match transport {
        Transport::Tcp => wait_for(&server, TALK.len())?,
        Transport::Udp => {
            talk(&client, &mut notebook)?;
            notebook
                .call(SERVER, "recv(1024)", || recv(&server, 1024), taken)
                .map_err(failed("receive the question"))?;
            in_time(&server, || server.peek_sender())
                .map_err(failed("wait for the second datagram"))?;
        }
    }
    let reply = line()?;
    notebook
        .call(SERVER, "send(26)", || server.send(reply.octets()), |sent| octets(*sent))
        .map_err(failed("send the line"))?;
    let mut server = Some(server);
    let close = || {
        drop(server.take());
        Ok(())
    };
    notebook
        .call(SERVER, "close()", close, |()| "done, input unread".into())
        .map_err(failed("close"))?;
    let seen = listen(&client, &mut notebook)?;
    Ok((notebook.finish_short(), seen))
}

/// The service of this suite answers. Its calls are its own, so the trace has the client's only.
fn polite(transport: Transport, service: SocketAddr) -> Result<(Trace, String), Obstacle> {
    let mut notebook = Notebook::new();
    let kind = if transport == Transport::Tcp { Type::STREAM } else { Type::DGRAM };
    let client = open(kind).map_err(failed("open a socket"))?;
    let connect = || client.connect(&service.into());
    notebook
        .call(CLIENT, "connect()", connect, |()| "connected".into())
        .map_err(failed("connect to the server"))?;
    talk(&client, &mut notebook)?;
    let seen = listen(&client, &mut notebook)?;
    Ok((notebook.finish_short(), seen))
}

fn talk(client: &Socket, notebook: &mut Notebook) -> Result<(), Obstacle> {
    notebook
        .call(CLIENT, "send(5)", || client.send(TALK), |sent| octets(*sent))
        .map(drop)
        .map_err(failed("send"))
}

/// Receives until nothing more comes, and tells all of it.
fn listen(client: &Socket, notebook: &mut Notebook) -> Result<String, Obstacle> {
    let datagrams = client.r#type().map_err(failed("ask for SO_TYPE"))? == Type::DGRAM;
    let mut all = 0;
    let end = loop {
        let take = || recv(client, 1024);
        let received = if all > 0 && datagrams {
            notebook.call_at_once(CLIENT, "recv(1024)", take, taken)
        } else {
            notebook.call(CLIENT, "recv(1024)", take, taken)
        };
        match received {
            Ok(part) if part.is_empty() => break END.to_owned(),
            Ok(part) => all += part.len(),
            Err(error) => break name(&error),
        }
        // A datagram has no end to wait for: what is to come behind it is there, or is not.
        client.set_nonblocking(datagrams).map_err(failed("set O_NONBLOCK"))?;
    };
    Ok(format!("{}, then {end}", octets(all)))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn who_closes_with_input_unread_resets_and_who_drains_does_not() {
        let run = check::all_is_as_predicted(&LAB, Knobs::default());
        assert!(check::is_shown(&run, "close()"), "{:?}", run.parts);
    }

    #[test]
    fn it_is_done_as_often_as_was_told_and_up_to_a_limit() {
        for count in [1, 2, MOST] {
            check::all_is_as_predicted(&LAB, Knobs { count: Some(count), ..Knobs::default() });
        }
    }
}
