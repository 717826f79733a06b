//! Runs `daytime parse`.

use super::args::Parse;
use super::failure::Failure;
use super::output::{Format, ReplyOutput, print_all};
use super::{complain, print_exactly};
use crate::reply::Printable;
use crate::report::{json, meaning, plural};
use crate::syntax::{Flag, Recognised, Unrecognised, recognise};
use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::iter;
use std::path::Path;
use std::process::ExitCode;

/// Maximum length of a reply in octets. A longer reply is rejected, not truncated.
const MAX_REPLY_OCTETS: usize = 64 * 1024;

pub(super) fn run(parse: &Parse, quiet: bool) -> Result<ExitCode, Failure> {
    let format = Format { json: parse.json, quiet };
    let printed = open(parse.file.as_deref()).and_then(|(name, input)| {
        let output = |reply: io::Result<(Option<u64>, Vec<u8>)>| match reply {
            Ok((line, octets)) => Ok(format.reply(line, &octets)),
            Err(error) => Err(Failure::Message(format!("cannot read {name}: {error}"))),
        };
        if parse.lines {
            print_all(lines(input).map(output))
        } else {
            print_all(iter::once_with(|| Ok((None, read_whole(input)?))).map(output))
        }
    });
    if let (true, Err(failure @ Failure::Message(_))) = (parse.json, &printed) {
        print_exactly(&format!("{}\n", json::error(&failure.to_string())))?;
    }
    printed
}

/// Opens a file of replies, or standard input. Also returns the input's name for error messages.
fn open(path: Option<&Path>) -> Result<(String, Box<dyn BufRead>), Failure> {
    let Some(path) = path.filter(|path| *path != Path::new("-")) else {
        if io::stdin().is_terminal() {
            complain("daytime: reading a reply from the terminal; end it with Ctrl-D");
        }
        return Ok(("standard input".to_owned(), Box::new(io::stdin().lock())));
    };
    let name = Printable(path.as_os_str().as_encoded_bytes()).to_string();
    match File::open(path) {
        Ok(file) => Ok((name, Box::new(BufReader::new(file)))),
        Err(error) => {
            let reply = path.to_str().is_some_and(|text| recognise(text.as_bytes()).is_ok());
            let hint = if reply { ": pipe a reply to standard input instead" } else { "" };
            Err(Failure::Message(format!("cannot open {name}: {error}{hint}")))
        }
    }
}

/// Limits the input for one reply to one octet more than [`MAX_REPLY_OCTETS`]. The additional octet shows that the
/// reply is too long.
fn limited<R: BufRead>(input: &mut R) -> io::Take<&mut R> {
    input.take(MAX_REPLY_OCTETS as u64 + 1)
}

/// Reads the whole input as one reply.
fn read_whole(mut input: impl BufRead) -> io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    limited(&mut input).read_to_end(&mut reply)?;
    Ok(reply)
}

/// Reads all non-blank lines, each with its number. NIST's servers send a blank line before each reply.
fn lines(mut input: impl BufRead) -> impl Iterator<Item = io::Result<(Option<u64>, Vec<u8>)>> {
    let is_blank = |line: &[u8]| !is_too_long(line) && line.trim_ascii().is_empty();
    let lines = (1..).map_while(move |number| match read_line(&mut input) {
        Ok(line) if line.is_empty() => None,
        line => Some(line.map(|line| (Some(number), line))),
    });
    lines.filter(move |line| !matches!(line, Ok((_, line)) if is_blank(line)))
}

/// Reads the next line, including its line ending. At the end of the input, returns an empty line.
fn read_line(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut line = Vec::new();
    limited(input).read_until(b'\n', &mut line)?;
    if is_too_long(&line) && !line.ends_with(b"\n") {
        input.skip_until(b'\n')?;
    }
    Ok(line)
}

fn is_too_long(reply: &[u8]) -> bool {
    reply.len() > MAX_REPLY_OCTETS
}

impl Format {
    fn reply(self, line: Option<u64>, octets: &[u8]) -> ReplyOutput {
        if is_too_long(octets) {
            return self.too_long(line);
        }
        let recognised = recognise(octets);
        let text = match &recognised {
            _ if self.json => format!("{}\n", json::saved(line, octets, &recognised)),
            Ok(it) if self.quiet => format!("{}\n", meaning::time(it)),
            Ok(it) => {
                format!("{}\n{}", meaning::printable_line(octets), meaning::lines(it, None))
            }
            Err(_) if self.quiet => String::new(),
            Err(_) => format!("{}\n", meaning::printable_line(octets)),
        };
        let faults = fault(line, &recognised).map(|it| fault_at(line, &it)).into_iter().collect();
        ReplyOutput { text, is_exact: self.json, faults, is_good: recognised.is_ok() }
    }

    fn too_long(self, line: Option<u64>) -> ReplyOutput {
        let max = plural(MAX_REPLY_OCTETS as u64, "octet");
        let hint = if line.is_none() { "; try --lines to read one reply per line" } else { "" };
        let error = format!("longer than {max}, so not a Daytime reply{hint}");
        let object = || format!("{}\n", json::saved_error(line, &error));
        let text = if self.json { object() } else { String::new() };
        ReplyOutput {
            text,
            is_exact: self.json,
            faults: vec![fault_at(line, &error)],
            is_good: false,
        }
    }
}

/// Returns the fault in a reply: the reply is not a time, or has more than one line.
fn fault(line: Option<u64>, recognised: &Result<Recognised, Unrecognised>) -> Option<String> {
    match recognised {
        Ok(it) if it.flags.contains(Flag::SecondLine) => {
            let hint = if line.is_none() { "; try --lines to read every line" } else { "" };
            Some(format!("only the first line was read{hint}"))
        }
        Ok(_) => None,
        Err(error) => {
            let hints = meaning::hints(error).map(|hint| format!("; {hint}"));
            let reason = meaning::reason(error);
            Some(format!("not a time: {reason}{}", hints.collect::<String>()))
        }
    }
}

fn fault_at(line: Option<u64>, fault: &str) -> Failure {
    Failure::Message(match line {
        Some(line) => format!("line {line}: {fault}"),
        None => fault.to_owned(),
    })
}
