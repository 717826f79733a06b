//! The command lines of `daytime lab sheet`, `daytime lab key` and `daytime lab grade`.

use crate::lab::LABS;
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, ValueEnum};
use std::path::PathBuf;

pub(super) const SHEET_HELP: &str = "\
Example:
  daytime lab sheet --class class.csv --secret-file secret --lab exchange,loss \\
    --assignment 'week 3' --out sheets

Each student gets DIR/ID/sheet.html to read or to print, and DIR/ID/answers.toml
to hand in. The options of a sheet follow from the secret, the assignment and
the student: the same three give the same sheet. The class list is CSV with a
header; the id is in a column such as student_id, \"ID number\" or SID. Make a
secret with
  (umask 077; head -c 32 /dev/urandom | base64 > secret)";

pub(super) const KEY_HELP: &str = "\
The key needs the same class list, secret, labs and assignment as the sheets.";

pub(super) const GRADE_HELP: &str = "\
In a directory, every file *.toml is an answer file. A file that cannot be
graded is reported with its line and reason; the others are graded, and the exit
status is 1. csv has the columns of nbgrader; gradescope and autolab need one
file.";

/// Name that selects all labs.
const ALL: &str = "all";

#[derive(Debug, Args)]
pub(in crate::cli) struct Sheet {
    #[command(flatten)]
    pub drawn: Drawn,
    /// Directory for the sheets
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Key {
    #[command(flatten)]
    pub drawn: Drawn,
    /// Print the key of this student only; may be repeated
    #[arg(long = "student", value_name = "ID")]
    pub students: Vec<String>,
    /// Print the key as JSON
    #[arg(long)]
    pub json: bool,
    /// Write the packets that the items come from: a folder for each student
    #[arg(long, value_name = "DIR")]
    pub pcapng: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Grade {
    /// Answer files, or directories with answer files
    #[arg(required = true, value_name = "FILE|DIR")]
    pub paths: Vec<PathBuf>,
    /// File with the secret that the sheets were made with
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
    /// Form of the grades
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
    /// CSV with points for explanations: student_id, item, points, comment
    #[arg(long, value_name = "FILE")]
    pub marks: Option<PathBuf>,
    /// Class list: report each student without an answer file
    #[arg(long, value_name = "FILE")]
    pub class: Option<PathBuf>,
    /// Column of the class list with the student's id
    #[arg(long, value_name = "NAME", requires = "class")]
    pub id_column: Option<String>,
    /// Report answer files of other assignments
    #[arg(long, value_name = "NAME")]
    pub assignment: Option<String>,
}

/// What a sheet follows from.
#[derive(Debug, Args)]
pub(in crate::cli) struct Drawn {
    /// Class list: CSV with a header
    #[arg(long, value_name = "FILE")]
    pub class: PathBuf,
    /// Column of the class list with the student's id
    #[arg(long, value_name = "NAME")]
    pub id_column: Option<String>,
    /// File with the secret; only its owner may read it
    #[arg(long, value_name = "FILE")]
    pub secret_file: PathBuf,
    /// Labs of the sheet, in its order
    #[arg(long = "lab", required = true, value_name = "NAME", value_delimiter = ',',
        action = ArgAction::Append, value_parser = names())]
    labs: Vec<String>,
    /// Name of the assignment, as the sheets show it
    #[arg(long, default_value = "daytime", value_name = "NAME")]
    pub assignment: String,
}

/// Form of the grades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    Text,
    Json,
    Csv,
    Junit,
    Gradescope,
    Autolab,
}

impl Drawn {
    /// Returns the names of the labs, each once.
    pub(in crate::cli) fn labs(&self) -> Vec<&'static str> {
        let is_all = self.labs.iter().any(|name| name == ALL);
        let all = LABS.iter().map(|lab| lab.name);
        if is_all {
            return all.collect();
        }
        let mut labs: Vec<&'static str> = Vec::new();
        for name in &self.labs {
            let name = all.clone().find(|lab| lab == name);
            labs.extend(name.filter(|name| !labs.contains(name)));
        }
        labs
    }
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(LABS.iter().map(|lab| lab.name).chain([ALL]))
}
