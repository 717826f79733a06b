//! Writes of one octet each: what the reader makes of them.

use crate::lab::loopback::{
    CLIENT, Notebook, Pair, SERVER, failed, line, octets, recv, taken, wait_for,
};
use crate::lab::{
    Engine, Expected, Knob, Lab, Obstacle, Prediction, Procedure, Run, Setting, Theory,
};
use crate::trace::Trace;
use crate::transport::Transport;
use socket2::Socket;
use std::io::{ErrorKind, Write};
use std::panic;
use std::thread;

pub(super) static LAB: Lab = Lab {
    name: "boundaries",
    question: "Does a write stay a message?",
    theory: &[
        Theory {
            says: "TCP carries a continuous stream of octets; where one send ended and the next began is \
                   not part of it",
            source: "RFC 9293, section 3.7",
        },
        Theory {
            says: "one datagram is one message: its header has a length of its own, and one receive takes one",
            source: "RFC 768, \"Fields\"",
        },
        Theory {
            says: "a read on a stream may give less than was asked for, so a client reads in a loop until \
                   the end; the book's daytime client does",
            source: "Stevens, UNP, volume 1, sections 1.2 and 3.9",
        },
    ],
    lesson: "The number of reads says nothing about the number of writes, and one recv(1024) may give any \
             part of the line. Over TCP read until the end of the stream; over UDP one read is the message.",
    elsewhere: "How much of a stream one read finds depends on the kernel, the load and the moment. With a \
                network between the two, Nagle's algorithm and lost segments change it as well.",
    procedures: &[Procedure {
        engine: Engine::Loopback,
        knobs: &[Knob::Count.within(1..=MOST)],
        method,
        predict,
        run,
    }],
};

/// Octets of the line in the syntax `ctime`, and so writes unless told otherwise.
const WRITES: u32 = 26;
/// More would not fit a datagram socket that is not read meanwhile.
const MOST: u32 = 200;

const ALL: &str = "octets in all";
const AT_ONCE: &str = "reads, if it reads at once";
const FIRST: &str = "the first recv(1024) then gives";
const LATE: &str = "reads, if it reads at the end";

/// When the client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    /// While the server still writes.
    AtOnce,
    /// When everything has arrived.
    Late,
}

fn writes(setting: &Setting) -> u32 {
    setting.knobs.count.unwrap_or(WRITES)
}

fn method(setting: &Setting) -> String {
    let writes = writes(setting);
    format!(
        "A server sends a line of {writes} octets in {writes} writes of one octet, with TCP_NODELAY on the \
         stream. The client calls recv(1024) until it has them all: first while the server still writes, then \
         once everything has arrived. --count sets the writes, up to {MOST}."
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let writes: u64 = writes(setting).into();
    let upto = |of| Expected::Between((1, of).into(), (writes, of).into());
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    vec![
        Prediction::is(tcp, ALL, (writes, "octet")),
        Prediction::new(tcp, AT_ONCE, upto("read")),
        Prediction::new(tcp, FIRST, upto("octet")),
        Prediction::is(tcp, LATE, (1, "read")),
        Prediction::is(udp, ALL, (writes, "octet")),
        Prediction::is(udp, AT_ONCE, (writes, "read")),
        Prediction::is(udp, FIRST, (1, "octet")),
        Prediction::is(udp, LATE, (writes, "read")),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    let line = line()?;
    let writes = writes(setting) as usize;
    let message: Vec<u8> = line.octets().iter().copied().cycle().take(writes).collect();
    let mut run = Run::default();
    for transport in Transport::BOTH {
        let (trace, reads) = exchange(transport, Reader::AtOnce, &message)?;
        run.show(transport, "reads at once", trace);
        run.saw(transport, ALL, (count(reads.iter().sum()), "octet"));
        run.saw(transport, AT_ONCE, (count(reads.len()), "read"));
        run.saw(transport, FIRST, (count(reads.first().copied().unwrap_or(0)), "octet"));
        let (trace, reads) = exchange(transport, Reader::Late, &message)?;
        run.show(transport, "reads at the end", trace);
        run.saw(transport, LATE, (count(reads.len()), "read"));
    }
    Ok(run)
}

fn count(number: usize) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

/// What each read gave.
fn exchange(
    transport: Transport,
    reader: Reader,
    message: &[u8],
) -> Result<(Trace, Vec<usize>), Obstacle> {
    let mut notebook = Notebook::new();
    let pair = Pair::new(transport, &mut notebook)?;
    if transport == Transport::Tcp {
        // Else Nagle's algorithm would hold octets back (RFC 9293, 3.7.4), and the question is another.
        pair.server.set_tcp_nodelay(true).map_err(failed("set TCP_NODELAY"))?;
    }
    let reads = match reader {
        Reader::AtOnce => at_once(&pair, message, &mut notebook)?,
        Reader::Late => {
            write(&pair.server, message, &mut notebook)?;
            if transport == Transport::Tcp {
                wait_for(&pair.client, message.len())?;
            }
            read(&pair.client, message.len(), &mut notebook)?
        }
    };
    Ok((notebook.finish_short(), reads))
}

/// With the server in a thread of its own.
fn at_once(pair: &Pair, message: &[u8], notebook: &mut Notebook) -> Result<Vec<usize>, Obstacle> {
    let mut servers = notebook.twin();
    let reads = thread::scope(|scope| {
        let thread = thread::Builder::new().name("lab server".into());
        let writing = thread
            .spawn_scoped(scope, || write(&pair.server, message, &mut servers))
            .map_err(failed("start a thread"))?;
        let reads = read(&pair.client, message.len(), notebook);
        writing.join().unwrap_or_else(|defect| panic::resume_unwind(defect))?;
        reads
    })?;
    notebook.merge(servers);
    Ok(reads)
}

fn write(mut server: &Socket, message: &[u8], notebook: &mut Notebook) -> Result<(), Obstacle> {
    for octet in message.chunks(1) {
        notebook
            .call(SERVER, "send(1)", || server.write(octet), |sent| octets(*sent))
            .map_err(failed("send"))?;
    }
    Ok(())
}

/// Reads until so many octets have come, or no more do.
fn read(client: &Socket, all: usize, notebook: &mut Notebook) -> Result<Vec<usize>, Obstacle> {
    let mut reads = Vec::new();
    while reads.iter().sum::<usize>() < all {
        match notebook.call(CLIENT, "recv(1024)", || recv(client, 1024), taken) {
            Ok(part) => reads.push(part.len()),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(failed("recv")(error)),
        }
    }
    Ok(reads)
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn datagrams_keep_the_boundaries_and_a_stream_does_not() {
        check::all_is_as_predicted(&LAB, Knobs::default());
        check::all_is_as_predicted(&LAB, Knobs { count: Some(1), ..Knobs::default() });
    }

    #[test]
    fn a_socket_holds_as_many_as_can_be_asked_for() {
        let run = check::all_is_as_predicted(&LAB, Knobs { count: Some(MOST), ..Knobs::default() });
        assert!(check::is_shown(&run, "send(1) × 200"), "{:?}", run.parts);
    }
}
