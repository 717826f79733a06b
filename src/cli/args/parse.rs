//! Arguments of `daytime parse`.

use clap::Args;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Examples:
  echo 'Tuesday, February 22, 1982 17:37:43-PST' | daytime parse
  echo 'Mon Jul 28 11:56:22 2003' | daytime parse --json
  printf '16:05:11 5.3.2009\\n16:05:11 27.3.2009\\n' | daytime parse --lines

A time in UTC (with Z) is printed only if the reply itself fixes the zone.
With -q, parse prints only the time. A reply may have at most 65536 octets.
Exit status: 0 if every reply has a time, else 1; 2 for a wrong command line.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Parse {
    /// File with the exact octets of a reply; with - or without FILE, standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Read one reply per line; skip blank lines
    #[arg(long)]
    pub lines: bool,
    /// Print one JSON object per reply
    #[arg(long)]
    pub json: bool,
}
