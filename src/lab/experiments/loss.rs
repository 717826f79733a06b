//! Who repairs what the network loses.

mod chance;
mod drawn;

use crate::duration::{Unit, short};
use crate::lab::lesson::{tcp, udp};
use crate::lab::link::{Conditions, SERVER};
use crate::lab::sim::{self, DatagramService, Policy, address};
use crate::lab::{
    Engine, Knob, Lab, Lesson, Must, Next, Prediction, Procedure, Run, Setting, Theory,
};
use crate::transport::Transport;
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "loss",
    question: "Who repairs what the network loses?",
    theory: &[
        Theory {
            says: "TCP sends again what is not acknowledged before the retransmission timeout, which is a \
                   second at first, and doubles each time",
            source: "RFC 6298, sections 2 and 5; RFC 9293, section 3.8.1",
        },
        Theory {
            says: "TCP promises octets in order and without gaps, not messages: what has arrived is always the \
                   beginning of what was sent, however much that is. A reply of one segment arrives whole or not \
                   at all; a longer one may end in the middle",
            source: "RFC 9293, sections 2.2 and 3.10.7.4",
        },
        Theory {
            says: "UDP does not promise delivery, nor that a datagram arrives once or in order; a client that wants a \
                   reply has to ask again",
            source: "RFC 768; Stevens, UNP, volume 1, section 22.5",
        },
        Theory {
            says: "an exchange of two datagrams succeeds with s = (1−p)², and one of n tries with 1−(1−s)ⁿ, \
                   where each is lost with p; where a part d comes twice, a question may be answered twice, and \
                   s = (1−p)²·(1+dp)",
            source: "the losses are independent",
        },
    ],
    lessons: &[
        Lesson {
            says: "The lost SYN cost the client one second: the first retransmission timeout of TCP.",
            rests_on: &[
                tcp(drawn::SYN_TIME, Must::BeAsPredicted),
                tcp(drawn::SYN_REPLY, Must::Be(WHOLE)),
            ],
        },
        Lesson {
            says: "With random loss, every client over TCP received the whole reply: TCP retransmits what the \
                   network loses.",
            rests_on: &[
                tcp(chance::LOST, Must::BeAbove(0)),
                tcp(chance::WHOLE, Must::BeAbove(0)),
                tcp(chance::NONE, Must::Number(0)),
            ],
        },
        Lesson {
            says: "In the exchanges for random loss, TCP lost no packet, so it had nothing to repair.",
            rests_on: &[
                tcp(chance::LOST, Must::Number(0)),
                tcp(chance::WHOLE, Must::BeAbove(0)),
                tcp(chance::NONE, Must::Number(0)),
            ],
        },
        Lesson {
            says: "With random loss, some clients over TCP gave up before a reply arrived, although both hosts \
                   kept retransmitting.",
            rests_on: &[tcp(chance::WHOLE, Must::BeAbove(0)), tcp(chance::NONE, Must::BeAbove(0))],
        },
        Lesson {
            says: "With random loss, no client over TCP received a reply: retransmission helps only where enough \
                   packets arrive.",
            rests_on: &[tcp(chance::WHOLE, Must::Number(0)), tcp(chance::NONE, Must::BeAbove(0))],
        },
        Lesson {
            says: "With random loss, no reply over TCP arrived in part, because this reply fits into one segment. \
                   TCP itself promises less: what has arrived is the beginning of what was sent, in order and \
                   without gaps.",
            rests_on: &[
                tcp(chance::LOST, Must::BeAbove(0)),
                tcp(chance::WHOLE, Must::BeAbove(0)),
                tcp(chance::PART, Must::Number(0)),
            ],
        },
        Lesson {
            says: "Where the link lost the first question over UDP, a client with one try received no reply. A \
                   client that asked again received one.",
            rests_on: &[udp(drawn::ONE_TRY, Must::Number(0)), udp(drawn::RETRY, Must::Number(1))],
        },
        Lesson {
            says: "UDP repairs nothing: with random loss, more questions were answered because the client itself \
                   asked again.",
            rests_on: &[udp(chance::AGAIN, Must::Exceed(Transport::Udp, chance::ONCE))],
        },
        Lesson {
            says: "In the exchanges for random loss, every first try over UDP was answered, so asking again \
                   changed nothing.",
            rests_on: &[udp(chance::ONCE, Must::Number(1)), udp(chance::AGAIN, Must::Number(1))],
        },
        Lesson {
            says: "With random loss, four tries over UDP received as little as one: no reply.",
            rests_on: &[udp(chance::ONCE, Must::Number(0)), udp(chance::AGAIN, Must::Number(0))],
        },
        Lesson {
            says: "UDP does not remove duplicates: where the link lost the first question, the client that asked \
                   again received more than one reply.",
            rests_on: &[udp(drawn::RETRY, Must::BeAbove(1))],
        },
    ],
    elsewhere: "Linux sends lost data again after 200 ms or a little more, once it has measured the round trip; the \
                first SYN after a second, as here. Linux gives up on an unanswered SYN after about two minutes, and on \
                unacknowledged data after a quarter of an hour; this stack retries forever.",
    next: &[
        Next {
            command: "daytime lab run loss --loss 50",
            watch: "With one try a quarter of the questions is answered, with four tries two in \
                    three. Over TCP every reply arrives: look at the median time.",
        },
        Next {
            command: "daytime lab run loss --loss 100",
            watch: "Nothing passes, and no protocol repairs that: compare the lesson.",
        },
        Next {
            command: "daytime lab run loss --count 10000",
            watch: "The range that is predicted becomes narrower, and is kept.",
        },
        Next {
            command: "daytime lab run loss --drop 2",
            watch: "The SYN-ACK is lost, which the client cannot tell from a lost SYN.",
        },
        Next {
            command: "daytime lab run loss --drop 3",
            watch: "The client's ACK is lost. It has nothing more to send that would \
                    acknowledge as well, so the server waits in SYN-RECEIVED, and repeats its \
                    SYN-ACK after a second.",
        },
        Next {
            command: "daytime lab run loss --drop 5",
            watch: "This ACK is for the reply, which is there: its loss costs the client \
                    nothing.",
        },
        Next {
            command: "daytime lab run loss --duplicate 50 --reorder 50",
            watch: "Packets come twice, and late. TCP hands the reply over once. Over UDP up to \
                    four replies come to one question, and more questions are answered than \
                    before. Why more?",
        },
    ],
    time_unit: Unit::Milliseconds,
    programs: &[],
    procedures: &[Procedure {
        engine: Engine::Sim,
        draws: |setting| conditions(setting).draws(),
        knobs: &[
            Knob::Loss.within(0..=100),
            Knob::Drop.within(1..=u32::MAX),
            Knob::Duplicate.within(0..=100),
            Knob::Reorder.within(0..=100),
            Knob::Delay.within(0..=60_000),
            Knob::Count.within(1..=1_000_000),
        ],
        method,
        predict,
        run: |setting| Ok(run(setting)),
    }],
};

/// Tries of the client that asks again.
const TRIES: u32 = 4;

fn method(setting: &Setting) -> String {
    let which = match &setting.knobs.drop[..] {
        [] => "first the SYN, then the reply; over UDP the question".to_owned(),
        numbers => {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            format!("the packets with the numbers {}", numbers.join(", "))
        }
    };
    format!(
        "In the drawings the link loses {which}, and nothing at random. Then random loss, each packet being lost \
         with {} %: {} exchanges over TCP, whose client waits for a day; and {} over UDP, with one try and with \
         {TRIES}. In all of them a packet takes {}{}{}.",
        loss(setting),
        chance::streams(setting),
        chance::count(setting),
        short(conditions(setting).delay),
        of_hundred(setting.knobs.duplicate, "come twice"),
        of_hundred(setting.knobs.reorder, "are overtaken by those behind them"),
    )
}

/// A clause on what happens to some, if it does.
fn of_hundred(percent: Option<f64>, what: &str) -> String {
    let some = percent.filter(|percent| *percent > 0.0);
    some.map_or_else(String::new, |percent| format!(", {percent} % {what}"))
}

/// Of a hundred packets, how many are lost by chance.
fn loss(setting: &Setting) -> f64 {
    setting.knobs.loss.unwrap_or(30.0)
}

/// How the link is, chance included.
fn conditions(setting: &Setting) -> Conditions {
    let conditions = sim::conditions(&setting.knobs, Duration::from_millis(20));
    Conditions { loss: loss(setting) / 100.0, drop: Vec::new(), ..conditions }
}

/// The time of an answer over TCP without loss.
fn unhurt(setting: &Setting) -> Duration {
    4 * conditions(setting).delay
}

/// How long a client with four tries has for all of them, 15 times as long as for the first: which is longer than
/// a question and its answer take that are both late and come twice, so that one try does not meet another's.
fn all_tries(setting: &Setting, least: Duration) -> Duration {
    least.max(120 * conditions(setting).delay)
}

fn service() -> DatagramService {
    DatagramService::new(address(SERVER).into(), Policy::Guarded, Duration::ZERO)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    [drawn::predict(setting), chance::predict(setting)].concat()
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    drawn::run(setting, &mut run);
    chance::run(setting, &mut run);
    run
}

const WHOLE: &str = "all of the reply";

/// What of the reply has arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    Nothing,
    Part,
    Whole,
}

impl Came {
    fn of(octets: &[u8]) -> Self {
        match octets {
            [] => Self::Nothing,
            octets if octets.ends_with(b"-UTC\r\n") => Self::Whole,
            _ => Self::Part,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Nothing => "silence",
            Self::Part => "a part of the reply",
            Self::Whole => WHOLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;

    #[test]
    fn what_of_a_line_has_come_is_known() {
        let line = b"Tuesday, February 2, 1982 15:59:01-UTC\r\n";
        let came = [&line[..], &line[..39], &line[20..30], &[]].map(Came::of);
        assert_eq!(came, [Came::Whole, Came::Part, Came::Part, Came::Nothing]);
    }

    #[test]
    fn all_knobs_are_told_where_they_have_an_effect() {
        let knobs = Knobs {
            loss: Some(12.0),
            duplicate: Some(34.0),
            reorder: Some(56.0),
            delay: Some(Duration::from_micros(7500)),
            drop: vec![8, 9],
            count: Some(78),
            ..Knobs::default()
        };
        let told = method(&Setting { seed: 1, knobs });
        for word in
            ["12 %", "34 %", "56 %", "7.5 ms", "8, 9", "78 exchanges over TCP", "78 over UDP"]
        {
            assert!(told.contains(word), "{word}: {told}");
        }
    }
}
