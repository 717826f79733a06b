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
        self.show_question(screen)?;
        loop {
            screen.print(&text::prompt(question, *phase))?;
            let line = line()?.ok_or_else(|| self.stopped(screen))?;
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

    fn stopped(&self, screen: Screen) -> Failure {
        let _ = screen.print("\n"); // ends the line of the prompt
        let Position { number, count } = self.position;
        let what = if self.phase == Phase::Prediction { "prediction" } else { "observation" };
        Failure::Message(format!(
            "stopped before {what} {number} of {count} of {}: the input has ended",
            self.lab
        ))
    }
}

/// Waits until the student presses Enter. The end of the input counts as Enter, and the next question notices it.
pub(super) fn pause(screen: Screen, why: &str) -> Result<(), Failure> {
    screen.print(&format!("\n{why}: "))?;
    if line()?.is_none() {
        screen.print("\n")?;
    }
    Ok(())
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
