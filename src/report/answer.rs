//! Formats an answer as text: the reply, how it arrived, and what it means.

use super::meaning::printable_line;
use super::page::Page;
use super::{human, meaning, plural};
use crate::client::{Answer, Interruption};
use crate::syntax::{Flag, Recognised, ReplyTime, Unrecognised};
use crate::transport::Transport;
use chrono::TimeDelta;

/// Returns the reply and the lines below it. If the reply is incomplete, `stopped` is the reason.
pub(crate) fn text(
    answer: &Answer,
    read: &Result<Recognised, Unrecognised>,
    stopped: Option<&Interruption>,
) -> String {
    let mut page = Page::default();
    page.line(printable_line(&answer.octets));
    page.paragraph(4, &detail(answer, stopped));
    let meaning = match read {
        Ok(it) => meaning::lines(it, Some(offset(answer, it))),
        Err(error) => meaning::unknown(error),
    };
    page.finish() + meaning.trim_end()
}

/// Describes the offset between the local clock and the server's clock, or why the offset is unknown.
fn offset(answer: &Answer, recognised: &Recognised) -> String {
    let Some(offset) = answer.offset_of(recognised) else {
        let cut = recognised.flags.contains(Flag::Truncated);
        let why = match recognised.time {
            ReplyTime::Instant { .. } if answer.truncated => "the reply is cut",
            ReplyTime::Instant { .. } => "the local clock has no valid date",
            ReplyTime::WallClock { .. } if cut => "the reply is cut",
            ReplyTime::WallClock { .. } => "the reply does not fix its zone",
            ReplyTime::Ambiguous { .. } => "the reply does not fix its date",
        };
        return format!("unknown: {why}");
    };
    let verdict = if offset.agrees() {
        "both clocks agree within the uncertainty"
    } else if offset.local_minus_server < TimeDelta::zero() {
        "the local clock is behind the server's; check both with NTP"
    } else {
        "the local clock is ahead of the server's; check both with NTP"
    };
    format!("{offset}, round trip {}: {verdict}", human(answer.round_trip))
}

/// Describes how the reply arrived: transport, peer, elapsed time, length and number of reads.
fn detail(answer: &Answer, stopped: Option<&Interruption>) -> String {
    let Answer { peer, transport, elapsed, .. } = answer;
    let octets = plural(answer.octets.len() as u64, "octet");
    let how = match transport {
        Transport::Tcp => {
            let reads = plural(answer.reads.len() as u64, "read");
            let end = match stopped {
                None => "then end of stream",
                Some(Interruption::Timeout { .. }) => "then no end of stream",
                Some(Interruption::Limit { .. }) => "then more octets, which were not read",
                Some(_) => "then the connection broke",
            };
            format!("{octets} in {reads}, {end}")
        }
        Transport::Udp if answer.questions > 1 => {
            format!("{octets} in 1 datagram, after {} questions", answer.questions)
        }
        Transport::Udp => format!("{octets} in 1 datagram"),
    };
    format!("{transport} {peer}, {}: {how}", human(*elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::mentions;
    use std::time::Duration;

    fn answer(transport: Transport, questions: u32) -> Answer {
        Answer {
            peer: "127.0.0.1:13".parse().expect("address"),
            elapsed: Duration::from_micros(120),
            arrived: None,
            reads: vec![20, 6],
            questions,
            ..Answer::sample(transport, &[b'x'; 26])
        }
    }

    #[test]
    fn the_line_below_a_reply_describes_its_arrival() {
        let tcp = detail(&answer(Transport::Tcp, 0), None);
        mentions(&tcp, &["tcp 127.0.0.1:13", "120 µs", "26 octets", "2 reads", "end of stream"]);
        let facts = ["udp 127.0.0.1:13", "120 µs", "26 octets", "1 datagram"];
        let udp = detail(&answer(Transport::Udp, 1), None);
        mentions(&udp, &facts);
        assert!(!udp.contains("question"), "one question goes without saying: {udp}");
        let again = detail(&answer(Transport::Udp, 2), None);
        mentions(&again, &facts);
        mentions(&again, &["2 questions"]);
    }

    /// Returns the description of the offset for a reply with a round trip of 1 ms that arrived when the local clock
    /// showed `arrived`.
    fn shown(reply: &str, arrived: &str) -> String {
        let answer = Answer {
            octets: reply.into(),
            round_trip: Duration::from_millis(1),
            arrived: arrived.parse().ok(),
            ..answer(Transport::Udp, 1)
        };
        offset(&answer, &answer.recognise().expect("a time"))
    }

    #[test]
    fn the_offset_has_only_certain_digits() {
        assert!(shown("2026-11-22T14:20:31Z", "2026-11-22T14:20:31Z").starts_with("+0.00 s ±"));
        let agreed = shown("2026-11-22T14:20:31Z", "2026-11-22T14:20:31.215Z");
        mentions(&agreed, &["+0.21 s ± 1.00 s", "round trip 1.00 ms", "clocks agree"]);
        assert!(!agreed.contains("NTP"), "{agreed}");
        let behind = shown("2026-11-22T14:20:31Z", "2026-11-22T14:19:31.215Z");
        mentions(&behind, &["-59.79 s ± 1.00 s", "round trip 1.00 ms"]);
        mentions(&behind, &["local clock is behind", "NTP"]);
        let ahead = shown("2026-11-22T14:20:31.250Z", "2026-11-22T14:20:31.253Z");
        mentions(&ahead, &["+0.0025 s ± 0.0015 s", "round trip 1.00 ms"]);
        mentions(&ahead, &["local clock is ahead", "NTP"]);
    }

    #[test]
    fn an_unknown_offset_has_a_reason() {
        mentions(&shown("Sun Nov 22 14:20:31 2026", ""), &["unknown", "reply", "zone"]);
        mentions(&shown("2026-11-22T14:20:31Z", ""), &["unknown", "local clock", "date"]);
    }
}
