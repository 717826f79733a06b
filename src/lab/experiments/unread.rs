//! A client that talks to a server that does not listen.

mod netns;

use crate::compare::OwnServer;
use crate::duration::Unit;
use crate::lab::lesson::{tcp, udp};
use crate::lab::loopback::{
    ANY_PORT, CLIENT, PATIENCE, Pair, REPLY_OCTETS, SERVER, ctime_reply, error_name, failed,
    octet_count, octets, open, recv, require_loopback, wait_for, within_timeout,
};
use crate::lab::recorder::Recorder;
use crate::lab::{
    Engine, Knob, Lab, Lesson, Must, Next, Obstacle, Prediction, Procedure, Run, Setting, Theory,
    draws_nothing,
};
use crate::server::Config;
use crate::syntax::Syntax;
use crate::trace::Trace;
use crate::transport::Transport;
use socket2::{Socket, Type};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Instant;

pub(super) static LAB: Lab = Lab {
    name: "unread",
    question: "What if the client talks, and the server never reads it?",
    theory: &[
        Theory {
            says: "any data received is thrown away",
            source: "RFC 867, \"TCP Based Daytime Service\"",
        },
        Theory {
            says: "a host that closes a connection while received data is unread should send a reset, to say \
                   that data was lost",
            source: "RFC 1122, section 4.2.2.13; RFC 2525, section 2.17",
        },
        Theory {
            says: "a reset with the sequence number that its receiver expects ends the connection at once; data \
                   that is still to be sent is lost with it",
            source: "RFC 9293, sections 3.5.3 and 3.10.7.4",
        },
        Theory {
            says: "a reset with another number inside the window is answered by a challenge ACK, and the connection \
                   stays: a forger cannot guess the expected number. A host without the connection answers the ACK \
                   by a reset with exactly that number",
            source: "RFC 5961, section 3.2; RFC 9293, sections 3.5.2 and 3.10.7.4",
        },
        Theory {
            says: "shutdown of one's own direction, and reading until the other side has closed as well, \
                   leaves nothing unread",
            source: "Stevens, UNP, volume 1, sections 6.6 and 7.5",
        },
    ],
    lessons: &[
        Lesson {
            says: "A server that closes while input is unread sends a reset after its reply.",
            rests_on: &[tcp(CLOSED, Must::BeAsPredicted)],
        },
        Lesson {
            says: "A server that ignores its input must read it all the same: send, shut down its own \
                   direction, read to the end, close. Its clients read a clean end.",
            rests_on: &[tcp(DRAINED, Must::BeAsPredicted)],
        },
        Lesson {
            says: "Over UDP unread datagrams do no harm: every client had its reply.",
            rests_on: &[udp(CLOSED, Must::BeAsPredicted), udp(ANY_INPUT, Must::BeAsPredicted)],
        },
        Lesson {
            says: "The reply was lost and never sent again, because the reset had ended the connection: the \
                   client read no octet.",
            rests_on: &[
                tcp(netns::READ, Must::Number(0)),
                tcp(netns::REPLIES, Must::Number(1)),
                tcp(netns::RECV, Must::Be("ECONNRESET")),
            ],
        },
        Lesson {
            says: "The client answered the first reset with a challenge ACK, because the lost octets left a \
                   gap before it. The second reset had the expected sequence number, and ended the connection.",
            rests_on: &[
                tcp(netns::CHALLENGES, Must::BeAbove(0)),
                tcp(netns::ENDS, Must::Be("RST")),
            ],
        },
        Lesson {
            says: "Over UDP the lost reply was not sent again.",
            rests_on: &[udp(netns::RECV, Must::Be("EAGAIN")), udp(netns::REPLIES, Must::Number(1))],
        },
    ],
    elsewhere: "Linux lets the reader have what came before the reset. BSD and Windows may throw it away, and \
                then the client has nothing. If the segment with the reply is lost, no system repairs it.",
    next: &[
        Next {
            command: "daytime lab run unread --count 1000",
            watch: "On Linux each of the thousand has its line before the reset: the reset \
                    does not overtake it on loopback.",
        },
        Next {
            command: "daytime lab run unread --engine netns",
            watch: "The segment with the line is lost, and the reset ends the connection: the client \
                    reads 0 octets. Why does the client answer the first reset, and what is \
                    different in the second?",
        },
        Next {
            command: "daytime lab run unread --count 1",
            watch: "One exchange each, for following the trace.",
        },
        Next {
            command: "printf hello | nc -N 127.0.0.1 9999",
            watch: "After `daytime serve --port 9999`: the line, and no error.",
        },
    ],
    time_unit: Unit::Milliseconds,
    programs: &[],
    procedures: &[
        Procedure {
            engine: Engine::Loopback,
            draws: draws_nothing,
            knobs: &[Knob::Count.within(1..=MOST)],
            method,
            predict,
            run,
        },
        netns::PROCEDURE,
    ],
};

const COUNT: u32 = 50;
const MOST: u32 = 1000;

/// What the client says.
const TALK: &[u8] = b"hello";

const CLOSED: &str = "closed with input unread";
const DRAINED: &str = "shut down and drained";
const ANY_INPUT: &str = "with all input ignored";

fn count(setting: &Setting) -> u32 {
    setting.knobs.count.unwrap_or(COUNT)
}

fn method(setting: &Setting) -> String {
    format!(
        "A client connects and sends {} octets. First a careless server, once they have arrived, sends its line \
         and closes without having read them; over UDP it reads one of two datagrams, since else it would not \
         know whom to answer. Then the server of this suite is asked in the same way. Each is done {} times \
         (--count, up to {MOST}), of which the first is drawn. Here no segment is lost; --engine netns loses the \
         one with the line.",
        TALK.len(),
        count(setting)
    )
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let (tcp, udp) = (Transport::Tcp, Transport::Udp);
    let count = count(setting);
    let all = |then: &str| format!("{count} × {}, then {then}", octets(REPLY_OCTETS));
    let thrown_away = "BSD and Windows throw away what came before the reset";
    vec![
        Prediction::is(tcp, CLOSED, all("ECONNRESET")).varies(thrown_away),
        Prediction::is(tcp, DRAINED, all(END)),
        Prediction::is(udp, CLOSED, all("EAGAIN")),
        Prediction::is(udp, ANY_INPUT, all("EAGAIN")),
    ]
}

/// What a read of no octets means on a stream.
const END: &str = "the end";

fn run(setting: &Setting) -> Result<Run, Obstacle> {
    require_loopback()?;
    let addresses = vec![ANY_PORT];
    let config = Config { addresses, syntax: Syntax::Ctime, ..Config::default() };
    let service = OwnServer::start(config)
        .map_err(|error| failed("start a server")(io::Error::other(error)))?;
    let mut run = Run::default();
    for transport in Transport::BOTH {
        let (trace, seen) = repeat(setting, || careless(transport))?;
        run.saw(transport, CLOSED, seen);
        run.show(transport, CLOSED, trace);
        let what = if transport == Transport::Tcp { DRAINED } else { ANY_INPUT };
        let (trace, seen) = repeat(setting, || polite(transport, service.address))?;
        run.saw(transport, what, seen);
        run.show(transport, what, trace);
    }
    Ok(run)
}

/// The first trace, and how often the client saw what: `50 × 26 octets, then the end`.
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
        tally.into_iter().map(|(seen, times)| format!("{times} × {seen}")).collect();
    Ok((first.unwrap_or_default(), seen.join("; ")))
}

/// The server answers and closes while something is unread.
fn careless(transport: Transport) -> Result<(Trace, String), Obstacle> {
    let recorder = Recorder::on_loopback();
    let Pair { client, server } = Pair::new(transport, &recorder)?;
    talk(&client, &recorder)?;
    match transport {
        Transport::Tcp => wait_for(&server, TALK.len())?,
        Transport::Udp => {
            talk(&client, &recorder)?;
            let question = recorder.receive(SERVER, &server, 1024);
            question.map_err(failed("receive the question"))?;
            within_timeout(&server, || server.peek_sender())
                .map_err(failed("wait for the second datagram"))?;
        }
    }
    let reply = ctime_reply()?;
    recorder.send(SERVER, &server, reply.octets()).map_err(failed("send the line"))?;
    recorder.close_with(SERVER, server, "done, input unread");
    let seen = listen(&client, &recorder)?;
    Ok((recorder.short_trace(), seen))
}

/// The service of this suite answers. Its calls are its own, so the trace has the client's only.
fn polite(transport: Transport, service: SocketAddr) -> Result<(Trace, String), Obstacle> {
    let recorder = Recorder::on_loopback();
    let client = open(transport).map_err(failed("open a socket"))?;
    let connect = || client.connect(&service.into());
    recorder
        .call(CLIENT, "connect()", connect, |()| "connected".into())
        .map_err(failed("connect to the server"))?;
    talk(&client, &recorder)?;
    let seen = listen(&client, &recorder)?;
    Ok((recorder.short_trace(), seen))
}

fn talk(client: &Socket, recorder: &Recorder) -> Result<usize, Obstacle> {
    recorder.send(CLIENT, client, TALK).map_err(failed("send"))
}

/// Receives until nothing more comes, and tells all of it.
fn listen(client: &Socket, recorder: &Recorder) -> Result<String, Obstacle> {
    let datagrams = client.r#type().map_err(failed("ask for SO_TYPE"))? == Type::DGRAM;
    let mut all = 0;
    let end = loop {
        let received = if all > 0 && datagrams {
            recorder.call_at_once(CLIENT, "recv(1024)", || recv(client, 1024), octet_count)
        } else {
            recorder.receive(CLIENT, client, 1024)
        };
        match received {
            Ok(part) if part.is_empty() => break END.to_owned(),
            Ok(part) => all += part.len(),
            Err(error) => break error_name(&error),
        }
        // A datagram has no end to wait for: what is to come behind it is there, or is not.
        client.set_nonblocking(datagrams).map_err(failed("set O_NONBLOCK"))?;
    };
    Ok(format!("{}, then {end}", octets(all)))
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn who_closes_with_input_unread_resets_and_who_drains_does_not() {
        let run = check::all_is_as_predicted(&LAB, Knobs::default());
        assert!(check::is_shown(&run, "close()"), "{:?}", run.parts);
    }

    #[test]
    fn it_is_done_as_often_as_was_told_and_up_to_a_limit() {
        for count in [1, 2, MOST] {
            check::all_is_as_predicted(&LAB, Knobs { count: Some(count), ..Knobs::default() });
        }
    }
}
