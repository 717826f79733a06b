//! A run of a lab as text: the prediction, what happened, what was observed, and the lesson.

mod csv;
pub(crate) mod json;
mod list;
mod observed;
mod phrases;
mod summary;

pub(crate) use csv::csv;
pub(crate) use list::list;
pub(crate) use summary::summary;

use super::ladder::{self, Form, ReferenceTrace};
use super::page::{BAD, GOOD, NOTE, Page, STRONG, WIDTH, wrap};
use super::{chain, escaped, plural};
use crate::lab::{
    Engine, Lab, NextStep, Obstacle, Part, Procedure, Program, Report, Setting, Verdict,
};
use crate::sys;
use crate::transport::Transport;
use anstyle::Style;
use std::path::PathBuf;
use std::time::Duration;

/// How much is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    Brief,
    /// Theory with its sources, what is done, what is different elsewhere, and what to try next.
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

/// The result of the run.
pub(crate) fn after_run(report: &Report, detail: Detail, form: Form) -> String {
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
        page.line(drawings(&outcome.parts, form).trim_end_matches('\n'));
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
        next(&mut page, report.lab);
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

fn next(page: &mut Page, lab: &Lab) {
    page.heading("TRY NEXT");
    for NextStep { command, watch } in &lab.text.next {
        page.line(format_args!("  {STRONG}{command}{STRONG:#}"));
        page.paragraph(6, watch);
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

/// Draws TCP and UDP side by side where both have room, else one below the other.
fn drawings(parts: &[Part], form: Form) -> String {
    let hosts = parts.iter().map(|part| part.trace.hosts.len()).max().unwrap_or_default();
    let half = match form {
        Form::Ladder(width) => ladder::half_width(width, hosts),
        Form::List => None,
    };
    let alone = match form {
        Form::Ladder(width) => Form::Ladder(width.min(WIDTH)),
        Form::List => Form::List,
    };
    let count = |transport| parts.iter().filter(|part| part.transport == transport).count();
    let pairs = count(Transport::Tcp).min(count(Transport::Udp));
    let form_of = |number| half.filter(|_| number < pairs).map_or(alone, Form::Ladder);
    let [tcp, udp] = Transport::BOTH.map(|transport| column(parts, transport, form_of));
    let Some(half) = half else {
        let all = tcp.iter().chain(&udp).map(|lines| ladder::text(lines));
        return all.collect::<Vec<_>>().join("\n");
    };
    let rows =
        (0..tcp.len().max(udp.len())).map(|number| match (tcp.get(number), udp.get(number)) {
            (Some(tcp), Some(udp)) => ladder::side_by_side(tcp, udp, half),
            (Some(one), None) | (None, Some(one)) => ladder::text(one),
            (None, None) => String::new(),
        });
    rows.collect::<Vec<_>>().join("\n")
}

/// The drawings of one transport. Each leaves out rows that the first one has too.
fn column(
    parts: &[Part],
    transport: Transport,
    form_of: impl Fn(usize) -> Form,
) -> Vec<Vec<ladder::Line>> {
    let longest = parts.iter().map(|part| ladder::duration(&part.trace)).max().unwrap_or_default();
    let parts: Vec<&Part> = parts.iter().filter(|part| part.transport == transport).collect();
    let name = format!("the first {} ladder", observed::name(transport));
    let draw = |(number, part): (usize, &&Part)| {
        let first = parts.first().filter(|_| number > 0);
        let first = first.map(|first| ReferenceTrace { trace: &first.trace, name: &name });
        ladder::draw(&part.trace, first, &title(part), longest, form_of(number))
    };
    parts.iter().enumerate().map(draw).collect()
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
