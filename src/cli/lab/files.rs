//! Files that `daytime lab run` writes.

use super::capture::Captures;
use super::reports::Reports;
use crate::cli::args::LabRun;
use crate::cli::failure::Failure;
use crate::lab::Report;
use crate::lab::question::verdict::AnsweredQuestion;
use crate::report::lab::FinishedRun;
use std::path::Path;
use std::time::Duration;

/// The files that a command writes: capture files, reports and pictures.
pub(super) struct Files<'a> {
    captures: Option<Captures<'a>>,
    reports: Reports<'a>,
}

impl<'a> Files<'a> {
    /// Opens the folders for the files of this number of runs.
    pub(super) fn open(arguments: &'a LabRun, runs: usize) -> Result<Self, Failure> {
        let LabRun { pcapng, html, svg, .. } = arguments;
        Ok(Self {
            captures: pcapng.as_deref().map(Captures::open).transpose()?,
            reports: Reports::open(html.as_deref(), svg.as_deref(), runs)?,
        })
    }

    /// Returns the folders that output files are written to.
    pub(super) fn folders(&self, arguments: &'a LabRun) -> Vec<&Path> {
        arguments.pcapng.as_deref().into_iter().chain(self.reports.folders()).collect()
    }

    /// Whether the user asked for any file.
    pub(super) fn are_wanted(&self) -> bool {
        self.captures.is_some() || self.reports.are_wanted()
    }

    /// Writes the files of a run that has just ended.
    pub(super) fn write(
        &self,
        report: Report,
        took: Duration,
        answers: Option<Vec<AnsweredQuestion>>,
    ) -> Result<FinishedRun, Failure> {
        let captures = self.captures.as_ref().map(|it| it.write(&report)).transpose()?;
        let html = self.reports.write_html(&report, answers.as_deref())?;
        let pictures = self.reports.write_svg(&report)?;
        Ok(FinishedRun { report, took, captures, answers, html, pictures })
    }

    /// Writes the index of all reports, if they are in a folder.
    pub(super) fn write_index(&self, done: &[FinishedRun]) -> Result<(), Failure> {
        self.reports.write_index(done)
    }
}
