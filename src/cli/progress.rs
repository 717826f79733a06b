//! How far a command has come, on a terminal.

#[cfg(feature = "lab")]
use indicatif::ProgressDrawTarget;
use indicatif::{ProgressBar, ProgressStyle};
#[cfg(feature = "lab")]
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// A bar on a terminal, once it has taken a second.
pub(super) struct Progress {
    wanted: bool,
    started: Instant,
    bar: Option<ProgressBar>,
    template: &'static str,
}

impl Progress {
    const PATIENCE: Duration = Duration::from_secs(1);

    /// A bar of steps.
    pub(super) fn start(quiet: bool) -> Self {
        Self::with(quiet, "{bar:40} {pos} of {len}, {eta} left")
    }

    /// A bar of seconds.
    pub(super) fn start_timed(quiet: bool) -> Self {
        Self::with(quiet, "{bar:40} {pos} of {len} s")
    }

    fn with(quiet: bool, template: &'static str) -> Self {
        let wanted = !quiet && std::io::stdout().is_terminal();
        Self { wanted, started: Instant::now(), bar: None, template }
    }

    pub(super) fn show(&mut self, done: u32, of: u32) {
        if let Some(bar) = &self.bar {
            bar.set_position(done.into());
        } else if self.wanted && self.started.elapsed() > Self::PATIENCE {
            let bar = ProgressBar::new(of.into()).with_position(done.into());
            if let Ok(style) = ProgressStyle::with_template(self.template) {
                bar.set_style(style);
            }
            self.bar = Some(bar);
        }
    }

    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

/// A bar on a terminal that names what is being done, under results that are printed meanwhile.
#[cfg(feature = "lab")]
pub(super) struct Steps {
    /// None if there is nobody to see it, or one step only.
    bar: Option<ProgressBar>,
    started: Instant,
}

#[cfg(feature = "lab")]
impl Steps {
    pub(super) fn start(quiet: bool, of: usize) -> Self {
        let wanted = !quiet && of > 1 && std::io::stderr().is_terminal();
        let hidden =
            || ProgressBar::with_draw_target(Some(of as u64), ProgressDrawTarget::hidden());
        let bar = wanted.then(hidden);
        if let Some(bar) = &bar {
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} of {len}: {msg}") {
                bar.set_style(style);
            }
            clear_on_signals(bar.clone());
        }
        Self { bar, started: Instant::now() }
    }

    /// Says which step begins, once it has taken a second.
    pub(super) fn begin(&self, done: usize, what: &str) {
        let Some(bar) = &self.bar else { return };
        if self.started.elapsed() > Progress::PATIENCE {
            if bar.is_hidden() {
                bar.set_draw_target(ProgressDrawTarget::stderr());
            }
            bar.set_message(what.to_owned());
            bar.set_position(done as u64);
        }
    }

    /// Prints where the bar is not in the way.
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            // What goes elsewhere may have to wait for its reader, and must not keep the bar meanwhile.
            Some(bar) if !bar.is_hidden() && std::io::stdout().is_terminal() => bar.suspend(print),
            _ => print(),
        }
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(feature = "lab")]
impl Drop for Steps {
    fn drop(&mut self) {
        self.finish();
    }
}

/// Takes the bar off the terminal before a signal ends the process. Where that cannot be had, the bar
/// stays, which is no reason not to begin.
#[cfg(feature = "lab")]
fn clear_on_signals(bar: ProgressBar) {
    let watch = move || {
        // Only here: without this thread nobody would hear the signals that are asked for.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        if let Some(signal) = signals.forever().next() {
            bar.finish_and_clear();
            // It does not come back, but where the signal cannot be sent to oneself.
            let _ = emulate_default_handler(signal);
        }
    };
    let _ = std::thread::Builder::new().spawn(watch);
}
