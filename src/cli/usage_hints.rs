//! Hints for common mistakes on the command line. clap cannot suggest the right options here, because they differ too
//! much from the words that the user typed.

use super::args::{Arguments, ListenAddress};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};
use std::path::Path;

/// Replaces clap's suggestion in an error with a hint, if there is one for this mistake.
pub(super) fn explain(mut error: Error, arguments: &[String]) -> Error {
    if let Some(hint) = hint(&error, arguments) {
        for worse in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand] {
            error.remove(worse);
        }
        // The usage line is removed, because it would show the argument that clap suggests.
        error.remove(ContextKind::Usage);
        let hint = ContextValue::StyledStrs(vec![StyledStr::from(hint)]);
        error.insert(ContextKind::Suggested, hint);
    }
    error
}

fn hint(error: &Error, arguments: &[String]) -> Option<String> {
    let definition = Arguments::command();
    let command = arguments.iter().skip(1).find_map(|word| definition.find_subcommand(word));
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match (error.kind(), command) {
        (ErrorKind::InvalidSubcommand, command) => {
            subcommand(&definition, command, word(ContextKind::InvalidSubcommand)?)
        }
        (ErrorKind::UnknownArgument, Some(command)) => {
            argument(command, word(ContextKind::InvalidArg)?, arguments)
        }
        (ErrorKind::ValueValidation, Some(command)) if command.get_name() == "serve" => {
            let port = word(ContextKind::InvalidValue)?.parse::<u16>().ok()?;
            let listen = word(ContextKind::InvalidArg)?.starts_with("--listen");
            listen.then(|| format!("a port alone is '--port {port}'"))
        }
        _ => None,
    }
}

/// Returns the hint for an unknown command: `daytime exchange`, `daytime lab exchange`, `daytime localhost`.
fn subcommand(definition: &Command, command: Option<&Command>, word: &str) -> Option<String> {
    let is_lab = command.is_some_and(|command| command.get_name() == "lab");
    if is_lab_name(definition, word) {
        return Some(format!("'daytime lab run {word}' runs this lab"));
    }
    if is_lab || word == "run" {
        return Some("'daytime lab run NAME' runs a lab, 'daytime lab list' shows them".to_owned());
    }
    if Path::new(word).exists() {
        let capture = [".pcap", ".pcapng", ".cap"].iter().any(|end| word.ends_with(end));
        return capture.then(|| format!("'daytime wire --read {word}' shows this capture file"));
    }
    let host = word == "localhost" || word.contains(['.', ':']);
    host.then(|| format!("'daytime query {word}' asks this host"))
}

/// Whether `daytime lab run` accepts this name.
fn is_lab_name(definition: &Command, word: &str) -> bool {
    let run = definition.find_subcommand("lab").and_then(|lab| lab.find_subcommand("run"));
    let mut names = run.iter().flat_map(|run| run.get_positionals());
    names.any(|names| names.get_possible_values().iter().any(|name| name.get_name() == word))
}

/// Returns the hint for an unknown argument: `query --udp`, `query -p 9999`, `serve 9999`, `check localhost 9999`.
fn argument(command: &Command, word: &str, arguments: &[String]) -> Option<String> {
    let name = command.get_name();
    let has = |option: &str| command.get_arguments().any(|it| it.get_long() == Some(option));
    match word {
        "--udp" | "-u" if has("proto") => Some("'--proto udp' chooses the transport".to_owned()),
        "--tcp" | "-t" if has("proto") => Some("'--proto tcp' chooses the transport".to_owned()),
        "--udp" | "-u" | "--tcp" | "-t" | "--proto" if matches!(name, "check" | "compare") => {
            Some(format!("'{name}' asks over both, TCP and UDP"))
        }
        _ if word.starts_with('-') && word.parse::<f64>().is_ok() => {
            let option = arguments.windows(2).find(|pair| pair[1] == word).map(|pair| &pair[0]);
            option.map(|option| format!("'{option}' takes no negative number"))
        }
        "-p" if has("port") => Some(format!("'--port {}' names the port", port_of(arguments))),
        _ if name == "serve" => listen(word),
        _ if word.parse::<u16>().is_ok() && has("port") => {
            let has_host =
                command.get_positionals().any(|it| it.get_id().as_str().starts_with("host"));
            let after = format!("a port goes after the host, 'HOST:{word}', or is '--port {word}'");
            Some(if has_host { after } else { format!("a port is '--port {word}'") })
        }
        _ => None,
    }
}

/// Returns the number after `-p`, whether or not a blank separates them.
fn port_of(arguments: &[String]) -> &str {
    let mut rest = arguments.iter().skip_while(|word| !word.starts_with("-p"));
    let glued = rest.next().and_then(|word| word.strip_prefix("-p")).unwrap_or_default();
    let next = rest.next().map_or("", String::as_str);
    let is_port = |word: &&str| word.trim_start_matches('=').parse::<u16>().is_ok();
    [glued, next].into_iter().find(is_port).map_or("PORT", |word| word.trim_start_matches('='))
}

/// Returns the hint for an address or port given without an option: `serve 9999`, `serve :9999`, `serve
/// localhost:9999`, `serve 0.0.0.0`.
fn listen(word: &str) -> Option<String> {
    let port = word.strip_prefix("localhost").unwrap_or(word);
    let port = port.strip_prefix(':').unwrap_or(port);
    if port.parse::<u16>().is_ok() {
        return Some(format!("'--port {port}' listens on that port of localhost"));
    }
    let address = word.parse::<ListenAddress>().is_ok();
    address.then(|| format!("'--listen {word}' listens on that address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mentions::each_mentions;
    use clap::Parser;

    /// Returns the tips in the error message for a command line.
    fn tips(line: &str) -> Vec<String> {
        let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = Arguments::try_parse_from(&arguments).expect_err(line);
        let message = explain(error, &arguments).to_string();
        let tips = message.lines().filter_map(|line| line.strip_prefix("  tip: "));
        tips.map(str::to_owned).collect()
    }

    /// Asserts that the error message for a command line has exactly one tip, which mentions these parts.
    #[track_caller]
    fn hinted(line: &str, parts: &[&str]) {
        each_mentions(tips(&format!("daytime {line}")), &[parts]);
    }

    #[test]
    fn a_negative_number_gets_a_hint_with_its_option() {
        hinted("serve --udp-rate -1", &["'--udp-rate'", "negative"]);
    }

    #[test]
    fn run_without_lab_gets_a_hint_to_lab_run() {
        hinted("run exchange", &["'daytime lab run NAME'", "'daytime lab list'"]);
    }

    #[test]
    fn a_transport_as_an_option_gets_a_hint_to_proto() {
        for line in
            ["query --udp localhost", "bench localhost --udp", "serve --udp", "query -u ::1"]
        {
            hinted(line, &["'--proto udp'", "transport"]);
        }
        for line in ["query localhost --tcp", "bench -t localhost", "serve --tcp --port 9999"] {
            hinted(line, &["'--proto tcp'", "transport"]);
        }
        for (line, name) in [
            ("compare --udp", "compare"),
            ("check --tcp localhost", "check"),
            ("compare --proto udp", "compare"),
        ] {
            hinted(line, &[name, "both", "TCP", "UDP"]);
        }
    }

    #[test]
    fn a_port_in_the_wrong_place_gets_a_hint_to_port() {
        for line in [
            "serve -p 9999",
            "serve -p9999",
            "serve -p=9999",
            "query -p 9999 localhost",
            "bench localhost -p 9999",
            "check -p 9999 localhost",
            "compare -p 9999",
            "wire -p 9999",
        ] {
            hinted(line, &["'--port 9999'"]);
        }
        hinted("serve -p", &["'--port PORT'"]);
        for line in ["serve 9999", "serve :9999", "serve localhost:9999", "serve --json 9999"] {
            hinted(line, &["'--port 9999'", "localhost"]);
        }
        hinted("serve 0.0.0.0:9999", &["'--listen 0.0.0.0:9999'"]);
        hinted("serve --listen 9999", &["'--port 9999'"]);
        for line in ["check localhost 9999", "compare ::1 9999", "bench localhost 9999"] {
            hinted(line, &["after the host", "'HOST:9999'", "'--port 9999'"]);
        }
        hinted("wire lo 9999", &["'--port 9999'"]);
    }

    #[cfg(feature = "teach")]
    #[test]
    fn the_name_of_a_lab_gets_a_hint_to_lab_run() {
        let names = crate::lab::LABS.iter().map(|lab| lab.name).chain(["all"]);
        let mut tried = 0;
        for name in names {
            let run = format!("'daytime lab run {name}'");
            hinted(&format!("lab {name}"), &[&run]);
            hinted(&format!("lab {name} --explain"), &[&run]);
            hinted(name, &[&run]);
            tried += 1;
        }
        assert!(tried > 10, "only {tried} labs");
        hinted("lab foo", &["'daytime lab run NAME'", "'daytime lab list'"]);
        hinted("lab run exchang", &["'exchange'"]);
    }

    #[test]
    fn a_host_without_a_command_gets_a_hint_to_query_and_other_mistakes_keep_their_tips() {
        hinted("localhost:9999", &["'daytime query localhost:9999'"]);
        hinted("qery localhost", &["'query'"]);
        hinted("serve --prot 9", &["'--proto'"]);
        assert_eq!(tips("daytime serve nonsense"), [""; 0]);
    }

    #[test]
    fn a_file_gets_no_hint_for_hosts() {
        assert_eq!(tips("daytime README.md"), [""; 0]);
        let folder = tempfile::tempdir().expect("a folder");
        let capture = folder.path().join("daytime.pcapng");
        std::fs::write(&capture, b"").expect("written");
        let capture = capture.display();
        let wire = format!("'daytime wire --read {capture}'");
        hinted(&capture.to_string(), &[&wire, "capture file"]);
        hinted("none.md", &["'daytime query none.md'"]);
    }
}
