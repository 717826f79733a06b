//! Grades answer files. Each item gets points and feedback.

mod autograders;
mod csv;
mod json;
mod judge;
mod junit;
mod marks;
mod text;

pub(crate) use autograders::{autolab, gradescope, gradescope_refusal};
pub(crate) use csv::csv;
pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use marks::{Mark, Marks};
pub(crate) use text::text;

use super::bank::Runs;
use super::draw::{Secret, SheetName};
use super::item::{Item, Kind};
use super::mistake::Mistake;
use super::sheet::Sheet;
use super::submission::{Answer, Submission};
use std::fmt;

/// The grade for one answer file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grade {
    pub name: SheetName,
    pub items: Vec<GradedItem>,
    /// Answers that cannot be read, each with its line. They earn no points.
    pub unreadable: Vec<Mistake>,
}

/// An item with the student's answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GradedItem {
    pub id: String,
    pub prompt: String,
    /// The answer as the student wrote it.
    pub answer: String,
    pub outcome: Outcome,
    /// Points for the answer; `None` if a teacher still has to mark it.
    pub points: Option<Points>,
    pub max: Points,
    /// The reason why the answer is right or wrong, and the right answer.
    pub feedback: String,
}

named! {
    /// The result for one answer.
    pub(crate) enum Outcome {
        Right = "right",
        Partly = "partly right",
        Wrong = "wrong",
        Empty = "no answer",
        Unreadable = "cannot be read",
        Unmarked = "not marked yet",
        Marked = "marked by hand",
    }
}

/// Points in hundredths, so that sums are exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Points(pub u32);

impl Points {
    pub(crate) const fn whole(points: u32) -> Self {
        Self(points.saturating_mul(100))
    }

    /// Returns the points as a number, for JSON.
    pub(crate) fn number(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl std::iter::Sum for Points {
    fn sum<I: Iterator<Item = Self>>(points: I) -> Self {
        Self(points.fold(0, |sum, Self(one)| sum.saturating_add(one)))
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, part) => write!(f, "{whole}.{part:02}"),
        }
    }
}

impl Grade {
    /// Returns the sum of the points given so far.
    pub(crate) fn points(&self) -> Points {
        self.items.iter().filter_map(|item| item.points).sum()
    }

    /// Returns the maximum sum of points for the items marked so far. Items that a teacher still has to mark do not
    /// count.
    pub(crate) fn max(&self) -> Points {
        self.items.iter().filter(|item| item.points.is_some()).map(|item| item.max).sum()
    }

    /// Iterates over the items that a teacher still has to mark.
    pub(crate) fn unmarked(&self) -> impl Iterator<Item = &GradedItem> {
        self.items.iter().filter(|item| item.outcome == Outcome::Unmarked)
    }
}

/// Grades an answer file.
///
/// # Errors
/// Returns the mistakes if the file cannot be graded. Either its header is not genuine, or its lines do not match the
/// sheet.
pub(crate) fn grade(
    secret: &Secret,
    submission: &Submission,
    marks: &Marks,
    runs: &mut Runs,
) -> Result<Grade, Vec<Mistake>> {
    let Submission { header, header_line, answers } = submission;
    if !header.is_genuine(secret) {
        let reason =
            "the lines above [answers] are edited, or the sheet was made with another secret";
        return Err(vec![Mistake::at(*header_line, reason)]);
    }
    let Some(sheet) = Sheet::draw(secret, header.clone(), runs) else {
        let reason =
            "the sheet was made by another version of the program: grade with that version";
        return Err(vec![Mistake::at(*header_line, reason)]);
    };
    let wrong_lines = wrong_lines(&sheet, answers);
    if !wrong_lines.is_empty() {
        return Err(wrong_lines);
    }
    let (mut items, mut unreadable) = (Vec::new(), Vec::new());
    for item in sheet.items() {
        let Some(answer) = answers.iter().find(|it| it.id == item.id) else { continue };
        let is_possible = |mark: &&Mark| mark.points <= Points::whole(item.points);
        let mark = marks.of(&header.name.student, &item.id).filter(is_possible);
        let graded = graded(item, answer, mark);
        if graded.outcome == Outcome::Unreadable {
            unreadable.push(Mistake::at(answer.line, &format!("{}: {}", item.id, graded.feedback)));
        }
        items.push(graded);
    }
    Ok(Grade { name: header.name.clone(), items, unreadable })
}

/// Returns a mistake for each line that does not belong to the sheet, and for each line that is missing.
fn wrong_lines(sheet: &Sheet, answers: &[Answer]) -> Vec<Mistake> {
    let is_known = |answer: &&Answer| !sheet.items().any(|item| item.id == answer.id);
    let foreign = answers.iter().filter(is_known).map(|answer| {
        let id = answer.id.escape_debug();
        Mistake::at(answer.line, &format!("the sheet has no item {id}"))
    });
    let last = answers.last().map_or(1, |answer| answer.line);
    let is_missing = |item: &&Item| !answers.iter().any(|answer| answer.id == item.id);
    let missing = sheet.items().filter(is_missing).map(|item| {
        Mistake::at(
            last,
            &format!("the line of {} is missing; leave it empty for no answer", item.id),
        )
    });
    foreign.chain(missing).collect()
}

fn graded(item: &Item, answer: &Answer, mark: Option<&Mark>) -> GradedItem {
    let (outcome, points, feedback) = match &item.kind {
        Kind::Explanation(_) => by_hand(mark),
        _ if answer.text.is_empty() => (Outcome::Empty, Some(Points(0)), judge::solution(item)),
        _ => match judge::judge(item, &answer.text) {
            Ok((points, feedback)) => (outcome(points, item.points), Some(points), feedback),
            Err(reason) => (Outcome::Unreadable, Some(Points(0)), reason),
        },
    };
    GradedItem {
        id: item.id.clone(),
        prompt: item.prompt.clone(),
        answer: answer.text.clone(),
        outcome,
        points,
        max: Points::whole(item.points),
        feedback,
    }
}

fn by_hand(mark: Option<&Mark>) -> (Outcome, Option<Points>, String) {
    match mark {
        Some(mark) => (Outcome::Marked, Some(mark.points), mark.comment.clone()),
        None => {
            (Outcome::Unmarked, None, "A teacher marks this explanation by its rubric.".to_owned())
        }
    }
}

fn outcome(points: Points, max: u32) -> Outcome {
    match points {
        Points(0) => Outcome::Wrong,
        points if points == Points::whole(max) => Outcome::Right,
        _ => Outcome::Partly,
    }
}

#[cfg(test)]
pub(crate) mod tests;
