//! A socket below the transports.

use crate::duration::Unit;
use crate::lab::Lab;
use crate::lab::netns::runs::raw as netns;

pub(super) static LAB: Lab = Lab {
    name: "raw",
    text: page!("raw"),
    time_unit: Unit::Milliseconds,
    procedures: &[netns::PROCEDURE],
};
