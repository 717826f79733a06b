//! `daytime query`.

use super::args::Query;
use super::failure::Failure;
use super::print;
use crate::client::{Answer, AskError, Client, Options, Target};
use crate::report::{answer, json, meaning};
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
        impolite: query.ask.impolite,
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
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                let failure = Failure::from(error);
                let object = || json::ask_error(target, transport, &failure.to_string());
                let text = if query.json { format!("{}\n", object()) } else { String::new() };
                return Self { text, faults: vec![failure] };
            }
        };
        let text = match (query.json, quiet) {
            (true, _) => format!("{}\n", json::answer(target, &answer)),
            (_, true) => format!("{}\n", answer.text()),
            _ => format!("{}\n", answer::text(&answer)),
        };
        let faults = Failure::of_answer(&answer).into_iter().chain(of_server(&answer)).collect();
        Self { text, faults }
    }

    /// The faults are told even where nobody reads the text any more.
    fn tell(&self) -> Result<(), Failure> {
        let printed = if self.text.is_empty() { Ok(()) } else { print(&self.text) };
        self.faults.iter().for_each(Failure::tell);
        printed
    }
}

/// What the server says about itself that makes its time a bad one.
fn of_server(answer: &Answer) -> Vec<Failure> {
    let recognised = answer.recognise();
    let faults = recognised.iter().flat_map(meaning::faults);
    faults.map(|fault| Failure::plain(format!("{}: {fault}", answer.peer))).collect()
}
