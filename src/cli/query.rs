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
            match tell(query, quiet, target, transport, asked) {
                Ok(true) => {}
                Ok(false) => status = ExitCode::FAILURE,
                // Asked for no more, but what failed before has failed.
                Err(Failure::NobodyReads) => return Ok(status),
                Err(failure) => return Err(failure),
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

/// Prints what came of one question; true if it was answered well.
fn tell(
    query: &Query,
    quiet: bool,
    target: &Target,
    transport: Transport,
    asked: Result<Answer, AskError>,
) -> Result<bool, Failure> {
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            let failure = Failure::from(error);
            failure.tell();
            if query.json {
                let object = json::ask_error(target, transport, &failure.to_string());
                print(&format!("{object}\n"))?;
            }
            return Ok(false);
        }
    };
    print(&match (query.json, quiet) {
        (true, _) => format!("{}\n", json::answer(target, &answer)),
        (_, true) => format!("{}\n", answer.text()),
        _ => format!("{}\n", answer::text(&answer)),
    })?;
    let faults: Vec<_> =
        Failure::of_answer(&answer).into_iter().chain(of_server(&answer)).collect();
    faults.iter().for_each(Failure::tell);
    Ok(faults.is_empty())
}

/// What the server says about itself that makes its time a bad one.
fn of_server(answer: &Answer) -> Vec<Failure> {
    let recognised = answer.recognise();
    let faults = recognised.iter().flat_map(meaning::faults);
    faults.map(|fault| Failure::plain(format!("{}: {fault}", answer.peer))).collect()
}
