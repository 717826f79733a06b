//! Signal handling: the signals that stop a command, and in `daytime serve` also those that log the counters or make the
//! server reread the zone.

use super::args::ZoneOption;
use super::{gauges, pager};
use crate::responder::SharedZone;
use crate::server::Shutdown;
use crate::syntax::Zone;
use crate::sys;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use signal_hook::{SigId, low_level};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Returns the signals that stop a command: SIGTERM, and SIGINT unless it was ignored at the start. A shell without job
/// control ignores SIGINT in its background jobs, because Ctrl-C is meant for the job in the foreground (POSIX.1-2024,
/// Shell Command Language, section 2.12).
pub(super) fn stop_signals() -> impl Iterator<Item = i32> {
    [SIGINT, SIGTERM]
        .into_iter()
        .filter(|signal| *signal == SIGTERM || !sys::ignores_signal(*signal))
}

/// A flag that the first SIGINT or SIGTERM sets. The second one ends the process immediately with status 1.
pub(super) struct StopFlag {
    pub is_set: Arc<AtomicBool>,
    registered: Vec<SigId>,
}

impl StopFlag {
    pub(super) fn register() -> io::Result<Self> {
        let (is_set, mut registered) = (Arc::new(AtomicBool::new(false)), Vec::new());
        for signal in stop_signals() {
            // This handler must be registered before the next one, which sets the flag. So the first signal finds the
            // flag unset and does not end the process; the second signal does.
            registered.push(flag::register_conditional_shutdown(signal, 1, Arc::clone(&is_set))?);
            registered.push(flag::register(signal, Arc::clone(&is_set))?);
        }
        Ok(Self { is_set, registered })
    }

    /// Lets further signals end this process, except while a pager runs.
    pub(super) fn release(self) {
        pager::let_signals_end();
        for id in self.registered {
            low_level::unregister(id);
        }
    }
}

/// The parts of the server that signals control.
pub(super) struct Controls {
    pub shutdown: Shutdown,
    pub gauges: Arc<gauges::Source>,
    pub zone: Arc<SharedZone>,
    /// The value of `--zone`.
    pub zone_option: ZoneOption,
}

/// The thread that acts on signals.
pub(super) struct SignalThread {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl SignalThread {
    /// Waits until the thread has handled the current signal, so that the line about this signal is in the log.
    pub(super) fn end(self) {
        self.handle.close();
        let _ = self.thread.join();
    }
}

/// Signals that are already caught, but not yet handled by a thread.
pub(super) struct CaughtSignals {
    signals: Signals,
    /// Whether a signal has requested that the server stop.
    asked: Arc<AtomicBool>,
    /// Whether SIGHUP was ignored when the process started. If so, SIGHUP never stops the server.
    hangup_ignored: bool,
    /// Whether standard input and standard error were terminals when the process started.
    terminals: [bool; 2],
}

impl CaughtSignals {
    /// Starts catching signals.
    pub(super) fn new() -> io::Result<Self> {
        // Reads the signals' dispositions before handlers replace them.
        let hangup_ignored = sys::ignores_signal(SIGHUP);
        let caught: Vec<i32> = stop_signals().chain([SIGHUP, SIGUSR1]).collect();
        let asked = StopFlag::register()?.is_set;
        let signals = Signals::new(caught)?;
        let terminals = [io::stdin().is_terminal(), io::stderr().is_terminal()];
        Ok(Self { signals, asked, hangup_ignored, terminals })
    }

    /// Starts the thread that handles the signals. SIGUSR1, and a SIGHUP that only rereads the zone, do not count as
    /// the first of two stop signals.
    pub(super) fn act(mut self, controls: Controls) -> io::Result<SignalThread> {
        let handle = self.signals.handle();
        let thread = thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in &mut self.signals {
                let why = match signal {
                    SIGUSR1 => {
                        controls.gauges.log();
                        continue;
                    }
                    SIGHUP if self.hangup_ignored || !terminal_is_gone(self.terminals) => {
                        reload_zone(&controls.zone, controls.zone_option);
                        continue;
                    }
                    SIGHUP => "SIGHUP: the terminal is gone",
                    SIGINT => "SIGINT",
                    _ => "SIGTERM",
                };
                self.asked.store(true, Ordering::Release); // SIGHUP does not set this flag itself
                // Stops the server before logging, because the log may wait for its reader.
                controls.shutdown.stop();
                log::info!("{why}: stopping");
            }
        })?;
        Ok(SignalThread { handle, thread })
    }
}

/// Rereads this host's zone. All workers use the new zone from their next reply on.
fn reload_zone(shared: &SharedZone, option: ZoneOption) {
    let before = shared.zone();
    if !option.is_local {
        log::info!("SIGHUP: no effect, because --zone is fixed ({before})");
        return;
    }
    match Zone::local() {
        Ok(zone) if zone == before => log::info!("SIGHUP: the local zone is still {zone}"),
        Ok(zone) => {
            shared.change(zone);
            log::info!(
                "SIGHUP: replies now use {zone}, the new local zone; before they used {before}"
            );
        }
        Err(error) => log::warn!(
            "SIGHUP: {error}; replies stay in {before}. The sandbox can read the zone only if \
             /etc/localtime is a link; otherwise restart the server"
        ),
    }
}

/// Whether this process's terminal has hung up. If so, SIGHUP came from the kernel, and not from an operator who wants
/// the server to reread the zone.
fn terminal_is_gone([on_stdin, on_stderr]: [bool; 2]) -> bool {
    on_stdin && has_hung_up(&io::stdin()) || on_stderr && has_hung_up(&io::stderr())
}

fn has_hung_up(terminal: &impl AsFd) -> bool {
    let mut state = [PollFd::new(terminal.as_fd(), PollFlags::empty())];
    let polled = poll(&mut state, PollTimeout::ZERO);
    let hung_up = |flags: PollFlags| flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
    polled.is_ok() && state[0].revents().is_some_and(hung_up)
}
