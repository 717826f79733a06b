//! The command line of `daytime parse`.

use clap::Args;
use std::path::PathBuf;

pub(super) const HELP: &str = "\
Examples:
  echo 'Tuesday, February 22, 1982 17:37:43-PST' | daytime parse
  echo 'Mon Jul 28 11:56:22 2003' | daytime parse --json
  printf '16:05:11 5.3.2009\\n16:05:11 27.3.2009\\n' | daytime parse --lines

An instant (with Z) is claimed only where the reply itself fixes the zone. With
-q, only the time is printed. A reply has at most 65536 octets.
Exit status: 0 if every reply was read as a time, 1 if one was not, 2 usage.";

#[derive(Debug, Args)]
pub(in crate::cli) struct Parse {
    /// File with a reply, octet by octet as it came; - or none: standard input
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// One reply a line; blank lines are passed over
    #[arg(long)]
    pub lines: bool,
    /// Print one JSON object per reply
    #[arg(long)]
    pub json: bool,
}
