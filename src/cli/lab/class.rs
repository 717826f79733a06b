//! Reads the teacher's files: the class list and the secret.

use crate::cli::args::Drawn;
use crate::cli::complain;
use crate::cli::failure::Failure;
use crate::report::{escaped, plural};
use crate::teach::bank::Runs;
use crate::teach::class::{Student, students};
use crate::teach::draw::{MIN_SECRET_OCTETS, Secret, SheetName};
use crate::teach::mistake::Mistake;
use crate::teach::sheet::Sheet;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Maximum length of a class list or a list of marks in octets.
const MAX_LIST_OCTETS: u64 = 16 << 20;
/// Maximum length of a secret file in octets.
const MAX_SECRET_OCTETS: u64 = 64 << 10;
/// The permission bits that let the group or other users read or write.
const OTHERS_MAY: u32 = 0o066;

/// The instructions for making a secret file.
const MAKE_SECRET: &str = "make one with: (umask 077; head -c 32 /dev/urandom | base64 > FILE)";

/// Reads the secret. Rejects a file that other users may read or write.
pub(super) fn secret(path: &Path) -> Result<Secret, Failure> {
    let name = path.display();
    let fail = |error: io::Error| {
        Failure::Message(format!("cannot read the secret file {name}: {error}; {MAKE_SECRET}"))
    };
    let file = File::open(path).map_err(fail)?;
    let metadata = file.metadata().map_err(fail)?;
    if metadata.is_dir() {
        return Err(Failure::Message(format!("the secret file {name} is a directory")));
    }
    let mode = metadata.mode();
    if mode & OTHERS_MAY != 0 {
        return Err(Failure::Message(format!(
            "other users may read or change the secret file {name}: chmod 600 {name}"
        )));
    }
    let mut content = Vec::new();
    file.take(MAX_SECRET_OCTETS).read_to_end(&mut content).map_err(fail)?;
    Secret::of(&content).ok_or_else(|| {
        Failure::Message(format!(
            "the secret file {name} is empty or shorter than {MIN_SECRET_OCTETS} octets; {MAKE_SECRET}"
        ))
    })
}

/// Reads a list of at most 16 MiB.
pub(super) fn list(path: &Path) -> Result<Vec<u8>, Failure> {
    let cannot =
        |reason: &str| Failure::Message(format!("cannot read {}: {reason}", path.display()));
    let read = || {
        let mut content = Vec::new();
        File::open(path)?.take(MAX_LIST_OCTETS + 1).read_to_end(&mut content)?;
        Ok(content)
    };
    let content = read().map_err(|error: io::Error| cannot(&error.to_string()))?;
    let is_huge = content.len() as u64 > MAX_LIST_OCTETS;
    if is_huge { Err(cannot("it is longer than 16 MiB")) } else { Ok(content) }
}

/// Reads a class list. Prints all its mistakes.
pub(super) fn class(path: &Path, id_column: Option<&str>) -> Result<Vec<Student>, Failure> {
    students(&list(path)?, id_column).map_err(|mistakes| {
        report(path, &mistakes);
        Failure::Message(format!("the class list {} has mistakes", path.display()))
    })
}

/// Returns a path with unsafe characters escaped for printing. A student may have chosen the name of a submitted file.
pub(super) fn shown(path: &Path) -> String {
    escaped(&path.display().to_string())
}

/// Maximum number of mistakes to print for one file.
const MAX_MISTAKES: usize = 20;

/// Prints the first mistakes of a file, each with its line, and the number of the others.
pub(super) fn report(path: &Path, mistakes: &[Mistake]) {
    for mistake in mistakes.iter().take(MAX_MISTAKES) {
        complain(&format!("daytime: {}:{mistake}", shown(path)));
    }
    if let Some(more) = mistakes.len().checked_sub(MAX_MISTAKES).filter(|more| *more > 0) {
        let more = plural(more as u64, "more mistake");
        complain(&format!("daytime: {}: {more}", shown(path)));
    }
}

/// Generates the sheet for each student in a class.
pub(super) fn sheets(arguments: &Drawn) -> Result<Vec<(Student, Sheet)>, Failure> {
    let secret = secret(&arguments.secret_file)?;
    let (students, labs) =
        (class(&arguments.class, arguments.id_column.as_deref())?, arguments.labs());
    let (mut runs, explanations) = (Runs::default(), arguments.explanations());
    let sheets = students.into_iter().map(|student| {
        let assignment = arguments.assignment.clone();
        let name = SheetName { assignment, student: student.id.clone() };
        (student, Sheet::new(&secret, name, &labs, explanations, &mut runs))
    });
    let sheets: Vec<(Student, Sheet)> = sheets.collect();
    report_left_out(&labs, &sheets)?;
    Ok(sheets)
}

/// Reports the labs that have no items on the sheets.
fn report_left_out(labs: &[&str], sheets: &[(Student, Sheet)]) -> Result<(), Failure> {
    let drawn = sheets.first().map_or(&[][..], |(_, sheet)| &sheet.header.labs);
    if drawn.is_empty() {
        let labs = labs.join(", ");
        return Err(Failure::Usage(format!(
            "the sheets have no items: {labs} has only an explanation"
        )));
    }
    for lab in labs.iter().filter(|lab| !drawn.iter().any(|it| it == *lab)) {
        complain(&format!("daytime: the sheets leave out {lab}: it has only an explanation"));
    }
    Ok(())
}
