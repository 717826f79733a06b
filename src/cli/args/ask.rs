//! What every command that asks a server is given.

use crate::client::{Family, Options, Pace};
use crate::transport::{PORT, Transport};
use clap::{Args, ValueEnum};
use std::time::Duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct AskOptions {
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Ask public addresses without a pause, for servers of your own: without it
    /// each gets 4 s between questions, and compare and bench refuse
    #[arg(long)]
    impolite: bool,
    /// Port of a HOST that is given without one
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

impl AskOptions {
    /// Returns how to ask, otherwise as by default.
    pub(in crate::cli) fn options(&self, timeout: Duration, default: &Options) -> Options {
        let pace = if self.impolite { Pace::Off } else { Pace::Wait };
        Options { family: self.family(), port: self.port, timeout, pace, ..default.clone() }
    }

    fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Proto {
    Tcp,
    Udp,
    Both,
}

impl Proto {
    pub(in crate::cli) fn transports(self) -> Vec<Transport> {
        match self {
            Self::Tcp => vec![Transport::Tcp],
            Self::Udp => vec![Transport::Udp],
            Self::Both => Transport::BOTH.to_vec(),
        }
    }
}
