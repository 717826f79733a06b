//! The bank: draws the items of a lab for one student or one variant.
//!
//! Items with numbers, orders and packets come from a run on `sim` with drawn options. For labs that need real sockets
//! there are only claims that hold on every machine.

mod choices;
mod exchange;
mod explanation;
mod fields;
mod initial_numbers;
mod loop_;
mod loss;
mod order;
mod runs;
mod silent;
mod stale;
#[cfg(test)]
mod tests;

pub(crate) use runs::Runs;

use super::draw::Draw;
use super::item::Item;
use crate::lab::{Lab, Part, Report};
use runs::Drawn;
use std::rc::Rc;

/// The items of one lab on one sheet.
#[derive(Debug)]
pub(crate) struct LabItems {
    pub lab: &'static Lab,
    /// Sentences that name the drawn options. Empty for a lab without a run.
    pub options: Vec<String>,
    /// Command that runs the lab with the drawn options, for the observation. It never has a seed.
    pub command: String,
    /// The run that the items come from.
    pub report: Option<Rc<Report>>,
    renumbered: Option<Part>,
    pub items: Vec<Item>,
    /// Number of items that come from the run with the drawn options. They are the first ones.
    pub of_run: usize,
}

/// Draws the items of a lab.
pub(crate) fn draw_items(lab: &'static Lab, draw: &mut Draw, runs: &mut Runs) -> LabItems {
    let drawn = match lab.name {
        "exchange" => exchange::draw(draw, runs),
        "loop" => loop_::draw(draw, runs),
        "loss" => loss::draw(draw, runs),
        "silent" => silent::draw(draw, runs),
        "stale" => stale::draw(draw, runs),
        _ => None,
    };
    let Drawn { report, options, renumbered, items } = drawn.unwrap_or_default();
    let command = match &report {
        Some(report) => runs::command(report),
        None => format!("daytime lab run {}", lab.name),
    };
    let of_run = items.len();
    let items = items.into_iter().chain(choices::of(lab, draw, runs));
    let items = items.chain([explanation::of(lab)]).collect();
    LabItems { lab, options, command, report, renumbered, items, of_run }
}

impl LabItems {
    /// Iterates over the parts of the run, with the sequence numbers that the items show.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        let parts = self.report.as_ref().map_or(&[][..], |report| report.parts());
        parts.iter().map(|part| match &self.renumbered {
            Some(other) if (other.transport, &other.name) == (part.transport, &part.name) => other,
            _ => part,
        })
    }
}
