//! Options for all commands that send queries to a server.

use crate::client::{Family, Options, Pace};
use crate::transport::{PORT, Transport};
use clap::{Args, ValueEnum};
use std::time::Duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct AskOptions {
    /// Use only IPv4
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use only IPv6
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Ask public addresses without the pause of 4 s; use this only for your own
    /// servers. Without this option, compare and bench refuse public addresses
    #[arg(long)]
    impolite: bool,
    /// Port for each HOST without a port
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

impl AskOptions {
    /// Returns the client's options: those given on the command line, and the values in `default`
    /// for the rest.
    pub(in crate::cli) fn options(&self, timeout: Duration, default: &Options) -> Options {
        let pace = if self.impolite { Pace::Off } else { Pace::Wait };
        Options { family: self.family(), port: self.port, timeout, pace, ..default.clone() }
    }

    /// Returns the words that set these options on a command line. Omits options that have their
    /// default value.
    #[cfg(feature = "teach")]
    pub(in crate::cli) fn words(&self) -> Vec<String> {
        let flags = [("-4", self.ipv4), ("-6", self.ipv6), ("--impolite", self.impolite)];
        let flags = flags.into_iter().filter(|(_, is_given)| *is_given);
        let port = (self.port != PORT).then(|| format!("--port {}", self.port));
        flags.map(|(flag, _)| flag.to_owned()).chain(port).collect()
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
