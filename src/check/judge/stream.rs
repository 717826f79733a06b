//! Judges the TCP streams. According to RFC 867, the server closes the connection after its reply and throws away
//! input.

use super::reach::with_cause;
use super::{microseconds, milliseconds, octets};
use crate::asking::Seconds;
use crate::check::finding::Judgement;
use crate::check::observed::{Conversation, Observed, StreamEnd};
use crate::client::AskError;
use crate::transport::Transport;

/// Judges whether the server closes the connection. RFC 867: "The service closes the connection after sending the
/// quote."
pub(super) fn closes(seen: &Observed) -> Judgement {
    let mut good = None;
    for usual in seen.usual.iter().filter(|usual| usual.transport == Transport::Tcp) {
        match &usual.answered {
            Ok(Ok(answer)) => good = good.or(Some(answer.elapsed)),
            Ok(Err(AskError::NoAnswer { .. })) | Err(_) => {}
            Ok(Err(error)) => return Judgement::fail(with_cause(error)),
        }
    }
    match good {
        Some(after) => Judgement::pass(format!("after {}", milliseconds(after)))
            .with("closed_us", microseconds(after)),
        None => Judgement::not_tried("no answer over TCP"),
    }
}

/// Judges a connection in which the client sends or half-closes before it reads. The client must get the complete reply
/// and the end of stream, without a reset. RFC 867: "any data received is thrown away".
pub(super) fn answered_early_input(conversation: &Conversation, seen: &Observed) -> Judgement {
    let usual = seen.usual_length(Transport::Tcp);
    let count = octets(conversation.octets.len());
    let wrong = match &conversation.end {
        StreamEnd::Clean if seen.is_usual(Transport::Tcp, &conversation.octets) => {
            let pass = Judgement::pass(format!("{count}, then end of stream, no reset"));
            return pass.with_count("octets", conversation.octets.len());
        }
        StreamEnd::Clean => format!("got {count} instead of the usual {usual}"),
        StreamEnd::Reset => {
            format!("reset after {count} of {usual}: this client may lose the reply")
        }
        StreamEnd::Never(waited) => {
            format!("no end of stream within {}, after {count}", Seconds(*waited))
        }
        StreamEnd::TooLong => format!("too long: the stream went on after {count}"),
        StreamEnd::Failed(error) => format!("cannot read on after {count}: {error}"),
    };
    Judgement::fail(wrong).with_count("octets", conversation.octets.len())
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::super::sample::{assert_judged, refused, seen, usual};
    use super::*;
    use crate::check::finding::Verdict;
    use crate::check::probe::Probe;
    use crate::client::{Answer, Interruption};
    use std::time::Duration;

    const NOON: &[u8] = b"2026-11-22T12:00:00Z\r\n";

    fn after_crlf(octets: &[u8], end: StreamEnd) -> (Verdict, String) {
        let mut seen = seen(NOON, NOON);
        seen.line_end_first = Ok(Conversation { octets: octets.to_vec(), end });
        sample::judged(Probe::TcpCrlfFirst, &seen)
    }

    #[test]
    fn the_whole_reply_and_an_end_without_reset_are_both_needed() {
        let good = ["22 octets", "end of stream", "no reset"];
        assert_judged(after_crlf(NOON, StreamEnd::Clean), Verdict::Pass, &good);
        let later = after_crlf(b"2026-11-22T12:00:01Z\r\n", StreamEnd::Clean);
        assert_eq!(later.0, Verdict::Pass, "a later time");
        let reset = ["reset", "22 octets of 22"];
        assert_judged(after_crlf(NOON, StreamEnd::Reset), Verdict::Fail, &reset);
        let part = ["7 octets", "usual 22"];
        assert_judged(after_crlf(b"2026-11", StreamEnd::Clean), Verdict::Fail, &part);
        assert_eq!(after_crlf(b"", StreamEnd::Clean).0, Verdict::Fail);
        let never = after_crlf(NOON, StreamEnd::Never(Duration::from_secs(2)));
        assert_judged(never, Verdict::Fail, &["no end of stream", "2 s", "22 octets"]);
    }

    #[test]
    fn a_stream_that_does_not_end_fails_on_any_address() {
        let mut seen = seen(NOON, NOON);
        assert_eq!(sample::judged(Probe::TcpCloses, &seen).0, Verdict::Pass);
        let partial = Box::new(Answer::sample(Transport::Tcp, NOON));
        let cause = Interruption::Timeout { timeout: Duration::from_secs(2) };
        let no_end = AskError::Incomplete { partial, cause };
        seen.usual.push(usual(Transport::Tcp, Err(no_end)));
        assert_eq!(sample::judged(Probe::TcpCloses, &seen).0, Verdict::Fail);
        seen.usual.truncate(1);
        seen.usual[0] = usual(Transport::Tcp, refused(Transport::Tcp));
        assert_eq!(sample::judged(Probe::TcpCloses, &seen).0, Verdict::NotTried);
    }
}
