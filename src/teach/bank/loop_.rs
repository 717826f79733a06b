//! Items for the lab `loop`: which packets one forged packet causes.

use super::order;
use super::runs::{Drawn, Runs, ms};
use crate::lab::{Report, Setting, Value};
use crate::teach::draw::Draw;
use crate::teach::item::{Item, Kind, Number};
use crate::transport::Transport::{Tcp, Udp};
use std::time::Duration;

/// One-way delays in milliseconds. The resulting numbers of datagrams are at least three tolerances apart.
const DELAYS: [u64; 10] = [1, 2, 4, 5, 8, 10, 20, 25, 40, 50];

pub(super) fn draw(draw: &mut Draw, runs: &mut Runs) -> Option<Drawn> {
    let delay = Duration::from_millis(draw.one_of(&DELAYS, DELAYS[0]));
    let report = runs.get("loop", &Setting::default().delay(delay))?;
    let mut items = vec![datagrams(&report)?];
    items.extend(tcp_order(&report, draw));
    let options = vec![
        format!("A packet takes {} ms from one host to the other.", ms(delay)),
        "Two hosts serve on port 13. One packet reaches the server with the address and port of the other host, the \
         victim, as its source."
            .to_owned(),
    ];
    Some(Drawn { report: Some(report), options, renumbered: None, items })
}

fn datagrams(report: &Report) -> Option<Item> {
    let Value::Count { count, .. } = report.finding(Udp, "datagrams without guard")?.observed()?
    else {
        return None;
    };
    let count = f64::from(u32::try_from(*count).ok()?);
    let explanation = "Each datagram that arrives causes one more, so one datagram leaves after each delay; the forged \
                       one is the first.";
    let number = Number::new(count, 1.0, "datagrams", explanation.to_owned())
        .wrong((count - 1.0) / 2.0, "Both hosts answer: this counts one direction only.")
        .wrong(
            2.0,
            "The reply comes from port 13 to port 13, so the other service answers it too.",
        );
    let prompt = "The forged datagram is empty, and no server has a guard. How many datagrams are on the link in the \
                  first second, the forged one included?"
        .to_owned();
    let (id, kind) = ("loop-datagrams".to_owned(), Kind::Number(number));
    Some(Item { id, points: 2, prompt, table: None, kind })
}

fn tcp_order(report: &Report, draw: &mut Draw) -> Option<Item> {
    let part = report.parts().iter().find(|part| part.transport == Tcp)?;
    let explanation = "The server answers the forged SYN to the victim. The victim did not ask for a connection, so it \
                       answers with a reset (RFC 9293, section 3.5).";
    let kind = Kind::Order(order::of(order::packets(&part.trace), explanation, draw)?);
    let prompt =
        "The forged packet is a SYN. Bring the packets into the order in which they are sent."
            .to_owned();
    Some(Item { id: "loop-tcp-order".to_owned(), points: 2, prompt, table: None, kind })
}
