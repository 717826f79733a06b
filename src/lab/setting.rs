//! The user's choices for a run: the engine, the seed and the options.

use std::ops::RangeInclusive;
use std::time::Duration;

named! {
    /// The environment in which a lab runs: simulated hosts, or real sockets on loopback or between network namespaces.
    ///
    /// ```
    /// use daytime::lab::Engine;
    ///
    /// assert_eq!("sim".parse(), Ok(Engine::Sim));
    /// assert_eq!(Engine::Netns.to_string(), "netns");
    /// ```
    #[non_exhaustive]
    pub enum Engine {
        /// Two hosts with simulated TCP/IP stacks (`smoltcp`) on a simulated link, in virtual time. The same setting
        /// gives the same octets.
        Sim = "sim",
        /// Real sockets on this host's loopback interface.
        Loopback = "loopback",
        /// Real sockets in two network namespaces; this crate forwards the packets between them.
        Netns = "netns",
    }
}

named! {
    /// An option that labs accept, with its name on the command line. The variants are in the order of `--help`.
    pub(crate) enum LabOption {
        Backlog = "backlog",
        Buffer = "buffer",
        Count = "count",
        Delay = "delay",
        Drop = "drop",
        Duplicate = "duplicate",
        Loss = "loss",
        Reorder = "reorder",
    }
}

impl LabOption {
    /// Limits the option to this range of values, both bounds included.
    pub(crate) const fn within(self, range: RangeInclusive<u32>) -> OptionRange {
        OptionRange { option: self, values: range }
    }
}

/// An option that a lab accepts on an engine, with the range of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionRange {
    pub(crate) option: LabOption,
    pub(crate) values: RangeInclusive<u32>,
}

impl OptionRange {
    /// The name of the option on the command line, without the dashes: `loss`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.option.name()
    }

    /// The values that the lab accepts, in the option's unit: percent, milliseconds, octets, or a count.
    #[must_use]
    pub const fn range(&self) -> &RangeInclusive<u32> {
        &self.values
    }

    /// Whether the value is in the range.
    pub(crate) fn allows(&self, at: f64) -> bool {
        (f64::from(*self.values.start())..=f64::from(*self.values.end())).contains(&at)
    }
}

/// A run's options. The lab uses its own default for each option that is not set.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LabOptions {
    /// Second argument of `listen(2)`, which limits the connections that wait for `accept(2)`.
    pub backlog: Option<u16>,
    /// Maximum number of octets that one `recv(2)` returns.
    pub buffer: Option<u32>,
    /// Number of repetitions; each lab defines what it repeats.
    pub count: Option<u32>,
    /// One-way delay: the time that a packet takes from one host to the other.
    pub delay: Option<Duration>,
    /// Numbers of the packets that the link always drops. Both hosts' packets are numbered together from 1, in the
    /// order in which they are sent.
    pub drop: Vec<u32>,
    /// Percentage of packets that arrive twice.
    pub duplicate: Option<f64>,
    /// Percentage of packets that the link drops at random.
    pub loss: Option<f64>,
    /// Percentage of packets that the link holds back, so that later packets may overtake them.
    pub reorder: Option<f64>,
}

impl LabOptions {
    /// Returns the options that are set.
    pub(crate) fn given(&self) -> Vec<LabOption> {
        LabOption::ALL.iter().copied().filter(|option| !self.of(*option).is_empty()).collect()
    }

    /// Returns an option's values in the units of the command line; empty if the option is not set.
    pub(crate) fn of(&self, option: LabOption) -> Vec<f64> {
        let one = match option {
            LabOption::Backlog => self.backlog.map(f64::from),
            LabOption::Buffer => self.buffer.map(f64::from),
            LabOption::Count => self.count.map(f64::from),
            LabOption::Delay => self.delay.map(milliseconds),
            LabOption::Drop => return self.drop.iter().copied().map(f64::from).collect(),
            LabOption::Duplicate => self.duplicate,
            LabOption::Loss => self.loss,
            LabOption::Reorder => self.reorder,
        };
        one.into_iter().collect()
    }
}

/// Converts a time to milliseconds. Multiplying `as_secs_f64` by 1000 would give 29.000000000000004 for 29 ms.
fn milliseconds(time: Duration) -> f64 {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    f64::from(seconds) * 1e3 + f64::from(time.subsec_nanos()) / 1e6
}

/// A run's seed and options, for any engine. The lab uses its own default for each option that is not set.
///
/// ```
/// use daytime::Transport;
/// use daytime::lab::{self, Engine, Setting};
/// use std::time::Duration;
///
/// let setting = Setting::default().delay(Duration::from_millis(50));
/// let exchange = lab::find("exchange").expect("a lab of that name");
/// let report = exchange.run(Engine::Sim, &setting)?;
/// let time = report.finding(Transport::Tcp, "time to the reply");
/// let expected = lab::Value::Time { time: Duration::from_millis(200) };
/// assert_eq!(time.and_then(lab::Finding::observed), Some(&expected));
///
/// let loss = lab::find("loss").expect("a lab of that name");
/// let mixed = Setting::default().seed(7).loss(10.0).duplicate(10.0).reorder(10.0).drop([2, 5]);
/// let report = loss.run(Engine::Sim, &mixed.clone().count(10))?;
/// assert_eq!((report.seed(), report.is_as_predicted()), (Some(7), true));
/// assert!(loss.run(Engine::Sim, &mixed.buffer(26)).is_err(), "it has no such option");
/// # Ok::<(), lab::LabError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Setting {
    pub(crate) seed: u64,
    pub(crate) options: LabOptions,
}

impl Default for Setting {
    fn default() -> Self {
        Self { seed: 867, options: LabOptions::default() }
    }
}

impl Setting {
    /// Sets the random seed. On [`Engine::Sim`] the same seed gives the same run. The default is 867.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets the second argument of `listen(2)`, which limits the connections that wait for `accept(2)`.
    pub fn backlog(mut self, connections: u16) -> Self {
        self.options.backlog = Some(connections);
        self
    }

    /// Sets the maximum number of octets that one `recv(2)` returns.
    pub fn buffer(mut self, octets: u32) -> Self {
        self.options.buffer = Some(octets);
        self
    }

    /// Sets the number of repetitions; each lab defines what it repeats.
    pub fn count(mut self, repetitions: u32) -> Self {
        self.options.count = Some(repetitions);
        self
    }

    /// Sets the one-way delay: the time that a packet takes from one host to the other.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.options.delay = Some(delay);
        self
    }

    /// Sets the numbers of the packets that the link drops. Both hosts' packets are numbered together from 1, in the
    /// order in which they are sent.
    pub fn drop(mut self, packets: impl IntoIterator<Item = u32>) -> Self {
        self.options.drop = packets.into_iter().collect();
        self
    }

    /// Sets the percentage of packets that arrive twice.
    pub fn duplicate(mut self, percent: f64) -> Self {
        self.options.duplicate = Some(percent);
        self
    }

    /// Sets the percentage of packets that the link drops at random.
    pub fn loss(mut self, percent: f64) -> Self {
        self.options.loss = Some(percent);
        self
    }

    /// Sets the percentage of packets that the link holds back, so that later packets may overtake them.
    pub fn reorder(mut self, percent: f64) -> Self {
        self.options.reorder = Some(percent);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_that_are_set_are_known() {
        assert_eq!(LabOptions::default().given(), []);
        let options = LabOptions { drop: vec![2], loss: Some(0.0), ..LabOptions::default() };
        assert_eq!(options.given(), [LabOption::Drop, LabOption::Loss]);
        assert_eq!(
            (options.of(LabOption::Drop), options.of(LabOption::Delay)),
            (vec![2.0], vec![])
        );
    }

    #[test]
    fn a_delay_is_told_as_it_was_asked_for() {
        for asked in [0.0, 0.5, 29.0, 57.0, 1000.25, 60_000.0] {
            let delay = Some(Duration::from_secs_f64(asked / 1e3));
            assert_eq!(LabOptions { delay, ..LabOptions::default() }.of(LabOption::Delay), [asked]);
        }
    }
}
