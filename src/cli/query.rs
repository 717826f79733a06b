//! `daytime query`.

use super::args::Query;
use super::failure::Failure;
use super::print;
use crate::client::{Answer, AskError, Client, Interruption, Options, Target};
use crate::report::{answer, json, meaning};
use crate::syntax::{Recognised, Unrecognised};
use crate::transport::Transport;
use std::process::ExitCode;
use std::thread;

pub(super) fn run(query: &Query, quiet: bool) -> Result<ExitCode, Failure> {
    let options = Options {
        family: query.ask.family(),
        port: query.port,
        timeout: query.timeout,
        retries: query.retries,
        limit: query.limit as usize,
        pace: query.ask.pace(),
    };
    let mut client = Client::new()?;
    let mut status = ExitCode::SUCCESS;
    for round in 0..query.count {
        if round > 0 {
            thread::sleep(query.interval);
        }
        for (target, transport) in questions(query) {
            let asked = client.ask(target, transport, &options);
            let told = Told::of(query, quiet, target, transport, asked);
            if !told.faults.is_empty() {
                status = ExitCode::FAILURE;
            }
            match told.tell() {
                // Asked for no more, but what failed has failed.
                Err(Failure::NobodyReads) => return Ok(status),
                told => told?,
            }
        }
    }
    Ok(status)
}

fn questions(query: &Query) -> impl Iterator<Item = (&Target, Transport)> {
    let transports = query.proto.transports();
    query.hosts.iter().flat_map(move |host| {
        transports.clone().into_iter().map(move |transport| (host, transport))
    })
}

/// What came of one question.
struct Told {
    /// For standard output.
    text: String,
    /// Whatever makes the exit status 1.
    faults: Vec<Failure>,
}

impl Told {
    fn of(
        query: &Query,
        quiet: bool,
        target: &Target,
        transport: Transport,
        asked: Result<Answer, AskError>,
    ) -> Self {
        let error = match asked {
            Ok(answer) => return Self::of_answer(query, quiet, target, &answer, None),
            Err(error) => error,
        };
        let failure = Failure::from(&error);
        if let AskError::Incomplete { partial, cause } = &error
            && !partial.octets.is_empty()
        {
            return Self::of_answer(query, quiet, target, partial, Some((cause, failure)));
        }
        let object = || json::ask_error(target, transport, &failure.to_string());
        let text = if query.json { format!("{}\n", object()) } else { String::new() };
        Self { text, faults: vec![failure] }
    }

    /// An answer, and what stopped it if it is incomplete. It is read once, for all that is printed.
    fn of_answer(
        query: &Query,
        quiet: bool,
        target: &Target,
        answer: &Answer,
        stopped: Option<(&Interruption, Failure)>,
    ) -> Self {
        let read = answer.recognise();
        let (cause, failure) = stopped.unzip();
        let text = match (query.json, quiet) {
            (true, _) => {
                let incomplete = failure.as_ref().map(Failure::to_string);
                json::answer(target, answer, &read, incomplete.as_deref()).to_string()
            }
            (_, true) => answer.text(),
            _ => answer::text(answer, &read, cause),
        };
        let fault = failure.or_else(|| Failure::of_answer(answer));
        let faults = fault.into_iter().chain(of_server(answer, &read)).collect();
        Self { text: format!("{text}\n"), faults }
    }

    /// The faults are told even where nobody reads the text any more.
    fn tell(&self) -> Result<(), Failure> {
        let printed = if self.text.is_empty() { Ok(()) } else { print(&self.text) };
        self.faults.iter().for_each(Failure::tell);
        printed
    }
}

/// What the server says about itself that makes its time a bad one.
fn of_server(answer: &Answer, read: &Result<Recognised, Unrecognised>) -> Vec<Failure> {
    let faults = read.iter().flat_map(meaning::faults);
    faults.map(|fault| Failure::plain(format!("{}: {fault}", answer.peer))).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::args::{Arguments, Command};
    use super::*;
    use crate::syntax::READ;
    use clap::Parser;

    pub(in crate::cli) fn answered(reply: &[u8]) -> Answer {
        Answer::sample(Transport::Tcp, reply)
    }

    #[test]
    fn a_reply_is_read_once_for_all_that_is_printed() {
        let reply = b"60494 24-07-03 14:05:11 50 0 2 0.0 UTC(NIST) *\n";
        for (option, printed) in [("-v", "means"), ("-q", "UTC(NIST)"), ("--json", "offset_us")] {
            let arguments = ["daytime", "query", "localhost", option];
            let arguments = Arguments::try_parse_from(arguments).expect("a command line");
            let Command::Query(query) = arguments.command else { panic!("a query") };
            let (before, target) = (READ.get(), &query.hosts[0]);
            let answer = Ok(answered(reply));
            let told = Told::of(&query, arguments.verbosity.quiet, target, Transport::Tcp, answer);
            assert_eq!(READ.get() - before, 1, "{option}");
            assert!(told.text.contains(printed), "{option}: {}", told.text);
            assert_eq!(told.faults.len(), 1, "H=2 is a fault of the server");
        }
    }
}
