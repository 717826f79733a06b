//! Arguments of `daytime bench`.

use super::ask::{AskOptions, Proto};
use super::seconds::{seconds, seconds_or_zero};
use crate::bench::BenchOptions;
use crate::client::Target;
use clap::Args;
use clap::builder::TypedValueParser;
use std::num::NonZeroU32;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime bench localhost:9999
  daytime bench --proto tcp --concurrency 64 localhost:9999
  daytime bench --proto udp --concurrency 16 --window 16 localhost:9999
  daytime bench --rate 1000 --concurrency 8 --json localhost:9999

Without --rate, each connection or window starts its next exchange after an
answer. This gives the highest rate. With --rate, exchanges are scheduled at
fixed times, and latency counts from the scheduled time. This gives the waiting
time of a client. Exchanges that never started are counted separately.
A UDP answer does not name its question, so it counts for the oldest question.
If datagrams are lost, only --window 1 gives exact latencies.
Ctrl-C ends the load early and prints the results. A second Ctrl-C ends bench
at once.
Exit status: 0 if every transport had answers and no exchange failed, else 1;
2 for a wrong command line. A lost datagram is not a failure.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// Server to load
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Target,
    /// Transports to load, one after the other
    #[arg(long, value_enum, default_value_t = Proto::Both)]
    proto: Proto,
    #[command(flatten)]
    ask: AskOptions,
    /// Number of concurrent TCP connections, or of UDP sockets
    #[arg(long, default_value = "1", value_name = "N", value_parser = positive(1_000_000))]
    concurrency: NonZeroU32,
    /// UDP: maximum number of unanswered questions per socket
    #[arg(long, default_value = "1", value_name = "N", value_parser = positive(BenchOptions::MAX_WINDOW))]
    window: NonZeroU32,
    /// Length of the measurement over each transport
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    duration: Duration,
    /// Time of load over each transport before the measurement
    #[arg(long, default_value = "0.5", value_name = "SECONDS", value_parser = seconds_or_zero)]
    warm_up: Duration,
    /// Start N exchanges per second at fixed times, without waiting for answers
    #[arg(long, value_name = "N", value_parser = positive(10_000_000))]
    rate: Option<NonZeroU32>,
    /// Timeout of an exchange; then a TCP exchange counts as failed, and a UDP
    /// question as lost
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds)]
    timeout: Duration,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

fn positive(max: u32) -> impl TypedValueParser<Value = NonZeroU32> {
    clap::value_parser!(u32).range(1..=i64::from(max)).try_map(NonZeroU32::try_from)
}

impl Bench {
    pub(in crate::cli) fn options(&self) -> BenchOptions {
        BenchOptions {
            transports: self.proto.transports(),
            concurrency: self.concurrency,
            window: self.window,
            duration: self.duration,
            warm_up: self.warm_up,
            rate: self.rate,
            ask: self.ask.options(self.timeout, &BenchOptions::default().ask),
        }
    }
}
