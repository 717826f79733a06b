//! Formats the summary of several lab runs, one line per run.

use super::{FinishedRun, ending, not_run};
use crate::lab::{Engine, Obstacle, Report};
use crate::report::human;
use crate::report::page::{Columns, NOTE, PLAIN, Page, STRONG};
use std::time::Duration;

/// Widths of the columns: lab, engine, duration and verdict.
const COLUMNS: Columns<4> = Columns(2, [12, 8, 8, 44]);

/// Returns a table of the runs, and a sentence with the totals.
pub(crate) fn summary(done: &[FinishedRun]) -> String {
    let mut page = Page::default();
    page.heading("SUMMARY");
    page.row(&COLUMNS, ["lab", "engine", "    time", "verdict"].map(|head| (STRONG, head)));
    for FinishedRun { report, took, .. } in done {
        let (style, verdict) = match report.outcome {
            Err(Obstacle::Missing(_)) => (NOTE, "cannot run here".to_owned()),
            _ => ending(report),
        };
        let (lab, engine) = (report.lab.name, report.procedure.engine.name());
        let time = format!("{:>8}", human(*took));
        let cells = [(PLAIN, lab), (PLAIN, engine), (PLAIN, &time[..]), (style, &verdict[..])];
        page.row(&COLUMNS, cells);
    }
    for (labs, reason) in missing(done) {
        page.line("");
        page.paragraph(2, &format!("{labs} cannot run here: {reason}"));
    }
    page.line(format_args!("\n{}", sentence(done)));
    page.finish()
}

/// Returns each distinct reason why labs cannot run here, with the labs that it affects. If it affects all labs on an
/// engine, names the engine instead of the labs.
fn missing(done: &[FinishedRun]) -> Vec<(String, String)> {
    let mut reasons: Vec<(Engine, String, Vec<&str>)> = Vec::new();
    for FinishedRun { report, .. } in done {
        let Err(obstacle @ Obstacle::Missing(_)) = &report.outcome else { continue };
        let (engine, reason, lab) = (report.procedure.engine, not_run(obstacle), report.lab.name);
        match reasons.iter_mut().find(|it| (it.0, &it.1) == (engine, &reason)) {
            Some((.., labs)) => labs.push(lab),
            None => reasons.push((engine, reason, vec![lab])),
        }
    }
    let all = |engine| done.iter().filter(|it| it.report.procedure.engine == engine).count();
    let who = |engine: Engine, labs: &[&str]| match labs.len() {
        some if some == all(engine) => engine.to_string(),
        _ => format!("{} on {engine}", labs.join(", ")),
    };
    reasons.into_iter().map(|(engine, reason, labs)| (who(engine, &labs), reason)).collect()
}

fn sentence(done: &[FinishedRun]) -> String {
    let count = |is: fn(&Report) -> bool| done.iter().filter(|it| is(&it.report)).count();
    let good = count(Report::is_as_predicted);
    let differ = count(|it| it.outcome.is_ok() && !it.is_as_predicted());
    let missing = count(|it| matches!(it.outcome, Err(Obstacle::Missing(_))));
    let failed = done.len() - good - differ - missing;
    let took: Duration = done.iter().map(|it| it.took).sum();
    format!(
        "{good} as predicted, {differ} not, {failed} failed, {missing} cannot run here; in {}",
        human(took)
    )
}
