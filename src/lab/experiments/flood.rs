//! A reader that has stopped reading, and a writer that goes on.

use crate::duration::Unit;
use crate::lab::loopback::{
    CLIENT, PATIENCE, Pair, SERVER, SILENCE_TIME, error_name, failed, octets, open, outcome,
    require_loopback, wait_until_ready,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Expected, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, never,
};
use crate::sys;
use crate::transport::Transport;
use nix::poll::PollFlags;
use socket2::Socket;
use std::io::{self, ErrorKind};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "flood",
    text: page!("flood"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Count.within(1..=MAX_DATAGRAMS)],
        values: |setting| vec![("count", count(setting).to_string())],
        predict,
        run,
    }],
};

/// Datagrams unless told otherwise.
const DATAGRAMS: u32 = 5000;
const MAX_DATAGRAMS: u32 = 200_000;

/// Asked for as `SO_RCVBUF` of the reader and `SO_SNDBUF` of the writer. Linux doubles it.
const SOCKET_BUFFER: usize = 65_536;
/// Octets of one write to the stream.
const WRITE: usize = 1024;
/// The most octets of a segment that the kernel takes at once: a buffer that is not quite full takes a whole one.
const SEGMENT: u64 = 65_536;
/// More than the two buffers can hold, however they are counted: a writer that comes so far is not held.
const ENDLESS: usize = 64 << 20;

const WRITER: &str = "the writer's last send";
const ACCEPTED: &str = "sent before that";
const LOST: &str = "lost in the end";
const AFTERWARDS: &str = "a send once all is read";
const SENDS: &str = "sends that said success";
const KEPT: &str = "datagrams kept";
const DROPPED: &str = "dropped (SO_RXQ_OVFL)";
const TOTAL: &str = "kept + dropped";

fn count(setting: &Setting) -> u32 {
    setting.options.count.unwrap_or(DATAGRAMS)
}

/// What the system makes of [`SOCKET_BUFFER`], in octets: the writer's `SO_SNDBUF` and the reader's `SO_RCVBUF`.
fn granted() -> io::Result<(u64, u64)> {
    let probe = open(Transport::Tcp)?;
    probe.set_send_buffer_size(SOCKET_BUFFER)?;
    probe.set_recv_buffer_size(SOCKET_BUFFER)?;
    Ok((probe.send_buffer_size()? as u64, probe.recv_buffer_size()? as u64))
}

/// An empty datagram takes room for the kernel's own notes about it: at least 512 octets and at most 2048, as
/// they are counted here. On Linux 6.18 it is 832.
fn kept_range(count: u64, buffer: u64) -> (u64, u64) {
    (count.min(buffer / 2048), count.min(buffer / 512))
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let count = u64::from(count(setting));
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let accounting = "each kernel counts what a buffer holds in its own way";
    let asked = SOCKET_BUFFER as u64;
    let (sending, receiving) = granted().unwrap_or((asked, asked));
    let accepted = Expected::between((sending, "octet"), (sending + receiving + SEGMENT, "octet"));
    let (least, most) = kept_range(count, receiving);
    let mut predictions = vec![
        Prediction::is(tcp, WRITER, "EAGAIN"),
        Prediction::new(tcp, ACCEPTED, accepted).varies(accounting),
        Prediction::is(tcp, LOST, (0, "octet")),
        Prediction::is(tcp, AFTERWARDS, octets(WRITE)),
        Prediction::is(udp, WRITER, octets(0)).varies("BSD may say ENOBUFS"),
        Prediction::is(udp, SENDS, (count, "send")).varies("BSD may say ENOBUFS"),
        Prediction::new(udp, KEPT, Expected::between((least, "datagram"), (most, "datagram")))
            .varies(accounting),
    ];
    if sys::REPORTS_QUEUES {
        let dropped = Expected::between((count - most, "datagram"), (count - least, "datagram"));
        predictions.push(Prediction::new(udp, DROPPED, dropped));
        predictions.push(Prediction::is(udp, TOTAL, (count, "datagram")));
    }
    predictions
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let mut run = Run::default();
    stream(&mut run)?;
    datagrams(count(setting), &mut run)?;
    Ok(run)
}

/// The client writes, the server does not read.
fn pair(transport: Transport, recorder: &Recorder) -> Result<Pair, Obstacle> {
    let pair = Pair::new(transport, recorder)?;
    let set = || {
        pair.server.set_recv_buffer_size(SOCKET_BUFFER)?;
        pair.client.set_send_buffer_size(SOCKET_BUFFER)?;
        pair.client.set_nonblocking(true)
    };
    set().map_err(failed("set the sizes of buffers"))?;
    Ok(pair)
}

fn stream(run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let Pair { client, server } = pair(Transport::Tcp, &recorder)?;
    let (taken, last) = fill(&client, &recorder)?;
    run.observe(Transport::Tcp, WRITER, last);
    run.observe(Transport::Tcp, ACCEPTED, (taken as u64, "octet"));
    let read = read_all(&server, taken, &recorder)?;
    run.observe(Transport::Tcp, LOST, (taken.abs_diff(read) as u64, "octet"));
    writable(&client, PATIENCE, &recorder).map_err(failed("wait for room"))?;
    let second_send = send(&client, &[b'?'; WRITE], &recorder);
    run.observe(Transport::Tcp, AFTERWARDS, outcome(&second_send, |sent| octets(*sent)));
    run.show(Transport::Tcp, "", recorder.short_trace());
    Ok(())
}

/// On a socket that does not block.
fn send(client: &Socket, octets_sent: &[u8], recorder: &Recorder) -> io::Result<usize> {
    let send = || client.send(octets_sent);
    let call = format!("send({})", octets_sent.len());
    recorder.call_at_once(CLIENT, &call, send, |sent| octets(*sent))
}

/// Sends until no room comes for a while: the octets that were taken, and what came of the last send.
fn fill(client: &Socket, recorder: &Recorder) -> Result<(usize, String), Obstacle> {
    let mut taken = 0;
    while taken < ENDLESS {
        match send(client, &[b'?'; WRITE], recorder) {
            Ok(sent) => taken += sent,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                // The kernel may still be carrying what it took from the one buffer to the other.
                if !writable(client, SILENCE_TIME, recorder).map_err(failed("wait for room"))? {
                    return Ok((taken, error_name(&error)));
                }
            }
            Err(error) => return Ok((taken, error_name(&error))),
        }
    }
    Ok((taken, octets(WRITE)))
}

fn writable(socket: &Socket, patience: Duration, recorder: &Recorder) -> io::Result<bool> {
    let wait = || wait_until_ready(socket, PollFlags::POLLOUT, patience);
    let outcome = |room: &bool| if *room { "room" } else { "no room" }.to_owned();
    recorder.call(CLIENT, "poll(POLLOUT)", wait, outcome)
}

/// Reads so many octets, or those that come.
fn read_all(server: &Socket, all: usize, recorder: &Recorder) -> Result<usize, Obstacle> {
    let mut read = 0;
    while read < all {
        match recorder.receive(SERVER, server, SOCKET_BUFFER) {
            Ok(part) if part.is_empty() => break,
            Ok(part) => read += part.len(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => return Err(failed("receive")(error)),
        }
    }
    Ok(read)
}

fn datagrams(count: u32, run: &mut Run) -> Result<(), Obstacle> {
    let recorder = Recorder::on_loopback();
    let Pair { client, server } = pair(Transport::Udp, &recorder)?;
    if sys::REPORTS_QUEUES {
        sys::count_drops(&server).map_err(failed("set SO_RXQ_OVFL"))?;
    }
    let (mut succeeded, mut last) = (0, String::new());
    for _ in 0..count {
        let sent = send(&client, &[], &recorder);
        succeeded += u64::from(sent.is_ok());
        last = outcome(&sent, |sent| octets(*sent));
    }
    run.observe(Transport::Udp, WRITER, last);
    run.observe(Transport::Udp, SENDS, (succeeded, "send"));
    let (kept, dropped) = take_all(&client, &server, &recorder)?;
    run.observe(Transport::Udp, KEPT, (kept, "datagram"));
    if let Some(dropped) = dropped {
        run.observe(Transport::Udp, DROPPED, (dropped, "datagram"));
        run.observe(Transport::Udp, TOTAL, (kept + dropped, "datagram"));
    }
    run.show(Transport::Udp, "", recorder.short_trace());
    Ok(())
}

/// How many empty datagrams lie there, and how many the kernel says it had dropped. A datagram knows of the
/// drops before it only, so a last one is sent, of one octet, when there is room again.
fn take_all(
    client: &Socket,
    server: &Socket,
    recorder: &Recorder,
) -> Result<(u64, Option<u64>), Obstacle> {
    let mut kept = 0;
    let switch =
        |nonblocking| server.set_nonblocking(nonblocking).map_err(failed("set O_NONBLOCK"));
    switch(true)?;
    while take(server, recorder).is_ok() {
        kept += 1;
    }
    switch(false)?;
    send(client, b".", recorder).map_err(failed("send the last datagram"))?;
    loop {
        match take(server, recorder).map_err(failed("receive"))? {
            (0, _) => kept += 1,
            (_, dropped) => return Ok((kept, dropped_so_far(dropped))),
        }
    }
}

/// Takes a datagram, with how many were dropped before it.
fn take(server: &Socket, recorder: &Recorder) -> io::Result<(usize, Option<u32>)> {
    let take = || sys::receive_counted(server, &mut [0; 8]);
    let outcome = |(length, dropped): &(usize, Option<u32>)| match dropped {
        Some(dropped) if *length > 0 => format!("{}, {dropped} dropped", octets(*length)),
        _ => octets(*length),
    };
    recorder.call_at_once(SERVER, "recvmsg(8)", take, outcome)
}

/// The kernel says nothing as long as it has dropped nothing.
fn dropped_so_far(dropped: Option<u32>) -> Option<u64> {
    sys::REPORTS_QUEUES.then(|| dropped.unwrap_or(0).into())
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_stream_holds_its_writer_and_datagrams_are_dropped() {
        check::all_is_as_predicted(&LAB, LabOptions::default());
    }

    #[test]
    fn a_few_datagrams_are_all_kept_and_many_are_not() {
        for count in [1, 10, 300, 20_000] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { count: Some(count), ..LabOptions::default() },
            );
        }
    }
}
