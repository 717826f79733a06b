//! The command line of `daytime wire`.

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

Shows IPv4 and IPv6, TCP, UDP, and ICMP errors about them. To capture takes
CAP_NET_RAW: run it as root, or have `setcap cap_net_raw+ep` run once on the
daytime binary. To read a file takes nothing, nor does the demonstration of
--netns. Ctrl-C ends it, with what was seen until then; a second one at once.
Exit status: 0 good, 1 if it could not capture, read or write, 2 usage.";

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(in crate::cli) struct Wire {
    /// Interface to capture on; without it, or with any: all of them
    pub interface: Option<String>,
    /// Port of the servers to watch; may be given several times
    #[arg(long = "port", value_name = "PORT", default_values_t = [PORT], value_parser = clap::value_parser!(u16).range(1..))]
    pub ports: Vec<u16>,
    /// Stop after this many packets
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Stop after this many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds, conflicts_with = "read")]
    pub duration: Option<Duration>,
    /// Write what is shown to a capture file too; - is standard output, and then
    /// nothing else is written there
    #[arg(long, value_name = "FILE")]
    pub pcapng: Option<PathBuf>,
    /// Show a capture file, pcap or pcapng; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "interface")]
    pub read: Option<PathBuf>,
    /// Show an exchange over each transport on a network that is made for it, as `lab run exchange
    /// --engine netns` does; it needs no right to capture
    #[cfg(feature = "lab")]
    #[arg(long, conflicts_with_all = ["interface", "read", "duration", "ports"])]
    pub netns: bool,
    /// Draw a ladder of each exchange at the end, of the first 20, as `lab` does
    #[arg(long, conflicts_with = "json")]
    pub ladder: bool,
    /// List the packets of each exchange at the end as numbered sentences, for a
    /// screen reader
    #[arg(long, conflicts_with_all = ["json", "ladder"])]
    pub text: bool,
    /// Print one JSON object per packet; at the end of a live capture {"lost": N}, if
    /// some came too fast
    #[arg(long)]
    pub json: bool,
}
