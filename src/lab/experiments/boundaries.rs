//! Lab `boundaries`: a server writes a reply octet by octet, and the lab counts the reads that the client needs.

use crate::lab::loopback::{CallError, Pair, RecordedSocket, ctime_reply, failed, octets};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting, Value,
};
use crate::trace::Trace;
use crate::transport::Transport::{self, Tcp, Udp};
use std::io::ErrorKind;
use std::panic;
use std::sync::Barrier;
use std::thread;

pub(super) static LAB: Lab = lab!("boundaries", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run).with(
    &[LabOption::Count.within(1..=MAX_WRITES)],
    |setting| {
        let count = writes(setting);
        vec![("count", count.to_string()), ("octets", octets(count as usize))]
    },
);

/// Default number of writes: one for each octet of a reply in `ctime` syntax.
const WRITES: u32 = 26;
/// Maximum number of writes. More datagrams would not fit into the receive buffer while the client is not reading.
const MAX_WRITES: u32 = 200;

/// Number of repetitions of the case in which the client reads while the server writes. The number of reads may differ
/// from one repetition to the next.
const FREE_RUNS: usize = 5;

const WRITES_MADE: &str = "writes made";
const ALL_OCTETS: &str = "octets received";
const READS_AT_END: &str = "reads after all writes";
const READS_BETWEEN: &str = "reads, first one early";
const FIRST_READ: &str = "octets of early read";
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
    // Over TCP each read may return any number of octets, from one to all of them.
    let reads = Expected::between((1, "read"), (writes, "read"));
    predictions.push(Prediction::new(Tcp, READS_MEANWHILE, reads));
    predictions.push(Prediction::is(Udp, READS_MEANWHILE, (writes, "read")));
    predictions
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    let line = ctime_reply()?;
    let writes = writes(setting) as usize;
    let message: Vec<u8> = line.octets().iter().copied().cycle().take(writes).collect();
    for transport in Transport::BOTH {
        compare(transport, &message, results)?;
    }
    Ok(())
}

/// Runs the exchange in three ways: the client reads after all writes; it reads once after the first write and again
/// after the last one; or it reads while the server writes.
fn compare(transport: Transport, message: &[u8], results: &mut Results) -> Result<(), Obstacle> {
    let (first, rest) = message.split_at(1);
    let late = exchange(transport, |pair| in_pieces(pair, &[message]))?;
    let between = exchange(transport, |pair| in_pieces(pair, &[first, rest]))?;
    let mut free = Vec::new();
    for _ in 0..FREE_RUNS {
        free.push(exchange(transport, |pair| meanwhile(pair, message))?);
    }
    let all = || [&late, &between].into_iter().chain(&free);
    let reads = |it: &Exchange| it.reads.len();
    let octets = all().map(|it| it.reads.iter().sum());
    results.observe(transport, WRITES_MADE, distinct_counts(all().map(|it| it.writes), "write"));
    results.observe(transport, ALL_OCTETS, distinct_counts(octets, "octet"));
    results.observe(transport, READS_AT_END, distinct_counts([reads(&late)], "read"));
    results.observe(transport, READS_BETWEEN, distinct_counts([reads(&between)], "read"));
    results.observe(
        transport,
        FIRST_READ,
        distinct_counts(between.reads.first().copied(), "octet"),
    );
    results.keep_trace(transport, READS_AT_END, late.trace);
    results.keep_trace(transport, READS_BETWEEN, between.trace);
    // Over TCP the number of reads varies between repetitions, so the table shows the largest number. Over UDP all
    // numbers should be equal.
    let reads_meanwhile = match transport {
        Tcp => distinct_counts(free.iter().map(reads).max(), "read"),
        Udp => distinct_counts(free.iter().map(reads), "read"),
    };
    results.observe(transport, READS_MEANWHILE, reads_meanwhile);
    Ok(())
}

/// Returns the count if all counts are equal, otherwise a list of the counts.
fn distinct_counts(counts: impl IntoIterator<Item = usize>, of: &'static str) -> Value {
    let mut counts: Vec<usize> = counts.into_iter().collect();
    counts.dedup();
    match counts[..] {
        [count] => (count as u64, of).into(),
        _ => format!("{counts:?}").into(),
    }
}

/// The trace of one message, with the numbers of writes and reads.
struct Exchange {
    trace: Trace,
    writes: usize,
    /// Number of octets that each read returned.
    reads: Vec<usize>,
}

/// Opens a pair of sockets, and runs `write_and_read`, which returns the number of writes and the number of octets that
/// each read returned.
fn exchange(
    transport: Transport,
    write_and_read: impl Fn(&Pair) -> Result<(usize, Vec<usize>), Obstacle>,
) -> Result<Exchange, Obstacle> {
    let recorder = Recorder::on_loopback();
    let pair = Pair::new(transport, &recorder)?;
    if transport == Tcp {
        // Without this option, Nagle's algorithm would delay octets (RFC 9293, section 3.7.4).
        pair.server.unrecorded("setsockopt(TCP_NODELAY)", |it| it.set_tcp_nodelay(true))?;
    }
    let (writes, reads) = write_and_read(&pair)?;
    Ok(Exchange { trace: recorder.short_trace(), writes, reads })
}

/// Writes the pieces one by one, and reads each piece after all of its octets have arrived.
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

/// Writes in a separate thread while the client reads; both start at the same moment.
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

/// Writes the message octet by octet. Returns the number of writes.
fn write(server: &RecordedSocket, message: &[u8]) -> Result<usize, CallError> {
    message.chunks(1).try_fold(0, |writes, octet| server.send(octet).map(|_| writes + 1))
}

/// Reads until this number of octets has arrived, or until a read times out. Returns the number of octets in each read.
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
    fn a_socket_holds_the_maximum_number_of_datagrams() {
        let run = check::all_is_as_predicted(
            &LAB,
            LabOptions { count: Some(MAX_WRITES), ..LabOptions::default() },
        );
        assert!(check::is_shown(&run, "send(1) × 200"), "{:?}", run.parts);
    }

    #[test]
    fn counts_that_differ_are_shown_as_a_list() {
        assert_eq!(distinct_counts([26, 26], "write"), (26, "write").into());
        assert_eq!(distinct_counts([26, 1], "write"), "[26, 1]".into());
    }
}
