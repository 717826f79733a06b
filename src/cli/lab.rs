//! Runs `daytime lab`.

mod ask;
mod capture;
mod class;
mod files;
mod grade;
mod quiz;
pub(super) mod reports;
mod sheet;

use super::args::{Lab, LabCommand, LabRun, usage_of_lab_run as usage};
use super::failure::Failure;
use super::output::LongText;
use super::progress::Progress;
use super::{print_exactly, print_json, print_paged, width};
use crate::lab::{self, Engine, LABS, LabError, Obstacle, Procedure, Report, Setting};
use crate::report::lab::{self as report, Detail, FinishedRun, NextSteps};
use crate::report::ladder::Form;
use crate::sys;
use files::Files;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn run(arguments: &Lab, quiet: bool) -> Result<ExitCode, Failure> {
    match &arguments.command {
        LabCommand::List { json } => {
            if *json {
                print_json(&report::json::list(LABS))?;
            } else {
                print_paged(&report::list(LABS))?;
            }
            Ok(ExitCode::SUCCESS)
        }
        LabCommand::Run(run) => run_labs(run, quiet),
        LabCommand::Sheet(arguments) => sheet::write_sheets(arguments),
        LabCommand::Key(arguments) => sheet::print_key(arguments),
        LabCommand::Grade(arguments) => grade::run(arguments),
        LabCommand::Quiz(arguments) => quiz::write(arguments),
    }
}

fn run_labs(arguments: &LabRun, quiet: bool) -> Result<ExitCode, Failure> {
    let setting = arguments.setting();
    let runs = match planned(arguments, &setting) {
        Ok(runs) => runs,
        Err(error) => {
            // If standard error is closed, only the exit status shows the error.
            let _ = usage(&error.to_string()).print();
            return Ok(ExitCode::from(2));
        }
    };
    if arguments.asks() && arguments.csv {
        let _ = usage(CSV_HAS_NO_ANSWERS).print();
        return Ok(ExitCode::from(2));
    }
    // Answers that cannot be used must leave no file.
    let answers =
        if arguments.asks() { Some(ask::file::answers(&runs, &setting, arguments)?) } else { None };
    let files = Files::open(arguments, runs.len())?;
    if runs.iter().any(|(_, procedure)| procedure.engine == Engine::Netns) {
        permit_namespaces(&files.folders(arguments));
    }
    if let Some(answers) = answers {
        return ask::run(runs, &setting, &answers, &files, arguments, quiet);
    }
    let text = LongText::of(runs.len());
    let progress = Progress::start_named(quiet, runs.len());
    let output = Output { arguments, form: form(arguments), progress, text };
    let status = run_planned(runs, &setting, &files, &output);
    output.progress.finish();
    may_stop(output.text.finish(), &files)?;
    status
}

/// The message that says why `--csv` excludes `--ask`.
const CSV_HAS_NO_ANSWERS: &str = "--ask cannot be used with --csv, which has a line for each finding and none for answers: use --json";

/// The labs to run, in order, each with its procedure.
type PlannedRuns = Vec<(&'static lab::Lab, &'static Procedure)>;

/// Runs the labs one after another, and prints each result.
fn run_planned(
    runs: PlannedRuns,
    setting: &Setting,
    files: &Files<'_>,
    output: &Output<'_>,
) -> Result<ExitCode, Failure> {
    let (count, arguments) = (runs.len(), output.arguments);
    let mut done = Vec::new();
    for (number, (lab, procedure)) in runs.into_iter().enumerate() {
        let name = format!("{} on {}", lab.name, procedure.engine);
        output.progress.begin(number, count, &name);
        let printed = output
            .print_text(|| report::before_run(lab, procedure, setting, arguments.detail(), number));
        if may_stop(printed, files)? {
            return Ok(status(arguments, &done));
        }
        let began = Instant::now();
        let report = lab::run_and_compare(lab, procedure, setting);
        if number + 1 == count {
            output.progress.finish(); // no lab runs while the last result is printed
        }
        let finished = files.write(report, began.elapsed(), None)?;
        let report = &finished.report;
        let printed = output.print_text(|| {
            report::after_run(report, arguments.detail(), output.form)
                + &report::next(report, next_steps(arguments))
                + &hint(arguments, [report].into_iter().filter(|_| count == 1))
                + &report::captures(&finished)
                + &report::reports(&finished)
        });
        done.push(finished);
        if may_stop(printed, files)? {
            return Ok(status(arguments, &done));
        }
    }
    output.progress.finish();
    files.write_index(&done)?;
    may_stop(output.print_result(&done), files)?;
    Ok(status(arguments, &done))
}

/// Enters a user namespace if this process needs one to create network namespaces. Call this function while the process
/// has only one thread. If the system refuses, the labs report the reason.
///
/// In a user namespace, root cannot write to other users' directories. So if capture files go to such a directory, root
/// does not enter a user namespace even if it lacks the capabilities for network namespaces.
pub(super) fn permit_namespaces(folders: &[&Path]) {
    let is_foreign = |folder: &&&Path| folder.metadata().is_ok_and(|it| it.uid() != 0);
    match folders.iter().find(is_foreign) {
        Some(folder) if sys::is_root() && !sys::may_set_up_networks() => {
            let folder = folder.display();
            lab::refuse_namespaces(format!(
                "root lacks a capability for networks here (CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, \
                 CAP_NET_RAW), and in a user namespace it could not write to {folder}, which is another user's: give \
                 root the capability, or name a folder of its own"
            ));
        }
        _ => drop(lab::permit_namespaces()),
    }
}

/// Returns the labs to run. `all` means each lab on each engine. With `--ask`, each lab runs only on its first engine,
/// so that questions are not repeated.
fn planned(arguments: &LabRun, setting: &Setting) -> Result<PlannedRuns, LabError> {
    let is_all = arguments.is_all();
    let engines_of_one = if is_all && !arguments.asks() { usize::MAX } else { 1 };
    let labs: Vec<&lab::Lab> = if is_all {
        lab::all()
            .filter(|lab| arguments.engine.is_none_or(|it| lab.procedure_on(it).is_some()))
            .collect()
    } else {
        arguments.names.iter().filter_map(|name| lab::find(name)).collect()
    };
    let mut runs = Vec::new();
    for lab in labs {
        let engines = match arguments.engine {
            Some(engine) => vec![engine],
            None => lab.engines().take(engines_of_one).collect(),
        };
        for engine in engines {
            runs.push((lab, lab.procedure(engine, setting, |name| format!("--{name}"))?));
        }
    }
    Ok(runs)
}

/// Whether the run may stop, because standard output has no reader and the user wants no files.
fn may_stop(printed: Result<(), Failure>, files: &Files<'_>) -> Result<bool, Failure> {
    match printed {
        Err(Failure::OutputClosed) => Ok(!files.are_wanted()),
        printed => printed.map(|()| false),
    }
}

fn form(arguments: &LabRun) -> Form {
    if arguments.text { Form::List } else { Form::Ladder(width()) }
}

/// Returns how much of the report section TRY NEXT to print. With `--answers`, the section is printed even if the
/// report is not detailed.
fn next_steps(arguments: &LabRun) -> NextSteps {
    match arguments {
        LabRun { answers: true, .. } => NextSteps::WithAnswers,
        run if run.detail() == Detail::Explained => NextSteps::Questions,
        _ => NextSteps::Hidden,
    }
}

/// A run's output, and the arguments that determine its format.
struct Output<'a> {
    arguments: &'a LabRun,
    form: Form,
    progress: Progress,
    text: LongText,
}

impl Output<'_> {
    /// Prints text while labs run. Does nothing for JSON and CSV, which are printed after the last lab.
    fn print_text(&self, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.arguments {
            LabRun { json: false, csv: false, .. } => {
                self.progress.above(|| self.text.print(&text()))
            }
            _ => Ok(()),
        }
    }

    /// Prints the output that needs the results of all labs.
    fn print_result(&self, done: &[FinishedRun]) -> Result<(), Failure> {
        match self.arguments {
            LabRun { json: true, .. } => print_json(&report::json::runs(done)),
            LabRun { csv: true, .. } => print_exactly(&report::csv(done)),
            _ if done.len() > 1 => {
                let hint = hint(self.arguments, done.iter().map(|it| &it.report));
                self.text.print(&(report::summary(done) + &hint))
            }
            _ => Ok(()),
        }
    }
}

/// Returns a line about `--ask`, if one of these labs has questions. The brief report has no room for this line.
fn hint<'a>(arguments: &LabRun, mut reports: impl Iterator<Item = &'a Report>) -> String {
    let is_shown = arguments.detail() != Detail::Brief;
    let has_questions = |it: &&Report| !it.lab.text.questions.is_empty();
    match reports.find(has_questions).filter(|_| is_shown) {
        Some(report) => report::ask::hint(report.lab.name),
        None => String::new(),
    }
}

/// Returns the exit status for failure if a result differs from its prediction or a lab did not run. A missing engine
/// counts as a failure only for a lab that the user named.
fn status(arguments: &LabRun, done: &[FinishedRun]) -> ExitCode {
    let is_good = |report: &Report| match report.outcome {
        Err(Obstacle::Missing(_)) => arguments.is_all(),
        _ => report.is_as_predicted(),
    };
    if done.iter().all(|it| is_good(&it.report)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
