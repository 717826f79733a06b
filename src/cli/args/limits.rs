//! The options of `daytime serve` about abuse limits and the guard, and what they mean.

use super::seconds;
use crate::limit::{Limits, Rate};
use crate::udp::guard::GuardOptions;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use std::time::Duration;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[command(next_help_heading = "Limits and guard")]
pub(in crate::cli) struct LimitOptions {
    /// UDP: answers a second to one source; 0 is no limit
    #[arg(long, default_value_t = usual().udp_per_source.per_second, value_name = "N")]
    udp_rate: u32,
    /// UDP: answers to one source at once, before the rate counts
    #[arg(long, default_value_t = usual().udp_per_source.burst, value_name = "N", value_parser = at_least_1())]
    udp_burst: u32,
    /// UDP: answers a second to all together; 0 is no limit
    #[arg(long, default_value_t = usual().udp_total.per_second, value_name = "N")]
    udp_total_rate: u32,
    /// TCP: open connections of one source; more are answered and closed at once
    #[arg(long, default_value_t = usual().tcp_per_source, value_name = "N")]
    tcp_per_source: u32,
    /// TCP: open connections of all sources, likewise
    #[arg(long, default_value_t = usual().tcp_total, value_name = "N")]
    tcp_total: u32,
    /// Bits of an IPv4 address that make a source
    #[arg(long, default_value_t = usual().prefix_v4, value_name = "BITS", value_parser = bits(32))]
    prefix_v4: u8,
    /// Bits of an IPv6 address that make a source
    #[arg(long, default_value_t = usual().prefix_v6, value_name = "BITS", value_parser = bits(128))]
    prefix_v6: u8,
    /// Limit sources on loopback too
    #[arg(long)]
    limit_loopback: bool,
    /// TCP: time for a client's system to take the line (TCP_USER_TIMEOUT)
    #[arg(long, default_value = "3", value_name = "SECONDS", value_parser = seconds)]
    pub write_deadline: Duration,
    /// UDP: answer ports 1 to 1023 too, where services are that might answer back
    #[arg(long)]
    answer_privileged_ports: bool,
    /// UDP: answer only datagrams at least as long as the reply
    #[arg(long)]
    no_amplification: bool,
    /// Answer only while the kernel calls its clock synchronised
    #[arg(long)]
    pub require_sync: bool,
}

fn usual() -> Limits {
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
