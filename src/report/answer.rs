//! An answer in words: the server's line, and under it how it came and what it means.

use super::meaning::printable_line;
use super::page::Page;
use super::{human, meaning, plural};
use crate::client::{Answer, Interruption};
use crate::syntax::{Flag, Recognised, ReplyTime, Unrecognised};
use crate::transport::Transport;
use chrono::TimeDelta;

/// The server's line, and under it all there is to say: what it means, and what stopped it if it is
/// incomplete.
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

/// The local clock against the server's.
fn offset(answer: &Answer, recognised: &Recognised) -> String {
    let Some(offset) = answer.offset_of(recognised) else {
        let cut = recognised.flags.contains(Flag::Truncated);
        let why = match recognised.time {
            ReplyTime::Instant { .. } if answer.truncated => "the answer is cut",
            ReplyTime::Instant { .. } => "the local clock holds no valid date",
            ReplyTime::WallClock { .. } if cut => "the line is cut",
            ReplyTime::WallClock { .. } => "without a zone that is certain, this is many instants",
            ReplyTime::Ambiguous { .. } => "without a date that is certain, this is many instants",
        };
        return format!("unknown: {why}");
    };
    let verdict = if offset.agrees() {
        "local clock and server agree, as far as this can tell"
    } else if offset.local_minus_server < TimeDelta::zero() {
        "the local clock is behind the server's; which of them is right, NTP can tell"
    } else {
        "the local clock is ahead of the server's; which of them is right, NTP can tell"
    };
    format!("{offset}, round trip {}: {verdict}", human(answer.round_trip))
}

/// The line under the server's own: which peer answered, how fast, in how many reads.
fn detail(answer: &Answer, stopped: Option<&Interruption>) -> String {
    let Answer { peer, transport, elapsed, .. } = answer;
    let octets = plural(answer.octets.len() as u64, "octet");
    let how = match transport {
        Transport::Tcp => {
            let reads = plural(answer.reads.len() as u64, "read");
            let end = match stopped {
                None => "then end of stream",
                Some(Interruption::Timeout { .. }) => "then no end of stream",
                Some(Interruption::Limit { .. }) => "then more, which was not taken",
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
    fn the_line_below_a_reply_says_how_it_came() {
        assert_eq!(
            detail(&answer(Transport::Tcp, 0), None),
            "tcp 127.0.0.1:13, 120 µs: 26 octets in 2 reads, then end of stream"
        );
        assert_eq!(
            detail(&answer(Transport::Udp, 1), None),
            "udp 127.0.0.1:13, 120 µs: 26 octets in 1 datagram"
        );
        assert_eq!(
            detail(&answer(Transport::Udp, 2), None),
            "udp 127.0.0.1:13, 120 µs: 26 octets in 1 datagram, after 2 questions"
        );
    }
    /// What is told of the offset when the local clock shows this at the end of a millisecond.
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
    fn the_offset_has_no_more_digits_than_are_known() {
        assert!(shown("2026-11-22T14:20:31Z", "2026-11-22T14:20:31Z").starts_with("+0.00 s ±"));
        let agree = "local clock and server agree, as far as this can tell";
        assert_eq!(
            shown("2026-11-22T14:20:31Z", "2026-11-22T14:20:31.215Z"),
            format!("+0.21 s ± 1.00 s, round trip 1.00 ms: {agree}")
        );
        assert_eq!(
            shown("2026-11-22T14:20:31Z", "2026-11-22T14:19:31.215Z"),
            "-59.79 s ± 1.00 s, round trip 1.00 ms: the local clock is behind the \
             server's; which of them is right, NTP can tell"
        );
        assert_eq!(
            shown("2026-11-22T14:20:31.250Z", "2026-11-22T14:20:31.253Z"),
            "+0.0025 s ± 0.0015 s, round trip 1.00 ms: the local clock is ahead of \
             the server's; which of them is right, NTP can tell"
        );
    }

    #[test]
    fn an_offset_that_is_not_known_says_why() {
        assert_eq!(
            shown("Sun Nov 22 14:20:31 2026", ""),
            "unknown: without a zone that is certain, this is many instants"
        );
        let no_date = "unknown: the local clock holds no valid date";
        assert_eq!(shown("2026-11-22T14:20:31Z", ""), no_date);
    }
}
