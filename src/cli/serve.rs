//! `daytime serve`.

use super::args::Serve;
use super::failure::Failure;
use super::print;
use crate::clock::Clock;
use crate::listen::Listen;
use crate::metrics::{Event, Metrics};
use crate::report::{counters, json, plural};
use crate::server::endpoint::{Endpoint, Page};
use crate::server::{
    Bound, Config, ConfineError, Confined, Confinement, Identity, Server, Shutdown,
};
use crate::syntax::{Syntax, Zone};
use crate::tcp::server::Drain;
use chrono::{DateTime, Utc};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{self, Receiver};
use std::thread;

pub(super) fn run(arguments: Serve) -> Result<ExitCode, Failure> {
    let (json, started) = (arguments.json, Clock::System.now());
    let syntax = arguments.strftime.clone().map_or(arguments.syntax.clone(), Syntax::Strftime);
    if !syntax.uses_zone() && arguments.zone != Zone::UTC {
        Failure::plain("--syntax nist is always UTC: leave --zone out".to_owned()).tell();
        return Ok(ExitCode::from(2));
    }
    let confinement = confinement(&arguments)?;
    raise_descriptor_limit();
    let endpoint = arguments.metrics.map(Endpoint::bind).transpose();
    let endpoint = endpoint.map_err(|error| Failure::metrics(&error))?;
    let server = Server::bind(config(arguments, syntax))?;
    let metrics = server.metrics();
    // What is to be opened is open by here, and no other thread has been started.
    let begun = confinement.begin()?;
    // Before anybody learns that the server is there: it may be told to stop at once.
    let told = act_on_signals(server.shutdown(), server.metrics())
        .map_err(|error| Failure::signals(&error))?;
    let metrics_at = endpoint.as_ref().map(Endpoint::address);
    let answering = endpoint.map(|endpoint| endpoint.start(page(server.metrics(), started)));
    let answering = answering.transpose().map_err(|error| Failure::metrics(&error))?;
    // From here on nothing can be opened and no thread started.
    let confined = begun.finish()?;
    log_settings(server.bound());
    log_confinement(&confined);
    match print(&addresses(server.bound(), metrics_at, json)) {
        Err(Failure::NobodyReads) => {} // a server has more to do than to print
        printed => printed?,
    }
    server.run()?;
    drop(answering);
    let _ = told.recv(); // the signal stands in the log before what was done
    log_totals(&metrics);
    Ok(ExitCode::SUCCESS)
}

fn confinement(arguments: &Serve) -> Result<Confinement, ConfineError> {
    let group = arguments.group.as_deref();
    let find = |user: &String| Identity::find(user, group);
    let identity = arguments.user.as_ref().map(find).transpose()?;
    Ok(Confinement { identity, sandbox: arguments.sandbox.into() })
}

fn config(arguments: Serve, syntax: Syntax) -> Config {
    let port = arguments.port;
    let listen: Vec<_> = arguments.listen.into_iter().map(|on| on.with_port(port)).collect();
    Config {
        addresses: if listen.is_empty() { Config::loopback(port) } else { listen },
        transports: arguments.proto.transports(),
        listen: Listen {
            reuse_address: !arguments.no_reuse_address,
            backlog: arguments.backlog,
            only_v6: arguments.only_v6,
            receive_buffer: arguments.receive_buffer,
            send_buffer: arguments.send_buffer,
            write_deadline: arguments.strangers.write_deadline(),
        },
        clock: Clock::System,
        syntax,
        zone: arguments.zone,
        drain: Drain { deadline: arguments.drain_deadline, octets: arguments.drain_octets },
        limits: arguments.strangers.limits(),
        guard: arguments.strangers.guard(),
        require_sync: arguments.strangers.require_sync,
    }
}

/// Each open connection takes a descriptor, and the usual limit of 1024 is there for select(2) only.
fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        log::debug!("the limit of open files stays as it is: {error}");
    }
}

/// What is told to those who ask for the metrics.
fn page(metrics: Arc<Metrics>, started: Option<DateTime<Utc>>) -> Page {
    let started = started.map(|started| started.timestamp());
    Arc::new(move || counters::prometheus(&metrics, started))
}

/// The first signal asks for a stop, the second ends the process at once with status 1. The receiver
/// hears when the first stands in the log. SIGUSR1 only logs the counters.
fn act_on_signals(shutdown: Shutdown, metrics: Arc<Metrics>) -> io::Result<Receiver<()>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal does not end it already.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
    }
    let (telling, told) = mpsc::channel();
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        for signal in &mut signals {
            if signal == SIGUSR1 {
                log_counters(&metrics);
                continue;
            }
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            // First, because a log that nobody reads may keep us waiting.
            shutdown.stop();
            log::info!("{name}: stopping");
            let _ = telling.send(());
        }
    })?;
    Ok(told)
}

fn log_settings(bound: &[Bound]) {
    for Bound { transport, address, settings, .. } in bound {
        let settings: Vec<String> = settings.iter().map(ToString::to_string).collect();
        log::info!("{transport} {address}: {}", settings.join("; "));
    }
}

fn log_confinement(confined: &Confined) {
    if let Some(identity) = confined.identity {
        log::info!("it has become {identity}, with no way back");
    } else if confined.is_root {
        log::warn!("it runs as root; --user NAME has it become another once its sockets are open");
    }
    log::info!("sandbox: {confined}");
    let missing = confined.missing.iter().map(|(layer, reason)| format!("{layer}: {reason}"));
    let missing: Vec<String> = missing.collect();
    if !missing.is_empty() {
        log::warn!("sandbox: not in force: {}", missing.join("; "));
    }
}

fn addresses(bound: &[Bound], metrics: Option<SocketAddr>, json: bool) -> String {
    if json {
        return format!("{}\n", json::bound(bound, metrics));
    }
    let lines = bound.iter().map(|it| format!("{} {}", it.transport, it.address));
    let metrics = metrics.map(|address| format!("metrics {address}"));
    let lines: Vec<String> = lines.chain(metrics).collect();
    format!("{}\n", lines.join("\n"))
}

fn log_counters(metrics: &Metrics) {
    for line in counters::lines(metrics) {
        log::info!("SIGUSR1: {line}");
    }
}

fn log_totals(metrics: &Metrics) {
    log::info!(
        "answered {} and {}",
        plural(metrics.count(Event::TcpAnswered), "connection"),
        plural(metrics.count(Event::UdpAnswered), "datagram")
    );
    log::debug!("{metrics:?}");
}
