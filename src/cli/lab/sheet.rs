//! Runs `daytime lab sheet` and `daytime lab key`.

use super::capture::Captures;
use super::class::sheets;
use crate::cli::args::{Key, Sheet as SheetArguments};
use crate::cli::failure::Failure;
use crate::cli::signals::StopFlag;
use crate::cli::{print, print_json};
use crate::lab::Engine;
use crate::report::plural;
use crate::teach::class::Student;
use crate::teach::key;
use crate::teach::sheet::{Sheet, answers_file, html};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
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
    remove_leftovers(folder).map_err(|error| {
        Failure::Message(format!("cannot tidy directory {}: {error}", folder.display()))
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

/// Removes the unfinished files of runs that were killed.
fn remove_leftovers(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_unfinished) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Returns the name of a file until it has all of its content. The name has the process's id, so that two runs at once
/// do not write the same file.
fn unfinished(path: &Path) -> PathBuf {
    path.with_extension(format!("{}.new", process::id()))
}

/// Returns whether a file's name is one that [`unfinished`] gives.
fn is_unfinished(name: &str) -> bool {
    let parts = name.strip_suffix(".new").and_then(|name| name.split_once('.'));
    parts.is_some_and(|(stem, id)| {
        matches!(stem, "sheet" | "answers") && id.parse::<u32>().is_ok_and(|id| id > 0)
    })
}

/// Writes a new file under another name first, so that no file has only half of its content. Never replaces a file that
/// another program makes at the same time.
pub(super) fn write_whole(path: &Path, content: &str) -> io::Result<()> {
    let new = unfinished(path);
    let mut file = File::create_new(&new)?;
    let written = file.write_all(content.as_bytes()).and_then(|()| publish(&new, path));
    written.inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Gives a file its final name. A hard link fails if the name is taken, but a rename would replace the other file. File
/// systems without hard links, such as FAT, get the rename.
fn publish(new: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(new, path) {
        Ok(()) => fs::remove_file(new),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(error),
        Err(_) => fs::rename(new, path),
    }
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
    if arguments.json {
        print_json(&key::json(&wanted))?;
    } else {
        print(&key::text(&wanted))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_appears_in_the_meantime_is_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("answers.toml");
        fs::write(&path, "the student's").expect("written");
        let error = write_whole(&path, "ours").expect_err("the name is taken");
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).expect("readable"), "the student's");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 1);
    }

    #[test]
    fn leftovers_of_killed_runs_are_removed_and_other_files_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let kept = ["sheet.new", "sheet.x.new", "notes.7.new", "answers.toml", "answers.7.old"];
        let ours = unfinished(&path("sheet.html"));
        let leftovers = [ours.clone(), path("answers.1.new")];
        for file in leftovers.iter().chain(&kept.map(path)) {
            fs::write(file, "half").expect("written");
        }
        remove_leftovers(folder.path()).expect("removed");
        assert!(leftovers.iter().all(|file| !file.exists()));
        assert!(kept.iter().all(|name| path(name).exists()));
        write_whole(&path("sheet.html"), "whole").expect("written");
        assert!(path("sheet.html").exists() && !ours.exists());
    }
}
