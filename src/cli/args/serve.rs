//! Arguments of `daytime serve`.

use super::ask::Proto;
use super::limits::LimitOptions;
use super::listen_address::{ListenAddress, metrics_address};
use super::seconds::seconds;
use super::workers::{OPENING, WorkerOptions};
use crate::listen::Listen;
use crate::server::{Config, Sandbox};
use crate::syntax::{Pattern, Syntax, Zone, ZoneError};
use crate::transport::PORT;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

pub(super) const HELP: &str = "\
Examples:
  daytime serve --port 9999
  daytime serve --listen '[::]:9999' --syntax ctime --zone local
  daytime serve --port 0 --json
  daytime serve --port 9999 --metrics 9867
  daytime serve --port 9999 --idle 60

serve first prints its addresses on standard output, and logs to standard error.
SIGINT or SIGTERM stops serve: it accepts no more, gives open connections 1 s to
end, and exits with status 0. A second signal ends serve at once. SIGUSR1 logs
the counters. With --zone local, SIGHUP reads the zone again. When its
terminal closes, serve stops, unless it was started under nohup.
As root, add --user nobody: serve then keeps its sockets and no other right.

If systemd hands over sockets (LISTEN_FDS), serve uses these, and refuses
options that open sockets for Daytime. serve reports readiness, watchdog and
stopping on NOTIFY_SOCKET. Under inetd, serve logs nothing if standard error is
the client's socket. Lines for inetd.conf:
  daytime stream tcp nowait nobody /usr/bin/daytime daytime serve --inetd
  daytime dgram  udp wait   nobody /usr/bin/daytime daytime serve --inetd";

#[derive(Debug, Args)]
#[command(group = ArgGroup::new(OPENING).multiple(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(in crate::cli) struct Serve {
    /// Address to listen on; may be given several times. [::] accepts IPv4 too
    /// [default: the loopback addresses of both families]
    #[arg(long, group = OPENING, value_name = "ADDR[:PORT]")]
    pub listen: Vec<ListenAddress>,
    /// Port of each address without a port; 0 chooses one free port for all
    #[arg(long, group = OPENING, default_value_t = PORT)]
    pub port: u16,
    /// Transports to serve
    #[arg(long, group = OPENING, value_enum, default_value_t = Proto::Both)]
    pub proto: Proto,
    /// Syntax of the reply: ctime, nist, rfc3339, rfc867 or smtp
    #[arg(long, default_value_t = Syntax::default(), value_name = "NAME")]
    pub syntax: Syntax,
    /// Pattern of the reply, instead of a syntax: strftime with the additions of
    /// chrono, such as %.3f and %:z
    #[arg(long, value_name = "PATTERN", conflicts_with = "syntax")]
    pub strftime: Option<Pattern>,
    /// Zone of the reply: utc, local, an IANA name or +HH:MM
    #[arg(long, default_value = "utc", value_name = "ZONE", allow_hyphen_values = true)]
    pub zone: ZoneOption,
    #[command(flatten)]
    pub workers: WorkerOptions,
    /// TCP: maximum number of connections that wait for accept (listen(2))
    #[arg(long, group = OPENING, default_value_t = Listen::default().backlog, value_name = "N")]
    pub backlog: u16,
    /// TCP: bind even if old connections are in TIME_WAIT (SO_REUSEADDR) [default]
    #[arg(long, group = OPENING, overrides_with = "no_reuse_address")]
    pub reuse_address: bool,
    /// TCP: do not bind if old connections are in TIME_WAIT
    #[arg(long, group = OPENING)]
    pub no_reuse_address: bool,
    /// Do not accept IPv4 on [::] (IPV6_V6ONLY)
    #[arg(long, group = OPENING)]
    pub only_v6: bool,
    /// Receive buffer of each socket (SO_RCVBUF) [default: 1048576 for UDP, the
    /// system's default for TCP]
    #[arg(long, group = OPENING, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub receive_buffer: Option<u32>,
    /// Send buffer of each socket (SO_SNDBUF) [default: the system's default]
    #[arg(long, group = OPENING, value_name = "OCTETS", value_parser = clap::value_parser!(u32).range(1..=1 << 30))]
    pub send_buffer: Option<u32>,
    /// TCP: time from accept until the client must have closed
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub drain_deadline: Duration,
    /// TCP: maximum number of octets that a client may send; the server discards
    /// them
    #[arg(long, default_value_t = 16 << 20, value_name = "OCTETS")]
    pub drain_octets: u64,
    /// Serve the counters over HTTP for Prometheus: GET /metrics. Without an
    /// address, the server listens on 127.0.0.1; port 0 chooses a free port. Every
    /// client that reaches the port can read the counters. If systemd passes a
    /// listening socket named "metrics", this option is not needed
    #[arg(long, value_name = "[ADDR:]PORT", value_parser = metrics_address)]
    pub metrics: Option<SocketAddr>,
    /// User to switch to after opening the sockets: name or number
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// Group to switch to with --user: name or number [default: the primary group
    /// of the user]
    #[arg(long, value_name = "GROUP", requires = "user")]
    pub group: Option<String>,
    /// Sandbox level (Linux: capabilities, files, new sockets, programs): off, on
    /// (best effort), require (fail if incomplete)
    #[arg(long, default_value_t, value_name = "MODE", value_parser = sandbox_levels())]
    pub sandbox: Sandbox,
    /// Serve the socket on descriptor 0, as inetd starts a service; use
    /// --inetd=nowait for "dgram nowait"
    #[arg(long, value_enum, num_args = 0..=1, require_equals = true, conflicts_with = "json")]
    #[arg(default_missing_value = "wait", value_name = "KIND")]
    pub inetd: Option<Inetd>,
    /// Exit after this time without a client; needs one worker
    /// [default: never; with --inetd 60]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub idle: Option<Duration>,
    /// Print the bound addresses as JSON
    #[arg(long)]
    pub json: bool,
    /// The first option on the command line that opens sockets.
    #[arg(skip)]
    pub opener: Option<String>,
    // This field is last, because its heading applies to all following options.
    #[command(flatten)]
    pub limits: LimitOptions,
}

impl Serve {
    /// Returns the addresses to listen on.
    pub(in crate::cli) fn addresses(&self) -> Vec<SocketAddr> {
        match &self.listen[..] {
            [] => Config::loopback(self.port),
            listen => listen.iter().map(|on| on.with_port(self.port)).collect(),
        }
    }

    /// Returns a message if `--metrics` names the address of a TCP service. A wildcard covers all addresses of its
    /// family, and `[::]` without `--only-v6` also those of IPv4.
    pub(in crate::cli) fn port_conflict(&self) -> Option<String> {
        let metrics =
            self.metrics.filter(|it| it.port() != 0 && !matches!(self.proto, Proto::Udp))?;
        let covers = |one: IpAddr, other: IpAddr| {
            let family = one.is_ipv4() == other.is_ipv4() || one.is_ipv6() && !self.only_v6;
            one == other || one.is_unspecified() && family
        };
        let is_same = |service: &SocketAddr| {
            let (service_ip, metrics_ip) =
                (service.ip().to_canonical(), metrics.ip().to_canonical());
            service.port() == metrics.port()
                && (covers(service_ip, metrics_ip) || covers(metrics_ip, service_ip))
        };
        let service = self.addresses().into_iter().find(is_same)?;
        let named = self.listen.iter().any(|on| on.with_port(0) == service);
        let option = if named {
            format!("--listen {service}")
        } else {
            format!("--port {}", service.port())
        };
        Some(format!(
            "--metrics {metrics} and {option} name the same TCP port: choose another port for one of the two"
        ))
    }
}

/// The zone for replies, and whether it is this host's zone.
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

/// Whether inetd waits until this process has exited before it watches the socket again.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Inetd {
    // inetd waits until this process exits. On a TCP listener or a UDP socket, the process serves until it is idle; on
    // a single TCP connection, until the connection ends.
    Wait,
    // inetd does not wait. The process answers the queued clients, then exits.
    Nowait,
}

fn sandbox_levels() -> impl TypedValueParser<Value = Sandbox> {
    let names = PossibleValuesParser::new(Sandbox::ALL.iter().map(|level| level.name()));
    names.try_map(|name| name.parse::<Sandbox>())
}
