//! Results as JSON. Keys end in their unit; what came from the network is escaped in `reply` and exact,
//! in hexadecimal, in `reply_hex`.

use super::chain;
use crate::client::{Answer, AskError, Target};
use crate::compare::{Closed, Comparison, Leftover, Nobody, Phase, Side, Source};
use crate::server::Bound;
use crate::transport::Transport;
use serde_json::{Value, json};
use std::fmt::Write;
use std::time::Duration;

/// The sockets of a server.
pub(crate) fn bound(bound: &[Bound]) -> Value {
    let sockets: Vec<Value> = bound
        .iter()
        .map(|Bound { transport, address, .. }| {
            json!({
                "transport": transport.to_string(),
                "address": address.ip().to_string(),
                "port": address.port(),
            })
        })
        .collect();
    json!({ "listening": sockets })
}

/// An answer to a question.
pub(crate) fn answer(target: &Target, answer: &Answer) -> Value {
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
        "reads": answer.reads,
        "questions": answer.questions,
        "calls": answer.calls.names(),
    })
}

/// A question without an answer.
pub(crate) fn ask_error(target: &Target, transport: Transport, error: &str) -> Value {
    json!({
        "host": target.to_string(),
        "transport": transport.to_string(),
        "error": error,
    })
}

/// A comparison that could not be made.
pub(crate) fn compare_error(error: &str) -> Value {
    json!({ "error": error })
}

/// A comparison, whole.
pub(crate) fn comparison(comparison: &Comparison) -> Value {
    json!({
        "host": comparison.target.to_string(),
        "own_server": comparison.own_server,
        "count": comparison.count,
        "tcp": side(&comparison.target, &comparison.tcp),
        "udp": side(&comparison.target, &comparison.udp),
        "nobody_listens": match &comparison.closed {
            Ok(closed) => nobody_listens(closed),
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
        "answer": answer(target, &side.answer),
        "calls": side.calls.names(),
        "wire": {
            "before": phase(side.phases.before),
            "exchange": phase(side.phases.exchange),
            "after": phase(side.phases.after),
            "total": phase(side.phases.total),
        },
        "left_behind": match side.leftover {
            Leftover::Nothing => "nothing",
            Leftover::TimeWaitAtClient => "time-wait at client",
            Leftover::TimeWaitAtServer => "time-wait at server",
            Leftover::NotHere => "nothing on this host",
            Leftover::Unknown => "unknown",
        },
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

fn phase(phase: Phase) -> Value {
    let source = match phase.source {
        Source::Derived => "derived",
        Source::Measured => "measured",
    };
    json!({ "packets": phase.packets, "octets": phase.octets, "source": source })
}

fn nobody_listens(closed: &Closed) -> Value {
    let nobody = |nobody: &Nobody| match nobody {
        Nobody::Refused(after) => json!({ "refused_after_us": microseconds(*after) }),
        Nobody::Silence(waited) => json!({ "silent_for_us": microseconds(*waited) }),
        Nobody::Other(error) => json!({ "error": error.to_string() }),
    };
    json!({
        "tried": closed.address.to_string(),
        "tcp": nobody(&closed.tcp),
        "udp_connected": nobody(&closed.udp_connected),
        "udp_unconnected": nobody(&closed.udp_unconnected),
    })
}

#[expect(clippy::cast_precision_loss, reason = "durations here are far below 104 days")]
fn microseconds(duration: Duration) -> f64 {
    // Through whole nanoseconds, which a float holds exactly for 104 days.
    duration.as_nanos() as f64 / 1e3
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut hex, octet| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{octet:02x}");
        hex
    })
}
