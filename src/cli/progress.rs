//! How far a command has come, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
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
