//! The progress bar on a terminal.

use super::alphabet;
#[cfg(feature = "teach")]
use super::pager;
#[cfg(feature = "teach")]
use crate::sys;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
#[cfg(feature = "teach")]
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::io::IsTerminal;
#[cfg(feature = "teach")]
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time that must pass before a command shows a bar.
const HIDDEN_TIME: Duration = Duration::from_secs(1);
/// Time that must pass before a run of labs shows a bar.
#[cfg(feature = "teach")]
const HIDDEN_LAB_TIME: Duration = Duration::from_millis(500);
/// Interval at which a lab's bar is redrawn, because the bar shows how many seconds the lab has taken.
#[cfg(feature = "teach")]
const REDRAW_INTERVAL: Duration = Duration::from_millis(250);

/// A progress bar on a terminal, cleared when dropped.
pub(super) struct Progress {
    /// `None` if standard output is not a terminal, or with `--quiet`.
    bar: Option<ProgressBar>,
    started: Instant,
    /// Lock that is held while text is printed or the bar appears, so that text and bar do not mix.
    #[cfg(feature = "teach")]
    screen: Arc<Mutex<()>>,
}

impl Progress {
    /// Returns a bar that counts steps.
    pub(super) fn start(quiet: bool) -> Self {
        Self::with(!quiet && std::io::stdout().is_terminal(), "{bar:40} {pos} of {len}, {eta} left")
    }

    /// Returns a bar that counts seconds.
    pub(super) fn start_timed(quiet: bool) -> Self {
        Self::with(!quiet && std::io::stdout().is_terminal(), "{bar:40} {pos} of {len} s")
    }

    /// Returns the bar for a run of labs, drawn below the printed results. A single lab gets a line with its name and
    /// the elapsed seconds; several labs get a bar with the name of the current lab.
    #[cfg(feature = "teach")]
    pub(super) fn start_named(quiet: bool, steps: usize) -> Self {
        let template = match steps {
            1 => "running {msg}, {elapsed}",
            _ => "{bar:30} {pos} of {len}: {msg}",
        };
        let progress = Self::with(!quiet && std::io::stderr().is_terminal(), template);
        if let Some(bar) = &progress.bar {
            appear_later(bar.clone(), Arc::clone(&progress.screen));
            clear_on_signals(bar.clone());
        }
        progress
    }

    fn with(wanted: bool, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = if alphabet::is_ascii() { style.progress_chars("#>-") } else { style };
        let bar = wanted.then(|| ProgressBar::hidden().with_style(style));
        Self {
            bar,
            started: Instant::now(),
            #[cfg(feature = "teach")]
            screen: Arc::default(),
        }
    }

    pub(super) fn show(&self, done: u32, of: u32) {
        let Some(bar) = self.bar.as_ref().filter(|_| self.started.elapsed() > HIDDEN_TIME) else {
            return;
        };
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_length(of.into());
        bar.set_position(done.into());
    }

    /// Shows the name of the step that is starting.
    #[cfg(feature = "teach")]
    pub(super) fn begin(&self, done: usize, of: usize, name: &str) {
        let count = |steps| u64::try_from(steps).unwrap_or(u64::MAX);
        if let Some(bar) = &self.bar {
            bar.set_length(count(of));
            bar.set_position(count(done));
            bar.set_message(name.to_owned());
        }
    }

    /// Clears the bar from the screen while text is printed.
    #[cfg(feature = "teach")]
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        // Output to a file or pipe may wait for its reader, so the bar stays on the screen.
        let Some(bar) = self.bar.as_ref().filter(|_| std::io::stdout().is_terminal()) else {
            return print();
        };
        let _screen = lock(&self.screen);
        if bar.is_hidden() { print() } else { bar.suspend(print) }
    }

    pub(super) fn finish(&self) {
        #[cfg(feature = "teach")]
        let _screen = lock(&self.screen);
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Draws the bar after [`HIDDEN_LAB_TIME`], unless the labs have finished by then. The labs block the calling thread,
/// so this function starts a thread that waits for that time.
#[cfg(feature = "teach")]
fn appear_later(bar: ProgressBar, screen: Arc<Mutex<()>>) {
    let appear = move || {
        std::thread::sleep(HIDDEN_LAB_TIME);
        let _screen = lock(&screen);
        if !bar.is_finished() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(REDRAW_INTERVAL);
        }
    };
    let _ = std::thread::Builder::new().spawn(appear); // without a thread, no bar appears
}

#[cfg(feature = "teach")]
fn lock(screen: &Mutex<()>) -> MutexGuard<'_, ()> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Clears the bar before SIGINT or SIGTERM ends the process. If the system does not allow the thread or the signal
/// handlers, the bar stays on the screen.
#[cfg(feature = "teach")]
fn clear_on_signals(bar: ProgressBar) {
    let watch = move || {
        if sys::ignores_signal(SIGINT) {
            return; // a background job of a shell without job control ignores SIGINT
        }
        // The handlers are registered in this thread, so that the signals keep their default action if no thread can
        // start.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        for signal in signals.forever() {
            if pager::is_running() {
                continue; // the pager's module decides
            }
            bar.finish_and_clear();
            // This call ends the process. It returns only if the system refuses the signal.
            let _ = emulate_default_handler(signal);
        }
    };
    let _ = std::thread::Builder::new().spawn(watch);
}
