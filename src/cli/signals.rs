//! Signal handling of `daytime serve`: stops it, logs the counters, or reads the zone again.

use super::args::ZoneOption;
use super::gauges;
use crate::responder::SharedZone;
use crate::server::Shutdown;
use crate::syntax::Zone;
use crate::sys;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::{Handle, Signals};
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Returns a flag that the first SIGINT or SIGTERM sets. The second one ends the process at once with status 1.
pub(super) fn stop_flag() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // In this order, so that the first signal does not end it already.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// What the signals act on.
pub(super) struct Controls {
    pub shutdown: Shutdown,
    pub gauges: Arc<gauges::Source>,
    pub zone: Arc<SharedZone>,
    /// As the command line has it.
    pub zone_option: ZoneOption,
}

/// The thread that acts on signals.
pub(super) struct SignalThread {
    handle: Handle,
    thread: JoinHandle<()>,
}

impl SignalThread {
    /// Waits until the thread has acted on the signal at hand, so that the log has its line.
    pub(super) fn end(self) {
        self.handle.close();
        let _ = self.thread.join();
    }
}

/// Signals that are caught and wait to be acted on.
pub(super) struct CaughtSignals {
    signals: Signals,
    /// One has asked for a stop.
    asked: Arc<AtomicBool>,
    /// SIGHUP was ignored when the process started: then it never stops the server.
    hangup_ignored: bool,
    /// Whether standard input and standard error were a terminal then.
    terminals: [bool; 2],
}

impl CaughtSignals {
    /// Catches signals from now on.
    pub(super) fn new() -> io::Result<Self> {
        let hangup_ignored = sys::ignores_hangup(); // before a handler takes its place
        let asked = stop_flag()?;
        let signals = Signals::new([SIGHUP, SIGINT, SIGTERM, SIGUSR1])?;
        let terminals = [io::stdin().is_terminal(), io::stderr().is_terminal()];
        Ok(Self { signals, asked, hangup_ignored, terminals })
    }

    /// Acts on them, in a thread. SIGUSR1 and SIGHUP do not count as the first signal.
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
                self.asked.store(true, Ordering::Release); // a hangup has not said so yet
                // First, because a log that no program reads may keep us waiting.
                controls.shutdown.stop();
                log::info!("{why}: stopping");
            }
        })?;
        Ok(SignalThread { handle, thread })
    }
}

/// Reads the zone of this host again. All workers use it from their next reply on.
fn reload_zone(shared: &SharedZone, option: ZoneOption) {
    let before = shared.zone();
    if !option.is_local {
        log::info!("SIGHUP: nothing to read again: --zone is fixed ({before})");
        return;
    }
    match Zone::local() {
        Ok(zone) if zone == before => log::info!("SIGHUP: the local zone is still {zone}"),
        Ok(zone) => {
            shared.change(zone);
            log::info!(
                "SIGHUP: replies are in {zone} from now on, the new local zone; before in {before}"
            );
        }
        Err(error) => log::warn!(
            "SIGHUP: {error}; replies stay in {before}. Inside the sandbox only a link \
             /etc/localtime can be read; a restart reads all"
        ),
    }
}

/// Whether the terminal that this process was started from has hung up: then the kernel sends SIGHUP, which does not
/// ask for another zone.
fn terminal_is_gone([on_stdin, on_stderr]: [bool; 2]) -> bool {
    on_stdin && has_hung_up(&io::stdin()) || on_stderr && has_hung_up(&io::stderr())
}

fn has_hung_up(terminal: &impl AsFd) -> bool {
    let mut state = [PollFd::new(terminal.as_fd(), PollFlags::empty())];
    let polled = poll(&mut state, PollTimeout::ZERO);
    let hung_up = |flags: PollFlags| flags.intersects(PollFlags::POLLHUP | PollFlags::POLLERR);
    polled.is_ok() && state[0].revents().is_some_and(hung_up)
}
