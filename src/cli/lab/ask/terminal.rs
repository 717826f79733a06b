//! Asks a student at the terminal.

use super::screen::{Screen, TO_QUESTIONS};
use crate::cli::failure::Failure;
use crate::lab::question::answer::Answer;
use crate::lab::{Question, Values};
use crate::report::lab::ask::{self as text, Phase, Position};
use std::io::{self, BufRead, Read};

/// Maximum length of an input line in octets. Linux terminals have the same limit.
const MAX_LINE: u64 = 4096;

/// A question, asked either before or after a run.
pub(super) struct Prompt<'a> {
    pub question: &'static Question,
    /// The options' values, which the text of the question contains.
    pub values: &'a Values,
    pub phase: Phase,
    pub position: Position,
    pub lab: &'static str,
    /// The text above the question, such as instructions. Repetitions of the question leave it out.
    pub introduction: &'a str,
    /// The run's diagrams and observed values, for a student who wants to see them again.
    pub observations: &'a str,
}

impl Prompt<'_> {
    /// Asks until the student enters an answer. Returns `None` if the student enters an empty line.
    ///
    /// # Errors
    /// Returns an error if the input ends or a system call fails.
    pub(super) fn ask(&self, screen: Screen) -> Result<Option<Answer>, Failure> {
        let Self { question, phase, .. } = self;
        if self.begins_with_pause() && pause(screen, self.aim())? {
            return Err(self.stopped());
        }
        screen.print(self.introduction)?;
        self.show_question(screen)?;
        loop {
            screen.print(&text::prompt(question, *phase))?;
            let Some(line) = line(screen)? else { return Err(self.stopped()) };
            match line.trim() {
                "" => return Ok(None),
                "?" => self.show_question(screen)?,
                "r" if *phase != Phase::Prediction => {
                    screen.show(self.observations, TO_QUESTIONS)?;
                    self.show_question(screen)?;
                }
                typed => match question.read(typed) {
                    Ok(answer) => return Ok(Some(answer)),
                    Err(expected) => screen.print(&text::not_an_answer(&expected))?,
                },
            }
        }
    }

    fn show_question(&self, screen: Screen) -> Result<(), Failure> {
        screen.print(&text::question(self.question, self.values, self.phase, self.position))
    }

    /// Whether to wait for Enter before the question, because the student may still be reading the text above it: the
    /// lab's method, or the previous verdict.
    fn begins_with_pause(&self) -> bool {
        match self.phase {
            Phase::Prediction => self.position.number == 1,
            Phase::Observation | Phase::Verdict => self.position.number > 1,
        }
    }

    fn aim(&self) -> &'static str {
        if self.phase == Phase::Prediction { "the first question" } else { "the next question" }
    }

    /// Returns the failure for a student who stops before answering this question.
    pub(super) fn stopped(&self) -> Failure {
        let Position { number, count } = self.position;
        let what = if self.phase == Phase::Prediction { "prediction" } else { "observation" };
        Failure::Message(format!(
            "stopped before {what} {number} of {count} of {}: the input has ended",
            self.lab
        ))
    }
}

/// Waits until the student presses Enter. If the student also types text, says that it is not used. Returns true if the
/// input ended instead.
pub(super) fn pause(screen: Screen, aim: &str) -> Result<bool, Failure> {
    screen.print(&format!("\nPress Enter for {aim}: "))?;
    let Some(line) = line(screen)? else { return Ok(true) };
    if !line.trim().is_empty() {
        screen.print(text::no_question_open())?;
    }
    Ok(false)
}

/// Reads a line from standard input. Returns `None` at the end of the input. Octets that are not UTF-8 are replaced, so
/// the line is not a valid answer. If Ctrl-D ends the line, ends the prompt's line on the screen too.
fn line(screen: Screen) -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let input = io::stdin().lock();
    let read = input.take(MAX_LINE).read_until(b'\n', &mut line);
    let count =
        read.map_err(|error| Failure::Message(format!("cannot read an answer: {error}")))?;
    if line.last() != Some(&b'\n') {
        screen.print("\n")?;
    }
    Ok((count > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
}
