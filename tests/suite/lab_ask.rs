//! `daytime lab run --ask`: predictions before the run, observations after it, and the verdict.

use crate::lab::{lab, labs, name};
use crate::or_skip;
use crate::support::{Terminal, assert_fits_80_columns, bad, daytime, good, run, stderr, stdout};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};
use tempfile::NamedTempFile;

/// Lines of a usual terminal.
const SCREEN_LINES: usize = 24;

const ANSWERS: &str = r#"
[exchange]
tcp-packets = { predicted = "2 packets", observed = "c" }
udp-packets = { predicted = "B", observed = "2 packets" }
tcp-time = { predicted = 40, observed = "0,08 s" }
"#;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

/// Runs `lab run` with answers from a file. Returns its standard output.
pub fn from_file(text: &str, arguments: &[&str]) -> String {
    let file = file(text);
    good(lab(&["run"]).args(arguments).arg("--ask-from").arg(file.path()))
}

/// Runs `lab run` with answers on standard input.
fn from_input(text: &str, arguments: &[&str]) -> Output {
    let file = file(text);
    let input = fs::File::open(file.path()).expect("open");
    run(lab(&["run"]).args(arguments).arg("--ask").stdin(input))
}

#[test]
fn a_student_predicts_before_the_run_and_reads_the_verdict_after_the_own_observation() {
    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange --ask"));
    let before = terminal.expect("Enter for the first question: ");
    assert!(before.contains("What does one answer cost?"), "{before}");
    assert!(before.contains("One client asks one server"), "{before}");
    terminal.type_keys("\n");
    let mut predicting = String::new();
    for (prompt, answer) in [("(a to d): ", "a\n"), ("(a to d): ", "B\n"), ("(ms): ", "80 ms\n")] {
        predicting += &terminal.expect(prompt);
        terminal.type_keys(answer);
    }
    assert!(predicting.contains("a) 2 packets\n"), "{predicting}");
    assert!(!predicting.contains("WHAT HAPPENED"), "the run comes later: {predicting}");

    let happened = terminal.expect("Your observation (a to d, r: the run again): ");
    assert!(happened.contains("── SYN ─"), "{happened}");
    assert!(happened.contains("TCP: packets sent                 7 packets"), "{happened}");
    terminal.type_keys("c\n");
    let verdict = terminal.expect("Enter for the next question: ");
    for line in [
        "prediction     ✗ wrong   2 packets\n",
        "observation    ✓ right   6 to 9 packets\n",
        "the run shows            6 to 9 packets\n",
        "\"2 packets\" is wrong: An exchange over UDP has 2 packets",
        "\"6 to 9 packets\" is right: Three packets open the connection",
        "Observed: \"TCP: packets sent\" is 7 packets.\n",
        "Where to see it: in \"TCP\" at 100.0 ms, a packet from the server, \"ACK\",",
    ] {
        assert!(verdict.contains(line), "{line}: {verdict}");
    }
    terminal.type_keys("\nb\n\n80\n\n");
    let (status, rest) = terminal.end();
    assert!(rest.contains("2 of 3 predictions right, 3 of 3 observations right"), "{rest}");
    assert!(rest.contains("\nLESSON\n"), "{rest}");
    let dialogue = predicting + &happened + &verdict;
    for word in ["predicted", "theory predicts"] {
        assert!(!dialogue.contains(word), "no prediction of the program: {dialogue}");
    }
    assert_eq!(status, Some(0), "a wrong prediction is no failure");
}

#[test]
fn input_that_is_no_answer_is_asked_again_and_an_empty_line_is_no_answer() {
    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange --ask"));
    let prompt = "Your prediction (a to d): ";
    terminal.type_keys("\n");
    terminal.expect(prompt);
    for wrong in ["e\n", "4\n", "0\n", "-1\n", "seven\n", "\u{1b}[2J\n", "r\n"] {
        terminal.type_keys(wrong);
        let again = terminal.expect(prompt);
        assert!(again.contains("not an answer: enter a letter from a to d"), "{wrong:?}: {again}");
        assert!(!again.contains('\u{1b}'), "{wrong:?}: {again:?}");
    }
    terminal.type_keys("?\n");
    assert!(terminal.expect(prompt).contains("How many packets does one exchange over TCP take"));
    terminal.type_keys("\n4 packets or more\n");
    let prompt = "Your prediction (ms): ";
    terminal.expect(prompt);
    for wrong in ["-80\n", "80 packets\n", "1e3\n", "nan\n", "9999999999999999\n", "1,080\n"] {
        terminal.type_keys(wrong);
        let again = terminal.expect(prompt);
        assert!(again.contains("not an answer: "), "{wrong:?}: {again}");
    }
    terminal.type_keys("1,080,000\n");
    assert!(terminal.expect(prompt).contains("not an answer: write 1080000, without separators."));
    terminal.type_keys("0.08s\n");
    terminal.expect("Your observation");
    terminal.type_keys("r\n");
    let again = terminal.expect("Your observation");
    assert!(again.contains("WHAT HAPPENED") && again.contains("OBSERVE 1 of 3"), "{again}");
    terminal.type_keys("\n\n\n\n\n\n");
    let (status, rest) = terminal.end();
    assert!(rest.contains("prediction     –         none\n"), "{rest}");
    assert!(rest.contains("1 of 3 predictions right, 0 of 3 observations right"), "{rest}");
    assert_eq!(status, Some(0), "{rest}");
}

#[test]
fn the_end_of_the_input_stops_with_status_1_and_an_interrupt_as_the_signal() {
    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange --ask"));
    terminal.type_keys("\na\n");
    terminal.expect("PREDICT 2 of 3");
    terminal.expect("(a to d): ");
    terminal.type_keys("\u{4}");
    let (status, rest) = terminal.end();
    assert!(rest.contains("\ndaytime: stopped before prediction 2 of 3 of exchange"), "{rest}");
    assert!(!rest.contains("WHAT HAPPENED"), "{rest}");
    assert_eq!(status, Some(1));

    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange --ask"));
    terminal.type_keys("\na\nb\n80\nc\n");
    terminal.expect("Enter for the next question: ");
    terminal.type_keys("\u{4}");
    let (status, rest) = terminal.end();
    assert!(rest.contains("\ndaytime: stopped before observation 2 of 3 of exchange"), "{rest}");
    assert_eq!(status, Some(1));

    for prompt in ["Your prediction", "Your observation"] {
        let mut terminal = or_skip!(Terminal::start("daytime lab run exchange --ask"));
        if prompt == "Your observation" {
            terminal.type_keys("\na\na\n1\n");
        } else {
            terminal.type_keys("\n");
        }
        terminal.expect(prompt);
        terminal.type_keys("\u{3}");
        let (status, rest) = terminal.end();
        assert_eq!(status, Some(130), "{rest}");
        assert!(!rest.contains("panicked"), "{rest}");
    }
}

#[test]
fn a_command_that_stops_before_its_first_run_keeps_the_index_of_an_earlier_command() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let index = folder.path().join("index.html");
    fs::write(&index, "an index").expect("written");
    let command = format!("daytime lab run exchange --ask --html {}/", folder.path().display());
    let mut terminal = or_skip!(Terminal::start(&command));
    terminal.type_keys("\n\u{4}");
    assert_eq!(terminal.end().0, Some(1));
    assert_eq!(fs::read_to_string(&index).expect("readable"), "an index");
}

#[test]
fn several_labs_ask_one_after_another() {
    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange exchange --ask --brief"));
    terminal.type_keys("\na\nb\n80\nc\n\nb\n\n80\n\n");
    terminal.expect("3 of 3 observations right");
    terminal.expect("Press Enter for the next lab: ");
    terminal.type_keys("\n\nc\nb\n80\nc\n\nb\n\n80\n\n");
    let second = terminal.expect("3 of 3 predictions right, 3 of 3 observations right");
    assert!(!second.contains("WHAT HAPPENED"), "the brief form has no drawing: {second}");
    let (status, rest) = terminal.end();
    let (_, after) = rest.split_once("\nSUMMARY\n").expect("a summary");
    assert_eq!((after.matches("Next lab (").count(), rest.matches("Next lab (").count()), (1, 1));
    assert_eq!(status, Some(0));
}

#[test]
fn the_end_of_the_input_before_the_next_lab_stops_with_status_1() {
    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange loss --ask --brief"));
    terminal.type_keys("\na\nb\n80\nc\n\nb\n\n80\n\n");
    terminal.expect("Press Enter for the next lab: ");
    terminal.type_keys("\u{4}");
    let (status, rest) = terminal.end();
    assert!(rest.contains("\ndaytime: stopped before loss: the input has ended"), "{rest}");
    assert_eq!(status, Some(1));
}

#[test]
fn text_that_is_typed_while_no_question_is_open_is_not_dropped_silently() {
    let mut terminal = or_skip!(Terminal::start("daytime lab run exchange --ask"));
    terminal.expect("Press Enter for the first question: ");
    terminal.type_keys("c\n");
    let shown = terminal.expect("Your prediction (a to d): ");
    assert!(shown.contains("not used: no question was open") && shown.contains("PREDICT 1 of 3"));
    terminal.type_keys("c\nb\n80\nc\n \t\n");
    let shown = terminal.expect("OBSERVE 2 of 3");
    assert!(!shown.contains("not used"), "blanks alone are no text: {shown}");
}

#[test]
fn the_last_lines_name_further_commands_and_the_next_lab_of_the_course() {
    let screen = from_file(ANSWERS, &["exchange"]);
    let end = "\nTry more: daytime lab run exchange --explain (--answers adds the answers)\n\
               Next lab (2 of 17): daytime lab run boundaries --ask\n";
    assert!(screen.ends_with(end), "{screen}");
    let screen = from_file(ANSWERS, &["exchange", "--answers"]);
    let (_, end) = screen.split_once("\nTRY NEXT\n").expect("commands with answers");
    assert!(!end.contains("Try more") && end.contains("\nNext lab ("), "{end}");
    let labs = labs();
    let last = labs.last().expect("labs");
    let questions = last["questions"].as_array().expect("questions");
    let unanswered = |it: &Value| {
        format!(
            "{} = {{ predicted = \"\", observed = \"\" }}\n",
            it["id"].as_str().expect("a name")
        )
    };
    let answers: String = questions.iter().map(unanswered).collect();
    let screen = stdout(&from_input(&format!("[{0}]\n{answers}", name(last)), &[name(last)]));
    assert!(screen.ends_with("\nThis was the last lab of the course.\n"), "{screen}");
}

#[test]
fn the_verdict_of_a_brief_run_says_that_the_drawing_needs_a_run_without_brief() {
    let phrase = "Where to see it without --brief: in \"TCP\" at 100.0 ms";
    assert!(from_file(ANSWERS, &["exchange", "--brief"]).contains(phrase));
    let usual = from_file(ANSWERS, &["exchange"]);
    assert!(usual.contains("Where to see it: in") && !usual.contains("--brief"), "{usual}");
}

/// Returns each error name of the glossary with its meaning.
fn error_names() -> Vec<(String, String)> {
    let glossary = fs::read_to_string("docs/GLOSSARY.md").expect("readable");
    let (_, errors) = glossary.split_once("\n## Errors of system calls\n").expect("the errors");
    let rows = errors.lines().filter_map(|line| line.strip_prefix("| E"));
    let pairs = rows.flat_map(|row| {
        let mut cells = row.split(" | ");
        let names = format!("E{}", cells.next().expect("names"));
        let meanings: Vec<String> =
            cells.next().expect("meanings").split(", ").map(str::to_owned).collect();
        let names: Vec<String> = names.split(", ").map(str::to_owned).collect();
        let meaning = move |at: usize| meanings[at.min(meanings.len() - 1)].clone();
        names.into_iter().enumerate().map(move |(at, name)| (name, meaning(at)))
    });
    pairs.collect()
}

#[test]
fn a_question_explains_each_error_name_where_it_first_has_it() {
    let (names, mut count) = (error_names(), 0);
    for lab_of_list in labs() {
        for question in lab_of_list["questions"].as_array().expect("questions") {
            let choices = question["choices"].as_array().into_iter().flatten();
            let texts = std::iter::once(&question["question"]).chain(choices);
            let text: Vec<&str> = texts.map(|it| it.as_str().expect("a text")).collect();
            let text = text.join("\n");
            for (name, meaning) in &names {
                let Some((_, after)) = text.split_once(name.as_str()) else { continue };
                assert!(after.starts_with(&format!(" ({meaning})")), "{name}: {text}");
                count += 1;
            }
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn with_json_the_dialogue_is_on_standard_error_and_the_record_on_standard_output() {
    let folder = tempfile::TempDir::new().expect("a temporary folder");
    let record = folder.path().join("record.json");
    let command = format!("daytime lab run exchange --ask --json > {}", record.display());
    let mut terminal = or_skip!(Terminal::start(&command));
    terminal.type_keys("\na\nb\n80\nc\n\nb\n\n80\n\n");
    terminal.expect("2 of 3 predictions right");
    assert_eq!(terminal.end().0, Some(0));
    let record = fs::read_to_string(record).expect("written");
    let record: Value = record.parse().expect("JSON alone");
    assert_eq!(record["runs"][0]["answers"][0]["prediction"]["verdict"], "wrong");
}

#[test]
fn answers_come_from_a_file_or_from_standard_input() {
    let screen = from_file(ANSWERS, &["exchange"]);
    assert!(screen.contains("1 of 3 predictions right, 3 of 3 observations right"), "{screen}");
    assert!(screen.contains("40 ms is wrong: One round trip is enough over UDP."), "{screen}");
    assert!(!screen.contains("Your prediction"), "nobody is asked: {screen}");
    assert_fits_80_columns(&screen);
    assert_eq!(stdout(&from_input(ANSWERS, &["exchange"])), screen);
    assert!(from_file(ANSWERS, &["exchange", "--ascii"]).is_ascii());
    let explained = from_file(ANSWERS, &["exchange", "--explain", "--answers"]);
    let (before, after) = explained.split_once("\nSCORE\n").expect("a score");
    for section in ["\nTHEORY\n", "\nELSEWHERE\n", "\nTRY NEXT\n"] {
        assert!(!before.contains(section) && after.contains(section), "{section}: {explained}");
    }
    let as_list = from_file(ANSWERS, &["exchange", "--text"]);
    assert!(as_list.contains("client: sends SYN to server"), "{as_list}");
}

#[test]
fn json_records_prediction_observation_verdict_reason_and_what_decides() {
    let record = from_file(ANSWERS, &["exchange", "--json"]);
    let record: Value = record.parse().expect("JSON");
    let answers = record["runs"][0]["answers"].as_array().expect("answers");
    assert_eq!(answers.len(), 3);
    let [packets, _, time] = &answers[..] else { panic!("three answers") };
    assert_eq!(packets["id"], "tcp-packets");
    assert_eq!(packets["prediction"]["answer"], "2 packets");
    assert_eq!(packets["prediction"]["verdict"], "wrong");
    assert_eq!(packets["observation"]["verdict"], "right");
    assert_eq!(packets["shown"], "6 to 9 packets");
    assert_eq!(packets["findings"][0], "TCP packets sent: 7 packets");
    assert_eq!(packets["decided_by"]["number"], 7);
    assert_eq!(packets["decided_by"]["at_ns"], 100_000_000);
    assert_eq!(time["observation"]["answer"], "80 ms");
    let reason = time["prediction"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("One round trip"), "{reason}");
}

#[test]
fn a_file_that_cannot_be_used_is_reported_with_its_line_and_nothing_runs() {
    let rest = ANSWERS.trim_start().lines().skip(2).collect::<Vec<_>>().join("\n");
    for (text, message) in [
        ("[exchange\n".to_owned(), "line 1: "),
        ("\n[exchnage]\n".to_owned(), "line 2: there is no lab \"exchnage\""),
        ("exchange = 3\n".to_owned(), "line 1: write [exchange] as a table"),
        (format!("[exchange]\n\nfoo = 1\n{rest}"), "line 3: exchange has no question \"foo\""),
        (format!("[exchange]\n{rest}"), "line 1: [exchange] has no answer to tcp-packets"),
        (
            format!("[exchange]\ntcp-packets = {{ predicted = \"a\" }}\n{rest}"),
            "line 2: write tcp-packets = { predicted = ",
        ),
        (
            format!(
                "[exchange]\ntcp-packets = {{ predicted = \"a\", observed = \"\\u001b[2J\" }}\n{rest}"
            ),
            "line 2: tcp-packets: \"\\u{1b}[2J\" is no answer: enter a letter from a to d",
        ),
        (
            format!("[exchange]\ntcp-packets = {{ predicted = \"a\", observed = [1] }}\n{rest}"),
            "line 2: tcp-packets: write a text or a number",
        ),
    ] {
        let output = from_input(&text, &["exchange"]);
        assert_eq!((stdout(&output), output.status.code()), (String::new(), Some(1)), "{text}");
        assert!(stderr(&output).contains(message), "{message}: {}", stderr(&output));
    }
    let large = "#".repeat(2 << 20);
    assert!(stderr(&from_input(&large, &["exchange"])).contains("larger than 1 MiB"));
    let missing = bad(1, &mut lab(&["run", "exchange", "--ask-from", "/nonexistent"]));
    assert!(missing.contains("cannot read /nonexistent"), "{missing}");
}

#[test]
fn without_a_terminal_and_without_answers_asking_is_refused() {
    let message = bad(2, lab(&["run", "exchange", "--ask"]).stdin(Stdio::null()));
    assert!(message.contains("--ask needs a terminal, or the answers"), "{message}");
    let message = bad(2, &mut lab(&["run", "exchange", "--ask", "--csv"]));
    assert!(message.contains("--csv") && message.contains("use --json"), "{message}");
}

#[test]
fn a_plain_run_points_to_asking_in_one_line_and_no_other_form_does() {
    let pointing = |arguments: &[&str]| {
        let screen = stdout(&run(daytime().args(["lab", "run"]).args(arguments)));
        screen.matches("--ask").count()
    };
    let plain = good(&mut lab(&["run", "exchange"]));
    assert!(plain.ends_with("\nPredict it yourself: daytime lab run exchange --ask\n"), "{plain}");
    assert_eq!(pointing(&["exchange", "loss"]), 1);
    for form in ["--brief", "--json", "--csv"] {
        assert_eq!(pointing(&["exchange", form]), 0, "{form}");
    }
}

#[test]
fn the_page_about_predicting_shows_what_the_program_prints() {
    let page = fs::read_to_string("docs/predicting.md").expect("UTF-8");
    let (_, after) = page.split_once("```text\n").expect("a block");
    let (block, _) = after.split_once("\n```").expect("the end of the block");
    let run = ["run", "hold", "--count", "0", "--ask-from", "docs/answers.toml"];
    let screen = good(&mut lab(&run));
    // The time of a call differs from run to run, and may move a line break.
    let in_one_line = |text: &str| {
        let words = text
            .split_whitespace()
            .map(|word| if word.parse::<f64>().is_ok() { "time" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    assert!(in_one_line(&screen).contains(&in_one_line(block)), "{screen}");
    assert!(
        block.lines().count() > 10 && in_one_line(block).contains("at time ms, a call"),
        "{block}"
    );
}

#[test]
fn a_lab_about_programs_shows_them_before_its_first_question() {
    let answers = ["udp-listen", "one-recv", "other-address", "only-ipv4"];
    let answers = answers.map(|id| format!("{id} = {{ predicted = \"a\", observed = \"a\" }}\n"));
    let screen = stdout(&from_input(&format!("[notes]\n{}", answers.concat()), &["notes"]));
    let (before, _) = screen.split_once("\nQUESTION 1 of ").expect("a question");
    for line in
        ["PROGRAM server.py", "listener.listen(5)", "PROGRAM client.py", "server.recv(1024)"]
    {
        assert_eq!(before.matches(line).count(), 1, "{line}: {before}");
    }
}

#[test]
fn no_method_no_question_no_verdict_and_no_lesson_needs_more_than_a_screen() {
    let mut count = 0;
    for lab_of_list in labs() {
        let (name, questions) = (name(&lab_of_list), lab_of_list["questions"].as_array());
        let answer = |question: &Value| {
            // At least one of two answers is wrong, so that the verdict has an explanation of both kinds.
            let id = question["id"].as_str().expect("a name");
            let [first, second] =
                if question["choices"].is_array() { ["\"a\"", "\"b\""] } else { ["1", "2"] };
            format!("{id} = {{ predicted = {first}, observed = {second} }}\n")
        };
        let answers: String = questions.expect("questions").iter().map(answer).collect();
        if answers.is_empty() {
            continue;
        }
        let screen = stdout(&from_input(&format!("[{name}]\n{answers}"), &[name]));
        assert_fits_80_columns(&screen);
        // The programs of a lab are longer than a screen, and come after the method.
        let method = screen.split("\nWHAT HAPPENED\n").next().unwrap_or_default();
        let method = method.split("\nPROGRAM ").next().unwrap_or_default();
        let lines = method.lines().count() + 2; // with the prompt, and a line above it
        assert!(lines < SCREEN_LINES, "{name}: {lines} lines: {method}");
        let (screen, end) = screen.split_once("\nSCORE\n").expect("a score");
        assert!(end.lines().count() + 2 < SCREEN_LINES, "{name}: {end}");
        for question in screen.split("\nQUESTION ").skip(1) {
            let (question, verdict) = question.split_once("\n  prediction ").expect("a verdict");
            let lines = question.lines().count() + 1; // with the prompt
            assert!(lines < SCREEN_LINES, "{name}: {lines} lines: {question}");
            let lines = verdict.lines().count() + 2; // with the prompt, and a line above it
            assert!(lines < SCREEN_LINES, "{name}: {lines} lines: {verdict}");
            count += 1;
        }
    }
    assert!(count > 5, "{count}");
}
