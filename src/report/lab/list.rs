//! Which labs there are.

use super::STRONG;
use crate::lab::{Knob, Lab, Procedure};
use crate::report::table::wrap;
use std::fmt::Write;

const NAME: usize = 12;
const ENGINES: usize = 21;
const QUESTION: usize = 80 - NAME - 2 - ENGINES - 2;

/// A table of them, 80 columns wide.
pub(crate) fn list(labs: &[&Lab]) -> String {
    let mut screen = String::new();
    let columns = format!("{:NAME$}  {:ENGINES$}  question; what can be changed", "lab", "engines");
    // Writing to a String cannot fail.
    let _ = writeln!(screen, "{STRONG}{columns}{STRONG:#}");
    for lab in labs {
        let engines: Vec<&str> = lab.procedures.iter().map(|it| it.engine.name()).collect();
        let mut about = wrap(&lab.text.question, QUESTION);
        about.extend(wrap(&knobs(lab), QUESTION));
        let (mut name, mut engines) = (lab.name, engines.join(", "));
        for line in about {
            let row = format!("{name:NAME$}  {engines:ENGINES$}  {line}");
            let _ = writeln!(screen, "{}", row.trim_end());
            (name, engines) = ("", String::new());
        }
    }
    screen
}

/// What can be turned; with the engine, where it is not the same on each.
fn knobs(lab: &Lab) -> String {
    let has = |knob: Knob| move |it: &&Procedure| it.dial(knob).is_some();
    let told = Knob::ALL.into_iter().filter_map(|knob| {
        let on: Vec<&str> =
            lab.procedures.iter().filter(has(knob)).map(|it| it.engine.name()).collect();
        match on.len() {
            0 => None,
            all if all == lab.procedures.len() => Some(format!("--{}", knob.name())),
            _ => Some(format!("--{} ({})", knob.name(), on.join(", "))),
        }
    });
    told.collect::<Vec<_>>().join(" ")
}
