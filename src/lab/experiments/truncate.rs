//! A buffer that is too small, and a message that is empty.

use crate::duration::Unit;
use crate::lab::loopback::{
    CLIENT, Pair, REPLY_OCTETS, SERVER, SILENCE_TIME, ctime_reply, failed, octets, received,
    require_loopback, wait_for, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{Engine, Lab, LabOption, Obstacle, Prediction, Procedure, Run, Setting, never};
use crate::transport::Transport;
use nix::sys::socket::{MsgFlags, recvmsg};
use socket2::Socket;
use std::io::{self, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::AsRawFd;

pub(super) static LAB: Lab = Lab {
    name: "truncate",
    text: page!("truncate"),
    time_unit: Unit::Milliseconds,
    procedures: &[Procedure {
        engine: Engine::Loopback,
        uses_seed: never,
        options: &[LabOption::Buffer.within(0..=MAX_BUFFER)],
        values: |setting| vec![("buffer", octets(buffer(setting)))],
        predict,
        run,
    }],
};

/// Octets of the buffer unless told otherwise.
const BUFFER: usize = 10;
/// No datagram is longer.
const MAX_BUFFER: u32 = 65_536;

const EMPTY: &str = "recv after send(0) gives";
const FIRST: &str = "the small recv gives";
const FLAG: &str = "the small recv's flag";
const NEXT: &str = "the next recv gives";
const LOST: &str = "octets lost";
const ZERO: &str = "after a recv of 0 comes";

fn buffer(setting: &Setting) -> usize {
    setting.options.buffer.map_or(BUFFER, |octets| octets as usize)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let buffer = buffer(setting);
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let first = buffer.min(REPLY_OCTETS);
    let flag = if buffer < REPLY_OCTETS { "MSG_TRUNC" } else { "none" };
    let windows = "Windows reports WSAEMSGSIZE";
    vec![
        Prediction::is(tcp, EMPTY, "EAGAIN"),
        Prediction::is(tcp, FIRST, octets(first)),
        Prediction::is(tcp, FLAG, "none"),
        Prediction::is(tcp, NEXT, octets(REPLY_OCTETS - first)),
        Prediction::is(tcp, LOST, octets(0)),
        Prediction::is(tcp, ZERO, octets(0)),
        Prediction::is(udp, EMPTY, octets(0)),
        Prediction::is(udp, FIRST, octets(first)).varies(windows),
        Prediction::is(udp, FLAG, flag).varies(windows),
        Prediction::is(udp, NEXT, "EAGAIN"),
        Prediction::is(udp, LOST, octets(REPLY_OCTETS - first)),
        Prediction::is(udp, ZERO, octets(REPLY_OCTETS)),
    ]
}

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let mut run = Run::default();
    for transport in Transport::BOTH {
        let recorder = Recorder::on_loopback();
        let pair = Pair::new(transport, &recorder)?;
        let exchange = Exchange { pair, recorder, line: ctime_reply()?.octets().to_vec() };
        exchange.run_with_buffer(transport, buffer(setting), &mut run)?;
        run.show(transport, "", exchange.recorder.short_trace());
    }
    Ok(run)
}

struct Exchange {
    pair: Pair,
    recorder: Recorder,
    line: Vec<u8>,
}

impl Exchange {
    fn run_with_buffer(
        &self,
        transport: Transport,
        buffer: usize,
        run: &mut Run,
    ) -> Result<(), Obstacle> {
        self.send(0)?;
        run.observe(transport, EMPTY, received(&self.recv_in_time()?));
        self.send(REPLY_OCTETS)?;
        if transport == Transport::Tcp {
            self.shutdown()?;
            wait_for(&self.pair.client, REPLY_OCTETS)?;
        }
        let (first, flag) = self.recvmsg(buffer)?;
        run.observe(transport, FIRST, octets(first));
        run.observe(transport, FLAG, flag);
        let next = self.recv_in_time()?;
        run.observe(transport, NEXT, received(&next));
        let next = next.map_or(0, |part| part.len());
        run.observe(transport, LOST, octets(REPLY_OCTETS.saturating_sub(first + next)));
        if transport == Transport::Udp {
            self.send(0)?;
            self.send(REPLY_OCTETS)?;
        }
        let zero = self.recv()?;
        let after = self.recv()?;
        let seen = if zero.is_empty() { octets(after.len()) } else { "no recv gave 0".into() };
        run.observe(transport, ZERO, seen);
        Ok(())
    }

    fn send(&self, length: usize) -> Result<usize, Obstacle> {
        let sent = self.recorder.send(SERVER, &self.pair.server, &self.line[..length]);
        sent.map_err(failed("send"))
    }

    fn shutdown(&self) -> Result<(), Obstacle> {
        let shutdown = || self.pair.server.shutdown(Shutdown::Write);
        self.recorder
            .call(SERVER, "shutdown(SHUT_WR)", shutdown, |()| "done".into())
            .map_err(failed("shut down"))
    }

    fn recv(&self) -> Result<Vec<u8>, Obstacle> {
        self.recorder.receive(CLIENT, &self.pair.client, 1024).map_err(failed("receive"))
    }

    /// For what may never come: gives up soon.
    fn recv_in_time(&self) -> Result<io::Result<Vec<u8>>, Obstacle> {
        let client = &self.pair.client;
        let patience = client.read_timeout().map_err(failed("ask for SO_RCVTIMEO"))?;
        let set = |time| client.set_read_timeout(time).map_err(failed("set SO_RCVTIMEO"));
        set(Some(SILENCE_TIME))?;
        let received = self.recorder.receive(CLIENT, client, 1024);
        set(patience)?;
        Ok(received)
    }

    /// How many octets it gave, and the name of its flag.
    fn recvmsg(&self, room: usize) -> Result<(usize, &'static str), Obstacle> {
        let client = &self.pair.client;
        let outcome = |(length, flag): &(usize, &str)| match *flag {
            NO_FLAG => octets(*length),
            flag => format!("{}, {flag}", octets(*length)),
        };
        self.recorder
            .call(CLIENT, &format!("recvmsg({room})"), || receive_message(client, room), outcome)
            .map_err(failed("receive"))
    }
}

const NO_FLAG: &str = "none";

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
    fn whatever_the_buffer_it_is_as_predicted() {
        for buffer in [0, 1, 25, 26, 27, MAX_BUFFER] {
            check::all_is_as_predicted(
                &LAB,
                LabOptions { buffer: Some(buffer), ..LabOptions::default() },
            );
        }
    }
}
