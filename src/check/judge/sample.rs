//! What may have been seen, for the tests of the judges.

use crate::calls::Calls;
use crate::check::finding::Verdict;
use crate::check::observed::{Asked, Datagrams, End, Observed, Reply, Talk, Usual};
use crate::check::probe::Probe;
use crate::client::{Answer, AskError, Attempt};
use crate::transport::{IpVersion, Transport};
use std::time::Duration;

pub(super) const NOW: &str = "2026-11-22T14:20:31.500Z";

/// A good server with an IPv4 address, but for its replies.
pub(super) fn seen(tcp: &[u8], udp: &[u8]) -> Observed {
    let no_ipv6 = |transport| Usual {
        transport,
        version: IpVersion::V6,
        asked: Err("it has no IPv6 address".to_owned()),
    };
    let talk = || Ok(Talk { octets: tcp.to_vec(), end: End::Clean });
    Observed {
        usual: vec![
            usual(Transport::Tcp, Ok(answer(Transport::Tcp, tcp))),
            usual(Transport::Udp, Ok(answer(Transport::Udp, udp))),
            no_ipv6(Transport::Tcp),
            no_ipv6(Transport::Udp),
        ],
        crlf_first: talk(),
        many_first: talk(),
        half_close: talk(),
        one_octet: Ok(datagrams(Reply::Octets(udp.to_vec()))),
        long: Ok(datagrams(Reply::Octets(udp.to_vec()))),
        privileged_port: Ok(datagrams(Reply::Silence)),
        own_port: Ok(datagrams(Reply::Silence)),
    }
}

pub(super) fn usual(transport: Transport, answered: Result<Answer, AskError>) -> Usual {
    Usual { transport, version: IpVersion::V4, asked: Ok(Asked { answered, further: 0 }) }
}

pub(super) fn answer(transport: Transport, octets: &[u8]) -> Answer {
    Answer {
        transport,
        peer: "192.0.2.1:13".parse().expect("address"),
        octets: octets.to_vec(),
        truncated: false,
        connected_after: None,
        elapsed: Duration::from_millis(1),
        round_trip: Duration::from_millis(1),
        arrived: NOW.parse().ok(),
        reads: vec![octets.len()],
        questions: 1,
        calls: Calls::default(),
    }
}

pub(super) fn refused(transport: Transport) -> Result<Answer, AskError> {
    error(transport, Attempt::Refused)
}

pub(super) fn error(transport: Transport, attempt: Attempt) -> Result<Answer, AskError> {
    let attempts = vec![("192.0.2.1:13".parse().expect("address"), attempt)];
    Err(AskError::NoAnswer { transport, timeout: Duration::from_secs(2), attempts })
}

pub(super) fn datagrams(reply: Reply) -> Datagrams {
    let listened = Duration::from_secs(2);
    Datagrams { source_port: 1023, questions: 1, reply, further: 0, listened }
}

/// The verdict on one probe, with its reason.
pub(super) fn told(probe: Probe, seen: &Observed) -> (Verdict, String) {
    let finding = super::one(probe, seen);
    assert_eq!(finding.probe, probe);
    (finding.verdict, finding.reason)
}
