//! Arguments of `daytime check`.

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
  daytime check --nagios localhost:9999

The result of each probe is pass, fail or not tried, with the reason. As root,
check also asks from a port below 1024, which no server should answer. Questions
to a public address are 4 s apart, so its check takes about half a minute.
Exit status: 0 if the server answered and no probe failed, else 1; 2 for a wrong
command line. With --nagios: 0 OK, 1 WARNING (the server answers, but a probe
failed), 2 CRITICAL (no reply over TCP, or none over UDP), 3 UNKNOWN (the server
could not be asked, or wrong command line).";

#[derive(Debug, Args)]
pub(in crate::cli) struct Check {
    /// Server to check
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Target,
    #[command(flatten)]
    pub ask: AskOptions,
    /// Timeout of an exchange; also the time to wait for an answer that must not
    /// arrive
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Print one status line with performance data, and exit with the status of a
    /// Nagios plugin
    #[arg(long, conflicts_with = "json")]
    pub nagios: bool,
}
