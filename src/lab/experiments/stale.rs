//! Lab `stale`: a client sends a second question before the reply to the first one arrives.

use crate::duration::short;
use crate::lab::analysis::count;
use crate::lab::link::{CLIENT, Conditions, SERVER};
use crate::lab::sim::{
    self, Answer, Application, Asker, DatagramService, Network, Policy, StreamClient,
    StreamService, address,
};
use crate::lab::{Engine, Lab, LabOption, Prediction, Procedure, Results, Setting};
use crate::trace::{Action, Trace};
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

pub(super) static LAB: Lab = lab!("stale", [PROCEDURE]);

const PROCEDURE: Procedure = Procedure::new(Engine::Sim, predict, |setting, results| {
    run(setting, results);
    Ok(())
})
.with(&[LabOption::Delay.within(0..=60_000)], |setting| vec![("delay", short(delay(setting)))]);

const SECOND: &str = "2nd connection reads";
const ASKS: &str = "question of 2nd query";
const ANSWERED_QUESTION: &str = "2nd query gets reply to";
const SENT: &str = "questions sent";

/// Time that the server takes to reply. This time is longer than a second, so that two replies show different times.
const SERVER_DELAY: Duration = Duration::from_millis(1500);
const TIMEOUT: Duration = Duration::from_secs(1);
/// Time after which a query with one retry times out: 1 s after the first question, and 2 s more after the retry.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(3);

fn delay(setting: &Setting) -> Duration {
    conditions(setting).delay
}

fn conditions(setting: &Setting) -> Conditions {
    sim::conditions(&setting.options, Duration::from_millis(1))
}

/// Returns a run time that is long enough for every reply to arrive.
fn deadline(setting: &Setting) -> Duration {
    Duration::from_secs(15) + 10 * delay(setting)
}

/// Returns the time at which the reply to the first question arrives.
fn first_answer(setting: &Setting) -> Duration {
    SERVER_DELAY + 2 * delay(setting)
}

fn predict(setting: &Setting) -> Vec<Prediction> {
    // If the first query times out, the second query begins and waits for the same time.
    let is_to = match first_answer(setting) {
        answer if answer <= EXCHANGE_TIMEOUT => question(2),
        answer if answer <= 2 * EXCHANGE_TIMEOUT => question(1),
        _ => NOTHING.to_owned(),
    };
    vec![
        Prediction::is(Tcp, SECOND, SECOND_REPLY),
        Prediction::is(Udp, ASKS, question(3)),
        Prediction::is(Udp, ANSWERED_QUESTION, is_to),
        Prediction::is(Udp, SENT, (questions(setting), "question")),
    ]
}

const SECOND_REPLY: &str = "its own";
const NOTHING: &str = "nothing";

fn question(number: usize) -> String {
    format!("question {number}")
}

/// Returns the number of questions (datagrams) that the two queries send. The first query sends two. The second query
/// sends one, and another if no reply arrives in time; a reply that does arrive in time answers one of the first
/// query's questions.
fn questions(setting: &Setting) -> u64 {
    let answer = first_answer(setting);
    if answer <= EXCHANGE_TIMEOUT + TIMEOUT { 3 } else { 4 }
}

fn run(setting: &Setting, results: &mut Results) {
    streams(setting, results);
    datagrams(setting, SERVER_DELAY, results);
}

fn network(setting: &Setting) -> Network {
    Network::new(conditions(setting), setting.seed)
}

/// Opens two connections; the second client connects when the first one gives up.
fn streams(setting: &Setting, results: &mut Results) {
    let mut first = StreamClient::new(Duration::ZERO, TIMEOUT, 50_000);
    let mut second = StreamClient::new(TIMEOUT, deadline(setting), 50_001);
    let mut network = network(setting).traced_by_port([first.port, second.port]);
    let mut service = StreamService::replying_after(SERVER_DELAY);
    let programs: &mut [(_, &mut dyn Application)] =
        &mut [(CLIENT, &mut first), (CLIENT, &mut second), (SERVER, &mut service)];
    network.run(programs, deadline(setting));
    results.observe(Tcp, SECOND, reply_owner(&second, &service));
    let names = ["the first connection", "the second connection"];
    for (name, trace) in names.into_iter().zip(network.into_traces()) {
        results.keep_trace(Tcp, name, trace);
    }
}

/// Returns which reply a client has read: the reply sent to its own port, another client's reply, or none.
fn reply_owner(client: &StreamClient, service: &StreamService) -> &'static str {
    let sent = |to_second: bool| {
        let to_it = move |port: &Option<u16>| (*port == Some(client.port)) == to_second;
        service.answers.iter().any(|(port, line)| to_it(port) && *line == client.octets)
    };
    match (sent(true), sent(false)) {
        (true, false) => SECOND_REPLY,
        (_, true) => "another one's",
        (false, false) => NOTHING,
    }
}

/// Makes two queries on one socket, one after the other.
fn datagrams(setting: &Setting, thinks: Duration, results: &mut Results) {
    let mut network = network(setting).traced();
    let mut client = Asker::new(2, 1, EXCHANGE_TIMEOUT);
    let mut service = DatagramService::new(address(SERVER).into(), Policy::Guarded, thinks);
    network.run(&mut [(CLIENT, &mut client), (SERVER, &mut service)], deadline(setting));
    let delay = delay(setting);
    if let Some(query_starts) = client.query_starts.get(1) {
        let before = client.questions.iter().filter(|asked| *asked < query_starts).count();
        results.observe(Udp, ASKS, question(before + 1));
    }
    if let Some(answer) = client.answers.get(1) {
        let number = answer.as_ref().map(|(came, _)| answered(&service.answers, *came, delay));
        results.observe(
            Udp,
            ANSWERED_QUESTION,
            number.map_or_else(|| NOTHING.to_owned(), question),
        );
    }
    results.observe(Udp, SENT, count(client.questions.iter(), "question"));
    results.keep_trace(Udp, "", numbered(network.into_trace(), &service.answers, delay));
}

/// Returns the number of the question that a reply answers. The time at which the reply arrived identifies the reply; 0
/// means that no reply arrived at that time.
fn answered(answers: &[Answer], came: Duration, delay: Duration) -> usize {
    let sent = came.saturating_sub(delay);
    answers.iter().find(|answer| answer.sent == sent).map_or(0, |answer| answer.question)
}

/// Adds question numbers to the calls in a trace; the packets themselves carry no such number.
fn numbered(mut trace: Trace, answers: &[Answer], delay: Duration) -> Trace {
    let [mut asked, mut taken] = [0, 0];
    let next = |number: &mut usize| {
        *number += 1;
        format!("question {number}")
    };
    for event in &mut trace.events {
        let Action::Call { call, outcome } = &mut event.action else { continue };
        let answer = |delay| format!("to question {}", answered(answers, event.at, delay));
        let number = match &**call {
            "send(0)" => next(&mut asked),
            "recvfrom()" => next(&mut taken),
            "sendto()" => answer(Duration::ZERO),
            "recv()" if outcome.ends_with("octets") => answer(delay),
            _ => continue,
        };
        *outcome = format!("{outcome}, {number}");
    }
    trace
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::LabOptions;
    use crate::lab::analysis::replies;
    use crate::lab::experiments::tests::as_predicted;
    use crate::lab::packet::client_port;
    use crate::mentions::each_mentions;

    fn setting() -> Setting {
        Setting { seed: 1, options: LabOptions::default() }
    }

    #[test]
    fn a_server_without_a_delay_answers_the_question_that_was_asked() {
        let mut results = Results::default();
        datagrams(&setting(), Duration::ZERO, &mut results);
        let values: Vec<_> = results.observed.iter().map(|it| it.value.clone()).collect();
        assert_eq!(values, ["question 2".into(), "question 2".into(), (2, "question").into()]);
    }

    #[test]
    fn the_replies_differ_and_are_numbered_in_the_trace() {
        let outcome = as_predicted(&LAB, Engine::Sim, 1, LabOptions::default());
        let trace = &outcome.parts.iter().find(|part| part.transport == Udp).expect("it").trace;
        let calls: Vec<String> = trace
            .events
            .iter()
            .filter(|event| event.host == CLIENT)
            .filter_map(|event| match &event.action {
                Action::Call { call, outcome } => Some(format!("{call} = {outcome}")),
                Action::Packet(_) | Action::State(..) => None,
            })
            .collect();
        each_mentions(
            calls,
            &[
                &["send(0)", "0 octets", "question 1"],
                &["send(0)", "0 octets", "question 2"],
                &["recv()", "40 octets", "question 1"],
                &["send(0)", "0 octets", "question 3"],
                &["recv()", "40 octets", "question 2"],
                &["recv()", "40 octets", "question 3"],
            ],
        );
        let mut lines: Vec<_> = replies(trace).map(|(_, packet)| &packet.octets[28..]).collect();
        lines.dedup();
        assert_eq!(lines.len(), 3, "no two lines are the same");
    }

    #[test]
    fn each_connection_has_a_drawing_of_its_own() {
        let outcome = as_predicted(&LAB, Engine::Sim, 1, LabOptions::default());
        let streams: Vec<_> = outcome.parts.iter().filter(|part| part.transport == Tcp).collect();
        assert_eq!(streams.len(), 2);
        for (part, port) in streams.iter().zip([50_000, 50_001]) {
            let ports: Vec<_> =
                part.trace.packets().map(|(_, it)| client_port(&it.octets)).collect();
            assert!(ports.len() >= 5 && ports.iter().all(|it| *it == Some(port)), "{ports:?}");
            let calls = ["connect()", "accept()", "send(40)"];
            for call in calls {
                let is =
                    |action: &Action| matches!(action, Action::Call { call: it, .. } if it == call);
                assert_eq!(
                    part.trace.events.iter().filter(|it| is(&it.action)).count(),
                    1,
                    "{call}"
                );
            }
        }
    }

    #[test]
    fn the_second_query_reads_the_reply_to_the_retry_of_the_first() {
        for seed in 0..50 {
            as_predicted(&LAB, Engine::Sim, seed, LabOptions::default());
        }
        for milliseconds in [0, 100, 400, 750, 751, 1250, 1251, 2249, 2250, 2251, 20_000, 60_000] {
            let delay = Some(Duration::from_millis(milliseconds));
            as_predicted(&LAB, Engine::Sim, 1, LabOptions { delay, ..LabOptions::default() });
        }
    }
}
