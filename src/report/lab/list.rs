//! Formats the table of labs for `daytime lab list`.

use crate::lab::{Engine, Lab, LabOption};
use crate::report::page::{Columns, PLAIN, Page, STRONG};

const COLUMNS: Columns<4> = Columns(0, [10, 12, 15, 37]);

/// Returns a table of these labs with their names, levels, minutes, engines, questions and options.
pub(crate) fn list(labs: &[&Lab]) -> String {
    let mut page = Page::default();
    let heads = ["lab", "level, time", "engines", "question; options of the lab"];
    page.row(&COLUMNS, heads.map(|head| (STRONG, head)));
    for lab in labs {
        let engines: Vec<&str> = lab.engines().map(Engine::name).collect();
        let about = [lab.text.question.clone(), options(lab)].join("\n");
        let level = format!("{}\n{} min", lab.text.level, lab.text.minutes);
        // A lab that has no options gets no line for them.
        let cells = [lab.name, &level, &engines.join(", "), about.trim_end()];
        page.row(&COLUMNS, cells.map(|cell| (PLAIN, cell)));
    }
    page.finish()
}

/// Returns a lab's options. If only some of the lab's engines accept an option, their names follow the option in
/// brackets.
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
