//! Runs `daytime lab grade`.

use super::class::{class, list, report, secret, shown};
use crate::cli::args::{Format, Grade as Arguments};
use crate::cli::failure::Failure;
use crate::cli::{complain, print, print_exactly};
use crate::report::{escaped, plural};
use crate::teach::bank::Runs;
use crate::teach::draw::Secret;
use crate::teach::grade::{Grade, Marks, autolab, csv, grade, gradescope, json, junit, text};
use crate::teach::mistake::Mistake;
use crate::teach::submission::{MAX_OCTETS, read};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Maximum depth of nested folders. Learning-management systems use at most four levels.
const MAX_DEPTH: usize = 8;

/// Grades the files and prints the grades. Reports all files and students that did not get a grade.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let secret = secret(&arguments.secret_file)?;
    let marks = marks(arguments.marks.as_deref())?;
    let students = match &arguments.class {
        Some(path) => Some(class(path, arguments.id_column.as_deref())?),
        None => None,
    };
    let mut run = Run { secret, marks, runs: Runs::default(), problems: 0 };
    let files = run.grade_all(arguments);
    let grades: Vec<Grade> = run.without_duplicates(files);
    if let Some(students) = students {
        let ids: Vec<&str> = students.iter().map(|it| &*it.id).collect();
        run.report_absent(&ids, &grades);
    }
    if let Some(path) = &arguments.marks {
        run.report(path, &run.marks.mistakes(&grades));
    }
    print_grades(&grades, arguments.format)?;
    Ok(if run.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn marks(path: Option<&Path>) -> Result<Marks, Failure> {
    let Some(path) = path else { return Ok(Marks::default()) };
    Marks::read(&list(path)?)
        .map_err(|mistake| Failure::Message(format!("{}:{mistake}", shown(path))))
}

/// One invocation of the command, with the number of problems reported so far.
struct Run {
    secret: Secret,
    marks: Marks,
    runs: Runs,
    problems: usize,
}

impl Run {
    fn grade_all(&mut self, arguments: &Arguments) -> Vec<(PathBuf, Grade)> {
        let mut graded = Vec::new();
        for path in &arguments.paths {
            let mut files = Vec::new();
            if let Err(error) = collect(path, MAX_DEPTH, true, &mut files) {
                self.complain(&format!("cannot read {}: {error}", shown(path)));
            } else if files.is_empty() {
                self.complain(&format!("{} has no file *.toml", shown(path)));
            }
            files.sort();
            for file in files {
                let grade = self.grade_file(&file, arguments.assignment.as_deref());
                graded.extend(grade.map(|grade| (file, grade)));
            }
        }
        graded
    }

    /// Grades a file. If the file cannot be graded, reports its mistakes and returns `None`.
    fn grade_file(&mut self, path: &Path, assignment: Option<&str>) -> Option<Grade> {
        let content = match content(path) {
            Ok(content) => content,
            Err(error) => {
                self.complain(&format!("cannot read {}: {error}", shown(path)));
                return None;
            }
        };
        let submission = read(&content).map_err(|mistake| vec![mistake]);
        let graded = submission.and_then(|submission| {
            let name = &submission.header.name.assignment;
            if assignment.is_some_and(|wanted| wanted != name) {
                let reason = format!("the file is for the assignment {name:?}");
                return Err(vec![Mistake { line: submission.header_line, reason }]);
            }
            grade(&self.secret, &submission, &self.marks, &mut self.runs)
        });
        match graded {
            Ok(grade) => {
                self.report(path, &grade.unreadable);
                Some(grade)
            }
            Err(mistakes) => {
                self.report(path, &mistakes);
                None
            }
        }
    }

    /// Returns the grades for students who handed in exactly one file. Reports the files of students who handed in
    /// several.
    fn without_duplicates(&mut self, graded: Vec<(PathBuf, Grade)>) -> Vec<Grade> {
        let mut files: BTreeMap<_, Vec<PathBuf>> = BTreeMap::new();
        for (path, grade) in &graded {
            files.entry(grade.name.clone()).or_default().push(path.clone());
        }
        for (name, paths) in files.iter().filter(|(_, paths)| paths.len() > 1) {
            let (student, count) = (escaped(&name.student), paths.len());
            for path in paths {
                let path = shown(path);
                self.complain(&format!(
                    "{path}:1: one of {count} files of student {student}; none of them is graded: keep one"
                ));
            }
        }
        let is_only = |grade: &Grade| files.get(&grade.name).is_some_and(|it| it.len() == 1);
        graded.into_iter().map(|(_, grade)| grade).filter(is_only).collect()
    }

    /// Reports students in the class who have no grade, and graded students who are not in the class list.
    fn report_absent(&mut self, ids: &[&str], grades: &[Grade]) {
        let present: Vec<&str> = grades.iter().map(|grade| &*grade.name.student).collect();
        for id in ids.iter().filter(|id| !present.contains(id)) {
            self.complain(&format!("no graded answer file of student {}", escaped(id)));
        }
        for id in present.iter().filter(|id| !ids.contains(id)) {
            self.complain(&format!("student {} is not in the class list", escaped(id)));
        }
    }

    fn report(&mut self, path: &Path, mistakes: &[Mistake]) {
        self.problems += mistakes.len();
        report(path, mistakes);
    }

    fn complain(&mut self, text: &str) {
        self.problems += 1;
        complain(&format!("daytime: {text}"));
    }
}

/// Collects the answer files below a path. A file that the user named may have any name. In a directory, only files
/// named `*.toml` are collected.
fn collect(path: &Path, depth: usize, is_named: bool, files: &mut Vec<PathBuf>) -> io::Result<()> {
    if is_named && !fs::metadata(path)?.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() && depth > 0 {
            collect(&path, depth - 1, false, files)?;
        } else if !kind.is_dir() && path.extension().is_some_and(|it| it == "toml") {
            files.push(path);
        }
    }
    Ok(())
}

/// Returns the content of a regular file. If the file is too long, returns one octet more than the maximum length, so
/// that the caller notices.
fn content(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(MAX_OCTETS as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}

fn print_grades(grades: &[Grade], format: Format) -> Result<(), Failure> {
    let unmarked: usize = grades.iter().map(|grade| grade.unmarked().count()).sum();
    if unmarked > 0 && format != Format::Text {
        let explanations = plural(unmarked as u64, "explanation");
        complain(&format!(
            "daytime: {explanations} not marked yet: score and maximum leave them out (--marks)"
        ));
    }
    let cannot = |error: &dyn std::error::Error| {
        Failure::Message(format!("cannot write the grades: {error}"))
    };
    match format {
        Format::Text => print(&text(grades)),
        Format::Json => print_exactly(&format!("{:#}\n", json(grades))),
        Format::Csv => print_exactly(&csv(grades).map_err(|error| cannot(&error))?),
        Format::Junit => print_exactly(&junit(grades).map_err(|error| cannot(&error))?),
        Format::Gradescope | Format::Autolab => print_one(grades, format),
    }
}

/// Prints the only grade in an autograder's format. Prints nothing if there is no grade.
fn print_one(grades: &[Grade], format: Format) -> Result<(), Failure> {
    match grades {
        [] => Ok(()),
        [grade] if format == Format::Gradescope => {
            print_exactly(&format!("{:#}\n", gradescope(grade)))
        }
        [grade] => print_exactly(&autolab(grade)),
        _ => Err(Failure::Usage(
            "gradescope and autolab grade one student at a time: name one answer file".to_owned(),
        )),
    }
}
