//! Pictures of traces as SVG: hosts are vertical lines, time runs downwards to scale, and packets are slanted arrows.
//!
//! A picture is made in four steps. [`events`] lists what a trace contains, and chooses what is drawn. [`scale`] turns
//! times into heights. [`layout`] gives every text its place. A template writes the result. The attributes `data-…`
//! let a checker compute every height from its time (`docs/reports.md`).

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
#[cfg(test)]
mod tests;
mod view;

pub(crate) use events::{Events, ShownPacket, usual_flight};
pub(crate) use items::CallLine;
pub(crate) use view::{Picture, Style, standalone};
