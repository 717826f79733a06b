//! `daytime lab`.

mod capture;

use super::args::{Lab, LabCommand, LabRun};
use super::failure::Failure;
use super::progress::Progress;
use super::{print, width};
use crate::lab::{self, Engine, LABS, Obstacle, Report};
use crate::report::lab::{self as report, Detail, FinishedRun};
use capture::Captures;
use std::process::ExitCode;
use std::time::Instant;

pub(super) fn run(arguments: &Lab, quiet: bool) -> Result<ExitCode, Failure> {
    match &arguments.command {
        LabCommand::List(list) => {
            let json = || format!("{:#}\n", report::json::list(LABS));
            print(&if list.json { json() } else { report::list(LABS) })?;
            Ok(ExitCode::SUCCESS)
        }
        LabCommand::Run(run) => run_labs(run, quiet),
    }
}

fn run_labs(arguments: &LabRun, quiet: bool) -> Result<ExitCode, Failure> {
    let runs = match arguments.runs() {
        Ok(runs) => runs,
        Err(usage) => {
            // There is nowhere to tell that this failed.
            let _ = usage.print();
            return Ok(ExitCode::from(2));
        }
    };
    if runs.iter().any(|(_, procedure, _)| procedure.engine == Engine::Netns) {
        // While there is one thread. If the right cannot be had, the run says so.
        let _ = lab::permit_namespaces();
    }
    let captures = arguments.pcapng.as_deref().map(Captures::open).transpose()?;
    let progress = Progress::start_named(quiet, runs.len());
    let show = Show { arguments, width: width(), progress };
    let mut done = Vec::new();
    for (number, (lab, procedure, setting)) in runs.iter().enumerate() {
        let name = format!("{} on {}", lab.name, procedure.engine);
        show.progress.begin(number, runs.len(), &name);
        let told = show.text(|| report::before_run(lab, procedure, setting, show.detail(), number));
        if is_in_vain(told, captures.as_ref())? {
            return Ok(status(arguments, &done));
        }
        let began = Instant::now();
        let report = lab::run(lab, procedure, setting);
        let written = captures.as_ref().map(|it| it.write(&report)).transpose()?;
        let told = show.text(|| report::after_run(&report, show.detail(), show.width));
        done.push(FinishedRun { report, took: began.elapsed(), captures: written });
        let told = told.and_then(|()| show.text(|| report::captures(&done[number])));
        if is_in_vain(told, captures.as_ref())? {
            return Ok(status(arguments, &done));
        }
    }
    show.progress.finish();
    is_in_vain(show.result(&done), captures.as_ref())?;
    Ok(status(arguments, &done))
}

/// True if nobody reads and nothing else is to be done either.
fn is_in_vain(told: Result<(), Failure>, captures: Option<&Captures>) -> Result<bool, Failure> {
    match told {
        Err(Failure::OutputClosed) => Ok(captures.is_none()),
        told => told.map(|()| false),
    }
}

/// How results are shown.
struct Show<'a> {
    arguments: &'a LabRun,
    /// Columns of the screen.
    width: usize,
    progress: Progress,
}

impl Show<'_> {
    fn detail(&self) -> Detail {
        if self.arguments.explain { Detail::Explained } else { Detail::Brief }
    }

    /// Prints while labs run, which only text can do.
    fn text(&self, text: impl FnOnce() -> String) -> Result<(), Failure> {
        match self.arguments {
            LabRun { json: false, csv: false, .. } => self.progress.above(|| print(&text())),
            _ => Ok(()),
        }
    }

    /// Prints what can be told only when all have run.
    fn result(&self, done: &[FinishedRun]) -> Result<(), Failure> {
        match self.arguments {
            LabRun { json: true, .. } => print(&format!("{:#}\n", report::json::runs(done))),
            LabRun { csv: true, .. } => print(&report::csv(done)),
            _ if done.len() > 1 => print(&report::summary(done)),
            _ => Ok(()),
        }
    }
}

/// Bad if something differs, or could not be done. That an engine is missing here is bad only where
/// the lab was asked for by its name.
fn status(arguments: &LabRun, done: &[FinishedRun]) -> ExitCode {
    let is_good = |Report { outcome, .. }: &Report| match outcome {
        Ok(outcome) => outcome.is_as_predicted(),
        Err(Obstacle::Missing(_)) => arguments.is_all(),
        Err(_) => false,
    };
    if done.iter().all(|it| is_good(&it.report)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
