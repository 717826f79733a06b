//! Sample observations for testing the judges.

use crate::check::finding::Verdict;
use crate::check::observed::{Conversation, Datagrams, Observed, Reply, StreamEnd, UsualExchange};
use crate::check::probe::Probe;
use crate::client::{Answer, AskError, Attempt, AttemptFailure};
use crate::mentions::mentions;
use crate::transport::{IpVersion, Transport};
use std::time::Duration;

/// Returns the observations of a correct server that has one IPv4 address and sends these replies.
pub(super) fn seen(tcp: &[u8], udp: &[u8]) -> Observed {
    let none = || Err("192.0.2.1 is an IPv4 address".to_owned());
    let no_ipv6 = |transport| UsualExchange::new(transport, IpVersion::V6, none());
    let conversation = || Ok(Conversation { octets: tcp.to_vec(), end: StreamEnd::Clean });
    Observed {
        usual: vec![
            usual(Transport::Tcp, Ok(Answer::sample(Transport::Tcp, tcp))),
            usual(Transport::Udp, Ok(Answer::sample(Transport::Udp, udp))),
            no_ipv6(Transport::Tcp),
            no_ipv6(Transport::Udp),
        ],
        line_end_first: conversation(),
        long_input_first: conversation(),
        half_close: conversation(),
        one_octet: Ok(datagrams(Reply::Octets(udp.to_vec()))),
        long: Ok(datagrams(Reply::Octets(udp.to_vec()))),
        privileged_port: Ok(datagrams(Reply::Silence)),
        service_port: Ok(datagrams(Reply::Silence)),
    }
}

pub(super) fn usual(transport: Transport, answered: Result<Answer, AskError>) -> UsualExchange {
    UsualExchange::new(transport, IpVersion::V4, Ok(answered))
}

pub(super) fn refused(transport: Transport) -> Result<Answer, AskError> {
    error(transport, AttemptFailure::Refused)
}

pub(super) fn error(transport: Transport, failure: AttemptFailure) -> Result<Answer, AskError> {
    let peer = "192.0.2.1:13".parse().expect("address");
    let attempts = vec![Attempt::new(transport, peer, failure)];
    Err(AskError::NoAnswer { transport, timeout: Duration::from_secs(2), attempts })
}

pub(super) fn datagrams(reply: Reply) -> Datagrams {
    let listened = Duration::from_secs(2);
    Datagrams { source_port: 1023, questions: 1, reply, further: 0, listened }
}

/// Asserts a probe's verdict, and that its reason mentions these facts.
#[track_caller]
pub(super) fn assert_judged(judged: (Verdict, String), verdict: Verdict, facts: &[&str]) {
    let (found, reason) = judged;
    assert_eq!(found, verdict, "{reason}");
    mentions(&reason, facts);
}

/// Judges one probe. Returns the verdict and its reason.
pub(super) fn judged(probe: Probe, seen: &Observed) -> (Verdict, String) {
    let finding = super::judge_one(probe, seen).on(probe);
    (finding.verdict, finding.reason)
}
