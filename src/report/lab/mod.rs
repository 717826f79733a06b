//! Formats a lab run as text: the question, the ladder diagrams, the table of predictions and observations, and the
//! lesson.

pub(crate) mod ask;
mod brief;
mod csv;
pub(crate) mod deciding;
pub(crate) mod drawings;
pub(crate) mod file_name;
pub(crate) mod json;
mod list;
mod next;
pub(crate) mod observed;
pub(crate) mod phrases;
mod summary;

pub(crate) use csv::csv;
pub(crate) use list::list;
pub(crate) use next::{NextSteps, next};
pub(crate) use summary::summary;

use super::ladder::Form;
use super::page::{BAD, GOOD, NOTE, Page, STRONG, WIDTH, wrap};
use super::{chain, escaped, plural};
use crate::lab::question::verdict::AnsweredQuestion;
use crate::lab::{Engine, Finding, Lab, Obstacle, Procedure, Program, Report, Setting, Verdict};
use crate::sys;
use anstyle::Style;
use std::path::PathBuf;
use std::time::Duration;

/// How much to print about a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// The question, the table and the lesson, on one screen of 80 columns and 24 lines.
    Brief,
    /// As `Brief`, and also the engine, the ladder diagrams, and all predictions in the table.
    Usual,
    /// As `Usual`, and also the theory with its sources, the method, and how other systems differ.
    Explained,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    pub report: Report,
    pub took: Duration,
    /// The capture files written; `None` if the user did not request any.
    pub captures: Option<Vec<PathBuf>>,
    /// The questions of `--ask` with the student's answers; `None` without `--ask`.
    pub answers: Option<Vec<AnsweredQuestion>>,
    /// Path of the HTML report; `None` if the user did not request one.
    pub html: Option<PathBuf>,
    /// Paths of the pictures; `None` if the user did not request any.
    pub pictures: Option<Vec<PathBuf>>,
}

/// Returns the text to print before a run: the question, the engine and, with [`Detail::Explained`], the theory.
/// `number` is the number of earlier runs.
pub(crate) fn before_run(
    lab: &Lab,
    procedure: &Procedure,
    setting: &Setting,
    detail: Detail,
    number: usize,
) -> String {
    let mut page = Page::default();
    if number > 0 {
        page.line("");
    }
    let name = match detail {
        Detail::Brief => name_with_conditions(lab, procedure, setting),
        Detail::Usual | Detail::Explained => lab.name.to_owned(),
    };
    for line in wrap(&format!("{name}: {}", lab.text.question), WIDTH) {
        page.line(format_args!("{STRONG}{line}{STRONG:#}"));
    }
    if detail == Detail::Brief {
        return page.finish();
    }
    conditions(&mut page, lab, procedure, setting);
    if detail == Detail::Explained {
        theory(&mut page, lab);
        page.heading("WHAT IS DONE");
        page.paragraph(2, &lab.method(procedure, setting));
        programs(&mut page, &lab.text.programs);
    }
    page.finish()
}

/// Writes the theory with its sources.
fn theory(page: &mut Page, lab: &Lab) {
    page.heading("THEORY");
    for theory in &lab.text.theory {
        page.paragraph(2, &format!("{} ({}).", theory.says, theory.source));
    }
}

/// Returns the facts that a reader needs to repeat the run, on one line: `loss on sim, seed 867, --loss 50`.
fn name_with_conditions(lab: &Lab, procedure: &Procedure, setting: &Setting) -> String {
    let name = format!("{} on {}", lab.name, procedure.engine);
    let seed = procedure.seed(setting).map(|seed| format!("seed {seed}"));
    let options = phrases::options(&setting.options);
    let options = (!options.is_empty()).then(|| options.join(" "));
    [Some(name), seed, options].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Writes a run's engine, seed and options, one line each.
fn conditions(page: &mut Page, lab: &Lab, procedure: &Procedure, setting: &Setting) {
    page.line(format_args!("  engine   {}", engine(procedure.engine)));
    if procedure.engine == Engine::Loopback {
        page.line(format_args!("  drawn    {}", drawn_on_loopback(lab)));
    }
    if let Some(seed) = procedure.seed(setting) {
        page.line(format_args!("  seed     {seed}"));
    }
    let options = phrases::options(&setting.options);
    if !options.is_empty() {
        page.line(format_args!("  options  {}", options.join(" ")));
    }
}

/// Returns a note that says what diagrams show on loopback, and which engine's diagrams show packets.
fn drawn_on_loopback(lab: &Lab) -> &'static str {
    if lab.procedure_on(Engine::Netns).is_some() {
        "system calls; --engine netns draws the packets (Linux)"
    } else {
        "system calls; a lab on loopback records no packets"
    }
}

/// Returns the text to print after a run: its results, with the traces drawn in this form.
pub(crate) fn after_run(report: &Report, detail: Detail, form: Form) -> String {
    let mut page = Page::default();
    if let Err(obstacle) = &report.outcome {
        page.heading("NOT RUN");
        page.paragraph(2, &not_run(obstacle));
        return page.finish();
    }
    if detail == Detail::Brief {
        brief::table(&mut page, report);
        page.line("");
        lesson(&mut page, report, "- ");
        return page.finish();
    }
    what_happened(&mut page, report, form);
    observed::observed(&mut page, report.findings(), report.lab.time_unit);
    page.heading("LESSON");
    lesson(&mut page, report, "  ");
    if detail == Detail::Explained {
        page.heading("ELSEWHERE");
        page.paragraph(2, &report.lab.text.other_systems);
    }
    page.finish()
}

/// Writes the diagrams of all parts, and the differences between the engine and a real host, which all concern TCP
/// states.
fn what_happened(page: &mut Page, report: &Report, form: Form) {
    if report.parts().is_empty() {
        return;
    }
    page.heading("WHAT HAPPENED");
    page.line(drawings::drawings(report, form).trim_end_matches('\n'));
    if drawings::leave_out_states(report.lab) {
        return;
    }
    for remark in report.remarks() {
        page.line("");
        page.paragraph(2, &remark);
    }
}

/// Writes the sentences that the findings support. Each sentence begins with `mark`, which is two columns wide.
fn lesson(page: &mut Page, report: &Report, mark: &str) {
    let none = "None: the observations support no sentence of this lab's lesson.";
    let mut lessons: Vec<&str> = report.lesson().collect();
    if lessons.is_empty() {
        lessons.push(none);
    }
    for sentence in lessons {
        marked(page, mark, sentence);
    }
}

/// Writes wrapped text. The first line begins with a mark, and the other lines are indented by the mark's width.
fn marked(page: &mut Page, mark: &str, text: &str) {
    let width = mark.chars().count();
    for (number, line) in wrap(text, WIDTH - width).iter().enumerate() {
        let mark = if number == 0 { mark } else { "" };
        page.line(format_args!("{mark:width$}{line}"));
    }
}

/// Writes the source text of the programs that a lab examines.
fn programs(page: &mut Page, programs: &[Program]) {
    for Program { name, text } in programs {
        page.heading(&format!("PROGRAM {name}"));
        for line in text.lines() {
            page.line(format!("  {line}").trim_end());
        }
    }
}

/// Lists the capture files, or says why there are none. Returns an empty string if `--pcapng` is not set.
pub(crate) fn captures(done: &FinishedRun) -> String {
    let Some(captures) = &done.captures else { return String::new() };
    let mut page = Page::default();
    page.heading("CAPTURED");
    if captures.is_empty() {
        let why = match (&done.report.outcome, done.report.procedure.engine) {
            (Err(_), _) => "no file: the lab did not run".to_owned(),
            (Ok(_), Engine::Loopback) => {
                let lab = done.report.lab;
                let netns = lab.procedure_on(Engine::Netns).map_or("", |_| "; try --engine netns");
                format!("no file: a lab on loopback records no packets{netns}")
            }
            (Ok(_), Engine::Sim | Engine::Netns) => "no file: the lab sent no packets".to_owned(),
        };
        page.paragraph(2, &why);
    }
    for path in captures {
        page.line(format_args!("  {}", escaped(&path.display().to_string())));
    }
    page.finish()
}

/// Returns the list of the reports and pictures that a run wrote; empty if neither `--html` nor `--svg` is set.
pub(crate) fn reports(done: &FinishedRun) -> String {
    let pictures = done.pictures.iter().flatten();
    let written: Vec<&PathBuf> = done.html.iter().chain(pictures).collect();
    let mut page = Page::default();
    if done.html.is_none() && done.pictures.is_none() {
        return page.finish();
    }
    page.heading("REPORT");
    if written.is_empty() {
        page.paragraph(2, "no picture: the lab did not run, or drew nothing");
    }
    for path in written {
        page.line(format_args!("  {}", escaped(&path.display().to_string())));
    }
    page.finish()
}

/// Describes the engine, with the kernel's version if the engine uses the real kernel.
pub(crate) fn engine(engine: Engine) -> String {
    let here = || sys::release().map(|release| format!(", {release}")).unwrap_or_default();
    match engine {
        Engine::Sim => "sim: simulated hosts on a simulated link, in virtual time".to_owned(),
        Engine::Loopback => format!("loopback: real sockets on this host{}", here()),
        Engine::Netns => format!("netns: real sockets in network namespaces{}", here()),
    }
}

pub(crate) fn not_run(obstacle: &Obstacle) -> String {
    escaped(&chain(obstacle))
}

/// Returns the verdict on a run, or the reason why it did not complete, with the style to print it in.
pub(crate) fn ending(report: &Report) -> (Style, String) {
    match &report.outcome {
        Ok(outcome) => ending_of(&outcome.findings.iter()),
        Err(obstacle @ Obstacle::Missing(_)) => {
            (NOTE, format!("cannot run here: {}", not_run(obstacle)))
        }
        Err(obstacle) => (BAD, format!("failed: {}", not_run(obstacle))),
    }
}

/// Returns one overall verdict for several findings, with the style to print it in.
fn ending_of<'a>(findings: &(impl Iterator<Item = &'a Finding> + Clone)) -> (Style, String) {
    let count = |verdict| findings.clone().filter(|it| it.verdict == verdict).count();
    let of = plural(findings.clone().count() as u64, "finding");
    match (count(Verdict::Differs), count(Verdict::Varies)) {
        (0, 0) => (GOOD, "as predicted".to_owned()),
        (0, varies) => (NOTE, format!("varies here: {varies} of {of}")),
        (differs, _) => (BAD, format!("differs: {differs} of {of}")),
    }
}

#[cfg(test)]
mod tests;
