//! Runs `daytime lab grade`.

mod files;

use super::class::{class, list, report, secret, shown};
use super::sheet::write_whole;
use crate::cli::args::{Format, Grade as Arguments};
use crate::cli::failure::Failure;
use crate::cli::{complain, print, print_exactly, print_json};
use crate::report::{escaped, plural};
use crate::teach::bank::Runs;
use crate::teach::class::Student;
use crate::teach::draw::Secret;
use crate::teach::grade::{
    Grade, GradedItem, Marks, autolab, csv, explanations, grade, gradescope, gradescope_refusal,
    json, junit, text,
};
use crate::teach::mistake::Mistake;
use crate::teach::submission::read;
use files::{AnswerFile, Found, Identity};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Grades the files, prints the grades, and reports refused files, students without an answer file, and wrong marks.
pub(super) fn run(arguments: &Arguments) -> Result<ExitCode, Failure> {
    let secret = secret(&arguments.secret_file)?;
    let marks = marks(arguments.marks.as_deref())?;
    let students = match &arguments.class {
        Some(path) => Some(class(path, arguments.id_column.as_deref())?),
        None => None,
    };
    let mut run = Run {
        secret,
        marks,
        runs: Runs::default(),
        problems: 0,
        refusals: Vec::new(),
        seen: BTreeSet::new(),
    };
    let files = run.grade_all(arguments);
    let mut grades: Vec<Grade> = run.without_duplicates(files);
    if let Some(students) = &students {
        run.report_absent(students, &grades);
    }
    sort(&mut grades, students.unwrap_or_default());
    if let Some(path) = &arguments.marks {
        run.report(path, &run.marks.mistakes(&grades));
    }
    if let Some(path) = &arguments.explanations {
        write_explanations(path, &grades)?;
    }
    match print_grades(&grades, &run.refusals, arguments.format) {
        // The exit status does not depend on whether standard output has a reader.
        Err(Failure::OutputClosed) => {}
        printed => printed?,
    }
    Ok(if run.problems == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn marks(path: Option<&Path>) -> Result<Marks, Failure> {
    let Some(path) = path else { return Ok(Marks::default()) };
    Marks::read(&list(path)?)
        .map_err(|mistake| Failure::Message(format!("{}:{mistake}", shown(path))))
}

/// Writes a file for the marks. Never replaces a file, because it may have marks. Writes no file without rows: the file
/// would be in the way of the next run.
fn write_explanations(path: &Path, grades: &[Grade]) -> Result<(), Failure> {
    if !grades.iter().flat_map(|grade| &grade.items).any(GradedItem::has_row) {
        complain(&format!("daytime: no explanation to mark: {} is not written", shown(path)));
        return Ok(());
    }
    let cannot = |error: &dyn std::error::Error| {
        Failure::Message(format!("cannot write {}: {error}", shown(path)))
    };
    let table = explanations(grades).map_err(|error| cannot(&error))?;
    write_whole(path, &table).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure::Message(format!("{} exists: name another file", shown(path)))
        }
        _ => cannot(&error),
    })
}

/// One invocation of the command, with the number of problems reported so far.
struct Run {
    secret: Secret,
    marks: Marks,
    runs: Runs,
    problems: usize,
    /// Why files were not graded, for an autograder's result.
    refusals: Vec<String>,
    /// Files that were graded or refused. A file may have several names.
    seen: BTreeSet<Identity>,
}

impl Run {
    fn grade_all(&mut self, arguments: &Arguments) -> Vec<(PathBuf, Grade)> {
        let mut graded = Vec::new();
        for path in &arguments.paths {
            let Found { mut files, problems } = files::collect(path);
            if files.is_empty() && problems.is_empty() {
                self.refuse(path, &label(path, path), "has no file *.toml");
            }
            for (problem_path, problem) in problems {
                self.refuse(&problem_path, &label(path, &problem_path), &problem);
            }
            files.sort_by(|one, other| one.path.cmp(&other.path));
            for file in files {
                let label = label(path, &file.path);
                let grade = self.grade_file(&file, &label, arguments.assignment.as_deref());
                graded.extend(grade.map(|grade| (file.path, grade)));
            }
        }
        graded
    }

    /// Grades a file. Reports a file that cannot be graded, and returns `None`. Also returns `None` for a file that this
    /// run has already read. `label` names the file in an autograder's result.
    fn grade_file(
        &mut self,
        file: &AnswerFile,
        label: &str,
        assignment: Option<&str>,
    ) -> Option<Grade> {
        let path = &*file.path;
        let (identity, content) = match file.read() {
            Ok(read) => read,
            Err(error) => {
                self.refuse(path, label, &format!("cannot be read: {error}"));
                return None;
            }
        };
        if !self.seen.insert(identity) {
            return None;
        }
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
                self.report(path, &grade.mistakes);
                Some(grade)
            }
            Err(mistakes) => {
                self.refusals.extend(mistakes.iter().map(|it| format!("{label}:{it}")));
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
            self.refusals.push(format!("{count} files of student {student}: hand in one file"));
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
    fn report_absent(&mut self, students: &[Student], grades: &[Grade]) {
        let present: BTreeSet<&str> = grades.iter().map(|grade| &*grade.name.student).collect();
        let ids: BTreeSet<&str> = students.iter().map(|student| &*student.id).collect();
        for Student { id, name, .. } in students.iter().filter(|it| !present.contains(&*it.id)) {
            let name = name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            self.complain(&format!("no graded answer file of student {id}{name}"));
        }
        for id in present.difference(&ids) {
            self.complain(&format!("student {} is not in the class list", escaped(id)));
        }
    }

    fn report(&mut self, path: &Path, mistakes: &[Mistake]) {
        self.problems += mistakes.len();
        report(path, mistakes);
    }

    /// Reports a path that cannot be graded.
    fn refuse(&mut self, path: &Path, label: &str, reason: &str) {
        self.refusals.push(format!("{label} {reason}"));
        self.complain(&format!("{} {reason}", shown(path)));
    }

    fn complain(&mut self, text: &str) {
        self.problems += 1;
        complain(&format!("daytime: {text}"));
    }
}

/// Returns the name of a file for its student: the path below the folder that the user named.
fn label(named: &Path, path: &Path) -> String {
    let below = path.strip_prefix(named).ok().filter(|it| !it.as_os_str().is_empty());
    shown(below.or_else(|| path.file_name().map(Path::new)).unwrap_or(path))
}

/// Puts the grades into the order of the class list, and gives each its student there. Students who are not in the list
/// follow in the order of their ids.
fn sort(grades: &mut [Grade], students: Vec<Student>) {
    let students: BTreeMap<String, (usize, Student)> =
        students.into_iter().enumerate().map(|(at, it)| (it.id.clone(), (at, it))).collect();
    for grade in &mut *grades {
        grade.student = students.get(&grade.name.student).map(|(_, student)| student.clone());
    }
    grades.sort_by_cached_key(|grade| {
        let place = students.get(&grade.name.student).map_or(usize::MAX, |(at, _)| *at);
        (place, grade.name.student.clone(), grade.name.assignment.clone())
    });
}

fn print_grades(grades: &[Grade], refusals: &[String], format: Format) -> Result<(), Failure> {
    let unmarked: usize = grades.iter().map(|grade| grade.unmarked().count()).sum();
    if unmarked > 0 && format != Format::Text {
        let explanations = plural(unmarked as u64, "explanation");
        complain(&format!(
            "daytime: {explanations} not marked yet: in max_score, not in score (--marks)"
        ));
    }
    let cannot = |error: &dyn std::error::Error| {
        Failure::Message(format!("cannot write the grades: {error}"))
    };
    match format {
        Format::Text => print(&text(grades)),
        Format::Json => print_json(&json(grades)),
        Format::Csv => print_exactly(&csv(grades).map_err(|error| cannot(&error))?),
        Format::Junit => print_exactly(&junit(grades).map_err(|error| cannot(&error))?),
        Format::Gradescope | Format::Autolab => print_one(grades, refusals, format),
    }
}

/// Prints the grade of the only file for an autograder, with the reasons why other files have no grade. If no file has a
/// grade, Gradescope gets the reasons.
fn print_one(grades: &[Grade], refusals: &[String], format: Format) -> Result<(), Failure> {
    let is_gradescope = format == Format::Gradescope;
    match grades {
        [grade] if is_gradescope => print_json(&gradescope(grade, refusals)),
        [grade] => print_exactly(&autolab(grade, refusals)),
        [] if is_gradescope => print_json(&gradescope_refusal(refusals)),
        [] => Ok(()),
        [..] => {
            if is_gradescope {
                let reason = format!("files of {} students: hand in one file", grades.len());
                let reasons = [&[reason], refusals].concat();
                let _ = print_json(&gradescope_refusal(&reasons));
            }
            Err(Failure::Usage(
                "gradescope and autolab grade one student at a time: name one answer file"
                    .to_owned(),
            ))
        }
    }
}
