//! The laboratory: experiments that show how a stream differs from a datagram, each over both.
//!
//! A [`Lab`] asks one question. Its [`Procedure`] for an [`Engine`] first predicts what will be observed
//! ([`Prediction`]), without having run anything, then runs and observes; what was observed is held against what was
//! predicted here, not in the lab, so no lab can agree with itself by accident.

mod experiments;
mod finding;
pub(crate) mod lesson;
mod link;
mod loopback;
mod netns;
mod packet;
mod recorder;
mod seen;
mod setting;
mod sim;
mod text;

pub(crate) use finding::{Expected, Finding, Prediction, Value, Verdict};
pub(crate) use lesson::{Ground, Lesson, Must, Other};
pub(crate) use netns::permit as permit_namespaces;
pub(crate) use setting::{Dial, Engine, Knob, Knobs, Setting};
pub(crate) use text::{Next, Program, Text, Theory, Values};

use crate::duration::{Unit, short};
use crate::trace::Trace;
use crate::transport::Transport;
use std::sync::LazyLock;
use std::time::Duration;

/// An experiment.
#[derive(Debug)]
pub(crate) struct Lab {
    /// As it is asked for.
    pub name: &'static str,
    /// What the lab says, from its page in `docs/labs`.
    pub text: LazyLock<Text>,
    /// The unit of every time that is predicted or observed, on every engine.
    pub time_unit: Unit,
    /// How it is done, one for each engine it runs on; the first is taken unless told otherwise.
    pub procedures: &'static [Procedure],
}

/// How a lab is done on an engine.
#[derive(Debug)]
pub(crate) struct Procedure {
    pub engine: Engine,
    /// Whether a run with these options draws anything by chance, so that the seed decides what comes out.
    pub draws: fn(&Setting) -> bool,
    /// What can be turned, and how far.
    pub knobs: &'static [Dial],
    /// The options as they are, for their places in the text of what is done.
    pub values: fn(&Setting) -> Values,
    /// What will be observed, from the setting alone.
    pub predict: fn(&Setting) -> Vec<Prediction>,
    pub run: fn(&Setting) -> Result<Run, Obstacle>,
}

impl Lab {
    /// How it is done on this engine, if it is.
    pub(crate) fn on(&self, engine: Engine) -> Option<&'static Procedure> {
        self.procedures.iter().find(|procedure| procedure.engine == engine)
    }

    /// What is done, with the options as they are.
    pub(crate) fn method(&self, procedure: &Procedure, setting: &Setting) -> String {
        self.text.method(procedure.engine, &(procedure.values)(setting))
    }
}

/// For a procedure without chance.
pub(crate) fn draws_nothing(_: &Setting) -> bool {
    false
}

/// For a procedure whose text has no options.
pub(crate) fn no_values(_: &Setting) -> Values {
    Vec::new()
}

impl Procedure {
    /// The seed, if anything is drawn from it.
    pub(crate) fn seed(&self, setting: &Setting) -> Option<u64> {
        (self.draws)(setting).then_some(setting.seed)
    }

    /// How far a knob can be turned, if it is there.
    pub(crate) fn dial(&self, knob: Knob) -> Option<&Dial> {
        self.knobs.iter().find(|dial| dial.knob == knob)
    }
}

/// What a run gave.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// What happened, for each part that is worth a drawing.
    pub parts: Vec<Part>,
    /// What was observed; for each [`Prediction`] the one of the same transport and name.
    pub observed: Vec<Observation>,
}

/// A part of a run: one exchange, usually.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub transport: Transport,
    /// Such as `with SO_REUSEADDR`; empty where there is one part for the transport.
    pub name: String,
    pub trace: Trace,
}

/// Something observed.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observation {
    pub transport: Transport,
    pub what: String,
    pub value: Value,
}

impl Run {
    /// Notes something observed.
    pub(crate) fn saw(&mut self, transport: Transport, what: &str, value: impl Into<Value>) {
        self.observed.push(Observation { transport, what: what.to_owned(), value: value.into() });
    }

    /// Keeps a trace for drawing.
    pub(crate) fn show(&mut self, transport: Transport, name: &str, trace: Trace) {
        self.parts.push(Part { transport, name: name.to_owned(), trace });
    }
}

/// Why a lab did not run to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Obstacle {
    /// This system lacks something that the engine needs: says what, and what to do about it.
    #[error("{0}")]
    Missing(String),
    /// A call failed that had to succeed.
    #[error("cannot {0}")]
    Failed(String, #[source] std::io::Error),
    /// It took too long, which is no observation.
    #[error("{0} did not happen within {time}", time = short(*.1))]
    TooLate(String, Duration),
}

/// A run with its findings.
#[derive(Debug)]
pub(crate) struct Report {
    pub lab: &'static Lab,
    pub procedure: &'static Procedure,
    pub setting: Setting,
    pub outcome: Result<Outcome, Obstacle>,
}

impl Report {
    /// The seed, if anything was drawn from it.
    pub(crate) fn seed(&self) -> Option<u64> {
        self.procedure.seed(&self.setting)
    }

    /// What a reader of the drawings must know: where the engine differs from a real host.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let parts = self.outcome.as_ref().map_or(&[][..], |outcome| &outcome.parts);
        match self.procedure.engine {
            Engine::Sim => sim::remarks(parts),
            Engine::Loopback | Engine::Netns => Vec::new(),
        }
    }
}

/// What came out where nothing was in the way.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub findings: Vec<Finding>,
    pub parts: Vec<Part>,
}

impl Outcome {
    /// The sentences of a lab's lesson that this run bears out.
    pub(crate) fn lessons(&self, lab: &'static Lab) -> Vec<&'static Lesson> {
        lab.text.lessons.iter().filter(|lesson| lesson.holds(&self.findings)).collect()
    }

    /// True unless something differs that is not known to vary.
    pub(crate) fn is_as_predicted(&self) -> bool {
        self.findings.iter().all(|finding| !matches!(finding.verdict, Verdict::Differs))
    }
}

/// Every lab, in the order of the course.
pub(crate) static LABS: &[&Lab] = experiments::ALL;

/// The lab of that name.
pub(crate) fn find(name: &str) -> Option<&'static Lab> {
    LABS.iter().copied().find(|lab| lab.name == name)
}

/// Predicts, runs, and holds one against the other.
pub(crate) fn run(lab: &'static Lab, procedure: &'static Procedure, setting: &Setting) -> Report {
    let predictions = (procedure.predict)(setting);
    let outcome = (procedure.run)(setting).map(|Run { parts, observed }| Outcome {
        findings: finding::compare(predictions, &observed),
        parts,
    });
    Report { lab, procedure, setting: setting.clone(), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns that a finding's name has in a table of 80.
    const NAME: usize = 24;

    fn names(procedure: &Procedure) -> Vec<(Transport, &'static str)> {
        let predictions = (procedure.predict)(&Setting { seed: 1, knobs: Knobs::default() });
        assert!(!predictions.is_empty());
        predictions.iter().map(|it| (it.transport, it.what)).collect()
    }

    /// None of a procedure's options, then each at its ends and at 1000.
    fn settings(procedure: &Procedure) -> Vec<Setting> {
        let mut all = vec![Knobs::default()];
        for Dial { knob, range } in procedure.knobs {
            let (from, to) = (*range.start(), *range.end());
            for at in [from, 1000.clamp(from, to), to] {
                let (one, some) = (Knobs::default(), Some(at));
                let (time, share) = (Duration::from_millis(at.into()), Some(f64::from(at)));
                all.push(match knob {
                    Knob::Backlog => Knobs { backlog: u16::try_from(at).ok(), ..one },
                    Knob::Buffer => Knobs { buffer: some, ..one },
                    Knob::Count => Knobs { count: some, ..one },
                    Knob::Delay => Knobs { delay: Some(time), ..one },
                    Knob::Drop => Knobs { drop: vec![at], ..one },
                    Knob::Duplicate => Knobs { duplicate: share, ..one },
                    Knob::Loss => Knobs { loss: share, ..one },
                    Knob::Reorder => Knobs { reorder: share, ..one },
                });
            }
        }
        all.into_iter().map(|knobs| Setting { seed: 1, knobs }).collect()
    }

    #[test]
    fn every_page_has_what_is_done_on_each_engine_with_the_options_as_they_are_unless_set() {
        let setting = Setting { seed: 1, knobs: Knobs::default() };
        for lab in LABS {
            for procedure in lab.procedures {
                let method = lab.method(procedure, &setting);
                let is_filled = !method.is_empty() && !method.contains('{');
                assert!(is_filled, "{} on {:?}: {method}", lab.name, procedure.engine);
                let page = lab.text.method(procedure.engine, &[]);
                for (name, value) in (procedure.values)(&setting) {
                    let is_shown = page.contains(&format!("{{{name}: {value}}}"));
                    let is_said = page.contains(&format!("{{{name}: "));
                    assert!(is_shown || !is_said, "{}: {name} is {value}: {page}", lab.name);
                }
            }
        }
    }

    #[test]
    fn every_sentence_of_a_lesson_rests_on_findings_that_one_run_has() {
        for lab in LABS {
            let predict =
                |procedure: &Procedure| settings(procedure).iter().map(procedure.predict).collect();
            let runs: Vec<Vec<Prediction>> =
                lab.procedures.iter().map(predict).collect::<Vec<Vec<_>>>().concat();
            let has = |run: &[Prediction], ground: &Ground| {
                let find =
                    |of: (Transport, &str)| run.iter().find(|it| (it.transport, it.what) == of);
                let Some(prediction) = find((ground.transport, ground.what)) else { return false };
                match ground.must {
                    Must::Equal(Other::Finding(transport, what))
                    | Must::Exceed(Other::Finding(transport, what)) => {
                        find((transport, what)).is_some()
                    }
                    Must::Equal(Other::Text(text)) => {
                        prediction.expected == Expected::Is(text.into())
                    }
                    _ => true,
                }
            };
            for Lesson { says, rests_on } in &lab.text.lessons {
                let is_had = runs.iter().any(|run| rests_on.iter().all(|it| has(run, it)));
                // A system that reports no queues has no findings about them.
                let may_lack = !crate::sys::QUEUES_ARE_TOLD;
                assert!(!rests_on.is_empty() && (is_had || may_lack), "{}: {says:?}", lab.name);
            }
        }
    }

    #[test]
    fn what_both_networks_show_has_the_same_names_on_both_and_they_fit_their_column() {
        for name in ["exchange", "loop", "silent"] {
            let lab = find(name).expect("a lab");
            let on = |engine| names(lab.on(engine).expect("it runs there"));
            assert_eq!(on(Engine::Sim), on(Engine::Netns), "{name}");
        }
        let of_networks = LABS.iter().flat_map(|lab| lab.procedures);
        for procedure in of_networks.filter(|it| it.engine != Engine::Loopback) {
            for (_, what) in names(procedure) {
                assert!(what.chars().count() <= NAME, "{what}");
            }
        }
    }
}
