//! Runs `daytime serve`.

use super::args::Serve;
use super::descriptors::{raise_descriptor_limit, require_descriptors};
use super::failure::Failure;
use super::inherited::InheritedSockets;
use super::nonblocking::NonBlocking;
use super::signals::{CaughtSignals, Controls};
use super::{gauges, inherited};
use crate::clock::{Clock, Health};
use crate::listen::{Inherited, Listen};
use crate::metrics::{Event, Metrics};
use crate::report::{counters, json, plural};
use crate::server::endpoint::Endpoint;
use crate::server::{
    Bound, Config, ConfineError, Confined, Confinement, Identity, ServeError, Server, Supervisor,
};
use crate::syntax::{Syntax, Zone};
use crate::tcp::server::Drain;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

pub(super) fn run(arguments: &Serve) -> Result<ExitCode, Failure> {
    // Takes the handed-over sockets before the process opens other descriptors, because these sockets are identified by
    // number.
    let handed_over = InheritedSockets::take(arguments)?;
    let syntax = arguments.strftime.clone().map_or(arguments.syntax.clone(), Syntax::Strftime);
    refuse_contradiction(arguments, &syntax, &handed_over)?;
    let confinement = confinement(arguments)?;
    raise_descriptor_limit();
    let endpoint = endpoint(handed_over.metrics, arguments.metrics)?;
    let mut server = server(handed_over.services, config(arguments, syntax))?;
    let stdout = NonBlocking::new(io::stdout());
    let signals = CaughtSignals::new().map_err(|error| Failure::signals(&error))?;
    let gauges = Arc::new(gauges::Source::new(server.metrics(), arguments.limits.limits()));
    let for_metrics = endpoint.as_ref().map(|_| Endpoint::DESCRIPTORS);
    require_descriptors(for_metrics.unwrap_or(server.accepts().into()))?;
    // From here on, the process opens no files or sockets. It has not started another thread yet, so the restrictions
    // will apply to all its threads.
    let confining = confinement.begin()?;
    let confining = if arguments.zone.is_local { confining.reading_links() } else { confining };
    // Starts the signal thread before the addresses are printed, because a program that reads the addresses may send a
    // signal immediately afterwards.
    let (shutdown, shared_zone, zone_option) = (server.shutdown(), server.zone(), arguments.zone);
    let controls =
        Controls { shutdown, gauges: Arc::clone(&gauges), zone: shared_zone, zone_option };
    let signals = signals.act(controls).map_err(|error| Failure::signals(&error))?;
    let answering = endpoint.map(|endpoint| gauges.answer_on(endpoint)).transpose()?;
    server.start_threads()?;
    // From here on, the sandbox refuses new files, sockets and threads.
    let confined = confining.finish(&server)?;
    log_settings(&server);
    if arguments.limits.require_sync {
        warn_without_sync(Clock::System);
    }
    log_confinement(&confined);
    if arguments.inetd.is_none() {
        let metrics_at = answering.as_ref().map(|answering| answering.address);
        print_at_once(&stdout, &addresses(server.bound(), metrics_at, arguments.json))?;
    }
    server.run()?;
    drop(answering);
    signals.end(); // this call waits, so that the log shows the signal before the totals
    log_totals(&gauges.metrics);
    Ok(ExitCode::SUCCESS)
}

/// Opens the metrics endpoint, on a socket that was handed over or at the address from `--metrics`.
fn endpoint(
    handed_over: Option<Inherited>,
    address: Option<SocketAddr>,
) -> Result<Option<Endpoint>, Failure> {
    let endpoint = match handed_over {
        Some(socket) => Some(Endpoint::adopt(socket)),
        None => address.map(Endpoint::bind),
    };
    endpoint.transpose().map_err(|error| Failure::metrics(&error))
}

/// Refuses arguments that conflict with each other or with the handed-over sockets.
fn refuse_contradiction(
    arguments: &Serve,
    syntax: &Syntax,
    handed_over: &InheritedSockets,
) -> Result<(), Failure> {
    let contradiction = if let Some(option) = handed_over.contradicts(arguments) {
        let why = "systemd, inetd or another supervisor has already opened the sockets";
        Some(format!("{why}: leave {option} out"))
    } else if !syntax.uses_zone() && arguments.zone.zone != Zone::UTC {
        Some("--syntax nist is always UTC: leave --zone out".to_owned())
    } else {
        let of_workers = arguments.workers.contradiction(arguments.idle).map(str::to_owned);
        let opens = handed_over.services.is_none();
        of_workers.or_else(|| arguments.port_conflict().filter(|_| opens))
    };
    contradiction.map_or(Ok(()), |why| Err(Failure::Usage(why)))
}

/// Builds the server, on the sockets that were handed over or on new ones. Connects it to the supervisor, if there is
/// one.
fn server(inherited: Option<Vec<Inherited>>, config: Config) -> Result<Server, ServeError> {
    let server = match inherited {
        Some(sockets) => Server::adopt(sockets, config)?,
        None => Server::bind(config)?,
    };
    Ok(match Supervisor::from_environment() {
        Some(supervisor) => server.supervised(supervisor),
        None => server,
    })
}

fn confinement(arguments: &Serve) -> Result<Confinement, ConfineError> {
    let group = arguments.group.as_deref();
    let find = |user: &String| Identity::find(user, group);
    let identity = arguments.user.as_ref().map(find).transpose()?;
    Ok(Confinement { identity, sandbox: arguments.sandbox })
}

fn config(arguments: &Serve, syntax: Syntax) -> Config {
    Config {
        addresses: arguments.addresses(),
        transports: arguments.proto.transports(),
        listen: Listen {
            reuse_address: !arguments.no_reuse_address,
            reuse_port: !arguments.workers.no_reuse_port,
            backlog: arguments.backlog,
            only_v6: arguments.only_v6,
            receive_buffer: arguments.receive_buffer,
            send_buffer: arguments.send_buffer,
            write_deadline: arguments.limits.write_deadline,
        },
        workers: arguments.workers.workers,
        clock: Clock::System,
        syntax,
        zone: arguments.zone.zone,
        drain: Drain { deadline: arguments.drain_deadline, octets: arguments.drain_octets },
        limits: arguments.limits.limits(),
        guard: arguments.limits.guard(),
        require_sync: arguments.limits.require_sync,
        until: inherited::until(arguments),
    }
}

fn log_settings(server: &Server) {
    log::info!("daytime {}", env!("CARGO_PKG_VERSION"));
    if server.workers() > 1 {
        log::debug!("{} workers", server.workers());
    }
    for socket in server.bound() {
        let settings: Vec<String> = socket.settings.iter().map(ToString::to_string).collect();
        log::debug!("{socket}: {}", settings.join("; "));
    }
}

/// Warns that no client gets a reply while the clock is not synchronised. An operator would otherwise see this only after
/// the first client.
fn warn_without_sync(clock: Clock) {
    if clock.health().is_ok_and(|health| health != Health::Synchronised) {
        log::warn!(
            "the clock is not synchronised: because of --require-sync, TCP clients get an empty reply and UDP clients get \
             none, until the kernel reports the clock as synchronised; see `timedatectl`"
        );
    }
}

fn log_confinement(confined: &Confined) {
    if let Some(identity) = confined.identity {
        let how = if confined.already { "already runs" } else { "now runs" };
        log::info!("the server {how} as {identity}, and cannot switch back");
    } else if confined.is_root {
        log::warn!("the server runs as root; use --user NAME to run as another user");
    }
    log::info!("sandbox: {confined}");
    let missing = confined.missing.iter().map(|it| format!("{}: {}", it.layer, it.detail));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        log::warn!("sandbox: missing: {}", missing.join("; "));
    }
}

fn addresses(bound: &[Bound], metrics: Option<SocketAddr>, json: bool) -> String {
    if json {
        return format!("{}\n", json::bound(bound, metrics));
    }
    let lines = bound.iter().map(ToString::to_string);
    let metrics = metrics.map(|address| format!("metrics {address}"));
    let lines: Vec<String> = lines.chain(metrics).collect();
    format!("{}\n", lines.join("\n"))
}

/// Prints the addresses without waiting for standard output's reader.
fn print_at_once(stdout: &NonBlocking<io::Stdout>, addresses: &str) -> Result<(), Failure> {
    match stdout.write_text(addresses.as_bytes()) {
        Ok(false) => {
            log::warn!("cannot print all addresses: standard output is full");
            Ok(())
        }
        // The reader has closed standard output. The server runs without one.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map(drop).map_err(|error| Failure::output(&error)),
    }
}

fn log_totals(metrics: &Metrics) {
    log::info!(
        "answered {} and {}",
        plural(metrics.count(Event::TcpAnswered), "connection"),
        plural(metrics.count(Event::UdpAnswered), "datagram")
    );
    for line in counters::lines(metrics) {
        log::debug!("total: {line}");
    }
}
