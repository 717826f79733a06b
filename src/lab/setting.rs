//! What a student chooses for a run: the engine, the seed, and where the knobs stand.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// What the hosts, their sockets and the network between them are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    /// Two hosts of `smoltcp` on a link of our own, in virtual time: it repeats to the byte.
    Sim,
    /// Real sockets on this host.
    Loopback,
    /// Real sockets in two network namespaces, with a forwarder of our own between them.
    Netns,
}

impl Engine {
    pub(crate) const ALL: [Self; 3] = [Self::Sim, Self::Loopback, Self::Netns];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Loopback => "loopback",
            Self::Netns => "netns",
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|engine| engine.name() == name).ok_or(UnknownEngine)
    }
}

/// There is no such engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither sim, loopback nor netns")]
pub(crate) struct UnknownEngine;

/// Something that a lab lets a student change. In the order of the command line's help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knob {
    Backlog,
    Buffer,
    Count,
    Delay,
    Drop,
    Duplicate,
    Loss,
    Reorder,
}

impl Knob {
    pub(crate) const ALL: [Self; 8] = [
        Self::Backlog,
        Self::Buffer,
        Self::Count,
        Self::Delay,
        Self::Drop,
        Self::Duplicate,
        Self::Loss,
        Self::Reorder,
    ];

    /// Turned from the one to the other.
    pub(crate) const fn within(self, range: RangeInclusive<u32>) -> Dial {
        Dial { knob: self, range }
    }

    /// As on the command line, without the dashes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Backlog => "backlog",
            Self::Buffer => "buffer",
            Self::Count => "count",
            Self::Delay => "delay",
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Loss => "loss",
            Self::Reorder => "reorder",
        }
    }
}

/// A knob that a procedure has, and how far it can be turned there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dial {
    pub knob: Knob,
    /// In the unit of the command line: percent, milliseconds, or a number of something.
    pub range: RangeInclusive<u32>,
}

impl Dial {
    /// True if the knob can be turned to there.
    pub(crate) fn allows(&self, at: f64) -> bool {
        (f64::from(*self.range.start())..=f64::from(*self.range.end())).contains(&at)
    }
}

/// Where the knobs stand; those that are unset are where the lab wants them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Knobs {
    /// Connections that wait for `accept(2)`: the second argument of `listen(2)`.
    pub backlog: Option<u16>,
    /// Octets that one `recv(2)` can take.
    pub buffer: Option<u32>,
    /// How often something is done; what it is depends on the lab.
    pub count: Option<u32>,
    /// How long a packet takes from one host to the other.
    pub delay: Option<Duration>,
    /// The packets, counted from 1 in the order they are sent, that the link loses for certain.
    pub drop: Vec<u32>,
    /// Of a hundred packets, how many come twice.
    pub duplicate: Option<f64>,
    /// Of a hundred packets, how many the link loses.
    pub loss: Option<f64>,
    /// Of a hundred packets, how many are held back so that the next ones overtake them.
    pub reorder: Option<f64>,
}

impl Knobs {
    /// Those that were turned.
    pub(crate) fn turned(&self) -> Vec<Knob> {
        Knob::ALL.into_iter().filter(|knob| !self.of(*knob).is_empty()).collect()
    }

    /// Where it stands, in the unit of the command line; nowhere if it is unset.
    pub(crate) fn of(&self, knob: Knob) -> Vec<f64> {
        let one = match knob {
            Knob::Backlog => self.backlog.map(f64::from),
            Knob::Buffer => self.buffer.map(f64::from),
            Knob::Count => self.count.map(f64::from),
            Knob::Delay => self.delay.map(milliseconds),
            Knob::Drop => return self.drop.iter().copied().map(f64::from).collect(),
            Knob::Duplicate => self.duplicate,
            Knob::Loss => self.loss,
            Knob::Reorder => self.reorder,
        };
        one.into_iter().collect()
    }
}

/// Not by way of seconds, so that 29 ms are 29 and not 29.000000000000004.
fn milliseconds(time: Duration) -> f64 {
    let seconds = u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
    f64::from(seconds) * 1e3 + f64::from(time.subsec_nanos()) / 1e6
}

/// What a run is made with, on whatever engine.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Setting {
    /// From which all chance comes.
    pub seed: u64,
    pub knobs: Knobs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_known_by_its_name() {
        for engine in Engine::ALL {
            assert_eq!(engine.name().parse(), Ok(engine));
        }
        assert_eq!("simulator".parse::<Engine>(), Err(UnknownEngine));
    }

    #[test]
    fn the_knobs_that_were_turned_are_known() {
        assert_eq!(Knobs::default().turned(), []);
        let knobs = Knobs { drop: vec![2], loss: Some(0.0), ..Knobs::default() };
        assert_eq!(knobs.turned(), [Knob::Drop, Knob::Loss]);
        assert_eq!((knobs.of(Knob::Drop), knobs.of(Knob::Delay)), (vec![2.0], vec![]));
    }

    #[test]
    fn a_delay_is_told_as_it_was_asked_for() {
        for asked in [0.0, 0.5, 29.0, 57.0, 1000.25, 60_000.0] {
            let delay = Some(Duration::from_secs_f64(asked / 1e3));
            assert_eq!(Knobs { delay, ..Knobs::default() }.of(Knob::Delay), [asked]);
        }
    }
}
