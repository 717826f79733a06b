//! Runs `daytime lab sheet` and `daytime lab key`.

use super::capture::Captures;
use super::class::sheets;
use crate::cli::args::{Key, Sheet as SheetArguments};
use crate::cli::failure::Failure;
use crate::cli::signals::StopFlag;
use crate::cli::{print, print_exactly};
use crate::lab::Engine;
use crate::report::plural;
use crate::teach::class::Student;
use crate::teach::key;
use crate::teach::sheet::{Sheet, answers_file, html};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::{self, ExitCode};
use std::sync::atomic::Ordering;

/// Writes one folder per student, with a sheet and an answer file.
pub(super) fn write_sheets(arguments: &SheetArguments) -> Result<ExitCode, Failure> {
    let sheets = sheets(&arguments.drawn)?;
    let stop = StopFlag::register().map_err(|error| Failure::signals(&error))?;
    for (written, (student, sheet)) in sheets.iter().enumerate() {
        if stop.is_set.load(Ordering::Relaxed) {
            return Err(stopped(written, sheets.len()));
        }
        write_sheet(&arguments.out.join(&student.folder), student, sheet)?;
    }
    stop.release();
    let count = plural(sheets.len() as u64, "sheet");
    print(&format!("{count} in {}\n", arguments.out.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes a student's sheet and answer file.
fn write_sheet(folder: &Path, student: &Student, sheet: &Sheet) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| {
        Failure::Message(format!("cannot create directory {}: {error}", folder.display()))
    })?;
    let page = html(sheet, student.name.as_deref())
        .map_err(|error| Failure::Message(format!("cannot make the sheet: {error}")))?;
    write(&folder.join("sheet.html"), &page)?;
    write(&folder.join("answers.toml"), &answers_file(sheet))
}

/// Returns the failure of a command that a signal stopped between two students.
fn stopped(written: usize, all: usize) -> Failure {
    let all = plural(all as u64, "sheet");
    Failure::Message(format!(
        "stopped after {written} of {all}; the same command writes the others"
    ))
}

/// Writes a file. Never overwrites a file with different content, because it may contain a student's answers.
fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let name = path.display();
    if path.is_symlink() {
        return Err(Failure::Message(format!("{name} is a symbolic link: remove it")));
    }
    if path.exists() {
        return match fs::read(path) {
            Ok(there) if there == content.as_bytes() => Ok(()),
            _ => Err(Failure::Message(format!(
                "{name} exists and is different: name another directory with --out"
            ))),
        };
    }
    write_whole(path, content)
        .map_err(|error| Failure::Message(format!("cannot write {name}: {error}")))
}

/// Writes a new file under another name, and then renames it. So no file has only half of its content.
fn write_whole(path: &Path, content: &str) -> io::Result<()> {
    let new = path.with_extension(format!("{}.new", process::id()));
    let mut file = File::create_new(&new)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| fs::rename(&new, path));
    written.inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Prints the keys.
pub(super) fn print_key(arguments: &Key) -> Result<ExitCode, Failure> {
    let all = sheets(&arguments.drawn)?;
    let is_unknown = |id: &&String| !all.iter().any(|(student, _)| student.id == **id);
    if let Some(id) = arguments.students.iter().find(is_unknown) {
        return Err(Failure::Message(format!("the class list has no student {id:?}")));
    }
    let is_wanted = |id: &String| arguments.students.is_empty() || arguments.students.contains(id);
    let wanted: Vec<_> = all.into_iter().filter(|(student, _)| is_wanted(&student.id)).collect();
    if let Some(folder) = &arguments.pcapng {
        wanted
            .iter()
            .try_for_each(|(student, sheet)| write_packets(&folder.join(&student.folder), sheet))?;
    }
    let sheets: Vec<_> = wanted.into_iter().map(|(_, sheet)| sheet).collect();
    if arguments.json {
        print_exactly(&format!("{:#}\n", key::json(&sheets)))?;
    } else {
        print(&key::text(&sheets))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the packets from the runs on which a sheet's items are based.
fn write_packets(folder: &Path, sheet: &Sheet) -> Result<(), Failure> {
    let captures = Captures::open(folder)?;
    for lab in &sheet.labs {
        captures.write_parts(lab.lab.name(), Engine::Sim, lab.parts())?;
    }
    Ok(())
}
