//! Which labs there are.

use super::STRONG;
use crate::lab::{Knob, Lab};
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
        let engines: Vec<&str> = lab.engines.iter().map(|engine| engine.name()).collect();
        let knobs: Vec<String> =
            lab.knobs.iter().copied().map(|knob: Knob| format!("--{}", knob.name())).collect();
        let mut about = wrap(lab.question, QUESTION);
        if !knobs.is_empty() {
            about.extend(wrap(&knobs.join(" "), QUESTION));
        }
        let (mut name, mut engines) = (lab.name, engines.join(", "));
        for line in about {
            let row = format!("{name:NAME$}  {engines:ENGINES$}  {line}");
            let _ = writeln!(screen, "{}", row.trim_end());
            (name, engines) = ("", String::new());
        }
    }
    screen
}
