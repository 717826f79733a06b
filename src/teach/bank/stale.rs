//! Items for the lab `stale`, which ask for the number of the question that the second query's reply answers.

use super::order;
use super::runs::{Drawn, Runs, ms};
use crate::lab::{Report, Setting, Value};
use crate::teach::draw::Draw;
use crate::teach::item::{Choice, Item, Kind, Number};
use crate::trace::{Action, Event, Trace};
use crate::transport::Transport::Udp;
use std::time::Duration;

/// One-way delays in milliseconds. With the four shortest delays, the second query gets the reply to question 2. With
/// the next four, that query gets the reply to question 1. With the four longest, that query gets no reply.
const DELAYS: [u64; 12] = [100, 250, 400, 550, 900, 1200, 1500, 1800, 2400, 2700, 3000, 3300];
/// Time that the server takes to reply.
const SERVER_DELAY: Duration = Duration::from_millis(1500);

pub(super) fn draw(draw: &mut Draw, runs: &mut Runs) -> Option<Drawn> {
    let delay = Duration::from_millis(draw.one_of(&DELAYS, DELAYS[0]));
    let report = runs.get("stale", &Setting::default().delay(delay))?;
    let mut items = vec![first_reply(delay)];
    items.extend(owner(&report, draw));
    items.extend(exchange_order(&report, draw));
    let options = vec![
        format!("A packet takes {} ms from one host to the other.", ms(delay)),
        "The server needs 1500 ms for each reply. Over UDP a query asks, asks again after 1000 ms, and ends with the \
         first reply, or after 3000 ms without one. Then a second query does the same on the same socket. Each reply \
         answers one question; the questions have the numbers 1, 2 and so on in the order of sending."
            .to_owned(),
    ];
    Some(Drawn { report: Some(report), options, renumbered: None, items })
}

fn first_reply(delay: Duration) -> Item {
    let explanation =
        "The question takes one way, the server needs 1500 ms, and the reply takes one way back."
            .to_owned();
    let number = Number::new(ms(SERVER_DELAY + 2 * delay), 1.0, "ms", explanation)
        .wrong(
            ms(SERVER_DELAY + delay),
            "One way is missing: the question and the reply each take one.",
        )
        .wrong(ms(2 * delay), "The server needs 1500 ms before it sends the reply.")
        .wrong(ms(SERVER_DELAY), "This is the server's time alone.")
        .wrong(
            ms(Duration::from_secs(1) + SERVER_DELAY + 2 * delay),
            "This is the reply to question 2.",
        );
    let prompt =
        "The first query begins at 0 ms. When does the reply to question 1 arrive at the client?"
            .to_owned();
    let (id, kind) = ("stale-first-reply".to_owned(), Kind::Number(number));
    Item { id, points: 2, prompt, table: None, kind }
}

fn owner(report: &Report, draw: &mut Draw) -> Option<Item> {
    let Value::Text { text } = report.finding(Udp, "2nd query gets reply to")?.observed()? else {
        return None;
    };
    let explanation = |answer: &str| match answer {
        _ if answer == text => {
            "The second query takes the first reply that arrives after its start. A Daytime reply \
                                does not say which question it answers (RFC 867)."
        }
        "nothing" => {
            "A reply to an earlier question arrives while the second query waits, and the socket is the same."
        }
        "question 3" => "A reply to an earlier question arrives before the reply to question 3.",
        _ => "This reply arrives before the second query begins, or after it has ended.",
    };
    let choice = |answer: &str| Choice {
        text: match answer {
            "nothing" => "No reply".to_owned(),
            question => format!("The reply to {question}"),
        },
        is_right: answer == text,
        explanation: explanation(answer).to_owned(),
    };
    let mut choices = ["question 1", "question 2", "question 3", "nothing"].map(choice).to_vec();
    draw.shuffle(&mut choices);
    let is_one = choices.iter().filter(|it| it.is_right).count() == 1;
    let prompt = "Which reply does the second query over UDP get?".to_owned();
    let (id, kind) = ("stale-owner".to_owned(), Kind::Choice(choices));
    is_one.then_some(Item { id, points: 2, prompt, table: None, kind })
}

fn exchange_order(report: &Report, draw: &mut Draw) -> Option<Item> {
    let part = report.parts().iter().find(|part| part.transport == Udp)?;
    let explanation = "A question leaves when the query begins, and again after 1000 ms. A reply leaves 1500 ms after \
                       its question has arrived.";
    let kind = Kind::Order(order::of(datagrams(&part.trace), explanation, draw)?);
    let prompt = "Bring these events over UDP into their order.".to_owned();
    Some(Item { id: "stale-order".to_owned(), points: 3, prompt, table: None, kind })
}

/// Returns the times and labels of the calls that send or receive a question or a reply. The questions are numbered in
/// the order in which the client sends them.
pub(super) fn datagrams(trace: &Trace) -> Vec<(Duration, String)> {
    let events = trace.events.iter().filter_map(|Event { at, action, .. }| {
        let Action::Call { call, outcome } = action else { return None };
        let number = outcome.rsplit_once("question ").map(|(_, number)| number)?;
        let label = match &**call {
            "send(0)" => format!("The client sends question {number}"),
            "sendto()" => format!("The server sends the reply to question {number}"),
            "recv()" => format!("The client receives the reply to question {number}"),
            _ => return None,
        };
        Some((*at, label))
    });
    events.collect()
}
