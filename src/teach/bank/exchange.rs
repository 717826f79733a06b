//! Items of the lab `exchange`: what an answer costs over each transport.

use super::fields;
use super::initial_numbers::with_drawn_numbers;
use super::runs::{Drawn, Runs, ms};
use crate::lab::{Report, Setting, Value};
use crate::teach::draw::Draw;
use crate::teach::item::{Item, Kind, Number, PacketTable};
use crate::transport::Transport::{self, Tcp, Udp};
use std::time::Duration;

/// Delays in milliseconds. Their multiples by 2 and by 4 are more than three tolerances apart.
const DELAYS: [u64; 12] = [15, 20, 25, 30, 35, 40, 45, 50, 60, 70, 80, 90];

const TABLE: &str =
    "The first TCP packets of such an exchange. Their sequence numbers are drawn at random.";

pub(super) fn draw(draw: &mut Draw, runs: &mut Runs) -> Option<Drawn> {
    let delay = Duration::from_millis(draw.one_of(&DELAYS, DELAYS[0]));
    let report = runs.get("exchange", &Setting::default().delay(delay))?;
    let mut items = vec![tcp_time(&report, delay)?, udp_time(&report, delay)?];
    let part = with_drawn_numbers(report.parts().first()?, draw);
    items.extend(fields::items("exchange", PacketTable::of(&part.trace, TABLE.to_owned()), draw));
    let options = vec![format!("A packet takes {} ms from one host to the other.", ms(delay))];
    Some(Drawn { report: Some(report), options, renumbered: Some(part), items })
}

/// Returns the observed time to the reply in milliseconds.
fn observed(report: &Report, transport: Transport) -> Option<f64> {
    match report.finding(transport, "time to the reply")?.observed()? {
        Value::Time { time } => Some(ms(*time)),
        _ => None,
    }
}

fn tcp_time(report: &Report, delay: Duration) -> Option<Item> {
    let explanation = "TCP needs two round trips: one to open the connection, and one for the ACK and the reply. Each \
                       round trip is two times the delay.";
    let number = Number::new(observed(report, Tcp)?, 1.0, "ms", explanation.to_owned())
        .wrong(ms(2 * delay), "This is one round trip, as over UDP. TCP first opens a connection.")
        .wrong(ms(delay), "This is one way only. The reply needs a way back, and TCP opens a connection first.")
        .wrong(ms(3 * delay), "The client sends its ACK after two ways, and the reply comes after two more.")
        .wrong(ms(6 * delay), "The reply comes before the connection is closed: the FINs do not delay it.")
        .wrong(ms(7 * delay), "Not each of the seven packets waits for the one before it, and three come after the reply.");
    Some(item("exchange-tcp-time", "over TCP", number))
}

fn udp_time(report: &Report, delay: Duration) -> Option<Item> {
    let explanation = "UDP opens nothing: one datagram asks, one answers. That is one round trip, two times the delay.";
    let number = Number::new(observed(report, Udp)?, 1.0, "ms", explanation.to_owned())
        .wrong(ms(4 * delay), "These are two round trips, as over TCP. UDP opens no connection.")
        .wrong(
            ms(delay),
            "This is one way only. The question has to arrive before the reply leaves.",
        )
        .wrong(
            ms(3 * delay),
            "UDP sends nothing before the question, and waits for nothing after the reply.",
        );
    Some(item("exchange-udp-time", "over UDP", number))
}

fn item(id: &str, transport: &str, number: Number) -> Item {
    let prompt = format!(
        "The client begins at 0 ms. After how many milliseconds does it have the reply {transport}?"
    );
    Item { id: id.to_owned(), points: 2, prompt, table: None, kind: Kind::Number(number) }
}
