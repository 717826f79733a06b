//! Runs of labs on `sim`, each done once for all students with the same options.

use crate::lab::{self, Engine, LabOption, Report, Setting};
use crate::teach::item::Item;
use std::rc::Rc;
use std::time::Duration;

/// The runs done so far.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<Rc<Report>>);

/// The items of a lab, with the run that they come from.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub report: Option<Rc<Report>>,
    pub options: Vec<String>,
    pub items: Vec<Item>,
}

impl Runs {
    /// Returns the run of a lab on `sim` with this setting; `None` if the lab does not run so.
    pub(crate) fn get(&mut self, name: &str, setting: &Setting) -> Option<Rc<Report>> {
        let is_same = |run: &&Rc<Report>| run.lab().name() == name && run.setting == *setting;
        if let Some(run) = self.0.iter().find(is_same) {
            return Some(Rc::clone(run));
        }
        let run = Rc::new(lab::find(name)?.run(Engine::Sim, setting).ok()?);
        self.0.push(Rc::clone(&run));
        Some(run)
    }
}

/// Returns a time of a whole number of milliseconds, as a number.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the command line of a run. The count is left out: it only makes the runs of a sheet short.
pub(super) fn command(report: &Report) -> String {
    let mut command = format!("daytime lab run {}", report.lab().name());
    let options = &report.setting.options;
    for option in options.given().into_iter().filter(|it| *it != LabOption::Count) {
        let values: Vec<String> = options.of(option).iter().map(f64::to_string).collect();
        command += &format!(" --{} {}", option.name(), values.join(","));
    }
    command
}
