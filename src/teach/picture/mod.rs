//! Pictures of traces as SVG: hosts are vertical lines, time runs downwards to scale, and packets are slanted arrows.
//!
//! A picture is made in four steps. [`events`] lists a trace's content and chooses the events to draw. [`scale`]
//! converts times to heights. [`layout`] positions all text. A template writes the result. With the attributes
//! `data-…`, a checker can compute every height from its time (`docs/reports.md`).

mod axis;
mod bands;
mod calls;
pub(crate) mod events;
mod frame;
mod items;
mod labels;
mod layout;
pub(crate) mod number;
mod scale;
mod slices;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use events::{Events, ShownPacket, usual_flight};
pub(crate) use items::CallLine;
pub(crate) use layout::Lettered;
pub(crate) use slices::{Slice, SliceLimits};
pub(crate) use view::{Picture, Style, standalone};
