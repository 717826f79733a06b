//! Grades answer files. Each item gets points and feedback.

mod autograders;
mod csv;
mod explanations;
mod json;
mod judge;
mod junit;
mod marks;
mod text;

pub(crate) use autograders::{autolab, gradescope, gradescope_refusal};
pub(crate) use csv::csv;
pub(crate) use explanations::explanations;
pub(crate) use json::json;
pub(crate) use junit::junit;
pub(crate) use marks::{Mark, Marks};
pub(crate) use text::text;

use super::bank::Runs;
use super::class::Student;
use super::draw::{Secret, SheetName};
use super::item::{Criterion, Item, Kind};
use super::mistake::Mistake;
use super::sheet::Sheet;
use super::submission::{Answer, Answers, Submission, excerpt};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The grade for one answer file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Grade {
    pub name: SheetName,
    /// The student in the class list, if the teacher named one.
    pub student: Option<Student>,
    pub items: Vec<GradedItem>,
    /// Mistakes in the lines of the answers, in the order of the lines. An answer that cannot be read earns no points.
    pub mistakes: Vec<Mistake>,
}

/// An item with the student's answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct GradedItem {
    /// Number of the item on the sheet (1-based).
    pub number: usize,
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
    /// The rubric by which a teacher marks the answer by hand; empty if the program grades it.
    pub rubric: Vec<Criterion>,
}

impl GradedItem {
    /// Whether a teacher marks the answer by hand.
    pub(crate) fn is_by_hand(&self) -> bool {
        !self.rubric.is_empty()
    }

    /// Whether the answer has a row in the file with explanations: a teacher marks it, or has marked it.
    pub(crate) const fn has_row(&self) -> bool {
        matches!(self.outcome, Outcome::Unmarked | Outcome::Marked)
    }
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

named! {
    /// Whether all items of a grade have points.
    pub(crate) enum State {
        Complete = "complete",
        Unmarked = "not marked yet",
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

    /// Returns the maximum sum of points for all items of the sheet. It does not depend on what is marked so far.
    pub(crate) fn max(&self) -> Points {
        self.items.iter().map(|item| item.max).sum()
    }

    /// Iterates over the items that a teacher still has to mark.
    pub(crate) fn unmarked(&self) -> impl Iterator<Item = &GradedItem> {
        self.items.iter().filter(|item| item.outcome == Outcome::Unmarked)
    }

    /// Returns the maximum sum of points for the items that a teacher still has to mark.
    pub(crate) fn unmarked_points(&self) -> Points {
        self.unmarked().map(|item| item.max).sum()
    }

    /// Returns whether the sum of the points is final.
    pub(crate) fn state(&self) -> State {
        if self.unmarked().next().is_none() { State::Complete } else { State::Unmarked }
    }

    /// Returns the student's name; empty if no class list has one.
    pub(crate) fn student_name(&self) -> &str {
        self.student.as_ref().and_then(|student| student.name.as_deref()).unwrap_or_default()
    }
}

/// Grades an answer file.
///
/// # Errors
/// Returns the mistakes if the file cannot be graded. Either its header is not genuine, or no answer can be read.
pub(crate) fn grade(
    secret: &Secret,
    submission: &Submission,
    marks: &Marks,
    runs: &mut Runs,
) -> Result<Grade, Vec<Mistake>> {
    let Submission { header, header_line, .. } = submission;
    let refused = |reason: &str| Err(vec![Mistake::at(*header_line, reason)]);
    if !header.is_genuine(secret) {
        return refused(
            "the lines above [answers] are edited, or the sheet was made with another secret",
        );
    }
    let Some(sheet) = Sheet::draw(secret, header.clone(), runs) else {
        return refused(
            "the sheet was made by another version of the program: grade with that version",
        );
    };
    let ids: BTreeSet<&str> = sheet.items().map(|item| &*item.id).collect();
    let Answers { answers, mut mistakes } = submission.answers(&ids);
    mistakes.extend(foreign_lines(&ids, &answers));
    let answers_to_items = answers_to_items(&sheet, &answers);
    let mut items = Vec::new();
    for (number, (item, answer)) in (1..).zip(sheet.items().zip(&answers_to_items)) {
        let is_possible = |mark: &&Mark| mark.points <= Points::whole(item.points);
        let mark = marks.of(&header.name.student, &item.id).filter(is_possible);
        let graded = graded(number, item, answer, mark);
        mistakes.extend(mistake(&graded, answer));
        items.push(graded);
    }
    mistakes.sort_by_key(|mistake| mistake.line);
    let has_readable = items.iter().zip(&answers_to_items).any(|(item, answer)| {
        answer.mistake.is_none() || item.is_by_hand() && !answer.text.is_empty()
    });
    let grade = Grade { name: header.name.clone(), student: None, items, mistakes };
    if has_readable { Ok(grade) } else { Err(grade.mistakes) }
}

/// Returns the answer to each item of the sheet. The answer to an item without a line has a mistake.
fn answers_to_items<'a>(sheet: &Sheet, answers: &'a [Answer]) -> Vec<Cow<'a, Answer>> {
    let by_id: BTreeMap<&str, &Answer> = answers.iter().map(|it| (&*it.id, it)).collect();
    let line = answers.last().map_or(1, |answer| answer.line);
    let missing = |item: &Item| {
        let mistake = Mistake::at(line, "the line is missing; leave it empty for no answer");
        let (id, text) = (item.id.clone(), String::new());
        Answer { id, text, line, mistake: Some(mistake) }
    };
    let answer = |item: &Item| match by_id.get(&*item.id) {
        Some(answer) => Cow::Borrowed(*answer),
        None => Cow::Owned(missing(item)),
    };
    sheet.items().map(answer).collect()
}

/// Returns a mistake for each line that does not belong to the sheet.
fn foreign_lines(ids: &BTreeSet<&str>, answers: &[Answer]) -> Vec<Mistake> {
    let foreign = answers.iter().filter(|answer| !ids.contains(&*answer.id)).map(|answer| {
        let id = excerpt(&answer.id);
        Mistake::at(answer.line, &format!("the sheet has no item {id}"))
    });
    foreign.collect()
}

/// Returns the reason why an answer cannot be read.
fn mistake(item: &GradedItem, answer: &Answer) -> Option<Mistake> {
    let (line, reason) = match &answer.mistake {
        Some(mistake) => (mistake.line, &mistake.reason),
        None if item.outcome == Outcome::Unreadable => (answer.line, &item.feedback),
        None => return None,
    };
    Some(Mistake::at(line, &format!("{}: {reason}", item.id)))
}

fn graded(number: usize, item: &Item, answer: &Answer, mark: Option<&Mark>) -> GradedItem {
    let (outcome, points, feedback) = match (&item.kind, &answer.mistake) {
        (Kind::Explanation(_), _) => by_hand(answer, mark),
        (_, Some(mistake)) => (Outcome::Unreadable, Some(Points(0)), mistake.reason.clone()),
        _ if answer.text.is_empty() => (Outcome::Empty, Some(Points(0)), judge::solution(item)),
        _ => match judge::judge(item, &answer.text) {
            Ok((points, feedback)) => (outcome(points, item.points), Some(points), feedback),
            Err(reason) => (Outcome::Unreadable, Some(Points(0)), reason),
        },
    };
    let rubric = match &item.kind {
        Kind::Explanation(rubric) => rubric.clone(),
        _ => Vec::new(),
    };
    GradedItem {
        number,
        id: item.id.clone(),
        prompt: item.prompt.clone(),
        answer: answer.text.clone(),
        outcome,
        points,
        max: Points::whole(item.points),
        feedback,
        rubric,
    }
}

/// Grades an explanation. A text with a mistake in its quotes can still be marked: a teacher reads it.
fn by_hand(answer: &Answer, mark: Option<&Mark>) -> (Outcome, Option<Points>, String) {
    match (mark, &answer.mistake) {
        (Some(mark), _) => (Outcome::Marked, Some(mark.points), mark.comment.clone()),
        (None, Some(mistake)) if answer.text.is_empty() => {
            (Outcome::Unreadable, Some(Points(0)), mistake.reason.clone())
        }
        (None, None) if answer.text.is_empty() => (Outcome::Empty, Some(Points(0)), String::new()),
        _ => {
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
