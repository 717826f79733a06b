//! Arguments of `daytime compare`.

use super::ask::AskOptions;
use super::seconds::seconds;
use crate::client::Target;
use clap::Args;
#[cfg(feature = "teach")]
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime compare
  daytime compare --count 1000 localhost:9999
  daytime compare --json
  daytime compare --html compare.html

Without HOST, compare starts a local server on a free port of loopback.
Exit status: 0 if every question over TCP and UDP had an answer, else 1; 2 for a
wrong command line.";

/// Timeout of one answer in seconds, if the user gives none.
#[cfg(feature = "teach")]
pub(in crate::cli) const DEFAULT_TIMEOUT: u64 = 2;

#[derive(Debug, Args)]
#[command(mut_arg("port", |port| port.requires("host")))]
pub(in crate::cli) struct Compare {
    /// Server to ask [default: a local server]
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Option<Target>,
    #[command(flatten)]
    pub ask: AskOptions,
    /// Timeout of one answer
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Number of exchanges over each transport
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: u32,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    /// Write the result to this file as a page
    #[cfg(feature = "teach")]
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
