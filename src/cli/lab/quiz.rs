//! Runs `daytime lab quiz`.

use super::reports;
use crate::cli::args::{Quiz as QuizArguments, QuizFormat};
use crate::cli::failure::Failure;
use crate::cli::print_exactly;
use crate::teach::quiz::{Ordering, Quiz, gift, moodle, text2qti};
use std::process::ExitCode;

/// Writes a quiz to the file that the user names, or to standard output.
pub(super) fn write(arguments: &QuizArguments) -> Result<ExitCode, Failure> {
    let quiz = Quiz::draw(&arguments.labs(), arguments.variants.into(), arguments.seed);
    let ordering = if arguments.no_ordering { Ordering::Matching } else { Ordering::Ordering };
    let text = match arguments.format {
        QuizFormat::Moodle => moodle(&quiz, ordering)
            .map_err(|error| Failure::Message(format!("cannot make the quiz: {error}")))?,
        QuizFormat::Gift => gift(&quiz),
        QuizFormat::Text2qti => text2qti(&quiz),
    };
    match &arguments.out {
        Some(path) => reports::write(path, Ok(text))?,
        None => print_exactly(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}
