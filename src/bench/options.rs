//! How to load a server, and whether this machine can.

use super::BenchError;
use crate::client::Options;
use crate::sys;
use crate::transport::Transport;
use nix::sys::resource::{Resource, getrlimit};
use std::num::NonZeroU32;
use std::time::Duration;

options! {
    /// How to load a server.
    ///
    /// ```
    /// use daytime::{BenchOptions, Transport};
    /// use std::{num::NonZeroU32, time::Duration};
    /// let options = BenchOptions::default()
    ///     .transports(vec![Transport::Udp])
    ///     .duration(Duration::from_secs(10))
    ///     .rate(NonZeroU32::new(200));
    /// assert_eq!((options.window.get(), options.ask.retries), (1, 0));
    /// ```
    #[derive(Clone, Debug)]
    pub struct BenchOptions {
        /// Transports to measure, one after the other.
        pub transports: Vec<Transport>,
        /// TCP: connections that are kept going at once. UDP: sockets.
        pub concurrency: NonZeroU32,
        /// UDP: questions of each socket that may be unanswered, up to [`MAX_WINDOW`](Self::MAX_WINDOW).
        ///
        /// No answer tells which question it is for. Above 1 the oldest takes it, so that after a loss latencies
        /// seem longer than they are until nothing has come for the timeout; with 1 they are exact.
        pub window: NonZeroU32,
        /// How long each transport is measured.
        pub duration: Duration,
        /// How long each is loaded before that, without being measured.
        pub warm_up: Duration,
        /// Exchanges a second that are due at fixed times, whatever comes back (an open loop); `None`: a new one
        /// begins when another is over (a closed loop).
        pub rate: Option<NonZeroU32>,
        /// How to ask, and how long an exchange may take ([`Options::timeout`]). No question is sent again. A
        /// host with a public address is loaded only with [`Pace::Off`](crate::client::Pace::Off).
        pub ask: Options,
    }
}

impl Default for BenchOptions {
    /// Both transports, one exchange at a time for 3 seconds after half a one, 1 second for each.
    fn default() -> Self {
        Self {
            transports: Transport::BOTH.to_vec(),
            concurrency: NonZeroU32::MIN,
            window: NonZeroU32::MIN,
            duration: Duration::from_secs(3),
            warm_up: Duration::from_millis(500),
            rate: None,
            ask: Options { timeout: Duration::from_secs(1), retries: 0, ..Options::default() },
        }
    }
}

impl BenchOptions {
    /// Maximum of the [window](field@BenchOptions::window); a larger one counts as this.
    pub const MAX_WINDOW: u32 = 4096;

    /// Returns the number of unanswered questions that each UDP socket may have.
    pub(super) fn questions_per_socket(&self) -> usize {
        self.window.get().min(Self::MAX_WINDOW) as usize
    }

    /// With no time longer than [`MAX_DURATION`].
    pub(super) fn bounded(mut self) -> Self {
        for time in [&mut self.duration, &mut self.warm_up, &mut self.ask.timeout] {
            *time = (*time).min(MAX_DURATION);
        }
        self
    }

    pub(super) fn sockets(&self) -> usize {
        self.concurrency.get() as usize
    }

    /// That there are descriptors and ports for all that is to be open at once.
    pub(super) fn feasible(&self) -> Result<(), BenchError> {
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        let ports = sys::ephemeral_ports().unwrap_or(u32::MAX);
        check_limits(self.concurrency.get(), descriptors, ports)
    }
}

/// A year: longer is as good as this, and a sum of several still is a time.
const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

/// Descriptors of the process itself: its streams, the poll, the timer, and some to spare.
const RESERVED_DESCRIPTORS: u64 = 16;

fn check_limits(concurrency: u32, descriptors: u64, ports: u32) -> Result<(), BenchError> {
    let limit = descriptors.saturating_sub(RESERVED_DESCRIPTORS);
    if u64::from(concurrency) > limit {
        return Err(BenchError::Descriptors { concurrency, limit });
    }
    if concurrency > ports {
        return Err(BenchError::Ports { concurrency, limit: ports });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_are_descriptors_or_ports_for_is_refused() {
        assert!(check_limits(1008, 1024, 28_232).is_ok());
        let message = |result: Result<(), BenchError>| result.expect_err("too many").to_string();
        assert_eq!(
            message(check_limits(1009, 1024, 28_232)),
            "cannot keep 1009 sockets open: this process may have 1008"
        );
        assert_eq!(
            message(check_limits(28_233, 1 << 20, 28_232)),
            "cannot keep 28233 sockets open: this system gives clients 28232 ports"
        );
    }

    #[test]
    fn a_time_has_an_upper_bound() {
        let ever = Duration::MAX;
        let ask = Options { timeout: ever, ..Options::default() };
        let options =
            BenchOptions { duration: ever, warm_up: ever, ask, ..BenchOptions::default() };
        let bounded = options.bounded();
        assert_eq!([bounded.duration, bounded.warm_up, bounded.ask.timeout], [MAX_DURATION; 3]);
    }

    #[test]
    fn a_window_has_an_upper_bound() {
        let window = NonZeroU32::new(5000).expect("not 0");
        assert_eq!(BenchOptions { window, ..BenchOptions::default() }.questions_per_socket(), 4096);
    }
}
