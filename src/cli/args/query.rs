//! Arguments of `daytime query`.

use super::ask::{AskOptions, Proto};
use super::seconds::{seconds, seconds_or_zero};
use crate::client::Target;
use clap::Args;
use std::time::Duration;

/// Maximum of `--limit`.
pub(in crate::cli) const MAX_LIMIT: u32 = 65_535;

pub(super) const HELP: &str = "\
Examples:
  daytime query localhost:9999
  daytime query --proto udp --timeout 2 127.0.0.1 ::1
  daytime query --proto both --json localhost:9999

Below the reply, query prints its meaning and the offset of the local clock. A
reply without a fraction of a second makes the local clock seem up to 1 s ahead.
query never sets the clock; use NTP for that.
Exit status: 0 if every question had an answer, 1 if not, or if a server reports
itself unhealthy or contradicts itself; 2 for a wrong command line.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Query {
    /// Servers to ask; write an IPv6 address with a port as [::1]:9999
    #[arg(required = true, value_name = "HOST[:PORT]")]
    pub hosts: Vec<Target>,
    /// Transports to ask over
    #[arg(long, value_enum, default_value_t = Proto::Tcp)]
    pub proto: Proto,
    #[command(flatten)]
    pub ask: AskOptions,
    /// Timeout of one answer, including name resolution and retries, but without
    /// the pause between questions to a public address
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// UDP: maximum number of repeated questions; each wait is twice the previous
    /// wait, and at least 4 s for a public address
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10))]
    pub retries: u32,
    /// Maximum length of a reply
    #[arg(long, default_value_t = 4096, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    pub limit: u32,
    /// Number of queries per server
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Pause between two queries to a server; at least 4 s for a public address
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds_or_zero)]
    pub interval: Duration,
    /// Print one JSON object per query
    #[arg(long)]
    pub json: bool,
}
