//! Runs `daytime lab run --ask`. The student predicts, the lab runs, and the student observes and reads the verdict.

pub(super) mod file;
mod screen;
mod terminal;

use super::{Files, PlannedRuns, form, next_steps, status};
use crate::cli::args::LabRun;
use crate::cli::failure::Failure;
use crate::cli::print_json;
use crate::cli::progress::Progress;
use crate::lab::question::verdict::AnsweredQuestion;
use crate::lab::{self, Lab, Procedure, Report, Setting};
use crate::report::lab::ask::{self as text, Phase, Position};
use crate::report::lab::{self as report, Detail, FinishedRun};
use screen::{Screen, TO_LESSON, TO_QUESTIONS};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use terminal::Prompt;

/// The answers of each run; `None` if a student at the terminal answers.
pub(super) type Answers = Option<Vec<Vec<AnsweredQuestion>>>;

/// Runs the labs one after another, with questions to the student before and after each.
pub(super) fn run(
    runs: PlannedRuns,
    setting: &Setting,
    answers: &Answers,
    files: &Files<'_>,
    arguments: &LabRun,
    quiet: bool,
) -> Result<ExitCode, Failure> {
    let screen = Screen::of(arguments, answers.is_some());
    let (is_asking, is_alone) = (answers.is_none(), runs.len() == 1);
    let session = Session { arguments, setting, files, screen, is_asking, is_alone, quiet };
    let (mut done, mut ended) = (Vec::new(), Ok(()));
    for (number, (lab, procedure)) in runs.into_iter().enumerate() {
        let answers = match answers {
            Some(all) => all.get(number).cloned().unwrap_or_default(),
            None => unanswered(lab, procedure, setting),
        };
        let began = if number == 0 { Ok(()) } else { session.wait_before(lab) };
        match began.and_then(|()| session.run(lab, procedure, number, answers)) {
            Ok(run) => done.push(run),
            Err(failure) => {
                ended = Err(failure);
                break;
            }
        }
    }
    session.print_result(&done)?;
    files.write_index(&done)?;
    ended.map(|()| status(arguments, &done))
}

fn unanswered(
    lab: &'static Lab,
    procedure: &Procedure,
    setting: &Setting,
) -> Vec<AnsweredQuestion> {
    let unanswered = |question| AnsweredQuestion { question, prediction: None, observation: None };
    lab.questions(procedure, setting).into_iter().map(unanswered).collect()
}

/// Settings common to all runs of one command.
struct Session<'a> {
    arguments: &'a LabRun,
    setting: &'a Setting,
    files: &'a Files<'a>,
    screen: Screen,
    /// Whether a student at the terminal answers. Otherwise the answers come from a file.
    is_asking: bool,
    /// Whether the command runs only one lab.
    is_alone: bool,
    quiet: bool,
}

impl Session<'_> {
    /// Waits until the student has read the lesson of the previous lab.
    fn wait_before(&self, lab: &Lab) -> Result<(), Failure> {
        if self.is_asking && terminal::pause(self.screen, "the next lab")? {
            let name = lab.name();
            return Err(Failure::Message(format!("stopped before {name}: the input has ended")));
        }
        Ok(())
    }

    /// Takes the predictions, runs one lab, and takes the observations.
    fn run(
        &self,
        lab: &'static Lab,
        procedure: &'static Procedure,
        number: usize,
        mut answers: Vec<AnsweredQuestion>,
    ) -> Result<FinishedRun, Failure> {
        let setting = self.setting;
        self.print(&report::before_run(lab, procedure, setting, Detail::Usual, number))?;
        self.print(&text::method(lab, procedure, setting))?;
        if answers.is_empty() {
            self.print(&text::no_questions())?;
        } else if self.is_asking {
            self.predict(lab, procedure, &mut answers)?;
        }
        let (report, took) = self.perform(lab, procedure);
        if report.outcome.is_err() {
            self.print(&text::not_run(&report))?;
        } else {
            self.observe(&report, &mut answers)?;
        }
        let run = self.files.write(report, took, Some(answers))?;
        self.print(&report::captures(&run))?;
        self.print(&report::reports(&run))?;
        Ok(run)
    }

    fn print(&self, text: &str) -> Result<(), Failure> {
        self.go_on(self.screen.print(text))
    }

    /// Ignores the error that standard output is closed, if no student answers at the terminal and the run still has
    /// files to write.
    fn go_on(&self, printed: Result<(), Failure>) -> Result<(), Failure> {
        match printed {
            Err(Failure::OutputClosed) if !self.is_asking && self.files.are_wanted() => Ok(()),
            printed => printed,
        }
    }

    fn predict(
        &self,
        lab: &'static Lab,
        procedure: &Procedure,
        answers: &mut [AnsweredQuestion],
    ) -> Result<(), Failure> {
        let instructions = text::instructions(answers);
        let (values, count) = ((procedure.values)(self.setting), answers.len());
        for (index, answer) in answers.iter_mut().enumerate() {
            let prompt = Prompt {
                question: answer.question,
                values: &values,
                phase: Phase::Prediction,
                position: Position { number: index + 1, count },
                lab: lab.name(),
                introduction: if index == 0 { &instructions } else { "" },
                observations: "",
            };
            answer.prediction = prompt.ask(self.screen)?;
        }
        Ok(())
    }

    /// Runs the lab. Returns the report and the duration of the run.
    fn perform(&self, lab: &'static Lab, procedure: &'static Procedure) -> (Report, Duration) {
        let progress = Progress::start_named(self.quiet || self.screen == Screen::Nowhere, 1);
        progress.begin(0, 1, &format!("{} on {}", lab.name(), procedure.engine));
        let began = Instant::now();
        let report = lab::run_and_compare(lab, procedure, self.setting);
        progress.finish();
        (report, began.elapsed())
    }

    /// Shows the run, takes the observations, and prints the verdict for each question and the lesson.
    fn observe(&self, report: &Report, answers: &mut [AnsweredQuestion]) -> Result<(), Failure> {
        let (screen, detail) = (self.screen, self.arguments.detail());
        let observations = text::observations(report, detail, form(self.arguments));
        let after = if answers.is_empty() { TO_LESSON } else { TO_QUESTIONS };
        self.go_on(screen.show(&observations, after))?;
        let (values, count) = ((report.procedure.values)(&report.setting), answers.len());
        for (index, answer) in answers.iter_mut().enumerate() {
            let phase = if self.is_asking { Phase::Observation } else { Phase::Verdict };
            let (question, position) = (answer.question, Position { number: index + 1, count });
            let prompt = Prompt {
                question,
                values: &values,
                phase,
                position,
                lab: report.lab.name(),
                introduction: "",
                observations: &observations,
            };
            if self.is_asking {
                answer.observation = prompt.ask(screen)?;
            } else {
                self.print(&text::question(question, &values, phase, position))?;
            }
            self.print(&text::verdict(answer, report, detail))?;
        }
        if self.is_asking && count > 0 {
            // All answers have been given, so an end of input here does not stop the command.
            terminal::pause(screen, "the score")?;
        }
        self.print(&text::debrief(answers, report, detail))?;
        self.print(&report::next(report, next_steps(self.arguments)))?;
        // With several labs, the next one follows at once.
        if self.is_alone { self.print_way_on(report.lab) } else { Ok(()) }
    }

    fn print_way_on(&self, lab: &Lab) -> Result<(), Failure> {
        self.print(&text::go_on(lab, next_steps(self.arguments)))
    }

    /// Prints the output that needs the results of all labs.
    fn print_result(&self, done: &[FinishedRun]) -> Result<(), Failure> {
        if done.is_empty() {
            return Ok(());
        }
        if self.arguments.json {
            let printed = print_json(&report::json::runs(done));
            return self.go_on(printed);
        }
        let [_, .., last] = done else { return Ok(()) };
        self.print(&report::summary(done))?;
        self.print_way_on(last.report.lab)
    }
}
