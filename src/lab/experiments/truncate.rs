//! A buffer that is too small, and a message that is empty.

use crate::duration::Unit;
use crate::lab::lesson::{tcp, udp};
use crate::lab::loopback::{
    CLIENT, Pair, REPLY_OCTETS, SERVER, SILENCE, ctime_reply, failed, octets, received,
    require_loopback, wait_for, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Knob, Lab, Lesson, Must, Next, Obstacle, Prediction, Procedure, Run, Setting, Theory,
    draws_nothing,
};
use crate::transport::Transport;
use nix::sys::socket::{MsgFlags, recvmsg};
use socket2::Socket;
use std::io::{self, IoSliceMut};
use std::net::Shutdown;
use std::os::fd::AsRawFd;

pub(super) static LAB: Lab = Lab {
    name: "truncate",
    question: "What becomes of a message that is longer than the buffer, and of one without any octets?",
    theory: &[
        Theory {
            says: "what a receive leaves of a stream is there for the next one; of a datagram the rest is \
                   thrown away, and recvmsg says so with MSG_TRUNC",
            source: "POSIX.1-2024, recv() and recvmsg()",
        },
        Theory {
            says: "a recvfrom that returns 0 does not mean end of stream: an empty datagram arrived",
            source: "Stevens, UNP, volume 1, section 8.2",
        },
        Theory {
            says: "an empty datagram is all that a Daytime client has to send",
            source: "RFC 867, \"UDP Based Daytime Service\"",
        },
        Theory {
            says: "on a stream 0 means that the other side has sent its FIN: nothing more will come",
            source: "RFC 9293, section 3.6; Stevens, UNP, volume 1, section 1.2",
        },
    ],
    lessons: &[
        Lesson {
            says: "A datagram that does not fit into the buffer is cut: the rest is gone, and only MSG_TRUNC \
                   says so.",
            rests_on: &[udp(FLAG, Must::Be("MSG_TRUNC"))],
        },
        Lesson {
            says: "The datagram fitted into this buffer, so nothing was cut. Give a datagram the room that it \
                   may need.",
            rests_on: &[udp(FLAG, Must::Be(NO_FLAG)), udp(LOST, Must::Be("0 octets"))],
        },
        Lesson {
            says: "A stream keeps what a read leaves: a small buffer only costs more reads.",
            rests_on: &[tcp(LOST, Must::Be("0 octets"))],
        },
        Lesson {
            says: "A read without room returns 0 octets although the stream has not ended: never read with an \
                   empty buffer.",
            rests_on: &[tcp(FIRST, Must::Be("0 octets")), tcp(NEXT, Must::Be("26 octets"))],
        },
        Lesson {
            says: "A read that has room and returns 0 octets is the end of a stream. Over UDP it is an empty \
                   datagram, and more may follow.",
            rests_on: &[tcp(ZERO, Must::Be("0 octets")), udp(ZERO, Must::Be("26 octets"))],
        },
    ],
    elsewhere: "Windows gives WSAEMSGSIZE instead of a flag. A plain recv has no place for a flag, on any \
                system.",
    next: &[
        Next {
            command: "daytime lab run truncate --buffer 26",
            watch: "The line fits exactly: no flag, nothing lost. Over TCP the next read gives \
                    0 octets, the end.",
        },
        Next {
            command: "daytime lab run truncate --buffer 25",
            watch: "One octet short: over UDP the line feed is gone, and only `MSG_TRUNC` says \
                    so.",
        },
        Next {
            command: "daytime lab run truncate --buffer 0",
            watch: "Room for nothing. The stream gives 0 although it has not ended, and keeps \
                    the line; the datagram is taken and lost as a whole. So never ask for 0 \
                    octets.",
        },
    ],
    time_unit: Unit::Milliseconds,
    programs: &[],
    procedures: &[Procedure {
        engine: Engine::Loopback,
        draws: draws_nothing,
        knobs: &[Knob::Buffer.within(0..=MOST)],
        method,
        predict,
        run,
    }],
};

/// Octets of the buffer unless told otherwise.
const BUFFER: usize = 10;
/// No datagram is longer.
const MOST: u32 = 65_536;

const EMPTY: &str = "recv after send(0) gives";
const FIRST: &str = "the small recv gives";
const FLAG: &str = "the small recv's flag";
const NEXT: &str = "the next recv gives";
const LOST: &str = "octets lost";
const ZERO: &str = "after a recv of 0 comes";

fn buffer(setting: &Setting) -> usize {
    setting.knobs.buffer.map_or(BUFFER, |octets| octets as usize)
}

fn method(setting: &Setting) -> String {
    let (buffer, silence) = (octets(buffer(setting)), SILENCE.as_millis());
    format!(
        "The server calls send with no octets at all, then sends a line of {REPLY_OCTETS} octets. The client first \
         tries to receive {silence} ms long, then takes the line with a recvmsg that has room for {buffer}, \
         and receives again. At the end the stream is closed; the datagram socket gets an empty datagram \
         and one more line. --buffer sets the room."
    )
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
        exchange.go(transport, buffer(setting), &mut run)?;
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
    fn go(&self, transport: Transport, buffer: usize, run: &mut Run) -> Result<(), Obstacle> {
        self.send(0)?;
        run.saw(transport, EMPTY, received(&self.recv_in_time()?));
        self.send(REPLY_OCTETS)?;
        if transport == Transport::Tcp {
            self.shutdown()?;
            wait_for(&self.pair.client, REPLY_OCTETS)?;
        }
        let (first, flag) = self.recvmsg(buffer)?;
        run.saw(transport, FIRST, octets(first));
        run.saw(transport, FLAG, flag);
        let next = self.recv_in_time()?;
        run.saw(transport, NEXT, received(&next));
        let next = next.map_or(0, |part| part.len());
        run.saw(transport, LOST, octets(REPLY_OCTETS.saturating_sub(first + next)));
        if transport == Transport::Udp {
            self.send(0)?;
            self.send(REPLY_OCTETS)?;
        }
        let zero = self.recv()?;
        let after = self.recv()?;
        let seen = if zero.is_empty() { octets(after.len()) } else { "no recv gave 0".into() };
        run.saw(transport, ZERO, seen);
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
        set(Some(SILENCE))?;
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
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn a_datagram_is_cut_and_a_stream_is_not() {
        let run = check::all_is_as_predicted(&LAB, Knobs::default());
        assert!(check::is_shown(&run, "recvmsg(10)"), "{:?}", run.parts);
    }

    #[test]
    fn whatever_the_buffer_it_is_as_predicted() {
        for buffer in [0, 1, 25, 26, 27, MOST] {
            check::all_is_as_predicted(&LAB, Knobs { buffer: Some(buffer), ..Knobs::default() });
        }
    }
}
