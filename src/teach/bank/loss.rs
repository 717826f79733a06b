//! Items for the lab `loss`: how much time one lost packet costs, and how often a UDP query succeeds.

use super::order;
use super::runs::{Drawn, Runs, ms};
use crate::lab::{Report, Setting, Value};
use crate::teach::draw::Draw;
use crate::teach::item::{Item, Kind, Number};
use crate::transport::Transport::Tcp;
use std::time::Duration;

/// One-way delays in milliseconds. Four times one delay differs from four times any other delay by more than three
/// tolerances.
const DELAYS: [u64; 8] = [15, 20, 25, 30, 35, 40, 45, 50];
/// Possible numbers of the packet that the link drops. The loss of each of them delays the reply by one timeout, so the
/// items are equally difficult for all students.
const DROPS: [u32; 4] = [1, 2, 3, REPLY];
const REPLY: u32 = 4;
/// Possible loss rates in percent. The resulting shares of answered questions are more than three tolerances apart.
const LOSSES: [u8; 11] = [10, 15, 20, 25, 30, 35, 40, 45, 50, 55, 60];

pub(super) fn draw(draw: &mut Draw, runs: &mut Runs) -> Option<Drawn> {
    let delay = Duration::from_millis(draw.one_of(&DELAYS, DELAYS[0]));
    let (drop, loss) = (draw.one_of(&DROPS, DROPS[0]), draw.one_of(&LOSSES, LOSSES[0]));
    // The items do not use the exchanges with random loss, so one such exchange is enough.
    let setting = Setting::default().delay(delay).drop([drop]).loss(f64::from(loss)).count(1);
    let report = runs.get("loss", &setting)?;
    let mut items = vec![tcp_time(&report, delay, drop)?];
    items.extend(tcp_order(&report, drop, draw));
    items.extend([one_try(loss), two_tries(loss)]);
    let options = vec![
        format!("A packet takes {} ms from one host to the other.", ms(delay)),
        format!(
            "The packets of both directions are numbered together from 1. The link loses packet {drop} of the exchange."
        ),
        format!(
            "In the questions on random loss, the link loses each packet with a probability of {loss} %."
        ),
    ];
    Some(Drawn { report: Some(report), options, renumbered: None, items })
}

fn tcp_time(report: &Report, delay: Duration, drop: u32) -> Option<Item> {
    let Value::Time { time } = report.finding(Tcp, "chosen: time to reply")?.observed()? else {
        return None;
    };
    let second = Duration::from_secs(1);
    let explanation = format!(
        "Two round trips, and one retransmission timeout of one second (RFC 6298, section 2). {}",
        repair(drop)
    );
    let number = Number::new(ms(*time), 1.0, "ms", explanation)
        .wrong(
            ms(4 * delay),
            "This is the time without a loss. The host that misses an acknowledgement first waits for its timeout.",
        )
        .wrong(ms(second), "This is the timeout alone. The exchange still needs its round trips.")
        .wrong(ms(second + 2 * delay), "TCP needs two round trips besides the timeout, not one.")
        .wrong(ms(2 * second + 4 * delay), "Only one timeout passes: the packet is lost once.");
    let prompt = format!(
        "The link loses packet {drop} of the exchange over TCP. The client begins at 0 ms. After how many milliseconds \
         does it have the reply?"
    );
    let (id, kind) = ("loss-tcp-time".to_owned(), Kind::Number(number));
    Some(Item { id, points: 2, prompt, table: None, kind })
}

/// Returns what the hosts do after the loss of this packet.
const fn repair(drop: u32) -> &'static str {
    match drop {
        1 => "The client gets no answer to its SYN. It sends the SYN again after one second.",
        2 => {
            "The client gets no answer to its SYN. It sends the SYN again after one second, and the server sends its \
             SYN, ACK again too."
        }
        3 => {
            "The server gets no ACK for its SYN, ACK. It sends the SYN, ACK again after one second, and the client \
             answers with a new ACK. No host retransmits an ACK alone: it has no timer."
        }
        _ => {
            "The server gets no ACK for its reply. It sends the reply again after one second, with its FIN."
        }
    }
}

fn tcp_order(report: &Report, drop: u32, draw: &mut Draw) -> Option<Item> {
    let part = report.parts().iter().find(|part| part.transport == Tcp)?;
    let explanation = format!(
        "The opening comes first: SYN, then SYN, ACK. The reply and the FINs follow, and the last ACK is the answer to \
         the last FIN. {}",
        repair(drop)
    );
    let kind = Kind::Order(order::of(order::packets(&part.trace), &explanation, draw)?);
    let prompt =
        "Bring these packets of the exchange over TCP into the order in which they are sent."
            .to_owned();
    Some(Item { id: "loss-tcp-order".to_owned(), points: 3, prompt, table: None, kind })
}

fn one_try(loss: u8) -> Item {
    let arrives = 1.0 - f64::from(loss) / 100.0;
    let number = share(arrives * arrives, "Question and reply both have to arrive: (1−p)².")
        .wrong(
            100.0 * arrives,
            "This is the share of questions that arrive. The reply can be lost too.",
        )
        .wrong(
            100.0 - 200.0 * f64::from(loss) / 100.0,
            "The losses of question and reply do not add: if both are lost, one exchange fails.",
        )
        .wrong(f64::from(loss), "This is the share of packets that are lost.")
        .wrong(
            100.0 * (1.0 - arrives * arrives),
            "This is the share of questions without a reply.",
        );
    let client = "A client asks once, and no reply comes late. With which probability does the client get a reply";
    share_item("loss-one-try", loss, client, number)
}

fn two_tries(loss: u8) -> Item {
    let arrives = 1.0 - f64::from(loss) / 100.0;
    let fails = 1.0 - arrives * arrives;
    let number = share(
        1.0 - fails * fails,
        "Both tries have to fail: 1−(1−s)², with s = (1−p)² for one try.",
    )
    .wrong(
        100.0 * arrives * arrives,
        "This is one try. A second try succeeds in some of the cases where the first fails.",
    )
    .wrong(200.0 * arrives * arrives, "The chances of two tries do not add: both may succeed.")
    .wrong(
        100.0 * (1.0 - (1.0 - arrives) * (1.0 - arrives)),
        "Each try needs two packets to arrive, not one.",
    )
    .wrong(100.0 * fails * fails, "This is the share of questions without a reply.");
    let client = "A client asks. If no reply arrives, it asks a second time. No reply comes late. With which \
                  probability does the client get a reply, to its first or its second question";
    share_item("loss-two-tries", loss, client, number)
}

/// Creates an answer in percent with a tolerance of one percentage point.
fn share(share: f64, explanation: &str) -> Number {
    Number::new(100.0 * share, 1.0, "%", explanation.to_owned())
}

fn share_item(id: &str, loss: u8, client: &str, number: Number) -> Item {
    let prompt = format!(
        "Over UDP a link loses each packet with a probability of {loss} %. {client}, in percent? Calculate the \
         probability: a run shows a share that differs by chance."
    );
    Item { id: id.to_owned(), points: 2, prompt, table: None, kind: Kind::Number(number) }
}
