//! Judges the octets in the reply. RFC 867: "It is recommended that it be limited to the ASCII printing characters,
//! space, carriage return, and line feed. The daytime should be just one line."

use super::{ip, octets, over};
use crate::check::finding::Judgement;
use crate::check::observed::{Observed, UsualExchange};
use crate::client::{AskError, Interruption};
use crate::reply::{Printable, Reply};
use crate::syntax::{Flag, Frame};

/// Judges each reply with `judge`. The first fault decides the verdict; the reason names its transport and IP version.
/// If there is no fault, the reason lists each distinct result once.
fn each(seen: &Observed, judge: impl Fn(&[u8], &Frame) -> Result<String, String>) -> Judgement {
    let mut passed: Vec<(String, Vec<String>)> = Vec::new();
    for (usual, reply) in seen.replies() {
        match judge(reply, &Frame::of(reply)) {
            Err(fault) => return Judgement::fail(format!("{}: {fault}", place(usual))),
            Ok(words) => match passed.iter_mut().find(|(known, _)| *known == words) {
                Some((_, places)) => places.push(place(usual)),
                None => passed.push((words, vec![place(usual)])),
            },
        }
    }
    let reason = match &passed[..] {
        [] => return Judgement::not_tried("no reply to judge"),
        [(words, _)] => words.clone(),
        several => {
            let each =
                several.iter().map(|(words, places)| format!("{}: {words}", places.join(", ")));
            each.collect::<Vec<_>>().join("; ")
        }
    };
    Judgement::pass(reason)
}

fn place(usual: &UsualExchange) -> String {
    format!("{} over {}", over(usual.transport), ip(usual.version))
}

pub(super) fn one_line(seen: &Observed) -> Judgement {
    each(seen, |reply, frame| {
        if frame.line.is_empty() {
            return Err("the reply has no line".to_owned());
        }
        if frame.flags.contains(Flag::SecondLine) {
            return Err(format!("another line follows: \"{}\"", shown(after_line(reply, frame))));
        }
        Ok(framed(reply, frame))
    })
}

/// Describes the octets before and after the line.
fn framed(reply: &[u8], frame: &Frame) -> String {
    let is_end = |octet: &&u8| matches!(octet, b'\r' | b'\n');
    let after: Vec<u8> =
        after_line(reply, frame).iter().skip_while(|octet| !is_end(octet)).copied().collect();
    let ends: Vec<u8> = after.iter().take_while(is_end).copied().collect();
    let end = match &ends[..] {
        b"\r\n" => "ends with CR LF".to_owned(),
        b"\n" => "ends with LF, not CR LF".to_owned(),
        b"\r" => "ends with CR, not CR LF".to_owned(),
        [] => "ends without a line end".to_owned(),
        other => format!("ends with {}", Printable(other)),
    };
    let before = &reply[..frame.start];
    if before.is_empty() { end } else { format!("{end}; {} before it", Printable(before)) }
}

/// Returns the octets after the line.
fn after_line<'a>(reply: &'a [u8], frame: &Frame) -> &'a [u8] {
    &reply[(frame.start + frame.line.len()).min(reply.len())..]
}

/// Judges the octets up to the first line ending. Other probes judge the octets after it.
pub(super) fn printable(seen: &Observed) -> Judgement {
    each(seen, |reply, frame| {
        let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n' | 0);
        let rest = after_line(reply, frame);
        let until = rest.iter().position(is_end).unwrap_or(rest.len());
        let line = &reply[..reply.len() - rest.len() + until];
        let odd = |octet: &u8| !matches!(octet, b' '..=b'~' | b'\r' | b'\n');
        match line.iter().position(odd) {
            None => Ok("only printing characters, space, CR and LF".to_owned()),
            Some(at) => {
                Err(format!("octet {} is \\x{:02x}: \"{}\"", at + 1, line[at], shown(line)))
            }
        }
    })
}

/// Judges the length of each reply. RFC 867 sets no limit, so this probe uses the maximum length of a reply from
/// `daytime serve`.
pub(super) fn length(seen: &Observed) -> Judgement {
    let too_long = seen.usual.iter().find_map(|usual| match usual.answered.as_ref().ok()? {
        Err(AskError::Incomplete { cause: Interruption::Limit { limit }, .. }) => {
            Some(format!("{}: more than {limit} octets", place(usual)))
        }
        _ => None,
    });
    if let Some(fault) = too_long {
        return Judgement::fail(fault);
    }
    let longest = seen.replies().map(|(_, reply)| reply.len()).max().unwrap_or_default();
    let judgement = each(seen, |reply, _| {
        let (length, most) = (octets(reply.len()), Reply::MAX_OCTETS);
        let words = format!("{length}; the limit of this suite is {most}");
        if reply.len() <= most { Ok(words) } else { Err(words) }
    });
    judgement.with_count("octets", longest)
}

/// Judges whether binary octets follow the line. AIX, for example, sends stale buffer content there.
pub(super) fn no_leak(seen: &Observed) -> Judgement {
    each(seen, |reply, frame| {
        let leaks = frame.flags.contains(Flag::TrailingGarbage) || frame.flags.contains(Flag::Nul);
        if !leaks {
            return Ok("no binary octets after the line".to_owned());
        }
        let rest = after_line(reply, frame);
        Err(format!("{} after the line: \"{}\"", octets(rest.len()), shown(rest)))
    })
}

/// Returns the first octets, escaped so that they are safe to print on a terminal.
fn shown(octets: &[u8]) -> String {
    const MAX_SHOWN_OCTETS: usize = 32;
    let whole = Printable(&octets[..octets.len().min(MAX_SHOWN_OCTETS)]).to_string();
    if octets.len() > MAX_SHOWN_OCTETS { format!("{whole}…") } else { whole }
}

#[cfg(test)]
mod tests {
    use super::super::sample::{assert_judged, judged, seen, usual};
    use super::*;
    use crate::check::finding::Verdict::{self, Fail, NotTried, Pass};
    use crate::check::probe::Probe;
    use crate::client::Answer;
    use crate::mentions::each_mentions;
    use crate::transport::Transport;

    const NOON: &[u8] = b"noon\r\n";

    fn of_tcp(probe: Probe, reply: &[u8]) -> (Verdict, String) {
        judged(probe, &seen(reply, NOON))
    }

    #[test]
    fn the_reason_names_the_end_of_the_line() {
        let end = |reply: &[u8]| judged(Probe::OneLine, &seen(reply, reply));
        assert_judged(end(NOON), Pass, &["with CR LF"]);
        assert_judged(end(b"noon\n"), Pass, &["LF, not CR LF"]);
        assert_judged(end(b"noon"), Pass, &["without a line end"]);
        assert_judged(end(b"\nnoon * \n"), Pass, &["LF, not CR LF", "\\n before"]);
        let (verdict, reason) = of_tcp(Probe::OneLine, b"noon\n");
        assert_eq!(verdict, Pass);
        let [tcp, udp] = [["TCP over IPv4", "LF, not CR LF"], ["UDP over IPv4", "with CR LF"]];
        each_mentions(reason.split("; "), &[&tcp, &udp]);
    }

    #[test]
    fn a_second_line_fails_one_probe_and_binary_octets_another() {
        let two = b"noon\r\nup 3 days\r\n";
        let fault = ["TCP over IPv4", "another line", "\"\\r\\nup 3 days\\r\\n\""];
        assert_judged(of_tcp(Probe::OneLine, two), Fail, &fault);
        assert_eq!(of_tcp(Probe::NoLeak, two).0, Pass);
        let leaks = b"noon\r\n\0\0left\x7f";
        assert_eq!(of_tcp(Probe::OneLine, leaks).0, Pass);
        let fault = ["TCP over IPv4", "9 octets after", "\"\\r\\n\\0\\0left\\x7f\""];
        assert_judged(of_tcp(Probe::NoLeak, leaks), Fail, &fault);
        assert_eq!(of_tcp(Probe::PrintableAscii, leaks).0, Pass);
        assert_eq!(of_tcp(Probe::OneLine, b"\r\n").0, Fail);
    }

    #[test]
    fn an_octet_that_is_not_printable_fails_with_its_position() {
        let fault = ["TCP over IPv4", "octet 3", "\\x1b", "\"no\\x1bon\""];
        assert_judged(of_tcp(Probe::PrintableAscii, b"no\x1bon\r\n"), Fail, &fault);
        for odd in
            [&b"no\ton\r\n"[..], b"ao\xc3\xbbt\r\n", b"\xef\xbb\xbfnoon\r\n", b"noon\x07\r\n"]
        {
            assert_eq!(of_tcp(Probe::PrintableAscii, odd).0, Fail, "{odd:?}");
        }
        assert_eq!(of_tcp(Probe::PrintableAscii, b"\nnoon * \n").0, Pass);
    }

    #[test]
    fn a_reply_of_more_than_512_octets_fails() {
        assert_eq!(of_tcp(Probe::Length, &[b'x'; 512]).0, Pass);
        assert_eq!(of_tcp(Probe::Length, &[b'x'; 513]).0, Fail);
        let mut seen = seen(NOON, NOON);
        let partial = Box::new(Answer::sample(Transport::Tcp, &[b'x'; 4096]));
        let cause = Interruption::Limit { limit: 4096 };
        let error = AskError::Incomplete { partial, cause };
        seen.usual[0] = usual(Transport::Tcp, Err(error));
        let fault = ["TCP over IPv4", "more than 4096 octets"];
        assert_judged(judged(Probe::Length, &seen), Fail, &fault);
    }

    #[test]
    fn without_a_reply_these_probes_are_not_tried() {
        let none = seen(b"", b"");
        for probe in [Probe::OneLine, Probe::PrintableAscii, Probe::Length, Probe::NoLeak] {
            assert_eq!(judged(probe, &none).0, NotTried, "{probe}");
        }
    }
}
