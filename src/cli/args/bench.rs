//! The command line of `daytime bench`.

use super::{Ask, Proto, seconds, seconds_or_none};
use crate::bench::BenchOptions;
use crate::client::{Options, Target};
use crate::transport::PORT;
use clap::Args;
use std::num::NonZeroU32;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime bench localhost:9999
  daytime bench --proto tcp --concurrency 64 localhost:9999
  daytime bench --proto udp --concurrency 16 --window 16 localhost:9999
  daytime bench --rate 1000 --concurrency 8 --json localhost:9999

Without --rate each connection or window begins anew when its answer has come:
so many exchanges a second can be had. With --rate they are due at fixed times,
and latency counts from then: so long does somebody wait who asks at that rate.
What could not begin till the end, all places taken, is counted as such.
No answer over UDP tells which question it is for: the oldest takes it, so only
--window 1 tells exact latencies where datagrams are lost.
Ctrl-C ends it early and prints what was measured so far; a second one ends it.
Exit status: 0 if each transport had answers and nothing failed (lost datagrams
are counted and no failure), 1 if not, 2 usage.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Bench {
    /// Server to load
    #[arg(value_name = "HOST[:PORT]")]
    host: Target,
    /// Transports, one after the other
    #[arg(long, value_enum, default_value_t = Proto::Both)]
    proto: Proto,
    #[command(flatten)]
    ask: Ask,
    /// Port of HOST, if it is given without one
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// TCP: connections at once; UDP: sockets
    #[arg(long, default_value = "1", value_name = "N", value_parser = positive(1_000_000))]
    concurrency: u32,
    /// UDP: unanswered questions of each socket
    #[arg(long, default_value = "1", value_name = "N", value_parser = positive(BenchOptions::MOST_WINDOW))]
    window: u32,
    /// How long to measure each transport
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    duration: Duration,
    /// How long to load it before that without measuring
    #[arg(long, default_value = "0.5", value_name = "SECONDS", value_parser = seconds_or_none)]
    warm_up: Duration,
    /// Exchanges a second that are due at fixed times, whatever comes back
    #[arg(long, value_name = "N", value_parser = positive(10_000_000))]
    rate: Option<u32>,
    /// Time for one exchange: then it has failed over TCP and is lost over UDP
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds)]
    timeout: Duration,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

fn positive(most: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=i64::from(most))
}

impl Bench {
    pub(in crate::cli) fn host(&self) -> &Target {
        &self.host
    }

    pub(in crate::cli) fn options(&self) -> BenchOptions {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        BenchOptions {
            transports: self.proto.transports(),
            concurrency: number(self.concurrency),
            window: number(self.window),
            duration: self.duration,
            warm_up: self.warm_up,
            rate: self.rate.map(number),
            ask: Options {
                family: self.ask.family(),
                port: self.port,
                timeout: self.timeout,
                pace: self.ask.pace(),
                ..BenchOptions::default().ask
            },
        }
    }
}
