//! How far a command has come, on a terminal.

use super::alphabet;
#[cfg(feature = "lab")]
use super::pager;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
#[cfg(feature = "lab")]
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A command that is done sooner shows no bar.
const HIDDEN_TIME: Duration = Duration::from_secs(1);

/// A bar on a terminal, cleared when dropped.
pub(super) struct Progress {
    /// `None` if no one would see it.
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    /// A bar of steps.
    pub(super) fn start(quiet: bool) -> Self {
        Self::with(!quiet && std::io::stdout().is_terminal(), "{bar:40} {pos} of {len}, {eta} left")
    }

    /// A bar of seconds.
    pub(super) fn start_timed(quiet: bool) -> Self {
        Self::with(!quiet && std::io::stdout().is_terminal(), "{bar:40} {pos} of {len} s")
    }

    /// A bar that names each of several steps, below results that are printed meanwhile.
    #[cfg(feature = "lab")]
    pub(super) fn start_named(quiet: bool, wanted: bool) -> Self {
        let wanted = wanted && !quiet && std::io::stderr().is_terminal();
        let progress = Self::with(wanted, "{bar:30} {pos} of {len}: {msg}, {elapsed}");
        progress.bar.iter().cloned().for_each(clear_on_signals);
        progress.bar.iter().cloned().for_each(show_later);
        progress
    }

    fn with(wanted: bool, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = if alphabet::is_ascii() { style.progress_chars("#>-") } else { style };
        let bar = wanted.then(|| ProgressBar::hidden().with_style(style));
        Self { bar, started: Instant::now() }
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

    /// Says which step begins.
    #[cfg(feature = "lab")]
    pub(super) fn begin(&self, done: usize, of: usize, name: &str) {
        let count = |steps| u32::try_from(steps).unwrap_or(u32::MAX);
        if let Some(bar) = &self.bar {
            bar.set_message(name.to_owned());
            bar.set_length(of as u64);
        }
        self.show(count(done), count(of));
    }

    /// Prints where the bar is not in the way.
    #[cfg(feature = "lab")]
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            // What goes elsewhere may have to wait for its reader, and must not keep the bar meanwhile.
            Some(bar) if !bar.is_hidden() && std::io::stdout().is_terminal() => bar.suspend(print),
            _ => print(),
        }
    }

    pub(super) fn finish(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Shows the bar of a single long step, in which [`Progress::show`] is not called again.
#[cfg(feature = "lab")]
fn show_later(bar: ProgressBar) {
    let show = move || {
        std::thread::sleep(HIDDEN_TIME);
        if !bar.is_finished() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(HIDDEN_TIME);
        }
    };
    let _ = std::thread::Builder::new().spawn(show);
}

/// Takes the bar off the terminal before a signal ends the process. Where that cannot be had, the bar
/// stays, which is no reason not to begin.
#[cfg(feature = "lab")]
fn clear_on_signals(bar: ProgressBar) {
    let watch = move || {
        // Only here: without this thread the signals that are asked for would be lost.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        for signal in signals.forever() {
            if signal == SIGINT && pager::is_running() {
                continue;
            }
            bar.finish_and_clear();
            // It does not come back, but where the signal cannot be sent to oneself.
            let _ = emulate_default_handler(signal);
        }
    };
    let _ = std::thread::Builder::new().spawn(watch);
}
