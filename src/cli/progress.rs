//! Progress bars of commands on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
#[cfg(feature = "lab")]
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
    low_level::emulate_default_handler,
};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Time before a bar appears. A shorter command shows no bar.
const HIDDEN_TIME: Duration = Duration::from_secs(1);

/// A progress bar on a terminal, cleared when dropped.
pub(super) struct Progress {
    /// The bar, or `None` without a terminal or with `--quiet`.
    bar: Option<ProgressBar>,
    started: Instant,
}

impl Progress {
    /// Makes a bar that counts steps.
    pub(super) fn start(quiet: bool) -> Self {
        Self::with(!quiet && std::io::stdout().is_terminal(), "{bar:40} {pos} of {len}, {eta} left")
    }

    /// Makes a bar that counts seconds.
    pub(super) fn start_timed(quiet: bool) -> Self {
        Self::with(!quiet && std::io::stdout().is_terminal(), "{bar:40} {pos} of {len} s")
    }

    /// Makes a bar that names each of several steps, below the results printed so far.
    #[cfg(feature = "lab")]
    pub(super) fn start_named(quiet: bool, steps: usize) -> Self {
        let wanted = !quiet && steps > 1 && std::io::stderr().is_terminal();
        let progress = Self::with(wanted, "{bar:30} {pos} of {len}: {msg}");
        progress.bar.iter().cloned().for_each(clear_on_signals);
        progress
    }

    fn with(wanted: bool, template: &str) -> Self {
        let style = ProgressStyle::with_template(template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
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

    /// Shows the name of the step that begins.
    #[cfg(feature = "lab")]
    pub(super) fn begin(&self, done: usize, of: usize, name: &str) {
        self.bar.iter().for_each(|bar| bar.set_message(name.to_owned()));
        let count = |steps| u32::try_from(steps).unwrap_or(u32::MAX);
        self.show(count(done), count(of));
    }

    /// Calls `print` with the bar removed, so that the output appears above the bar.
    #[cfg(feature = "lab")]
    pub(super) fn above<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bar {
            // Output to a pipe may wait for its reader. The bar must stay visible in this time.
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

/// Removes the bar from the terminal before a signal ends the process. If the thread cannot start, the bar stays on the
/// terminal, and the command runs without the thread.
#[cfg(feature = "lab")]
fn clear_on_signals(bar: ProgressBar) {
    let watch = move || {
        // Registered in this thread: without the thread, registered signals would be lost.
        let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) else { return };
        if let Some(signal) = signals.forever().next() {
            bar.finish_and_clear();
            // Returns only if the process cannot send the signal to itself.
            let _ = emulate_default_handler(signal);
        }
    };
    let _ = std::thread::Builder::new().spawn(watch);
}
