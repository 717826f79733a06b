//! How far a command has come, on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// A bar on standard error, once it has taken a second; gone again when it is dropped.
pub(super) struct Progress {
    wanted: bool,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    const PATIENCE: Duration = Duration::from_secs(1);
    const BETWEEN_DRAWINGS: Duration = Duration::from_millis(50);

    pub(super) fn start(quiet: bool) -> Self {
        let terminals = std::io::stdout().is_terminal() && std::io::stderr().is_terminal();
        Self { wanted: !quiet && terminals, started: Instant::now(), drawn: None }
    }

    pub(super) fn show(&mut self, done: u32, of: u32) {
        let taken = self.started.elapsed();
        let waits = self.drawn.is_some_and(|drawn| drawn.elapsed() < Self::BETWEEN_DRAWINGS);
        if self.wanted && taken > Self::PATIENCE && !waits {
            draw(&bar(taken, done, of));
            self.drawn = Some(Instant::now());
        }
    }

    pub(super) fn finish(&mut self) {
        if self.drawn.take().is_some() {
            draw("");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.finish();
    }
}

/// In place of what the line shows. A terminal that takes nothing shows no bar.
fn draw(line: &str) {
    const ERASE_LINE: &str = "\r\x1b[K"; // ECMA-48, EL
    let mut terminal = std::io::stderr().lock();
    let _ = write!(terminal, "{ERASE_LINE}{line}").and_then(|()| terminal.flush());
}

/// The bar, and the time that the rest takes if it goes on like this.
fn bar(taken: Duration, done: u32, of: u32) -> String {
    const WIDTH: u32 = 40;
    let full = done.min(of).saturating_mul(WIDTH).checked_div(of).unwrap_or(0);
    let [full, rest] = [("█", full), ("░", WIDTH - full)]
        .map(|(part, count)| part.repeat(usize::try_from(count).unwrap_or(0)));
    let left = (taken * of.saturating_sub(done)).checked_div(done).unwrap_or(Duration::ZERO);
    format!("{full}{rest} {done} of {of}, {} s left", left.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_tells_how_far_it_is_and_how_long_the_rest_takes() {
        let shown = bar(Duration::from_secs(3), 1, 4);
        assert_eq!(shown, format!("{}{} 1 of 4, 9 s left", "█".repeat(10), "░".repeat(30)));
        let shown = bar(Duration::from_secs(2), 4, 4);
        assert_eq!(shown, format!("{} 4 of 4, 0 s left", "█".repeat(40)));
    }

    #[test]
    fn nothing_to_do_is_an_empty_bar() {
        let shown = bar(Duration::from_secs(2), 0, 0);
        assert_eq!(shown, format!("{} 0 of 0, 0 s left", "░".repeat(40)));
    }
}
