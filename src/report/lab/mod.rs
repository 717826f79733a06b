//! A run of a lab as text: the question, the drawings, the table of predictions and observations, and the lesson.

#[cfg_attr(not(feature = "teach"), allow(dead_code, reason = "without `teach` no student answers"))]
pub(crate) mod ask;
mod brief;
mod csv;
mod deciding;
mod drawings;
pub(crate) mod json;
mod list;
mod next;
mod observed;
mod phrases;
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

/// How much of a run is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// Question, table and lesson, on one screen of 80 columns and 24 lines.
    Brief,
    /// Also the engine and the drawings.
    Usual,
    /// Also theory with its sources, the method, and other systems.
    Explained,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    pub report: Report,
    pub took: Duration,
    /// The capture files; `None` if the user asked for none.
    pub captures: Option<Vec<PathBuf>>,
    /// The questions of `--ask` with the student's answers; `None` without `--ask`.
    pub answers: Option<Vec<AnsweredQuestion>>,
}

/// Returns the beginning of a run's screen: the question, the engine, and the theory if it is asked for. `number` counts
/// the runs before this one.
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
    conditions(&mut page, procedure, setting);
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

/// Returns what a reader needs to repeat the run, in a few words: `loss on sim, seed 867, --loss 50`.
fn name_with_conditions(lab: &Lab, procedure: &Procedure, setting: &Setting) -> String {
    let name = format!("{} on {}", lab.name, procedure.engine);
    let seed = procedure.seed(setting).map(|seed| format!("seed {seed}"));
    let options = phrases::options(&setting.options);
    let options = (!options.is_empty()).then(|| options.join(" "));
    [Some(name), seed, options].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Writes the engine, the seed and the options of a run, one line each.
fn conditions(page: &mut Page, procedure: &Procedure, setting: &Setting) {
    page.line(format_args!("  engine   {}", engine(procedure.engine)));
    if procedure.engine == Engine::Loopback {
        page.line(format_args!("  drawn    system calls, {NO_PACKETS}"));
    }
    if let Some(seed) = procedure.seed(setting) {
        page.line(format_args!("  seed     {seed}"));
    }
    let options = phrases::options(&setting.options);
    if !options.is_empty() {
        page.line(format_args!("  options  {}", options.join(" ")));
    }
}

/// Why a lab on loopback shows no packets.
const NO_PACKETS: &str = "since capturing packets would need root (CAP_NET_RAW)";

/// Returns the result of the run, with its drawings in this form.
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

/// Writes the drawings of all parts, and remarks on them.
fn what_happened(page: &mut Page, report: &Report, form: Form) {
    if report.parts().is_empty() {
        return;
    }
    page.heading("WHAT HAPPENED");
    page.line(drawings::drawings(report, form).trim_end_matches('\n'));
    for remark in report.remarks() {
        page.line("");
        page.paragraph(2, &remark);
    }
}

/// Writes the sentences that the findings support. A mark begins each sentence.
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

/// Writes a text in wrapped lines. A mark begins the first line, and the others are indented by its width.
fn marked(page: &mut Page, mark: &str, text: &str) {
    let width = mark.chars().count();
    for (number, line) in wrap(text, WIDTH - width).iter().enumerate() {
        let mark = if number == 0 { mark } else { "" };
        page.line(format_args!("{mark:width$}{line}"));
    }
}

/// Writes the programs that a lab is about.
fn programs(page: &mut Page, programs: &[Program]) {
    for Program { name, text } in programs {
        page.heading(&format!("PROGRAM {name}"));
        for line in text.lines() {
            page.line(format!("  {line}").trim_end());
        }
    }
}

/// Returns the list of the capture files, or the reason why there are none. Without `--pcapng` the text is empty.
pub(crate) fn captures(done: &FinishedRun) -> String {
    let Some(captures) = &done.captures else { return String::new() };
    let mut page = Page::default();
    page.heading("CAPTURED");
    if captures.is_empty() {
        let why = match (&done.report.outcome, done.report.procedure.engine) {
            (Err(_), _) => "no file: the lab did not run".to_owned(),
            (Ok(_), Engine::Loopback) => {
                format!("no file: a lab on loopback records no packets, {NO_PACKETS}")
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

/// Describes the engine, with the version of the kernel if it is a real one.
fn engine(engine: Engine) -> String {
    let here = || sys::release().map(|release| format!(", {release}")).unwrap_or_default();
    match engine {
        Engine::Sim => "sim: simulated hosts on a simulated link, in virtual time".to_owned(),
        Engine::Loopback => format!("loopback: real sockets on this host{}", here()),
        Engine::Netns => format!("netns: real sockets in network namespaces{}", here()),
    }
}

fn not_run(obstacle: &Obstacle) -> String {
    escaped(&chain(obstacle))
}

/// Returns the verdict on a run, or why it did not run, with its style.
fn ending(report: &Report) -> (Style, String) {
    match &report.outcome {
        Ok(outcome) => ending_of(&outcome.findings.iter()),
        Err(obstacle @ Obstacle::Missing(_)) => {
            (NOTE, format!("cannot run here: {}", not_run(obstacle)))
        }
        Err(obstacle) => (BAD, format!("failed: {}", not_run(obstacle))),
    }
}

/// Returns one verdict for several findings, with its style.
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
