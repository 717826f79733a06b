//! Which labs there are.

use crate::lab::{Knob, Lab, Procedure};
use crate::report::page::{Columns, PLAIN, Page, STRONG};

const COLUMNS: Columns<3> = Columns(0, [12, 21, 43]);

/// A table of them.
pub(crate) fn list(labs: &[&Lab]) -> String {
    let mut page = Page::default();
    let heads = ["lab", "engines", "question; what can be changed"];
    page.row(&COLUMNS, heads.map(|head| (STRONG, head)));
    for lab in labs {
        let engines: Vec<&str> = lab.procedures.iter().map(|it| it.engine.name()).collect();
        let about = format!("{}\n{}", lab.text.question, knobs(lab));
        page.row(&COLUMNS, [lab.name, &engines.join(", "), &about].map(|cell| (PLAIN, cell)));
    }
    page.finish()
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
