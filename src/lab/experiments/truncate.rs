//! Lab `truncate`: a receive buffer that is too small, and an empty message.

use crate::lab::loopback::{
    Pair, REPLY_OCTETS, SILENCE_TIME, ctime_reply, octets, received, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Results, Setting};
use crate::transport::Transport::{self, Tcp, Udp};
use nix::sys::socket::{MsgFlags, recvmsg};
use socket2::Socket;
use std::io::{self, IoSliceMut};
use std::os::fd::AsRawFd;

pub(super) static LAB: Lab = lab!("truncate", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Loopback, predict, run)
    .with(&[LabOption::Buffer.within(0..=MAX_BUFFER)], |setting| {
        vec![("buffer", octets(buffer(setting)))]
    });

/// Default buffer size in octets.
const BUFFER: usize = 10;
/// Maximum buffer size in octets. No datagram is longer.
const MAX_BUFFER: u32 = 65_536;

const AFTER_EMPTY: &str = "recv() after send(0)";
const SMALL_RECV: &str = "recvmsg(), small buffer";
const SMALL_RECV_FLAG: &str = "flag, small buffer";
const NEXT_RECV: &str = "recv() after recvmsg()";
const OCTETS_LOST: &str = "octets lost";
const AFTER_ZERO: &str = "at the end, 2nd recv()";

fn buffer(setting: &Setting) -> usize {
    setting.options.buffer.map_or(BUFFER, |octets| octets as usize)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let buffer = buffer(setting);
    let first = buffer.min(REPLY_OCTETS);
    let flag = if buffer < REPLY_OCTETS { "MSG_TRUNC" } else { NO_FLAG };
    let windows = "Windows reports WSAEMSGSIZE";
    vec![
        Prediction::is(Tcp, AFTER_EMPTY, "EAGAIN"),
        Prediction::is(Tcp, SMALL_RECV, octets(first)),
        Prediction::is(Tcp, SMALL_RECV_FLAG, NO_FLAG),
        Prediction::is(Tcp, NEXT_RECV, octets(REPLY_OCTETS - first)),
        Prediction::is(Tcp, OCTETS_LOST, octets(0)),
        Prediction::is(Tcp, AFTER_ZERO, octets(0)),
        Prediction::is(Udp, AFTER_EMPTY, octets(0)),
        Prediction::is(Udp, SMALL_RECV, octets(first)).varies(windows),
        Prediction::is(Udp, SMALL_RECV_FLAG, flag).varies(windows),
        Prediction::is(Udp, NEXT_RECV, "EAGAIN"),
        Prediction::is(Udp, OCTETS_LOST, octets(REPLY_OCTETS - first)),
        Prediction::is(Udp, AFTER_ZERO, octets(REPLY_OCTETS)),
    ]
}

fn run(setting: &Setting, results: &mut Results) -> Result<(), Obstacle> {
    for transport in Transport::BOTH {
        let recorder = Recorder::on_loopback();
        exchange(&Pair::new(transport, &recorder)?, buffer(setting), results)?;
        results.keep_trace(transport, "", recorder.short_trace());
    }
    Ok(())
}

fn exchange(
    Pair { client, server }: &Pair,
    buffer: usize,
    results: &mut Results,
) -> Result<(), Obstacle> {
    let (transport, reply) = (server.transport, ctime_reply()?);
    server.send(&[])?;
    results.observe(transport, AFTER_EMPTY, received(&client.receive_within(SILENCE_TIME)));
    server.send(reply.octets())?;
    if transport == Tcp {
        server.shutdown()?;
        client.wait_for(REPLY_OCTETS)?;
    }
    let words = |(length, flag): &(usize, &str)| match *flag {
        NO_FLAG => octets(*length),
        flag => format!("{}, {flag}", octets(*length)),
    };
    let small = client.call(&format!("recvmsg({buffer})"), |it| receive_message(it, buffer), words);
    let (first, flag) = small?;
    results.observe(transport, SMALL_RECV, octets(first));
    results.observe(transport, SMALL_RECV_FLAG, flag);
    let next = client.receive_within(SILENCE_TIME);
    results.observe(transport, NEXT_RECV, received(&next));
    let next = next.map_or(0, |part| part.len());
    results.observe(transport, OCTETS_LOST, octets(REPLY_OCTETS.saturating_sub(first + next)));
    if transport == Udp {
        server.send(&[])?;
        server.send(reply.octets())?;
    }
    let (zero, after) = (client.receive(1024)?, client.receive(1024)?);
    let seen = if zero.is_empty() { octets(after.len()) } else { "no recv gave 0".into() };
    results.observe(transport, AFTER_ZERO, seen);
    Ok(())
}

const NO_FLAG: &str = "none";

/// Receives a message into a buffer of `room` octets. Returns the number of octets received, and the name of the flag
/// that recvmsg(2) set, if any.
fn receive_message(client: &Socket, room: usize) -> io::Result<(usize, &'static str)> {
    let mut buffer = vec![0; room];
    let mut slices = [IoSliceMut::new(&mut buffer)];
    let take = || {
        let taken = recvmsg::<()>(client.as_raw_fd(), &mut slices, None, MsgFlags::empty())?;
        Ok((taken.bytes, taken.flags))
    };
    let (length, flags) = within_timeout(client, take)?;
    Ok((length, if flags.contains(MsgFlags::MSG_TRUNC) { "MSG_TRUNC" } else { NO_FLAG }))
}

#[cfg(test)]
mod tests {
    use super::super::tests as check;
    use super::*;
    use crate::lab::LabOptions;

    #[test]
    fn a_datagram_is_cut_and_a_stream_is_not() {
        let run = check::all_is_as_predicted(&LAB, LabOptions::default());
        assert!(check::is_shown(&run, "recvmsg(10)"), "{:?}", run.parts);
    }

    #[test]
    fn every_size_of_the_buffer_is_as_predicted() {
        for buffer in [0, 1, 25, 26, 27, MAX_BUFFER] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { buffer: Some(buffer), ..LabOptions::default() },
            );
        }
    }
}
