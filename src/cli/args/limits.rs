//! Options for the abuse limits and the guard of `daytime serve`.

use super::seconds::seconds;
use crate::limit::{Limits, Rate};
use crate::udp::guard::GuardOptions;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::time::Duration;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(next_help_heading = "Limits and guard")]
pub(in crate::cli) struct LimitOptions {
    /// UDP: answers per second to one source; 0 is no limit
    #[arg(long, default_value_t = defaults().udp_per_source.per_second, value_name = "N")]
    udp_rate: u32,
    /// UDP: answers to one source in a burst, before --udp-rate limits them
    #[arg(long, default_value_t = defaults().udp_per_source.burst, value_name = "N", value_parser = at_least_1())]
    udp_burst: u32,
    /// UDP: answers per second to all sources together; 0 is no limit
    #[arg(long, default_value_t = defaults().udp_total.per_second, value_name = "N")]
    udp_total_rate: u32,
    /// TCP: maximum open connections per source; the server answers further
    /// connections and closes them at once
    #[arg(long, default_value_t = defaults().tcp_per_source, value_name = "N")]
    tcp_per_source: u32,
    /// TCP: maximum open connections for all sources together; the server answers
    /// further connections and closes them at once
    #[arg(long, default_value_t = defaults().tcp_total, value_name = "N")]
    tcp_total: u32,
    /// Prefix length; IPv4 addresses with the same prefix are one source
    #[arg(long, default_value_t = defaults().prefix_v4, value_name = "BITS", value_parser = bits(32))]
    prefix_v4: u8,
    /// Prefix length; IPv6 addresses with the same prefix are one source
    #[arg(long, default_value_t = defaults().prefix_v6, value_name = "BITS", value_parser = bits(128))]
    prefix_v6: u8,
    /// Apply the limits to sources on loopback too
    #[arg(long)]
    limit_loopback: bool,
    /// TCP: time for the client's system to acknowledge the reply (TCP_USER_TIMEOUT)
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    pub write_deadline: Duration,
    /// UDP: answer source ports 1 to 1023 too; a service on such a port may answer
    /// the reply
    #[arg(long)]
    answer_privileged_ports: bool,
    /// UDP: answer only datagrams at least as long as the reply
    #[arg(long)]
    no_amplification: bool,
    /// Answer only while the kernel reports a synchronised clock
    #[arg(long)]
    pub require_sync: bool,
}

fn defaults() -> Limits {
    Limits::default()
}

fn at_least_1() -> RangedU64ValueParser<u32> {
    RangedU64ValueParser::new().range(1..)
}

fn bits(max: u64) -> RangedU64ValueParser<u8> {
    RangedU64ValueParser::new().range(0..=max)
}

impl LimitOptions {
    pub(in crate::cli) fn limits(&self) -> Limits {
        let total = self.udp_total_rate;
        Limits {
            udp_per_source: Rate { per_second: self.udp_rate, burst: self.udp_burst },
            udp_total: Rate { per_second: total, burst: total },
            tcp_per_source: self.tcp_per_source,
            tcp_total: self.tcp_total,
            prefix_v4: self.prefix_v4,
            prefix_v6: self.prefix_v6,
            loopback: self.limit_loopback,
        }
    }

    pub(in crate::cli) fn guard(&self) -> GuardOptions {
        GuardOptions {
            answer_privileged_ports: self.answer_privileged_ports,
            no_amplification: self.no_amplification,
        }
    }
}
