//! Asking again too early.

use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::sim::{
    self, Application, Asker, DatagramService, Network, Policy, StreamClient, StreamService,
    address,
};
use crate::lab::{Engine, Knob, Lab, Prediction, Procedure, Run, Setting, Theory};
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = Lab {
    name: "stale",
    question: "Whose answer is it, if a client asks again too early?",
    theory: &[
        Theory {
            says: "The answer is the time and nothing else: no number tells which question it is for.",
            source: "RFC 867",
        },
        Theory {
            says: "A client that asks again has to tell a late answer from a new one, with an identifier of \
                   the protocol's or a socket of its own for each query.",
            source: "Stevens, UNP 1, chapter 22.5; RFC 8085, section 3.1",
        },
        Theory {
            says: "A connection is known by its two addresses and ports: what comes on it is for it.",
            source: "RFC 9293, section 3.3.1",
        },
    ],
    lesson: "Without an identifier an answer is for whatever was asked last on that socket. daytime query has \
             a socket for each address it asks, and closes it when the answer has come.",
    elsewhere: "The same on every system: it is the protocol.",
    procedures: &[Procedure {
        engine: Engine::Sim,
        knobs: &[Knob::Delay.within(0..=60_000)],
        method,
        predict,
        run: |setting| Ok(run(setting)),
    }],
};

fn method(setting: &Setting) -> String {
    format!(
        "The server thinks for {THINKS:?}; a client asks again after {TIMEOUT:?}, and then asks a second \
         time on the same socket. A packet takes {:?}.",
        delay(setting)
    )
}

const THINKS: Duration = Duration::from_millis(150);
const TIMEOUT: Duration = Duration::from_millis(100);
/// Of two waits of an exchange with one retry, the second is twice the first.
const WHOLE: Duration = Duration::from_millis(300);

fn delay(setting: &Setting) -> Duration {
    conditions(setting).delay
}

fn conditions(setting: &Setting) -> Conditions {
    sim::conditions(&setting.knobs, Duration::from_millis(1))
}

/// Long enough for every answer.
fn until(setting: &Setting) -> Duration {
    Duration::from_secs(5) + 10 * delay(setting)
}

/// When the answer to the first question comes.
fn first_answer(setting: &Setting) -> Duration {
    THINKS + 2 * delay(setting)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    // If the first query gives up, the second waits for as long again.
    let stale = if first_answer(setting) <= 2 * WHOLE { EARLIER } else { NOTHING };
    vec![
        Prediction::is(Tcp, "the second one's answer", OWN),
        Prediction::is(Tcp, "answers on its connection", (1, "answer")),
        Prediction::is(Udp, "the second one's answer", stale),
        Prediction::is(Udp, "questions sent", (questions(setting), "question")),
    ]
}

const OWN: &str = "its own";
const EARLIER: &str = "to an earlier question";
const NOTHING: &str = "nothing";

/// The first query asks twice. The second asks once, and again if nothing comes in time: what comes is the
/// answer to the first one's retry, or, if the first has given up, to its first question.
fn questions(setting: &Setting) -> u64 {
    let answer = first_answer(setting);
    if answer <= WHOLE + TIMEOUT { 3 } else { 4 }
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    streams(setting, &mut run);
    datagrams(setting, &mut run);
    run
}

fn network(setting: &Setting) -> Network {
    Network::new(conditions(setting), setting.seed).traced()
}

/// Two connections, the second begun when the first had taken too long.
fn streams(setting: &Setting, run: &mut Run) {
    let mut network = network(setting);
    let mut first = StreamClient::new(Duration::ZERO, TIMEOUT, 50_000);
    let mut second = StreamClient::new(TIMEOUT, until(setting), 50_001);
    let mut service = StreamService::thinking(THINKS);
    let programs: &mut [(_, &mut dyn Application)] =
        &mut [(CLIENT, &mut first), (CLIENT, &mut second), (SERVER, &mut service)];
    network.run(programs, until(setting));
    // The server has thought since this very connection came to be.
    let is_own = second.answered.is_some_and(|at| at >= TIMEOUT + THINKS + 4 * delay(setting));
    let answer = match second.answered {
        Some(_) if is_own => OWN,
        Some(_) => EARLIER,
        None => NOTHING,
    };
    let lines = second.octets.iter().filter(|octet| **octet == b'\n').map(|_| 1).sum();
    run.saw(Tcp, "the second one's answer", answer);
    run.saw(Tcp, "answers on its connection", (lines, "answer"));
    run.show(Tcp, "", network.into_trace());
}

/// Two queries on one socket.
fn datagrams(setting: &Setting, run: &mut Run) {
    let mut network = network(setting);
    let mut client = Asker::new(2, 1, WHOLE);
    let local = address(SERVER).into();
    let mut service = DatagramService::new(local, Policy::Guarded, THINKS);
    network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], until(setting));
    run.saw(Udp, "the second one's answer", judge(&client, &service, delay(setting)));
    run.saw(Udp, "questions sent", (client.questions.iter().map(|_| 1).sum(), "question"));
    run.show(Udp, "", network.into_trace());
}

/// Which question the second query's answer is for, by when the server sent it.
fn judge(client: &Asker, service: &DatagramService, delay: Duration) -> &'static str {
    let (Some(Some((came, _))), Some(begun)) = (client.answers.get(1), client.begun.get(1)) else {
        return NOTHING;
    };
    let sent = came.saturating_sub(delay);
    match service.answers.contains(&sent) {
        true if sent < *begun + delay + THINKS => EARLIER,
        true => OWN,
        false => "from nowhere",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Knobs;
    use crate::lab::experiments::check::as_predicted;

    #[test]
    fn the_second_query_reads_the_answer_to_the_first_ones_retry() {
        for seed in 0..50 {
            as_predicted(&LAB, Engine::Sim, seed, Knobs::default());
        }
        for milliseconds in [0, 10, 40, 75, 100, 125, 126, 200, 224, 225, 400, 2000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, Knobs { delay, ..Knobs::default() });
        }
    }
}
