//! Reads answers from a file or from standard input.

use super::Answers;
use crate::cli::args::LabRun;
use crate::cli::failure::Failure;
use crate::cli::lab::PlannedRuns;
use crate::lab::Setting;
use crate::report::escaped;
use crate::teach::predictions::AnswerFile;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Read};

/// Maximum length of an answer file in octets. The answers to all questions are much shorter.
const MAX_FILE: u64 = 1 << 20;

/// The error message if there is neither a terminal nor a file with answers.
const NO_ANSWERS: &str =
    "--ask needs a terminal, or the answers on standard input or in --ask-from FILE";

/// Returns the answers for each run from the file that the user names, or from standard input if it is not a terminal.
/// Returns `None` if a student at the terminal answers.
pub(in crate::cli::lab) fn answers(
    runs: &PlannedRuns,
    setting: &Setting,
    arguments: &LabRun,
) -> Result<Answers, Failure> {
    let (name, text) = match &arguments.ask_from {
        Some(path) => (escaped(&path.display().to_string()), File::open(path).and_then(read)),
        None if io::stdin().is_terminal() => return Ok(None),
        None => ("standard input".to_owned(), read(io::stdin())),
    };
    let text = text.map_err(|error| Failure::Message(format!("cannot read {name}: {error}")))?;
    if arguments.ask_from.is_none() && text.trim().is_empty() {
        return Err(Failure::Usage(NO_ANSWERS.to_owned()));
    }
    let cannot_use = |error: &dyn Display| {
        Failure::Message(format!("cannot use the answers in {name}: {error}"))
    };
    let file = AnswerFile::read(&text).map_err(|error| cannot_use(&error))?;
    let of_run = |(lab, procedure): &(&'static _, &'static _)| {
        let questions = crate::lab::Lab::questions(lab, procedure, setting);
        file.answers(lab, &questions).map_err(|error| cannot_use(&error))
    };
    runs.iter().map(of_run).collect::<Result<_, _>>().map(Some)
}

fn read(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(MAX_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other("it is larger than 1 MiB"));
    }
    Ok(text)
}
