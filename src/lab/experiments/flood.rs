//! Lab `flood`: one end keeps sending although the other end no longer reads.

use crate::lab::loopback::{
    CallError, PATIENCE, Pair, RecordedSocket, SILENCE_TIME, error_name, octets, outcome_with,
    wait_until_ready,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting,
};
use crate::sys;
use crate::transport::Transport::{self, Tcp, Udp};
use nix::poll::PollFlags;
use socket2::{Domain, Socket, Type};
use std::io::{self, ErrorKind};
use std::time::Duration;

pub(super) static LAB: Lab = lab!("flood", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Count.within(1..=MAX_DATAGRAMS)], |setting| {
        vec![("count", count(setting).to_string())]
    });

/// Default number of datagrams.
const DATAGRAMS: u32 = 5000;
const MAX_DATAGRAMS: u32 = 200_000;

/// Buffer size in octets that the lab requests for the reader (`SO_RCVBUF`) and the writer (`SO_SNDBUF`). Linux doubles
/// the value.
const SOCKET_BUFFER: usize = 65_536;
/// Octets per write to the stream.
const WRITE: usize = 1024;
/// Maximum size in octets of a segment on loopback. A buffer that is almost full still accepts one complete segment.
const SEGMENT: u64 = 65_536;
/// Number of octets sent after which the lab gives up. Both buffers together hold fewer octets.
const ENDLESS: usize = 64 << 20;

const LAST_SEND: &str = "flood's last send()";
const SENT_BEFORE: &str = "sent before EAGAIN";
const LOST: &str = "octets lost";
const SEND_AFTER: &str = "send() after reading all";
const SENDS_SUCCEEDED: &str = "sends that succeeded";
const KEPT: &str = "datagrams kept";
const DROPPED: &str = "dropped (SO_RXQ_OVFL)";
const TOTAL: &str = "kept + dropped";

fn count(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(DATAGRAMS)
}

/// Returns the buffer sizes in octets that the system grants when [`SOCKET_BUFFER`] is requested: first `SO_SNDBUF`,
/// then `SO_RCVBUF`.
fn granted() -> io::Result<(u64, u64)> {
    let probe = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    probe.set_send_buffer_size(SOCKET_BUFFER)?;
    probe.set_recv_buffer_size(SOCKET_BUFFER)?;
    Ok((probe.send_buffer_size()? as u64, probe.recv_buffer_size()? as u64))
}

/// Returns the minimum and maximum number of empty datagrams that a buffer can hold. The kernel charges its own
/// overhead for each datagram to the buffer: 832 octets on Linux 6.18. The prediction allows for 512 to 2048 octets.
fn kept_range(count: u64, buffer: u64) -> (u64, u64) {
    (count.min(buffer / 2048), count.min(buffer / 512))
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let count = u64::from(count(setting));
    let accounting = "each kernel counts what a buffer holds in its own way";
    let asked = SOCKET_BUFFER as u64;
    let (sending, receiving) = granted().unwrap_or((asked, asked));
    let accepted = Expected::between((sending, "octet"), (sending + receiving + SEGMENT, "octet"));
    let (least, most) = kept_range(count, receiving);
    let mut predictions = vec![
        Prediction::is(Tcp, LAST_SEND, "EAGAIN"),
        Prediction::new(Tcp, SENT_BEFORE, accepted).varies(accounting),
        Prediction::is(Tcp, LOST, (0, "octet")),
        Prediction::is(Tcp, SEND_AFTER, octets(WRITE)),
        Prediction::is(Udp, LAST_SEND, octets(0)).varies("BSD may say ENOBUFS"),
        Prediction::is(Udp, SENDS_SUCCEEDED, (count, "send")).varies("BSD may say ENOBUFS"),
        Prediction::new(Udp, KEPT, Expected::between((least, "datagram"), (most, "datagram")))
            .varies(accounting),
    ];
    if sys::REPORTS_QUEUES {
        let dropped = Expected::between((count - most, "datagram"), (count - least, "datagram"));
        predictions.push(Prediction::new(Udp, DROPPED, dropped));
        predictions.push(Prediction::is(Udp, TOTAL, (count, "datagram")));
    }
    predictions
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    stream(results)?;
    datagrams(count(setting), results)
}

/// Returns a pair of sockets with small buffers. The client writes and is non-blocking; the server reads.
fn pair(transport: Transport, recorder: &Recorder) -> Result<Pair, CallError> {
    let pair = Pair::new(transport, recorder)?;
    pair.server.unrecorded("setsockopt(SO_RCVBUF)", |it| it.set_recv_buffer_size(SOCKET_BUFFER))?;
    pair.client.unrecorded("setsockopt(SO_SNDBUF)", |it| it.set_send_buffer_size(SOCKET_BUFFER))?;
    pair.client.set_nonblocking(true)?;
    Ok(pair)
}

fn stream(results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let Pair { client, server } = pair(Tcp, &recorder)?;
    let (taken, last) = fill(&client)?;
    results.observe(Tcp, LAST_SEND, last);
    results.observe(Tcp, SENT_BEFORE, (taken as u64, "octet"));
    let read = read_all(&server, taken)?;
    results.observe(Tcp, LOST, (taken.abs_diff(read) as u64, "octet"));
    has_room(&client, PATIENCE)?;
    let second_send = client.send(&[b'?'; WRITE]);
    results.observe(Tcp, SEND_AFTER, outcome_with(&second_send, |sent| octets(*sent)));
    results.keep_trace(Tcp, "", recorder.short_trace());
    Ok(())
}

/// Sends until the buffers have stayed full for [`SILENCE_TIME`]. Returns the number of octets sent and the result of
/// the last send.
fn fill(client: &RecordedSocket) -> Result<(usize, String), CallError> {
    let mut taken = 0;
    while taken < ENDLESS {
        match client.send(&[b'?'; WRITE]) {
            Ok(sent) => taken += sent,
            // The kernel may still be moving octets from the writer's buffer to the reader's buffer.
            Err(error)
                if error.cause.kind() == ErrorKind::WouldBlock
                    && has_room(client, SILENCE_TIME)? => {}
            Err(error) => return Ok((taken, error_name(&error.cause))),
        }
    }
    Ok((taken, octets(WRITE)))
}

fn has_room(client: &RecordedSocket, patience: Duration) -> Result<bool, CallError> {
    let wait = |socket: &Socket| wait_until_ready(socket, PollFlags::POLLOUT, patience);
    let outcome = |room: &bool| if *room { "room" } else { "no room" }.to_owned();
    client.call("poll(POLLOUT)", wait, outcome)
}

/// Reads this number of octets, or fewer if a read times out or reaches the end of the stream. Returns the number of
/// octets read.
fn read_all(server: &RecordedSocket, all: usize) -> Result<usize, CallError> {
    let mut read = 0;
    while read < all {
        match server.receive(SOCKET_BUFFER) {
            Ok(part) if part.is_empty() => break,
            Ok(part) => read += part.len(),
            Err(error) if error.cause.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

fn datagrams(count: u32, results: &mut Results) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let Pair { client, server } = pair(Udp, &recorder)?;
    if sys::REPORTS_QUEUES {
        server.unrecorded("setsockopt(SO_RXQ_OVFL)", sys::count_drops)?;
    }
    let (mut succeeded, mut last) = (0, String::new());
    for _ in 0..count {
        let sent = client.send(&[]);
        succeeded += u64::from(sent.is_ok());
        last = outcome_with(&sent, |sent| octets(*sent));
    }
    results.observe(Udp, LAST_SEND, last);
    results.observe(Udp, SENDS_SUCCEEDED, (succeeded, "send"));
    let (kept, dropped) = take_all(&client, &server)?;
    results.observe(Udp, KEPT, (kept, "datagram"));
    if sys::REPORTS_QUEUES {
        // If the kernel dropped no datagram, it reports no number.
        let dropped = u64::from(dropped.unwrap_or(0));
        results.observe(Udp, DROPPED, (dropped, "datagram"));
        results.observe(Udp, TOTAL, (kept + dropped, "datagram"));
    }
    results.keep_trace(Udp, "", recorder.short_trace());
    Ok(())
}

/// Receives all datagrams. Returns the number of empty ones, and the number of drops that the kernel reports. The
/// kernel attaches this number to a datagram and counts only the drops before that datagram. So once the buffer has
/// space again, the client sends one last datagram, of one octet.
fn take_all(
    client: &RecordedSocket,
    server: &RecordedSocket,
) -> Result<(u64, Option<u32>), CallError> {
    let mut kept = 0;
    server.set_nonblocking(true)?;
    while take(server).is_ok() {
        kept += 1;
    }
    server.set_nonblocking(false)?;
    client.send(b".")?;
    loop {
        match take(server)? {
            (0, _) => kept += 1,
            (_, dropped) => return Ok((kept, dropped)),
        }
    }
}

/// Receives a datagram. Returns its length and, if the kernel reports it, the number of datagrams dropped before it.
fn take(server: &RecordedSocket) -> Result<(usize, Option<u32>), CallError> {
    let take = |socket: &Socket| sys::receive_counted(socket, &mut [0; 8]);
    let outcome = |(length, dropped): &(usize, Option<u32>)| match dropped {
        Some(dropped) if *length > 0 => format!("{}, {dropped} dropped", octets(*length)),
        _ => octets(*length),
    };
    server.call("recvmsg(8)", take, outcome)
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_stream_blocks_its_writer_and_datagrams_are_dropped() {
        check::all_is_as_predicted(&LAB, LabOptions::default());
    }

    #[test]
    fn few_datagrams_are_all_kept_and_many_are_not() {
        for count in [1, 10, 300, 20_000] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { count: Some(count), ..LabOptions::default() },
            );
        }
    }
}
