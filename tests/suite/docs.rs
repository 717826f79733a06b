//! Runs every command line in `README.md`, `docs/` and `--help`, and compares its output with the documented output.
//!
//! A `console` block shows a terminal: `$ command`, then its output. The command runs in a network namespace, where all
//! ports are free. A command that ends in `&` runs until the end of its file. The test does not compare numbers, dates
//! and units. In the table of `daytime compare`, it compares only the labels.
//!
//! trycmd is no alternative: it runs no shell, so it has no pipes, no `;` and no background processes. It would also
//! put placeholders into the documented output.

use crate::layers::files_below;
use crate::or_skip;
use crate::support::{Namespace, daytime, stdout};
use std::fs;
use std::io::{BufRead, BufReader, Read, pipe};
use std::path::Path;
use std::process::{Child, Command, Stdio};

#[test]
fn every_console_block_shows_what_the_program_prints() {
    let mut run = 0;
    for (file, text) in documents() {
        let (namespace, mut background) = (or_skip!(Namespace::new()), Background::default());
        for (command, wanted) in entries(&blocks(&text, "console")) {
            let shown = match command.strip_suffix('&') {
                Some(server) => background.start(&namespace, server, wanted.lines().count()),
                None => output(&namespace, command),
            };
            let is_table = command.starts_with("daytime compare");
            let skeleton = if is_table { labels } else { without_figures };
            let now = format!("{file}: $ {command}\nprints now:\n{shown}");
            assert_eq!(skeleton(&shown), skeleton(&wanted), "{now}");
            run += 1;
        }
    }
    assert!(run >= 5, "only {run} commands found in the documents");
}

#[test]
fn every_line_of_an_sh_block_is_run_by_the_checks() {
    let checks = fs::read_to_string(".ci/run").expect("UTF-8");
    let mut lines = 0;
    for (file, text) in documents() {
        for line in blocks(&text, "sh") {
            lines += 1;
            let run = checks.lines().any(|it| it.trim() == line);
            assert!(run, "{file}: .ci/run does not run `{line}`");
        }
    }
    assert!(lines >= 5, "only {lines} lines found in the documents");
}

#[test]
fn every_command_in_running_text_is_valid() {
    let mut named = 0;
    for (file, text) in documents() {
        for command in spans(&text).into_iter().filter(|it| it.starts_with("daytime ")) {
            named += 1;
            // With --help, clap still checks every option before it.
            let words = command.split(' ').skip(1).chain(["--help"]);
            let help = daytime().args(words).output().expect("runs");
            assert!(help.status.success(), "{file}: `{command}`");
        }
    }
    assert!(named >= 3, "only {named} found in the documents");
}

#[test]
fn every_example_of_the_help_texts_works() {
    let namespace = or_skip!(Namespace::new());
    for example in examples("serve") {
        Background::default().start(&namespace, &example, 1); // dropping it ends the server at once
    }
    let mut servers = Background::default();
    servers.start(&namespace, "daytime serve", 4);
    servers.start(&namespace, "daytime serve --port 9999", 4);
    let commands = ["query", "compare", "check", "bench", "parse", "lab"];
    for example in commands.map(examples).concat() {
        let run = shell(&namespace, &example).output().expect("runs");
        assert!(run.status.success(), "{example}: {}", String::from_utf8_lossy(&run.stderr));
    }
}

#[test]
fn every_file_and_test_that_the_documents_name_exists() {
    let sources = ["src", "tests"].map(|folder| files_below(Path::new(folder), "rs"));
    let texts = sources.concat().into_iter().map(|(_, text)| text);
    let texts: Vec<String> = texts.collect();
    let mut named = 0;
    for (file, text) in documents() {
        for word in spans(&text) {
            if ["src/", "tests/", "docs/"].iter().any(|folder| word.starts_with(folder)) {
                named += 1;
                assert!(Path::new(word).exists(), "{file}: {word}");
            }
            // A name with at least four underscores is that of a test.
            let name = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
            if word.matches('_').count() >= 4 && word.chars().all(name) {
                named += 1;
                let definition = format!("fn {word}(");
                let exists = texts.iter().any(|source| source.contains(&definition));
                assert!(exists, "{file}: there is no test {word}");
            }
        }
    }
    assert!(named >= 20, "only {named} names found in the documents");
}

#[test]
fn every_link_from_one_document_to_another_leads_to_a_file() {
    let mut links = 0;
    let introduction = (
        "docs/labs/README.md".to_owned(),
        fs::read_to_string("docs/labs/README.md").expect("UTF-8"),
    );
    for (file, text) in documents().into_iter().chain([introduction]) {
        let folder = Path::new(&file).parent().expect("a folder");
        for target in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')) {
            let (path, _) = target.0.split_once('#').unwrap_or((target.0, ""));
            if path.starts_with("https://") || path.is_empty() {
                continue;
            }
            links += 1;
            assert!(folder.join(path).exists(), "{file}: {path}");
        }
    }
    assert!(links >= 40, "only {links} links found in the documents");
}

#[test]
fn every_example_in_the_table_of_syntaxes_is_read_as_its_syntax() {
    let text = fs::read_to_string("docs/SYNTAXES.md").expect("UTF-8");
    let (_, table) = text.split_once("| syntax | example |").expect("the table");
    let rows = table.lines().skip(2).map_while(|line| line.strip_prefix("| "));
    let (mut syntax, mut read) = ("", 0);
    for row in rows {
        let spans: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        // A row without a name is one more example of the syntax above it.
        let example = if row.starts_with('|') {
            spans[0]
        } else {
            syntax = spans[0];
            spans[1]
        };
        let recognised = daytime::recognise(example.as_bytes()).expect("a time");
        assert_eq!(recognised.form.to_string(), syntax, "{example}");
        read += 1;
    }
    assert_eq!(read, 19);
}

/// Returns the command lines below "Examples:" in the help of a command.
fn examples(command: &str) -> Vec<String> {
    let help = stdout(&daytime().args([command, "--help"]).output().expect("runs"));
    let (_, examples) = help.split_once("Examples:\n").expect("examples");
    let lines = examples.lines().map_while(|line| line.strip_prefix("  "));
    let lines: Vec<String> = lines.map(str::to_owned).collect();
    assert!(lines.len() >= 3, "{command} has {} examples", lines.len());
    lines
}

/// Returns names and texts of README.md, CHANGELOG.md and the pages in docs/ and docs/teaching/. `lab_sheets.rs` runs the
/// commands of the page on sheets, because they write files.
fn documents() -> Vec<(String, String)> {
    let folders = ["docs", "docs/teaching"].map(|folder| fs::read_dir(folder).expect("readable"));
    let docs = folders.into_iter().flatten().map(|entry| entry.expect("readable").path());
    let docs = docs.filter(|path| !path.ends_with("sheets.md"));
    let docs = docs.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let docs = docs.map(|path| path.display().to_string());
    let files = docs.chain(["README.md", "CHANGELOG.md"].map(str::to_owned));
    let files: Vec<_> =
        files.map(|name| (name.clone(), fs::read_to_string(name).expect("UTF-8"))).collect();
    assert!(files.len() >= 5, "{files:?}");
    files
}

/// Returns the lines of all fenced blocks of a language.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}");
    let mut lines = text.lines();
    let mut found = Vec::new();
    while lines.by_ref().any(|line| line == fence) {
        found.extend(lines.by_ref().take_while(|line| *line != "```"));
    }
    found
}

/// Returns the texts between backticks, outside of fenced blocks.
fn spans(text: &str) -> Vec<&str> {
    let outside = text.split("```").step_by(2);
    outside.flat_map(|text| text.split('`').skip(1).step_by(2)).collect()
}

/// Returns each command of a console block with its output.
fn entries<'a>(lines: &[&'a str]) -> Vec<(&'a str, String)> {
    let mut entries: Vec<(&str, String)> = Vec::new();
    for line in lines {
        if let Some(command) = line.strip_prefix("$ ") {
            entries.push((command.trim(), String::new()));
        } else {
            let (_, output) = entries.last_mut().expect("a console block begins with a command");
            output.extend([*line, "\n"]);
        }
    }
    entries
}

/// Returns a shell inside the namespace for a command line. In it, `daytime` is the binary under test.
fn shell(namespace: &Namespace, command: &str) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_daytime")).parent().expect("a folder");
    let mut shell = namespace.command("sh");
    shell.args(["-c", &format!("PATH=\"$1:$PATH\"; {command}"), "sh"]).arg(folder);
    shell
}

/// Runs a command line. Returns standard output and standard error in one text, as on a terminal.
fn output(namespace: &Namespace, command: &str) -> String {
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut shell = shell(namespace, command);
    shell.stdout(writer.try_clone().expect("a pipe")).stderr(writer);
    let mut child = shell.spawn().expect("the shell starts");
    drop(shell); // closes our ends of the pipe
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("UTF-8");
    let status = child.wait().expect("waited for");
    assert!(status.success(), "{status}: {text}");
    text
}

/// Background processes. Dropping this value ends them.
#[derive(Default)]
struct Background(Vec<Child>);

impl Background {
    /// Starts a command. Returns the first lines of its standard output.
    fn start(&mut self, namespace: &Namespace, command: &str, lines: usize) -> String {
        // With `exec` the shell becomes the command, so that ending the child ends the command.
        let mut shell = shell(namespace, &format!("exec {command}"));
        let mut child = shell.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("starts");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        self.0.push(child);
        let printed: Vec<String> =
            output.lines().take(lines).map(|line| line.expect("UTF-8")).collect();
        assert_eq!(printed.len(), lines, "{command} printed only {printed:?}");
        printed.join("\n")
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the words of a text, with placeholders for numbers, names of days and months, and units.
fn without_figures(text: &str) -> Vec<String> {
    const NAMES: &str = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February \
        March April May June July August September October November December";
    text.split_whitespace()
        .map(|word| {
            let bare = word.trim_end_matches([',', ':']);
            if NAMES.split(' ').any(|name| name == bare) {
                return "Name".to_owned();
            }
            if ["ns", "µs", "ms", "s"].contains(&bare) {
                return "unit".to_owned();
            }
            let figure = |character: char| character.is_ascii_digit() || character == '.';
            let mut plain: Vec<char> =
                word.chars().map(|it| if figure(it) { '0' } else { it }).collect();
            plain.dedup_by(|one, other| *one == '0' && *other == '0');
            plain.into_iter().collect()
        })
        .collect()
}

/// Returns labels and headings of a table, without the rows of the distribution.
fn labels(text: &str) -> Vec<String> {
    text.lines()
        .filter(|line| !line.starts_with("    ") || line.starts_with("                   TCP"))
        .flat_map(|line| {
            let label: String = if line.starts_with("  ") {
                line.chars().take(17).collect()
            } else {
                line.to_owned()
            };
            without_figures(&label)
        })
        .collect()
}

#[test]
fn the_comparison_of_outputs_can_fail() {
    assert_ne!(without_figures("tcp 127.0.0.1:9999"), without_figures("udp 127.0.0.1:9999"));
    assert_eq!(without_figures("in 38.1 µs"), without_figures("in 2 ms"));
    assert_ne!(labels("  octets           40"), labels("  packets          40"));
    assert_eq!(labels("  octets           40"), labels("  octets           4 of 1"));
}
