//! What a run is made with: the engine, the seed, and the knobs that a student turns.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// What the hosts, their sockets and the network between them are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
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

/// Where the knobs stand; those that are unset are where the lab wants them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub(crate) struct Knobs {
    /// Connections that wait for `accept(2)`: the second argument of `listen(2)`.
    pub backlog: Option<u16>,
    /// Octets that one `recv(2)` can take.
    pub buffer: Option<usize>,
    /// How often something is done; what it is depends on the lab.
    pub count: Option<u32>,
    /// How long a packet takes from one host to the other.
    pub delay: Option<Duration>,
    /// The packets, counted from 1 in the order they are sent, that the link loses for certain.
    pub drop: Vec<u64>,
    /// The share of packets that come twice, from 0 to 1.
    pub duplicate: Option<f64>,
    /// The share of packets that the link loses, from 0 to 1.
    pub loss: Option<f64>,
    /// The share of packets that are held back so that the next ones overtake them, from 0 to 1.
    pub reorder: Option<f64>,
}

impl Knobs {
    /// Those that were turned.
    pub(crate) fn turned(&self) -> Vec<Knob> {
        let is_turned = |knob: &Knob| match knob {
            Knob::Backlog => self.backlog.is_some(),
            Knob::Buffer => self.buffer.is_some(),
            Knob::Count => self.count.is_some(),
            Knob::Delay => self.delay.is_some(),
            Knob::Drop => !self.drop.is_empty(),
            Knob::Duplicate => self.duplicate.is_some(),
            Knob::Loss => self.loss.is_some(),
            Knob::Reorder => self.reorder.is_some(),
        };
        Knob::ALL.into_iter().filter(is_turned).collect()
    }
}

/// What a run is made with.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub(crate) struct Setting {
    pub engine: Engine,
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
    }
}
