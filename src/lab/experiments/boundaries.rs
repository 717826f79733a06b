//! Writes of one octet each: what the reader makes of them.

use crate::duration::Unit;
use crate::lab::loopback::{CLIENT, Pair, SERVER, ctime_reply, failed, require_loopback, wait_for};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, Value, never,
};
use crate::trace::Trace;
use crate::transport::Transport;
use socket2::Socket;
use std::io::ErrorKind;
use std::panic;
use std::sync::Barrier;
use std::thread;

pub(super) static LAB: Lab = Lab {
    name: "boundaries",
    text: page!("boundaries"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Count.within(1..=MAX_WRITES)],
        values: |setting| vec![("count", writes(setting).to_string())],
        predict,
        run,
    }],
};

/// Octets of the line in the syntax `ctime`, and so writes unless told otherwise.
const WRITES: u32 = 26;
/// More would not fit a datagram socket that is not read meanwhile.
const MAX_WRITES: u32 = 200;

/// How often the client reads while the server writes: each time it may be otherwise.
const FREE_RUNS: usize = 5;

const WRITTEN: &str = "writes made";
const ALL: &str = "octets in all";
const LATE: &str = "reads at the end";
const BETWEEN: &str = "reads, one in between";
const FIRST: &str = "octets of the first read";
const MEANWHILE: &str = "reads meanwhile";

/// When the client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// When everything has arrived.
    AtTheEnd,
    /// Between the first write and the second, and when everything has arrived.
    InBetween,
    /// While the server writes, which begins when the client is about to read.
    Meanwhile,
}

fn writes(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(WRITES)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let writes: u64 = writes(setting).into();
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let each = |what| Prediction::is(udp, what, (writes, "read"));
    vec![
        Prediction::is(tcp, WRITTEN, (writes, "write")),
        Prediction::is(tcp, ALL, (writes, "octet")),
        Prediction::is(tcp, LATE, (1, "read")),
        Prediction::is(tcp, BETWEEN, (writes.min(2), "read")),
        Prediction::is(tcp, FIRST, (1, "octet")),
        Prediction::is(udp, WRITTEN, (writes, "write")),
        Prediction::is(udp, ALL, (writes, "octet")),
        each(LATE),
        each(BETWEEN),
        Prediction::is(udp, FIRST, (1, "octet")),
        each(MEANWHILE),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let line = ctime_reply()?;
    let writes = writes(setting) as usize;
    let message: Vec<u8> = line.octets().iter().copied().cycle().take(writes).collect();
    let mut run = Run::default();
    for transport in Transport::BOTH {
        compare(transport, &message, &mut run)?;
    }
    Ok(run)
}

/// All three readers.
fn compare(transport: Transport, message: &[u8], run: &mut Run) -> Result<(), Obstacle> {
    let late = exchange(transport, Reader::AtTheEnd, message)?;
    let between = exchange(transport, Reader::InBetween, message)?;
    let mut free = Vec::new();
    for _ in 0..FREE_RUNS {
        free.push(exchange(transport, Reader::Meanwhile, message)?);
    }
    free.sort_by_key(|it| it.reads.len());
    let all = || [&late, &between].into_iter().chain(&free);
    let reads = |it: &Exchange| distinct_counts([it.reads.len()], "read");
    run.observe(transport, WRITTEN, distinct_counts(all().map(|it| it.writes), "write"));
    run.observe(transport, ALL, distinct_counts(all().map(|it| it.reads.iter().sum()), "octet"));
    run.observe(transport, LATE, reads(&late));
    run.observe(transport, BETWEEN, reads(&between));
    run.observe(transport, FIRST, distinct_counts(between.reads.first().copied(), "octet"));
    run.show(transport, LATE, late.trace);
    run.show(transport, BETWEEN, between.trace);
    match transport {
        // Any number from one to the writes may be: that is for the eye, and nothing to be predicted.
        Transport::Tcp => {
            let (fewest, most) = (free[0].reads.len(), free[FREE_RUNS - 1].reads.len());
            let title = format!("{MEANWHILE}: {fewest} to {most}");
            run.show(transport, &title, free.swap_remove(FREE_RUNS - 1).trace);
        }
        // Each is read by itself again, in one order or another.
        Transport::Udp => {
            run.observe(
                transport,
                MEANWHILE,
                distinct_counts(free.iter().map(|it| it.reads.len()), "read"),
            );
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

fn exchange(transport: Transport, reader: Reader, message: &[u8]) -> Result<Exchange, Obstacle> {
    let recorder = Recorder::on_loopback();
    let pair = Pair::new(transport, &recorder)?;
    if transport == Transport::Tcp {
        // Else Nagle's algorithm would hold octets back (RFC 9293, 3.7.4), and the question is another.
        pair.server.set_tcp_nodelay(true).map_err(failed("set TCP_NODELAY"))?;
    }
    let (writes, reads) = match reader {
        Reader::AtTheEnd => in_pieces(transport, &pair, &[message], &recorder)?,
        Reader::InBetween => {
            let (first, rest) = message.split_at(1);
            in_pieces(transport, &pair, &[first, rest], &recorder)?
        }
        Reader::Meanwhile => meanwhile(&pair, message, &recorder)?,
    };
    Ok(Exchange { trace: recorder.short_trace(), writes, reads })
}

/// Has each piece written, and read when all of it has arrived. How many writes there were, and what each
/// read gave.
fn in_pieces(
    transport: Transport,
    pair: &Pair,
    pieces: &[&[u8]],
    recorder: &Recorder,
) -> Result<(usize, Vec<usize>), Obstacle> {
    let (mut writes, mut reads) = (0, Vec::new());
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        writes += write(&pair.server, piece, recorder)?;
        if transport == Transport::Tcp {
            wait_for(&pair.client, piece.len())?;
        }
        reads.extend(read(&pair.client, piece.len(), recorder)?);
    }
    Ok((writes, reads))
}

/// With the server in a thread of its own, which begins when the client is about to read.
fn meanwhile(
    pair: &Pair,
    message: &[u8],
    recorder: &Recorder,
) -> Result<(usize, Vec<usize>), Obstacle> {
    let both = Barrier::new(2);
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("lab server".into());
        let serve = || {
            both.wait();
            write(&pair.server, message, recorder)
        };
        let writing = thread.spawn_scoped(scope, serve).map_err(failed("start a thread"))?;
        both.wait();
        let reads = read(&pair.client, message.len(), recorder);
        let writes = writing.join().unwrap_or_else(|defect| panic::resume_unwind(defect))?;
        Ok((writes, reads?))
    })
}

/// Writes octet by octet; tells how many writes that were.
fn write(server: &Socket, message: &[u8], recorder: &Recorder) -> Result<usize, Obstacle> {
    let mut writes = 0;
    for octet in message.chunks(1) {
        recorder.send(SERVER, server, octet).map_err(failed("send"))?;
        writes += 1;
    }
    Ok(writes)
}

/// Reads until so many octets have come, or no more do.
fn read(client: &Socket, all: usize, recorder: &Recorder) -> Result<Vec<usize>, Obstacle> {
    let mut reads = Vec::new();
    while reads.iter().sum::<usize>() < all {
        match recorder.receive(CLIENT, client, 1024) {
            Ok(part) => reads.push(part.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(failed("recv")(error)),
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
