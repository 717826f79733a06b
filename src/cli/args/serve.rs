//! The command line of `daytime serve`.

use super::ask::Proto;
use super::limits::LimitOptions;
use super::listen_address::{ListenAddress, metrics_address};
use super::seconds::seconds;
use super::workers::{OPENING, WorkerOptions};
use crate::listen::Listen;
use crate::server::Sandbox;
use crate::syntax::{Pattern, Syntax, Zone, ZoneError};
use crate::transport::PORT;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum};
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime serve --port 9999
  daytime serve --listen '[::]:9999' --syntax ctime --zone local
  daytime serve --port 0 --json
  daytime serve --port 9999 --metrics 9867
  daytime serve --port 9999 --idle 60

The bound addresses are the first thing on standard output; the log goes to
standard error. Stops at SIGINT or SIGTERM: accepts no more, gives open
connections a second to end, exits 0. A second signal ends it at once. SIGUSR1
logs what was counted so far. SIGHUP reads the zone of --zone local again.
A hangup of its terminal stops it, unless SIGHUP was ignored at the start.
As root add --user nobody: it keeps the open sockets and no other right.

Sockets that systemd hands over (LISTEN_FDS) are served instead; options that
open sockets are refused then. A supervisor that listens on NOTIFY_SOCKET is
told of readiness, watchdog and stopping. inetd.conf has it on descriptor 0,
silent where standard error is the client's socket:
  daytime stream tcp nowait nobody /usr/bin/daytime daytime serve --inetd
  daytime dgram  udp wait   nobody /usr/bin/daytime daytime serve --inetd";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new(OPENING).multiple(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(in crate::cli) struct Serve {
    /// Address to listen on; may be given several times. [::] takes IPv4 too
    /// [default: the loopback addresses of both families]
    #[arg(long, group = OPENING, value_name = "ADDR[:PORT]")]
    pub listen: Vec<ListenAddress>,
    /// Port of addresses that have none; 0 takes one free port for all
    #[arg(long, group = OPENING, default_value_t = PORT)]
    pub port: u16,
    /// Transports to serve
    #[arg(long, group = OPENING, value_enum, default_value_t = Proto::Both)]
    pub proto: Proto,
    /// Syntax of the reply: ctime, nist, rfc3339, rfc867 or smtp
    #[arg(long, default_value_t = Syntax::default(), value_name = "NAME")]
    pub syntax: Syntax,
    /// Pattern of the reply instead of a syntax, as in strftime (chrono's: also %.3f, %:z)
    #[arg(long, value_name = "PATTERN", conflicts_with = "syntax")]
    pub strftime: Option<Pattern>,
    /// Zone of the reply: utc, local, an IANA name or +HH:MM
    #[arg(long, default_value = "utc", value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: ZoneOption,
    #[command(flatten)]
    pub workers: WorkerOptions,
    /// TCP: connections that may wait for accept (listen(2))
    #[arg(long, group = OPENING, default_value_t = Listen::default().backlog, value_name = "N")]
    pub backlog: u16,
    /// TCP: rebind while old connections are in TIME_WAIT (SO_REUSEADDR) [default]
    #[arg(long, group = OPENING, overrides_with = "no_reuse_address")]
    pub reuse_address: bool,
    /// TCP: refuse to rebind while old connections are in TIME_WAIT
    #[arg(long, group = OPENING)]
    pub no_reuse_address: bool,
    /// [::] takes no IPv4 (IPV6_V6ONLY)
    #[arg(long, group = OPENING)]
    pub only_v6: bool,
    /// Receive buffer of every socket (SO_RCVBUF) [default: 1048576 for UDP, the system's for TCP]
    #[arg(long, group = OPENING, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub receive_buffer: Option<u32>,
    /// Send buffer of every socket (SO_SNDBUF)
    #[arg(long, group = OPENING, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub send_buffer: Option<u32>,
    /// TCP: time for a client to read and close once it is accepted
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub drain_deadline: Duration,
    /// TCP: octets that a client may send meanwhile; the server discards them
    #[arg(long, default_value_t = 16 << 20, value_name = "OCTETS")]
    pub drain_octets: u64,
    /// Serve the counters over HTTP, for Prometheus: GET /metrics. A bare PORT is
    /// on 127.0.0.1; 0 takes a free one. Every client that reaches it can read it. A listening
    /// socket of the name "metrics" that systemd hands over is used without this option
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = metrics_address)]
    pub metrics: Option<SocketAddr>,
    /// User to become once the sockets are open, by name or number
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Group to become with it [default: the user's primary group]
    #[arg(long, value_name = "GROUP", requires = "user")]
    pub group: Option<String>,
    /// Sandbox level (Linux: capabilities, files, new sockets, programs): off, on
    /// (best effort), require (fail if incomplete)
    #[arg(long, default_value_t, value_name = "MODE", value_parser = sandbox_levels())]
    pub sandbox: Sandbox,
    /// Serve the socket on descriptor 0, as inetd starts it; --inetd=nowait for
    /// "dgram nowait"
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, conflicts_with = "json")]
    #[arg(default_missing_value = "wait", value_name = "KIND")]
    pub inetd: Option<Inetd>,
    /// Exit after this many seconds without a client; for one worker
    /// [default: never; with --inetd 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle: Option<Duration>,
    /// Print the bound addresses as JSON
    #[arg(long)]
    pub json: bool,
    /// The first option on the command line that opens sockets.
    #[arg(skip)]
    pub opener: Option<String>,
    // The last, since its heading holds for what follows.
    #[command(flatten)]
    pub limits: LimitOptions,
}

/// The zone of the reply, and whether it is the one of this host.
#[derive(Clone, Copy, Debug)]
pub(in crate::cli) struct ZoneOption {
    pub zone: Zone,
    pub is_local: bool,
}

impl FromStr for ZoneOption {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Ok(Self { zone: text.parse()?, is_local: text.eq_ignore_ascii_case("local") })
    }
}

/// What inetd does with the socket while a service runs.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Inetd {
    // It leaves the socket alone: serve until idle, or a connection until its end.
    Wait,
    // It goes on with the socket: answer what waits, then end.
    Nowait,
}

fn sandbox_levels() -> impl TypedValueParser<Value = Sandbox> {
    let names = PossibleValuesParser::new(Sandbox::ALL.iter().map(|level| level.name()));
    names.try_map(|name| name.parse::<Sandbox>())
}
