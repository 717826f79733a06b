//! Asks a student at the terminal.

use super::screen::Screen;
use crate::cli::failure::Failure;
use crate::lab::question::answer::Answer;
use crate::lab::{Question, Values};
use crate::report::lab::ask::{self as text, Phase, Position};
use std::io::{self, BufRead, Read};

/// Maximum number of octets in a line of input; a terminal has the same limit.
const MAX_LINE: u64 = 4096;

/// One question, asked at one moment.
pub(super) struct Prompt<'a> {
    pub question: &'static Question,
    /// Values of the options, for the text of the question.
    pub values: &'a Values,
    pub phase: Phase,
    pub position: Position,
    pub lab: &'static str,
    /// What the run shows, for a student who wants to see it again.
    pub observations: &'a str,
}

impl Prompt<'_> {
    /// Asks until the student gives an answer, or none with an empty line.
    ///
    /// # Errors
    /// The input ends, or a system call fails.
    pub(super) fn ask(&self, screen: Screen) -> Result<Option<Answer>, Failure> {
        let Self { question, phase, .. } = self;
        if self.begins_with_pause() && pause(screen, self.aim())? {
            return Err(self.stopped());
        }
        self.show_question(screen)?;
        loop {
            screen.print(&text::prompt(question, *phase))?;
            let Some(line) = line()? else {
                screen.print("\n")?; // ends the line of the prompt
                return Err(self.stopped());
            };
            match line.trim() {
                "" => return Ok(None),
                "?" => self.show_question(screen)?,
                "d" if *phase != Phase::Prediction => {
                    screen.show(self.observations)?;
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

    /// Whether the student still reads something above the question: the method, or the verdict before it.
    fn begins_with_pause(&self) -> bool {
        match self.phase {
            Phase::Prediction => self.position.number == 1,
            Phase::Observation | Phase::Verdict => self.position.number > 1,
        }
    }

    fn aim(&self) -> &'static str {
        if self.phase == Phase::Prediction { "the first question" } else { "the next question" }
    }

    /// Returns the failure of a student who stops before this question.
    pub(super) fn stopped(&self) -> Failure {
        let Position { number, count } = self.position;
        let what = if self.phase == Phase::Prediction { "prediction" } else { "observation" };
        Failure::Message(format!(
            "stopped before {what} {number} of {count} of {}: the input has ended",
            self.lab
        ))
    }
}

/// Waits until the student presses Enter. Returns whether the input has ended instead.
pub(super) fn pause(screen: Screen, aim: &str) -> Result<bool, Failure> {
    screen.print(&format!("\nEnter for {aim}: "))?;
    let has_ended = line()?.is_none();
    if has_ended {
        screen.print("\n")?; // ends the line of the prompt
    }
    Ok(has_ended)
}

/// Reads a line of standard input; `None` at its end. Octets that are not UTF-8 make no answer.
fn line() -> Result<Option<String>, Failure> {
    let mut line = Vec::new();
    let input = io::stdin().lock();
    let read = input.take(MAX_LINE).read_until(b'\n', &mut line);
    let count =
        read.map_err(|error| Failure::Message(format!("cannot read an answer: {error}")))?;
    Ok((count > 0).then(|| String::from_utf8_lossy(&line).into_owned()))
}
