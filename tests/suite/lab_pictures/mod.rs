//! Every packet, call and state of each lab's JSON is in the picture and in the table, at the height of its time. This
//! checker shares no code with what draws: it reads the files of `--html` and `--svg`, and docs/reports.md describes
//! their attributes.

mod changes;
mod check;
mod contrast;
mod docs;
mod pages;
mod picture;
mod table;
mod trace;

use crate::lab::{lab, on};
use crate::support::{run, skip, stderr, stdout};
use check::{Shown, complaints};
use picture::Picture;
use roxmltree::{Document, Node};
use serde_json::Value;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use trace::Trace;

/// The JSON of a run, with the files of the same run in a temporary folder.
#[derive(Debug)]
pub struct Shot {
    pub runs: Vec<Value>,
    /// The files exist as long as this folder.
    _folder: TempDir,
}

impl Shot {
    /// Runs labs with `--json`, `--html` and `--svg` at once.
    pub fn of(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut command = lab(&["run", "--json"]);
        command.args(arguments).arg("--html").arg(folder.path().join("pages/"));
        let output = run(command.arg("--svg").arg(folder.path().join("pictures")));
        let json: Value = stdout(&output).parse().unwrap_or_else(|error| {
            panic!("{arguments:?}: {error}: {}", stderr(&output));
        });
        Self { runs: json["runs"].as_array().expect("runs").clone(), _folder: folder }
    }

    /// Runs every lab of an engine. A lab that cannot run here is skipped.
    pub fn of_engine(engine: &str) -> Self {
        let mut shot = Self::of(&["all", "--engine", engine]);
        let names: Vec<&str> =
            shot.runs.iter().map(|it| it["lab"].as_str().expect("a name")).collect();
        assert_eq!(names, on(engine));
        shot.runs.retain(|run| {
            let obstacle = run["obstacle"].as_str();
            if let Some(why) = obstacle {
                skip(&format!("{}: {why}", run["lab"]));
            }
            obstacle.is_none()
        });
        shot
    }
}

/// Reads a file that a run names.
pub fn read(path: &Value) -> String {
    let path = Path::new(path.as_str().expect("a path"));
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the figures of a page: of each part its name and its XML.
pub fn figures(page: &str) -> Vec<&str> {
    let figures = page.split("<figure ").skip(1).map(|it| {
        let end = it.find("</figure>").expect("an end");
        &it[..end]
    });
    figures.collect()
}

/// Returns what a figure shows, and the number of its part from 0.
pub fn shown(figure: &str) -> (usize, Shown) {
    let (head, rest) = figure.split_once("<details class=\"rest\">").unwrap_or((figure, ""));
    let (rest, tail) = rest.split_once("</details>").unwrap_or(("", ""));
    let xml = format!("<figure {head}{tail}</figure>");
    let document = Document::parse(&xml).unwrap_or_else(|error| panic!("{error}: {xml}"));
    let root = document.root_element();
    let svg = picture_in(root);
    let mut rows = table::rows(root);
    if !rest.is_empty() {
        rows.extend(table::rest(rest));
    }
    let number = part(svg);
    (number, Shown { picture: Picture::of(svg), rows: Some(rows), listed: table::listed(root) })
}

fn picture_in<'a>(node: Node<'a, 'a>) -> Node<'a, 'a> {
    node.descendants().find(|it| it.has_attribute("data-part")).expect("a picture")
}

/// Returns the number of a picture's part from 0: `udp2` is the second part.
fn part(svg: Node<'_, '_>) -> usize {
    let name = picture::attribute(svg, "data-part");
    let number: usize = name.trim_start_matches(char::is_alphabetic).parse().expect("a number");
    number - 1
}

/// Asserts that page and pictures show the parts of a run, each once. Returns the number of packets.
fn assert_shows(run: &Value) -> usize {
    let name = format!("{} on {}", run["lab"], run["engine"]);
    let parts = run["parts"].as_array().expect("parts");
    let page = read(&run["html"]);
    let mut seen = Vec::new();
    for figure in figures(&page) {
        let (number, shown) = shown(figure);
        let found = complaints(&Trace::of(&parts[number]), &shown);
        assert!(found.is_empty(), "{name}, part {number} of the page: {found:#?}");
        seen.push(number);
    }
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..parts.len()), "{name} has the parts {seen:?}");
    let pictures = run["pictures"].as_array().expect("pictures");
    assert_eq!(pictures.len(), parts.len(), "{name}");
    for picture in pictures {
        assert_picture_shows(&read(picture), parts, &name);
    }
    parts.iter().map(|it| Trace::of(it).packets.len()).sum()
}

/// Asserts that a picture alone shows its part.
fn assert_picture_shows(svg: &str, parts: &[Value], name: &str) {
    assert!(!svg.contains("below the picture"), "{name}: a picture alone has nothing below it");
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{error}: {svg}"));
    let svg = picture_in(document.root_element());
    let number = part(svg);
    let shown = Shown { picture: Picture::of(svg), rows: None, listed: None };
    let found = complaints(&Trace::of(&parts[number]), &shown);
    assert!(found.is_empty(), "{name}, picture of part {number}: {found:#?}");
}

#[test]
fn every_packet_call_and_state_on_the_simulator_is_shown_once_at_its_height() {
    let packets: usize = Shot::of_engine("sim").runs.iter().map(assert_shows).sum();
    assert!(packets > 1000, "{packets}");
}

#[test]
fn every_call_on_loopback_is_shown_once_at_its_height() {
    let shot = Shot::of_engine("loopback");
    shot.runs.iter().for_each(|it| assert!(assert_shows(it) == 0, "packets on loopback"));
}

#[cfg(target_os = "linux")]
#[test]
fn every_packet_and_call_between_namespaces_is_shown_once_at_its_height() {
    let shot = Shot::of_engine("netns");
    let packets: usize = shot.runs.iter().map(assert_shows).sum();
    assert!(packets > 1000 || shot.runs.is_empty(), "{packets}");
}

#[test]
fn lost_doubled_and_overtaken_packets_are_shown_once_at_their_heights() {
    let share = ["--loss", "20", "--duplicate", "30", "--reorder", "40"];
    for seed in 1..=10 {
        let seed = seed.to_string();
        let shot = Shot::of(&[&["loss", "--seed", &seed][..], &share].concat());
        shot.runs.iter().map(assert_shows).for_each(|packets| assert!(packets > 0));
    }
}
