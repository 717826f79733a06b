//! Each page of `docs/labs` shows the pictures that `daytime lab run NAME --svg DIR` writes. On `sim` a file is equal to
//! the octet. The pictures of a real kernel are recorded: their style, hosts, packets, calls and states are compared,
//! and no times. `DAYTIME_UPDATE_DOCS=1` writes outdated pictures anew, and the section of the page with them.

use super::picture::{Picture, attribute, words};
use super::{picture_in, read};
use crate::lab::{lab, labs, name};
use crate::lab_docs::figures_aside;
use crate::support::{good, skip};
use chrono::DateTime;
use roxmltree::{Document, Node};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use std::{env, fs};
use tempfile::TempDir;

/// Maximum size of all pictures together, in octets.
const MAXIMUM: usize = 800_000;

/// Heading of the pictures' section, and of the section after it.
const HEADING: &str = "\n## Pictures\n";
const NEXT_HEADING: &str = "\n## What a run may teach\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/labs")
}

/// A picture with the name of its file.
type File = (String, String);

/// The pictures of one lab, with the system on which they were drawn and the day. Both are `None` on `sim`.
#[derive(Debug)]
struct Pictures {
    lab: String,
    origin: Option<String>,
    /// In the order of the parts.
    files: Vec<File>,
}

impl Pictures {
    /// Runs a lab on its default engine. `None` if the lab cannot run here.
    fn drawn(lab_name: &str) -> Option<Self> {
        let folder = TempDir::new().expect("a temporary folder");
        let run = good(lab(&["run", lab_name, "--json", "--svg"]).arg(folder.path()));
        let run: Value = run.parse().expect("JSON");
        let run = &run["runs"][0];
        if let Some(why) = run["obstacle"].as_str() {
            skip(&format!("{lab_name}: {why}"));
            return None;
        }
        let file = |path: &Value| {
            let file = Path::new(path.as_str().expect("a path")).file_name().expect("a name");
            (file.to_string_lossy().into_owned(), read(path))
        };
        let files = run["pictures"].as_array().expect("pictures").iter().map(file).collect();
        let origin = (run["engine"] != "sim").then(|| {
            let system = run["system"].as_str().expect("a system");
            // The part after the dash names the builder of the kernel.
            format!("{} on {}", system.split('-').next().expect("a system"), today())
        });
        Some(Self { lab: lab_name.to_owned(), origin, files })
    }

    /// Reads the pictures that a page shows.
    fn shown(lab_name: &str, page: &str) -> Self {
        let section = section_of(page);
        let origin = section.split_once(" wrote these pictures on ");
        let origin = origin.and_then(|it| it.1.split_once(".\nTimes differ")).map(|it| it.0);
        let targets = section.split("](pictures/").skip(1).filter_map(|it| it.split_once(')'));
        let file = |(name, _): (&str, &str)| {
            let path = folder().join("pictures").join(name);
            (name.to_owned(), fs::read_to_string(path).unwrap_or_default())
        };
        let files = targets.map(file).collect();
        Self { lab: lab_name.to_owned(), origin: origin.map(str::to_owned), files }
    }

    /// Returns the first difference from pictures that the program has drawn. A part that needs what this host lacks,
    /// such as IPv6, is not drawn here.
    fn difference(&self, drawn: &Self) -> Option<String> {
        let [names, names_drawn] = [self.names(), drawn.names()];
        let missing: Vec<_> = names.iter().filter(|it| !names_drawn.contains(it)).collect();
        if self.origin.is_some() && drawn.origin.is_some() && !missing.is_empty() {
            skip(&format!("not drawn here: {missing:?}"));
        } else if names != names_drawn || self.origin.is_some() != drawn.origin.is_some() {
            return Some(format!("{:?} {names:?}, not {names_drawn:?}", self.origin));
        }
        let differs = |(name, drawn): &File| {
            let shown = self.files.iter().find(|it| it.0 == *name).map_or("", |it| &it.1);
            let is_same = match &self.origin {
                None => shown == drawn,
                Some(_) => !shown.is_empty() && facts(shown) == facts(drawn),
            };
            (!is_same).then(|| format!("{name} is not what the program draws"))
        };
        drawn.files.iter().find_map(differs)
    }

    /// Runs a lab, and returns its pictures with their first difference from these. `None` if the lab cannot run here.
    ///
    /// The kernel decides in which order clients and servers run, so a picture of a long run may show other calls than
    /// the recorded one. So a lab on a real kernel may draw its pictures three times.
    fn compared(&self, lab_name: &str) -> Option<(Self, Option<String>)> {
        let mut drawn = Self::drawn(lab_name)?;
        let mut difference = self.difference(&drawn);
        for _ in 0..2 {
            if difference.is_none() || drawn.origin.is_none() {
                break;
            }
            drawn = Self::drawn(lab_name)?;
            difference = self.difference(&drawn);
        }
        Some((drawn, difference))
    }

    fn names(&self) -> Vec<&str> {
        self.files.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Returns the section of the page.
    fn section(&self) -> String {
        let Self { lab, origin, files } = self;
        let wrote = match origin {
            None => "writes these pictures.".to_owned(),
            Some(origin) => {
                format!("wrote these pictures on {origin}.\nTimes differ from run to run.")
            }
        };
        let image = |(name, svg): &File| format!("\n![{}](pictures/{name})\n", alternative(svg));
        format!(
            "{HEADING}\n`daytime lab run {lab} --svg DIR` {wrote}\n\
             [Reports and pictures](../reports.md#how-to-read-a-picture) explains what the lines mean.\n{}",
            files.iter().map(image).collect::<String>()
        )
    }

    fn write(&self, page: &str) {
        let folder = folder();
        for (name, _) in &Self::shown(&self.lab, page).files {
            let _ = fs::remove_file(folder.join("pictures").join(name)); // it may not exist yet
        }
        fs::create_dir_all(folder.join("pictures")).expect("a folder");
        for (name, svg) in &self.files {
            fs::write(folder.join("pictures").join(name), svg).expect("written");
        }
        let (before, after) = page.split_once(NEXT_HEADING).expect("the lesson");
        let before = before.split(HEADING).next().expect("a beginning");
        let page = [before, &self.section(), NEXT_HEADING, after].concat();
        fs::write(folder.join(format!("{}.md", self.lab)), page).expect("written");
    }
}

fn today() -> String {
    let now = UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    let now = DateTime::from_timestamp(i64::try_from(now).expect("a time"), 0).expect("a time");
    now.format("%-d %B %Y").to_string()
}

/// Returns the section with the pictures. Empty if the page has none.
fn section_of(page: &str) -> &str {
    let from = page.find(HEADING).unwrap_or(page.len());
    let to = page.find(NEXT_HEADING).expect("the lesson");
    page.get(from..to).unwrap_or_default()
}

/// Returns the alternative text: the title and the description inside the picture.
fn alternative(svg: &str) -> String {
    let document = Document::parse(svg).expect("a picture");
    let text = |name: &str| {
        let has_name = |it: &Node<'_, '_>| it.has_tag_name(("http://www.w3.org/2000/svg", name));
        document.descendants().find(has_name).map(words).expect("a text")
    };
    let title = text("title").replace(", time runs downwards", "");
    format!("{title}. {}", text("desc")).replace('[', "\\[").replace(']', "\\]")
}

/// Returns what must be equal on every machine: style, titles, hosts, and each packet, call and state once, without
/// figures.
fn facts(svg: &str) -> BTreeSet<String> {
    let document = Document::parse(svg).expect("a picture");
    let picture = Picture::of(picture_in(document.root_element()));
    let hosts = picture.lifelines.iter().map(|(host, x)| format!("{host} at {x} %"));
    let arrows = picture.arrows.iter().map(|it| {
        let [what, fate] = [&it.packet.what, &it.packet.fate].map(|it| figures_aside(it));
        format!("{} to {}: {what}, {fate}", it.packet.from, it.packet.to)
    });
    let bands = picture.bands.iter().map(|it| format!("{} is {}", it.state.host, it.state.name));
    let is_head = |it: &Node<'_, '_>| ["style", "title"].contains(&it.tag_name().name());
    let head = document.descendants().filter(is_head).map(words);
    let width = format!("width {}", attribute(document.root_element(), "width"));
    let all = hosts.chain(arrows).chain(bands).chain(head).chain([width]);
    all.chain(calls(&document, &picture)).collect()
}

/// Returns each call with its host, without figures: those beside the lifelines, and those in the list below the picture.
fn calls(document: &Document<'_>, picture: &Picture) -> Vec<String> {
    let beside = picture.notes.iter().map(|it| (it.call.host.clone(), it.call.says.clone()));
    let listed = document.descendants().filter(|it| it.attribute("class") == Some("call made"));
    let listed = listed.map(words).filter_map(|it| {
        // Such as `c  3 ms  server: recvfrom() = 40 octets`.
        let (host, says) = it.splitn(3, "  ").nth(2)?.split_once(": ")?;
        Some((host.to_owned(), says.to_owned()))
    });
    // In a long run, the kernel chooses which of two servers answers, and the picture shows a few of these choices.
    let is_long = picture.calls_left_out > 0;
    let call = |(host, says): (String, String)| {
        let host = if is_long { "a host" } else { &host };
        // The address of a host's own name depends on its configuration.
        let says = if says.starts_with("gethostbyname") { "gethostbyname" } else { &says };
        format!("{host}: {}", figures_aside(says))
    };
    beside.chain(listed).map(call).collect()
}

/// Whether this run of the tests writes the pictures anew.
fn is_update() -> bool {
    env::var("DAYTIME_UPDATE_DOCS").as_deref() == Ok("1")
}

#[test]
fn every_page_of_a_lab_shows_the_pictures_that_the_program_draws() {
    let update = is_update();
    let mut compared = 0;
    for lab in labs() {
        let path = folder().join(format!("{}.md", name(&lab)));
        let page = fs::read_to_string(&path).expect("a page");
        let shown = Pictures::shown(name(&lab), &page);
        let Some((drawn, difference)) = shown.compared(name(&lab)) else { continue };
        let is_true = difference.is_none() && section_of(&page) == shown.section();
        assert!(
            is_true || update,
            "{}: {difference:?}; DAYTIME_UPDATE_DOCS=1 writes pictures and section anew",
            path.display()
        );
        if !is_true {
            drawn.write(&page);
        }
        compared += drawn.files.len();
    }
    assert!(compared > 10, "{compared}");
}

#[test]
fn the_pictures_of_the_pages_are_small_and_each_is_on_a_page() {
    if is_update() {
        return; // another test is writing them
    }
    let mut shown = BTreeSet::new();
    for lab in labs() {
        let page = fs::read_to_string(folder().join(format!("{}.md", name(&lab)))).expect("a page");
        assert!(page.find("\n## Questions\n") < page.find(HEADING), "{} first asks", name(&lab));
        let files = Pictures::shown(name(&lab), &page).files;
        assert!(!files.is_empty(), "{} shows no picture", name(&lab));
        shown.extend(files);
    }
    let files = fs::read_dir(folder().join("pictures")).expect("the pictures");
    let names = files.map(|it| it.expect("an entry").file_name().to_string_lossy().into_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), shown.iter().map(|it| it.0.clone()).collect());
    let octets: usize = shown.iter().map(|it| it.1.len()).sum();
    assert!((1..=MAXIMUM).contains(&octets), "{octets}");
}

#[test]
fn the_pictures_of_a_page_are_in_no_output_of_the_program() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("page.html");
    let mut command = lab(&["run", "exchange", "--explain", "--answers", "--html"]);
    let screen = good(command.arg(&file));
    let list = good(&mut lab(&["list", "--json"]));
    for text in [screen, list, fs::read_to_string(&file).expect("the page")] {
        assert!(text.contains("What does one answer cost?"), "{text}");
        assert!(!text.contains("![") && !text.contains("exchange-sim-tcp.svg"), "{text}");
    }
}
