//! Reads a file with a student's answers: for each question of each lab, the prediction and the observation.
//!
//! ```toml
//! [exchange]
//! tcp-packets = { predicted = "2 packets", observed = "6 to 9 packets" }
//! tcp-time = { predicted = 40, observed = "80 ms" }
//! ```

use crate::lab::question::answer::Answer;
use crate::lab::question::verdict::AnsweredQuestion;
use crate::lab::{self, Lab, Question};
use crate::report::escaped;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// An error in the file.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub(crate) struct FileError {
    /// Number of the line (1-based).
    line: usize,
    problem: String,
}

/// The answers in a file.
#[derive(Debug)]
pub(crate) struct AnswerFile {
    labs: Vec<LabAnswers>,
    /// Number of the file's last line.
    last_line: usize,
}

#[derive(Debug)]
struct LabAnswers {
    lab: &'static Lab,
    line: usize,
    answers: Vec<AnsweredQuestion>,
}

impl AnswerFile {
    /// Reads a file's text.
    ///
    /// # Errors
    /// Returns an error if the text is not TOML, names an unknown lab or question, or contains a value that is not an
    /// answer.
    pub(crate) fn read(text: &str) -> Result<Self, FileError> {
        let reader = Reader(text);
        let table = DeTable::parse(text).map_err(|error| {
            reader.error(&error.span().unwrap_or_default(), escaped(error.message()))
        })?;
        let labs = table.get_ref().iter().map(|(name, answers)| reader.lab(name, answers));
        let last_line = text.lines().count().max(1);
        Ok(Self { labs: labs.collect::<Result<_, _>>()?, last_line })
    }

    /// Returns the answers to these questions of a lab, in their order.
    ///
    /// # Errors
    /// Returns an error if the file lacks an answer to one of the questions.
    pub(crate) fn answers(
        &self,
        lab: &'static Lab,
        questions: &[&'static Question],
    ) -> Result<Vec<AnsweredQuestion>, FileError> {
        let of_lab = self.labs.iter().find(|it| it.lab.name() == lab.name());
        let line = of_lab.map_or(self.last_line, |it| it.line);
        let find = |question: &&'static Question| {
            let mut answers = of_lab.iter().flat_map(|it| &it.answers);
            answers.find(|it| it.question.id == question.id).copied().ok_or_else(|| FileError {
                line,
                problem: format!(
                    "[{}] has no answer to {}: write {} = {FORM}",
                    lab.name(),
                    question.id,
                    question.id
                ),
            })
        };
        questions.iter().map(find).collect()
    }
}

/// The format of an entry, for error messages.
const FORM: &str = "{ predicted = \"…\", observed = \"…\" } (\"\" for no answer)";

/// The file's text, which is used to find the line number for an error.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn error(self, at: &Range<usize>, problem: String) -> FileError {
        let before = self.0.get(..at.start).unwrap_or(self.0);
        FileError { line: before.matches('\n').count() + 1, problem }
    }

    fn lab(
        self,
        name: &Spanned<std::borrow::Cow<'_, str>>,
        answers: &Spanned<DeValue<'_>>,
    ) -> Result<LabAnswers, FileError> {
        let error = |problem| self.error(&name.span(), problem);
        let (unknown, known) = (escaped(name.get_ref()), lab::find(name.get_ref()));
        let lab = known.ok_or_else(|| error(format!("there is no lab \"{unknown}\"")))?;
        let table = answers.get_ref().as_table();
        let table = table.ok_or_else(|| error(format!("write [{}] as a table", lab.name())))?;
        let answers = table.iter().map(|(id, entry)| self.question(lab, id, entry));
        let line = error(String::new()).line;
        Ok(LabAnswers { lab, line, answers: answers.collect::<Result<_, _>>()? })
    }

    fn question(
        self,
        lab: &'static Lab,
        id: &Spanned<std::borrow::Cow<'_, str>>,
        entry: &Spanned<DeValue<'_>>,
    ) -> Result<AnsweredQuestion, FileError> {
        let error = |problem| self.error(&id.span(), problem);
        let questions = &lab.text.questions;
        let question = questions.iter().find(|it| it.id == id.get_ref().as_ref());
        let question = question.ok_or_else(|| {
            let ids: Vec<&str> = questions.iter().map(|it| it.id).collect();
            let (name, id) = (lab.name(), escaped(id.get_ref()));
            error(format!("{name} has no question \"{id}\"; it has: {}", ids.join(", ")))
        })?;
        let wrong_form = || error(format!("write {} = {FORM}", question.id));
        let table = entry.get_ref().as_table().ok_or_else(wrong_form)?;
        let mut found = [None, None];
        for (key, value) in table {
            let place = match key.get_ref().as_ref() {
                "predicted" => 0,
                "observed" => 1,
                _ => return Err(wrong_form()),
            };
            found[place] = Some(self.answer(question, value)?);
        }
        let [Some(prediction), Some(observation)] = found else { return Err(wrong_form()) };
        Ok(AnsweredQuestion { question, prediction, observation })
    }

    /// Reads an answer. An empty string means that the student gave no answer.
    fn answer(
        self,
        question: &Question,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Option<Answer>, FileError> {
        let error = |problem| self.error(&value.span(), problem);
        let text = match value.get_ref() {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return Err(error(format!("{}: write a text or a number", question.id))),
        };
        if text.trim().is_empty() {
            return Ok(None);
        }
        let answer = question.read(text);
        answer.map(Some).map_err(|expected| {
            error(format!("{}: \"{}\" is no answer: {expected}", question.id, escaped(text)))
        })
    }
}
