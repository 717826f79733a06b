//! The lesson of a run agrees with its table: each sentence names the findings that support it, and the tests compare
//! both, with every option at its minimum and maximum. They also check the units of time and the seed.

use crate::lab::{labs, name, words};
use crate::support::{daytime, good, run_within, skip, stdout};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

/// Maximum number of exchanges in a test of `loss`. The million that the option allows would take minutes without
/// optimisation.
const MOST_EXCHANGES: u64 = 20_000;

/// Maximum time of a run. With a delay of a second `silent` waits for three retransmissions, most of a minute.
const LONGEST: Duration = Duration::from_mins(4);

/// Options of one run, as on the command line.
type Options = Vec<String>;

/// Returns the runs to test: without options, then with each option at its minimum and at its maximum.
fn ends(lab: &Value, engine: &str) -> Vec<Options> {
    let mut all = vec![Vec::new()];
    for (option, limits) in lab["options"][engine].as_object().expect("its options") {
        for end in ["from", "to"] {
            let mut value = limits[end].as_u64().expect("a number");
            if (name(lab), option.as_str()) == ("loss", "count") {
                value = value.min(MOST_EXCHANGES);
            }
            all.push(vec![format!("--{option}"), value.to_string()]);
        }
    }
    all.extend(together(name(lab), engine));
    all
}

/// Further runs: combinations and values between the limits that once gave wrong sentences.
fn together(lab: &str, engine: &str) -> impl Iterator<Item = Options> {
    let all = match (lab, engine) {
        ("loss", "sim") => &[
            "--loss 0 --drop 1 --drop 2 --drop 3 --drop 4 --drop 5 --count 10",
            "--loss 100 --drop 5 --count 10",
            "--loss 100 --duplicate 100 --count 10",
            "--loss 97 --count 100",
            "--loss 1 --count 3",
            "--loss 0 --delay 60000 --count 3",
        ][..],
        ("loop", "sim") => &["--delay 500", "--delay 501", "--delay 1000", "--delay 1001"][..],
        _ => &[],
    };
    all.iter().map(|options| options.split(' ').map(str::to_owned).collect())
}

/// Returns the JSON of a run; `None` if the engine or the lab cannot run here.
fn result(lab: &str, engine: &str, options: &[String]) -> Option<Value> {
    let mut command = daytime();
    command.args(["lab", "run", lab, "--engine", engine, "--json"]).args(options);
    let all: Value = stdout(&run_within(LONGEST, &mut command)).parse().expect("JSON");
    let run = all["runs"][0].clone();
    match &run["obstacle"] {
        Value::Null => Some(run),
        obstacle => {
            skip(&format!("{lab} on {engine} {options:?}: {obstacle}"));
            None
        }
    }
}

/// Returns the observed value of a finding, if the table has its row.
fn find<'a>(run: &'a Value, transport: &str, what: &str) -> Option<&'a Value> {
    let mut findings = run["findings"].as_array().expect("findings").iter();
    let found =
        findings.find(|it| (&it["transport"], &it["what"]) == (&json!(transport), &json!(what)));
    found.map(|finding| &finding["observed"])
}

fn observed<'a>(run: &'a Value, transport: &str, what: &str) -> &'a Value {
    find(run, transport, what)
        .unwrap_or_else(|| panic!("the table has no {transport} {what}: {run:#}"))
}

/// Returns an observed value as a number: a count, a share, or nanoseconds.
fn number(observed: &Value) -> f64 {
    let all = ["count", "share", "time_ns"].into_iter().find_map(|key| observed[key].as_f64());
    all.unwrap_or_else(|| panic!("not a number: {observed}"))
}

/// Returns whether a ground of a sentence agrees with the table.
fn ground_holds(run: &Value, ground: &Value) -> bool {
    let text = |key: &str| ground[key].as_str().expect("text");
    let seen = observed(run, text("transport"), text("what"));
    assert_eq!(seen["in_words"], ground["observed"], "as the table has it");
    let other = |name: &str| {
        let (transport, what) = name.split_once(' ').expect("a transport and a name");
        number(observed(run, transport, what))
    };
    let must = text("must");
    if must == "as predicted" {
        let findings = run["findings"].as_array().expect("findings").iter();
        let same = |it: &&Value| it["observed"] == *seen && it["what"] == ground["what"];
        findings.filter(same).any(|it| it["predicted"]["is"] == *seen)
    } else if let Some(name) = must.strip_prefix("more than in ") {
        number(seen) > other(name)
    } else if let Some(name) = must.strip_prefix("as many as in ") {
        (number(seen) - other(name)).abs() < 0.5
    } else if let Some(least) = must.strip_prefix("more than ") {
        number(seen) > least.parse::<f64>().expect("a number")
    } else if let Some(text) = must.strip_prefix('"') {
        seen["text"].as_str() == text.strip_suffix('"')
    } else {
        (number(seen) - must.parse::<f64>().expect("a number")).abs() < f64::EPSILON
    }
}

/// Condition under which an observation refutes a claim.
#[derive(Clone, Copy, Debug)]
pub enum Refuting {
    /// A number above this one.
    Above(f64),
    /// A number below this one.
    Below(f64),
    /// This text.
    Is(&'static str),
    /// Any other text.
    IsNot(&'static str),
}
use Refuting::{Above, Below, Is, IsNot};

impl Refuting {
    fn matches(self, observed: &Value) -> bool {
        let text =
            |key: &str| observed["text"].as_str().unwrap_or_else(|| panic!("{key}: no text"));
        match self {
            Above(most) => number(observed) > most,
            Below(least) => number(observed) < least,
            Is(refuting) => text(refuting) == refuting,
            IsNot(claimed) => text(claimed) != claimed,
        }
    }
}

/// A row of a table by transport and name, with the observation that refutes a claim.
pub type Row = (&'static str, &'static str, Refuting);

const WHOLE: &str = "all of the reply";

/// Rows of `loss` that refute the claim that no reply arrived. The names of the rows say whether the losses are
/// chosen or random.
const A_REPLY: [Row; 7] = [
    ("tcp", "reply lost: received", Is(WHOLE)),
    ("tcp", "chosen: reply received", Is(WHOLE)),
    ("tcp", "random: whole replies", Above(0.0)),
    ("udp", "chosen: replies, 1 try", Above(0.0)),
    ("udp", "chosen: replies, 4 tries", Above(0.0)),
    ("udp", "random: reply in 1 try", Above(0.0)),
    ("udp", "random: reply in 4 tries", Above(0.0)),
];

/// Rows of `loss` that refute the claim that every reply arrived.
const NO_REPLY: [Row; 7] = [
    ("tcp", "reply lost: received", IsNot(WHOLE)),
    ("tcp", "chosen: reply received", IsNot(WHOLE)),
    ("tcp", "random: without a reply", Above(0.0)),
    ("udp", "chosen: replies, 1 try", Below(1.0)),
    ("udp", "chosen: replies, 4 tries", Below(1.0)),
    ("udp", "random: reply in 1 try", Below(1.0)),
    ("udp", "random: reply in 4 tries", Below(1.0)),
];

/// Rows of the exchanges with random loss.
const RANDOM: [&str; 6] = [
    "random: packets lost",
    "random: whole replies",
    "random: partial replies",
    "random: without a reply",
    "random: reply in 1 try",
    "random: reply in 4 tries",
];

/// A function that returns whether a row belongs to a part of the lab, by the row's name.
type IsOfPart = fn(&str) -> bool;

/// Parts of `loss` that a sentence may name, with their rows. A sentence that names no part is about all rows.
const PARTS: [(&str, IsOfPart); 3] = [
    ("random loss", |row| RANDOM.contains(&row)),
    ("lost SYN", |row| ["chosen: reply received", "chosen: time to reply"].contains(&row)),
    ("lost the first question", |row| row.starts_with("chosen: replies, ")),
];

/// Phrases of sentences that claim something, with the rows that can refute the claim.
pub const REFUTED_BY: [(&str, &[Row]); 20] = [
    ("costs time and nothing else", &[("tcp", "random: without a reply", Above(0.0))]),
    ("very reply arrived", &NO_REPLY),
    ("every first try", &NO_REPLY),
    ("every client over TCP", &NO_REPLY),
    ("o reply arrived", &A_REPLY),
    ("got no answer", &A_REPLY),
    ("no client over", &A_REPLY),
    (": no reply", &A_REPLY),
    ("one try received no reply", &[("udp", "chosen: replies, 1 try", Above(0.0))]),
    ("asked again received one", &[("udp", "chosen: replies, 4 tries", Below(1.0))]),
    ("o reply over TCP arrived in part", &[("tcp", "random: partial replies", Above(0.0))]),
    ("what the network loses", &[("tcp", "random: packets lost", Below(1.0))]),
    ("lost no packet", &[("tcp", "random: packets lost", Above(0.0))]),
    ("loses nothing", &[("tcp", "octets lost", Above(0.0))]),
    ("All datagrams fitted", &[("udp", "dropped (SO_RXQ_OVFL)", Above(0.0))]),
    ("first one receives none", &[("udp", "REUSEADDR: 1st server", Above(0.0))]),
    ("guard ends it", &[("udp", "datagrams without guard", Below(3.0))]),
    ("prevents the loop", &[("udp", "datagrams without guard", Below(3.0))]),
    ("answer each other", &[("udp", "datagrams without guard", Below(3.0))]),
    ("the server answered the forged", &[("udp", "datagrams without guard", Below(2.0))]),
];

/// Returns whether a sentence is about this row: it names the row's transport and part, or none.
fn is_about(says: &str, transport: &str, what: &str) -> bool {
    let named: Vec<_> = PARTS.iter().filter(|(name, _)| says.contains(name)).collect();
    let part = named.is_empty() || named.iter().any(|(_, has)| has(what));
    let [tcp, udp] = ["TCP", "UDP"].map(|name| says.contains(name));
    part && (tcp == udp || tcp == (transport == "tcp"))
}

/// Compares the claims of a sentence with every row that it is about.
fn check_claims(run: &Value, about: &str, says: &str) {
    // Any sentence may be the first one of its lesson, so it cannot refer to another.
    assert!(!says.ends_with(" either.") && !says.contains(" either:"), "{about}: {says:?}");
    for (_, rows) in REFUTED_BY.iter().filter(|(phrase, _)| says.contains(phrase)) {
        let mut judged = 0;
        for (transport, what, refuting) in *rows {
            if let Some(seen) =
                find(run, transport, what).filter(|_| is_about(says, transport, what))
            {
                assert!(!refuting.matches(seen), "{about}: {says:?}, but {what}: {seen}");
                judged += 1;
            }
        }
        assert!(judged > 0, "{about}: the table has no row for {says:?}");
    }
}

/// Compares the lesson of a run with its table.
fn check_lesson(run: &Value, about: &str) {
    let lesson = run["lesson"].as_array().expect("sentences");
    assert!(!lesson.is_empty(), "{about} has no lesson: {:#}", run["findings"]);
    for sentence in lesson {
        let says = sentence["says"].as_str().expect("text");
        let grounds = sentence["rests_on"].as_array().expect("grounds");
        assert!(!grounds.is_empty(), "{about}: {says:?} rests on nothing");
        for ground in grounds {
            assert!(ground_holds(run, ground), "{about}: {says:?} contradicts {ground}");
        }
        check_claims(run, about, says);
    }
}

/// Returns the units of the times in a run's table.
fn units(run: &Value) -> BTreeSet<String> {
    let mut units = BTreeSet::new();
    let has_time = |it: &Value| ["is", "from", "to"].iter().any(|end| it[end]["time_ns"].is_u64());
    for finding in run["findings"].as_array().expect("findings") {
        let (predicted, observed) = (&finding["predicted"], &finding["observed"]);
        if has_time(predicted) || observed["time_ns"].is_u64() {
            for cell in [&predicted["in_words"], &observed["in_words"]] {
                let is_unit = |word: &&str| ["ns", "µs", "ms", "s"].contains(word);
                let cell = cell.as_str().unwrap_or_default().split(' ');
                units.extend(cell.filter(is_unit).map(str::to_owned));
            }
        }
    }
    units
}

/// Runs a lab with all options to test, and compares lessons and tables. Returns the units of time that it printed.
fn sweep(lab: &Value, engine: &str) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for options in ends(lab, engine) {
        let about = format!("{} on {engine} {}", name(lab), options.join(" "));
        if let Some(run) = result(name(lab), engine, &options) {
            check_lesson(&run, &about);
            assert!(engine == "sim" || run["seed"].is_null(), "real sockets draw nothing: {about}");
            all.extend(units(&run));
        }
    }
    all
}

/// Tests every lab of an engine. On `netns`, where runs mostly wait, each lab has a thread of its own.
fn sweep_all(engine: &str) {
    let labs = labs();
    let here: Vec<&Value> =
        labs.iter().filter(|lab| words(&lab["engines"]).contains(&engine)).collect();
    let mut units = BTreeMap::new();
    if engine == "netns" {
        thread::scope(|scope| {
            let swept: Vec<_> =
                here.iter().map(|lab| (name(lab), scope.spawn(|| sweep(lab, engine)))).collect();
            for (name, thread) in swept {
                units.insert(name, thread.join().expect("swept"));
            }
        });
    } else {
        units.extend(here.iter().map(|lab| (name(lab), sweep(lab, engine))));
    }
    assert!(units.len() >= 5, "{units:?}");
    assert!(units.values().all(|units| units.len() <= 1), "two units in one lab: {units:?}");
    for (lab, unit) in [("exchange", "ms"), ("loss", "ms"), ("hold", "ms"), ("restart", "s")] {
        if let Some(seen) = units.get(lab).filter(|seen| !seen.is_empty()) {
            assert!(seen.contains(unit), "{lab}: {seen:?}");
        }
    }
}

#[test]
fn no_lesson_of_the_simulator_contradicts_its_table_and_times_have_one_unit() {
    sweep_all("sim");
}

#[test]
fn no_lesson_on_loopback_contradicts_its_table_and_times_have_one_unit() {
    sweep_all("loopback");
}

#[test]
fn no_lesson_between_namespaces_contradicts_its_table_and_times_have_one_unit() {
    sweep_all("netns");
}

/// Runs a simulated lab with this seed. Returns the seed in its JSON, and the JSON without the seed.
fn with_seed(lab: &str, options: &[&str], seed: &str) -> (Value, Value) {
    let mut command = daytime();
    command.args(["lab", "run", lab, "--engine", "sim", "--json", "--seed", seed]).args(options);
    let all: Value = good(&mut command).parse().expect("JSON");
    let mut run = all["runs"][0].clone();
    (run["seed"].take(), run)
}

#[test]
fn the_seed_is_printed_only_if_it_decides_the_result() {
    let few = ["--count", "5"];
    let mut cases = vec![("loss", few.to_vec(), true)];
    for (option, percent, draws) in
        [("--loss", "0", false), ("--loss", "100", false), ("--loss", "60", true)]
    {
        cases.push(("loss", [&few[..], &[option, percent]].concat(), draws));
    }
    for (option, percent, draws) in [("--duplicate", "50", true), ("--duplicate", "100", false)] {
        cases.push(("loss", [&few[..], &["--loss", "0", option, percent]].concat(), draws));
    }
    cases.extend(["exchange", "silent", "stale", "loop"].map(|lab| (lab, Vec::new(), false)));
    for (lab, options, draws) in cases {
        let (shown, first) = with_seed(lab, &options, "1");
        assert_eq!(shown, if draws { json!(1) } else { Value::Null }, "{lab} {options:?}");
        let mut others = (2..8).map(|seed| with_seed(lab, &options, &seed.to_string()).1);
        assert_eq!(others.any(|other| other != first), draws, "{lab} {options:?}");
        let print = |form: &[&str]| {
            let mut command = daytime();
            command.args(["lab", "run", lab, "--engine", "sim", "--seed", "97531"]);
            good(command.args(&options).args(form))
        };
        assert_eq!(print(&[]).contains("\n  seed     97531\n"), draws, "{lab} {options:?}");
        assert_eq!(print(&["--csv"]).contains(",97531,"), draws, "{lab} {options:?}");
    }
}

#[test]
fn csv_has_each_time_as_a_number_in_the_unit_of_its_lab() {
    let csv = good(daytime().args(["lab", "run", "exchange", "restart", "--csv"]));
    let mut times = 0;
    for row in csv.lines().filter(|row| row.contains(",time")) {
        let fields: Vec<&str> = row.split(',').collect();
        let (observed, number, unit) = (fields[7], fields[8], fields[9]);
        assert!(observed.ends_with(&format!(" {unit}")), "{row}");
        assert_eq!(unit, if fields[0] == "restart" { "s" } else { "ms" }, "{row}");
        let shown: f64 = observed.split(' ').next().expect("a number").parse().expect("a number");
        assert!((shown - number.parse::<f64>().expect("a number")).abs() < 1.0, "{row}");
        times += 1;
    }
    assert_eq!(times, 3, "two of exchange, one of restart: {csv}");
}
