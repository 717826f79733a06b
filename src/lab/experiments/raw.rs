//! A socket below the transports.

mod netns;

use crate::duration::Unit;
use crate::lab::Lab;

pub(super) static LAB: Lab = Lab {
    name: "raw",
    text: page!("raw"),
    time_unit: Unit::Milliseconds,
    procedures: &[netns::PROCEDURE],
};
