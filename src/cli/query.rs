//! Runs `daytime query`.

use super::args::Query;
use super::failure::Failure;
use super::output::{Format, ReplyOutput, print_all};
use crate::client::{Answer, AskError, Client, Interruption, Options, Target};
use crate::report::{answer, json, meaning};
use crate::transport::Transport;
use std::process::ExitCode;
use std::thread;

pub(super) fn run(query: &Query, quiet: bool) -> Result<ExitCode, Failure> {
    let options = Options {
        retries: query.retries,
        limit: query.limit as usize,
        ..query.ask.options(query.timeout, &Options::default())
    };
    let (mut client, format) = (Client::new()?, Format { json: query.json, quiet });
    let rounds = (0..query.count).flat_map(|round| {
        if round > 0 {
            thread::sleep(query.interval);
        }
        questions(query)
    });
    print_all(rounds.map(|(target, transport)| {
        let asked = client.ask(target, transport, &options);
        Ok(format.result(target, transport, asked))
    }))
}

fn questions(query: &Query) -> impl Iterator<Item = (&Target, Transport)> {
    let transports = query.proto.transports();
    query.hosts.iter().flat_map(move |host| {
        transports.clone().into_iter().map(move |transport| (host, transport))
    })
}

impl Format {
    fn result(
        self,
        target: &Target,
        transport: Transport,
        asked: Result<Answer, AskError>,
    ) -> ReplyOutput {
        let error = match asked {
            Ok(answer) => return self.answer(target, &answer, None),
            Err(error) => error,
        };
        let failure = Failure::of(&error);
        if let AskError::Incomplete { partial, cause } = &error
            && !partial.octets.is_empty()
        {
            return self.answer(target, partial, Some((cause, failure)));
        }
        let object = || json::ask_error(target, transport, &failure.to_string());
        let text = if self.json { format!("{}\n", object()) } else { String::new() };
        ReplyOutput { text, is_exact: self.json, faults: vec![failure], is_good: false }
    }

    /// Formats an answer. `stopped` contains the cause if the answer is incomplete. The reply is parsed once for all
    /// output.
    fn answer(
        self,
        target: &Target,
        answer: &Answer,
        stopped: Option<(&Interruption, Failure)>,
    ) -> ReplyOutput {
        let read = answer.recognise();
        let (cause, failure) = stopped.unzip();
        let text = match self {
            Self { json: true, .. } => {
                let incomplete = failure.as_ref().map(Failure::to_string);
                json::answer(target, answer, &read, incomplete.as_deref()).to_string()
            }
            Self { quiet: true, .. } => answer.text(),
            _ => answer::text(answer, &read, cause),
        };
        let fault = failure.or_else(|| Failure::of_answer(answer));
        let of_server = read.iter().flat_map(meaning::faults);
        let of_server = of_server.map(|it| Failure::Message(format!("{}: {it}", answer.peer)));
        let faults: Vec<_> = fault.into_iter().chain(of_server).collect();
        ReplyOutput {
            text: format!("{text}\n"),
            is_exact: self.json || self.quiet,
            is_good: faults.is_empty(),
            faults,
        }
    }
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
    fn a_reply_is_parsed_once_for_all_output() {
        let reply = b"60494 24-07-03 14:05:11 50 0 2 0.0 UTC(NIST) *\n";
        for (option, printed) in [("-v", "means"), ("-q", "UTC(NIST)"), ("--json", "offset_us")] {
            let arguments = ["daytime", "query", "localhost", option];
            let arguments = Arguments::try_parse_from(arguments).expect("a command line");
            let Command::Query(query) = arguments.command else { panic!("a query") };
            let (before, target) = (READ.get(), &query.hosts[0]);
            let answer = Ok(answered(reply));
            let format = Format { json: query.json, quiet: arguments.verbosity.quiet };
            let printout = format.result(target, Transport::Tcp, answer);
            assert_eq!(READ.get() - before, 1, "{option}");
            assert!(printout.text.contains(printed), "{option}: {}", printout.text);
            assert_eq!(printout.faults.len(), 1, "H=2: the server is unhealthy");
        }
    }
}
