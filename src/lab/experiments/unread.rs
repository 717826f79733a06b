//! Lab `unread`: what a client receives if the server closes without reading the client's data.

mod netns;

use crate::lab::loopback::{
    ANY_PORT, CLIENT, CallError, PATIENCE, Pair, REPLY_OCTETS, RecordedSocket, ctime_reply,
    error_name, failed, octets, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting, Value,
};
use crate::server::{Config, Server};
use crate::syntax::Syntax;
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use socket2::Socket;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

pub(super) static LAB: Lab = lab!("unread", [PROCEDURE, netns::PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Count.within(1..=MAX_REPETITIONS)], |setting| {
        vec![("count", count(setting).to_string())]
    });

const REPETITIONS: u32 = 50;
const MAX_REPETITIONS: u32 = 1000;

/// Data that the client sends.
const INPUT: &[u8] = b"hello";

const CLOSED_UNREAD: &str = "closed with input unread";
const SHUT_AND_DRAINED: &str = "shut down and drained";
const ANY_INPUT: &str = "with all input ignored";

fn count(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(REPETITIONS)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let count = count(setting);
    let all = |then: &str| tally_entry(count, &format!("{}, then {then}", octets(REPLY_OCTETS)));
    let thrown_away = "BSD and Windows throw away what came before the reset";
    vec![
        Prediction::is(Tcp, CLOSED_UNREAD, all("ECONNRESET")).varies(thrown_away),
        Prediction::is(Tcp, SHUT_AND_DRAINED, all(END_OF_STREAM)),
        Prediction::is(Udp, CLOSED_UNREAD, all("EAGAIN")),
        Prediction::is(Udp, ANY_INPUT, all("EAGAIN")),
    ]
}

/// Outcome of a read that returns 0, which means end of stream.
const END_OF_STREAM: &str = "the end";

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let addresses = vec![ANY_PORT];
    let config = Config { addresses, syntax: Syntax::Ctime, ..Config::default() };
    let server = Server::bind(config).map_err(io::Error::other);
    let service = server.and_then(Server::spawn).map_err(failed("start a server"))?;
    for transport in Transport::BOTH {
        let (trace, seen) = repeat(setting, || careless(transport))?;
        results.observe(transport, CLOSED_UNREAD, seen);
        results.keep_trace(transport, CLOSED_UNREAD, trace);
        let what = if transport == Tcp { SHUT_AND_DRAINED } else { ANY_INPUT };
        let (trace, seen) = repeat(setting, || polite(transport, service.bound()[0].address))?;
        results.observe(transport, what, seen);
        results.keep_trace(transport, what, trace);
    }
    Ok(())
}

/// Returns how many clients had this result: `50 clients: 26 octets, then the end`. The sign × is left to the drawing,
/// where it counts calls.
fn tally_entry(clients: u32, result: &str) -> String {
    format!("{}: {result}", Value::from((u64::from(clients), "client")))
}

/// Repeats an exchange, each time with a new client. Returns the first exchange's trace, and the results of all
/// clients.
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
        tally.into_iter().map(|(seen, clients)| tally_entry(clients, &seen)).collect();
    Ok((first.unwrap_or_default(), seen.join("; ")))
}

/// Runs an exchange with a server that replies and closes although it has not read all input.
fn careless(transport: Transport) -> Result<(Trace, String), Obstacle> {
    let recorder = Recorder::on_loopback();
    let Pair { client, server } = Pair::new(transport, &recorder)?;
    client.send(INPUT)?;
    match transport {
        Tcp => server.wait_for(INPUT.len())?,
        Udp => {
            client.send(INPUT)?;
            server.receive(1024)?;
            let peek = |socket: &Socket| within_timeout(socket, || socket.peek_sender());
            server.unrecorded("recvfrom(), MSG_PEEK", peek)?;
        }
    }
    server.send(ctime_reply()?.octets())?;
    server.close_with("0, input unread");
    let seen = receive_all(&client)?;
    Ok((recorder.short_trace(), seen))
}

/// Runs an exchange with this crate's own service. The trace shows only the client's calls, because the service does
/// not record its own.
fn polite(transport: Transport, service: SocketAddr) -> Result<(Trace, String), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = RecordedSocket::open(&recorder, CLIENT, transport)?;
    client.connect_as("connect()", service)?;
    client.send(INPUT)?;
    let seen = receive_all(&client)?;
    Ok((recorder.short_trace(), seen))
}

/// Receives until nothing more arrives. Returns the number of octets and the last result as text: `26 octets, then
/// ECONNRESET`.
fn receive_all(client: &RecordedSocket) -> Result<String, CallError> {
    let mut all = 0;
    let end = loop {
        match client.receive(1024) {
            Ok(part) if part.is_empty() => break END_OF_STREAM.to_owned(),
            Ok(part) => all += part.len(),
            Err(error) => break error_name(&error.cause),
        }
        // A datagram socket never reports end of stream, so the receives after the first do not wait.
        client.set_nonblocking(client.transport == Udp)?;
    };
    Ok(format!("{}, then {end}", octets(all)))
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_close_with_unread_input_resets_and_a_drained_one_does_not() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "close()"), "{:?}", run.parts);
    }

    #[test]
    fn the_table_counts_clients_in_words_because_the_drawing_counts_calls_with_a_sign() {
        let run = check::all_is_as_predicted(
            &LAB,
            LabOptions { count: Some(2), ..LabOptions::default() },
        );
        for finding in &run.findings {
            let value = finding.observed().expect("observed").to_string();
            assert!(value.starts_with("2 clients: ") && !value.contains('×'), "{value}");
        }
        assert_eq!(tally_entry(1, "26 octets"), "1 client: 26 octets");
    }

    #[test]
    fn the_option_count_sets_the_repetitions_up_to_the_limit() {
        for count in [1, 2, MAX_REPETITIONS] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { count: Some(count), ..LabOptions::default() },
            );
        }
    }
}
