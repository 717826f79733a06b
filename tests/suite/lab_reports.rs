//! `daytime lab run --html` and `--svg`, and `daytime compare --html`: which files they write, and what those contain.

use crate::lab::lab;
use crate::or_skip;
use crate::support::{Terminal, bad, daytime, good};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

fn folder() -> TempDir {
    TempDir::new().expect("a temporary folder")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the names of the files of a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let name = |it: std::io::Result<fs::DirEntry>| it.expect("an entry").file_name();
    let mut names: Vec<String> =
        entries.map(|it| name(it).to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn one_lab_is_a_file_and_the_same_seed_gives_the_same_octets() {
    let folder = folder();
    let [one, other] = ["one.html", "other.html"].map(|name| folder.path().join(name));
    let screen = good(lab(&["run", "loss", "--seed", "3", "--html"]).arg(&one));
    good(lab(&["run", "loss", "--seed", "3", "--html"]).arg(&other));
    let page = read(&one);
    assert!(page == read(&other));
    assert!(page.starts_with("<!doctype html>") && page.contains("lab run loss --seed 3"));
    assert!(!page.contains(&*folder.path().to_string_lossy()), "a path of this machine");
    let (_, report) = screen.split_once("\nREPORT\n").expect("the file");
    assert_eq!(report.trim(), one.display().to_string());
}

#[test]
fn a_folder_has_an_index_of_all_reports() {
    let folder = folder();
    let into = folder.path().join("made/for/it/");
    good(lab(&["run", "exchange", "stale", "--html"]).arg(&into));
    assert_eq!(names(&into), ["exchange-sim.html", "index.html", "stale-sim.html"]);
    let index = read(&into.join("index.html"));
    assert!(
        index.contains("href=\"exchange-sim.html\"") && index.contains("href=\"stale-sim.html\"")
    );
    good(lab(&["run", "exchange", "--html"]).arg(folder.path()));
    assert_eq!(names(folder.path()), ["exchange-sim.html", "made"]);
    good(lab(&["run", "exchange", "--html"]).arg(&into));
    assert!(!read(&into.join("index.html")).contains("stale-sim.html"), "the reports of a command");
    good(lab(&["run", "stale", "--html"]).arg(into.parent().expect("a folder").join("it")));
    assert!(read(&into.join("index.html")).contains("href=\"exchange-sim.html\""));
}

#[test]
fn answers_that_cannot_be_used_leave_no_report_and_no_folder() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let made = || names(&path("made")).into_iter().map(|name| read(&path("made").join(name)));
    good(lab(&["run", "exchange", "stale", "--html"]).arg(path("made/")));
    let before: Vec<String> = made().collect();
    assert_eq!(before.len(), 3);
    fs::write(path("answers.toml"), "[exchange]\n").expect("written");
    for place in ["page.html", "new/", "made/"] {
        let mut command = lab(&["run", "exchange", "--ask-from"]);
        let complaint = bad(1, command.arg(path("answers.toml")).arg("--html").arg(path(place)));
        assert!(complaint.contains("cannot use the answers in"), "{place}: {complaint}");
        assert_eq!(names(folder.path()), ["answers.toml", "made"], "{place}");
        assert!(made().eq(before.iter().cloned()), "{place}");
    }
}

#[test]
fn a_student_who_stops_at_a_question_gets_no_report_and_keeps_the_index() {
    let folder = folder();
    let index = folder.path().join("index.html");
    fs::write(&index, "earlier").expect("written");
    for place in ["page.html", ""] {
        let path = folder.path().join(place);
        let command = format!("daytime lab run exchange --ask --html '{}'", path.display());
        let mut terminal = or_skip!(Terminal::start(&command));
        terminal.expect("Enter for the first question: ");
        terminal.type_keys("\x04");
        let (status, screen) = terminal.end();
        assert_eq!(status, Some(1), "{screen}");
        assert_eq!(names(folder.path()), ["index.html"], "{place:?}");
        assert_eq!(read(&index), "earlier");
    }
}

#[test]
fn files_are_written_although_standard_output_has_no_reader() {
    let folder = folder();
    for form in ["--text", "--json"] {
        let file = folder.path().join(format!("page{form}.html"));
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command =
            lab(&["run", "exchange", "--ask-from", "tests/suite/answers.toml", form, "--html"]);
        let status = command.arg(&file).stdout(writer).status().expect("it runs");
        assert!(status.success() && read(&file).contains("Your prediction"), "{form}: {status}");
    }
}

#[test]
fn pictures_alone_are_one_file_for_each_part() {
    let folder = folder();
    let run = good(lab(&["run", "loss", "--json", "--svg"]).arg(folder.path()));
    let expected = [
        "loss-sim-tcp-reply-lost.svg",
        "loss-sim-tcp-syn-lost.svg",
        "loss-sim-udp-question-lost.svg",
    ];
    assert_eq!(names(folder.path()), expected);
    let run: Value = run.parse().expect("JSON");
    assert_eq!(run["runs"][0]["pictures"].as_array().map(Vec::len), Some(3));
    let picture = read(&folder.path().join(expected[0]));
    assert!(picture.starts_with("<svg xmlns=") && picture.contains("<style>"), "{picture}");
}

#[test]
fn every_packet_of_the_json_is_in_the_picture_with_its_times_and_its_fate() {
    let folder = folder();
    let page = folder.path().join("page.html");
    let run = good(lab(&["run", "loss", "--json", "--html"]).arg(&page));
    let (run, page): (Value, _) = (run.parse().expect("JSON"), read(&page));
    let mut packets = 0;
    for part in run["runs"][0]["parts"].as_array().expect("parts") {
        let events = part["events"].as_array().expect("events");
        for event in events.iter().filter(|event| event["octets_hex"].is_string()) {
            let arrived = event["arrived_ns"][0].as_u64().map(|it| it.to_string());
            let expected = format!(
                "data-sent-ns=\"{}\" data-arrived-ns=\"{}\" data-from={} data-to={}",
                event["at_ns"],
                arrived.unwrap_or_default(),
                event["host"],
                event["to"],
            );
            assert!(page.contains(&expected), "{expected}");
            packets += 1;
        }
    }
    assert!(packets >= 10, "{packets}");
}

#[test]
fn a_lab_that_cannot_be_written_is_an_error_with_the_file() {
    let folder = folder();
    let file = folder.path().join("no/such/folder.html");
    let message = bad(1, lab(&["run", "exchange", "--html"]).arg(&file));
    assert!(
        message.starts_with(&format!("daytime: cannot write {}: ", file.display())),
        "{message}"
    );
    let file = folder.path().join("file");
    fs::write(&file, "").expect("written");
    let message = bad(1, lab(&["run", "exchange", "loss", "--html"]).arg(&file));
    assert!(message.starts_with("daytime: cannot create directory "), "{message}");
}

#[test]
fn a_comparison_is_a_page_with_the_calls_of_the_client() {
    let folder = folder();
    let page = folder.path().join("compare.html");
    good(daytime().args(["compare", "--count", "20", "--html"]).arg(&page));
    let page = read(&page);
    for text in [
        "<h2>The reply</h2>",
        "<h2>The client</h2>",
        "socket connect",
        "daytime compare --count 20",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(page.contains("Content-Security-Policy") && !page.contains("<script"), "{page}");
    let mut unwritable = daytime();
    unwritable.args(["compare", "--html"]).arg(folder.path().join("no/such/folder.html"));
    assert!(bad(1, &mut unwritable).contains("cannot write "));
    let page = folder.path().join("again.html");
    let options = ["compare", "-4", "--timeout", "1.5", "--count", "3", "--html"];
    good(daytime().args(options).arg(&page));
    assert!(read(&page).contains("daytime compare --count 3 -4 --timeout 1.5"));
}
