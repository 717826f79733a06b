//! Queries the servers named on the command line with one client. Prints each reply, or advice if there is no reply.
//!
//! `cargo run --example ask -- time.nist.gov localhost:9999`
#![allow(clippy::print_stdout, reason = "a program prints")]

use daytime::{Answer, AskError, Client, Options, Target, Transport};
use std::error::Error;
use std::time::Duration;

fn main() -> Result<(), AskError> {
    let mut client = Client::new()?;
    let options = Options::default().timeout(Duration::from_secs(1));
    for host in std::env::args().skip(1) {
        match host.parse::<Target>() {
            Ok(target) => match client.ask(&target, Transport::Tcp, &options) {
                Ok(answer) => println!("{host}: {}", describe(&answer)),
                Err(error) => println!("{host}: {}", advise(&error)),
            },
            Err(error) => println!("{host}: not a host: {error}"),
        }
    }
    Ok(())
}

/// Describes a reply, and the offset of the local clock from the server's clock.
fn describe(answer: &Answer) -> String {
    let reply = answer.text();
    let Some(offset) = answer.offset() else { return format!("{reply} (no offset)") };
    let ahead = offset.local_minus_server.as_seconds_f64();
    let uncertainty = offset.uncertainty.as_secs_f64();
    format!("{reply} (local minus server: {ahead:+.2} s ± {uncertainty:.2} s)")
}

/// Describes an error, and tells the user how to react.
fn advise(error: &AskError) -> String {
    match error {
        AskError::UnknownHost { .. } => "no such host: check the name".to_owned(),
        AskError::Unresolved { .. } => "the resolver does not answer: try again later".to_owned(),
        AskError::Incomplete { partial, .. } if !partial.octets.is_empty() => {
            format!("the reply broke off: {}", partial.text())
        }
        error if error.is_refused() => "no Daytime server there: check the port".to_owned(),
        error if error.is_timeout() => "no reply in time: try again later".to_owned(),
        error => error.source().map_or(error.to_string(), |cause| format!("{error}: {cause}")),
    }
}
