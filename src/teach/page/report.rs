//! The HTML page for one run.

use super::capture::{Capture, captures};
use super::findings::{self, Group};
use super::part::{MAX_LISTED, PartView, Shared};
use super::prediction::StudentAnswer;
use super::{MAX_OCTETS, STYLES, Styles};
use crate::lab::question::verdict::AnsweredQuestion;
use crate::lab::{Engine, Program, Report};
use crate::report::lab::phrases::{self, THEORY_PREDICTS};
use crate::report::lab::{engine, not_run};
use crate::transport::Transport;
use askama::Template;

/// Number of octets reserved for the names of the capture files.
const LINKS: usize = 4_000;

/// The data for the page's template.
#[derive(Debug, Template)]
#[template(path = "report.html")]
struct Page<'a> {
    styles: Styles,
    lab: &'static str,
    question: &'a str,
    engine: String,
    seed: Option<u64>,
    options: String,
    obstacle: Option<String>,
    /// The student's predictions and observations; `None` if the run did not use `--ask`.
    answers: Option<Vec<StudentAnswer>>,
    score: String,
    groups: Vec<Group>,
    legend: Vec<Sign>,
    note: Option<String>,
    columns: Vec<Vec<PartView>>,
    remarks: Vec<String>,
    method: String,
    programs: &'a [Program],
    theory: Vec<(&'a str, &'a str)>,
    lesson: Vec<&'a str>,
    elsewhere: &'a str,
    command: String,
    is_repeatable: bool,
    captures: Vec<Capture>,
}

/// Signs that the legend explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    Arrow,
    Band,
    Break,
    Duplicate,
    Icmp,
    Lost,
    Retransmission,
}

/// Returns a run's page. It includes the student's answers if there are any.
///
/// # Errors
/// Returns an error if the template cannot be written to memory.
pub(crate) fn report(
    report: &Report,
    answers: Option<&[AnsweredQuestion]>,
) -> askama::Result<String> {
    let mut page = Page::of(report, answers, MAX_LISTED);
    let mut plain = page.render()?;
    if plain.len() > MAX_OCTETS {
        page = Page::of(report, answers, 0);
        plain = page.render()?;
    }
    page.captures = captures(report, MAX_OCTETS.saturating_sub(plain.len() + LINKS));
    page.render()
}

impl<'a> Page<'a> {
    fn of(report: &'a Report, answers: Option<&[AnsweredQuestion]>, max_listed: usize) -> Self {
        let text = &report.lab.text;
        let groups = findings::groups(report);
        let columns = columns(report, Shared::of(report, max_listed));
        Self {
            styles: STYLES,
            lab: report.lab.name,
            question: &text.question,
            engine: engine(report.procedure.engine),
            seed: report.seed(),
            options: phrases::options(&report.setting.options).join(" "),
            obstacle: report.outcome.as_ref().err().map(not_run),
            answers: answers.map(|all| StudentAnswer::all(all, report)),
            score: score(&groups),
            groups,
            legend: legend(&columns),
            note: (report.procedure.engine == Engine::Loopback).then(|| {
                "The pictures show system calls: a lab on loopback records no packets.".to_owned()
            }),
            columns,
            remarks: report.remarks(),
            method: report.lab.method(report.procedure, &report.setting),
            programs: &text.programs,
            theory: text.theory.iter().map(|it| (&*it.says, &*it.source)).collect(),
            lesson: report.lesson().collect(),
            elsewhere: &text.other_systems,
            command: command(report),
            is_repeatable: report.procedure.engine == Engine::Sim,
            captures: Vec::new(),
        }
    }

    fn explains(&self, sign: &str) -> bool {
        self.legend.iter().any(|it| format!("{it:?}") == sign)
    }
}

/// Returns one column for the parts over TCP and one for those over UDP. A transport without parts has no column.
fn columns(report: &Report, shared: Shared) -> Vec<Vec<PartView>> {
    let parts = report.parts().iter().enumerate();
    let views: Vec<PartView> =
        parts.map(|(number, part)| PartView::of(part, number, shared)).collect();
    let (tcp, udp): (Vec<_>, Vec<_>) =
        views.into_iter().partition(|it| it.transport == Transport::Tcp);
    [tcp, udp].into_iter().filter(|column| !column.is_empty()).collect()
}

/// Returns a sentence that says how many predictions were right.
fn score(groups: &[Group]) -> String {
    let rows = || groups.iter().flat_map(|group| &group.rows);
    let compared = rows().filter(|row| row.class != "seen").count();
    let right = rows().filter(|row| row.class == "ok").count();
    match compared {
        0 => "Theory predicts none of these values.".to_owned(),
        1 => format!("Theory predicts 1 value, and {right} of 1 is as predicted."),
        _ => format!("Theory predicts {compared} values; {right} of them are as predicted."),
    }
}

/// Returns the signs that occur in the pictures and need an explanation.
fn legend(columns: &[Vec<PartView>]) -> Vec<Sign> {
    let parts = || columns.iter().flatten();
    let any = |is: fn(&PartView) -> bool| parts().any(is);
    let signs = [
        (Sign::Arrow, any(PartView::has_packets)),
        (Sign::Lost, any(|it| it.picture.has_class("lost"))),
        (Sign::Retransmission, any(|it| it.picture.has_class("retransmission"))),
        (Sign::Duplicate, any(|it| it.picture.has_copies())),
        (Sign::Icmp, any(|it| it.picture.has_class("icmp"))),
        (Sign::Break, any(|it| it.picture.has_breaks())),
        (Sign::Band, any(|it| it.picture.has_bands())),
    ];
    signs.into_iter().filter(|(_, occurs)| *occurs).map(|(sign, _)| sign).collect()
}

/// Returns the command that repeats a run.
fn command(report: &Report) -> String {
    let default = report.lab.engines().next();
    let engine =
        (default != Some(report.engine())).then(|| format!("--engine {}", report.engine()));
    let seed = report.seed().map(|seed| format!("--seed {seed}"));
    let options = phrases::options(&report.setting.options);
    let name = format!("daytime lab run {}", report.lab.name);
    let words = [Some(name), engine, seed].into_iter().flatten().chain(options);
    words.collect::<Vec<_>>().join(" ")
}
