//! Formats the results of `daytime bench`, the load test, as JSON.

use super::{FAILURES, PERCENTILES, Percentile};
use crate::bench::{Bench, Failures, Load, Percentiles};
use crate::report::json::microseconds;
use crate::transport::Transport;
use serde_json::{Value, json};

/// Returns the results of a load test. A transport that was not tested is null.
pub(crate) fn json(bench: &Bench) -> Value {
    let options = &bench.options;
    let of = |transport| bench.loads.iter().find(|it| it.transport == transport).map(load);
    json!({
        "host": bench.target.to_string(),
        "good": bench.is_good(),
        "interrupted": bench.interrupted,
        "duration_s": options.duration.as_secs_f64(),
        "warm_up_s": options.warm_up.as_secs_f64(),
        "timeout_s": options.ask.timeout.as_secs_f64(),
        "concurrency": options.concurrency,
        "window": options.window,
        "rate_per_s": options.rate,
        "latency_from": if options.rate.is_some() { "due" } else { "begun" },
        "tcp": of(Transport::Tcp),
        "udp": of(Transport::Udp),
    })
}

fn load(load: &Load) -> Value {
    json!({
        "peer": load.peer.to_string(),
        "measured_s": load.measured.as_secs_f64(),
        "answered_per_s": load.per_second(),
        "asked": load.asked,
        "answered": load.answered,
        "failed": load.failures.count(),
        "lost": load.lost,
        "unfinished": load.unfinished,
        "refused_at_once": load.refused_at_once,
        "never_begun": load.never_begun,
        "late": load.late,
        "octets": load.octets,
        "latency_us": load.latencies.map(latencies),
        "failures": failures(&load.failures),
        "client_processor_share": load.processor_share(),
    })
}

fn latencies(latencies: Percentiles) -> Value {
    let key = |(_, key, pick): &Percentile| ((*key).to_owned(), microseconds(pick(latencies)));
    PERCENTILES.iter().map(key).collect()
}

fn failures(failures: &Failures) -> Value {
    let kinds =
        FAILURES.map(|(label, pick)| (label.replace(' ', "_"), Value::from(pick(failures))));
    let other = failures.other.iter().map(|(words, count)| (words.clone(), *count)).collect();
    kinds.into_iter().chain([("other".to_owned(), other)]).collect()
}
