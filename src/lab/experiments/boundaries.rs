//! Writes of one octet each: what the reader makes of them.

use crate::lab::loopback::{CallError, Pair, RecordedSocket, ctime_reply, failed};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, Value};
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use std::io::ErrorKind;
use std::panic;
use std::sync::Barrier;
use std::thread;

pub(super) static LAB: Lab = lab!("boundaries", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Count.within(1..=MAX_WRITES)], |setting| {
        vec![("count", writes(setting).to_string())]
    });

/// Octets of the line in the syntax `ctime`, and so writes unless told otherwise.
const WRITES: u32 = 26;
/// More would not fit a datagram socket that is not read meanwhile.
const MAX_WRITES: u32 = 200;

/// How often the client reads while the server writes: each time it may be otherwise.
const FREE_RUNS: usize = 5;

const WRITES_MADE: &str = "writes made";
const ALL_OCTETS: &str = "octets received";
const READS_AT_END: &str = "reads after all writes";
const READS_BETWEEN: &str = "reads, 1 between writes";
const FIRST_READ: &str = "octets of the first read";
const READS_MEANWHILE: &str = "reads during the writes";

fn writes(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(WRITES)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let writes: u64 = writes(setting).into();
    let both = |transport, reads: [u64; 2]| {
        [
            Prediction::is(transport, WRITES_MADE, (writes, "write")),
            Prediction::is(transport, ALL_OCTETS, (writes, "octet")),
            Prediction::is(transport, READS_AT_END, (reads[0], "read")),
            Prediction::is(transport, READS_BETWEEN, (reads[1], "read")),
            Prediction::is(transport, FIRST_READ, (1, "octet")),
        ]
    };
    let mut predictions = [both(Tcp, [1, writes.min(2)]), both(Udp, [writes; 2])].concat();
    predictions.push(Prediction::is(Udp, READS_MEANWHILE, (writes, "read")));
    predictions
}

fn run(setting: &Setting, run: &mut Run) -> Result<(), Obstacle> {
    let line = ctime_reply()?;
    let writes = writes(setting) as usize;
    let message: Vec<u8> = line.octets().iter().copied().cycle().take(writes).collect();
    for transport in Transport::BOTH {
        compare(transport, &message, run)?;
    }
    Ok(())
}

/// Reads when all has arrived, then once in between too, and then while the server writes.
fn compare(transport: Transport, message: &[u8], run: &mut Run) -> Result<(), Obstacle> {
    let (first, rest) = message.split_at(1);
    let late = exchange(transport, |pair| in_pieces(pair, &[message]))?;
    let between = exchange(transport, |pair| in_pieces(pair, &[first, rest]))?;
    let mut free = Vec::new();
    for _ in 0..FREE_RUNS {
        free.push(exchange(transport, |pair| meanwhile(pair, message))?);
    }
    free.sort_by_key(|it| it.reads.len());
    let all = || [&late, &between].into_iter().chain(&free);
    let reads = |it: &Exchange| it.reads.len();
    let octets = all().map(|it| it.reads.iter().sum());
    run.observe(transport, WRITES_MADE, distinct_counts(all().map(|it| it.writes), "write"));
    run.observe(transport, ALL_OCTETS, distinct_counts(octets, "octet"));
    run.observe(transport, READS_AT_END, distinct_counts([reads(&late)], "read"));
    run.observe(transport, READS_BETWEEN, distinct_counts([reads(&between)], "read"));
    run.observe(transport, FIRST_READ, distinct_counts(between.reads.first().copied(), "octet"));
    run.show(transport, READS_AT_END, late.trace);
    run.show(transport, READS_BETWEEN, between.trace);
    match transport {
        // Any number from one to the writes may be: that is for the eye, and nothing to be predicted.
        Tcp => {
            let (fewest, most) = (reads(&free[0]), reads(&free[FREE_RUNS - 1]));
            let title = format!("{READS_MEANWHILE}: {fewest} to {most}");
            run.show(transport, &title, free.swap_remove(FREE_RUNS - 1).trace);
        }
        // Each is read by itself again, in one order or another.
        Udp => {
            let reads = distinct_counts(free.iter().map(reads), "read");
            run.observe(transport, READS_MEANWHILE, reads);
        }
    }
    Ok(())
}

/// How many it was each time; if it was not the same each time, all of them.
fn distinct_counts(counts: impl IntoIterator<Item = usize>, of: &'static str) -> Value {
    let mut counts: Vec<usize> = counts.into_iter().collect();
    counts.dedup();
    match counts[..] {
        [count] => (count as u64, of).into(),
        _ => format!("{counts:?}").into(),
    }
}

/// What became of a line.
struct Exchange {
    trace: Trace,
    writes: usize,
    /// What each read gave.
    reads: Vec<usize>,
}

/// Has a message written and read. Returns with the trace how many writes there were, and what each read gave.
fn exchange(
    transport: Transport,
    write_and_read: impl Fn(&Pair) -> Result<(usize, Vec<usize>), Obstacle>,
) -> Result<Exchange, Obstacle> {
    let recorder = Recorder::on_loopback();
    let pair = Pair::new(transport, &recorder)?;
    if transport == Tcp {
        // Else Nagle's algorithm would hold octets back (RFC 9293, 3.7.4), and the question is another.
        pair.server.unrecorded("setsockopt(TCP_NODELAY)", |it| it.set_tcp_nodelay(true))?;
    }
    let (writes, reads) = write_and_read(&pair)?;
    Ok(Exchange { trace: recorder.short_trace(), writes, reads })
}

/// Has each piece written, and read when all of it has arrived.
fn in_pieces(
    Pair { client, server }: &Pair,
    pieces: &[&[u8]],
) -> Result<(usize, Vec<usize>), Obstacle> {
    let (mut writes, mut reads) = (0, Vec::new());
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        writes += write(server, piece)?;
        if server.transport == Tcp {
            client.wait_for(piece.len())?;
        }
        reads.extend(read(client, piece.len())?);
    }
    Ok((writes, reads))
}

/// With the server in a thread of its own, which begins when the client is about to read.
fn meanwhile(
    Pair { client, server }: &Pair,
    message: &[u8],
) -> Result<(usize, Vec<usize>), Obstacle> {
    let both = Barrier::new(2);
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("lab server".into());
        let serve = || {
            both.wait();
            write(server, message)
        };
        let writing = thread.spawn_scoped(scope, serve).map_err(failed("start a thread"))?;
        both.wait();
        let reads = read(client, message.len());
        let writes = writing.join().unwrap_or_else(|defect| panic::resume_unwind(defect))?;
        Ok((writes, reads?))
    })
}

/// Writes octet by octet. Returns the number of writes.
fn write(server: &RecordedSocket, message: &[u8]) -> Result<usize, CallError> {
    message.chunks(1).try_fold(0, |writes, octet| server.send(octet).map(|_| writes + 1))
}

/// Reads until this number of octets has come, or no more do.
fn read(client: &RecordedSocket, all: usize) -> Result<Vec<usize>, CallError> {
    let mut reads = Vec::new();
    while reads.iter().sum::<usize>() < all {
        match client.receive(1024) {
            Ok(part) => reads.push(part.len()),
            Err(error) if error.cause.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(reads)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn datagrams_keep_the_boundaries_and_a_stream_does_not() {
        check::all_is_as_predicted(&LAB, LabOptions::default());
        check::all_is_as_predicted(&LAB, LabOptions { count: Some(1), ..LabOptions::default() });
    }

    #[test]
    fn a_socket_holds_as_many_as_can_be_asked_for() {
        let run = check::all_is_as_predicted(
            &LAB,
            LabOptions { count: Some(MAX_WRITES), ..LabOptions::default() },
        );
        assert!(check::is_shown(&run, "send(1) × 200"), "{:?}", run.parts);
    }

    #[test]
    fn a_count_that_was_not_the_same_each_time_is_told_with_all_of_them() {
        assert_eq!(distinct_counts([26, 26], "write"), (26, "write").into());
        assert_eq!(distinct_counts([26, 1], "write"), "[26, 1]".into());
    }
}
