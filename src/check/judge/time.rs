//! Judges the time in the reply: its form, its agreement with the local clock, and the health that the server reports.

use super::over;
use crate::check::finding::Judgement;
use crate::check::observed::{Meaning, Observed, UsualExchange};
use crate::syntax::{Distrust, Flag, Form, Offset, ReplyTime};
use chrono::TimeDelta;

/// Judges whether the reply has a known form. RFC 867: "There is no specific syntax for the daytime." However, a client
/// cannot use a form that it does not know.
pub(super) fn syntax(seen: &Observed) -> Judgement {
    let mut first = None;
    for (transport, meaning) in seen.meanings() {
        match meaning {
            Ok(recognised) => first = first.or(Some(recognised)),
            Err(error) => {
                let reason = format!("{}: not a time in a known form: {error}", over(transport));
                return Judgement::fail(reason);
            }
        }
    }
    match first {
        None => Judgement::not_tried("no reply to read"),
        Some(recognised) => {
            let fixes = match recognised.time {
                ReplyTime::Instant { .. } => "an instant".to_owned(),
                ReplyTime::WallClock { .. } => "no instant: its zone is not certain".to_owned(),
                ReplyTime::Ambiguous { candidates } => {
                    format!("no instant: {}", candidates.uncertainty())
                }
            };
            Judgement::pass(format!("{}, {fixes}", recognised.form))
        }
    }
}

pub(super) fn same_syntax(seen: &Observed) -> Judgement {
    let form = |(_, meaning): (_, &Meaning)| meaning.as_ref().ok().map(|it| it.form);
    let forms: Vec<Option<Form>> = seen.meanings().map(form).collect();
    match forms[..] {
        [Some(one), Some(other)] if one == other => {
            Judgement::pass(format!("{one} over TCP and over UDP"))
        }
        [Some(one), Some(other)] => Judgement::fail(format!("{one} over TCP, {other} over UDP")),
        [None, Some(_)] => Judgement::fail("the reply over UDP has a known form, over TCP not"),
        [Some(_), None] => Judgement::fail("the reply over TCP has a known form, over UDP not"),
        [None, None] => Judgement::not_tried("neither reply has a known form"),
        _ => Judgement::not_tried("needs a reply over TCP and over UDP"),
    }
}

pub(super) fn health(seen: &Observed) -> Judgement {
    let mut good = None;
    for (transport, meaning) in seen.meanings() {
        let Ok(recognised) = meaning else { continue };
        if let Err(distrust) = recognised.validate() {
            return Judgement::fail(format!("{}: {}", over(transport), fault(distrust)));
        }
        good = Some(recognised.code.and_then(|code| code.health));
    }
    match good {
        None => Judgement::not_tried("no reply in a known form"),
        Some(None) => Judgement::pass("the reply does not contradict itself"),
        Some(Some(digit)) => {
            Judgement::pass(format!("the server reports itself healthy (H={digit})"))
        }
    }
}

fn fault(distrust: Distrust) -> String {
    match (distrust.unhealthy, distrust.contradictions.iter().next()) {
        (Some(digit), _) => format!("the server reports itself unhealthy (H={digit})"),
        (None, flag) => format!("the reply contradicts itself: {}", flag.map_or("", contradicts)),
    }
}

fn contradicts(flag: Flag) -> &'static str {
    match flag {
        Flag::WeekdayMismatch => "the weekday does not match the date",
        Flag::MjdMismatch => "the Modified Julian Date does not match the date",
        _ => "it names two zones with different offsets",
    }
}

/// Judges the clock offset with the smallest uncertainty. The probe fails if the offset exceeds its uncertainty: one of
/// the two clocks is wrong, and other clients depend on the server's clock.
pub(super) fn clock(seen: &Observed) -> Judgement {
    let offset =
        |usual: &UsualExchange| usual.answer()?.offset_of(usual.meaning.as_ref()?.as_ref().ok()?);
    let offsets = seen.usual.iter().filter_map(offset);
    let Some(offset) = offsets.min_by_key(|offset| offset.uncertainty) else {
        let none = seen.replies().next().is_none();
        let why = if none { "no reply to read" } else { "the reply fixes no instant" };
        return Judgement::not_tried(why);
    };
    let Offset { local_minus_server: ahead, uncertainty, .. } = offset;
    let uncertainty = uncertainty.as_secs_f64();
    let apart = ahead.abs().as_seconds_f64();
    let side = if ahead < TimeDelta::zero() { "behind" } else { "ahead" };
    let known = format!("local clock {apart:.3} s {side}, ± {uncertainty:.3} s");
    let judgement = if offset.agrees() {
        Judgement::pass(known)
    } else {
        Judgement::fail(format!("{known}: check both clocks with NTP"))
    };
    judgement
        .with("offset_us", ahead.as_seconds_f64() * 1e6)
        .with("uncertainty_us", uncertainty * 1e6)
}

#[cfg(test)]
mod tests {
    use super::super::sample::{assert_judged, judged, seen};
    use crate::check::finding::Verdict::{self, Fail, NotTried, Pass};
    use crate::check::probe::Probe;

    const GOOD: &str = "2026-11-22T14:20:31Z\r\n";
    const CTIME: &str = "Sun Nov 22 14:20:31 2026\r\n";

    fn of_both(probe: Probe, reply: &str) -> (Verdict, String) {
        judged(probe, &seen(reply.as_bytes(), reply.as_bytes()))
    }

    #[test]
    fn the_reason_names_the_syntax_and_whether_it_fixes_an_instant() {
        assert_judged(of_both(Probe::Syntax, GOOD), Pass, &["rfc3339", "an instant"]);
        assert_judged(of_both(Probe::Syntax, CTIME), Pass, &["ctime", "no instant", "zone"]);
        let noon = of_both(Probe::Syntax, "noon\r\n");
        assert_judged(noon, Fail, &["TCP", "not a time", "expected", "\"noon\""]);
        assert_eq!(of_both(Probe::Syntax, "").0, NotTried);
    }

    #[test]
    fn replies_of_two_syntaxes_fail() {
        let of =
            |tcp: &str, udp: &str| judged(Probe::SameSyntax, &seen(tcp.as_bytes(), udp.as_bytes()));
        assert_judged(of(GOOD, GOOD), Pass, &["rfc3339", "TCP", "UDP"]);
        assert_judged(of(GOOD, CTIME), Fail, &["rfc3339 over TCP", "ctime over UDP"]);
        assert_eq!(of(GOOD, "").0, NotTried);
        assert_eq!(of(GOOD, "noon\r\n").0, Fail);
    }

    #[test]
    fn an_unhealthy_server_and_a_contradiction_fail() {
        let sick = "60482 24-06-21 12:00:07 50 0 2 640.9 UTC(NIST) *\n";
        assert_judged(of_both(Probe::Health, sick), Fail, &["TCP", "unhealthy", "H=2"]);
        let well = "60482 24-06-21 12:00:07 50 0 0 640.9 UTC(NIST) *\n";
        assert_judged(of_both(Probe::Health, well), Pass, &["healthy", "H=0"]);
        let monday = "Tuesday, February 22, 1982 17:37:43-PST\r\n";
        let fault = ["TCP", "contradicts itself", "weekday"];
        assert_judged(of_both(Probe::Health, monday), Fail, &fault);
        assert_eq!(of_both(Probe::Health, GOOD).0, Pass);
    }

    #[test]
    fn a_clock_offset_larger_than_its_uncertainty_fails() {
        let agreed = ["local clock", "0.499 s ahead", "± 1.000 s"];
        assert_judged(of_both(Probe::Clock, GOOD), Pass, &agreed);
        let behind = ["local clock", "3.500 s behind", "± 1.000 s", "NTP"];
        assert_judged(of_both(Probe::Clock, "2026-11-22T14:20:35Z\r\n"), Fail, &behind);
        assert_judged(of_both(Probe::Clock, CTIME), NotTried, &["no instant"]);
    }
}
