//! Options for a load, and the check that this machine has enough descriptors and ports.

use super::BenchError;
use crate::client::Options;
use crate::sys;
use crate::transport::Transport;
use nix::sys::resource::{Resource, getrlimit};
use std::num::NonZeroU32;
use std::time::Duration;

options! {
    /// Options for a load.
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
        /// Transports to load, one after the other.
        pub transports: Vec<Transport>,
        /// TCP: number of concurrent connections. UDP: number of sockets.
        pub concurrency: NonZeroU32,
        /// UDP: maximum number of unanswered queries per socket, up to [`MAX_WINDOW`](Self::MAX_WINDOW).
        ///
        /// An answer does not identify its query, so it is assigned to the oldest unanswered query. With a window of 1,
        /// latencies are exact. With a larger window, one lost datagram makes the socket's later latencies too long.
        /// The latencies become exact again once all the socket's queries have timed out, because the load then opens a
        /// new socket.
        pub window: NonZeroU32,
        /// Length of the measurement over each transport.
        pub duration: Duration,
        /// Duration of the load over each transport before its measurement begins.
        pub warm_up: Duration,
        /// Exchanges per second, scheduled at fixed times (open loop). With `None`, each exchange begins when an
        /// earlier one ends (closed loop).
        pub rate: Option<NonZeroU32>,
        /// Options for each query, including the exchange timeout ([`Options::timeout`]). A load never retries a
        /// query. A public address requires [`Pace::Off`](crate::client::Pace::Off).
        pub ask: Options,
    }
}

impl Default for BenchOptions {
    /// Returns the default: both transports, one exchange at a time, 0.5 s of warm-up, 3 s of measurement, and an
    /// exchange timeout of 1 s.
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
    /// Maximum [window](field@BenchOptions::window). A larger window is reduced to this maximum.
    pub const MAX_WINDOW: u32 = 4096;

    /// Returns the maximum number of unanswered queries on each UDP socket.
    pub(super) fn questions_per_socket(&self) -> usize {
        self.window.get().min(Self::MAX_WINDOW) as usize
    }

    /// Reduces every duration above [`MAX_DURATION`] to that maximum.
    pub(super) fn bounded(mut self) -> Self {
        for time in [&mut self.duration, &mut self.warm_up, &mut self.ask.timeout] {
            *time = (*time).min(MAX_DURATION);
        }
        self
    }

    pub(super) fn sockets(&self) -> usize {
        self.concurrency.get() as usize
    }

    /// Checks that the process may open enough descriptors, and that the system has enough ephemeral ports.
    pub(super) fn feasible(&self) -> Result<(), BenchError> {
        let descriptors = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        let ports = sys::ephemeral_ports().unwrap_or(u32::MAX);
        check_limits(self.concurrency.get(), descriptors, ports)
    }
}

/// Maximum value of each duration in the options: one year. A sum of several such durations does not overflow a
/// `Duration`.
const MAX_DURATION: Duration = Duration::from_hours(365 * 24);

/// Number of descriptors that the process needs in addition to the sockets: standard streams, epoll or its equivalent,
/// the timer, and a reserve.
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
    use crate::mentions::mentions;

    #[test]
    fn more_sockets_than_descriptors_or_ports_are_refused() {
        assert!(check_limits(1008, 1024, 28_232).is_ok());
        let process = check_limits(1009, 1024, 28_232).expect_err("too few descriptors");
        mentions(&process, &["1009 sockets", "process", "1008"]);
        let system = check_limits(28_233, 1 << 20, 28_232).expect_err("too few ports");
        mentions(&system, &["28233 sockets", "system", "28232 ports"]);
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
