//! Judges whether the server can be reached.

use super::{microseconds, milliseconds, octets};
use crate::check::finding::Judgement;
use crate::check::observed::{Observed, UsualExchange};
use crate::client::{Answer, AskError, AttemptFailure};
use crate::transport::{IpVersion, Transport};
use std::error::Error;
use std::io::ErrorKind;

pub(super) fn reach(seen: &Observed, transport: Transport, version: IpVersion) -> Judgement {
    let is_it = |usual: &&UsualExchange| (usual.transport, usual.version) == (transport, version);
    let Some(usual) = seen.usual.iter().find(is_it) else {
        return Judgement::not_tried("the server was not asked");
    };
    match &usual.answered {
        Ok(answered) => answers(usual, answered),
        Err(why) => Judgement::not_tried(why),
    }
}

fn answers(usual: &UsualExchange, answered: &Result<Answer, AskError>) -> Judgement {
    if let (Some((peer, reply)), Err(_)) = (usual.reply(), answered) {
        return Judgement::pass(format!("{peer}: {}", octets(reply.len())));
    }
    match answered {
        Ok(answer) if answer.octets.is_empty() => {
            let reason = format!("{} sent an empty reply: it may not know the time", answer.peer);
            Judgement::fail(reason)
        }
        Ok(answer) => {
            let (peer, took) = (answer.peer, milliseconds(answer.elapsed));
            let reason = format!("{peer}: {} in {took}", octets(answer.octets.len()));
            Judgement::pass(reason)
                .with_count("octets", answer.octets.len())
                .with("elapsed_us", microseconds(answer.elapsed))
                .with("round_trip_us", microseconds(answer.round_trip))
        }
        Err(error) if is_local_fault(error) => Judgement::not_tried(with_cause(error)),
        Err(error) => Judgement::fail(with_cause(error)),
    }
}

/// Returns the text of the error and its cause.
pub(super) fn with_cause(error: &AskError) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether this host caused the error: it has no route to the addresses, or the option `pace`
/// forbids a query now.
fn is_local_fault(error: &AskError) -> bool {
    use ErrorKind::{AddrNotAvailable, NetworkUnreachable};
    let no_way = |failure: &AttemptFailure| match failure {
        AttemptFailure::Failed { cause } => {
            matches!(cause.kind(), AddrNotAvailable | NetworkUnreachable)
        }
        _ => false,
    };
    match error {
        AskError::NoAnswer { attempts, .. } => {
            !attempts.is_empty() && attempts.iter().all(|attempt| no_way(&attempt.failure))
        }
        AskError::TooSoon { .. } => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{assert_judged, error, judged, refused, seen, usual};
    use super::*;
    use crate::check::finding::Verdict;
    use crate::check::probe::Probe;

    const TCP4: Probe = Probe::TcpIpv4;
    const TCP6: Probe = Probe::TcpIpv6;

    #[test]
    fn an_answer_passes_with_its_peer_and_length() {
        let seen = seen(b"noon\r\n", b"noon\r\n");
        let answered = ["192.0.2.1:13", "6 octets", "1.0 ms"];
        assert_judged(judged(TCP4, &seen), Verdict::Pass, &answered);
        assert_judged(judged(TCP6, &seen), Verdict::NotTried, &["192.0.2.1", "IPv4"]);
    }

    #[test]
    fn an_empty_reply_and_a_refusal_fail() {
        let empty = judged(TCP4, &seen(b"", b"noon\r\n"));
        assert_judged(empty, Verdict::Fail, &["192.0.2.1:13", "empty reply"]);
        let mut seen = seen(b"noon\r\n", b"noon\r\n");
        seen.usual[0] = usual(Transport::Tcp, refused(Transport::Tcp));
        assert_judged(judged(TCP4, &seen), Verdict::Fail, &["192.0.2.1:13", "refused"]);
    }

    #[test]
    fn without_a_route_the_probe_is_not_tried() {
        let mut seen = seen(b"noon\r\n", b"noon\r\n");
        let failed = AttemptFailure::Failed { cause: ErrorKind::NetworkUnreachable.into() };
        seen.usual[0] = usual(Transport::Tcp, error(Transport::Tcp, failed));
        let fault = ["192.0.2.1:13", "network unreachable"];
        assert_judged(judged(TCP4, &seen), Verdict::NotTried, &fault);
    }
}
