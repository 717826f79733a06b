//! Lab runs on `sim`. All students with the same options share one run.

use crate::lab::{self, Engine, Lab, LabOption, Part, Report, Setting};
use crate::teach::item::Item;
use std::rc::Rc;
use std::time::Duration;

/// The lab runs that are already done, kept so that later items can use them.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    done: Vec<Rc<Report>>,
    /// The right choices for each lab's questions, by the lab's name.
    decided: Vec<(&'static str, RightChoices)>,
}

/// For each of a lab's questions, the index of the right choice; `None` for a question that is left out.
pub(super) type RightChoices = Rc<[Option<usize>]>;

/// A lab's items, and the run from which they were created.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    pub report: Option<Rc<Report>>,
    pub options: Vec<String>,
    /// The part of the run whose sequence numbers were replaced by random ones; `None` if no item asks for sequence
    /// numbers.
    pub renumbered: Option<Part>,
    pub items: Vec<Item>,
}

impl Runs {
    /// Returns a lab's run on `sim` with this setting; `None` if the lab cannot run this way.
    pub(crate) fn get(&mut self, name: &str, setting: &Setting) -> Option<Rc<Report>> {
        let is_same = |run: &&Rc<Report>| run.lab().name() == name && run.setting == *setting;
        if let Some(run) = self.done.iter().find(is_same) {
            return Some(Rc::clone(run));
        }
        let run = Rc::new(lab::find(name)?.run(Engine::Sim, setting).ok()?);
        self.done.push(Rc::clone(&run));
        Some(run)
    }

    /// Returns the right choices for a lab's questions. Computes them only once per lab, because making predictions can
    /// be slow.
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

/// Converts a time to milliseconds.
pub(super) fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Returns the command line that repeats a run. Leaves out `--count`, which sheets set only to keep their runs short.
pub(super) fn command(report: &Report) -> String {
    let mut command = format!("daytime lab run {}", report.lab().name());
    let options = &report.setting.options;
    for option in options.given().into_iter().filter(|it| *it != LabOption::Count) {
        let values: Vec<String> = options.of(option).iter().map(f64::to_string).collect();
        command.extend([" --", option.name(), " ", &values.join(",")]);
    }
    command
}
