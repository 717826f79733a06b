//! Which labs there are.

use crate::lab::{Engine, Lab, LabOption};
use crate::report::page::{Columns, PLAIN, Page, STRONG};

const COLUMNS: Columns<3> = Columns(0, [12, 21, 43]);

/// A table of them.
pub(crate) fn list(labs: &[&Lab]) -> String {
    let mut page = Page::default();
    let heads = ["lab", "engines", "question; what can be changed"];
    page.row(&COLUMNS, heads.map(|head| (STRONG, head)));
    for lab in labs {
        let engines: Vec<&str> = lab.engines().map(Engine::name).collect();
        let about = format!("{}\n{}", lab.text.question, options(lab));
        page.row(&COLUMNS, [lab.name, &engines.join(", "), &about].map(|cell| (PLAIN, cell)));
    }
    page.finish()
}

/// Which options there are; with the engine, where it is not the same on each.
fn options(lab: &Lab) -> String {
    let values = LabOption::ALL.iter().copied().filter_map(|option| {
        let on: Vec<&str> = lab.engines_with(option).map(Engine::name).collect();
        match on.len() {
            0 => None,
            all if all == lab.procedures.len() => Some(format!("--{}", option.name())),
            _ => Some(format!("--{} ({})", option.name(), on.join(", "))),
        }
    });
    values.collect::<Vec<_>>().join(" ")
}
