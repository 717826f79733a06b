//! The item bank: generates a lab's items for one student, or for one variant of a quiz.
//!
//! Items that ask for numbers, orders or packet fields come from a run on `sim` with randomly drawn options. Labs that
//! need real sockets get only items about facts that hold on every machine.

mod choices;
mod exchange;
mod explanation;
mod fields;
mod initial_numbers;
mod loop_;
mod loss;
mod mistakes;
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

/// One lab's items on one sheet.
#[derive(Debug)]
pub(crate) struct LabItems {
    pub lab: &'static Lab,
    /// Sentences that name the drawn options. Empty for a lab that was not run.
    pub options: Vec<String>,
    /// Command that runs the lab with the drawn options, so that the student can observe the result. The command never
    /// sets a seed.
    pub command: String,
    /// The run from which the items were created.
    pub report: Option<Rc<Report>>,
    renumbered: Option<Part>,
    pub items: Vec<Item>,
    /// Number of items that come from the run with the drawn options. These items are the first ones in the list.
    pub of_run: usize,
}

/// Generates a lab's items.
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
