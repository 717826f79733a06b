//! Runs of labs on `sim`, each done once for all students with the same options.

use crate::lab::{self, Engine, Lab, LabOption, Part, Report, Setting};
use crate::teach::item::Item;
use std::rc::Rc;
use std::time::Duration;

/// The runs done so far.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    done: Vec<Rc<Report>>,
    /// The right choice of each question, by the name of the lab.
    decided: Vec<(&'static str, RightChoices)>,
}

/// The index of the right choice of each question of a lab; `None` for a question that is left out.
pub(super) type RightChoices = Rc<[Option<usize>]>;

/// The items of a lab, with the run that they come from.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub report: Option<Rc<Report>>,
    pub options: Vec<String>,
    /// The part of the run with drawn sequence numbers; `None` if no item asks for them.
    pub renumbered: Option<Part>,
    pub items: Vec<Item>,
}

impl Runs {
    /// Returns the run of a lab on `sim` with this setting; `None` if the lab does not run so.
    pub(crate) fn get(&mut self, name: &str, setting: &Setting) -> Option<Rc<Report>> {
        let is_same = |run: &&Rc<Report>| run.lab().name() == name && run.setting == *setting;
        if let Some(run) = self.done.iter().find(is_same) {
            return Some(Rc::clone(run));
        }
        let run = Rc::new(lab::find(name)?.run(Engine::Sim, setting).ok()?);
        self.done.push(Rc::clone(&run));
        Some(run)
    }

    /// Returns the right choices of a lab's questions. Predictions may take long, so they are made once.
    pub(super) fn decided(
        &mut self,
        lab: &'static Lab,
        decide: fn(&'static Lab, &mut Self) -> Vec<Option<usize>>,
    ) -> RightChoices {
        if let Some((_, right)) = self.decided.iter().find(|(name, _)| *name == lab.name()) {
            return Rc::clone(right);
        }
        let right: RightChoices = decide(lab, self).into();
        self.decided.push((lab.name(), Rc::clone(&right)));
        right
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
        command.extend([" --", option.name(), " ", &values.join(",")]);
    }
    command
}
