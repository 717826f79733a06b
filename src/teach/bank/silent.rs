//! Items of the lab `silent`: when a server sends an unacknowledged reply again.

use super::fields;
use super::initial_numbers::with_drawn_numbers;
use super::runs::{Drawn, Runs, ms};
use crate::lab::{Report, Setting};
use crate::teach::draw::Draw;
use crate::teach::item::{Item, Kind, Number, PacketTable};
use crate::trace::{Event, HostId, Packet};
use crate::wire::decode::decode;
use std::time::Duration;

/// Delays in milliseconds. Up to 150 ms the first timeout is one second.
const DELAYS: [u64; 8] = [15, 20, 25, 30, 35, 40, 45, 50];
/// Numbers of the retransmission to ask for.
const NUMBERS: [u32; 3] = [1, 2, 3];
const SERVER: HostId = HostId(1);

const TABLE: &str = "The first TCP packets of this exchange: the link is cut before the reply. Their \
                     sequence numbers are drawn at random.";

pub(super) fn draw(draw: &mut Draw, runs: &mut Runs) -> Option<Drawn> {
    let delay = Duration::from_millis(draw.one_of(&DELAYS, DELAYS[0]));
    let number = draw.one_of(&NUMBERS, NUMBERS[0]);
    let report = runs.get("silent", &Setting::default().delay(delay))?;
    let mut items = vec![time(&report, delay, number)?];
    let part = with_drawn_numbers(report.parts().first()?, draw);
    items.extend(fields::items("silent", PacketTable::of(&part.trace, TABLE.to_owned()), draw));
    let options = vec![
        format!("A packet takes {} ms from one host to the other.", ms(delay)),
        "The link is cut just before the server sends its reply.".to_owned(),
    ];
    Some(Drawn { report: Some(report), options, renumbered: Some(part), items })
}

/// Returns the times in milliseconds at which the server sends its reply, the first time included.
fn replies(report: &Report) -> Option<Vec<f64>> {
    let packets = report.parts().first()?.trace.packets();
    let is_reply = |(event, packet): &(&Event, &Packet)| {
        event.host == SERVER && decode(&packet.octets).is_some_and(|packet| packet.carried > 0)
    };
    Some(packets.filter(is_reply).map(|(event, _)| ms(event.at)).collect())
}

fn time(report: &Report, delay: Duration, number: u32) -> Option<Item> {
    let replies = replies(report)?;
    let answer = *replies.get(usize::try_from(number).ok()?)?;
    let second = Duration::from_secs(1);
    let doubled = second * (2_u32.pow(number) - 1);
    let explanation = "The server first sends its reply after three ways. It sends the reply again after one second, \
                       and each further wait is twice as long (RFC 6298, sections 2 and 5).";
    let number_item = Number::new(answer, 1.0, "ms", explanation.to_owned())
        .wrong(
            ms(3 * delay + number * second),
            "The waits are not equal: each is twice as long as the one before.",
        )
        .wrong(
            ms(doubled),
            "The server begins to wait when it sends the reply, not when the client begins.",
        )
        .wrong(
            ms(2 * delay + doubled),
            "The reply leaves when the client's ACK has arrived: after three ways.",
        )
        .wrong(
            ms(4 * delay + doubled),
            "Asked is the time of sending, not the time at which the packet would arrive.",
        );
    let ordinal = ["first", "second", "third"].get(usize::try_from(number - 1).ok()?)?;
    let prompt = format!(
        "The server's reply over TCP is never acknowledged. The client begins at 0 ms. When does the server send the \
         reply again for the {ordinal} time?"
    );
    let (id, kind) = ("silent-retransmission".to_owned(), Kind::Number(number_item));
    Some(Item { id, points: 2, prompt, table: None, kind })
}
