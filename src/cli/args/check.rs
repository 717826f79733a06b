//! The command line of `daytime check`.

use super::ask::AskOptions;
use super::seconds::seconds;
use crate::client::Target;
use clap::Args;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime check localhost:9999
  daytime check -4 --timeout 1 localhost:9999
  daytime check --json localhost:9999

Each probe asks once and is pass, fail or not tried, with the reason. As root,
check also asks from a port below 1024, which no server should answer. A public
address is asked at most every 4 seconds, which takes about half a minute.
Exit status: 0 if no probe failed, 1 if one did or no answer came, 2 usage.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Server to check
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Target,
    #[command(flatten)]
    pub ask: AskOptions,
    /// Time for one exchange; also how long to listen for an answer that should
    /// not come
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}
