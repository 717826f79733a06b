//! The JSON of the laboratory is what `docs/LAB_JSON.md` says, from the program and from the library.

use crate::support::{daytime, good};
use daytime::lab::{self, Engine, Setting};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use tempfile::TempDir;

fn lab(arguments: &str) -> Value {
    let mut command = daytime();
    good(command.arg("lab").args(arguments.split(' ')).arg("--json")).parse().expect("JSON")
}

/// Every path of keys to a value that has no keys below, as the page writes it.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    let is_value = ["predicted.is", "predicted.from", "predicted.to", "findings[].observed"]
        .iter()
        .any(|end| path.ends_with(end));
    match value {
        Value::Object(object) => {
            if is_value {
                found.insert(path.to_owned());
            }
            for (key, value) in object {
                let key = match path {
                    "" => key.clone(),
                    "labs[].options" => format!("{path}.ENGINE"),
                    "labs[].options.ENGINE" => format!("{path}.OPTION"),
                    _ if is_value => format!("VALUE.{key}"),
                    _ => format!("{path}.{key}"),
                };
                paths(value, &key, found);
            }
        }
        Value::Array(all) if !all.is_empty() => {
            for value in all {
                paths(value, &format!("{path}[]"), found);
            }
        }
        Value::Array(_) => {}
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn the_page_describes_every_key_that_the_program_prints_and_no_other() {
    let folder = TempDir::new().expect("a temporary folder");
    let into = folder.path().display();
    let mut printed = BTreeSet::new();
    for arguments in [
        "list".to_owned(),
        format!("run exchange loss --engine sim --pcapng {into} --html {into} --svg {into}"),
        "run loss --drop 2 --count 10".to_owned(),
        "run exchange --ask-from tests/suite/answers.toml".to_owned(),
        "run hold --count 1".to_owned(),
    ] {
        paths(&lab(&arguments), "", &mut printed);
    }
    let page = fs::read_to_string("docs/LAB_JSON.md").expect("readable");
    let row = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    let described: BTreeSet<String> = page.lines().filter_map(row).collect();
    assert!(described.len() > 50, "{described:?}");
    assert_eq!(printed, described);
}

/// As text and back, since reading a number may round its last digit.
fn reread(value: &impl Serialize) -> Value {
    serde_json::to_string(value).expect("JSON").parse().expect("JSON")
}

#[test]
fn a_report_of_the_library_serializes_to_what_the_program_prints() {
    let loss = lab::find("loss").expect("a lab of that name");
    let setting = Setting::default().seed(7).loss(50.0).count(20).drop([2]);
    let report = loss.run(Engine::Sim, &setting).expect("it ran");
    let printed = lab("run loss --seed 7 --loss 50 --count 20 --drop 2");
    assert!(reread(&report) == printed["runs"][0], "{:#}", reread(&report));
    let printed = lab("list");
    let labs: Vec<&lab::Lab> = lab::all().collect();
    assert!(reread(&labs) == printed["labs"], "{:#}", reread(&labs));
}
