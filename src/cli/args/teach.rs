//! The command lines of `daytime lab sheet`, `key`, `grade` and `quiz`.

use crate::lab::{LABS, Lab};
use crate::teach::sheet::Explanations;
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, ValueEnum, value_parser};
use std::path::PathBuf;

pub(super) const SHEET_HELP: &str = "\
Example:
  daytime lab sheet --class class.csv --secret-file secret --lab exchange,loss \\
    --assignment 'week 3' --out sheets

Each student gets DIR/ID/sheet.html to read or to print, and DIR/ID/answers.toml
to hand in. The same secret, assignment, student, labs and --no-explanations
give the same sheet. The class list is CSV with a header; the id is in a column
such as student_id, \"ID number\" or SID. Make a secret with
  (umask 077; head -c 32 /dev/urandom | base64 > secret)";

pub(super) const KEY_HELP: &str = "\
The key needs the same class list, secret, labs, assignment and
--no-explanations as the sheets.";

pub(super) const GRADE_HELP: &str = "\
In a directory, every file *.toml is an answer file. An answer or a file that
cannot be read is reported with its line and reason; the others are graded, and
the exit status is 1. csv has the columns of nbgrader, then name, state and what
is not marked yet; gradescope and autolab need one file.";

pub(super) const QUIZ_HELP: &str = "\
Example:
  daytime lab quiz --format moodle --lab exchange,loss --variants 20 \\
    --seed 80211 --out quiz.xml

Each item is a category. Its variants differ in their options: ask each student
one at random. Moodle XML has the pictures inside. text2qti makes a zip
for Canvas of its text. The same seed, labs and N give the same file: choose a
seed of your own, because a student who knows the seed can make the quiz again.";

/// Usage of `daytime lab sheet`. clap would write the usage on one line, which is longer than 80
/// columns.
pub(super) const SHEET_USAGE: &str = "\
daytime lab sheet [OPTIONS] --class <FILE> --secret-file <FILE>
                         --lab <NAME> --out <DIR>";

/// Usage of `daytime lab key`.
pub(super) const KEY_USAGE: &str = "\
daytime lab key [OPTIONS] --class <FILE> --secret-file <FILE>
                       --lab <NAME>";

/// The name that selects all labs.
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
    /// Output format of the grades
    #[arg(long, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub format: Format,
    /// CSV with points for explanations: student_id, item, points, comment
    #[arg(long, value_name = "FILE")]
    pub marks: Option<PathBuf>,
    /// Write the explanations to mark to a new CSV, which --marks reads
    #[arg(long, value_name = "FILE")]
    pub explanations: Option<PathBuf>,
    /// Class list: gives names and order; each student without a file is reported
    #[arg(long, value_name = "FILE")]
    pub class: Option<PathBuf>,
    /// Column of the class list with the student's id
    #[arg(long, value_name = "NAME", requires = "class")]
    pub id_column: Option<String>,
    /// Report answer files of other assignments
    #[arg(long, value_name = "NAME")]
    pub assignment: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Quiz {
    /// Form of the quiz
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: QuizFormat,
    /// Labs of the quiz, in its order
    #[arg(long = "lab", required = true, value_name = "NAME", value_delimiter = ',',
        action = ArgAction::Append, value_parser = names())]
    labs: Vec<String>,
    /// Maximum number of variants of each item, from 1 to 200
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = value_parser!(u16).range(1..=200))]
    pub variants: u16,
    /// Ask for an order as a matching question, for Moodle before version 4.4
    #[arg(long)]
    pub no_ordering: bool,
    /// Random seed that the variants are drawn from
    #[arg(long, value_name = "N")]
    pub seed: u64,
    /// Write the quiz to this file, not to standard output
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// Format of a quiz.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum QuizFormat {
    Moodle,
    Gift,
    Text2qti,
}

/// The arguments that determine a sheet's contents.
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
    /// Leave out explanations, so that nothing is marked by hand
    #[arg(long)]
    no_explanations: bool,
}

/// Output format of the grades.
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
        labs(&self.labs).into_iter().map(|lab| lab.name).collect()
    }

    /// Returns whether the sheets ask for explanations.
    pub(in crate::cli) const fn explanations(&self) -> Explanations {
        if self.no_explanations { Explanations::LeftOut } else { Explanations::Asked }
    }
}

impl Quiz {
    /// Returns the labs, each once.
    pub(in crate::cli) fn labs(&self) -> Vec<&'static Lab> {
        labs(&self.labs)
    }
}

/// Returns the labs with these names, each once.
fn labs(names: &[String]) -> Vec<&'static Lab> {
    if names.iter().any(|name| name == ALL) {
        return LABS.to_vec();
    }
    let mut labs: Vec<&'static Lab> = Vec::new();
    for name in names {
        let lab = LABS.iter().find(|lab| lab.name == name);
        labs.extend(lab.filter(|lab| !labs.iter().any(|it| it.name == lab.name)).copied());
    }
    labs
}

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(LABS.iter().map(|lab| lab.name).chain([ALL]))
}
