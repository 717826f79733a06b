//! Judges the exchanges over UDP. Each query must get exactly one answer, except where an answer could do harm: such
//! a query must get none.

use super::{microseconds, octets};
use crate::asking::Seconds;
use crate::check::finding::Judgement;
use crate::check::observed::{Datagrams, Observed, Reply, Tried};
use crate::client::Answer;
use crate::reply::Reply as Line;
use crate::transport::{IpVersion, Transport};

/// Judges the usual query, an empty datagram. A client that sent the query twice may get two answers on one port,
/// because the first answer may be late.
pub(super) fn empty(seen: &Observed) -> Judgement {
    let excess = |(_, answer, further): &(_, &Answer, usize)| further + 1 > questions(answer);
    let worst = usual_answers(seen).find(excess).or_else(|| usual_answers(seen).next());
    match worst {
        None => Judgement::not_tried("no answer over UDP"),
        Some((_, answer, further)) => {
            let asked = questions(answer);
            number(further + 1, asked, asked, answer.octets.len())
        }
    }
}

/// Returns the answers to the usual queries over UDP, each with the number of datagrams that followed.
fn usual_answers(seen: &Observed) -> impl Iterator<Item = (IpVersion, &Answer, usize)> {
    let udp = seen.usual.iter().filter(|usual| usual.transport == Transport::Udp);
    udp.filter_map(|it| Some((it.version, it.answer()?, it.further)))
}

fn questions(answer: &Answer) -> usize {
    answer.questions as usize
}

/// Judges a query with content: the server must answer as usual. RFC 867: "the data in the received datagram is
/// ignored".
pub(super) fn answered(datagrams: &Datagrams, seen: &Observed) -> Judgement {
    match &datagrams.reply {
        Reply::Octets(reply) if seen.is_usual(Transport::Udp, reply) => {
            number(datagrams.further + 1, 1, datagrams.questions, reply.len())
        }
        Reply::Octets(reply) => {
            let usual = seen.usual_length(Transport::Udp);
            let reason = format!("got {} instead of the usual {usual}", octets(reply.len()));
            Judgement::fail(reason).with_count("octets", reply.len())
        }
        Reply::Refused => Judgement::fail("got an ICMP message: the port is closed"),
        Reply::Silence => {
            let (listened, times) = (Seconds(datagrams.listened), times(datagrams.questions));
            Judgement::fail(format!("no reply for {listened}, asked {times}"))
        }
    }
}

/// Judges the number of datagrams that one port received; `most` is the permitted maximum.
fn number(datagrams: usize, most: usize, asked: usize, length: usize) -> Judgement {
    let (each, times) = (octets(length), times(asked));
    let got = format!("{datagrams} datagram{}", if datagrams == 1 { "" } else { "s" });
    let judgement = match (datagrams, asked) {
        (1, 1) => Judgement::pass(format!("one datagram of {each}")),
        _ if datagrams > most => Judgement::fail(format!("got {got}, asked {times}")),
        _ => Judgement::pass(format!("got {got} of {each}, asked {times}")),
    };
    let judgement = judgement.with_count("datagrams", datagrams).with_count("questions", asked);
    judgement.with_count("octets", length)
}

/// Judges a query from a service's port. The server must not answer it, because two services could answer each other
/// forever (CERT CA-1996-01, CVE-2024-2169).
pub(super) fn silence(datagrams: &Datagrams) -> Judgement {
    let (port, listened) = (datagrams.source_port, Seconds(datagrams.listened));
    let judgement = match &datagrams.reply {
        Reply::Silence => {
            Judgement::pass(format!("no reply for {listened}, asked from port {port}"))
        }
        Reply::Refused => Judgement::pass(format!("only an ICMP error, asked from port {port}")),
        Reply::Octets(_) => Judgement::fail(format!(
            "answered port {port}: it can be made to exchange datagrams with another service for ever"
        )),
    };
    judgement.with("source_port", port.into()).with("listened_us", microseconds(datagrams.listened))
}

/// Judges the amplification: how many octets a victim receives for each octet that an attacker sends with the victim's
/// address as the forged source.
pub(super) fn amplification(seen: &Observed) -> Judgement {
    let Some((version, answer, _)) = usual_answers(seen).next() else {
        return Judgement::not_tried("no answer over UDP");
    };
    let length = answer.octets.len().max(length(&seen.one_octet));
    let headers = headers(version);
    #[expect(clippy::cast_precision_loss, reason = "a datagram has no more than 65535 octets")]
    let (wire, payload) = ((length + headers) as f64 / headers as f64, length as f64);
    let factor = format!(
        "{length} octets answer 1 octet; with IP and UDP headers, {} octets answer an empty \
         question of {headers}: {wire:.1} times",
        length + headers
    );
    let most = Line::MAX_OCTETS;
    let judgement = if too_many_answers(seen) {
        Judgement::fail(format!("more than one reply to one question; in each, {factor}"))
    } else if length > most {
        Judgement::fail(format!("{factor}; a reply should have at most {most} octets"))
    } else {
        Judgement::pass(factor)
    };
    judgement.with("payload_factor", payload).with("wire_factor", wire)
}

/// Whether any query got more than one datagram in reply.
fn too_many_answers(seen: &Observed) -> bool {
    let others = [&seen.one_octet, &seen.long].into_iter().flatten();
    usual_answers(seen).any(|(_, answer, further)| further + 1 > questions(answer))
        || others.into_iter().any(|datagrams| datagrams.further > 0)
}

fn length(tried: &Tried<Datagrams>) -> usize {
    match tried {
        Ok(Datagrams { reply: Reply::Octets(octets), .. }) => octets.len(),
        _ => 0,
    }
}

fn times(questions: usize) -> String {
    match questions {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

/// Returns the total length of the IP and UDP headers in octets (RFC 791, RFC 8200, RFC 768).
fn headers(version: IpVersion) -> usize {
    match version {
        IpVersion::V4 => 20 + 8,
        IpVersion::V6 => 40 + 8,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{assert_judged, datagrams, judged, seen};
    use super::*;
    use crate::check::finding::Verdict::{self, Fail, NotTried, Pass};
    use crate::check::probe::Probe;

    const NOON: &[u8] = b"2026-11-22T12:00:00Z\r\n";

    fn after_one_octet(seen_then: Datagrams) -> (Verdict, String) {
        let mut seen = seen(NOON, NOON);
        seen.one_octet = Ok(seen_then);
        judged(Probe::UdpOneOctet, &seen)
    }

    #[test]
    fn exactly_one_datagram_of_the_usual_form_passes() {
        let noon = || datagrams(Reply::Octets(NOON.to_vec()));
        assert_judged(after_one_octet(noon()), Pass, &["one datagram", "22 octets"]);
        let twice = Datagrams { further: 1, ..noon() };
        assert_judged(after_one_octet(twice), Fail, &["2 datagrams", "once"]);
        // Each query has its own source port, so a late answer to the first query does not arrive on the second
        // query's port.
        let twice_asked = Datagrams { questions: 2, ..noon() };
        assert_judged(after_one_octet(twice_asked), Pass, &["1 datagram", "22 octets", "twice"]);
        let twice = Datagrams { further: 1, questions: 2, ..noon() };
        assert_judged(after_one_octet(twice), Fail, &["2 datagrams", "twice"]);
        let other = datagrams(Reply::Octets(b"yes?".to_vec()));
        assert_judged(after_one_octet(other), Fail, &["4 octets", "usual 22"]);
        assert_eq!(after_one_octet(datagrams(Reply::Refused)).0, Fail);
        let silence = datagrams(Reply::Silence);
        assert_judged(after_one_octet(silence), Fail, &["no reply", "2 s", "once"]);
    }

    #[test]
    fn a_second_answer_to_an_empty_datagram_fails() {
        let mut seen = seen(NOON, NOON);
        assert_eq!(judged(Probe::UdpEmpty, &seen).0, Pass);
        seen.usual[1].further = 1;
        assert_judged(judged(Probe::UdpEmpty, &seen), Fail, &["2 datagrams", "once"]);
        assert_eq!(judged(Probe::Amplification, &seen).0, Fail);
        let answered = seen.usual[1].answered.as_mut().expect("asked");
        answered.as_mut().expect("answered").questions = 2;
        let both = ["2 datagrams", "22 octets", "twice"];
        assert_judged(judged(Probe::UdpEmpty, &seen), Pass, &both);
        assert_eq!(judged(Probe::Amplification, &seen).0, Pass);
    }

    #[test]
    fn an_answer_to_a_privileged_port_fails() {
        let mut seen = seen(NOON, NOON);
        let silence = ["no reply", "2 s", "port 1023"];
        assert_judged(judged(Probe::UdpPrivilegedPort, &seen), Pass, &silence);
        seen.privileged_port = Ok(datagrams(Reply::Octets(NOON.to_vec())));
        assert_judged(judged(Probe::UdpPrivilegedPort, &seen), Fail, &["answered", "port 1023"]);
        seen.privileged_port = Err("needs root".into());
        assert_eq!(judged(Probe::UdpPrivilegedPort, &seen), (NotTried, "needs root".into()));
    }

    #[test]
    fn the_reason_has_the_amplification_and_a_long_reply_fails() {
        let factor = ["22 octets", "1 octet", "headers", "50 octets", "28", "1.8 times"];
        assert_judged(judged(Probe::Amplification, &seen(NOON, NOON)), Pass, &factor);
        let long = [b'x'; 513];
        assert_eq!(judged(Probe::Amplification, &seen(NOON, &long)).0, Fail);
        let mut seen = seen(NOON, NOON);
        seen.one_octet = Ok(datagrams(Reply::Octets(long.to_vec())));
        assert_eq!(judged(Probe::Amplification, &seen).0, Fail);
    }
}
