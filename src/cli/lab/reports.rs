//! Writes a lab run's report and pictures to files.

use crate::cli::failure::Failure;
use crate::lab::Report;
use crate::lab::question::verdict::AnsweredQuestion;
use crate::report::lab::{FinishedRun, file_name};
use crate::teach::page::{self, Entry};
use crate::teach::picture::standalone;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The destinations of the reports and the pictures.
#[derive(Debug)]
pub(super) struct Reports<'a> {
    html: Option<Html<'a>>,
    svg: Option<&'a Path>,
}

/// The place for reports: one file, or a folder.
#[derive(Debug)]
enum Html<'a> {
    File(&'a Path),
    Folder { path: &'a Path, has_index: bool },
}

impl<'a> Reports<'a> {
    /// Creates the missing folders. The reports of several runs need a folder; one report may be a file.
    pub(super) fn open(
        html: Option<&'a Path>,
        svg: Option<&'a Path>,
        runs: usize,
    ) -> Result<Self, Failure> {
        let place = |path: &'a Path| {
            let ends_with_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
            if runs > 1 || ends_with_slash || path.is_dir() {
                Html::Folder { path, has_index: runs > 1 || ends_with_slash }
            } else {
                Html::File(path)
            }
        };
        let html = html.map(place);
        for folder in html.iter().filter_map(Html::folder).chain(svg) {
            fs::create_dir_all(folder).map_err(|error| {
                Failure::Message(format!("cannot create directory {}: {error}", folder.display()))
            })?;
        }
        if let Some(Html::File(file)) = html {
            // A lab may take seconds, so a file that cannot be written is reported before.
            check_writable(file)?;
        }
        Ok(Self { html, svg })
    }

    /// Iterates over the folders to which files are written.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        let html = self.html.as_ref().and_then(|html| match html {
            // The parent of a name without a folder is empty.
            Html::File(file) => {
                file.parent().map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it })
            }
            Html::Folder { path, .. } => Some(*path),
        });
        html.into_iter().chain(self.svg)
    }

    /// Whether the user wants a report or pictures.
    pub(super) const fn are_wanted(&self) -> bool {
        self.html.is_some() || self.svg.is_some()
    }

    /// Writes the report on a run. Returns the file's path, or `None` if the user does not want a report.
    pub(super) fn write_html(
        &self,
        report: &Report,
        answers: Option<&[AnsweredQuestion]>,
    ) -> Result<Option<PathBuf>, Failure> {
        let Some(html) = &self.html else { return Ok(None) };
        let path = match html {
            Html::File(path) => path.to_path_buf(),
            Html::Folder { path, .. } => path.join(html_name(report)),
        };
        write(&path, page::report(report, answers))?;
        Ok(Some(path))
    }

    /// Writes one picture for each part of a run. Returns the files' paths, or `None` if the user does not want
    /// pictures.
    pub(super) fn write_svg(&self, report: &Report) -> Result<Option<Vec<PathBuf>>, Failure> {
        let Some(folder) = self.svg else { return Ok(None) };
        let mut written = Vec::new();
        for (part, picture) in page::pictures(report) {
            let path = free(
                folder,
                &file_name::of_part(report.lab.name, report.procedure.engine, part),
                &written,
            );
            write(&path, standalone(picture))?;
            written.push(path);
        }
        Ok(Some(written))
    }

    /// Writes the index of the reports of this command, if they are in a folder with an index. Writes nothing if no lab
    /// ran: the folder may have an index of an earlier command.
    pub(super) fn write_index(&self, done: &[FinishedRun]) -> Result<(), Failure> {
        let Some(Html::Folder { path: folder, has_index: true }) = self.html else { return Ok(()) };
        if done.is_empty() {
            return Ok(());
        }
        let entries: Vec<Entry> = done
            .iter()
            .map(|it| Entry { report: &it.report, file: html_name(&it.report) })
            .collect();
        let path = folder.join("index.html");
        write(&path, page::index(&entries))
    }
}

impl Html<'_> {
    const fn folder(&self) -> Option<&Path> {
        match self {
            Self::File(_) => None,
            Self::Folder { path, .. } => Some(path),
        }
    }
}

fn html_name(report: &Report) -> String {
    file_name::of_run(report) + ".html"
}

/// Returns a path that this run has not used yet. A name may be taken, because the names of two parts may differ only
/// in punctuation, which file names leave out.
fn free(folder: &Path, name: &str, taken: &[PathBuf]) -> PathBuf {
    let path = |number: usize| match number {
        1 => folder.join(format!("{name}.svg")),
        _ => folder.join(format!("{name}-{number}.svg")),
    };
    let free = (1..=taken.len() + 1).map(path).find(|path| !taken.contains(path));
    free.unwrap_or_else(|| path(1))
}

/// Checks that a file can be written. Leaves no new file behind, because the run may end before it writes the file.
pub(in crate::cli) fn check_writable(file: &Path) -> Result<(), Failure> {
    let create = OpenOptions::new().append(true).create_new(true).open(file);
    let checked = match create {
        Ok(_) => fs::remove_file(file),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            OpenOptions::new().append(true).create(true).open(file).map(drop)
        }
        Err(error) => Err(error),
    };
    checked.map_err(|error| cannot_write(file, &error))
}

/// Writes a page or a picture to a file.
pub(in crate::cli) fn write(path: &Path, made: askama::Result<String>) -> Result<(), Failure> {
    let text =
        made.map_err(|error| Failure::Message(format!("cannot make {}: {error}", path.display())))?;
    fs::write(path, text).map_err(|error| cannot_write(path, &error))
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Message(format!("cannot write {}: {error}", path.display()))
}
