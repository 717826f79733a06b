//! The command line as clap reads it, and nothing else.

use super::strangers::Strangers;
use super::workers::WorkerOptions;
use crate::client::{Family, Target};
use crate::server::Sandbox;
use crate::syntax::{Pattern, Syntax, Zone};
use crate::transport::{PORT, Transport};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use nix::net::if_::if_nametoindex;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The Daytime protocol (RFC 867): serve it, ask for it, read its replies, compare its two transports.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 80)]
#[command(after_help = "Exit status: 0 good, 1 bad, 2 usage.")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub verbosity: Verbosity,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Args)]
pub(super) struct Verbosity {
    /// Log more: -v what happens, -vv every detail (RUST_LOG is finer)
    #[arg(short, long, global = true, action = ArgAction::Count, display_order = 100)]
    pub verbose: u8,
    /// Log errors only; query prints the bare line, parse the bare time,
    /// compare and check show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose", display_order = 101)]
    pub quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Answer over TCP and UDP, until SIGINT or SIGTERM
    #[command(after_help = SERVE_HELP)]
    Serve(Box<Serve>),
    /// Ask servers and print what they answer
    #[command(after_help = QUERY_HELP)]
    Query(Query),
    /// Ask the same over TCP and UDP and show the difference
    #[command(after_help = COMPARE_HELP)]
    Compare(Compare),
    /// Try whether a server keeps RFC 867 and is a safe neighbour
    #[command(after_help = CHECK_HELP)]
    Check(Check),
    /// Read saved replies: which syntax, which instant, what is uncertain
    #[command(after_help = PARSE_HELP)]
    Parse(Parse),
}

const SERVE_HELP: &str = "\
Examples:
  daytime serve --port 9999
  daytime serve --listen '[::]:9999' --syntax ctime --zone local
  daytime serve --port 0 --json
  daytime serve --port 9999 --metrics 9867
  daytime serve --port 9999 --idle 60

The bound addresses are the first thing on standard output; the log goes to
standard error. Stops at SIGINT or SIGTERM: accepts no more, gives open
connections a second to end, exits 0. A second signal ends it at once. SIGUSR1
logs what was counted so far.
As root add --user nobody: it keeps the open sockets and no other right.

Sockets that systemd hands over (LISTEN_FDS) are served instead; options that
open sockets are refused then. A supervisor that listens on NOTIFY_SOCKET is
told of readiness, watchdog and stopping. inetd.conf has it on descriptor 0,
silent where standard error is the client's socket:
  daytime stream tcp nowait nobody /usr/bin/daytime daytime serve --inetd
  daytime dgram  udp wait   nobody /usr/bin/daytime daytime serve --inetd";

const QUERY_HELP: &str = "\
Examples:
  daytime query localhost:9999
  daytime query --proto udp --timeout 2 127.0.0.1 ::1
  daytime query --proto both --json localhost:9999

Under the server's line stands what it means and how far the local clock is off.
A server that cuts the second off makes the local clock seem up to 1 s ahead.
It never sets the clock: that is what NTP is for.
Exit status: 0 if every question was answered, 1 if one was not or the server
reports itself unhealthy or contradicts itself, 2 usage.";

const COMPARE_HELP: &str = "\
Examples:
  daytime compare
  daytime compare --count 1000 localhost:9999
  daytime compare --json

Without HOST it starts a server of its own on a free port of loopback.
Exit status: 0 if every question was answered over both, 1 if not, 2 usage.";

const CHECK_HELP: &str = "\
Examples:
  daytime check localhost:9999
  daytime check -4 --timeout 1 localhost:9999
  daytime check --json localhost:9999

Each probe is asked once: pass, fail or not tried, with the reason. As root it
also asks from a port below 1024, which nobody should answer. A public address
is asked every 4 seconds at most, so that takes about half a minute.
Exit status: 0 if nothing failed, 1 if something did or nobody answered, 2 usage.";

const PARSE_HELP: &str = "\
Examples:
  echo 'Tuesday, February 22, 1982 17:37:43-PST' | daytime parse
  echo 'Mon Jul 28 11:56:22 2003' | daytime parse --json
  printf '16:05:11 5.3.2009\\n16:05:11 27.3.2009\\n' | daytime parse --lines

An instant (with Z) is claimed only where the reply itself fixes the zone. With
-q, only the time is printed. A reply has at most 65536 octets.
Exit status: 0 if every reply was read as a time, 1 if one was not, 2 usage.";

#[derive(Debug, Args)]
pub(super) struct Parse {
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

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(super) struct Serve {
    /// Address to listen on; give it again for more. [::] takes IPv4 too
    /// [default: the loopback addresses of both families]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub listen: Vec<ListenOn>,
    /// Port for addresses given without one; 0 takes one free number for all
    /// [default: 13]
    #[arg(long)]
    pub port: Option<u16>,
    /// Transports to serve [default: both]
    #[arg(long, value_enum)]
    pub proto: Option<Proto>,
    /// How the reply is written: ctime, nist, rfc3339, rfc867 or smtp
    #[arg(long, default_value_t = Syntax::default(), value_name = "NAME")]
    pub syntax: Syntax,
    /// Write the reply by a strftime pattern instead (chrono's: also %.3f, %:z)
    #[arg(long, value_name = "PATTERN", conflicts_with = "syntax")]
    pub strftime: Option<Pattern>,
    /// Zone of the reply: utc, local, an IANA name or +HH:MM
    #[arg(long, default_value = "utc", value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: Zone,
    #[command(flatten)]
    pub workers: WorkerOptions,
    /// TCP: finished handshakes that may wait (listen(2))
    /// [default: 4096]
    #[arg(long, value_name = "N")]
    pub backlog: Option<u16>,
    /// TCP: rebind while old connections are in TIME_WAIT (SO_REUSEADDR) [default]
    #[arg(long, overrides_with = "no_reuse_address")]
    pub reuse_address: bool,
    /// TCP: refuse to rebind then
    #[arg(long)]
    pub no_reuse_address: bool,
    /// [::] takes no IPv4 (IPV6_V6ONLY)
    #[arg(long)]
    pub only_v6: bool,
    /// Receive buffer of every socket (SO_RCVBUF)
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub receive_buffer: Option<u32>,
    /// Send buffer of every socket (SO_SNDBUF)
    #[arg(long, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub send_buffer: Option<u32>,
    /// TCP: time for a client to read and close once it is accepted
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub drain_deadline: Duration,
    /// TCP: octets a client may send meanwhile, all thrown away
    #[arg(long, default_value_t = 16 << 20, value_name = "OCTETS")]
    pub drain_octets: u64,
    /// Tell what was counted over HTTP, for Prometheus: GET /metrics. A bare PORT is
    /// on 127.0.0.1; 0 takes a free one. Whoever can reach it can read it
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = metrics_address)]
    pub metrics: Option<SocketAddr>,
    /// User to become once the sockets are open, by name or number
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Group to become with it [default: the user's primary group]
    #[arg(long, value_name = "GROUP", requires = "user")]
    pub group: Option<String>,
    /// Forbid itself what the service does not need (Linux: capabilities, files,
    /// new sockets, programs): off, on: what this kernel can, require: or refuse
    #[arg(long, value_enum, default_value_t = SandboxMode::On, value_name = "MODE")]
    pub sandbox: SandboxMode,
    /// Serve the socket on descriptor 0, as inetd starts it; --inetd=nowait for
    /// "dgram nowait"
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, conflicts_with = "json")]
    #[arg(default_missing_value = "wait", value_name = "KIND")]
    pub inetd: Option<Inetd>,
    /// End when nobody has come for so long [default: never; with --inetd 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle: Option<Duration>,
    /// Print the bound addresses as JSON
    #[arg(long)]
    pub json: bool,
    // The last, since its heading holds for what follows.
    #[command(flatten)]
    pub strangers: Strangers,
}

/// What inetd does with the socket while a service runs.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Inetd {
    // It leaves the socket alone: serve until idle, or a connection until its end.
    Wait,
    // It goes on with the socket: answer what waits, then end.
    Nowait,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum SandboxMode {
    Off,
    On,
    Require,
}

impl From<SandboxMode> for Sandbox {
    fn from(mode: SandboxMode) -> Self {
        match mode {
            SandboxMode::Off => Self::Off,
            SandboxMode::On => Self::On,
            SandboxMode::Require => Self::Require,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Query {
    /// Servers to ask; IPv6 addresses with a port go in brackets
    #[arg(required = true, value_name = "HOST[:PORT]")]
    pub hosts: Vec<Target>,
    /// Transports to ask over
    #[arg(long, value_enum, default_value_t = Proto::Tcp)]
    pub proto: Proto,
    #[command(flatten)]
    pub ask: Ask,
    /// Port for hosts given without one
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..=65_535))]
    pub port: u16,
    /// Time for one answer, name resolution and retries included, but not the
    /// pause before a public address is asked again
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// UDP: how often to ask again while nothing comes; each wait is twice the
    /// last, and at least 4 s for a public address
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=10))]
    pub retries: u32,
    /// The most octets of a reply to take
    #[arg(long, default_value_t = 4096, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=65_535))]
    pub limit: u32,
    /// How many times to ask each server
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: u32,
    /// Pause between the rounds; at least 4 s for a public address
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = seconds_or_none)]
    pub interval: Duration,
    /// Print one JSON object per question
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Server to compare on [default: one of its own]
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Option<Target>,
    #[command(flatten)]
    pub ask: Ask,
    /// Port of HOST, if it is given without one [default: 13]
    #[arg(long, requires = "host", value_parser = clap::value_parser!(u16).range(1..=65_535))]
    pub port: Option<u16>,
    /// Time for one answer
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Exchanges over each transport
    #[arg(long, default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub count: u32,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Server to check
    #[arg(value_name = "HOST[:PORT]")]
    pub host: Target,
    #[command(flatten)]
    pub ask: Ask,
    /// Port of HOST, if it is given without one
    #[arg(long, default_value_t = PORT, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: u16,
    /// Time for one exchange; also how long to listen for an answer that should
    /// not come
    #[arg(long, default_value = "2", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Ask {
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    ipv6: bool,
    /// Ask public addresses as fast as told, for servers of your own: else each
    /// gets 4 s between questions, and compare refuses
    #[arg(long)]
    pub impolite: bool,
}

impl Ask {
    pub(super) fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Proto {
    Tcp,
    Udp,
    Both,
}

impl Proto {
    pub(super) fn transports(self) -> Vec<Transport> {
        match self {
            Self::Tcp => vec![Transport::Tcp],
            Self::Udp => vec![Transport::Udp],
            Self::Both => Transport::BOTH.to_vec(),
        }
    }
}

/// An address with or without a port. An IPv6 address may name its link: `fe80::1%eth0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListenOn {
    /// With port 0 if none was given.
    address: SocketAddr,
    port: Option<u16>,
}

impl ListenOn {
    pub(super) fn with_port(self, port: u16) -> SocketAddr {
        let mut address = self.address;
        address.set_port(self.port.unwrap_or(port));
        address
    }
}

impl FromStr for ListenOn {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "not an IP address, or not a port behind it: \
                             use 127.0.0.1, 0.0.0.0:9999, ::1 or [::]:9999";
        let (host, port) = match text.strip_prefix('[') {
            Some(bracketed) => match bracketed.split_once(']').ok_or(WRONG)? {
                (host, "") => (host, None),
                (host, rest) => (host, Some(rest.strip_prefix(':').ok_or(WRONG)?)),
            },
            None if text.matches(':').count() == 1 => {
                text.split_once(':').map(|(host, port)| (host, Some(port))).ok_or(WRONG)?
            }
            None => (text, None),
        };
        let plain = |port: &str| port.bytes().all(|octet| octet.is_ascii_digit());
        if !port.is_none_or(plain) {
            return Err(WRONG);
        }
        let port = port.map(str::parse).transpose().map_err(|_| WRONG)?;
        let (host, link) = match host.split_once('%') {
            Some((host, link)) => (host, link_number(link)?),
            None => (host, 0),
        };
        let address = match host.parse().map_err(|_| WRONG)? {
            IpAddr::V4(_) if text.starts_with('[') || link != 0 => return Err(WRONG),
            address if address.is_multicast() || address == Ipv4Addr::BROADCAST => {
                return Err("a group of hosts has this address: listen on one of this host's own");
            }
            IpAddr::V4(v4) => SocketAddr::new(v4.into(), 0),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, link).into(),
        };
        Ok(Self { address, port })
    }
}

/// An address with a port, or the port alone: then on loopback.
fn metrics_address(text: &str) -> Result<SocketAddr, &'static str> {
    const WRONG: &str =
        "not a port, or an IP address with one: use 9867, 127.0.0.1:9867 or [::1]:9867";
    if text.bytes().all(|octet| octet.is_ascii_digit()) {
        let port = text.parse().map_err(|_| WRONG)?;
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let on: ListenOn = text.parse().map_err(|_| WRONG)?;
    on.port.map(|port| on.with_port(port)).ok_or(WRONG)
}

/// The number of an interface given by name or number.
fn link_number(link: &str) -> Result<u32, &'static str> {
    let number = link.parse().ok().or_else(|| if_nametoindex(link).ok());
    number.filter(|number| *number != 0).ok_or("behind the % stands no interface of this host")
}

/// A time above 0, up to a day.
pub(super) fn seconds(text: &str) -> Result<Duration, &'static str> {
    match seconds_or_none(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("not a number of seconds above 0 and up to 86400"),
    }
}

fn seconds_or_none(text: &str) -> Result<Duration, &'static str> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or("not a number of seconds from 0 to 86400")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn an_address_to_listen_on_may_have_a_port() {
        let read = |text: &str| text.parse::<ListenOn>().map(|it| it.with_port(13).to_string());
        assert_eq!(read("127.0.0.1"), Ok("127.0.0.1:13".into()));
        assert_eq!(read("127.0.0.1:9999"), Ok("127.0.0.1:9999".into()));
        assert_eq!(read("::1"), Ok("[::1]:13".into()));
        assert_eq!(read("[::1]"), Ok("[::1]:13".into()));
        assert_eq!(read("[::]:0"), Ok("[::]:0".into()));
        assert_eq!(read("[fe80::1%7]:9999"), Ok("[fe80::1%7]:9999".into()));
        assert_eq!(read("fe80::1%7"), Ok("[fe80::1%7]:13".into()));
        for wrong in [
            "localhost",
            "127.0.0.1:",
            "[::1",
            "[127.0.0.1]:13",
            "",
            "127.0.0.1:99999",
            "[::1]13",
            "127.0.0.1%1",
            "fe80::1%no-such-link",
            "fe80::1%0",
            "224.0.0.1",
            "[ff02::1]:13",
            "255.255.255.255",
            "127.0.0.1:+0",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn metrics_are_on_loopback_unless_an_address_is_given_and_have_a_port() {
        let read = |text: &str| metrics_address(text).map(|it| it.to_string());
        assert_eq!(read("9867"), Ok("127.0.0.1:9867".into()));
        assert_eq!(read("0"), Ok("127.0.0.1:0".into()));
        assert_eq!(read("192.0.2.1:9867"), Ok("192.0.2.1:9867".into()));
        assert_eq!(read("[::]:9867"), Ok("[::]:9867".into()));
        for wrong in ["", "65536", "127.0.0.1", "::1", "[::1]", "localhost:9867", ":9867", "+1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_a_number_within_a_day() {
        assert_eq!(seconds("2.5"), Ok(Duration::from_millis(2500)));
        assert_eq!(seconds_or_none("0"), Ok(Duration::ZERO));
        for wrong in ["0", "-1", "nan", "inf", "1e9", "", "5s", "1e-30"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
