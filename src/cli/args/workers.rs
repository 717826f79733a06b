//! Options for the workers of `daytime serve`.

use crate::server::Workers;
use clap::Args;
use std::num::NonZeroUsize;
use std::time::Duration;

/// Name of the clap group that contains all options for opening sockets. These options conflict with sockets that are
/// handed over.
pub(super) const OPENING: &str = "opening";

/// Maximum number of workers. Each worker needs a thread and its own sockets, so a larger number is probably a mistake.
const MAX_WORKERS: usize = 1024;

#[derive(Debug, Args)]
pub(in crate::cli) struct WorkerOptions {
    /// Number of serving threads, each with its own sockets (SO_REUSEPORT); auto:
    /// one per processor
    #[arg(long, group = OPENING, default_value = "1", value_name = "N", value_parser = workers)]
    pub workers: Workers,
    /// Do not share ports (SO_REUSEPORT); allows only one worker
    #[arg(long, group = OPENING)]
    pub no_reuse_port: bool,
}

impl WorkerOptions {
    /// Returns an error text if these options conflict with each other or with `--idle`.
    pub(in crate::cli) fn contradiction(&self, idle: Option<Duration>) -> Option<&'static str> {
        match self.workers {
            workers if idle.is_some() && workers != Workers::default() => {
                Some("--idle needs one worker: leave out --idle or --workers")
            }
            Workers::Exactly(number) if self.no_reuse_port && number.get() > 1 => Some(
                "--no-reuse-port allows only one worker: leave out --no-reuse-port or --workers",
            ),
            _ => None,
        }
    }
}

fn workers(text: &str) -> Result<Workers, &'static str> {
    if text == "auto" {
        return Ok(Workers::Auto);
    }
    let digits = text.bytes().all(|octet| octet.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && *number <= MAX_WORKERS);
    number
        .and_then(NonZeroUsize::new)
        .map(Workers::Exactly)
        .ok_or("not a number from 1 to 1024, and not auto")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_a_number_or_auto() {
        assert_eq!(workers("auto"), Ok(Workers::Auto));
        assert_eq!(workers("2"), Ok(Workers::Exactly(NonZeroUsize::new(2).expect("not 0"))));
        assert!(workers("1024").is_ok());
        for wrong in ["0", "1025", "", "-1", "+1", "two", "Auto"] {
            assert!(workers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_several_workers_contradict_no_reuse_port() {
        let is_refused = |text: &str| {
            let workers = workers(text).expect("right");
            WorkerOptions { workers, no_reuse_port: true }.contradiction(None).is_some()
        };
        assert_eq!([is_refused("1"), is_refused("auto"), is_refused("2")], [false, false, true]);
    }
}
