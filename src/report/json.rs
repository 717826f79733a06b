//! Formats results as JSON. If a value has a unit, its key ends in the unit. `reply` contains a reply's octets as
//! escaped text, and `reply_hex` the exact octets in hexadecimal.

use super::{chain, hex, is_invisible, joined};
use crate::check::{Check, Finding, Verdict};
use crate::client::{Answer, AskError, Target};
use crate::compare::{ClosedPort, Comparison, NoListener, Phase, Side};
use crate::reply::Printable;
use crate::server::Bound;
use crate::syntax::{Flag, Flags, Marker, Recognised, ReplyTime, TimeCode, Unrecognised};
use crate::transport::Transport;
use chrono::{DateTime, NaiveDateTime, SecondsFormat, Timelike, Utc};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Returns JSON on several lines, as a terminal can show it. Escapes control characters that JSON allows in strings, and
/// invisible characters that change the direction of text.
pub(crate) fn text(value: &Value) -> String {
    let escape = |mut text: String, it: char| {
        if it != '\n' && (it.is_control() || is_invisible(it)) {
            text.extend(it.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(it);
        }
        text
    };
    format!("{value:#}").chars().fold(String::new(), escape)
}

/// Returns a server's sockets and, if the server serves metrics, the address of the metrics endpoint.
pub(crate) fn bound(bound: &[Bound], metrics: Option<SocketAddr>) -> Value {
    let place = |at: &SocketAddr| json!({ "address": at.ip().to_string(), "port": at.port() });
    let socket = |Bound { transport, address, name, .. }: &Bound| {
        let transport = json!({ "transport": transport.to_string() });
        let name = name.as_ref().map(|name| json!({ "name": name }));
        joined([Some(transport), Some(place(address)), name])
    };
    let sockets: Vec<Value> = bound.iter().map(socket).collect();
    let metrics = metrics.map(|at| json!({ "metrics": place(&at) }));
    joined([Some(json!({ "listening": sockets })), metrics])
}

/// Returns an answer and its meaning. If the answer is incomplete, `incomplete` is the error text.
#[expect(clippy::cast_precision_loss, reason = "an offset of 104 days needs no microseconds")]
pub(crate) fn answer(
    target: &Target,
    answer: &Answer,
    read: &Result<Recognised, Unrecognised>,
    incomplete: Option<&str>,
) -> Value {
    let offset = read.as_ref().ok().and_then(|it| answer.offset_of(it));
    // In nanoseconds, an offset of more than 292 years does not fit into 64 bits, so it is computed from milliseconds.
    let ahead = offset.map(|offset| match offset.local_minus_server.num_nanoseconds() {
        Some(nanoseconds) => nanoseconds as f64 / 1e3,
        None => offset.local_minus_server.num_milliseconds() as f64 * 1e3,
    });
    let uncertainty = offset.map(|offset| microseconds(offset.uncertainty));
    joined([
        Some(how_it_came(target, answer)),
        Some(json!({ "incomplete": incomplete })),
        Some(meaning(read)),
        Some(json!({ "offset_us": ahead, "uncertainty_us": uncertainty })),
    ])
}

fn how_it_came(target: &Target, answer: &Answer) -> Value {
    json!({
        "host": target.to_string(),
        "transport": answer.transport.to_string(),
        "peer": answer.peer.to_string(),
        "reply": answer.text(),
        "reply_hex": hex(&answer.octets),
        "octets": answer.octets.len(),
        "truncated": answer.truncated,
        "connected_us": answer.connected_after.map(microseconds),
        "elapsed_us": microseconds(answer.elapsed),
        "round_trip_us": microseconds(answer.round_trip),
        "arrived": answer.arrived.map(rfc3339),
        "reads": answer.reads,
        "questions": answer.questions,
        "calls": answer.calls.names(),
    })
}

/// Returns the meaning of a reply. The keys are the same for a reply that is not a time.
fn meaning(recognised: &Result<Recognised, Unrecognised>) -> Value {
    match recognised {
        Ok(it) => meaning_keys(Some(it), it.flags, None),
        Err(error) => meaning_keys(None, error.flags, Some(&error.to_string())),
    }
}

fn meaning_keys(it: Option<&Recognised>, flags: Flags, error: Option<&str>) -> Value {
    let written = |time: NaiveDateTime| time.format("%Y-%m-%dT%H:%M:%S").to_string();
    let ambiguous = it.and_then(|it| match it.time {
        ReplyTime::Ambiguous { candidates } => {
            Some(candidates.iter().map(written).collect::<Value>())
        }
        _ => None,
    });
    let fraction = it.filter(|it| it.flags.contains(Flag::Fraction)).map(|it| match it.time {
        ReplyTime::Instant { local, .. } | ReplyTime::WallClock { local } => local,
        ReplyTime::Ambiguous { candidates } => candidates.earliest(),
    });
    let when = json!({
        "parsable": it.is_some(),
        "syntax": it.map(|it| it.form.to_string()),
        "utc": it.and_then(|it| Some(format!("{}Z", written(it.utc()?.naive_utc())))),
        "naive": it.and_then(Recognised::naive).map(written),
        "fraction_ns": fraction.map(|time| time.nanosecond() % 1_000_000_000),
        "resolution_ns": it.map(|it| u64::try_from(it.resolution.as_nanos()).unwrap_or(0)),
        "zone_given": it.is_some_and(|it| it.zone.is_some()),
        "zone": it.and_then(|it| it.zone.as_deref()),
    });
    let certain = json!({
        "flags": flags.iter().map(|flag| flag.to_string()).collect::<Vec<_>>(),
        "code": it.and_then(|it| it.code.as_ref()).map(time_code),
        "error": error,
    });
    joined([Some(when), ambiguous.map(|both| json!({ "ambiguous": both })), Some(certain)])
}

fn time_code(code: &TimeCode) -> Value {
    json!({
        "mjd": code.mjd,
        "tt": code.daylight,
        "l": code.leap,
        "h": code.health,
        "dut1_s": code.dut1_tenths.map(|tenths| f64::from(tenths) / 10.0),
        "advance_ms": code.advance.map(|advance| microseconds(advance) / 1e3),
        "marker": code.marker.map(Marker::name),
    })
}

/// Returns the meaning of a saved reply, with the number of the line from which it was read, if known.
pub(crate) fn saved(
    line: Option<u64>,
    octets: &[u8],
    recognised: &Result<Recognised, Unrecognised>,
) -> Value {
    place(line, Some(octets), meaning(recognised))
}

/// Returns the error for a saved reply that could not be read.
pub(crate) fn saved_error(line: Option<u64>, error: &str) -> Value {
    place(line, None, meaning_keys(None, Flags::default(), Some(error)))
}

/// Merges the line number, text and meaning of a saved reply into one object.
fn place(line: Option<u64>, octets: Option<&[u8]>, meaning: Value) -> Value {
    let line = line.map(|line| json!({ "line": line }));
    let reply = octets.map(|octets| Printable::line(octets).to_string());
    joined([line, Some(json!({ "reply": reply })), Some(meaning)])
}

/// Returns the error for a query without an answer.
pub(crate) fn ask_error(target: &Target, transport: Transport, error: &str) -> Value {
    json!({
        "host": target.to_string(),
        "transport": transport.to_string(),
        "error": error,
    })
}

/// Returns the error that ended a command.
pub(crate) fn error(error: &str) -> Value {
    json!({ "error": error })
}

/// Returns the result of `daytime check`.
pub(crate) fn check(check: &Check) -> Value {
    json!({
        "host": check.target.to_string(),
        "good": check.is_good(),
        "passed": check.count(Verdict::Pass),
        "failed": check.count(Verdict::Fail),
        "not_tried": check.count(Verdict::NotTried),
        "probes": check.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

/// Returns a finding: the probe, its verdict, the reason, and the numbers that this probe measured.
fn finding(finding: &Finding) -> Value {
    let verdict = json!({
        "probe": finding.probe.to_string(),
        "verdict": finding.verdict.to_string(),
        "reason": finding.reason,
    });
    // Converts the number to text and back, so that a count has no decimal fraction (`5`, not `5.0`).
    let number = |number: f64| number.to_string().parse().unwrap_or(Value::Null);
    let numbers = finding.numbers.iter().map(|(name, it)| ((*name).to_owned(), number(*it)));
    joined([Some(verdict), Some(numbers.collect())])
}

/// Returns the result of `daytime compare`.
pub(crate) fn comparison(comparison: &Comparison) -> Value {
    json!({
        "host": comparison.target.to_string(),
        "local_server": comparison.local_server,
        "count": comparison.count,
        "tcp": side(&comparison.target, &comparison.tcp),
        "udp": side(&comparison.target, &comparison.udp),
        "closed_port": match &comparison.closed {
            Ok(closed) => closed_port(closed),
            Err(error) => json!({ "error": error.to_string() }),
        },
    })
}

fn side(target: &Target, side: &Result<Side, AskError>) -> Value {
    let side = match side {
        Ok(side) => side,
        Err(error) => return json!({ "error": chain(error) }),
    };
    let percentile = |percent| side.latencies.percentile(percent).map(microseconds);
    let samples: Vec<f64> = side.latencies.sorted().iter().copied().map(microseconds).collect();
    json!({
        "answer": answer(target, &side.answer, &side.answer.recognise(), None),
        "calls": side.calls.names(),
        "wire": {
            "before": phase(side.phases.before),
            "exchange": phase(side.phases.exchange),
            "after": phase(side.phases.after),
            "total": phase(side.phases.total),
        },
        "remaining_state": side.leftover.name(),
        "latency_us": {
            "min": percentile(0),
            "median": percentile(50),
            "p90": percentile(90),
            "p99": percentile(99),
            "max": percentile(100),
            "samples": samples,
        },
        "failures": side.failures,
    })
}

fn phase(Phase { packets, octets, provenance, .. }: Phase) -> Value {
    json!({ "packets": packets, "octets": octets, "source": provenance.name() })
}

fn closed_port(closed: &ClosedPort) -> Value {
    let reaction = |reaction: &NoListener| match reaction {
        NoListener::Refused { after } => json!({ "refused_after_us": microseconds(*after) }),
        NoListener::Silence { waited } => json!({ "silent_for_us": microseconds(*waited) }),
        NoListener::Other { cause } => json!({ "error": cause.to_string() }),
    };
    json!({
        "tried": closed.address.to_string(),
        "tcp": reaction(&closed.tcp),
        "udp_connected": reaction(&closed.udp_connected),
        "udp_unconnected": reaction(&closed.udp_unconnected),
    })
}

fn rfc3339(instant: DateTime<Utc>) -> String {
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[expect(clippy::cast_precision_loss, reason = "durations here are far below 104 days")]
pub(super) fn microseconds(duration: Duration) -> f64 {
    // An `f64` represents whole nanoseconds exactly up to 104 days, so only the division rounds.
    duration.as_nanos() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_character_that_changes_a_terminal_and_keeps_its_value() {
        let value = json!({ "a\u{7f}": ["\u{9b}2J", "\u{202e}\u{feff}\n\u{1b}", "é 語 😀"] });
        let shown = text(&value);
        assert!(!shown.contains(|it: char| it != '\n' && (it.is_control() || is_invisible(it))));
        assert!(shown.contains(r"\u009b2J") && shown.contains("é 語 😀"), "{shown}");
        assert_eq!(shown.parse::<Value>().expect("JSON"), value);
    }

    #[test]
    fn an_answer_has_its_round_trip_and_time_of_arrival() {
        let target: Target = "127.0.0.1:13".parse().expect("target");
        let arrived = DateTime::from_timestamp(1_795_353_600, 5_999).expect("a date");
        let mut answered = Answer {
            round_trip: Duration::from_nanos(90_500),
            arrived: Some(arrived),
            ..Answer::sample(Transport::Udp, b"noon\r\n")
        };
        let object = answer(&target, &answered, &answered.recognise(), None);
        assert_eq!(object["round_trip_us"], 90.5);
        assert_eq!(object["arrived"], "2026-11-22T13:20:00.000005Z");
        answered.arrived = None;
        assert_eq!(answer(&target, &answered, &answered.recognise(), None)["arrived"], Value::Null);
    }
}
