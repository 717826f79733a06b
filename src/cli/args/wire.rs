//! Arguments of `daytime wire`.

use super::seconds::seconds;
use crate::transport::PORT;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime wire
  daytime wire lo --port 9999 --count 10
  daytime wire --pcapng exchange.pcapng --duration 60
  daytime wire --read exchange.pcapng
  daytime wire --netns
  ssh server tcpdump -U -w - port 13 | daytime wire --read -
  ssh server daytime wire --pcapng - | wireshark -k -i -

wire shows TCP and UDP over IPv4 and IPv6, and ICMP errors about them. A capture
needs CAP_NET_RAW: run wire as root, or run `setcap cap_net_raw+ep` once on the
daytime binary. --read and --netns need no right. Ctrl-C ends wire and prints
the summary. A second Ctrl-C ends wire at once.
Exit status: 0 success, 1 if wire cannot capture, read or write, or if the file
of --read has no packet of the ports, 2 for a wrong command line.";

#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Wire {
    /// Interface to capture on [default: any, which is all interfaces]
    pub interface: Option<String>,
    /// Port of the servers to watch; may be given several times
    #[arg(long = "port", value_name = "PORT", default_values_t = [PORT], value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,
    /// Stop after N packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop after this time
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "read")]
    pub duration: Option<Duration>,
    /// Also write the packets to a capture file; - is standard output, which then
    /// gets nothing else
    #[arg(long, value_name = "FILE")]
    pub pcapng: Option<PathBuf>,
    /// Show the packets of a capture file (pcap or pcapng); - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "interface")]
    pub read: Option<PathBuf>,
    /// Show an exchange over TCP and over UDP between two network namespaces, as
    /// `lab run exchange --engine netns` does; needs no permission to capture
    #[cfg(feature = "teach")]
    #[arg(long, conflicts_with_all = ["interface", "read", "duration", "ports"])]
    pub netns: bool,
    /// Draw the first 20 exchanges as ladders at the end, as `lab` does
    #[arg(long, conflicts_with = "json")]
    pub ladder: bool,
    /// List the packets of each exchange at the end as numbered sentences, for a
    /// screen reader
    #[arg(long, conflicts_with_all = ["json", "ladder"])]
    pub text: bool,
    /// Print one JSON object per packet; after a live capture that lost N packets,
    /// also {"lost": N}
    #[arg(long)]
    pub json: bool,
}
