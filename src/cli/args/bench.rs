//! The command line of `daytime bench`.

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

Without --rate each connection or window starts its next exchange as soon as an
answer has come: that is the highest rate. With --rate exchanges are due at fixed
times and latency counts from then: that is how long a client at that rate waits.
Exchanges that could not start before the end are counted apart.
A UDP answer does not say which question it is for and counts for the oldest: so
where datagrams are lost, only --window 1 gives exact latencies.
Ctrl-C ends it early and prints what was measured so far; a second one ends it.
Exit status: 0 if each transport had answers and nothing failed (lost datagrams
are counted and no failure), 1 if not, 2 usage.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// Server to load
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Target,
    /// Transports, one after the other
    #[arg(long, value_enum, default_value_t = Proto::Both)]
    proto: Proto,
    #[command(flatten)]
    ask: AskOptions,
    /// TCP: simultaneous connections; UDP: sockets
    #[arg(long, default_value = "1", value_name = "N", value_parser = positive(1_000_000))]
    concurrency: NonZeroU32,
    /// UDP: unanswered questions of each socket
    #[arg(long, default_value = "1", value_name = "N", value_parser = positive(BenchOptions::MAX_WINDOW))]
    window: NonZeroU32,
    /// Duration of the measurement over each transport
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    duration: Duration,
    /// Duration of the load before that, which is not measured
    #[arg(long, default_value = "0.5", value_name = "SECONDS", value_parser = seconds_or_zero)]
    warm_up: Duration,
    /// Start this many exchanges per second, whether answers come or not
    #[arg(long, value_name = "N", value_parser = positive(10_000_000))]
    rate: Option<NonZeroU32>,
    /// Time limit of an exchange: beyond it, it has failed over TCP, is lost over UDP
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
