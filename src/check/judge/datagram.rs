//! One datagram for one datagram, and none where an answer could do harm.

use super::{alike, microseconds, octets, seconds};
use crate::check::finding::Finding;
use crate::check::observed::{Datagrams, Observed, Reply, Tried};
use crate::check::probe::Probe;
use crate::reply::Reply as Line;
use crate::transport::{IpVersion, Transport};

/// The usual question is an empty datagram.
pub(super) fn empty(seen: &Observed) -> Finding {
    let probe = Probe::UdpEmpty;
    let usual = seen.usual.iter().filter(|usual| usual.transport == Transport::Udp);
    let mut answered =
        usual.filter_map(|usual| Some((usual.answer()?, usual.asked.as_ref().ok()?)));
    let Some(first) = answered.next() else {
        return Finding::not_tried(probe, "no answer over UDP");
    };
    let worst = answered
        .fold(first, |one, other| if other.1.further > one.1.further { other } else { one });
    let (answer, asked) = worst;
    number(probe, asked.further + 1, answer.questions as usize, answer.octets.len())
}

/// "the data in the received datagram is ignored"
pub(super) fn answered(probe: Probe, tried: &Tried<Datagrams>, seen: &Observed) -> Finding {
    let datagrams = match tried {
        Ok(datagrams) => datagrams,
        Err(why) => return Finding::not_tried(probe, why),
    };
    let usual = seen.reply(Transport::Udp).map(|(_, reply)| reply).unwrap_or_default();
    match &datagrams.reply {
        Reply::Octets(reply) if alike(usual, reply) => {
            number(probe, datagrams.further + 1, datagrams.questions, reply.len())
        }
        Reply::Octets(reply) => {
            let reason =
                format!("{} came instead of the usual {}", octets(reply.len()), usual.len());
            Finding::fail(probe, reason).counting("octets", reply.len())
        }
        Reply::Refused => Finding::fail(probe, "an ICMP message came: the port is closed"),
        Reply::Silence => {
            let (listened, times) = (seconds(datagrams.listened), times(datagrams.questions));
            Finding::fail(probe, format!("silence for {listened}, asked {times}"))
        }
    }
}

/// Judges how many datagrams came. Who asked again may get two: the first answer may just have been late.
fn number(probe: Probe, datagrams: usize, questions: usize, length: usize) -> Finding {
    let finding = match (datagrams, questions) {
        (1, 1) => Finding::pass(probe, format!("one datagram of {}", octets(length))),
        (_, 2..) if datagrams <= questions => {
            let reason = format!("{datagrams} of {}, asked {}", octets(length), times(questions));
            Finding::pass(probe, reason)
        }
        _ => Finding::fail(probe, format!("{datagrams} datagrams came for {questions}")),
    };
    finding
        .counting("datagrams", datagrams)
        .counting("questions", questions)
        .counting("octets", length)
}

/// Nobody may answer a service, since that may answer back for ever (CERT CA-1996-01, CVE-2024-2169).
pub(super) fn silence(probe: Probe, tried: &Tried<Datagrams>) -> Finding {
    let datagrams = match tried {
        Ok(datagrams) => datagrams,
        Err(why) => return Finding::not_tried(probe, why),
    };
    let (port, listened) = (datagrams.source_port, seconds(datagrams.listened));
    let finding = match &datagrams.reply {
        Reply::Silence => {
            Finding::pass(probe, format!("silence for {listened}, asked from {port}"))
        }
        Reply::Refused => Finding::pass(probe, format!("refused by ICMP, asked from {port}")),
        Reply::Octets(_) => Finding::fail(
            probe,
            format!(
                "answered port {port}: it can be made to exchange datagrams with another service for ever"
            ),
        ),
    };
    finding.with("source_port", port.into()).with("listened_us", microseconds(datagrams.listened))
}

/// What somebody gains who asks under a victim's address.
pub(super) fn amplification(seen: &Observed) -> Finding {
    let probe = Probe::Amplification;
    let usual = seen
        .usual
        .iter()
        .find(|usual| usual.transport == Transport::Udp && usual.answer().is_some());
    let Some((version, answer, asked)) =
        usual.and_then(|usual| Some((usual.version, usual.answer()?, usual.asked.as_ref().ok()?)))
    else {
        return Finding::not_tried(probe, "no answer over UDP");
    };
    let one = seen.one_octet.as_ref().ok();
    let further = asked.further.max(one.map_or(0, |one| one.further));
    let most = answer.octets.len();
    let headers = headers(version);
    #[expect(clippy::cast_precision_loss, reason = "a datagram has no more than 65535 octets")]
    let (wire, payload) = ((most + headers) as f64 / headers as f64, most as f64);
    let reason = format!(
        "{most} octets for 1; with IP and UDP headers {} for an empty one's {headers}: {wire:.1} times",
        most + headers
    );
    let finding = if further + 1 > answer.questions as usize {
        Finding::fail(probe, format!("{} datagrams for one, each {reason}", further + 1))
    } else if most > Line::MAX_OCTETS {
        Finding::fail(probe, format!("{reason}; at most {} octets are wanted", Line::MAX_OCTETS))
    } else {
        Finding::pass(probe, reason)
    };
    finding.with("payload_factor", payload).with("wire_factor", wire)
}

fn times(questions: usize) -> String {
    match questions {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// Octets of the headers of IP and UDP (RFC 791, RFC 8200, RFC 768).
fn headers(version: IpVersion) -> usize {
    match version {
        IpVersion::V4 => 20 + 8,
        IpVersion::V6 => 40 + 8,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{datagrams, seen, told};
    use super::*;
    use crate::check::finding::Verdict::{self, Fail, NotTried, Pass};

    const NOON: &[u8] = b"2026-11-22T12:00:00Z\r\n";

    fn after_one_octet(seen_then: Datagrams) -> (Verdict, String) {
        let mut seen = seen(NOON, NOON);
        seen.one_octet = Ok(seen_then);
        told(Probe::UdpOneOctet, &seen)
    }

    #[test]
    fn one_datagram_like_the_usual_one_is_wanted() {
        let noon = || datagrams(Reply::Octets(NOON.to_vec()));
        assert_eq!(after_one_octet(noon()), (Pass, "one datagram of 22 octets".into()));
        let twice = Datagrams { further: 1, ..noon() };
        assert_eq!(after_one_octet(twice), (Fail, "2 datagrams came for 1".into()));
        let late = Datagrams { further: 1, questions: 2, ..noon() };
        assert_eq!(after_one_octet(late), (Pass, "2 of 22 octets, asked twice".into()));
        let other = datagrams(Reply::Octets(b"yes?".to_vec()));
        assert_eq!(after_one_octet(other), (Fail, "4 octets came instead of the usual 22".into()));
        assert_eq!(after_one_octet(datagrams(Reply::Refused)).0, Fail);
        let silence = (Fail, "silence for 2 s, asked once".into());
        assert_eq!(after_one_octet(datagrams(Reply::Silence)), silence);
    }

    #[test]
    fn a_second_answer_to_an_empty_datagram_is_one_too_many() {
        let mut seen = seen(NOON, NOON);
        assert_eq!(told(Probe::UdpEmpty, &seen).0, Pass);
        let asked = seen.usual[1].asked.as_mut().expect("asked");
        asked.further = 1;
        assert_eq!(told(Probe::UdpEmpty, &seen), (Fail, "2 datagrams came for 1".into()));
        assert_eq!(told(Probe::Amplification, &seen).0, Fail);
    }

    #[test]
    fn whoever_has_a_services_port_gets_no_answer() {
        let mut seen = seen(NOON, NOON);
        let silence = "silence for 2 s, asked from 1023".to_owned();
        assert_eq!(told(Probe::UdpPrivilegedPort, &seen), (Pass, silence));
        seen.privileged_port = Ok(datagrams(Reply::Octets(NOON.to_vec())));
        let (verdict, reason) = told(Probe::UdpPrivilegedPort, &seen);
        assert_eq!(verdict, Fail);
        assert!(reason.starts_with("answered port 1023: "), "{reason}");
        seen.privileged_port = Err("needs root".into());
        assert_eq!(told(Probe::UdpPrivilegedPort, &seen), (NotTried, "needs root".into()));
    }

    #[test]
    fn the_factor_is_told_and_a_long_reply_fails() {
        let (verdict, reason) = told(Probe::Amplification, &seen(NOON, NOON));
        let factor = "22 octets for 1; with IP and UDP headers 50 for an empty one's 28: 1.8 times";
        assert_eq!((verdict, reason.as_str()), (Pass, factor));
        let long = [b'x'; 513];
        assert_eq!(told(Probe::Amplification, &seen(NOON, &long)).0, Fail);
    }
}
