//! The laboratory: experiments that show how TCP streams differ from UDP datagrams. Each experiment runs over both.
//!
//! A [`Lab`] answers one question. It runs on one or more [`Engine`]s with a [`Setting`]. Before a run, the lab
//! predicts the results from theory. The [`Report`] compares the predictions with the observations, and contains the
//! [`Trace`] of each exchange. Labs on [`Engine::Sim`] need no sockets and no privileges, and a run is reproducible to
//! the octet: the same setting gives the same trace. If the features `client` and `server` are not both enabled, only
//! the labs on `Engine::Sim` exist. They run on every target, including WebAssembly.
//!
//! ```
//! use daytime::Transport;
//! use daytime::lab::{self, Engine, Setting, Value};
//!
//! let lab = lab::find("loss").expect("a lab of that name");
//! let report = lab.run(Engine::Sim, &Setting::default().loss(50.0).count(100))?;
//! assert!(report.is_as_predicted());
//! let share = report.finding(Transport::Udp, "random: reply in 1 try").expect("a finding");
//! assert!(matches!(share.observed(), Some(Value::Share { share }) if *share < 0.5));
//! # Ok::<(), lab::LabError>(())
//! ```
//!
//! [`Report`] and [`Lab`] serialize to the JSON that `daytime lab run --json` and `daytime lab list --json` print;
//! `docs/LAB_JSON.md` describes every key.

/// Compiles the examples in `docs/LAB_JSON.md` as documentation tests.
#[cfg(all(doctest, feature = "client", feature = "server"))]
#[doc = include_str!("../../docs/LAB_JSON.md")]
struct JsonPage;

mod analysis;
mod error;
mod experiments;
mod finding;
pub(crate) mod lesson;
mod link;
#[cfg(all(feature = "client", feature = "server"))]
mod loopback;
mod markdown;
#[cfg(all(feature = "client", feature = "server"))]
mod netns;
mod packet;
mod plan;
pub(crate) mod question;
mod recorder;
mod report;
mod setting;
mod sim;
mod text;

pub use crate::trace::{Trace, TraceAction, TraceEvent};
pub use error::LabError;
pub use finding::{Expected, Finding, Value, Verdict};
#[cfg(all(feature = "client", feature = "server"))]
pub use netns::permit_namespaces;
#[cfg(all(feature = "client", feature = "server"))]
pub(crate) use netns::refuse_namespaces;
pub use report::Report;
pub use setting::{Engine, OptionRange, Setting};

pub(crate) use error::Obstacle;
pub(crate) use finding::Prediction;
pub(crate) use lesson::{Comparand, Ground, Lesson, Requirement};
pub(crate) use question::Question;
pub(crate) use report::Outcome;
pub(crate) use setting::{LabOption, LabOptions};
pub(crate) use text::{LabText, Program, Values, fill};

use crate::duration::Unit;
use crate::transport::Transport;
use std::sync::LazyLock;

/// An experiment that answers one question about streams and datagrams.
#[derive(Debug)]
pub struct Lab {
    /// Name on the command line, such as `loss`.
    pub(crate) name: &'static str,
    /// The lab's text, from its page in `docs/labs`.
    pub(crate) text: LazyLock<LabText>,
    /// Unit of every predicted or observed time, on every engine.
    pub(crate) time_unit: Unit,
    /// The lab's procedures, one for each engine that it runs on. The first engine is the default.
    pub(crate) procedures: &'static [Procedure],
}

/// The procedure by which a lab runs on one engine: options, predictions and the experiment itself.
#[derive(Debug)]
pub(crate) struct Procedure {
    pub engine: Engine,
    /// Whether a run with this setting draws random numbers. If it does, the seed affects the result.
    pub uses_seed: fn(&Setting) -> bool,
    /// Options that the procedure accepts, with their ranges.
    pub options: &'static [OptionRange],
    /// Returns the option values to insert into the description of the method.
    pub values: fn(&Setting) -> Values,
    /// Predicts the observations from the setting alone.
    pub predict: fn(&Setting) -> Vec<Prediction>,
    pub run: fn(&Setting, &mut Results) -> Result<(), Obstacle>,
}

impl Lab {
    /// The name, such as `loss`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The question that the lab answers.
    #[must_use]
    pub fn question(&'static self) -> &'static str {
        &self.text.question
    }

    /// The engines that the lab runs on, the default engine first.
    pub fn engines(&self) -> impl Iterator<Item = Engine> {
        self.procedures.iter().map(|procedure| procedure.engine)
    }

    /// The options that the lab accepts on an engine, with their ranges; empty if the lab does not run on the engine.
    ///
    /// ```
    /// use daytime::lab::{self, Engine};
    ///
    /// let loss = lab::find("loss").expect("a lab of that name");
    /// let options = loss.options(Engine::Sim);
    /// assert_eq!((options[0].name(), options[0].range()), ("loss", &(0..=100)));
    /// ```
    #[must_use]
    pub fn options(&self, engine: Engine) -> &'static [OptionRange] {
        self.procedure_on(engine).map_or(&[], |procedure| procedure.options)
    }

    /// Runs the lab, and compares its observations with the predictions. The call blocks until the run ends. On
    /// [`Engine::Sim`], a run with the default options takes milliseconds, and a larger count makes it proportionally
    /// longer. On the other engines a run takes up to a minute, or longer if a long delay is set.
    ///
    /// # Errors
    /// [`LabError::is_usage`]: the lab does not run on this engine, or rejects an option or its value.
    /// [`LabError::is_unavailable`]: this system lacks something that the engine needs. Any other error means that a
    /// system call failed or that an event did not happen in time.
    ///
    /// ```
    /// use daytime::lab::{self, Engine, Setting, Verdict};
    ///
    /// let exchange = lab::find("exchange").expect("a lab of that name");
    /// let report = exchange.run(Engine::Sim, &Setting::default())?;
    /// assert_eq!(report.findings().len(), 6);
    /// assert!(report.findings().iter().all(|it| it.verdict() == Verdict::AsPredicted));
    ///
    /// let loss = lab::find("loss").expect("a lab of that name");
    /// let error = loss.run(Engine::Loopback, &Setting::default()).expect_err("not there");
    /// assert!(error.is_usage());
    /// assert!(error.to_string().contains("loopback") && error.to_string().contains("sim"));
    /// # Ok::<(), lab::LabError>(())
    /// ```
    pub fn run(&'static self, engine: Engine, setting: &Setting) -> Result<Report, LabError> {
        let procedure = self.procedure(engine, setting, str::to_owned)?;
        let report = run_and_compare(self, procedure, setting);
        match report.outcome {
            Ok(_) => Ok(report),
            Err(obstacle) => Err(LabError(obstacle)),
        }
    }

    /// Returns the lab's procedure for this engine; `None` if the lab does not run on the engine.
    pub(crate) fn procedure_on(&self, engine: Engine) -> Option<&'static Procedure> {
        self.procedures.iter().find(|procedure| procedure.engine == engine)
    }

    /// Returns the questions that make sense for a run with this procedure and setting.
    pub(crate) fn questions(
        &'static self,
        procedure: &Procedure,
        setting: &Setting,
    ) -> Vec<&'static Question> {
        let predictions = (procedure.predict)(setting);
        let all = self.text.questions.iter();
        all.filter(|it| it.applies(procedure.engine, &predictions)).collect()
    }

    /// Describes the lab's method, with this setting's option values inserted.
    pub(crate) fn method(&self, procedure: &Procedure, setting: &Setting) -> String {
        self.text.method(procedure.engine, &(procedure.values)(setting))
    }
}

impl Procedure {
    /// Creates a procedure without options and without random numbers.
    pub(crate) const fn new(
        engine: Engine,
        predict: fn(&Setting) -> Vec<Prediction>,
        run: fn(&Setting, &mut Results) -> Result<(), Obstacle>,
    ) -> Self {
        Self { engine, uses_seed: |_| false, options: &[], values: |_| Vec::new(), predict, run }
    }

    /// Adds options, and the function that returns their values to insert into the description of the method.
    pub(crate) const fn with(
        self,
        options: &'static [OptionRange],
        values: fn(&Setting) -> Values,
    ) -> Self {
        Self { options, values, ..self }
    }

    /// Runs the procedure. On `loopback`, first checks that the loopback interface is up.
    pub(crate) fn perform(&self, setting: &Setting) -> Result<Results, Obstacle> {
        #[cfg(all(feature = "client", feature = "server"))]
        if self.engine == Engine::Loopback {
            loopback::require_loopback()?;
        }
        let mut results = Results::default();
        (self.run)(setting, &mut results)?;
        Ok(results)
    }

    /// Returns the findings that theory fixes on every system, without a run: first with the lowest expected values, then
    /// with the highest ones. A comparison that holds for both holds on every system, because no question compares two
    /// ranges (a test checks this).
    #[cfg(feature = "teach")]
    pub(crate) fn certain_findings(&self, setting: &Setting) -> [Vec<Finding>; 2] {
        let is_certain = |it: &Prediction| it.varies.is_none();
        let certain: Vec<_> = (self.predict)(setting).into_iter().filter(is_certain).collect();
        [Expected::lowest, Expected::highest].map(|end| {
            let observe = |it: &Prediction| {
                let (transport, what) = (it.transport, it.what.to_owned());
                end(&it.expected).map(|value| Observation { transport, what, value: value.clone() })
            };
            let observed: Vec<_> = certain.iter().filter_map(observe).collect();
            finding::compare(certain.clone(), &observed)
        })
    }

    /// Returns the seed; `None` if the run draws no random numbers.
    pub(crate) fn seed(&self, setting: &Setting) -> Option<u64> {
        (self.uses_seed)(setting).then_some(setting.seed)
    }

    /// Returns the range of an option; `None` if the procedure does not accept the option.
    pub(crate) fn range_of(&self, option: LabOption) -> Option<&OptionRange> {
        self.options.iter().find(|range| range.option == option)
    }
}

/// The results of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// Parts of the run whose traces the report draws as ladder diagrams.
    pub parts: Vec<Part>,
    /// Observations from the run. Each has the same transport and name as its [`Prediction`].
    pub observed: Vec<Observation>,
}

/// A part of a run, usually one exchange between a client and a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Part {
    /// The transport of the exchange.
    pub transport: Transport,
    /// Name of this part of the run, such as `one client at a time`. Empty if there is only one part for the transport.
    pub name: String,
    /// Events recorded in this part of the run, in chronological order.
    pub trace: Trace,
}

/// An observed value, with its transport and name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Observation {
    pub transport: Transport,
    pub what: String,
    pub value: Value,
}

impl Results {
    /// Records an observed value.
    pub(crate) fn observe(&mut self, transport: Transport, what: &str, value: impl Into<Value>) {
        self.observed.push(Observation { transport, what: what.to_owned(), value: value.into() });
    }

    /// Adds a part with this trace to the results, so that the report draws it.
    pub(crate) fn keep_trace(&mut self, transport: Transport, name: &str, trace: Trace) {
        self.parts.push(Part { transport, name: name.to_owned(), trace });
    }
}

/// All labs, in the order in which a course would use them.
pub(crate) static LABS: &[&Lab] = experiments::ALL;

/// Iterates over all labs, in the order in which a course would use them.
///
/// ```
/// let names: Vec<&str> = daytime::lab::all().map(daytime::lab::Lab::name).collect();
/// assert_eq!(names[0], "exchange");
/// ```
pub fn all() -> impl Iterator<Item = &'static Lab> {
    LABS.iter().copied()
}

/// Returns the lab with this name; `None` if there is no such lab.
///
/// ```
/// let loss = daytime::lab::find("loss").expect("a lab of that name");
/// assert!(loss.question().ends_with('?'));
/// assert!(daytime::lab::find("lost").is_none());
/// ```
#[must_use]
pub fn find(name: &str) -> Option<&'static Lab> {
    all().find(|lab| lab.name == name)
}

/// Predicts the results, runs the procedure, and compares the observations with the predictions.
pub(crate) fn run_and_compare(
    lab: &'static Lab,
    procedure: &'static Procedure,
    setting: &Setting,
) -> Report {
    let predictions = (procedure.predict)(setting);
    let outcome = procedure.perform(setting).map(|Results { parts, observed }| Outcome {
        findings: finding::compare(predictions, &observed),
        parts,
    });
    Report { lab, procedure, setting: setting.clone(), outcome }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// Width in columns of a finding's name in an 80-column table.
    const NAME: usize = 24;

    fn names(procedure: &Procedure) -> Vec<(Transport, &'static str)> {
        let predictions = (procedure.predict)(&Setting { seed: 1, options: LabOptions::default() });
        assert!(!predictions.is_empty());
        predictions.iter().map(|it| (it.transport, it.what)).collect()
    }

    /// Returns a setting with no option set, and three settings for each option: the option's minimum, its maximum, and
    /// 1000 or the nearest allowed value.
    fn settings(procedure: &Procedure) -> Vec<Setting> {
        let mut all = vec![LabOptions::default()];
        for OptionRange { option, values } in procedure.options {
            let (from, to) = (*values.start(), *values.end());
            for at in [from, 1000.clamp(from, to), to] {
                let (one, some) = (LabOptions::default(), Some(at));
                let (time, share) = (Duration::from_millis(at.into()), Some(f64::from(at)));
                all.push(match option {
                    LabOption::Backlog => LabOptions { backlog: u16::try_from(at).ok(), ..one },
                    LabOption::Buffer => LabOptions { buffer: some, ..one },
                    LabOption::Count => LabOptions { count: some, ..one },
                    LabOption::Delay => LabOptions { delay: Some(time), ..one },
                    LabOption::Drop => LabOptions { drop: vec![at], ..one },
                    LabOption::Duplicate => LabOptions { duplicate: share, ..one },
                    LabOption::Loss => LabOptions { loss: share, ..one },
                    LabOption::Reorder => LabOptions { reorder: share, ..one },
                });
            }
        }
        all.into_iter().map(|options| Setting { seed: 1, options }).collect()
    }

    #[test]
    fn every_page_has_what_is_done_on_each_engine_with_the_options_as_they_are_unless_set() {
        let setting = Setting { seed: 1, options: LabOptions::default() };
        for lab in LABS {
            for procedure in lab.procedures {
                let method = lab.method(procedure, &setting);
                let is_filled = !method.is_empty() && !method.contains('{');
                assert!(is_filled, "{} on {:?}: {method}", lab.name, procedure.engine);
                let page = lab.text.method(procedure.engine, &[]);
                for (name, value) in (procedure.values)(&setting) {
                    let is_shown = page.contains(&format!("{{{name}: {value}}}"));
                    let has_default = page.contains(&format!("{{{name}: "));
                    assert!(is_shown || !has_default, "{}: {name} is {value}: {page}", lab.name);
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
                    Requirement::Equal(Comparand::Finding(transport, what))
                    | Requirement::Exceed(Comparand::Finding(transport, what))
                    | Requirement::FallBelow(Comparand::Finding(transport, what)) => {
                        find((transport, what)).is_some()
                    }
                    Requirement::Equal(Comparand::Text(text)) => {
                        prediction.expected == Expected::is(text)
                    }
                    _ => true,
                }
            };
            for Lesson { says, rests_on } in &lab.text.lessons {
                let is_had = runs.iter().any(|run| rests_on.iter().all(|it| has(run, it)));
                // On a system that does not report queue lengths, the lab has no findings about them.
                let may_lack = !crate::sys::REPORTS_QUEUES;
                assert!(!rests_on.is_empty() && (is_had || may_lack), "{}: {says:?}", lab.name);
            }
        }
    }

    #[cfg(all(feature = "client", feature = "server"))]
    #[test]
    fn what_both_networks_show_has_the_same_names_on_both_and_they_fit_their_column() {
        for name in ["exchange", "loop", "silent"] {
            let lab = find(name).expect("a lab");
            let on = |engine| names(lab.procedure_on(engine).expect("it runs there"));
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
