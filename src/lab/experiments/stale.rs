//! Asking again too early.

use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::sim::{
    Application, Asker, DatagramService, Network, Policy, StreamClient, StreamService, address,
};
use crate::lab::{Engine, Knob, Knobs, Lab, Prediction, Run, Setting, Theory};
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
    method: |setting| {
        format!(
            "The server thinks for {THINKS:?}; a client asks again after {TIMEOUT:?}, and then asks a second \
             time on the same socket. A packet takes {:?}.",
            delay(setting)
        )
    },
    lesson: "Without an identifier an answer is for whatever was asked last on that socket. daytime query has \
             a socket for each address it asks, and closes it when the answer has come.",
    elsewhere: "The same on every system: it is the protocol.",
    engines: &[Engine::Sim],
    knobs: &[Knob::Delay],
    predict,
    run: |setting| Ok(run(setting)),
};

const THINKS: Duration = Duration::from_millis(150);
const TIMEOUT: Duration = Duration::from_millis(100);
/// Of two waits of an exchange with one retry, the second is twice the first.
const WHOLE: Duration = Duration::from_millis(300);
const UNTIL: Duration = Duration::from_secs(5);

fn delay(setting: &Setting) -> Duration {
    setting.knobs.delay.unwrap_or(Duration::from_millis(1))
}

/// Whether the answer to the first question comes after it was asked again, and before the client gives up.
fn is_too_early(setting: &Setting) -> (bool, bool) {
    let answer = THINKS + 2 * delay(setting);
    (answer > TIMEOUT, answer < WHOLE)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    let own =
        Prediction::is(Tcp, "second answer", "on the second connection, begun after it was asked");
    let udp = match is_too_early(setting) {
        (true, true) => "sent before the second query was there",
        _ => "none that the first query waited for",
    };
    vec![
        own,
        Prediction::is(Tcp, "answers on the second connection", (1, "answer")),
        Prediction::is(Udp, "answer to the second query", udp),
        Prediction::is(Udp, "questions sent", (questions(setting), "question")),
    ]
}

/// The first query asks twice; the second asks once more, or twice if its answer does not come in time.
fn questions(setting: &Setting) -> u64 {
    let answer = THINKS + 2 * delay(setting);
    match is_too_early(setting) {
        // The retry was sent TIMEOUT after the first question, and so its answer comes so much later.
        (true, true) if TIMEOUT < answer => 3,
        _ => 4,
    }
}

fn run(setting: &Setting) -> Run {
    let mut run = Run::default();
    streams(setting, &mut run);
    datagrams(setting, &mut run);
    run
}

fn network(setting: &Setting) -> Network {
    let conditions =
        Conditions::of(&Knobs { delay: Some(delay(setting)), ..Knobs::default() }, THINKS);
    Network::new(conditions, setting.seed).traced()
}

/// Two connections, the second begun when the first had taken too long.
fn streams(setting: &Setting, run: &mut Run) {
    let mut network = network(setting);
    let mut first = StreamClient::new(Duration::ZERO, TIMEOUT, 50_000);
    let mut second = StreamClient::new(TIMEOUT, UNTIL, 50_001);
    let mut service = StreamService::thinking(THINKS);
    let programs: &mut [(_, &mut dyn Application)] =
        &mut [(CLIENT, &mut first), (CLIENT, &mut second), (SERVER, &mut service)];
    network.run(programs, UNTIL);
    // The reply was formed when the server had thought about this very connection.
    let formed_for_it =
        second.answered.is_some_and(|at| at >= TIMEOUT + THINKS + 4 * delay(setting));
    let answer = match (formed_for_it, first.octets.is_empty()) {
        (true, _) => "on the second connection, begun after it was asked",
        (false, _) => "of an earlier question",
    };
    let lines = second.octets.iter().filter(|octet| **octet == b'\n').map(|_| 1).sum();
    run.saw(Tcp, "second answer", answer);
    run.saw(Tcp, "answers on the second connection", (lines, "answer"));
    run.show(Tcp, "", network.into_trace());
}

/// Two queries on one socket.
fn datagrams(setting: &Setting, run: &mut Run) {
    let mut network = network(setting);
    let mut client = Asker::new(2, 1, WHOLE);
    let local = address(SERVER).into();
    let mut service = DatagramService::new(local, Policy::Guarded, THINKS);
    network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], UNTIL);
    run.saw(Udp, "answer to the second query", judge(&client, &service, delay(setting)));
    run.saw(Udp, "questions sent", (client.questions.iter().map(|_| 1).sum(), "question"));
    run.show(Udp, "", network.into_trace());
}

/// Where the second query's answer comes from, by when the server sent it.
fn judge(client: &Asker, service: &DatagramService, delay: Duration) -> &'static str {
    let [Some(first), Some((came, _))] = &client.answers[..] else {
        return "none that the first query waited for";
    };
    // The second query began when the first had its answer.
    let (begun, sent) = (first.0, came.saturating_sub(delay));
    let own = begun + delay + THINKS;
    match service.answers.contains(&sent) {
        true if sent < own => "sent before the second query was there",
        true => "its own",
        false => "from nowhere",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::experiments::check::as_predicted;

    #[test]
    fn the_second_query_reads_the_answer_to_the_first_ones_retry() {
        for seed in 0..50 {
            as_predicted(&LAB, Engine::Sim, seed, Knobs::default());
        }
        for milliseconds in [10, 20, 40] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, Knobs { delay, ..Knobs::default() });
        }
    }
}
