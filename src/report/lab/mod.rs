//! A run of a lab as text: the prediction, what happened, what was observed, and the lesson.

mod csv;
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

use super::ladder;
use super::page::{BAD, GOOD, NOTE, Page, STRONG, WIDTH, wrap};
use super::{chain, escaped, plural};
use crate::lab::{Engine, Lab, Obstacle, Part, Procedure, Program, Report, Setting, Verdict};
use crate::sys;
use crate::transport::Transport;
use anstyle::Style;
use std::path::PathBuf;
use std::time::Duration;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Brief,
    /// Theory with its sources, what is done, and what is different elsewhere.
    Explained,
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    pub report: Report,
    pub took: Duration,
    /// The capture files that were written, if any were asked for.
    pub captures: Option<Vec<PathBuf>>,
}

/// What is known before the run, the prediction above all. `number` is the number of runs before it.
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
    for line in wrap(&format!("{}: {}", lab.name, lab.text.question), WIDTH) {
        page.line(format_args!("{STRONG}{line}{STRONG:#}"));
    }
    page.line(format_args!("  engine   {}", engine(procedure.engine)));
    if let Some(seed) = procedure.seed(setting) {
        page.line(format_args!("  seed     {seed}"));
    }
    let options = phrases::options(&setting.options);
    if !options.is_empty() {
        page.line(format_args!("  with     {}", options.join(" ")));
    }
    if detail == Detail::Explained {
        page.heading("THEORY");
        for theory in &lab.text.theory {
            page.paragraph(2, &format!("{} ({}).", theory.says, theory.source));
        }
        page.heading("WHAT IS DONE");
        page.paragraph(2, &lab.method(procedure, setting));
        programs(&mut page, &lab.text.programs);
    }
    observed::predicted(&mut page, &(procedure.predict)(setting), lab.time_unit);
    page.finish()
}

/// The result of the run, for a screen of this many columns.
pub(crate) fn after_run(report: &Report, detail: Detail, width: usize) -> String {
    let mut page = Page::default();
    let outcome = match &report.outcome {
        Ok(outcome) => outcome,
        Err(obstacle) => {
            page.heading("NOT RUN");
            page.paragraph(2, &not_run(obstacle));
            return page.finish();
        }
    };
    if !outcome.parts.is_empty() {
        page.heading("WHAT HAPPENED");
        page.line(drawings(&outcome.parts, width).trim_end_matches('\n'));
        for remark in report.remarks() {
            page.line("");
            page.paragraph(2, &remark);
        }
    }
    observed::observed(&mut page, &outcome.findings, report.lab.time_unit);
    lesson(&mut page, report);
    if detail == Detail::Explained {
        page.heading("ELSEWHERE");
        page.paragraph(2, &report.lab.text.other_systems);
    }
    page.finish()
}

/// The sentences that the run bears out.
fn lesson(page: &mut Page, report: &Report) {
    page.heading("LESSON");
    let mut lessons = report.lesson().peekable();
    let is_empty = lessons.peek().is_none();
    for sentence in lessons {
        page.paragraph(2, sentence);
    }
    if is_empty {
        page.paragraph(2, "None: what was observed bears out nothing that this lab teaches.");
    }
}

/// The programs that a lab is about, as they are in their files.
fn programs(page: &mut Page, programs: &[Program]) {
    for Program { name, text } in programs {
        page.heading(&format!("PROGRAM {name}"));
        for line in text.lines() {
            page.line(format!("  {line}").trim_end());
        }
    }
}

/// Which capture files there are, if any were asked for.
pub(crate) fn captures(done: &FinishedRun) -> String {
    let Some(captures) = &done.captures else { return String::new() };
    let mut page = Page::default();
    page.heading("CAPTURED");
    if captures.is_empty() {
        let no_packets = "no packets were seen, so there is nothing to write";
        let why = match (&done.report.outcome, done.report.procedure.engine) {
            (Err(_), _) => "it did not run, so there is nothing to write".to_owned(),
            (Ok(_), Engine::Loopback) => {
                format!("{no_packets}: on loopback a user without privileges sees the calls only")
            }
            (Ok(_), Engine::Sim | Engine::Netns) => no_packets.to_owned(),
        };
        page.paragraph(2, &why);
    }
    for path in captures {
        page.line(format_args!("  {}", escaped(&path.display().to_string())));
    }
    page.finish()
}

/// TCP beside UDP where both have room, one below the other where not.
fn drawings(parts: &[Part], width: usize) -> String {
    let of = |transport| parts.iter().filter(move |part| part.transport == transport);
    let longest = parts.iter().map(|part| ladder::duration(&part.trace)).max().unwrap_or_default();
    let draw = |part: &Part, width| ladder::draw(&part.trace, &title(part), longest, width);
    let below = |part| ladder::text(&draw(part, width.min(WIDTH)));
    let hosts = parts.iter().map(|part| part.trace.hosts.len()).max().unwrap_or_default();
    let Some(half) = ladder::half_width(width, hosts) else {
        let all = of(Transport::Tcp).chain(of(Transport::Udp)).map(below);
        return all.collect::<Vec<_>>().join("\n");
    };
    let (mut tcp, mut udp) = (of(Transport::Tcp), of(Transport::Udp));
    let mut drawn = Vec::new();
    loop {
        drawn.push(match (tcp.next(), udp.next()) {
            (Some(tcp), Some(udp)) => {
                ladder::side_by_side(&draw(tcp, half), &draw(udp, half), half)
            }
            (Some(one), None) | (None, Some(one)) => below(one),
            (None, None) => return drawn.join("\n"),
        });
    }
}

fn title(part: &Part) -> String {
    let transport = observed::name(part.transport);
    if part.name.is_empty() { transport.to_owned() } else { format!("{transport}, {}", part.name) }
}

/// What the engine is, and on which kernel.
fn engine(engine: Engine) -> String {
    let here = || sys::release().map(|release| format!(", {release}")).unwrap_or_default();
    match engine {
        Engine::Sim => "sim: two simulated hosts on a link of our own, in virtual time".to_owned(),
        Engine::Loopback => format!("loopback: real sockets on this host{}", here()),
        Engine::Netns => format!("netns: real sockets in two namespaces{}", here()),
    }
}

fn not_run(obstacle: &Obstacle) -> String {
    escaped(&chain(obstacle))
}

/// How a run ended, in a few words.
fn ending(report: &Report) -> (Style, String) {
    let outcome = match &report.outcome {
        Ok(outcome) => outcome,
        Err(obstacle @ Obstacle::Missing(_)) => {
            return (NOTE, format!("cannot run here: {}", not_run(obstacle)));
        }
        Err(obstacle) => return (BAD, format!("failed: {}", not_run(obstacle))),
    };
    let count = |verdict| outcome.findings.iter().filter(|it| it.verdict == verdict).count();
    let of = plural(outcome.findings.len() as u64, "finding");
    match (count(Verdict::Differs), count(Verdict::Varies)) {
        (0, 0) => (GOOD, "as predicted".to_owned()),
        (0, varies) => (NOTE, format!("varies here: {varies} of {of}")),
        (differs, _) => (BAD, format!("differs: {differs} of {of}")),
    }
}

#[cfg(test)]
mod tests;
