//! `daytime parse`.

use super::args::Parse;
use super::failure::Failure;
use super::{complain, print};
use crate::reply::Printable;
use crate::report::{json, meaning, plural};
use crate::syntax::{Flag, Unrecognised, recognise};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;

/// No Daytime reply is as long; a longer one is refused rather than cut.
const MOST_OCTETS: usize = 64 * 1024;

pub(super) fn run(parse: &Parse, quiet: bool) -> Result<ExitCode, Failure> {
    let read = read(parse, quiet);
    if let (true, Err(failure @ Failure::Told { .. })) = (parse.json, &read) {
        print(&format!("{}\n", json::error(&failure.to_string())))?;
    }
    read
}

fn read(parse: &Parse, quiet: bool) -> Result<ExitCode, Failure> {
    let mut input = Input::open(parse.file.as_deref())?;
    let show = Show { json: parse.json, quiet };
    let mut status = ExitCode::SUCCESS;
    let mut line = 0;
    loop {
        let reply = if parse.lines { input.line()? } else { input.whole()? };
        let Some(reply) = reply else { break };
        line += 1;
        if parse.lines && reply.is_blank() {
            continue; // as NIST's servers send before each
        }
        let told = show.reply(parse.lines.then_some(line), &reply);
        if !told.is_time {
            status = ExitCode::FAILURE;
        }
        match told.tell() {
            // Asked for no more, but what failed has failed.
            Err(Failure::NobodyReads) => return Ok(status),
            told => told?,
        }
        if !parse.lines {
            break;
        }
    }
    Ok(status)
}

/// Where replies come from.
struct Input {
    name: String,
    octets: Box<dyn BufRead>,
}

/// A reply as far as it was taken.
enum Taken {
    Whole(Vec<u8>),
    /// It has more than [`MOST_OCTETS`].
    TooLong,
}

impl Input {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            if io::stdin().is_terminal() {
                complain("daytime: reading a reply from the terminal, until Ctrl-D");
            }
            let (name, octets) = ("standard input".to_owned(), Box::new(io::stdin().lock()));
            return Ok(Self { name, octets });
        };
        let name = Printable(path.as_os_str().as_encoded_bytes()).to_string();
        match File::open(path) {
            Ok(file) => Ok(Self { name, octets: Box::new(BufReader::new(file)) }),
            Err(error) => {
                let reply = path.to_str().is_some_and(|text| recognise(text.as_bytes()).is_ok());
                let hint = if reply { ": to have a reply read, pipe it in" } else { "" };
                Err(Failure::plain(format!("cannot open {name}: {error}{hint}")))
            }
        }
    }

    /// All of it as one reply.
    fn whole(&mut self) -> Result<Option<Taken>, Failure> {
        let mut reply = Vec::new();
        // One octet beyond tells "just full" from "too long".
        let mut octets = (&mut self.octets).take(MOST_OCTETS as u64 + 1);
        octets.read_to_end(&mut reply).map_err(|error| self.unreadable(&error))?;
        Ok(Some(Taken::of(reply)))
    }

    /// The next line with its end; `None` at the end of the input.
    fn line(&mut self) -> Result<Option<Taken>, Failure> {
        let mut reply = Vec::new();
        let mut octets = (&mut self.octets).take(MOST_OCTETS as u64 + 1);
        octets.read_until(b'\n', &mut reply).map_err(|error| self.unreadable(&error))?;
        if reply.is_empty() {
            return Ok(None);
        }
        let ended = reply.ends_with(b"\n");
        let taken = Taken::of(reply);
        if let (Taken::TooLong, false) = (&taken, ended) {
            self.octets.skip_until(b'\n').map_err(|error| self.unreadable(&error))?;
        }
        Ok(Some(taken))
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        Failure::plain(format!("cannot read {}: {error}", self.name))
    }
}

impl Taken {
    fn of(reply: Vec<u8>) -> Self {
        if reply.len() > MOST_OCTETS { Self::TooLong } else { Self::Whole(reply) }
    }

    fn is_blank(&self) -> bool {
        matches!(self, Self::Whole(reply) if reply.trim_ascii().is_empty())
    }
}

/// How results are shown.
#[derive(Clone, Copy)]
struct Show {
    json: bool,
    quiet: bool,
}

impl Show {
    fn reply(self, line: Option<u64>, reply: &Taken) -> Told {
        let Taken::Whole(octets) = reply else {
            return self.too_long(line);
        };
        let recognised = recognise(octets);
        let text = match &recognised {
            _ if self.json => format!("{}\n", json::saved(line, octets, &recognised)),
            Ok(it) if self.quiet => format!("{}\n", meaning::time(it)),
            Ok(it) => {
                format!(
                    "{}\n{}\n",
                    meaning::printable_line(octets),
                    meaning::lines(it, None).join("\n")
                )
            }
            Err(_) if self.quiet => String::new(),
            Err(_) => format!("{}\n", meaning::printable_line(octets)),
        };
        let complaint = match &recognised {
            Ok(it) if it.flags.contains(Flag::SecondLine) => {
                let hint = if line.is_none() { "; --lines reads each" } else { "" };
                let told = format!("only the first line was read{hint}");
                Some(Failure::plain(at_line(line, &told)))
            }
            Ok(_) => None,
            Err(error) => Some(not_a_time(line, error)),
        };
        Told { text, complaint, is_time: recognised.is_ok() }
    }

    fn too_long(self, line: Option<u64>) -> Told {
        let most = plural(MOST_OCTETS as u64, "octet");
        let hint = if line.is_none() { "; --lines reads one reply a line" } else { "" };
        let error = format!("longer than {most}, so it is no Daytime reply{hint}");
        let object = || format!("{}\n", json::saved_error(line, &error));
        let text = if self.json { object() } else { String::new() };
        Told { text, complaint: Some(Failure::plain(at_line(line, &error))), is_time: false }
    }
}

/// What is told of one reply.
struct Told {
    /// For standard output.
    text: String,
    complaint: Option<Failure>,
    is_time: bool,
}

impl Told {
    /// The complaint is told even where nobody reads the text any more.
    fn tell(&self) -> Result<(), Failure> {
        let printed = if self.text.is_empty() { Ok(()) } else { print(&self.text) };
        self.complaint.iter().for_each(Failure::tell);
        printed
    }
}

fn not_a_time(line: Option<u64>, error: &Unrecognised) -> Failure {
    let mut told = vec![format!("not a time: {error}")];
    told.extend(meaning::hints(&error.flags).into_iter().map(str::to_owned));
    Failure::plain(at_line(line, &told.join("; ")))
}

fn at_line(line: Option<u64>, text: &str) -> String {
    match line {
        Some(line) => format!("line {line}: {text}"),
        None => text.to_owned(),
    }
}
